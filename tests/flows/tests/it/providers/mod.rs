//! Every provider of the catalogue: connect, call, expire, renew, call, disconnect, each against a simulator that knows the
//! provider from its documentation and not from our data. Where a consent brings further tokens, each goes the same way.

mod entries {
    //! One journey for every entry, written by the build script.
    include!(concat!(env!("OUT_DIR"), "/entries.rs"));
}

use consulate_core::passport::{Passport, RevocationStyle};
use consulate_fakes::simulators::Simulators;
use consulate_flows::stage::{Stage, THEIRS};
use consulate_flows::wire::Answer;
use serde_json::{Value, json};

/// A further slot of an entry, and a call that takes its token. The API is named after the slot.
struct SlotCall {
    slot: &'static str,
    url: &'static str,
    /// What is asked for in the slot, where the entry leaves that to the operator.
    scope: Option<&'static str>,
}

fn slot_calls(id: &str) -> &'static [SlotCall] {
    match id {
        "slack" => &[SlotCall {
            slot: "user",
            url: "https://slack.com/api/users.profile.get",
            scope: Some("users.profile:read"),
        }],
        "sharepoint" | "sharepoint-intranet" => &[SlotCall {
            slot: "sharepoint",
            url: "https://contoso.sharepoint.com/_api/web",
            scope: None,
        }],
        _ => &[],
    }
}

/// The life of one connection.
async fn journey(family: &str, id: &str) {
    let slots = slot_calls(id);
    let stage = set(family, id, slots).await;
    let passport = stage.passport().await;
    let named: Vec<_> = passport.slots.iter().map(|slot| &*slot.name).collect();
    let called: Vec<_> = slots.iter().map(|call| call.slot).collect();
    assert_eq!(named, called, "{id}: every slot of an entry has a call");
    for api in ["probe"].iter().chain(&called) {
        must_connect(stage.call("ada", api, json!({})).await, "not_connected");
    }

    stage.connect("ada").await;
    let status = stage.status("ada").await;
    let apis = status["apis"].as_array().unwrap();
    assert_eq!(apis.len(), 1 + slots.len(), "{id}: {status}");
    assert!(
        apis.iter().all(|api| api["status"] == "usable"),
        "{id}: {status}"
    );
    if passport
        .profile
        .as_ref()
        .is_some_and(|profile| profile.id_path.is_some())
    {
        assert!(status["account"]["id"].is_string(), "{id}: {status}");
    }
    call_all(&stage, slots).await;

    // Left alone for longer than an access token lives, each is renewed once, by whoever calls next.
    stage.wait(until_stale(&status, &passport, &stage));
    each_is_renewed_once(&stage, slots, "an access token that ended").await;

    // Withdrawn although it has not ended: the API says so in its own words. What renews itself by something else is served
    // all the same; what is renewed by presenting itself waits for the person.
    stage.wait(120);
    stage.family.revoke_access_tokens();
    if passport.renewal.is_none() {
        let why = "what the API says of a withdrawn token";
        each_is_renewed_once(&stage, slots, why).await;
    } else {
        must_connect(
            stage.call("ada", "probe", json!({})).await,
            "provider_refused",
        );
        stage.connect("ada").await;
        call_all(&stage, slots).await;
    }

    let revocations = stage.family.seen().revoke_calls;
    let receipt = stage.disconnect("ada").await;
    assert_eq!(receipt["status"], "disconnected");
    let has_revocation = passport.revocation_url.is_some();
    let expected = if has_revocation {
        "revoked"
    } else {
        "provider_has_none"
    };
    assert_eq!(receipt["revocation"]["result"], expected, "{id}: {receipt}");
    let revocations = stage.family.seen().revoke_calls - revocations;
    let tokens = 1 + u64::try_from(slots.len()).unwrap();
    assert!(
        !has_revocation || revocations >= tokens,
        "{id}: a slot's token is not given back"
    );
    // What signing out leaves is the person's own credential, which stands for no grant.
    if has_revocation && passport.revocation_style != RevocationStyle::SignOut {
        let left = stage.family.live_grants();
        assert_eq!(left, 0, "{id}: the provider has a grant still");
    }
    for slot in [""].iter().chain(&called) {
        let row = stage.row("ada", slot).await.unwrap();
        let is_forgotten = row.access_token.is_none() && row.refresh_token.is_none();
        assert!(is_forgotten, "{id}: a token is kept in the slot {slot:?}");
    }
    // An environment that holds the opened token goes on for 15 s at most, and here the provider may not mind.
    stage.wait(15);
    let calls = stage.family.seen().api_calls;
    for api in ["probe"].iter().chain(&called) {
        must_connect(stage.call("ada", api, json!({})).await, "disconnected");
    }
    assert_eq!(stage.family.seen().api_calls, calls, "{id}");
    no_secret_is_logged(&stage);
}

/// The stage of an entry, with an API for each of `slots`.
async fn set(family: &str, id: &str, slots: &[SlotCall]) -> Stage {
    let stage = Stage::set_with(family, id, |schema, consulate| {
        for call in slots {
            let api = json!({"label": call.slot, "name": call.slot, "method": "GET",
                             "authenticationKey": THEIRS, "url": call.url});
            schema["authenticatedApis"]
                .as_array_mut()
                .unwrap()
                .push(api);
            consulate["apis"][call.slot] = json!({"token_slot": call.slot});
        }
    })
    .await;
    let scopes: Vec<(String, String)> = slots
        .iter()
        .filter_map(|call| Some((call.slot.to_owned(), call.scope?.to_owned())))
        .collect();
    if !scopes.is_empty() {
        let app = stage.simulated().id;
        stage
            .reregister(&app, |passport| passport.slot_scopes = scopes)
            .await;
    }
    stage
}

/// Calls with every token there is.
async fn call_all(stage: &Stage, slots: &[SlotCall]) {
    stage.probe("ada").await;
    for call in slots {
        stage.succeed("ada", call.slot, json!({})).await;
    }
}

/// Calls twice with every token: each first call renews its own, and nothing else.
async fn each_is_renewed_once(stage: &Stage, slots: &[SlotCall], why: &str) {
    let id = &stage.entry.id;
    let before = renewals(stage);
    stage.probe("ada").await;
    stage.probe("ada").await;
    assert_eq!(renewals(stage), before + 1, "{id}: {why}");
    for (call, renewed) in slots.iter().zip(before + 2..) {
        stage.succeed("ada", call.slot, json!({})).await;
        stage.succeed("ada", call.slot, json!({})).await;
        assert_eq!(renewals(stage), renewed, "{id}, slot {}: {why}", call.slot);
    }
}

#[track_caller]
fn must_connect(answer: Answer, reason: &str) {
    answer.expect_problem(424, "authentication_required", "reason", reason);
}

/// Seconds until the access token is to be renewed. Every entry's has an end, told or assumed.
fn until_stale(status: &Value, passport: &Passport, stage: &Stage) -> i64 {
    let id = &stage.entry.id;
    let ends = status["expires_at"].as_str();
    let ends = ends.unwrap_or_else(|| panic!("{id}: no end in {status}"));
    let ends = consulate_core::clock::Timestamp::parse_rfc3339(ends).unwrap();
    let lifetime = ends.since(stage.dev.clock.now()) / 1000;
    let ahead = passport.renew_ahead_seconds.unwrap_or(0);
    lifetime - i64::try_from(ahead).unwrap() + 5
}

/// Token requests so far.
fn renewals(stage: &Stage) -> usize {
    stage.family.token_requests().len()
}

fn no_secret_is_logged(stage: &Stage) {
    let id = &stage.entry.id;
    let log = stage.log.lock().unwrap().join("\n");
    let secrets = stage.family.issued_secrets();
    assert!(!log.is_empty() && secrets.len() >= 2, "{id}");
    for secret in secrets {
        assert!(!log.contains(&secret), "{id}: a credential is in the log");
    }
}
