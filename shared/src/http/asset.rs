//! Files compiled into a function: the same public bytes for everybody. Their addresses carry a digest of their content, so that
//! browsers may keep them for good, and they have an entity tag for whoever asks without it.

use std::sync::OnceLock;

use axum::response::{IntoResponse as _, Response};
use http::header::{self, HeaderMap, HeaderValue};
use http::{StatusCode, Uri};

use super::{Preconditions, Reading, entity_tag};
use crate::digest;

/// Whoever names the version they mean gets no other.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// Whoever names none gets a new one within ten minutes; so does who means another than this instance has: while a new version is
/// deployed, both answer.
const FOR_A_WHILE: &str = "public, max-age=600, must-revalidate";

/// One file.
#[derive(Debug)]
pub struct Asset {
    /// The last segment of its path.
    pub name: &'static str,
    content_type: &'static str,
    content: &'static str,
    /// Made of the content at its first use.
    version: OnceLock<String>,
}

impl Asset {
    /// The file `name`.
    pub const fn new(
        name: &'static str,
        content_type: &'static str,
        content: &'static str,
    ) -> Self {
        Self {
            name,
            content_type,
            content,
            version: OnceLock::new(),
        }
    }

    /// Its address in `folder`, which changes with its content.
    pub fn address(&self, folder: &str) -> String {
        format!("{folder}/{}?v={}", self.name, self.version())
    }

    /// 200 with the content, or 304 for who has it. For good where the address of `uri` is [`address`](Self::address).
    pub fn answer(&self, uri: &Uri, headers: &HeaderMap) -> Response {
        let version = self.version();
        // A header nobody can read is passed over: whoever loads a file can do nothing about it.
        let reading = Preconditions::of(headers).map(|asked| asked.of_read(Some(version)));
        let mut response = match reading {
            Ok(Reading::NotModified) => StatusCode::NOT_MODIFIED.into_response(),
            _ => self.content.into_response(),
        };
        let query = uri.query().unwrap_or_default();
        let asked_for = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "v");
        let kept = match asked_for {
            Some((_, wanted)) if wanted == version => FOR_GOOD,
            _ => FOR_A_WHILE,
        };
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, self.content_type),
            (header::CACHE_CONTROL, kept),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(tag) = HeaderValue::from_str(&entity_tag(version)) {
            headers.insert(header::ETAG, tag);
        }
        response
    }

    fn version(&self) -> &str {
        self.version
            .get_or_init(|| digest::short([self.content.as_bytes()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static FILE: Asset = Asset::new("page.css", "text/css", "body{}");

    fn kept(uri: &str) -> String {
        let answer = FILE.answer(&uri.parse().unwrap(), &HeaderMap::new());
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/css");
        let kept = answer.headers()[header::CACHE_CONTROL].to_str().unwrap();
        kept.to_owned()
    }

    #[test]
    fn only_the_version_there_is_is_kept_for_good() {
        assert_eq!(kept(&FILE.address("/assets")), FOR_GOOD);
        for uri in [
            "/assets/page.css",
            "/assets/page.css?v=",
            "/assets/page.css?v=anotherVersion00",
        ] {
            assert_eq!(kept(uri), FOR_A_WHILE, "{uri}");
        }
    }

    #[test]
    fn who_has_it_gets_nothing_again() {
        let uri = Uri::from_static("/assets/page.css");
        let tag = FILE.answer(&uri, &HeaderMap::new()).headers()[header::ETAG].clone();
        let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, tag.clone())]);
        let answer = FILE.answer(&uri, &headers);
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(answer.headers()[header::ETAG], tag);
        let other =
            HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static("\"x\""))]);
        assert_eq!(FILE.answer(&uri, &other).status(), StatusCode::OK);
    }
}
