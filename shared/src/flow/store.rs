//! EDGE. The writes of tickets, states and flows: each is one conditional write.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::{
    Ask, COMPLETION_SECONDS, DOC, Flow, GRANT_KEPT_SECONDS, Stage, WaitingGrant, digested, flow_pk,
    is_live, live_document,
};
use crate::clock::Timestamp;
use crate::cohort::{Cycle, Shards};
use crate::table::{Error, Item, PK, TTL, get_s, n, opt_s, s};

/// The table of flows.
#[derive(Clone, Debug)]
pub struct Flows {
    client: Client,
    table: String,
    shards: Shards,
}

impl Flows {
    /// Over `table`.
    pub fn new(client: Client, table: &str, shards: Shards) -> Self {
        Self {
            client,
            table: table.to_owned(),
            shards,
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

    /// Stores a flow that needs no browser: whoever asks has brought the credential. The custodian may act on it at once.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn begin_typed(&self, flow: &Flow, expires_at: Timestamp) -> Result<(), Error> {
        let document = serde_json::to_string(flow).map_err(|_| Error::Corrupt)?;
        let attributes = [
            (DOC, s(document)),
            ("st", s(Stage::Consumed.text())),
            ("cv", s("")),
        ];
        self.put(flow_pk(&flow.id), attributes, expires_at).await
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
        let tokens = grant.tokens.iter();
        let tokens = tokens.map(|tokens| AttributeValue::M(tokens.item()));
        let held = self
            .step(id, Stage::Exchanging, Stage::Awaiting)
            .update_expression(
                "SET st = :to, g = :g, tk = :tk, det = :det, cx = :cx, d = :d, #ttl = :ttl",
            )
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":g", s(&grant.grant_id))
            // Looked at every minute from now on: never completed means revoked.
            .expression_attribute_values(
                ":d",
                s(self.shards.partition(Cycle::Revoke, &flow_pk(id))),
            )
            .expression_attribute_values(":tk", AttributeValue::L(tokens.collect()))
            .expression_attribute_values(":det", s(&grant.details))
            .expression_attribute_values(":cx", n(now.plus_seconds(COMPLETION_SECONDS).millis()))
            .expression_attribute_values(":ttl", n(now.plus_seconds(GRANT_KEPT_SECONDS).seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match held {
            // Ours lies there already: the write was repeated because its acknowledgement was lost.
            Err(error) => match error.into_service_error() {
                UpdateItemError::ConditionalCheckFailedException(refused) => Ok(refused
                    .item
                    .is_some_and(|item| opt_s(&item, "g").as_ref() == Some(&grant.grant_id))),
                _ => Err(Error::Unavailable),
            },
            Ok(_) => Ok(true),
        }
    }

    /// One stage forward, whatever else. False when it was not at `from`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn advance(&self, id: &str, from: Stage, to: Stage) -> Result<bool, Error> {
        Ok(advanced(self.step(id, from, to).send().await)?.is_some())
    }

    /// Deletes a flow whose code nobody has taken, and its verifier with it. False when there is none, or the custodian
    /// has the code: what lies there then is the custodian's to end.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn forget(&self, id: &str) -> Result<bool, Error> {
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key(PK, s(flow_pk(id)))
            .condition_expression("st IN (:started, :consumed)")
            .expression_attribute_values(":started", s(Stage::Started.text()))
            .expression_attribute_values(":consumed", s(Stage::Consumed.text()))
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Burned or completing to done, without the tokens. Nothing says any more that the flow's grant is the flow's.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn finish(&self, id: &str, from: Stage) -> Result<bool, Error> {
        let update = self
            .step(id, from, Stage::Done)
            .update_expression("SET st = :to REMOVE tk, g, d");
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
