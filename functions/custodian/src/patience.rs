//! Repeats a write that must not be given up lightly.

use std::future::Future;
use std::time::Duration;

use consulate_core::random;
use consulate_core::table::Error;
use tokio::time::Instant;

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_millis(2_000);

/// Tries `write` until it is judged by the table, or `deadline` comes: an unavailable table is waited for, with growing,
/// jittered pauses.
///
/// # Errors
/// The last error, at the deadline; [`Error::Corrupt`] at once.
pub(crate) async fn until<T, F>(deadline: Instant, mut write: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut wait = FIRST_WAIT;
    loop {
        match write().await {
            Err(Error::Unavailable) if Instant::now() + wait < deadline => {
                let [jitter] = random::bytes::<1>().unwrap_or_default();
                tokio::time::sleep(wait + Duration::from_millis(u64::from(jitter))).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            judged => return judged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_unavailable_table_is_waited_for_until_the_deadline() {
        let mut left = 3;
        let written = until(Instant::now() + Duration::from_secs(60), || {
            left -= 1;
            let result = if left == 0 {
                Ok(7)
            } else {
                Err(Error::Unavailable)
            };
            async move { result }
        });
        assert_eq!(written.await, Ok(7));
        let deadline = Instant::now();
        let given_up: Result<(), Error> =
            until(deadline, || async { Err(Error::Unavailable) }).await;
        assert_eq!(given_up, Err(Error::Unavailable));
    }
}
