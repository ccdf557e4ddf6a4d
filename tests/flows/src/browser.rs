//! As much of a browser as the flows need: a cookie jar that knows SameSite, top-level navigation, forms. Redirects are
//! followed one by one, so that a test can look at each.

use std::collections::BTreeMap;

use http::Method;

use crate::wire::{Answer, Wire};

/// Who causes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The page's own site, or the address bar.
    Here,
    /// A top-level navigation that another site caused: SameSite=Strict cookies stay at home, Lax ones go with a GET.
    ElsewhereTopLevel,
}

#[derive(Clone, Debug)]
struct Cookie {
    value: String,
    strict: bool,
    lax: bool,
}

/// A browser profile.
#[derive(Clone, Default)]
pub struct Browser {
    wire: Wire,
    /// By host (without port, as browsers keep them) and name.
    jar: BTreeMap<(String, String), Cookie>,
}

impl Browser {
    /// Opens an address.
    pub async fn get(&mut self, url: &str, from: From) -> Answer {
        self.request(Method::GET, url, from, &[], String::new())
            .await
    }

    /// Posts a form.
    pub async fn post_form(&mut self, url: &str, from: From, fields: &[(&str, &str)]) -> Answer {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.request(Method::POST, url, from, &headers, form).await
    }

    /// Sends a request with the cookies that belong to it, and keeps those of the answer.
    pub async fn request(
        &mut self,
        method: Method,
        url: &str,
        from: From,
        headers: &[(&str, &str)],
        body: impl Into<bytes::Bytes>,
    ) -> Answer {
        let host = url::Url::parse(url).unwrap().host_str().unwrap().to_owned();
        let goes = |cookie: &Cookie| match from {
            From::Here => true,
            From::ElsewhereTopLevel => !cookie.strict && (!cookie.lax || method == Method::GET),
        };
        let cookies: Vec<String> = self
            .jar
            .iter()
            .filter(|((owner, _), cookie)| *owner == host && goes(cookie))
            .map(|((_, name), cookie)| format!("{name}={}", cookie.value))
            .collect();
        let cookies = cookies.join("; ");
        let mut all = headers.to_vec();
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        let answer = self.wire.call(method, url, &all, body).await;
        for value in answer.headers.get_all("set-cookie") {
            self.keep(&host, value.to_str().unwrap());
        }
        answer
    }

    /// Names of the cookies kept for a host.
    pub fn cookies(&self, host: &str) -> Vec<String> {
        let names = self.jar.keys().filter(|(owner, _)| owner == host);
        names.map(|(_, name)| name.clone()).collect()
    }

    /// A cookie's value.
    pub fn cookie(&self, host: &str, name: &str) -> Option<String> {
        let key = (host.to_owned(), name.to_owned());
        self.jar.get(&key).map(|cookie| cookie.value.clone())
    }

    /// Forgets every cookie.
    pub fn clear_cookies(&mut self) {
        self.jar.clear();
    }

    fn keep(&mut self, host: &str, set_cookie: &str) {
        let mut parts = set_cookie.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let attributes: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
        let has = |attribute: &str| attributes.iter().any(|known| known == attribute);
        if name.starts_with("__Host-") {
            let host_only = !attributes
                .iter()
                .any(|attribute| attribute.starts_with("domain"));
            assert!(
                has("secure") && has("path=/") && host_only,
                "a browser drops this cookie: {set_cookie}"
            );
        }
        let key = (host.to_owned(), name.to_owned());
        if has("max-age=0") || value.is_empty() {
            self.jar.remove(&key);
            return;
        }
        let cookie = Cookie {
            value: value.to_owned(),
            strict: has("samesite=strict"),
            lax: has("samesite=lax"),
        };
        self.jar.insert(key, cookie);
    }
}
