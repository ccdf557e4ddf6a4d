//! Cold start of the console on Lambda.

use axum::body::Body;
use consulate_console::{State, router};
use consulate_core::foundation::Foundation;
use consulate_core::http::RequestId;
use lambda_http::{Error, Request, RequestExt as _, service_fn, tower::ServiceExt as _};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let routes = router(State::new(&Foundation::on_lambda().await?)?);
    lambda_http::run(service_fn(move |mut request: Request| {
        let id = request.lambda_context().request_id;
        request.extensions_mut().insert(RequestId(id));
        routes.clone().oneshot(request.map(Body::new))
    }))
    .await
}
