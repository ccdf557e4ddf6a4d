//! EDGE. Which port everything answers on. It is part of every address a provider knows, so it is kept across runs.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context as _;
use tokio::net::TcpListener;

/// The port of a first run.
pub(super) const DEFAULT_PORT: u16 = 8700;
/// How often a free port is looked for.
const TRIES: usize = 8;

/// Listeners on one port of this machine.
#[derive(Debug)]
pub(super) struct Listening {
    /// The port.
    pub port: u16,
    /// On 127.0.0.1, and on ::1 where there is one: `localhost` means either.
    pub listeners: Vec<TcpListener>,
    /// What the person who started this should know.
    pub note: Option<String>,
}

/// Another port for what belongs beside `main`: the one that is `step` above it, else a free one. Where the main port was left
/// to chance, so is this.
///
/// # Errors
/// There is no free port.
pub(super) async fn listen_beside(
    main: u16,
    step: u16,
    by_chance: bool,
) -> anyhow::Result<(u16, Vec<TcpListener>)> {
    if let (false, Some(port)) = (by_chance, main.checked_add(step))
        && let Ok(bound) = bind(port).await
    {
        return Ok(bound);
    }
    bind_free().await.context("no free port")
}

/// Listens on `wanted`, else on the port of the `former` run, else on 8700; where that is taken and nobody asked for it,
/// on a free one.
///
/// # Errors
/// `wanted` is taken.
pub(super) async fn listen(wanted: Option<u16>, former: Option<u16>) -> anyhow::Result<Listening> {
    if let Some(port) = wanted {
        let (port, listeners) = bind(port)
            .await
            .with_context(|| format!("port {port} cannot be had"))?;
        return Ok(Listening {
            port,
            listeners,
            note: None,
        });
    }
    let usual = former.unwrap_or(DEFAULT_PORT);
    if let Ok((port, listeners)) = bind(usual).await {
        return Ok(Listening {
            port,
            listeners,
            note: None,
        });
    }
    let (port, listeners) = bind_free().await.context("no free port")?;
    let note = match former {
        Some(_) => format!(
            "Port {usual} of the last run is taken; using {port}. Demo accounts connected under the old address have to be connected again."
        ),
        None => format!("Port {usual} is taken; using {port}."),
    };
    Ok(Listening {
        port,
        listeners,
        note: Some(note),
    })
}

async fn bind_free() -> io::Result<(u16, Vec<TcpListener>)> {
    let mut last = io::Error::from(ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        match bind(0).await {
            Ok(bound) => return Ok(bound),
            // Free on 127.0.0.1, taken on ::1.
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn bind(port: u16) -> io::Result<(u16, Vec<TcpListener>)> {
    let v4 = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let port = v4.local_addr()?.port();
    match TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await {
        Ok(v6) => Ok((port, vec![v4, v6])),
        // Another program would answer for `localhost`.
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(error),
        Err(_) => Ok((port, vec![v4])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_somebody_asked_for_is_had_or_refused() {
        let taken = listen(None, Some(0)).await.unwrap();
        let error = listen(Some(taken.port), None).await.unwrap_err();
        assert!(
            error.to_string().contains(&taken.port.to_string()),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_port_beside_gives_way_to_whoever_has_it() {
        let main = listen(None, Some(0)).await.unwrap().port;
        let (near, _kept) = listen_beside(main, 1, false).await.unwrap();
        let (other, _) = listen_beside(main, 1, false).await.unwrap();
        assert_ne!(near, other);
        assert_ne!(main, other);
    }

    #[tokio::test]
    async fn the_port_of_the_last_run_gives_way_with_a_word_about_it() {
        let taken = listen(None, Some(0)).await.unwrap();
        assert!(taken.note.is_none());
        let other = listen(None, Some(taken.port)).await.unwrap();
        assert_ne!(other.port, taken.port);
        assert!(other.note.unwrap().contains(&taken.port.to_string()));
    }
}
