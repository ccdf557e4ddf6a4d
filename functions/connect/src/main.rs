//! Cold start, then the Lambda runtime. The only file of this function that knows lambda_http.

use std::sync::Arc;

use axum::body::Body;
use axum::response::IntoResponse as _;
use consulate_connect::{State, act, router};
use consulate_core::acting::Invoke;
use consulate_core::foundation::Foundation;
use consulate_core::http::{RequestId, json};
use lambda_http::request::RequestContext;
use lambda_http::{Error, Request, RequestExt as _, service_fn, tower::ServiceExt as _};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let state = Arc::new(State::new(&Foundation::on_lambda().await?));
    let routes = router(State::clone(&state));
    lambda_http::run(service_fn(move |mut request: Request| {
        let (state, routes) = (state.clone(), routes.clone());
        async move {
            let lambda_http::Context {
                request_id,
                xray_trace_id,
                ..
            } = request.lambda_context();
            // What comes through the gateway never has this context, whatever its path is.
            if let Some(RequestContext::PassThrough) = request.request_context_ref() {
                let (payload, request_id) = (request.body(), request_id.as_str());
                let invoke = Invoke {
                    payload,
                    request_id,
                    xray: xray_trace_id.as_deref(),
                };
                return Ok(json(http::StatusCode::OK, &act(&state, invoke).await).into_response());
            }
            request.extensions_mut().insert(RequestId(request_id));
            routes.oneshot(request.map(Body::new)).await
        }
    }))
    .await
}
