//! A function's routes, and the list of them: so that a test can ask every route a question, and notices a new one.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use http::Method;

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method; a GET also answers HEAD, unless that is a route of its own.
    pub method: Method,
    /// The path with its parameters: `/v1/widgets/{widget}/connections`.
    pub path: &'static str,
}

/// Routes under construction.
pub struct Routes<S> {
    router: Router<S>,
    listed: Vec<Route>,
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self {
            router: Router::new(),
            listed: Vec::new(),
        }
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a GET.
    #[must_use]
    pub fn get<H: Handler<T, S>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.with(Method::GET, MethodFilter::GET, path, handler)
    }

    /// With a HEAD that does something else than the GET.
    #[must_use]
    pub fn head<H: Handler<T, S>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.with(Method::HEAD, MethodFilter::HEAD, path, handler)
    }

    /// With a POST.
    #[must_use]
    pub fn post<H: Handler<T, S>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.with(Method::POST, MethodFilter::POST, path, handler)
    }

    /// With a PUT.
    #[must_use]
    pub fn put<H: Handler<T, S>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.with(Method::PUT, MethodFilter::PUT, path, handler)
    }

    /// With a DELETE.
    #[must_use]
    pub fn delete<H: Handler<T, S>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.with(Method::DELETE, MethodFilter::DELETE, path, handler)
    }

    /// Every route so far, in order.
    pub fn listed(&self) -> &[Route] {
        &self.listed
    }

    /// The router.
    pub fn with_state(self, state: S) -> Router {
        self.router.with_state(state)
    }

    fn with<H: Handler<T, S>, T: 'static>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.router = self.router.route(path, on(filter, handler));
        self.listed.push(Route { method, path });
        self
    }
}
