//! Cold start of the proxy on Lambda.

use axum::body::Body;
use axum::response::IntoResponse as _;
use consulate_core::foundation::Foundation;
use consulate_core::http::{RequestId, json};
use consulate_proxy::{State, act, router};
use lambda_http::request::RequestContext;
use lambda_http::{Error, Request, RequestExt as _, service_fn, tower::ServiceExt as _};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let state = State::new(&Foundation::on_lambda().await?);
    let routes = router(state.clone());
    lambda_http::run(service_fn(move |mut request: Request| {
        let (state, routes) = (state.clone(), routes.clone());
        async move {
            let id = request.lambda_context().request_id;
            // What comes through the gateway never has this context, whatever its path is.
            if let Some(RequestContext::PassThrough) = request.request_context_ref() {
                let answer = act(&state, request.body(), &id).await;
                return Ok(json(http::StatusCode::OK, &answer).into_response());
            }
            request.extensions_mut().insert(RequestId(id));
            routes.oneshot(request.map(Body::new)).await
        }
    }))
    .await
}
