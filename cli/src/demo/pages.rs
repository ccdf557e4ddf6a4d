//! PURE. The demo's pages, styles and scripts, compiled in, and the headers each is served with.
//!
//! Three origins: Consulate on `http://127.0.0.1:PORT`, host page and widgets on `http://localhost` with a port each. To a
//! browser the pages and Consulate are two sites, as an intranet and a cloud service are, so every CORS, cookie and
//! postMessage rule is the real one. Touches no file at run time, no network.

use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};

use super::Demo;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A page of the demo, and with it who may embed it and whom it may talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// The intranet around the widget.
    Host,
    /// The widget itself, embedded by the host page only.
    Widget,
    /// A widget that embeds a Qrvey dashboard, embedded by the host page only.
    Dashboard,
    /// Where redirect mode comes back to: a top-level window on the widget's origin.
    Connected,
}

impl Page {
    fn html(self) -> &'static str {
        match self {
            Self::Host => include_str!("assets/host.html"),
            Self::Widget => include_str!("assets/widget.html"),
            Self::Dashboard => include_str!("assets/dashboard.html"),
            Self::Connected => include_str!("assets/connected.html"),
        }
    }

    /// No inline script or style anywhere, nothing from another server but the browser client, which is Consulate's, and the
    /// dashboard's launcher, which is Qrvey's.
    fn policy(self, demo: &Demo) -> String {
        let (base, host, widget) = (&demo.base_url, &demo.host_origin, &demo.widget_origin);
        let (theirs, frame, ancestors) = match self {
            Self::Host => (String::new(), widget.as_str(), "'none'"),
            Self::Widget => (format!(" {base}"), "'none'", host.as_str()),
            Self::Dashboard => (format!(" {base} {}", demo.qrvey), "'none'", host.as_str()),
            Self::Connected => (format!(" {base}"), "'none'", "'none'"),
        };
        format!(
            "default-src 'none'; script-src 'self'{theirs}; style-src 'self'; img-src 'self'; connect-src 'self'{theirs}; \
             frame-src {frame}; frame-ancestors {ancestors}; base-uri 'none'; form-action 'none'"
        )
    }

    /// The page with this process's addresses in it.
    pub(super) fn response(self, demo: &Demo) -> Response {
        let Ok(policy) = HeaderValue::try_from(self.policy(demo)) else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let html = filled(demo, self.html());
        let policy = [(CONTENT_SECURITY_POLICY, policy)];
        ([(CONTENT_TYPE, HTML)], policy, html).into_response()
    }
}

/// `text` with this process's addresses in it.
fn filled(demo: &Demo, text: &str) -> String {
    text.replace("{{BASE_URL}}", &demo.base_url)
        .replace("{{HOST_ORIGIN}}", &demo.host_origin)
        .replace("{{WIDGET_ORIGIN}}", &demo.widget_origin)
        .replace("{{QRVEY}}", &demo.qrvey)
}

/// The style, script or icon `name`, or 404.
pub(super) fn asset(demo: &Demo, name: &str) -> Response {
    let (content_type, content) = match name {
        "base.css" => (CSS, include_str!("assets/base.css")),
        "client.js" => (SCRIPT, include_str!("assets/client.js")),
        "connected.js" => (SCRIPT, include_str!("assets/connected.js")),
        "dashboard.js" => (SCRIPT, include_str!("assets/dashboard.js")),
        "elements.js" => (SCRIPT, include_str!("assets/elements.js")),
        "host-link.js" => (SCRIPT, include_str!("assets/host-link.js")),
        "host.css" => (CSS, include_str!("assets/host.css")),
        "host.js" => (SCRIPT, include_str!("assets/host.js")),
        "icon.svg" => (SVG, include_str!("assets/icon.svg")),
        "results.js" => (SCRIPT, include_str!("assets/results.js")),
        "sentences.js" => (SCRIPT, include_str!("assets/sentences.js")),
        "timeline.css" => (CSS, include_str!("assets/timeline.css")),
        "timeline.js" => (SCRIPT, include_str!("assets/timeline.js")),
        "widget.css" => (CSS, include_str!("assets/widget.css")),
        "widget.js" => (SCRIPT, include_str!("assets/widget.js")),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([(CONTENT_TYPE, content_type)], filled(demo, content)).into_response()
}

/// What every answer of the demo carries. Nothing is stored: a rebuilt demo is seen at the next reload, and a caller
/// JWT stays out of the disk cache.
pub(super) fn common_headers() -> [(HeaderName, HeaderValue); 4] {
    [
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ]
}

/// The demo's own bundle as `(path, text)`, with the provider's address (`http://127.0.0.1:PORT/demo/provider`), the
/// widget's origin and the Qrvey instance's filled in. Write it into a folder and import that.
pub fn bundle(provider: &str, widget_origin: &str, qrvey: &str) -> Vec<(&'static str, String)> {
    let files = [
        ("schema.json", include_str!("bundle/schema.json")),
        (
            "passport/acme-cloud.json",
            include_str!("bundle/passport/acme-cloud.json"),
        ),
        ("consulate.json", include_str!("bundle/consulate.json")),
    ];
    let fill = |text: &str| {
        text.replace("{{PROVIDER}}", provider)
            .replace("{{WIDGET_ORIGIN}}", widget_origin)
            .replace("{{QRVEY}}", qrvey)
    };
    files.map(|(path, text)| (path, fill(text))).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use serde_json::Value;

    use super::*;

    fn demo() -> Demo {
        Demo {
            base_url: "http://127.0.0.1:1".to_owned(),
            host_origin: "http://localhost:2".to_owned(),
            widget_origin: "http://localhost:3".to_owned(),
            qrvey: "http://127.0.0.1:4".to_owned(),
            mint: std::sync::Arc::new(|_| Err(String::new())),
            steps: std::sync::Arc::new(crate::demo::Steps::new(1)),
        }
    }

    #[test]
    fn the_bundle_is_json_with_real_addresses_and_no_client_secret() {
        let files = bundle(
            "http://127.0.0.1:8787/demo/provider",
            "http://localhost:8787",
            "http://127.0.0.1:8788",
        );
        assert_eq!(files.len(), 3);
        for (path, text) in &files {
            assert!(!text.contains("{{"), "{path} keeps a marker");
            assert!(!text.contains("clientSecret"), "{path} has a client secret");
            serde_json::from_str::<Value>(text).unwrap();
        }
        let schema: Value = serde_json::from_str(&files[0].1).unwrap();
        assert_eq!(schema["passport"]["filePath"], files[1].0);
        let url = "http://127.0.0.1:8787/demo/provider/api/v1/events";
        assert_eq!(schema["authenticatedApis"][0]["url"], url);
    }

    #[test]
    fn every_asset_a_page_or_script_names_is_served() {
        let sources = [
            Page::Host.html(),
            Page::Widget.html(),
            Page::Connected.html(),
            Page::Dashboard.html(),
            include_str!("assets/connected.js"),
            include_str!("assets/dashboard.js"),
            include_str!("assets/host.js"),
            include_str!("assets/timeline.js"),
            include_str!("assets/widget.js"),
            include_str!("assets/client.js"),
        ];
        for source in sources {
            let absolute = source.split("\"/demo/assets/").skip(1);
            let imported = source.split("from \"./").skip(1);
            for rest in absolute.chain(imported) {
                let name = rest.split('"').next().unwrap();
                assert_eq!(asset(&demo(), name).status(), StatusCode::OK, "{name}");
            }
        }
    }

    #[test]
    fn no_page_has_inline_script_or_style() {
        for page in [Page::Host, Page::Widget, Page::Dashboard, Page::Connected] {
            let html = page.html();
            assert!(!html.contains("<style"), "{page:?}");
            assert!(!html.contains(" style="), "{page:?}");
            assert!(!html.contains(" onclick="), "{page:?}");
            let scripts = html.matches("<script").count();
            assert_eq!(
                scripts,
                html.matches("<script type=\"module\" src=").count()
            );
        }
    }
}
