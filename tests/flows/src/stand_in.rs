//! A server that stands in for real hosts: the generic provider under the paths of somebody else's.

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use consulate_fakes::provider::Provider;
use consulate_fakes::serve::{Served, serve};
use http::{StatusCode, Uri};
use tower_service::Service as _;

/// Serves `provider` on a free port, with paths that begin as on the left found where they begin as on the right.
pub async fn stand_in(provider: &Provider, paths: &'static [(&str, &str)]) -> Served {
    let routes = provider.router();
    let router = Router::new().fallback(move |request: Request| {
        let mut routes = routes.clone();
        async move {
            match elsewhere(request.uri(), paths) {
                Some(uri) => {
                    let mut request = request;
                    *request.uri_mut() = uri;
                    let answer: Response = routes.call(request).await.unwrap();
                    answer
                }
                None => StatusCode::NOT_FOUND.into_response(),
            }
        }
    });
    serve(router, 0).await.unwrap()
}

fn elsewhere(uri: &Uri, paths: &[(&str, &str)]) -> Option<Uri> {
    let text = uri.path_and_query()?.as_str();
    let (from, to) = paths.iter().find(|(from, _)| text.starts_with(from))?;
    format!("{to}{}", &text[from.len()..]).parse().ok()
}
