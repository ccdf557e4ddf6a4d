//! Salesforce's data APIs on an org's own host: REST, whose errors are arrays, and SOAP, whose errors are 500.

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

use crate::simulators::call::{Call, answer};
use crate::simulators::desk::{Caller, Desk};
use crate::simulators::levers::throttled;
use crate::simulators::plain::{missing_page, text};

/// `/services/data/v{N}.0/…` and `/services/Soap/u/{N}.0`.
pub(super) fn answer_data(desk: &Desk, call: &Call) -> Response {
    let segments = call.segments();
    match segments.as_slice() {
        ["services", "Soap", "u", version] if is_version(version) => soap(desk, call),
        ["services", "data", version, path @ ..]
            if version.strip_prefix('v').is_some_and(is_version) =>
        {
            rest(desk, call, version, path)
        }
        _ => missing_page(),
    }
}

/// `62.0`.
fn is_version(text: &str) -> bool {
    text.strip_suffix(".0").is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The session's owner: it must be live, of this very instance, and for the API. Counts refusals.
fn admit(desk: &Desk, call: &Call, token: Option<&str>) -> Option<Caller> {
    let caller = desk.present(token).ok()?;
    let scopes = &caller.access.scopes;
    let is_for_api = scopes.iter().any(|scope| scope == "api" || scope == "full");
    if caller.access.audience == call.host && is_for_api {
        return Some(caller);
    }
    desk.count_unauthorized();
    None
}

/// An error of the REST API: an array of one.
fn refuse(status: u16, code: &str, message: &str) -> Response {
    answer(status, &json!([{ "message": message, "errorCode": code }]))
}

fn rest(desk: &Desk, call: &Call, version: &str, path: &[&str]) -> Response {
    let token = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    let Some(caller) = admit(desk, call, token) else {
        return refuse(401, "INVALID_SESSION_ID", "Session expired or invalid");
    };
    if throttled(desk).is_some() {
        return refuse(
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
        );
    }
    if call.method != Method::GET {
        return refuse(
            405,
            "METHOD_NOT_ALLOWED",
            "HTTP Method not allowed. Allowed are GET",
        );
    }
    match path {
        ["query"] | ["query", ""] => query(&caller, call, version),
        ["sobjects"] | ["sobjects", ""] => answer(
            200,
            &json!({
                "encoding": "UTF-8",
                "maxBatchSize": 200,
                "sobjects": [
                    { "name": "Account", "label": "Account", "queryable": true },
                    { "name": "Contact", "label": "Contact", "queryable": true },
                ],
                "query": call.query_pairs(),
            }),
        ),
        _ => refuse(404, "NOT_FOUND", "The requested resource does not exist"),
    }
}

/// `?q=SELECT … FROM {object}`: one record of that object.
fn query(caller: &Caller, call: &Call, version: &str) -> Response {
    let params = call.query_params();
    let soql = params.get("q").unwrap_or("");
    let mut words = soql.split_whitespace();
    let selects = words
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("select"));
    let object = words
        .skip_while(|word| !word.eq_ignore_ascii_case("from"))
        .nth(1);
    let (true, Some(object)) = (selects, object) else {
        return refuse(400, "MALFORMED_QUERY", "unexpected token: query");
    };
    let id = "001ACME00000001";
    let url = format!("/services/data/{version}/sobjects/{object}/{id}");
    let record = json!({
        "attributes": { "type": object, "url": url },
        "Id": id,
        "Name": format!("{object} of {}", caller.account.name),
    });
    let body: Value = json!({
        "totalSize": 1,
        "done": true,
        "records": [record],
        "query": call.query_pairs(),
    });
    answer(200, &body)
}

/// The session is in the header `Authorization`, or in the envelope's `sessionId`.
fn soap(desk: &Desk, call: &Call) -> Response {
    let body = String::from_utf8_lossy(&call.body);
    let in_envelope = body
        .split_once("sessionId>")
        .and_then(|(_, rest)| rest.split_once('<'))
        .map(|(token, _)| token.trim());
    let in_header = call
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    let Some(caller) = admit(desk, call, in_header.or(in_envelope)) else {
        return fault(
            "INVALID_SESSION_ID",
            "Invalid Session ID found in SessionHeader: Illegal Session",
        );
    };
    if throttled(desk).is_some() {
        return fault("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
    }
    let result = format!(
        "<getUserInfoResponse><result><userId>{}</userId><userEmail>{}</userEmail></result></getUserInfoResponse>",
        caller.account.id, caller.account.email
    );
    envelope(200, &result)
}

fn fault(code: &str, message: &str) -> Response {
    let fault = format!(
        "<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring></soapenv:Fault>"
    );
    envelope(500, &fault)
}

fn envelope(status: u16, content: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:sf=\"urn:fault.partner.soap.sforce.com\"><soapenv:Body>{content}</soapenv:Body></soapenv:Envelope>"
    );
    text(status, "text/xml; charset=utf-8", body)
}
