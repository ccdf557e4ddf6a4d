//! One invocation of a custodian: a future that can be dropped at any await, or not be polled for a long time, and that
//! dies with the function's timeout as Lambda has it.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use consulate_custodian::FUNCTION_TIMEOUT;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::world::Shared;

thread_local! {
    static CURRENT: Cell<u64> = const { Cell::new(0) };
}

/// The invocation that is being polled; 0: none.
pub(crate) fn current() -> u64 {
    CURRENT.get()
}

/// When something befalls an invocation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// Instead of being polled for this time.
    Poll(u32),
    /// Instead of being polled for this time since the provider issued tokens in its name.
    Answered(u32),
}

/// What will befall an invocation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fate {
    /// Dropped then.
    pub crash: Option<Moment>,
    /// Not polled for so long then.
    pub freeze: Option<(Moment, Duration)>,
    /// Nothing ends it at the function's timeout.
    pub overdue: bool,
}

/// The invocation.
pub(crate) struct Fated<F> {
    inner: Pin<Box<F>>,
    world: Shared,
    number: u64,
    fate: Fate,
    polls: u32,
    polls_answered: u32,
    thaw: Option<Pin<Box<Sleep>>>,
    end: Pin<Box<Sleep>>,
}

impl<F: Future> Fated<F> {
    pub fn new(world: Shared, number: u64, fate: Fate, inner: F) -> Self {
        Self {
            inner: Box::pin(inner),
            world,
            number,
            fate,
            polls: 0,
            polls_answered: 0,
            thaw: None,
            end: Box::pin(sleep_until(Instant::now() + FUNCTION_TIMEOUT)),
        }
    }
}

impl<F: Future> Future for Fated<F> {
    /// `None`: it died.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.end.as_mut().poll(context).is_ready() {
            if !this.fate.overdue {
                this.world.died(this.number, "timed out");
                return Poll::Ready(None);
            }
            this.world.outlived(this.number);
        }
        if let Some(thaw) = &mut this.thaw {
            if thaw.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            this.thaw = None;
            let who = format!("#{}", this.number);
            this.world.tell(&who, || "goes on".to_owned());
        }
        this.polls += 1;
        if this.world.has_answered(this.number) {
            this.polls_answered += 1;
        }
        let is_now = |moment: Moment| match moment {
            Moment::Poll(number) => this.polls == number,
            Moment::Answered(number) => this.polls_answered == number,
        };
        if this.fate.crash.is_some_and(is_now) {
            this.world.died(this.number, "crashed");
            return Poll::Ready(None);
        }
        if let Some((moment, time)) = this.fate.freeze
            && is_now(moment)
        {
            this.fate.freeze = None;
            this.world.frozen(this.number, time);
            let mut thaw = Box::pin(sleep_until(Instant::now() + time));
            if thaw.as_mut().poll(context).is_pending() {
                this.thaw = Some(thaw);
                return Poll::Pending;
            }
        }
        let outer = CURRENT.replace(this.number);
        let polled = this.inner.as_mut().poll(context);
        CURRENT.set(outer);
        polled.map(Some)
    }
}
