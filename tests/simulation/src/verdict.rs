//! The last judgement: what became of every connection and of every token that was ever issued.

use crate::world::World;

/// How the custodian says that neither the table nor a queue took an answer until its deadline.
const WRITTEN_NOWHERE: [&str; 3] = [
    "lost=save_failed_until_deadline",
    "lost=activation_failed",
    "lost=grant_written_down_nowhere",
];

/// Why an answer's tokens are nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Stored,
    Crash,
    NeverWhole,
    /// Saving was tried until the deadline.
    Deadline,
    None,
}

impl World {
    pub fn judge(&self, settled: bool, pks: &[String]) {
        let mut wrongs = Vec::new();
        if !settled {
            wrongs.push("not everything came to rest".to_owned());
        }
        let mut guard = self.lock();
        let inner = &mut *guard;
        let mut standing = Vec::new();
        for (pk, row) in &inner.rows {
            inner.tally.add("connections", 1);
            let name = crate::watch::short(pk);
            if !pks.contains(pk) {
                wrongs.push(format!("{name} is nobody's"));
            }
            match row.health.as_str() {
                "connected" => {
                    inner.tally.add("connected at the end", 1);
                    match row.refresh {
                        Some(refresh) => standing.push((pk.clone(), refresh)),
                        None => wrongs.push(format!("{name} is connected without a refresh token")),
                    }
                    if row.attempt.is_some() || row.lease.is_some() {
                        wrongs.push(format!("{name} is left claimed"));
                    }
                }
                "reauthorise" => inner.tally.add("need re-authorisation at the end", 1),
                "disconnected" => {
                    inner.tally.add("disconnected at the end", 1);
                    inner.tally.add(&format!("receipt: {}", row.receipt), 1);
                }
                other => wrongs.push(format!("{name} is {other}")),
            }
        }
        let provider = &inner.provider;
        let cause = |answer: usize| {
            let answer = &provider.answers[answer];
            let holder = inner.invocations.get(&answer.invocation);
            let noted = |note: &str| holder.is_some_and(|holder| holder.noted(note));
            if answer.stored {
                Cause::Stored
            } else if !answer.whole {
                Cause::NeverWhole
            } else if holder.is_none_or(|holder| holder.dead) {
                Cause::Crash
            } else if WRITTEN_NOWHERE.iter().any(|cause| noted(cause)) {
                Cause::Deadline
            } else {
                Cause::None
            }
        };
        let mut counted: Vec<&str> = Vec::new();
        for letter in &inner.queues.dead_letters {
            let salvage = letter.group.is_some();
            counted.push(if salvage {
                "dead letters of salvage"
            } else {
                "dead letters of work"
            });
        }
        // Connections that are lost: whose family was ended by a token presented again.
        for (pk, row) in &inner.rows {
            let Some(spent) = row.refresh.filter(|_| row.health == "reauthorise") else {
                continue;
            };
            let family = &provider.families[provider.answers[spent].family];
            // Of the token that stands there; or of the one that was presented again, where an answer came late.
            let again = family.reused.map(|(presented, _)| presented);
            let spent_by = provider.answers[spent].spent_by;
            let spent_by = spent_by.or(again.and_then(|again| provider.answers[again].spent_by));
            let lost = spent_by.map(cause);
            let holder = spent_by.map(|answer| provider.answers[answer].invocation);
            let ender = family.reused.map(|(_, by)| by);
            let outlived = [holder, ender].into_iter().flatten();
            let outlived = outlived.into_iter().any(|number| inner.outlived(number));
            counted.push(match lost {
                Some(Cause::Crash) => "lost: crash before the first durable write",
                Some(Cause::NeverWhole) => "lost: answer never arrived whole",
                Some(Cause::Deadline) => "lost: neither table nor queue took it until the deadline",
                _ if outlived => "lost: holder outlived its timeout",
                Some(Cause::Stored | Cause::None) | None => {
                    let name = crate::watch::short(pk);
                    wrongs.push(format!("{name} is lost ({lost:?}, {family:?})"));
                    "lost: for no reason"
                }
            });
        }
        for (pk, refresh) in standing {
            let family = &provider.families[provider.answers[refresh].family];
            if !family.alive || (family.single_use && family.newest != refresh) {
                wrongs.push(format!(
                    "{} stands on a dead token",
                    crate::watch::short(&pk)
                ));
            }
        }
        // Families that live on.
        for (number, family) in provider.families.iter().enumerate() {
            counted.push("families");
            if !family.alive {
                counted.push("families dead or revoked");
                continue;
            }
            let mut rows = inner.rows.iter();
            let held = rows.find(|(_, row)| {
                let refresh = row.refresh.filter(|_| row.health != "disconnected");
                refresh.is_some_and(|refresh| provider.answers[refresh].family == number)
            });
            if let Some((_, row)) = held {
                // Its newest answer may have gone to nobody: then the row knows, and was judged above.
                counted.push(if row.health == "connected" {
                    "families stored"
                } else {
                    "families of lost connections"
                });
                continue;
            }
            counted.push(match cause(family.newest) {
                Cause::Crash => "left over: crash before the first durable write",
                Cause::NeverWhole => "left over: answer never arrived whole",
                Cause::Deadline => "left over: neither table nor queue took it until the deadline",
                Cause::Stored | Cause::None => {
                    wrongs.push(format!(
                        "family {number} lives on, stored nowhere: {family:?}"
                    ));
                    "left over: for no reason"
                }
            });
        }
        for name in counted {
            inner.tally.add(name, 1);
        }
        drop(guard);
        for wrong in wrongs {
            self.broken(wrong);
        }
    }
}
