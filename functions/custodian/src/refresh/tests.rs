//! What is decided about a row before anything is sent.

use consulate_core::connection::Health;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn passport(rotation: &str) -> Passport {
    let passport = serde_json::json!({
        "id": "p", "name": "P", "provider": "p", "client_id": "c", "api_hosts": [], "refresh_rotation": rotation,
        "authorize_url": "https://login.example.com/authorize", "token_url": "https://login.example.com/token",
    });
    serde_json::from_value(passport).unwrap()
}

/// A connection whose stored refresh token has the fingerprint `stored`, with an open attempt to spend `attempted`.
fn connection(stored: &[u8], attempted: &[u8]) -> Connection {
    Connection {
        key: serde_json::from_str(r#"{"passport":"p","owner":"o"}"#).unwrap(),
        grant_id: "g".into(),
        access_token: None,
        refresh_token: Some(vec![1]),
        fingerprint: Some(stored.to_vec()),
        expires_at: Some(NOW),
        lifetime_seconds: Some(60),
        refresh_expires_at: None,
        fields: Default::default(),
        version: 1,
        epoch: 2,
        lease: None,
        attempt: Some(Attempt {
            epoch: 2,
            fingerprint: attempted.to_vec(),
            started_at: NOW,
            refusals: 0,
            owner: "a.1".into(),
        }),
        saved_at: NOW,
        used_at: None,
        health: Health::Connected,
        backoff_until: None,
        config_version: "c".into(),
        connected_at: NOW,
        given_up_because: None,
        receipt: None,
        due: None,
        subject: None,
        reminded_for: None,
        health_since: None,
    }
}

#[test]
fn only_a_single_use_token_that_is_still_the_stored_one_needs_recovery() {
    let needed = |stored, attempted, rotation| {
        recovery(&connection(stored, attempted), &passport(rotation)).is_some()
    };
    assert!(needed(b"1", b"1", "single_use"));
    assert!(!needed(b"1", b"1", "reusable"));
    assert!(
        !needed(b"2", b"1", "single_use"),
        "another one was stored since"
    );
}

#[test]
fn nothing_open_needs_no_recovery() {
    let mut seen = connection(b"1", b"1");
    seen.attempt = None;
    assert!(recovery(&seen, &passport("single_use")).is_none());
}

#[test]
fn a_wait_is_told_in_whole_seconds_and_never_as_none() {
    for (millis, seconds) in [
        (-5_000, 1),
        (0, 1),
        (1, 1),
        (1_000, 1),
        (1_001, 2),
        (90_000, 90),
    ] {
        let answer = back_off(NOW.plus_millis(millis), NOW);
        assert_eq!(
            answer,
            Answer::BackOff {
                retry_after: seconds
            },
            "{millis}"
        );
    }
}

/// S-46: the token call is over well before the lease lapses, and the attempt's holder dies after both.
#[test]
fn a_token_call_ends_before_its_lease_and_the_lease_before_its_holder() {
    assert!(POST_TIMEOUT * 2 < LEASE);
    assert!(LEASE * 2 < FUNCTION_TIMEOUT);
}
