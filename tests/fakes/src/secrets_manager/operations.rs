//! The operations of Secrets Manager: from a request's JSON to the answer's, refusals included.
//!
//! Source: AWS Secrets Manager API reference, one page per operation.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{Secret, SecretsManager, now};
use crate::aws_json;
use crate::held::held;
use crate::random::random_value;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// A secret's value is limited to 64 KiB.
const VALUE_LIMIT: usize = 65_536;

/// A refusal in the API's own terms.
struct Refused(&'static str, String);

impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Self {
        Self("InternalServiceError", error.to_string())
    }
}

/// `POST /`.
pub(super) async fn handle(
    State(store): State<SecretsManager>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let operation = aws_json::operation(&headers, "secretsmanager.")
        .unwrap_or("")
        .to_owned();
    *held(&store.shared.counters)
        .entry(operation.clone())
        .or_default() += 1;
    if store.shared.outage.load(Ordering::SeqCst) {
        return refusal(&Refused(
            "InternalServiceError",
            "scripted outage".to_owned(),
        ));
    }
    let Ok(request @ Value::Object(_)) = serde_json::from_str::<Value>(&body) else {
        return refusal(&Refused(
            "SerializationException",
            "the request is not a JSON object".to_owned(),
        ));
    };
    let answered = tokio::task::spawn_blocking(move || store.answer(&operation, &request)).await;
    match answered {
        Ok(Ok(answer)) => aws_json::answer(StatusCode::OK, CONTENT_TYPE, answer.to_string()),
        Ok(Err(refused)) => refusal(&refused),
        Err(_) => refusal(&Refused(
            "InternalServiceError",
            "the store panicked".to_owned(),
        )),
    }
}

impl SecretsManager {
    fn answer(&self, operation: &str, request: &Value) -> Result<Value, Refused> {
        match operation {
            "GetSecretValue" => self.get_secret_value(request),
            "DescribeSecret" => self.describe_secret(request),
            "ListSecrets" => self.list_secrets(request),
            "CreateSecret" => self.create_secret(request),
            "PutSecretValue" => self.put_secret_value(request),
            "DeleteSecret" => self.delete_secret(request),
            _ => Err(Refused(
                "UnknownOperationException",
                "no such operation".to_owned(),
            )),
        }
    }

    fn get_secret_value(&self, request: &Value) -> Result<Value, Refused> {
        let (name, secret) = self.find(request)?;
        alive(&secret)?;
        let other_stage = text(request, "VersionStage").is_some_and(|stage| stage != "AWSCURRENT");
        let other_version =
            text(request, "VersionId").is_some_and(|version| version != secret.version_id);
        if other_stage || other_version {
            return Err(not_found(
                "Secrets Manager can't find the specified secret value.",
            ));
        }
        Ok(json!({
            "ARN": arn(&name), "Name": name, "VersionId": secret.version_id, "SecretString": secret.value,
            "VersionStages": ["AWSCURRENT"], "CreatedDate": secret.changed,
        }))
    }

    fn describe_secret(&self, request: &Value) -> Result<Value, Refused> {
        let (name, secret) = self.find(request)?;
        Ok(described(&name, &secret))
    }

    /// Sorted by name; `Filters` by `name` prefixes; pages of `MaxResults`, continued after the name in `NextToken`.
    fn list_secrets(&self, request: &Value) -> Result<Value, Refused> {
        let mut prefixes: Vec<&str> = Vec::new();
        for filter in request
            .get("Filters")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if text(filter, "Key") != Some("name") {
                return Err(invalid("only the filter `name` is served here"));
            }
            let values = filter
                .get("Values")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            prefixes.extend(values.filter_map(Value::as_str));
        }
        let most = request
            .get("MaxResults")
            .and_then(Value::as_u64)
            .unwrap_or(100);
        let most = usize::try_from(most)
            .ok()
            .filter(|most| (1..=100).contains(most));
        let most = most.ok_or_else(|| invalid("MaxResults must be 1 to 100"))?;
        let after = text(request, "NextToken").unwrap_or("");

        let secrets = held(&self.shared.secrets);
        let mut matching = secrets.iter().filter(|(name, secret)| {
            let wanted =
                prefixes.is_empty() || prefixes.iter().any(|prefix| name.starts_with(prefix));
            secret.deleted.is_none() && wanted && (after.is_empty() || name.as_str() > after)
        });
        let page: Vec<_> = matching.by_ref().take(most).collect();
        let list: Vec<Value> = page
            .iter()
            .map(|(name, secret)| described(name, secret))
            .collect();
        let mut answer = json!({ "SecretList": list });
        if let (Some(_), Some((last, _)), Some(answer)) =
            (matching.next(), page.last(), answer.as_object_mut())
        {
            answer.insert("NextToken".to_owned(), Value::from(last.as_str()));
        }
        Ok(answer)
    }

    fn create_secret(&self, request: &Value) -> Result<Value, Refused> {
        let name = text(request, "Name").ok_or_else(|| invalid("Name is required"))?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
        if name.is_empty() || name.len() > 512 || !name.chars().all(allowed) {
            return Err(Refused("ValidationException", "Invalid name.".to_owned()));
        }
        let value = secret_string(request)?;
        let version_id = version_id(request)?;
        let existing = held(&self.shared.secrets).get(name).cloned();
        if let Some(secret) = existing {
            alive(&secret)?;
            // The same request again, after a lost answer, is no conflict.
            if secret.version_id != version_id || secret.value != value {
                return Err(Refused(
                    "ResourceExistsException",
                    format!("A secret named {name} already exists."),
                ));
            }
        } else {
            self.set(name, value, &version_id)?;
        }
        Ok(json!({ "ARN": arn(name), "Name": name, "VersionId": version_id }))
    }

    fn put_secret_value(&self, request: &Value) -> Result<Value, Refused> {
        let (name, secret) = self.find(request)?;
        alive(&secret)?;
        let value = secret_string(request)?;
        let version_id = version_id(request)?;
        if secret.version_id == version_id && secret.value != value {
            return Err(Refused(
                "ResourceExistsException",
                "this version already has another value".to_owned(),
            ));
        }
        self.set(&name, value, &version_id)?;
        Ok(
            json!({ "ARN": arn(&name), "Name": name, "VersionId": version_id, "VersionStages": ["AWSCURRENT"] }),
        )
    }

    fn delete_secret(&self, request: &Value) -> Result<Value, Refused> {
        let (name, secret) = self.find(request)?;
        let at = now();
        let for_good = request
            .get("ForceDeleteWithoutRecovery")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        self.change(|secrets| {
            if for_good {
                secrets.remove(&name);
            } else {
                secrets.insert(
                    name.clone(),
                    Secret {
                        deleted: Some(at),
                        ..secret
                    },
                );
            }
        })?;
        Ok(json!({ "ARN": arn(&name), "Name": name, "DeletionDate": at }))
    }

    fn set(&self, name: &str, value: &str, version_id: &str) -> Result<(), Refused> {
        let now = now();
        self.change(|secrets| {
            let created = secrets.get(name).map_or(now, |secret| secret.created);
            let (value, version_id) = (value.to_owned(), version_id.to_owned());
            secrets.insert(
                name.to_owned(),
                Secret {
                    value,
                    version_id,
                    created,
                    changed: now,
                    deleted: None,
                },
            );
        })?;
        Ok(())
    }

    /// The secret that `SecretId` (name or ARN) names.
    fn find(&self, request: &Value) -> Result<(String, Secret), Refused> {
        let id = text(request, "SecretId").ok_or_else(|| invalid("SecretId is required"))?;
        let secrets = held(&self.shared.secrets);
        let found = secrets
            .iter()
            .find(|(name, _)| name.as_str() == id || arn(name) == id);
        found
            .map(|(name, secret)| (name.clone(), secret.clone()))
            .ok_or_else(|| not_found("Secrets Manager can't find the specified secret."))
    }
}

fn refusal(Refused(code, message): &Refused) -> Response {
    let status = if *code == "InternalServiceError" {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::BAD_REQUEST
    };
    aws_json::error(status, CONTENT_TYPE, code, message)
}

fn text<'a>(request: &'a Value, field: &str) -> Option<&'a str> {
    request.get(field).and_then(Value::as_str)
}

fn secret_string(request: &Value) -> Result<&str, Refused> {
    let value =
        text(request, "SecretString").ok_or_else(|| invalid("only SecretString is served here"))?;
    if value.is_empty() || value.len() > VALUE_LIMIT {
        return Err(invalid("SecretString must have 1 to 65536 bytes"));
    }
    Ok(value)
}

/// `ClientRequestToken` names the new version, as in the API; a random id where the client sent none.
fn version_id(request: &Value) -> Result<String, Refused> {
    match text(request, "ClientRequestToken") {
        Some(given) if (32..=64).contains(&given.len()) => Ok(given.to_owned()),
        Some(_) => Err(invalid("ClientRequestToken must have 32 to 64 characters")),
        None => Ok(random_value("")?),
    }
}

fn alive(secret: &Secret) -> Result<(), Refused> {
    match secret.deleted {
        None => Ok(()),
        Some(_) => Err(Refused(
            "InvalidRequestException",
            "the secret was marked for deletion".to_owned(),
        )),
    }
}

fn described(name: &str, secret: &Secret) -> Value {
    let mut stages = serde_json::Map::new();
    stages.insert(secret.version_id.clone(), json!(["AWSCURRENT"]));
    let mut answer = json!({
        "ARN": arn(name), "Name": name, "CreatedDate": secret.created, "LastChangedDate": secret.changed,
        "VersionIdsToStages": stages,
    });
    if let (Some(at), Some(answer)) = (secret.deleted, answer.as_object_mut()) {
        answer.insert("DeletedDate".to_owned(), Value::from(at));
    }
    answer
}

fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:us-east-1:000000000000:secret:{name}-loopbk")
}

fn not_found(message: &str) -> Refused {
    Refused("ResourceNotFoundException", message.to_owned())
}

fn invalid(message: &str) -> Refused {
    Refused("InvalidParameterException", message.to_owned())
}
