//! Cold start of the custodian on Lambda.

use consulate_core::foundation::Foundation;
use consulate_core::trace::Trace;
use consulate_custodian::State;
use consulate_custodian::incoming::handle;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let state = State::new(&Foundation::on_lambda().await?)?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let context = event.context;
        let work = handle(&state, event.payload, &context.request_id);
        let trace = Trace::of_invoke(None, context.xray_trace_id.as_deref());
        Ok::<_, Error>(trace.around(work).await?)
    }))
    .await
}
