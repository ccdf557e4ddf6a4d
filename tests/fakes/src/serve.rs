//! Listening on loopback: one router, one port, stopped cleanly or at once. Touches sockets on 127.0.0.1 only.
//!
//! An accept loop of our own rather than `axum::serve`, for two reasons: dropping [`Served`] must end the connections
//! too (a scripted reply may hang for ever), and a test must be able to say "the answer never arrived", which needs a
//! server that closes the connection without a byte ([`hang_up`]).

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tower_service::Service as _;

/// How long [`Served::stop`] waits for requests under way.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// A server that is running. Dropping it closes the port and every connection at once.
#[derive(Debug)]
pub struct Served {
    /// Where it listens.
    pub addr: SocketAddr,
    stopping: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Served {
    /// `http://127.0.0.1:PORT`, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops accepting, lets requests under way finish for two seconds, then closes what is left.
    pub async fn stop(mut self) {
        let _ = self.stopping.send(true);
        let _ = tokio::time::timeout(STOP_WITHIN, &mut self.accepting).await;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // The loop owns the connections' tasks: they end with it.
        self.accepting.abort();
    }
}

/// Serves `router` on `127.0.0.1:port`; port 0 takes a free one.
///
/// # Errors
/// The port is taken.
pub async fn serve(router: Router, port: u16) -> anyhow::Result<Served> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
    serve_on(listener, router)
}

/// Serves `router` on a listener that is already bound, so that its address may be known before the router is built.
///
/// # Errors
/// The listener is not on a loopback address: nothing here may be reachable from elsewhere.
pub fn serve_on(listener: TcpListener, router: Router) -> anyhow::Result<Served> {
    let addr = listener.local_addr()?;
    if !addr.ip().is_loopback() {
        return Err(anyhow!(
            "refusing to serve on {addr}: not a loopback address"
        ));
    }
    let (stopping, stopped) = watch::channel(false);
    let accepting = tokio::spawn(accept(listener, router, stopped));
    Ok(Served {
        addr,
        stopping,
        accepting,
    })
}

/// Accepts until told to stop, then waits for the connections to finish.
async fn accept(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let told = stopped.clone();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, router.clone(), told.clone()));
                }
                // Out of descriptors, say: leave the loop a moment for others to close theirs.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Answers the requests of one connection.
async fn converse(stream: TcpStream, router: Router, mut stopped: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        async move {
            let response = match router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            match response.extensions().get::<HangUp>() {
                Some(HangUp) => Err(anyhow!("hanging up, as scripted")),
                None => Ok(response),
            }
        }
    });
    // hyper adds the `Date` header to every answer by itself.
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(conversation);
    tokio::select! {
        _ = conversation.as_mut() => {}
        _ = stopped.changed() => {
            conversation.as_mut().graceful_shutdown();
            let _ = conversation.await;
        }
    }
}

/// Marks a response that must never be sent.
#[derive(Clone, Copy)]
struct HangUp;

/// A response that closes the connection without a byte. Behind another server than ours the connection breaks in the
/// body instead.
pub fn hang_up() -> Response {
    let broken = stream::once(async { Err::<Bytes, _>(std::io::Error::other("hanging up")) });
    let mut response = Response::new(Body::from_stream(broken));
    response.extensions_mut().insert(HangUp);
    response
}

/// `response` with the first half of its body sent and the connection then closed: the client has the status and the
/// headers, promises of a length included, and never the end.
pub async fn cut_in_half(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = axum::body::to_bytes(body, usize::MAX)
        .await
        .unwrap_or_default();
    let half = whole.slice(..whole.len() / 2);
    if let Ok(length) = HeaderValue::from_str(&whole.len().max(2).to_string()) {
        parts.headers.insert(header::CONTENT_LENGTH, length);
    }
    // The pause makes hyper flush the half before it meets the error.
    let rest = stream::once(async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        Err::<Bytes, _>(std::io::Error::other("cut in the middle"))
    });
    let cut = stream::once(async move { Ok(half) }).chain(rest);
    Response::from_parts(parts, Body::from_stream(cut))
}
