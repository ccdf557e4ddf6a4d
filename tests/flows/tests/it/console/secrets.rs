//! Secrets are written and never shown.

use consulate_core::definition::Host;
use consulate_core::table;
use consulate_flows::bundle::PASSPORT;
use consulate_flows::stack::{CLIENT_SECRET, HOST_SECRET, Stack};

use super::{Admin, NOTES};

#[tokio::test]
async fn secrets_are_replaced_and_never_rendered() {
    let stack = Stack::start().await;
    let mut admin = Admin::acting_for(&stack, "ada").await;
    let new = "a-new-client-secret & more";
    let path = format!("/console/passports/{PASSPORT}/secret");
    assert_eq!(
        admin.news(&path, &[("client_secret", new)]).await,
        "secret_set"
    );
    let stored = stack
        .dev
        .secrets
        .get(&format!("consulate/passports/{PASSPORT}"))
        .unwrap();
    let stored: serde_json::Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(stored["client_secret"], new);
    let token_url = serde_json::json!(format!("{}/token", stack.provider_url));
    assert!(stored["endpoints"].as_array().unwrap().contains(&token_url));
    for unusable in ["", " x"] {
        assert_eq!(
            admin.news(&path, &[("client_secret", unusable)]).await,
            "secret_unusable"
        );
    }
    let host = format!("{NOTES}/host-secret");
    let next = "the-next-secret-0123456789";
    assert_eq!(
        admin.news(&host, &[("current", "short")]).await,
        "secret_unusable"
    );
    assert_eq!(
        admin
            .news(&host, &[("current", HOST_SECRET), ("next", next)])
            .await,
        "secret_set"
    );
    let stored = stack.dev.secrets.get("consulate/widgets/notes").unwrap();
    assert_eq!(
        stored,
        serde_json::json!({"host_secrets": [HOST_SECRET, next]}).to_string()
    );
    for page in [
        "/console",
        NOTES,
        "/console/passports",
        "/console/activity",
        "/console/health",
    ] {
        let text = admin.page(page).await;
        for secret in [new, "a-new-client-secret", next, HOST_SECRET, CLIENT_SECRET] {
            assert!(!text.contains(secret), "{page}");
        }
    }
    admin
        .post("/console/passports/none/secret", &[("client_secret", "x")])
        .await
        .expect(404);
    admin
        .post("/console/widgets/none/host-secret", &[("current", next)])
        .await
        .expect(404);
}

#[tokio::test]
async fn a_key_and_the_end_of_a_secret_are_stored_as_the_command_stores_them() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let pem = "-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n";
    for (id, authentication) in [("signs", "private_key_jwt"), ("tells", "body")] {
        let fields = [
            ("provider", "microsoft"),
            ("id", id),
            ("client_id", "c"),
            ("client_authentication", authentication),
        ];
        assert_eq!(
            admin.news("/console/passports", &fields).await,
            "passport_made"
        );
    }
    let page = admin.page("/console/passports").await;
    assert!(page.contains("name=\"certificate_thumbprint\""), "{page}");
    assert!(page.contains("name=\"expires_at\""), "{page}");
    let stored = |id: &str| {
        let stored = stack.dev.secrets.get(&format!("consulate/passports/{id}"));
        serde_json::from_str::<serde_json::Value>(&stored.unwrap()).unwrap()
    };
    let fields = [
        ("private_key", pem),
        ("key_id", "k1"),
        ("certificate_thumbprint", "thumb"),
        ("expires_at", "2027-06-30"),
    ];
    let path = "/console/passports/signs/secret";
    assert_eq!(admin.news(path, &fields).await, "secret_set");
    let signs = stored("signs");
    assert_eq!(signs["private_key"], pem);
    assert_eq!(signs["certificate_thumbprint"], "thumb");
    assert_eq!(signs["expires_at"], "2027-06-30T00:00:00Z");
    let fields = [("client_secret", "s"), ("expires_at", "2027-06-30")];
    let path = "/console/passports/tells/secret";
    assert_eq!(admin.news(path, &fields).await, "secret_set");
    assert_eq!(stored("tells")["expires_at"], "2027-06-30T00:00:00Z");
    let fields = [("client_secret", "t"), ("expires_at", "next summer")];
    assert_eq!(admin.news(path, &fields).await, "expiry_unusable");
    assert_eq!(stored("tells")["client_secret"], "s");
}

#[tokio::test]
async fn only_a_widget_whose_host_signs_has_a_host_secret() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    assert!(admin.page(NOTES).await.contains("/host-secret"));
    let records = stack.dev.target.records();
    let stored = records.read::<Host>(table::host_pk("acme")).await.unwrap();
    let stored = stored.unwrap();
    let issuer: Host = serde_json::from_value(serde_json::json!({
        "id": "acme", "type": "oidc", "issuer": "https://issuer.example", "audience": "consulate",
        "claims": {"user": ["sub"], "organisation": ["org_id"], "email": ["email"]},
    }))
    .unwrap();
    let mut change = records.change();
    change.host("acme", &issuer, Some(&stored)).unwrap();
    assert!(change.commit().await.unwrap());
    assert!(!admin.page(NOTES).await.contains("/host-secret"));
    let was = stack.dev.secrets.get("consulate/widgets/notes");
    let typed = [("current", "another-host-secret-0123456789")];
    let path = format!("{NOTES}/host-secret");
    admin.post(&path, &typed).await.expect(404);
    assert_eq!(stack.dev.secrets.get("consulate/widgets/notes"), was);
}
