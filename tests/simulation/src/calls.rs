//! The provider's hop, and the eye on it: every call as it arrives and as it is answered, judged on the spot.

use crate::provider::Said;
use crate::world::{Asked, Inner, World};

impl World {
    /// A token call reached the provider.
    pub fn arrived(&self, asked: &Asked) {
        let Some(family) = asked.family else { return };
        let overlapping = {
            let mut inner = self.lock();
            let number = asked.invocation;
            inner.provider.families[family].in_flight.push(number);
            let in_flight = &inner.provider.families[family].in_flight;
            let outlived = in_flight.iter().any(|number| inner.outlived(*number));
            let single_use = inner.provider.families[family].single_use;
            in_flight.len() > 1 && single_use && !outlived
        };
        if overlapping {
            self.broken(format!("two token calls in flight for family {family}"));
        }
    }

    pub fn provider(&self, asked: &Asked) -> Said {
        let now = self.now();
        let mut inner = self.lock();
        if asked.what == "/revoke" {
            inner.tally.add("revocation calls", 1);
            return inner.provider.revoke(&asked.form);
        }
        let lifetime = {
            let index = asked.family.unwrap_or_default() % inner.lifetimes.len();
            inner.lifetimes[index]
        };
        let number = asked.invocation;
        let said = inner.provider.token(&asked.form, number, now, lifetime);
        if let Some(family) = asked.family {
            let in_flight = &mut inner.provider.families[family].in_flight;
            if let Some(index) = in_flight.iter().position(|other| *other == number) {
                in_flight.swap_remove(index);
            }
        }
        if said.answer.is_some()
            && let Some(invocation) = inner.invocations.get_mut(&number)
        {
            invocation.answered = true;
        }
        inner.tally.add("token calls", 1);
        if said.answer.is_some() {
            inner.outage_behind_an_answer(now);
        }
        let who = inner.who(asked.from, number);
        let heard = match (said.answer, said.reuse_of) {
            (Some(answer), _) => format!("provider issues #{answer} of family {:?}", asked.family),
            (None, Some(again)) => format!("provider sees the token of #{again} AGAIN"),
            (None, None) => format!("provider refuses: {}", said.body),
        };
        inner.tell(now, &who, || heard);
        let mut wrong = said
            .code_again
            .then(|| "a code was presented twice".to_owned());
        if let Some(again) = said.reuse_of {
            inner.tally.add("spent tokens presented again", 1);
            wrong = inner.reuse_of_a_living_answer(again, number);
        }
        drop(inner);
        if let Some(wrong) = wrong {
            self.broken(wrong);
        }
        said
    }

    /// An answer left whole, to somebody who was listening.
    pub fn answered(&self, said: &Said) {
        if let Some(answer) = said.answer {
            self.lock().provider.answers[answer].whole = true;
        }
    }
}

impl Inner {
    /// Whether an invocation went on behind the function's timeout.
    pub fn outlived(&self, number: u64) -> bool {
        let invocation = self.invocations.get(&number);
        invocation.is_some_and(|invocation| invocation.outlived)
    }

    /// Only whoever knows its holder dead, or never to have heard it, may present a token again that was answered.
    fn reuse_of_a_living_answer(&self, presented: usize, by: u64) -> Option<String> {
        let spent_by = self.provider.answers[presented].spent_by?;
        let answer = &self.provider.answers[spent_by];
        if self.outlived(by) || self.outlived(answer.invocation) {
            return None;
        }
        let holder = self.invocations.get(&answer.invocation);
        let gone = holder.is_none_or(|holder| holder.dead || holder.notes.contains("answer"));
        if answer.stored && self.provider.families[answer.family].revoked {
            return None;
        }
        if answer.stored || (answer.whole && !gone) {
            return Some(format!(
                "the token of #{presented}, spent for #{spent_by}, was presented again although that answer was {}",
                if answer.stored {
                    "stored"
                } else {
                    "in living hands"
                }
            ));
        }
        None
    }
}
