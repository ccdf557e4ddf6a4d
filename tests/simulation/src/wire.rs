//! Every hop as HTTP bytes over in-memory streams: dialled, served by hyper, and broken where the world's chance says so.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use consulate_core::dial::{Dial, Dialling, Link};
use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::time::sleep;

use crate::invocation;
use crate::world::{Hop, Shared};

const BUFFER: usize = 64 * 1024;

/// What befalls one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    /// Before it is sent: no connection.
    NotDialled,
    /// Read, not applied, and the connection closed.
    AfterSend,
    /// Answered with this status, not applied.
    Refused(u16),
    /// Applied so many milliseconds later.
    Late(u64),
    /// Applied; answered so many milliseconds later.
    LateAnswer(u64),
    /// Applied; the connection closed without an answer.
    LostAck,
    /// Applied; half the answer, then the connection closed.
    MidBody,
    /// Applied; then something broke behind it, and it says so.
    BrokenBehind,
}

impl Fault {
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::NotDialled => "before send",
            Self::AfterSend => "after send",
            Self::Refused(_) => "refused",
            Self::Late(_) => "late",
            Self::LateAnswer(_) => "late answer",
            Self::LostAck => "lost acknowledgement",
            Self::MidBody => "mid-body",
            Self::BrokenBehind => "applied, then 500",
        }
    }
}

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From {
    pub instance: usize,
    /// Of the connection's first request: exact where connections are not pooled.
    pub invocation: u64,
}

/// The way of one instance to everything outside it.
pub(crate) struct Wire {
    pub world: Shared,
    pub instance: usize,
}

impl Dial for Wire {
    fn dial(&self, uri: Uri) -> Dialling {
        let world = self.world.clone();
        let from = From {
            instance: self.instance,
            invocation: invocation::current(),
        };
        Box::pin(async move {
            let hop = Hop::of(uri.host().unwrap_or_default());
            if world.fault_at_dial(hop, from) {
                return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
            }
            let (ours, theirs) = tokio::io::duplex(BUFFER);
            tokio::spawn(async move {
                let service = service_fn(move |request| served(world.clone(), from, hop, request));
                let serving = hyper::server::conn::http1::Builder::new()
                    .auto_date_header(false)
                    .serve_connection(TokioIo::new(theirs), service);
                // A connection that is cut on purpose ends with an error.
                drop(serving.await);
            });
            Ok(Link(Box::pin(Carrier(TokioIo::new(ours)))))
        })
    }
}

/// The connection is closed.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("cut")
    }
}

impl std::error::Error for Cut {}

async fn served(
    world: Shared,
    from: From,
    hop: Hop,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Cut> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let asked = world.asked(hop, from, &head, body);
    let fault = world.fault(hop, &asked);
    if fault == Fault::AfterSend {
        return Err(Cut);
    }
    if let Fault::Refused(status) = fault {
        return Ok(answer(&world, hop, status, "{}".to_owned(), false));
    }
    // A task of its own: whoever goes away does not keep a request from being applied.
    let applying = world.clone();
    let latency = Duration::from_millis(world.latency(&asked));
    let applied = tokio::spawn(async move {
        sleep(latency).await;
        applying.arrived(&asked);
        if let Fault::Late(millis) = fault {
            sleep(Duration::from_millis(millis)).await;
        }
        applying.apply(asked)
    });
    let said = applied.await.map_err(|_| Cut)?;
    match fault {
        Fault::LostAck => return Err(Cut),
        Fault::BrokenBehind => return Ok(answer(&world, hop, 500, "{}".to_owned(), false)),
        Fault::LateAnswer(millis) => sleep(Duration::from_millis(millis)).await,
        _ => {}
    }
    let half = fault == Fault::MidBody;
    if !half {
        world.answered(&said);
    }
    Ok(answer(&world, hop, said.status, said.body, half))
}

fn answer(world: &Shared, hop: Hop, status: u16, body: String, half: bool) -> Response<Answer> {
    let length = body.len();
    let bytes = Bytes::from(body);
    let mut response = Response::builder()
        .status(status)
        .header("content-type", hop.content_type())
        .header("content-length", length);
    if status == 429 {
        response = response.header("retry-after", "7");
    }
    if let Some(date) = world.date(hop) {
        response = response.header("date", date);
    }
    let body = Answer {
        left: Some(if half {
            bytes.slice(..length / 2)
        } else {
            bytes
        }),
        half,
        length: length as u64,
    };
    response.body(body).unwrap_or_default()
}

/// An answer's body, whole or torn.
#[derive(Default)]
struct Answer {
    left: Option<Bytes>,
    half: bool,
    length: u64,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.left.take() {
            Some(bytes) if !bytes.is_empty() => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            _ if self.half => Poll::Ready(Some(Err(Cut))),
            _ => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// A duplex stream as hyper's client wants a connection.
struct Carrier(TokioIo<DuplexStream>);

impl Connection for Carrier {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Carrier {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Carrier {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
