//! EDGE. What holds token calls back, the same for every worker: how fast an endpoint may be called, when it asked to be
//! left alone, and whether a passport's own settings are refused at the moment. A handful of items that nothing deletes
//! but success.
//!
//! | item | attribute | is |
//! |---|---|---|
//! | `LIMIT#{digest of the token endpoint}` | `t` | the instant (ms) up to which its rate is given out |
//! | | `bo` | no call before |
//! | `CIRCUIT#{passport}` | `o`, `k` | open until; how often it opened without a success between |
//!
//! Rate is given out as time: whoever leases *n* permits of *r* a second moves `t` by *n / r* seconds in one conditional
//! update, and calls at the instants between. So no number of workers calls faster, and a hundred permits cost one write.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure,
};

use crate::clock::Timestamp;
use crate::connections::{Judged, judged};
use crate::table::{Error, Item, PK, get_n, n, opt_n, opt_s, opt_time, s, time};

/// A circuit is open for so long when it opens, seconds; twice as long each further time.
const OPEN_SECONDS: i64 = 30;
/// At most so long.
const OPEN_LIMIT_SECONDS: i64 = 600;
/// Whoever tries a circuit has so long: a token call and its writes. Nobody else tries meanwhile.
const TRY_SECONDS: i64 = 20;
/// So often a lease starts anew because another worker's came between.
const LEASE_TRIES: usize = 5;

/// What is known of an endpoint and a passport before a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The endpoint asked to be left alone until then.
    pub rests_until: Option<Timestamp>,
    /// The passport's circuit, where it has opened and nothing succeeded since.
    pub circuit: Option<Circuit>,
}

/// A circuit that has opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circuit {
    /// Nobody calls before.
    pub open_until: Timestamp,
    /// How often it opened without a success between.
    pub times: i64,
}

/// Permits in hand: calls at `from`, and then at equal distances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// When the first call may be made.
    pub from: Timestamp,
    /// How many there are.
    pub permits: u32,
    per_second: u32,
}

impl Lease {
    /// The instants at which one call each may be made.
    pub fn instants(&self) -> impl Iterator<Item = Timestamp> {
        let (from, rate) = (self.from, self.per_second);
        (0..self.permits).map(move |number| from.plus_millis(span_millis(number, rate)))
    }

    /// Up to when the rate is given out with it.
    pub fn until(&self) -> Timestamp {
        let millis = span_millis(self.permits, self.per_second);
        self.from.plus_millis(millis)
    }
}

/// PURE. How long `permits` at `per_second` take, not a millisecond less.
fn span_millis(permits: u32, per_second: u32) -> i64 {
    let millis = (u64::from(permits) * 1_000).div_ceil(u64::from(per_second.max(1)));
    i64::try_from(millis).unwrap_or(i64::MAX)
}

/// PURE. How long a circuit is open that opens for the `times`-th time in a row, seconds.
fn open_seconds(times: i64) -> i64 {
    let doublings = u32::try_from(times - 1).unwrap_or_default().min(16);
    (OPEN_SECONDS << doublings).min(OPEN_LIMIT_SECONDS)
}

/// The limits in the table.
#[derive(Clone, Debug)]
pub struct Limits {
    client: Client,
    table: String,
}

impl Limits {
    /// Over `table`.
    pub fn new(client: Client, table: &str) -> Self {
        Self {
            client,
            table: table.to_owned(),
        }
    }

    /// How the endpoint `token_url` and `passport` stand: one read.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn standing(&self, token_url: &str, passport: &str) -> Result<Standing, Error> {
        let (limit, circuit) = (limit_pk(token_url), circuit_pk(passport));
        let mut request = KeysAndAttributes::builder().consistent_read(true);
        for pk in [&limit, &circuit] {
            request = request.keys(Item::from([(PK.to_owned(), s(pk))]));
        }
        let output = self
            .client
            .batch_get_item()
            .request_items(&self.table, request.build().map_err(|_| Error::Corrupt)?)
            .send()
            .await?;
        if output.unprocessed_keys.is_some_and(|keys| !keys.is_empty()) {
            return Err(Error::Unavailable);
        }
        let mut tables = output.responses.unwrap_or_default();
        let items = tables.remove(&self.table).unwrap_or_default();
        let find = |pk: &str| {
            items
                .iter()
                .find(|item| opt_s(item, PK).as_deref() == Some(pk))
        };
        Ok(Standing {
            rests_until: find(&limit).and_then(|item| opt_time(item, "bo")),
            circuit: find(&circuit).and_then(read_circuit),
        })
    }

    /// Takes `permits` calls of `token_url`, the first at `now` at the earliest. `None` when the rate is given out up to
    /// `latest` already. `known`: up to when it was given out as far as the caller knows; a good guess saves a write.
    ///
    /// # Errors
    /// See [`Error`]. Permits that were taken all the same are lost, which only slows everybody down.
    pub async fn lease(
        &self,
        token_url: &str,
        (permits, per_second): (u32, u32),
        (now, latest): (Timestamp, Timestamp),
        known: Option<Timestamp>,
    ) -> Result<Option<Lease>, Error> {
        let pk = limit_pk(token_url);
        let cost = span_millis(permits, per_second);
        let lease = |from| Lease {
            from,
            permits,
            per_second,
        };
        let mut given_out = known;
        for _ in 0..LEASE_TRIES {
            let busy = given_out.is_some_and(|until| until > now);
            let update = self
                .update(&pk)
                .expression_attribute_values(":now", time(now));
            let update = if busy {
                update
                    .update_expression("SET t = t + :cost")
                    .condition_expression("t > :now AND t <= :latest")
                    .expression_attribute_values(":cost", n(cost))
                    .expression_attribute_values(":latest", time(latest))
            } else {
                update
                    .update_expression("SET t = :until")
                    .condition_expression("attribute_not_exists(t) OR t <= :now")
                    .expression_attribute_values(":until", time(now.plus_millis(cost)))
            };
            match judged(update.return_values(ReturnValue::UpdatedNew).send().await)? {
                Judged::Done(item) => {
                    let until = Timestamp::from_millis(get_n(&item, "t")?);
                    return Ok(Some(lease(until.plus_millis(-cost))));
                }
                Judged::Refused(item) => given_out = opt_time(&item, "t"),
            }
            if given_out.is_some_and(|until| until > latest) {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Leaves `token_url` alone until then, for every worker. A longer rest that is known already stays.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn rest(&self, token_url: &str, until: Timestamp) -> Result<(), Error> {
        let update = self
            .update(&limit_pk(token_url))
            .update_expression("SET bo = :until")
            .condition_expression("attribute_not_exists(bo) OR bo < :until")
            .expression_attribute_values(":until", time(until));
        judged(update.send().await).map(drop)
    }

    /// Opens the circuit of `passport`, which the caller has found as `seen`. `None` when somebody else has opened it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn open_circuit(
        &self,
        passport: &str,
        seen: Option<&Circuit>,
        now: Timestamp,
    ) -> Result<Option<Circuit>, Error> {
        let times = seen.map_or(0, |circuit| circuit.times) + 1;
        let circuit = Circuit {
            open_until: now.plus_seconds(open_seconds(times)),
            times,
        };
        let update = self
            .update(&circuit_pk(passport))
            .update_expression("SET o = :until, k = :times")
            .expression_attribute_values(":until", time(circuit.open_until))
            .expression_attribute_values(":times", n(times));
        let update = match seen {
            Some(seen) => update
                .condition_expression("o = :seen")
                .expression_attribute_values(":seen", time(seen.open_until)),
            None => update.condition_expression("attribute_not_exists(o)"),
        };
        let opened = matches!(judged(update.send().await)?, Judged::Done(_));
        Ok(opened.then_some(circuit))
    }

    /// Takes the right to try a circuit that was open for long enough: one caller does, all others find it open.
    /// `None` when somebody else took it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn try_circuit(
        &self,
        passport: &str,
        seen: &Circuit,
        now: Timestamp,
    ) -> Result<Option<Circuit>, Error> {
        let circuit = Circuit {
            open_until: now.plus_seconds(TRY_SECONDS),
            times: seen.times,
        };
        let update = self
            .update(&circuit_pk(passport))
            .update_expression("SET o = :until")
            .condition_expression("o = :seen")
            .expression_attribute_values(":until", time(circuit.open_until))
            .expression_attribute_values(":seen", time(seen.open_until));
        let ours = matches!(judged(update.send().await)?, Judged::Done(_));
        Ok(ours.then_some(circuit))
    }

    /// Closes the circuit of `passport`: its client was accepted.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn close_circuit(&self, passport: &str) -> Result<(), Error> {
        let delete = self.client.delete_item().table_name(&self.table);
        delete.key(PK, s(circuit_pk(passport))).send().await?;
        Ok(())
    }

    fn update(
        &self,
        pk: &str,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

fn limit_pk(token_url: &str) -> String {
    format!("LIMIT#{}", crate::digest::short([token_url.as_bytes()]))
}

fn circuit_pk(passport: &str) -> String {
    format!("CIRCUIT#{passport}")
}

fn read_circuit(item: &Item) -> Option<Circuit> {
    Some(Circuit {
        open_until: opt_time(item, "o")?,
        times: opt_n(item, "k").unwrap_or(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_spread_over_the_time_they_take() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let lease = Lease {
            from: now,
            permits: 3,
            per_second: 50,
        };
        let after: Vec<i64> = lease.instants().map(|at| at.since(now)).collect();
        assert_eq!((after, lease.until().since(now)), (vec![0, 20, 40], 60));
        // Never faster than allowed where it does not divide.
        assert_eq!((span_millis(1, 3), span_millis(3, 3)), (334, 1_000));
    }

    #[test]
    fn a_circuit_opens_for_thirty_seconds_and_twice_as_long_each_time_up_to_ten_minutes() {
        let opens: Vec<i64> = (1..=7).map(open_seconds).collect();
        assert_eq!(opens, [30, 60, 120, 240, 480, 600, 600]);
        assert_eq!(open_seconds(1_000_000), 600);
    }
}
