//! The resources behind Microsoft's tokens: who checks what, and the smaller APIs (Power BI, Yammer, SharePoint).

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method, header};
use serde_json::json;

use super::errors::CLAIMS;
use super::graph;
use super::policy;
use super::scopes::{GRAPH, POWER_BI, YAMMER};
use crate::simulators::call::{Call, answer};
use crate::simulators::desk::{Caller, Desk, Stranger};
use crate::simulators::flow;
use crate::simulators::levers;
use crate::simulators::plain::with_header;

/// Why a token is turned away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unfit {
    Missing,
    Expired,
    Unknown,
    /// Live, and made for another resource.
    Audience,
    /// Live, and a policy asks for a newer sign-in.
    Challenged,
}

/// The resource that a host is.
fn resource(host: &str) -> String {
    match host {
        "graph.microsoft.com" => GRAPH.to_owned(),
        "api.powerbi.com" => POWER_BI.to_owned(),
        "www.yammer.com" => YAMMER.to_owned(),
        sharepoint => format!("https://{sharepoint}"),
    }
}

/// Answers an API request at any of the resources.
pub(super) fn answer_call(desk: &Desk, call: &Call) -> Response {
    let caller = match flow::bearer(desk, call) {
        Ok(caller) if policy::is_challenged(desk, &caller.grant) => {
            desk.count_unauthorized();
            return challenge(call);
        }
        Ok(caller) if caller.access.audience == resource(&call.host) => caller,
        Ok(_) => {
            desk.count_unauthorized();
            return unauthorized(call, Unfit::Audience);
        }
        Err(Stranger::Missing) => return unauthorized(call, Unfit::Missing),
        Err(Stranger::Expired) => return unauthorized(call, Unfit::Expired),
        Err(Stranger::Unknown) => return unauthorized(call, Unfit::Unknown),
    };
    if let Some(seconds) = levers::throttled(desk) {
        let mut response = match call.host.as_str() {
            "www.yammer.com" => yammer_fault(429, 33, "Rate limited due to excessive requests."),
            _ => graph::fault(429, "TooManyRequests", "Too many requests."),
        };
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return response;
    }
    match call.host.as_str() {
        "graph.microsoft.com" => graph::answer_call(&caller, call),
        "api.powerbi.com" => power_bi(&caller, call),
        "www.yammer.com" => yammer(&caller, call),
        _ => sharepoint(&caller, call),
    }
}

/// A claims challenge: renewing does not help, only a sign-in that asks for these claims.
fn challenge(call: &Call) -> Response {
    let response = unauthorized(call, Unfit::Challenged);
    let header = format!(
        "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/v2.0/authorize\", \
         error=\"insufficient_claims\", claims=\"{}\"",
        STANDARD.encode(CLAIMS)
    );
    match HeaderValue::try_from(header) {
        Ok(header) => with_header(response, "www-authenticate", header),
        Err(_) => response,
    }
}

fn unauthorized(call: &Call, unfit: Unfit) -> Response {
    match call.host.as_str() {
        "graph.microsoft.com" => {
            let message = match unfit {
                Unfit::Missing => "Access token is empty.",
                Unfit::Expired => "Lifetime validation failed, the token is expired.",
                Unfit::Unknown => "Access token validation failure.",
                Unfit::Audience => "Access token validation failure. Invalid audience.",
                Unfit::Challenged => {
                    "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: \
                     TokenIssuedBeforeRevocationTimestamp"
                }
            };
            graph::fault(401, "InvalidAuthenticationToken", message)
        }
        "api.powerbi.com" => {
            // Power BI has 403 for a token that is merely late.
            let (status, code, message) = match unfit {
                Unfit::Expired => (
                    403,
                    "TokenExpired",
                    "Access token has expired, resubmit with a new access token",
                ),
                _ => (
                    401,
                    "InvalidAuthenticationToken",
                    "The access token is not valid.",
                ),
            };
            answer(
                status,
                &json!({ "error": { "code": code, "message": message } }),
            )
        }
        "www.yammer.com" => yammer_fault(401, 16, "Token not found."),
        _ => {
            let description = match unfit {
                Unfit::Expired => "Invalid JWT token. The token is expired.",
                Unfit::Audience => "Audience validation failed.",
                _ => "Invalid JWT token.",
            };
            answer(401, &json!({ "error_description": description }))
        }
    }
}

/// 404, in the words of the host.
pub(super) fn not_found(call: &Call) -> Response {
    match call.host.as_str() {
        "api.powerbi.com" => answer(
            404,
            &json!({ "error": { "code": "PowerBIEntityNotFound", "pbi.error": { "code": "PowerBIEntityNotFound" } } }),
        ),
        "www.yammer.com" => yammer_fault(404, 20, "The requested resource was not found."),
        "login.microsoftonline.com" => answer(
            404,
            &json!({ "error": "invalid_request", "error_description": "AADSTS900144: no such endpoint" }),
        ),
        "graph.microsoft.com" => graph::not_found(call),
        _ => {
            let message = format!("Cannot find resource for the request {}.", call.path);
            answer(
                404,
                &json!({ "odata.error": {
                    "code": "-1, Microsoft.SharePoint.Client.ResourceNotFoundException",
                    "message": { "lang": "en-US", "value": message },
                } }),
            )
        }
    }
}

fn yammer_fault(status: u16, code: u32, message: &str) -> Response {
    answer(
        status,
        &json!({ "response": { "message": message, "code": code, "stat": "fail" } }),
    )
}

fn power_bi(caller: &Caller, call: &Call) -> Response {
    let account = caller.account;
    let segments = call.segments();
    let kinds = match segments.as_slice() {
        ["v1.0", "myorg", kind] | ["v1.0", "myorg", "groups", _, kind]
            if call.method == Method::GET =>
        {
            *kind
        }
        _ => "",
    };
    let (id, name) = match kinds {
        "reports" => ("report-1", "Report"),
        "dashboards" => ("dashboard-1", "Dashboard"),
        "datasets" => ("dataset-1", "Dataset"),
        "groups" => ("group-1", "Workspace"),
        _ => return not_found(call),
    };
    let entry = json!({
        "id": id,
        "name": format!("{name} of {}", account.name),
        "webUrl": format!("https://app.powerbi.com/{kinds}/{id}"),
    });
    let context = format!("http://api.powerbi.com/v1.0/myorg/$metadata#{kinds}");
    answer(
        200,
        &json!({ "@odata.context": context, "value": [entry], "query": call.query_pairs() }),
    )
}

fn yammer(caller: &Caller, call: &Call) -> Response {
    let account = caller.account;
    let segments = call.segments();
    if call.method != Method::GET {
        return not_found(call);
    }
    let user = json!({
        "type": "user",
        "id": account.id,
        "email": account.email,
        "full_name": account.name,
        "network_name": "Acme",
    });
    let message = json!({
        "id": 1_815,
        "sender_id": account.id,
        "body": { "plain": format!("A note by {}", account.name) },
        "message_type": "update",
    });
    let body = match segments.as_slice() {
        ["api", "v1", "users", "current.json"] => user,
        ["api", "v1", "users.json"] => json!([user]),
        ["api", "v1", "messages.json"] | ["api", "v1", "messages", ..] => json!({
            "messages": [message],
            "references": [user],
            "meta": { "older_available": false, "query": call.query_pairs() },
        }),
        ["api", "v1", "groups.json"] => {
            json!([{ "type": "group", "id": 7, "full_name": format!("Community of {}", account.name) }])
        }
        _ => return not_found(call),
    };
    answer(200, &body)
}

fn sharepoint(caller: &Caller, call: &Call) -> Response {
    let account = caller.account;
    let site = format!("https://{}", call.host);
    // Sites below the root have the same API under their own path.
    let segments = call.segments();
    let api: Vec<&str> = segments
        .iter()
        .skip_while(|segment| **segment != "_api")
        .copied()
        .collect();
    let list = |title: &str| json!({ "Title": title, "ItemCount": 1, "BaseTemplate": 100 });
    let body = match api.as_slice() {
        _ if call.method != Method::GET => return not_found(call),
        ["_api", "web"] => json!({
            "odata.metadata": format!("{site}/_api/$metadata#SP.ApiData.Webs/@Element"),
            "Title": format!("Site of {}", account.name),
            "Url": site,
            "query": call.query_pairs(),
        }),
        ["_api", "web", "currentuser"] => {
            json!({ "Title": account.name, "Email": account.email, "LoginName": account.id })
        }
        ["_api", "web", "lists"] => {
            json!({ "value": [list("Documents")], "query": call.query_pairs() })
        }
        ["_api", "web", "lists", one] if one.starts_with("getbytitle(") => list("Documents"),
        ["_api", "web", "lists", one, "items"] if one.starts_with("getbytitle(") => json!({
            "value": [{ "Id": 1, "Title": format!("Note by {}", account.name) }],
            "query": call.query_pairs(),
        }),
        ["_api", "search", "query"] => json!({
            "PrimaryQueryResult": { "RelevantResults": { "TotalRows": 1 } },
            "owner": account.name,
            "query": call.query_pairs(),
        }),
        _ => return not_found(call),
    };
    answer(200, &body)
}
