//! Cold start, then the Lambda runtime. The only file of this function that knows lambda_http.

use axum::extract::Request;
use axum::middleware::map_request;
use consulate_connect::{State, router};
use consulate_core::foundation::Foundation;
use consulate_core::http::RequestId;
use lambda_http::{Context, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let foundation = Foundation::on_lambda().await?;
    let routes = router(State::new(&foundation));
    lambda_http::run(routes.layer(map_request(with_request_id))).await
}

async fn with_request_id(mut request: Request) -> Request {
    if let Some(Context { request_id, .. }) = request.extensions().get() {
        let id = RequestId(request_id.clone());
        request.extensions_mut().insert(id);
    }
    request
}
