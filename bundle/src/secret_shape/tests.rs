//! What `secret set` takes and refuses.

use super::*;
use crate::catalogue::{Catalogue, PassportSettings};
use consulate_core::passport::Credential;

fn text(value: Value) -> SecretText {
    SecretText::new(value.to_string())
}

#[test]
fn a_client_that_signs_has_a_key_and_no_secret() {
    let signs = Passport {
        client_authentication: ClientAuthentication::PrivateKeyJwt,
        ..graph()
    };
    let pem = "-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n";
    let stored = passport(&text(json!({"private_key": pem, "key_id": "k1"})), &signs).unwrap();
    let stored: Value = serde_json::from_str(stored.expose()).unwrap();
    assert_eq!(stored["private_key"], pem);
    assert_eq!(stored["endpoints"], json!(signs.secret_endpoints()));
    for (value, field) in [
        (json!({"private_key": "AA"}), Some("private_key")),
        (json!({"private_key": pem, "key_id": 7}), Some("key_id")),
        (json!({"client_secret": "s"}), None),
        (
            json!({"private_key": pem, "endpoints": ["https://evil.example"]}),
            Some("endpoints"),
        ),
    ] {
        let refused = passport(&text(value.clone()), &signs).unwrap_err();
        assert_eq!(refused.field.as_deref(), field, "{value}");
    }
    let key = json!({ "private_key": pem });
    assert!(
        passport(&text(key), &graph()).is_err(),
        "for clients with a secret"
    );
}

fn graph() -> Passport {
    made("microsoft")
}

fn made(provider: &str) -> Passport {
    let catalogue = Catalogue::built_in().unwrap();
    let settings = PassportSettings {
        id: "p".into(),
        client_id: "client".into(),
        ..PassportSettings::default()
    };
    catalogue
        .get(provider)
        .unwrap()
        .passport(&settings)
        .unwrap()
}

#[test]
fn names_are_those_of_widgets_and_passports() {
    assert_eq!(
        Name::read("widgets/calendar"),
        Ok(Name::Widget("calendar".into()))
    );
    assert_eq!(
        Name::read("passports/graph"),
        Ok(Name::Passport("graph".into()))
    );
    assert_eq!(
        Name::read("passports/w.Some-Name"),
        Ok(Name::Passport("w.Some-Name".into()))
    );
    for name in [
        "",
        "calendar",
        "widgets/",
        "widgets/a.b",
        "widgets/A",
        "widgets/a/b",
        "passports/a.b.c",
        "passports/.b",
        "keys/access",
        "consulate/widgets/a",
        "other/a",
    ] {
        assert!(Name::read(name).is_err(), "{name}");
    }
}

#[test]
fn host_secrets_are_one_or_more_long_texts() {
    let good = json!({"host_secrets": ["sixteen-letters-", "sixteen-letters+"]});
    assert_eq!(
        widget(&text(good.clone())).unwrap().expose(),
        good.to_string()
    );
    for (bad, field) in [
        (json!({}), "host_secrets"),
        (json!({"host_secrets": "sixteen-letters-"}), "host_secrets"),
        (json!({"host_secrets": []}), "host_secrets"),
        (
            json!({"host_secrets": ["sixteen-letters-", "short"]}),
            "host_secrets[1]",
        ),
        (json!({"host_secrets": [7]}), "host_secrets[0]"),
        (
            json!({"host_secrets": ["sixteen-letters-\n"]}),
            "host_secrets[0]",
        ),
    ] {
        assert_eq!(
            widget(&text(bad)).unwrap_err().field.as_deref(),
            Some(field)
        );
    }
}

#[test]
fn a_client_secret_is_stored_with_the_addresses_it_may_be_sent_to() {
    let passport_of = graph();
    let stored = passport(&text(json!({"client_secret": "s"})), &passport_of).unwrap();
    let (secret, endpoints) = read_client_secret(&stored).unwrap();
    assert_eq!(
        (secret.expose(), endpoints),
        ("s", passport_of.secret_endpoints())
    );
    let given = json!({"client_secret": "s", "endpoints": passport_of.secret_endpoints()});
    assert!(passport(&text(given), &passport_of).is_ok());
    for (bad, field) in [
        (json!({}), "client_secret"),
        (json!({"client_secret": ""}), "client_secret"),
        (json!({"client_secret": " s"}), "client_secret"),
        (
            json!({"client_secret": "s", "endpoints": ["https://evil.example/token"]}),
            "endpoints",
        ),
        (
            json!({"client_secret": "s", "endpoints": "all"}),
            "endpoints",
        ),
    ] {
        assert_eq!(
            passport(&text(bad), &passport_of)
                .unwrap_err()
                .field
                .as_deref(),
            Some(field)
        );
    }
}

#[test]
fn a_public_client_has_no_secret() {
    let public = Passport {
        client_authentication: ClientAuthentication::None,
        ..graph()
    };
    assert!(passport(&text(json!({"client_secret": "s"})), &public).is_err());
}

#[test]
fn a_passport_without_a_client_has_no_secret() {
    let typed = Passport {
        credential: Credential::PersonalAccessToken,
        ..graph()
    };
    let refusal = passport(&text(json!({"client_secret": "s"})), &typed).unwrap_err();
    assert!(refusal.problem.contains("has no client"));
}

#[test]
fn a_secret_goes_to_every_address_that_takes_it_and_to_no_other() {
    let endpoints = |provider: &str| {
        let stored = passport(&text(json!({"client_secret": "s"})), &made(provider)).unwrap();
        read_client_secret(&stored).unwrap().1
    };
    assert_eq!(
        endpoints("instagram"),
        [
            "https://api.instagram.com/oauth/access_token",
            "https://graph.instagram.com/access_token"
        ]
    );
    assert_eq!(
        endpoints("box"),
        [
            "https://api.box.com/oauth2/revoke",
            "https://api.box.com/oauth2/token"
        ]
    );
    assert_eq!(endpoints("google"), ["https://oauth2.googleapis.com/token"]);
    assert_eq!(
        endpoints("slack"),
        ["https://slack.com/api/oauth.v2.access"]
    );
}

#[test]
fn a_refusal_repeats_nothing_of_the_value() {
    for bad in [
        "canary",
        "{canary",
        r#"["canary"]"#,
        r#"{"canary":1}"#,
        r#"{"host_secrets":["canary"]}"#,
        r#"{"host_secrets":"canary-canary-canary"}"#,
        r#"{"client_secret":"canary-canary-canary"}"#,
    ] {
        let refusal = widget(&SecretText::new(bad)).unwrap_err();
        assert!(!format!("{refusal:?}").contains("canary"), "{bad}");
    }
}

#[test]
fn the_end_of_a_client_secret_is_a_time_and_is_kept() {
    let end = "2027-06-30T00:00:00Z";
    let given = json!({"client_secret": "s", "expires_at": end});
    let stored = passport(&text(given), &graph()).unwrap();
    let stored: Value = serde_json::from_str(stored.expose()).unwrap();
    assert_eq!(
        (&stored["expires_at"], &stored["client_secret"]),
        (&json!(end), &json!("s"))
    );
    for bad in [json!("next summer"), json!(1_800_000_000), Value::Null] {
        let given = json!({"client_secret": "s", "expires_at": bad});
        let refused = passport(&text(given), &graph()).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("expires_at"));
    }
}
