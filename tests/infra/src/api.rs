//! What stands between people and the functions: API Gateway (the deployed routes, payload format 2.0, a synchronous invoke) and a
//! browser that keeps cookies. The provider's own pages are reached past TLS, as the browser is no function.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consulate_core::clock::Clock;
use consulate_flows::routes::ROUTES;
use http::Method;
use serde_json::{Value, json};

use crate::world::{PROVIDER, World};

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers, lower case; cookies apart.
    pub headers: BTreeMap<String, String>,
    /// `Set-Cookie` values.
    pub cookies: Vec<String>,
    /// Body as text.
    pub text: String,
}

impl Answer {
    /// The body, of this status.
    ///
    /// # Errors
    /// Another status.
    pub fn expect(&self, status: u16) -> anyhow::Result<Value> {
        ensure!(
            self.status == status,
            "{} instead of {status}: {}",
            self.status,
            self.text
        );
        Ok(serde_json::from_str(&self.text).unwrap_or_default())
    }

    /// Where a 303 leads.
    ///
    /// # Errors
    /// It is none.
    pub fn location(&self) -> anyhow::Result<&str> {
        ensure!(
            self.status == 303,
            "{} instead of 303: {}",
            self.status,
            self.text
        );
        self.headers
            .get("location")
            .map(String::as_str)
            .context("no location")
    }
}

impl World {
    /// The public address.
    pub fn base(&self) -> &str {
        self.deployed["functions"]["connect"]["environment"]["CONSULATE_BASE_URL"]
            .as_str()
            .unwrap_or_default()
    }

    /// Invokes a function past every policy, as Lambda's own services do, which have a permission of the function's.
    ///
    /// # Errors
    /// It fails, or is none.
    pub async fn invoke(&self, function: &str, event: &Value) -> anyhow::Result<Value> {
        let url = format!(
            "{}/2015-03-31/functions/consulate-{function}/invocations",
            self.lambda
        );
        let sent = self
            .wire
            .try_call(Method::POST, &url, &[], event.to_string());
        let answer = tokio::time::timeout(std::time::Duration::from_secs(40), sent).await;
        let answer = answer
            .context("no answer in time")?
            .context("the function does not answer")?;
        ensure!(
            answer.status == 200,
            "{function}: {} {}",
            answer.status,
            answer.text()
        );
        serde_json::from_slice(&answer.body).with_context(|| answer.text())
    }

    /// A request to the API.
    ///
    /// # Errors
    /// No route, or the function fails.
    pub async fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        cookies: &[String],
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let (path, _) = target.split_once('?').unwrap_or((target, ""));
        let (route, function) = self.route(path)?;
        self.through_gateway(function, route, method, target, headers, cookies, body)
            .await
    }

    /// A request as API Gateway hands it to `function` for its route `route`.
    ///
    /// # Errors
    /// The function fails.
    #[expect(clippy::too_many_arguments, reason = "a request has as many parts")]
    pub async fn through_gateway(
        &self,
        function: &str,
        route: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        cookies: &[String],
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let host = self.base().trim_start_matches("https://");
        let mut all = json!({"host": host, "x-forwarded-proto": "https"});
        for (name, value) in headers {
            all[*name] = json!(value);
        }
        let event = json!({
            "version": "2.0", "routeKey": format!("ANY {route}"), "rawPath": path, "rawQueryString": query,
            "cookies": (!cookies.is_empty()).then_some(cookies), "headers": all,
            "requestContext": {
                "accountId": "123456789012", "apiId": "gate", "domainName": host, "domainPrefix": "gate",
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "gate"},
                "requestId": "gate", "routeKey": format!("ANY {route}"), "stage": "$default",
                "time": "28/Nov/2026:07:00:00 +0000", "timeEpoch": Clock::system().now().millis(),
            },
            "body": (!body.is_empty()).then(|| STANDARD.encode(body)), "isBase64Encoded": !body.is_empty(),
        });
        let told = self.invoke(function, &event).await?;
        let text = told["body"].as_str().unwrap_or_default();
        let text = match told["isBase64Encoded"].as_bool() {
            Some(true) => String::from_utf8_lossy(&STANDARD.decode(text)?).into_owned(),
            _ => text.to_owned(),
        };
        let status = told["statusCode"]
            .as_u64()
            .with_context(|| told.to_string())?;
        let pairs = told["headers"].as_object().into_iter().flatten();
        Ok(Answer {
            status: u16::try_from(status)?,
            headers: pairs
                .map(|(name, value)| {
                    (
                        name.to_ascii_lowercase(),
                        value.as_str().unwrap_or_default().to_owned(),
                    )
                })
                .collect(),
            cookies: serde_json::from_value(told["cookies"].clone()).unwrap_or_default(),
            text,
        })
    }

    /// Routes of the functions that the API does not lead to them.
    pub fn astray(&self) -> Vec<String> {
        let segment = |part: &str| match part {
            "{*rest}" => "some/where".to_owned(),
            part if part.starts_with('{') => "some".to_owned(),
            part => part.to_owned(),
        };
        let rows = ROUTES.iter().filter_map(|row| {
            let path: Vec<String> = row.path.split('/').map(segment).collect();
            match self.route(&path.join("/")) {
                Ok((_, function)) if function == row.function => None,
                led => Some(format!("{} {}: {led:?}", row.function, row.path)),
            }
        });
        rows.collect()
    }

    /// The deployed route of a path, and its function. Braces match one segment; the more literal route wins.
    fn route(&self, path: &str) -> anyhow::Result<(&str, &str)> {
        let routes = self.deployed["routes"].as_object().context("routes")?;
        let matching = routes.iter().filter(|(route, _)| {
            let (mut wanted, mut given) = (route.split('/'), path.split('/'));
            loop {
                match (wanted.next(), given.next()) {
                    (Some("{proxy+}"), Some(_)) | (None, None) => return true,
                    (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {
                    }
                    (Some(wanted), Some(given)) if wanted == given => {}
                    _ => return false,
                }
            }
        });
        let best = matching.min_by_key(|(route, _)| route.matches('{').count());
        let (route, function) = best.with_context(|| format!("no route for {path}"))?;
        Ok((route, function.as_str().unwrap_or_default()))
    }
}

/// A browser profile: one jar for the API, none for the provider, which sets no cookie.
#[derive(Debug, Default)]
pub struct Browser(BTreeMap<String, String>);

impl Browser {
    /// Goes somewhere: the API, or the provider.
    ///
    /// # Errors
    /// Anywhere else, or no answer.
    pub async fn go(
        &mut self,
        world: &World,
        method: &str,
        url: &str,
        form: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let kind = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-site", "same-origin"),
        ];
        let origin = [kind[0], kind[1], ("origin", world.base())];
        if let Some(target) = url.strip_prefix(PROVIDER) {
            let at = format!("{}{target}", world.provider_url);
            let sent = world
                .wire
                .try_call(method.parse()?, &at, &kind[..1], body)
                .await;
            let answer = sent.context("the provider does not answer")?;
            let headers = answer.headers.iter();
            return Ok(Answer {
                status: answer.status.as_u16(),
                headers: headers
                    .map(|(name, value)| {
                        (
                            name.to_string(),
                            value.to_str().unwrap_or_default().to_owned(),
                        )
                    })
                    .collect(),
                cookies: Vec::new(),
                text: answer.text(),
            });
        }
        let Some(target) = url.strip_prefix(world.base()) else {
            bail!("nobody is at {url}");
        };
        let headers = if method == "POST" { &origin[..] } else { &[] };
        self.ask(world, method, target, headers, body.as_bytes())
            .await
    }

    /// Posts a form with files in its field `field` (RFC 7578) to the API, from a page of its own.
    ///
    /// # Errors
    /// No answer.
    pub async fn upload(
        &mut self,
        world: &World,
        target: &str,
        form: &[(&str, &str)],
        field: &str,
        files: &[(&str, &[u8])],
    ) -> anyhow::Result<Answer> {
        const BOUNDARY: &str = "gate-boundary-7f3a";
        let mut body = Vec::new();
        for (name, value) in form {
            let part = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
            body.extend_from_slice(part.as_bytes());
        }
        for (name, content) in files {
            let head = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let headers = [
            ("content-type", kind.as_str()),
            ("sec-fetch-site", "same-origin"),
            ("origin", world.base()),
        ];
        self.ask(world, "POST", target, &headers, &body).await
    }

    /// A request to the API with the cookies there are; keeps those it sets.
    async fn ask(
        &mut self,
        world: &World,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let cookies: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let answer = world
            .request(method, target, headers, &cookies, body)
            .await?;
        for cookie in &answer.cookies {
            let pair = cookie
                .split(';')
                .next()
                .and_then(|pair| pair.split_once('='));
            let (name, value) = pair.context("a cookie")?;
            match value {
                "" => self.0.remove(name),
                value => self.0.insert(name.to_owned(), value.to_owned()),
            };
        }
        Ok(answer)
    }
}
