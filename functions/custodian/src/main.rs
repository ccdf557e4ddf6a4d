//! Cold start of the custodian on Lambda.

use consulate_core::foundation::Foundation;
use consulate_custodian::State;
use consulate_custodian::incoming::handle;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let state = State::new(&Foundation::on_lambda().await?)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        Ok::<_, Error>(handle(&state, event.payload, &event.context.request_id).await?)
    }))
    .await
}
