//! PURE. What `consulate dev` lets the guarded client do that Lambda does not: call loopback addresses of the widget
//! developer's own, and find providers simulated there.

use std::net::IpAddr;
use std::sync::Arc;

use http::Uri;

/// What `consulate dev` has on loopback: `HOST:PORT` pairs that a widget developer runs, callable over plain http, and
/// providers that are simulated. Empty outside `consulate dev`.
#[derive(Clone, Debug, Default)]
pub struct LoopbackExceptions {
    pairs: Arc<Vec<(String, u16)>>,
    simulated: Option<Arc<Simulated>>,
}

struct Simulated(Box<BaseOf>);

/// Where a host, in lower case, is simulated: an address without trailing slash.
type BaseOf = dyn Fn(&str) -> Option<String> + Send + Sync;

impl std::fmt::Debug for Simulated {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Simulated")
    }
}

impl LoopbackExceptions {
    /// Only these pairs. Text like `127.0.0.1:9000` or `localhost:9000`; anything else is left out.
    pub fn new<'a>(pairs: impl IntoIterator<Item = &'a str>) -> Self {
        let pairs = pairs.into_iter().filter_map(|pair| {
            let (host, port) = pair.rsplit_once(':')?;
            let loopback = host == "localhost"
                || host
                    .parse::<IpAddr>()
                    .is_ok_and(|address| address.is_loopback());
            loopback.then_some((host.to_ascii_lowercase(), port.parse().ok()?))
        });
        Self {
            pairs: Arc::new(pairs.collect()),
            simulated: None,
        }
    }

    /// The same, with hosts that are simulated: `base_of` answers `http://127.0.0.1:PORT[/PREFIX]` for those, in lower case.
    /// Their addresses stay what they are in every record, and are [rewritten](Self::simulated) when somebody goes there.
    pub fn simulating(
        self,
        base_of: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            simulated: Some(Arc::new(Simulated(Box::new(base_of)))),
            ..self
        }
    }

    /// Where the simulation of the https address `uri` is; `None` for a host that is not simulated, and for addresses that
    /// name a port.
    pub fn simulated(&self, uri: &Uri) -> Option<Uri> {
        let Simulated(base_of) = self.simulated.as_deref()?;
        if uri.scheme_str() != Some("https") || uri.port().is_some() {
            return None;
        }
        let base = base_of(&uri.host()?.to_ascii_lowercase())?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let slash = if path.starts_with('/') { "" } else { "/" };
        Uri::try_from(format!("{base}{slash}{path}")).ok()
    }

    /// The pairs, as text that [`Self::new`] takes.
    pub fn pairs(&self) -> Vec<String> {
        let text = |(host, port): &(String, u16)| format!("{host}:{port}");
        self.pairs.iter().map(text).collect()
    }

    /// Whether `host:port` is one of them.
    pub fn allow(&self, host: &str, port: u16) -> bool {
        self.pairs
            .iter()
            .any(|(name, number)| name == host && *number == port)
    }

    pub(super) fn allow_name(&self, host: &str) -> bool {
        self.pairs.iter().any(|(name, _)| name == host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_host_is_found_on_loopback_under_its_own_name() {
        let exceptions = LoopbackExceptions::new([]).simulating(|host| {
            let played = host == "slack.com" || host.ends_with(".service-now.com");
            played.then(|| format!("http://127.0.0.1:9000/{host}"))
        });
        let simulated = |uri: &str| {
            let there = exceptions.simulated(&uri.parse().unwrap());
            there.map(|uri| uri.to_string())
        };
        assert_eq!(
            simulated("https://slack.com/api/auth.test?a=b").as_deref(),
            Some("http://127.0.0.1:9000/slack.com/api/auth.test?a=b")
        );
        assert_eq!(
            simulated("https://Acme.service-now.com").as_deref(),
            Some("http://127.0.0.1:9000/acme.service-now.com/")
        );
        for uri in [
            "http://slack.com/",
            "https://slack.com:8443/",
            "https://evil-slack.com/",
            "https://files.slack.com/",
        ] {
            assert_eq!(simulated(uri), None, "{uri}");
        }
        assert_eq!(
            LoopbackExceptions::default().simulated(&"https://slack.com/".parse().unwrap()),
            None
        );
    }

    #[test]
    fn an_exception_must_be_loopback() {
        let exceptions =
            LoopbackExceptions::new(["10.0.0.1:80", "example.com:80", "localhost:9000"]);
        assert!(exceptions.allow("localhost", 9000));
        assert!(!exceptions.allow("10.0.0.1", 80));
        assert!(!exceptions.allow("example.com", 80));
    }
}
