//! EDGE. Tickets, states and flows: the one-time records of connecting an account, and their single consumption.
//!
//! Every "once" here is one conditional write: two parallel requests, one wins. Tickets, states and completions are
//! stored as digests; cookies too. The PKCE verifier is stored as it is (useless without the code, which is never
//! stored) and removed when the code is exchanged.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValue;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::definition::OwnerMode;
use crate::digest;
use crate::table::{
    ConnectionKey, Error, Item, PK, TTL, get_s, n, opt_b, opt_n, opt_s, opt_time, s,
};

/// Lifetime of a ticket, seconds.
pub const TICKET_SECONDS: i64 = 300;
/// Lifetime of a state, seconds.
pub const STATE_SECONDS: i64 = 600;
/// Lifetime of a completion, seconds.
pub const COMPLETION_SECONDS: i64 = 60;
/// A flow that holds an unrevoked grant is kept this long: the table's TTL must not be what ends a grant.
const GRANT_KEPT_SECONDS: i64 = 7 * 86_400;

const DOC: &str = "doc";

/// How the browser comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A window of its own, with a handshake.
    Popup,
    /// The whole page goes away and returns to `return_to`, with a completion.
    Redirect,
}

/// Who asked to connect what. Written by `POST …/connect`, carried from ticket to flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Widget id.
    pub widget: String,
    /// `auth_key` of the authentication.
    pub auth_key: String,
    /// The connection to be.
    #[serde(flatten)]
    pub key: ConnectionKey,
    /// Whose it will be.
    pub owner_mode: OwnerMode,
    /// The caller's host.
    pub host: String,
    /// The caller's organisation.
    pub organisation: String,
    /// The caller's user id.
    pub user: String,
    /// How the browser comes back.
    pub mode: Mode,
    /// Where to, in redirect mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_to: Option<String>,
}

/// One authorization in progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Flow id.
    pub id: String,
    /// Who asked for what.
    pub ask: Ask,
    /// Digest of the flow cookie.
    pub cookie: String,
    /// The redirect URI of the authorize URL, to be repeated byte for byte.
    pub redirect_uri: String,
    /// The issuer expected in the callback, where the passport names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Scopes asked for.
    pub scopes: Vec<String>,
    /// The passport's configuration when the flow began.
    pub config_version: String,
}

/// Where a flow stands. Only forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The browser is at the provider.
    Started,
    /// The callback came; the code may be exchanged, once.
    Consumed,
    /// The custodian has taken the code.
    Exchanging,
    /// The grant is sealed in the flow and waits for its completion.
    Awaiting,
    /// The right caller completed it; the custodian may activate it.
    Completing,
    /// It will never be completed; the custodian may revoke it.
    Burned,
    /// Over.
    Done,
}

impl Stage {
    /// As stored.
    pub fn text(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Consumed => "consumed",
            Self::Exchanging => "exchanging",
            Self::Awaiting => "awaiting",
            Self::Completing => "completing",
            Self::Burned => "burned",
            Self::Done => "done",
        }
    }
}

/// Sealed tokens that wait in a flow.
#[derive(Clone, Debug)]
pub struct WaitingGrant {
    /// Grant id.
    pub grant_id: String,
    /// Sealed for the flow's own place.
    pub access_token: Vec<u8>,
    /// Sealed for the flow's own place.
    pub refresh_token: Option<Vec<u8>>,
    /// When the access token ends.
    pub expires_at: Option<Timestamp>,
    /// Its lifetime, seconds.
    pub lifetime_seconds: Option<i64>,
    /// Scopes granted, account and so on, as JSON of the custodian's.
    pub details: String,
}

/// Partition key of a flow.
pub fn flow_pk(id: &str) -> String {
    format!("FLOW#{id}")
}

fn digested(kind: &str, value: &str) -> String {
    format!(
        "{kind}#{}",
        digest::text([kind.as_bytes(), value.as_bytes()])
    )
}

/// Digest of a cookie or completion as stored in a flow.
pub fn stored_digest(kind: &str, value: &str) -> String {
    digest::text([kind.as_bytes(), value.as_bytes()])
}

/// The table of flows.
#[derive(Clone, Debug)]
pub struct Flows {
    client: Client,
    table: String,
}

impl Flows {
    /// Over `table`.
    pub fn new(client: Client, table: &str) -> Self {
        Self {
            client,
            table: table.to_owned(),
        }
    }

    /// Stores a ticket.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn put_ticket(
        &self,
        ticket: &str,
        ask: &Ask,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        let document = serde_json::to_string(ask).map_err(|_| Error::Corrupt)?;
        self.put(digested("TICKET", ticket), [(DOC, s(document))], expires_at)
            .await
    }

    /// Looks at a ticket without consuming it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read_ticket(&self, ticket: &str, now: Timestamp) -> Result<Option<Ask>, Error> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, s(digested("TICKET", ticket)))
            .consistent_read(true)
            .send()
            .await?;
        live_document(output.item, now)
    }

    /// Consumes a ticket; `None` when it was used, has expired, or never was.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn take_ticket(&self, ticket: &str, now: Timestamp) -> Result<Option<Ask>, Error> {
        live_document(self.take(digested("TICKET", ticket)).await?, now)
    }

    /// Stores a flow with its state and verifier.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn begin(
        &self,
        flow: &Flow,
        state: &str,
        verifier: &str,
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        let document = serde_json::to_string(flow).map_err(|_| Error::Corrupt)?;
        let attributes = [
            (DOC, s(document)),
            ("st", s(Stage::Started.text())),
            ("cv", s(verifier)),
        ];
        self.put(flow_pk(&flow.id), attributes, expires_at).await?;
        self.put(
            digested("STATE", state),
            [("flow", s(&flow.id))],
            expires_at,
        )
        .await
    }

    /// Consumes a state and answers its flow; `None` when it was used, has expired, or never was.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn take_state(&self, state: &str, now: Timestamp) -> Result<Option<Flow>, Error> {
        let Some(item) = self.take(digested("STATE", state)).await? else {
            return Ok(None);
        };
        if !is_live(&item, now) {
            return Ok(None);
        }
        Ok(self
            .read(&get_s(&item, "flow")?)
            .await?
            .map(|(flow, _, _)| flow))
    }

    /// A flow, its stage and its item.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read(&self, id: &str) -> Result<Option<(Flow, String, Item)>, Error> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, s(flow_pk(id)))
            .consistent_read(true)
            .send()
            .await?;
        let Some(item) = output.item else {
            return Ok(None);
        };
        let flow = serde_json::from_str(&get_s(&item, DOC)?).map_err(|_| Error::Corrupt)?;
        Ok(Some((flow, get_s(&item, "st")?, item)))
    }

    /// Started to consumed, noting the digest of the completion to come (redirect mode). False when it was not started.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn consume(&self, id: &str, completion: Option<&str>) -> Result<bool, Error> {
        let mut update = self.step(id, Stage::Started, Stage::Consumed);
        if let Some(completion) = completion {
            update = update
                .update_expression("SET st = :to, ch = :ch")
                .expression_attribute_values(":ch", s(completion));
        }
        Ok(advanced(update.send().await)?.is_some())
    }

    /// Consumed to exchanging: whoever gets the verifier may exchange the code, once.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn claim_exchange(&self, id: &str) -> Result<Option<(Flow, String)>, Error> {
        let update = self
            .step(id, Stage::Consumed, Stage::Exchanging)
            .update_expression("SET st = :to REMOVE cv");
        let Some(item) = advanced(update.send().await)? else {
            return Ok(None);
        };
        let flow = serde_json::from_str(&get_s(&item, DOC)?).map_err(|_| Error::Corrupt)?;
        Ok(Some((flow, get_s(&item, "cv")?)))
    }

    /// Exchanging to awaiting: the grant lies sealed in the flow. `now` starts the completion's lifetime.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn hold(
        &self,
        id: &str,
        grant: &WaitingGrant,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut sets = "SET st = :to, g = :g, a = :a, det = :det, cx = :cx, #ttl = :ttl".to_owned();
        let mut update = self
            .step(id, Stage::Exchanging, Stage::Awaiting)
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":g", s(&grant.grant_id))
            .expression_attribute_values(":a", crate::table::b(grant.access_token.clone()))
            .expression_attribute_values(":det", s(&grant.details))
            .expression_attribute_values(":cx", n(now.plus_seconds(COMPLETION_SECONDS).millis()))
            .expression_attribute_values(":ttl", n(now.plus_seconds(GRANT_KEPT_SECONDS).seconds()));
        if let Some(sealed) = &grant.refresh_token {
            sets.push_str(", r = :r");
            update = update.expression_attribute_values(":r", crate::table::b(sealed.clone()));
        }
        if let (Some(expires_at), Some(lifetime)) = (grant.expires_at, grant.lifetime_seconds) {
            sets.push_str(", x = :x, l = :l");
            update = update
                .expression_attribute_values(":x", n(expires_at.millis()))
                .expression_attribute_values(":l", n(lifetime));
        }
        Ok(advanced(update.update_expression(sets).send().await)?.is_some())
    }

    /// One stage forward, whatever else. False when it was not at `from`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn advance(&self, id: &str, from: Stage, to: Stage) -> Result<bool, Error> {
        Ok(advanced(self.step(id, from, to).send().await)?.is_some())
    }

    /// Burned or completing to done, without the tokens.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn finish(&self, id: &str, from: Stage) -> Result<bool, Error> {
        let update = self
            .step(id, from, Stage::Done)
            .update_expression("SET st = :to REMOVE a, r");
        Ok(advanced(update.send().await)?.is_some())
    }

    fn step(
        &self,
        id: &str,
        from: Stage,
        to: Stage,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key(PK, s(flow_pk(id)))
            .update_expression("SET st = :to")
            .condition_expression("st = :from")
            .expression_attribute_values(":from", s(from.text()))
            .expression_attribute_values(":to", s(to.text()))
            .return_values(ReturnValue::AllOld)
    }

    async fn put<const N: usize>(
        &self,
        pk: String,
        attributes: [(&str, aws_sdk_dynamodb::types::AttributeValue); N],
        expires_at: Timestamp,
    ) -> Result<(), Error> {
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(PK, s(pk))
            .item("till", n(expires_at.millis()))
            // The table removes it some time after; `till` is what is judged.
            .item(TTL, n(expires_at.plus_seconds(3_600).seconds()));
        for (name, value) in attributes {
            put = put.item(name, value);
        }
        put.send().await?;
        Ok(())
    }

    async fn take(&self, pk: String) -> Result<Option<Item>, Error> {
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(PK, s(pk))
            .condition_expression("attribute_exists(pk)")
            .return_values(ReturnValue::AllOld)
            .send()
            .await;
        match deleted {
            Ok(output) => Ok(output.attributes),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The grant waiting in a flow's item.
///
/// # Errors
/// [`Error::Corrupt`] when none lies there.
pub fn waiting_grant(item: &Item) -> Result<WaitingGrant, Error> {
    Ok(WaitingGrant {
        grant_id: get_s(item, "g")?,
        access_token: opt_b(item, "a").ok_or(Error::Corrupt)?,
        refresh_token: opt_b(item, "r"),
        expires_at: opt_time(item, "x"),
        lifetime_seconds: opt_n(item, "l"),
        details: get_s(item, "det")?,
    })
}

/// Whether `completion` (as [`stored_digest`]) is the one this flow's item waits for.
pub fn completion_matches(item: &Item, completion: &str) -> bool {
    opt_s(item, "ch").is_some_and(|stored| stored == completion)
}

/// Whether a flow's completion can still be used at `now`.
pub fn completion_is_live(item: &Item, now: Timestamp) -> bool {
    opt_time(item, "cx").is_some_and(|expires_at| now < expires_at)
}

fn is_live(item: &Item, now: Timestamp) -> bool {
    opt_time(item, "till").is_some_and(|till| now < till)
}

fn live_document(item: Option<Item>, now: Timestamp) -> Result<Option<Ask>, Error> {
    match item {
        Some(item) if is_live(&item, now) => serde_json::from_str(&get_s(&item, DOC)?)
            .map(Some)
            .map_err(|_| Error::Corrupt),
        _ => Ok(None),
    }
}

type Updated = Result<
    aws_sdk_dynamodb::operation::update_item::UpdateItemOutput,
    aws_sdk_dynamodb::error::SdkError<aws_sdk_dynamodb::operation::update_item::UpdateItemError>,
>;

fn advanced(updated: Updated) -> Result<Option<Item>, Error> {
    match updated {
        Ok(output) => Ok(Some(output.attributes.unwrap_or_default())),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|e| e.is_conditional_check_failed_exception()) =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
