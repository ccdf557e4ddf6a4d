//! Cold start of the custodian on Lambda.

use consulate_core::custody::Event;
use consulate_core::foundation::Foundation;
use consulate_custodian::{State, run};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let state = State::new(&Foundation::on_lambda().await?)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Event>| {
        Ok::<_, Error>(run(&state, event.payload, &event.context.request_id).await)
    }))
    .await
}
