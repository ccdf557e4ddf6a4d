//! EDGE. HTTP requests to the outside: provider APIs and token endpoints. Touches no table and no secret.
//!
//! Every address is judged twice: as text before the request (scheme, IP literals), and as what its name resolves to
//! when the connection is opened, which is then made to exactly that address (OWASP SSRF; checklist S-83, S-84). Redirects
//! are never followed. IP literals skip hyper's resolver, hence the first check.

mod loopback;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tower_service::Service;

pub use self::loopback::LoopbackExceptions;

use crate::dial::{Dial, Dialer, Sockets};

/// What became of a request that brought no answer. The split is the one refreshing needs: was anything sent?
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address may not be called. Nothing was sent.
    #[error("the address is not allowed: {0}")]
    Refused(&'static str),
    /// No connection: name, TCP or TLS failed. Nothing was sent.
    #[error("no connection")]
    NotSent,
    /// No whole answer in time. It may have been acted upon.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke after something was sent. It may have been acted upon.
    #[error("the connection broke")]
    Cut,
    /// The answer is longer than the caller takes. It was acted upon.
    #[error("the answer is too large")]
    TooLarge,
}

/// A guarded HTTP client.
#[derive(Clone)]
pub struct Egress {
    client: Client<Dialer, Full<Bytes>>,
    exceptions: LoopbackExceptions,
}

impl Egress {
    /// For provider APIs: idle connections are kept, a request on a stale one is sent again by hyper.
    pub fn upstream(tls: Arc<ClientConfig>, exceptions: LoopbackExceptions) -> Self {
        Self::over(guarded(tls, &exceptions), exceptions, true)
    }

    /// For token, profile and revocation endpoints: every request has a connection of its own, and nothing is ever sent
    /// again behind our back. A stale pooled connection would blur "not sent" and "unknown".
    pub fn token_endpoints(tls: Arc<ClientConfig>, exceptions: LoopbackExceptions) -> Self {
        Self::over(guarded(tls, &exceptions), exceptions, false)
    }

    /// Over any connector. `pooled` as the two above differ.
    pub fn over(dial: Arc<dyn Dial>, exceptions: LoopbackExceptions, pooled: bool) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new());
        if !pooled {
            builder
                .pool_max_idle_per_host(0)
                .retry_canceled_requests(false);
        }
        Self {
            client: builder.build(Dialer(dial)),
            exceptions,
        }
    }

    /// Judges an address as text: https only (plain http for the loopback exceptions), no private IP literal, no userinfo.
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason.
    pub fn check(&self, uri: &Uri) -> Result<(), Error> {
        let host = uri.host().ok_or(Error::Refused("it names no host"))?;
        if uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(Error::Refused("it carries user information"));
        }
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if self.exceptions.allow(&host, port) {
            return Ok(());
        }
        if !https {
            return Err(Error::Refused("it is not https"));
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = literal.parse::<IpAddr>() {
            if !is_public(address) {
                return Err(Error::Refused("it is not a public address"));
            }
        } else if self.exceptions.allow_name(&host) {
            return Err(Error::Refused("its port is not allowed"));
        }
        Ok(())
    }

    /// Sends one request and reads its whole answer: at most `max_body` bytes, all within `time`.
    ///
    /// # Errors
    /// See [`Error`]; only the first two mean that nothing was sent.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        time: Duration,
        max_body: usize,
    ) -> Result<Response<Bytes>, Error> {
        self.check(request.uri())?;
        let mut request = request;
        if let Some(simulated) = self.exceptions.simulated(request.uri()) {
            *request.uri_mut() = simulated;
        }
        let exchange = async {
            let response = self
                .client
                .request(request.map(Full::new))
                .await
                .map_err(|error| {
                    if error.is_connect() {
                        Error::NotSent
                    } else {
                        Error::Cut
                    }
                })?;
            let (head, mut body) = response.into_parts();
            let mut bytes = BytesMut::new();
            while let Some(frame) = body.frame().await {
                let Ok(chunk) = frame.map_err(|_| Error::Cut)?.into_data() else {
                    continue;
                };
                if bytes.len() + chunk.len() > max_body {
                    return Err(Error::TooLarge);
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(Response::from_parts(head, bytes.freeze()))
        };
        tokio::time::timeout(time, exchange)
            .await
            .unwrap_or(Err(Error::TimedOut))
    }
}

fn guarded(tls: Arc<ClientConfig>, exceptions: &LoopbackExceptions) -> Arc<dyn Dial> {
    let resolver = GuardedResolver {
        exceptions: exceptions.clone(),
    };
    Arc::new(Sockets::new(resolver, tls))
}

/// Resolves a name and refuses it when any of its addresses is not public: the connection goes to an address that was
/// judged, and a name that points inside at times is refused at all times.
#[derive(Clone)]
struct GuardedResolver {
    exceptions: LoopbackExceptions,
}

type Resolving =
    Pin<Box<dyn Future<Output = std::io::Result<std::vec::IntoIter<SocketAddr>>> + Send>>;

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = Resolving;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Resolving {
        let excepted = self.exceptions.allow_name(name.as_str());
        Box::pin(async move {
            let addresses: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let all_fit = addresses.iter().all(|address| {
                if excepted {
                    address.ip().is_loopback()
                } else {
                    is_public(address.ip())
                }
            });
            if all_fit {
                Ok(addresses.into_iter())
            } else {
                Err(std::io::Error::from(std::io::ErrorKind::PermissionDenied))
            }
        })
    }
}

/// Whether an address is on the public internet: not private, loopback, link-local, shared (CGNAT), multicast,
/// documentation, benchmarking or reserved; an IPv4 address inside an IPv6 one is judged as IPv4.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [first, second, ..] = segments;
    if let Some(v4) = address.to_ipv4() {
        return is_public_v4(v4);
    }
    if first == 0x2002 {
        // 6to4 carries the IPv4 address in the next two groups.
        let [_, high, low, ..] = segments;
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    // Global unicast is 2000::/3; NAT64 (64:ff9b::/96), unique local, link-local, site-local and multicast lie outside.
    let documentation = (first == 0x2001 && second == 0x0db8) || first == 0x3fff;
    let special = first == 0x2001 && second < 0x0200;
    first & 0xe000 == 0x2000 && !documentation && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress(exceptions: &[&str]) -> Egress {
        let exceptions = LoopbackExceptions::new(exceptions.iter().copied());
        Egress::upstream(crate::dial::tls(None).unwrap(), exceptions)
    }

    #[test]
    fn addresses_inside_are_not_public() {
        let inside = [
            "10.0.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.8",
            "::1",
            "::",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "2001:db8::1",
            "2001::1",
        ];
        for address in inside {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "2a00:1450::1"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn only_https_to_public_literals_passes_the_first_check() {
        let egress = egress(&["127.0.0.1:9000"]);
        let verdict = |address: &str| egress.check(&address.parse().unwrap()).is_ok();
        assert!(verdict("https://api.example.com/x"));
        assert!(verdict("https://1.1.1.1/"));
        assert!(verdict("http://127.0.0.1:9000/token"));
        assert!(!verdict("http://api.example.com/x"));
        assert!(!verdict("http://127.0.0.1:9001/token"));
        assert!(!verdict("https://127.0.0.1/token"));
        assert!(!verdict("https://[::1]/"));
        assert!(!verdict("https://169.254.169.254/latest/meta-data"));
        assert!(!verdict("https://user@api.example.com/"));
    }

    #[tokio::test]
    async fn a_name_that_resolves_inside_is_refused_when_the_connection_is_opened() {
        // `localhost` is the one name that resolves everywhere, and it resolves inside.
        let request = Request::get("https://localhost:1/")
            .body(Bytes::new())
            .unwrap();
        let error = egress(&[])
            .send(request, Duration::from_secs(5), 10)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::NotSent), "{error:?}");
    }

    #[tokio::test]
    async fn a_numeric_host_in_an_odd_spelling_is_refused_too() {
        let request = Request::get("https://0x7f.1/").body(Bytes::new()).unwrap();
        let error = egress(&[])
            .send(request, Duration::from_secs(5), 10)
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::NotSent | Error::Refused(_)),
            "{error:?}"
        );
    }
}
