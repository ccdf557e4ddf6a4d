//! EDGE. The console's own records: sign-in tickets, sessions, and what was done in it.
//!
//! | `pk` | holds |
//! |---|---|
//! | `CONSOLE_TICKET#{digest}` | a sign-in link of `consulate console`, until it is used |
//! | `CONSOLE_SESSION#{digest}` | one signed-in browser |
//! | `CONSOLE_ACTIVITY`, `CONSOLE_ACTIVITY#{n}` | how many acts there were; the latest of them, in a ring |
//!
//! Tickets and cookies are stored as digests: whoever reads the table cannot sign in with what is there.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValue};
use serde::{Deserialize, Serialize};

use crate::acting::Person;
use crate::clock::Timestamp;
use crate::digest;
use crate::table::{DOC, Error, Item, PK, TTL, get_n, get_s, n, opt_n, opt_s, opt_time, s, time};

/// Lifetime of a sign-in ticket, seconds.
pub const TICKET_SECONDS: i64 = 300;
/// Lifetime of a session, seconds. Not renewed by use: after an hour somebody with the operator's credentials is asked again.
pub const SESSION_SECONDS: i64 = 3_600;
/// Name of the session's cookie. connect reads it too: a flow that the console begins is bound to it.
pub const COOKIE: &str = "__Host-consulate-console";
/// Acts that are kept.
pub const ACTS_KEPT: i64 = 200;
/// An act is kept this long, seconds.
const ACT_SECONDS: i64 = 90 * 86_400;
/// Acts one read of the table brings.
const BATCH: usize = 100;
const ACTIVITY: &str = "CONSOLE_ACTIVITY";
const UNTIL: &str = "till";

/// What a flow that the console begins is bound to: a digest of the session's cookie, of a kind of its own.
pub fn flow_tie(cookie: &str) -> String {
    digest::text([&b"console flow"[..], cookie.as_bytes()])
}

/// One signed-in browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its item's key.
    id: String,
    /// Who asked for the link, as they called themselves.
    pub name: String,
    /// When it ends.
    pub until: Timestamp,
    /// In whose place the administrator acts.
    pub acts_for: Option<Person>,
}

/// Something that was done in the console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// When, milliseconds since the epoch.
    pub at: i64,
    /// Who, as they called themselves when they asked for the link.
    pub by: String,
    /// What: `signed_in`, `connected` … The console's texts have a sentence for each.
    pub what: String,
    /// To which widget, passport or connection.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub on: String,
    /// How it went, or more about it. Never a credential, never an account's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// The records.
#[derive(Clone, Debug)]
pub struct ConsoleRecords {
    client: Client,
    table: String,
}

impl ConsoleRecords {
    /// Over `table`.
    pub fn new(client: Client, table: &str) -> Self {
        Self {
            client,
            table: table.to_owned(),
        }
    }

    /// Stores a sign-in ticket.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn put_ticket(
        &self,
        ticket: &str,
        name: &str,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        let pk = keyed("CONSOLE_TICKET", ticket);
        self.put(pk, vec![("name", s(name))], expires_at).await
    }

    /// Uses up a ticket; the name it was asked for by. `None` when it was used, has expired, or never was. Of two parallel
    /// requests one gets it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn take_ticket(&self, ticket: &str, now: Timestamp) -> Result<Option<String>, Error> {
        let taken = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(PK, s(keyed("CONSOLE_TICKET", ticket)))
            .return_values(ReturnValue::AllOld)
            .send()
            .await?;
        let live = taken.attributes.filter(|item| is_live(item, now));
        Ok(live.map(|item| opt_s(&item, "name").unwrap_or_default()))
    }

    /// Begins a session for whoever holds `cookie`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn begin_session(
        &self,
        cookie: &str,
        name: &str,
        until: Timestamp,
    ) -> Result<(), Error> {
        let pk = keyed("CONSOLE_SESSION", cookie);
        self.put(pk, vec![("name", s(name))], until).await
    }

    /// The live session of whoever holds `cookie`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn session(&self, cookie: &str, now: Timestamp) -> Result<Option<Session>, Error> {
        let id = keyed("CONSOLE_SESSION", cookie);
        let Some(item) = self.read(&id).await?.filter(|item| is_live(item, now)) else {
            return Ok(None);
        };
        let person = opt_s(&item, "person");
        let person = person.map(|text| serde_json::from_str(&text).map_err(|_| Error::Corrupt));
        Ok(Some(Session {
            name: opt_s(&item, "name").unwrap_or_default(),
            until: opt_time(&item, UNTIL).ok_or(Error::Corrupt)?,
            acts_for: person.transpose()?,
            id,
        }))
    }

    /// From now on the session acts for `person`. False when it is over.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn act_for(&self, session: &Session, person: &Person) -> Result<bool, Error> {
        let document = serde_json::to_string(person).map_err(|_| Error::Corrupt)?;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(&session.id))
            .update_expression("SET person = :person")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":person", s(document));
        match update.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a session.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn end_session(&self, session: &Session) -> Result<(), Error> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(PK, s(&session.id));
        delete.send().await?;
        Ok(())
    }

    /// Keeps an act, in the place of the oldest of [`ACTS_KEPT`].
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn note(&self, act: &Act) -> Result<(), Error> {
        let count = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(ACTIVITY))
            .update_expression("ADD n :one")
            .expression_attribute_values(":one", n(1))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await?;
        let number = get_n(&count.attributes.unwrap_or_default(), "n")?;
        let document = serde_json::to_string(act).map_err(|_| Error::Corrupt)?;
        let until = Timestamp::from_millis(act.at).plus_seconds(ACT_SECONDS);
        let attributes = vec![("n", n(number)), (DOC, s(document))];
        self.put(act_pk(number), attributes, until).await
    }

    /// The latest `most` acts, the last one first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn acts(&self, most: i64) -> Result<Vec<Act>, Error> {
        let count = self.read(ACTIVITY).await?;
        let last = count.and_then(|item| opt_n(&item, "n")).unwrap_or(0);
        let first = (last - most.clamp(0, ACTS_KEPT) + 1).max(1);
        let pks: Vec<String> = (first..=last).map(act_pk).collect();
        let mut acts = Vec::with_capacity(pks.len());
        for pks in pks.chunks(BATCH) {
            for item in self.read_all(pks).await? {
                let number = get_n(&item, "n")?;
                let act = serde_json::from_str(&get_s(&item, DOC)?).map_err(|_| Error::Corrupt)?;
                acts.push((number, act));
            }
        }
        acts.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        Ok(acts.into_iter().map(|(_, act)| act).collect())
    }

    async fn put(
        &self,
        pk: String,
        attributes: Vec<(&str, AttributeValue)>,
        until: Timestamp,
    ) -> Result<(), Error> {
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(PK, s(pk))
            .item(UNTIL, time(until))
            .item(TTL, n(until.seconds()));
        for (name, value) in attributes {
            put = put.item(name, value);
        }
        put.send().await?;
        Ok(())
    }

    async fn read(&self, pk: &str) -> Result<Option<Item>, Error> {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .consistent_read(true);
        Ok(read.send().await?.item)
    }

    async fn read_all(&self, pks: &[String]) -> Result<Vec<Item>, Error> {
        let mut keys = KeysAndAttributes::builder();
        for pk in pks {
            keys = keys.keys(Item::from([(PK.to_owned(), s(pk))]));
        }
        let keys = keys.build().map_err(|_| Error::Corrupt)?;
        let read = self
            .client
            .batch_get_item()
            .request_items(&self.table, keys)
            .send()
            .await?;
        // Left out is what the table had no capacity for; a list with holes would look whole.
        if read.unprocessed_keys.is_some_and(|keys| !keys.is_empty()) {
            return Err(Error::Unavailable);
        }
        let mut tables = read.responses.unwrap_or_default();
        Ok(tables.remove(&self.table).unwrap_or_default())
    }
}

fn keyed(kind: &str, value: &str) -> String {
    format!(
        "{kind}#{}",
        digest::text([kind.as_bytes(), value.as_bytes()])
    )
}

fn act_pk(number: i64) -> String {
    format!("{ACTIVITY}#{}", number.rem_euclid(ACTS_KEPT))
}

fn is_live(item: &Item, now: Timestamp) -> bool {
    opt_time(item, UNTIL).is_some_and(|until| now < until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_acts_lie_in_places_of_their_own() {
        let places: std::collections::BTreeSet<_> = (1..=ACTS_KEPT).map(act_pk).collect();
        assert_eq!(places.len() as i64, ACTS_KEPT);
        assert_eq!(act_pk(1), act_pk(1 + ACTS_KEPT));
    }

    #[test]
    fn what_is_stored_of_a_cookie_is_not_what_a_flow_is_tied_to() {
        assert_ne!(keyed("CONSOLE_SESSION", "c"), keyed("CONSOLE_TICKET", "c"));
        assert!(!keyed("CONSOLE_SESSION", "c").contains(&flow_tie("c")));
    }
}
