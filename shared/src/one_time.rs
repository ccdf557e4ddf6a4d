//! EDGE. Caller JWTs that were used up: `JWT#{digest of host and jti}`, there until the JWT has ended.
//!
//! One conditional write decides: of two requests with the same JWT one wins, wherever they run.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use crate::clock::Timestamp;
use crate::digest;
use crate::random;
use crate::table::{Error, PK, TTL, n, opt_s, s};

/// The record outlives the JWT by this, seconds: clocks differ.
const MARGIN_SECONDS: i64 = 3_600;

/// The records in the table.
#[derive(Clone, Debug)]
pub struct OneTimeJwts {
    client: Client,
    table: String,
}

impl OneTimeJwts {
    /// Over `table`.
    pub fn new(client: Client, table: &str) -> Self {
        Self {
            client,
            table: table.to_owned(),
        }
    }

    /// Uses up the JWT `jti` of `host`. False when it was used before.
    ///
    /// # Errors
    /// See [`Error`]. It may be used up all the same.
    pub async fn use_up(
        &self,
        host: &str,
        jti: &str,
        expires_at: Timestamp,
    ) -> Result<bool, Error> {
        let pk = digest::text([&b"one-time jwt"[..], host.as_bytes(), jti.as_bytes()]);
        let by = random::id().map_err(|_| Error::Unavailable)?;
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(PK, s(format!("JWT#{pk}")))
            .item("by", s(&by))
            .item(TTL, n(expires_at.plus_seconds(MARGIN_SECONDS).seconds()))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match put.map_err(aws_sdk_dynamodb::error::SdkError::into_service_error) {
            Ok(_) => Ok(true),
            // Ours lies there already: the write was repeated because its acknowledgement was lost.
            Err(PutItemError::ConditionalCheckFailedException(refused)) => {
                let item = refused.item.unwrap_or_default();
                Ok(opt_s(&item, "by").as_ref() == Some(&by))
            }
            Err(_) => Err(Error::Unavailable),
        }
    }
}
