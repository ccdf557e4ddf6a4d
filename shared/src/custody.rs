//! The conversation with the custodian: typed events over synchronous Lambda invokes.
//!
//! Events carry ids, never stored tokens. An event is a hint, the row is the truth: the custodian acts on what it finds.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use serde::{Deserialize, Serialize};

use crate::connection::Receipt;
use crate::invoke;
use crate::problem::Reason;
use crate::table::ConnectionKey;

/// What the custodian is asked.
///
/// ```json
/// {"type":"refresh","passport":"demo.acme-cloud","owner":"…","version":3,"rejected":false}
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// Exchange the code of a flow whose state was consumed (RFC 6749 section 4.1.3).
    Exchange {
        /// Flow id.
        flow: String,
        /// The authorization code. Passes through once, is never stored.
        code: String,
    },
    /// Connect with what the owner typed, in a flow that connect stored for the purpose.
    SignIn {
        /// Flow id.
        flow: String,
        /// The fields of the passport's credential. They pass through once; what is kept is sealed.
        typed: BTreeMap<String, String>,
    },
    /// Activate the grant of a flow whose completion was consumed by the right caller.
    Complete {
        /// Flow id.
        flow: String,
    },
    /// Revoke the grant of a flow that will never be completed.
    Abandon {
        /// Flow id.
        flow: String,
    },
    /// Renew an access token.
    Refresh {
        /// Which connection.
        #[serde(flatten)]
        key: ConnectionKey,
        /// The version the caller found wanting; a newer one is an answer.
        version: i64,
        /// True when an API answered 401 to it although it had not expired.
        rejected: bool,
    },
    /// Renew an access token although nothing found it wanting: an operator asks.
    RefreshNow {
        /// Which connection.
        #[serde(flatten)]
        key: ConnectionKey,
    },
    /// Revoke what the row says is disconnected.
    Revoke {
        /// Which connection.
        #[serde(flatten)]
        key: ConnectionKey,
    },
    /// Note in the audit log what an operator did. Nothing else comes of it.
    Note {
        /// What was done.
        deed: Deed,
        /// To what: the id of a widget or passport, the name of a secret.
        subject: String,
        /// Access key id of who did it, as CloudTrail has it.
        by: Option<String>,
    },
}

/// What operators do, as the audit log names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are what the log says")]
pub enum Deed {
    WidgetImported,
    PassportAdded,
    ProviderAdded,
    ProviderRemoved,
    SecretSet,
    KeysMade,
    KeysRotated,
    KeysResealed,
    KeyRetired,
}

impl Deed {
    /// `what` of its line.
    pub fn what(self) -> &'static str {
        match self {
            Self::WidgetImported => "operator.widget_imported",
            Self::PassportAdded => "operator.passport_added",
            Self::ProviderAdded => "operator.provider_added",
            Self::ProviderRemoved => "operator.provider_removed",
            Self::SecretSet => "operator.secret_set",
            Self::KeysMade => "operator.keys_made",
            Self::KeysRotated => "operator.keys_rotated",
            Self::KeysResealed => "operator.keys_resealed",
            Self::KeyRetired => "operator.key_retired",
        }
    }
}

/// What the custodian says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Answer {
    /// The account is connected.
    Connected,
    /// The grant waits for its completion.
    AwaitingCompletion,
    /// The flow was used already, or is unknown.
    FlowSpent,
    /// The provider said no. Texts are the provider's: escape and cap before showing.
    ProviderRefused {
        /// RFC 6749 error code, or `unreadable_answer`.
        error: String,
    },
    /// The provider did not answer, or not in a way that can be understood.
    ProviderUnavailable,
    /// Our own settings are wrong: an operator has to look.
    Misconfigured,
    /// A version newer than the one seen is stored.
    Refreshed {
        /// Its number.
        version: i64,
    },
    /// The schedule looked, and there was nothing to do.
    NotDue,
    /// Somebody else is renewing: poll the row.
    InProgress,
    /// Not now.
    BackOff {
        /// Seconds until it may be tried again.
        retry_after: u64,
    },
    /// The account has to be connected (again).
    AuthenticationRequired {
        /// Why.
        reason: Reason,
    },
    /// A grant was given up; the receipt where there is a row for one.
    Revoked {
        /// What became of it.
        receipt: Option<Receipt>,
    },
    /// It is in the audit log.
    Noted,
    /// Storage or secrets do not answer.
    Unavailable,
}

impl Answer {
    /// Which one it is, as its JSON has it in `outcome`.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::AwaitingCompletion => "awaiting_completion",
            Self::FlowSpent => "flow_spent",
            Self::ProviderRefused { .. } => "provider_refused",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::Misconfigured => "misconfigured",
            Self::Refreshed { .. } => "refreshed",
            Self::NotDue => "not_due",
            Self::InProgress => "in_progress",
            Self::BackOff { .. } => "back_off",
            Self::AuthenticationRequired { .. } => "authentication_required",
            Self::Revoked { .. } => "revoked",
            Self::Noted => "noted",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The custodian cannot be reached. It may have acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No usable answer.
    #[error("the custodian does not answer")]
    Unavailable,
}

/// Invokes the custodian.
#[derive(Clone, Debug)]
pub struct Custodian {
    client: Client,
    function: String,
}

impl Custodian {
    /// `function`: name or ARN.
    pub fn new(client: Client, function: &str) -> Self {
        Self {
            client,
            function: function.to_owned(),
        }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: whether it acted is told by the row.
    pub async fn ask(&self, event: &Event) -> Result<Answer, Error> {
        let answer = invoke::ask(&self.client, &self.function, event).await;
        answer.map_err(|_| Error::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_answers_travel_as_documented() {
        let text = r#"{"type":"refresh","passport":"p","owner":"o","version":3,"rejected":false}"#;
        let event: Event = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        let answer = Answer::AuthenticationRequired {
            reason: Reason::RotationLost,
        };
        let text = serde_json::to_string(&answer).unwrap();
        assert_eq!(
            text,
            r#"{"outcome":"authentication_required","reason":"rotation_lost"}"#
        );
        assert_eq!(answer.outcome(), "authentication_required");
    }
}
