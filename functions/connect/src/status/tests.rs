//! Status documents, from what is stored.

use consulate_core::connection::{Connection, Health, RevocationResult};
use consulate_core::connections::Details;
use consulate_core::table::ConnectionKey;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn widget() -> Widget {
    let api = |name: &str, key: &str, scopes: &[&str]| json!({"name": name, "method": "GET", "url": "https://api.example/x", "authentication_key": key, "scopes": scopes});
    serde_json::from_value(json!({
        "id": "w",
        "authentications": [{"auth_key": "acme", "label": "Acme", "provider": "custom:acme", "passport": "w.acme", "owner": "user"}],
        "apis": [api("events", "acme", &["read"]), api("write", "acme", &["read", "write"]), api("other", "elsewhere", &[])],
    }))
    .unwrap()
}

fn passport() -> Passport {
    serde_json::from_value(json!({
        "id": "w.acme", "name": "Acme", "provider": "custom:acme", "client_id": "c",
        "authorize_url": "https://login.example/a", "token_url": "https://login.example/t", "api_hosts": [],
    }))
    .unwrap()
}

fn known() -> Known {
    let connection = Connection {
        key: ConnectionKey::new("w.acme", serde_json::from_value(json!("owner")).unwrap()),
        grant_id: "g".into(),
        access_token: Some(vec![1]),
        refresh_token: Some(vec![2]),
        fingerprint: Some(vec![3]),
        expires_at: Some(NOW.plus_seconds(3_600)),
        lifetime_seconds: Some(3_600),
        refresh_expires_at: None,
        fields: Default::default(),
        version: 1,
        epoch: 1,
        lease: None,
        attempt: None,
        saved_at: NOW,
        used_at: Some(NOW),
        health: Health::Connected,
        backoff_until: None,
        config_version: passport().config_version(),
        connected_at: NOW,
        given_up_because: None,
        receipt: None,
        due: None,
        subject: None,
        reminded_for: None,
        health_since: None,
    };
    let account = Account {
        id: Some("a1".into()),
        email: Some("a@b.example".into()),
        name: None,
    };
    let details = Details {
        account: Some(account),
        scopes: vec!["read".into()],
        ..Details::default()
    };
    (connection, details)
}

fn shown(bound: Option<Option<Known>>, now: Timestamp) -> serde_json::Value {
    let (widget, passport) = (widget(), passport());
    let bound = bound.map(|known| (&passport, vec![(String::new(), known)]));
    serde_json::to_value(document(&widget, &widget.authentications[0], bound, now)).unwrap()
}

#[test]
fn a_connected_account_is_shown_with_what_it_can_do() {
    assert_eq!(
        shown(Some(Some(known())), NOW),
        json!({
            "auth_key": "acme", "label": "Acme", "provider": "custom:acme", "passport": "w.acme", "owner": "user",
            "delivery": "server", "status": "connected", "reason": null,
            "account": {"id": "a1", "email": "a@b.example", "name": null}, "scopes": ["read"],
            "connected_at": "2027-01-15T08:00:00Z", "expires_at": "2027-01-15T09:00:00Z", "reauthorise_by": null,
            "revocation": null,
            "apis": [{"name": "events", "status": "usable", "missing_scopes": []},
                     {"name": "write", "status": "missing_scopes", "missing_scopes": ["write"]}],
        })
    );
}

#[test]
fn nothing_connected_is_told_from_nothing_bound() {
    let (unbound, bound) = (shown(None, NOW), shown(Some(None), NOW));
    assert_eq!(
        (&unbound["status"], &unbound["reason"]),
        (&json!("not_connected"), &json!("not_bound"))
    );
    assert_eq!(
        (&bound["status"], &bound["reason"]),
        (&json!("not_connected"), &json!(null))
    );
    assert_eq!(bound["apis"][0]["status"], "not_connected");
    assert_eq!(
        (&bound["account"], &bound["connected_at"]),
        (&json!(null), &json!(null))
    );
}

#[test]
fn an_expired_access_token_matters_only_where_it_cannot_be_renewed() {
    let later = NOW.plus_seconds(3_600);
    assert_eq!(shown(Some(Some(known())), later)["status"], "connected");
    let mut known = known();
    known.0.refresh_token = None;
    let document = shown(Some(Some(known)), later);
    assert_eq!(
        (&document["status"], &document["reason"]),
        (&json!("needs_reauthorisation"), &json!("provider_refused"))
    );
    assert_eq!(document["apis"][0]["status"], "needs_reauthorisation");
}

#[test]
fn a_changed_passport_asks_for_a_new_connection() {
    let mut known = known();
    known.0.config_version = "another".into();
    let document = shown(Some(Some(known)), NOW);
    assert_eq!(
        (&document["status"], &document["reason"]),
        (&json!("needs_reauthorisation"), &json!("config_changed"))
    );
}

#[test]
fn a_disconnected_account_shows_its_receipt_and_nobody() {
    let mut known = known();
    known.0.health = Health::Disconnected;
    known.0.receipt = Some(Receipt {
        result: RevocationResult::Revoked,
        at: NOW.rfc3339(),
        attempts: 1,
    });
    let document = shown(Some(Some(known)), NOW);
    assert_eq!(document["status"], "disconnected");
    assert_eq!(
        document["revocation"],
        json!({"result": "revoked", "at": "2027-01-15T08:00:00Z", "attempts": 1})
    );
    assert_eq!(
        (&document["account"], &document["scopes"]),
        (&json!(null), &json!([]))
    );
    assert_eq!(document["expires_at"], json!(null));
}

/// The status of an API that takes the token of the slot `user`, and its missing scopes.
fn api_of_user(main: Option<Known>, user: Option<Known>) -> (serde_json::Value, serde_json::Value) {
    let mut widget = widget();
    widget.apis[0].token_slot = "user".into();
    let mut passport = passport();
    let slot = json!({"name": "user", "scopes": ["as_user"]});
    passport.slots = vec![serde_json::from_value(slot).unwrap()];
    let rows = vec![("user".to_owned(), user), (String::new(), main)];
    let authentication = &widget.authentications[0];
    let document = document(&widget, authentication, Some((&passport, rows)), NOW);
    let document = serde_json::to_value(document).unwrap();
    let api = &document["apis"][0];
    (api["status"].clone(), api["missing_scopes"].clone())
}

#[test]
fn a_slot_stands_as_the_main_one_does_before_anything_is_said_of_scopes() {
    let (none, read, as_user) = (json!([]), json!(["read"]), json!(["as_user"]));
    let changed = |change: fn(&mut Known)| {
        let mut known = known();
        change(&mut known);
        Some(known)
    };
    let usable = || Some(known());
    let disconnected = || changed(|(row, _)| row.health = Health::Disconnected);
    let other = || changed(|(row, _)| row.config_version = "another".into());
    let of_another_grant = || changed(|(row, _)| row.grant_id = "g0".into());
    let told_apart = || {
        changed(|(_, details)| {
            details.slot_scopes = [
                (String::new(), vec!["read".into()]),
                ("user".into(), vec![]),
            ]
            .into();
        })
    };
    for (main, user, status, missing) in [
        (usable(), usable(), "usable", &none),
        (told_apart(), usable(), "missing_scopes", &read),
        (usable(), None, "missing_scopes", &as_user),
        (usable(), of_another_grant(), "missing_scopes", &as_user),
        (disconnected(), None, "not_connected", &none),
        (disconnected(), usable(), "not_connected", &none),
        (other(), None, "needs_reauthorisation", &none),
        (None, usable(), "not_connected", &none),
    ] {
        let expected = (json!(status), missing.clone());
        assert_eq!(api_of_user(main, user), expected);
    }
}
