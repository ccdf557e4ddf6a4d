//! From an operation's JSON to the engine and back. Blocks on the engine; called from a blocking thread.
//!
//! The engine's request types classify bad input by a marker at the start of serde's message; its own server strips
//! them in a private module, so the few rules are written again here.
//! Source: DynamoDB API reference, "Low-level API" and "Error handling".

use dynoxide::DynoxideError;
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{Engine, Seen};
use crate::held::held;

/// Operations that report the capacity they consumed.
const METERED: [&str; 10] = [
    "BatchGetItem",
    "BatchWriteItem",
    "DeleteItem",
    "GetItem",
    "PutItem",
    "Query",
    "Scan",
    "TransactGetItems",
    "TransactWriteItems",
    "UpdateItem",
];

/// Runs `operation`: what the log shall say, the HTTP status and the body.
pub(super) fn run(engine: &Engine, operation: &str, body: &str) -> (Seen, StatusCode, String) {
    let mut seen = Seen {
        operation: operation.to_owned(),
        table: String::new(),
        keys: Vec::new(),
        consumed: None,
        consumed_by_indexes: 0.0,
        error: None,
    };
    let Ok(Value::Object(mut request)) = serde_json::from_str::<Value>(body) else {
        seen.error = Some("SerializationException".to_owned());
        let answer = json!({ "__type": "com.amazon.coral.service#SerializationException" });
        return (seen, StatusCode::BAD_REQUEST, answer.to_string());
    };
    let named = named_items(engine, operation, &request);
    seen.table = named
        .first()
        .map(|(table, _)| table.clone())
        .unwrap_or_default();
    seen.keys = named.into_iter().filter_map(|(_, key)| key).collect();

    // Always metered, for the log; the client gets the figure only if it asked.
    let metered = METERED.contains(&operation);
    let asked = matches!(request.get("ReturnConsumedCapacity"), Some(Value::String(level)) if level != "NONE");
    if metered && !asked {
        request.insert("ReturnConsumedCapacity".to_owned(), Value::from("INDEXES"));
    }
    let outcome = call(engine, operation, &Value::Object(request).to_string());
    match outcome {
        Ok(mut answer) => {
            if metered {
                let consumed = answer.get("ConsumedCapacity");
                seen.consumed = consumed.map(units);
                seen.consumed_by_indexes = consumed.map_or(0.0, index_units);
                if let (false, Value::Object(answer)) = (asked, &mut answer) {
                    answer.remove("ConsumedCapacity");
                }
            }
            (seen, StatusCode::OK, answer.to_string())
        }
        Err(error) => {
            let error = worded_for(operation, error);
            seen.error = error.error_type().rsplit('#').next().map(str::to_owned);
            let status = StatusCode::from_u16(error.status_code())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (seen, status, error.to_json())
        }
    }
}

/// Runs `operation` as it is asked for.
pub(super) fn apply(engine: &Engine, operation: &str, request: &Value) -> anyhow::Result<Value> {
    call(engine, operation, &request.to_string()).map_err(anyhow::Error::new)
}

/// The engine's answer as JSON.
fn call(engine: &Engine, operation: &str, body: &str) -> Result<Value, DynoxideError> {
    let database = &engine.database;
    match operation {
        "CreateTable" => written(&database.create_table(read(body)?)?),
        "DeleteTable" => written(&database.delete_table(read(body)?)?),
        "DescribeTable" => written(&database.describe_table(read(body)?)?),
        "ListTables" => written(&database.list_tables(read(body)?)?),
        "UpdateTable" => written(&database.update_table(read(body)?)?),
        "UpdateTimeToLive" => written(&database.update_time_to_live(read(body)?)?),
        "DescribeTimeToLive" => written(&database.describe_time_to_live(read(body)?)?),
        "GetItem" => written(&database.get_item(read(body)?)?),
        "PutItem" => written(&database.put_item(read(body)?)?),
        "UpdateItem" => written(&database.update_item(read(body)?)?),
        "DeleteItem" => written(&database.delete_item(read(body)?)?),
        "BatchGetItem" => written(&database.batch_get_item(read(body)?)?),
        "BatchWriteItem" => written(&database.batch_write_item(read(body)?)?),
        "TransactGetItems" => written(&database.transact_get_items(read(body)?)?),
        "TransactWriteItems" => written(&database.transact_write_items(read(body)?)?),
        "Query" => written(&database.query(read(body)?)?),
        "Scan" => written(&database.scan(read(body)?)?),
        _ => Err(DynoxideError::ValidationException(format!(
            "{operation} is not served here"
        ))),
    }
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, DynoxideError> {
    serde_json::from_str(body).map_err(|error| classify(&error.to_string()))
}

fn written(answer: &impl Serialize) -> Result<Value, DynoxideError> {
    serde_json::to_value(answer)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// The error that serde's message stands for.
fn classify(message: &str) -> DynoxideError {
    for (marker, keeps_position) in [
        ("SERIALIZATION_AS_READ:", true),
        ("VALIDATION_AS_READ:", true),
        ("SERIALIZATION:", false),
        ("VALIDATION_REQUEST:", false),
        ("VALIDATION:", false),
    ] {
        let Some(rest) = message.strip_prefix(marker) else {
            continue;
        };
        let text = if keeps_position {
            rest
        } else {
            without_position(rest)
        }
        .to_owned();
        return match marker {
            "VALIDATION_REQUEST:" => DynoxideError::EnvelopedValidation(text),
            "VALIDATION:" | "VALIDATION_AS_READ:" => DynoxideError::ValidationException(text),
            _ => DynoxideError::SerializationException(text),
        };
    }
    let refused_value = message.contains("AttributeValue");
    let missing = ["missing field", "unknown variant", "invalid type: null"]
        .iter()
        .any(|phrase| message.contains(phrase));
    let text = without_position(message).to_owned();
    if missing || refused_value {
        DynoxideError::ValidationException(text)
    } else {
        DynoxideError::SerializationException(text)
    }
}

/// `message` without serde_json's ` at line N column N`.
fn without_position(message: &str) -> &str {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(text, _)| text)
}

/// Puts request validation into the envelope that these operations answer with.
fn worded_for(operation: &str, error: DynoxideError) -> DynoxideError {
    match error {
        DynoxideError::EnvelopedValidation(text)
            if matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem") =>
        {
            DynoxideError::ValidationException(format!("1 validation error detected: {text}"))
        }
        other => other,
    }
}

/// The units of one `ConsumedCapacity`, or of a list of them.
fn units(consumed: &Value) -> f64 {
    match consumed {
        Value::Array(all) => all.iter().map(units).sum(),
        one => one
            .get("CapacityUnits")
            .and_then(Value::as_f64)
            .unwrap_or(0.0),
    }
}

/// The units of `ConsumedCapacity` that global indexes consumed.
fn index_units(consumed: &Value) -> f64 {
    if let Value::Array(all) = consumed {
        return all.iter().map(index_units).sum();
    }
    let indexes = consumed
        .get("GlobalSecondaryIndexes")
        .and_then(Value::as_object);
    indexes
        .into_iter()
        .flatten()
        .map(|(_, one)| units(one))
        .sum()
}

/// The tables a request names, each with the primary key of the item it means (none for a table or a query).
fn named_items(
    engine: &Engine,
    operation: &str,
    request: &Map<String, Value>,
) -> Vec<(String, Option<Value>)> {
    match operation {
        "TransactWriteItems" | "TransactGetItems" => {
            let actions = request.get("TransactItems").and_then(Value::as_array);
            let actions = actions.into_iter().flatten().filter_map(Value::as_object);
            actions
                .flat_map(Map::values)
                .filter_map(|action| one_item(engine, action.as_object()?))
                .collect()
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = request.get("RequestItems").and_then(Value::as_object);
            tables
                .into_iter()
                .flatten()
                .flat_map(|(table, named)| batch_items(engine, table, named))
                .collect()
        }
        _ => one_item(engine, request).into_iter().collect(),
    }
}

/// Table and key of an object with `TableName` and `Key` or `Item`.
fn one_item(engine: &Engine, named: &Map<String, Value>) -> Option<(String, Option<Value>)> {
    let table = named.get("TableName")?.as_str()?;
    let of_item = || Some(key_of(engine, table, named.get("Item")?));
    Some((table.to_owned(), named.get("Key").cloned().or_else(of_item)))
}

/// The items of one table of a batch: `{"Keys":[…]}`, or a list of put and delete requests.
fn batch_items(engine: &Engine, table: &str, named: &Value) -> Vec<(String, Option<Value>)> {
    let keys = named
        .get("Keys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .cloned();
    let writes = named.as_array().into_iter().flatten().filter_map(|write| {
        let deleted = write.pointer("/DeleteRequest/Key").cloned();
        deleted.or_else(|| Some(key_of(engine, table, write.pointer("/PutRequest/Item")?)))
    });
    keys.chain(writes)
        .map(|key| (table.to_owned(), Some(key)))
        .collect()
}

/// The primary key within a whole item.
fn key_of(engine: &Engine, table: &str, item: &Value) -> Value {
    let mut names = held(&engine.shared.key_names)
        .get(table)
        .cloned()
        .unwrap_or_default();
    if names.is_empty() {
        names = key_names(engine, table);
        held(&engine.shared.key_names).insert(table.to_owned(), names.clone());
    }
    let key = names
        .into_iter()
        .filter_map(|name| item.get(&name).cloned().map(|value| (name, value)));
    Value::Object(key.collect())
}

/// Attribute names of the table's primary key; empty for a table that is not there.
fn key_names(engine: &Engine, table: &str) -> Vec<String> {
    let described = call(
        engine,
        "DescribeTable",
        &json!({ "TableName": table }).to_string(),
    );
    let schema = described
        .ok()
        .and_then(|answer| answer.pointer("/Table/KeySchema").cloned());
    let schema = schema
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    schema
        .filter_map(|part| part.get("AttributeName")?.as_str().map(str::to_owned))
        .collect()
}
