//! Opens connections for every HTTP client of a function: one TLS configuration, one connect timeout.
//!
//! The connector is a value ([`Dial`]) and not hyper's own type, so that whoever composes a function can hand in
//! in-memory streams instead of sockets.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tower_service::Service;

/// Name look-up, TCP and TLS handshake together must be done in this time. Shorter than any request's own time, so that
/// a connection that hangs while being opened is known as "not sent".
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(3_100);

/// A connection, whatever carries it.
pub type BoxLink = Pin<Box<dyn LinkStream>>;

/// What a carrier has to be.
pub trait LinkStream: Read + Write + Connection + Send {}
impl<T: Read + Write + Connection + Send> LinkStream for T {}

/// Future of a dialled connection.
pub type Dialling = Pin<Box<dyn Future<Output = io::Result<Link>> + Send>>;

/// Opens a connection to the scheme, host and port of an address.
pub trait Dial: Send + Sync + 'static {
    /// Resolves when the connection can carry a request.
    fn dial(&self, uri: Uri) -> Dialling;
}

/// An open connection.
pub struct Link(pub BoxLink);

impl Read for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(context, buffer)
    }
}

impl Write for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write_vectored(context, buffers)
    }
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        self.0.connected()
    }
}

/// The connector hyper's client is given: any [`Dial`], under [`CONNECT_TIMEOUT`].
#[derive(Clone)]
pub struct Dialer(pub Arc<dyn Dial>);

impl Service<Uri> for Dialer {
    type Response = Link;
    type Error = io::Error;
    type Future = Dialling;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Dialling {
        let dialling = self.0.dial(uri);
        Box::pin(async move {
            tokio::time::timeout(CONNECT_TIMEOUT, dialling)
                .await
                .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
        })
    }
}

/// TCP, and TLS where the scheme says so, over a name resolver.
#[derive(Clone)]
pub struct Sockets<R = GaiResolver> {
    connector: HttpsConnector<HttpConnector<R>>,
}

impl<R> Sockets<R> {
    /// Sockets whose names go through `resolver`. IP literals never reach a resolver: check them before.
    pub fn new(resolver: R, tls: Arc<ClientConfig>) -> Self
    where
        R: Clone,
    {
        let mut http = HttpConnector::new_with_resolver(resolver);
        http.enforce_http(false);
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(ClientConfig::clone(&tls))
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Self { connector }
    }
}

impl<R> Dial for Sockets<R>
where
    R: Service<Name> + Clone + Send + Sync + 'static,
    R::Response: Iterator<Item = std::net::SocketAddr>,
    R::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    R::Future: Send,
    HttpConnector<R>:
        Service<Uri, Response = hyper_util::rt::TokioIo<tokio::net::TcpStream>> + Clone + Send,
    <HttpConnector<R> as Service<Uri>>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    <HttpConnector<R> as Service<Uri>>::Future: Send,
{
    fn dial(&self, uri: Uri) -> Dialling {
        let mut connector = self.connector.clone();
        Box::pin(async move {
            std::future::poll_fn(|context| connector.poll_ready(context))
                .await
                .map_err(io::Error::other)?;
            let stream = connector.call(uri).await.map_err(io::Error::other)?;
            Ok(Link(Box::pin(stream)))
        })
    }
}

/// The extra root certificate cannot be used.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("CONSULATE_EXTRA_CA is not a PEM certificate")]
pub struct BadRoot;

/// The TLS configuration of every client: ring, compiled-in roots, plus `extra_ca` (PEM) where given.
///
/// # Errors
/// [`BadRoot`]: the cold start stops.
pub fn tls(extra_ca: Option<&str>) -> Result<Arc<ClientConfig>, BadRoot> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(pem) = extra_ca {
        let mut added = 0;
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots
                .add(certificate.map_err(|_| BadRoot)?)
                .map_err(|_| BadRoot)?;
            added += 1;
        }
        if added == 0 {
            return Err(BadRoot);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| BadRoot)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_that_is_no_certificate_stops_the_start() {
        assert!(tls(Some("not a certificate")).is_err());
        assert!(tls(None).is_ok());
    }
}
