//! Making a passport in the console, by the rules of `consulate passports add`.

use consulate_core::definition::Passport;
use consulate_core::table;
use consulate_flows::stack::Stack;

use super::{Admin, hidden};

const PASSPORTS: &str = "/console/passports";

async fn stored(stack: &Stack, id: &str) -> Option<Passport> {
    let records = stack.dev.target.records();
    let record = records.read::<Passport>(table::passport_pk(id)).await;
    record.unwrap().map(|record| record.definition)
}

#[tokio::test]
async fn a_passport_is_made_with_its_secret_and_hosts() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let page = admin.page("/console/passports/new").await;
    assert!(page.contains("ServiceNow"), "{page}");
    let page = admin
        .page("/console/passports/new?provider=servicenow")
        .await;
    assert!(page.contains("set.instance"), "{page}");
    let secret = "a-client-secret-of-ours";
    let made = [
        ("provider", "servicenow"),
        ("id", "our-now"),
        ("client_id", "our-client"),
        ("client_secret", secret),
        ("set.instance", "acme.service-now.com"),
        ("scopes", "useraccount"),
    ];
    assert_eq!(admin.news(PASSPORTS, &made).await, "passport_made");
    let passport = stored(&stack, "our-now").await.unwrap();
    assert_eq!(passport.client_id, "our-client");
    assert_eq!(passport.scopes, ["useraccount"]);
    assert!(!passport.browser_delivery);
    let hosts = passport.api_hosts.join(" ");
    assert!(hosts.contains("acme"), "{hosts}");
    let document = stack
        .dev
        .secrets
        .get("consulate/passports/our-now")
        .unwrap();
    assert!(document.contains(secret) && document.contains(&passport.token_url));
    for page in [PASSPORTS, "/console/activity"] {
        let page = admin.page(page).await;
        assert!(page.contains("our-now") && !page.contains(secret), "{page}");
    }
}

#[tokio::test]
async fn what_makes_no_passport_is_said_and_stores_nothing() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    for (provider, id, client_id, instance, said) in [
        (
            "servicenow",
            "Our Now",
            "c",
            "acme.service-now.com",
            "cannot be an id",
        ),
        (
            "servicenow",
            "our-now",
            " ",
            "acme.service-now.com",
            "client id is needed",
        ),
        ("servicenow", "our-now", "c", "", "is needed, such as"),
        (
            "servicenow",
            "our-now",
            "c",
            "a/../b",
            "is not what it should be",
        ),
        (
            "servicenow",
            "our-now",
            "c",
            "desk.example.com",
            "not one of the provider",
        ),
        ("nobody", "our-now", "c", "acme", "no such provider"),
        ("workplace", "our-now", "c", "acme", "is retired"),
    ] {
        let secret = "typed-secret-that-stays-unsaid";
        let fields = [
            ("provider", provider),
            ("id", id),
            ("client_id", client_id),
            ("set.instance", instance),
            ("client_secret", secret),
        ];
        let page = admin.post(PASSPORTS, &fields).await.expect(200).text();
        assert!(page.contains(said), "{said} in {page}");
        assert!(!page.contains(secret), "{page}");
        assert!(stored(&stack, "our-now").await.is_none());
        assert!(
            stack
                .dev
                .secrets
                .get("consulate/passports/our-now")
                .is_none()
        );
    }
}

#[tokio::test]
async fn another_passport_of_the_same_id_takes_consent_to_what_differs() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let made = |client_id: &'static str| {
        [
            ("provider", "zoom"),
            ("id", "our-zoom"),
            ("client_id", client_id),
        ]
    };
    assert_eq!(admin.news(PASSPORTS, &made("one")).await, "passport_made");
    // The same again is no change.
    assert_eq!(admin.news(PASSPORTS, &made("one")).await, "passport_made");
    let page = admin.post(PASSPORTS, &made("two")).await.expect(200).text();
    assert!(
        page.contains("and it differs") && page.contains("client_id"),
        "{page}"
    );
    let (_, rest) = page.split_once("name=\"agreement\" value=\"").unwrap();
    let agreement = rest.split_once('"').unwrap().0.to_owned();
    let change = |client_id, agreement| {
        let mut fields = made(client_id).to_vec();
        fields.extend([("change", "yes"), ("agreement", agreement)]);
        fields
    };
    for fields in [change("two", ""), change("three", &agreement)] {
        admin.post(PASSPORTS, &fields).await.expect(200);
        assert_eq!(stored(&stack, "our-zoom").await.unwrap().client_id, "one");
    }
    assert_eq!(
        admin.news(PASSPORTS, &change("two", &agreement)).await,
        "passport_made"
    );
    assert_eq!(stored(&stack, "our-zoom").await.unwrap().client_id, "two");
}

#[tokio::test]
async fn a_passport_made_for_an_account_is_used_for_it_where_it_fits() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let query = "provider=zoom&widget=notes&auth_key=mine";
    let page = admin.page(&format!("/console/passports/new?{query}")).await;
    assert!(page.contains("name=\"auth_key\" value=\"mine\""), "{page}");
    let fields = [
        ("provider", "zoom"),
        ("id", "our-zoom"),
        ("client_id", "c"),
        ("widget", "notes"),
        ("auth_key", "mine"),
    ];
    // That account has the bundle's own passport, so the new one is not used there.
    assert_eq!(admin.news(PASSPORTS, &fields).await, "passport_made");
    let page = admin.page("/console/widgets/notes").await;
    assert!(!page.contains("our-zoom"), "{page}");
}

#[tokio::test]
async fn a_typed_secret_outlives_the_page_of_differences_and_takes_consent_where_it_replaces_one() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let of = |client_id: &'static str, secret: &'static str| {
        vec![
            ("provider", "zoom"),
            ("id", "our-zoom"),
            ("client_id", client_id),
            ("client_secret", secret),
        ]
    };
    let stored = || stack.dev.secrets.get("consulate/passports/our-zoom");
    let (first, second) = ("the-first-secret", "the-second-secret");
    assert_eq!(admin.news(PASSPORTS, &of("c", "")).await, "passport_made");
    assert!(stored().is_none());
    // The record differs, no secret is stored: what was typed goes along, and nobody can read it.
    let page = admin.post(PASSPORTS, &of("d", first)).await.expect(200);
    let page = page.text();
    assert!(
        page.contains("client_id") && !page.contains(first),
        "{page}"
    );
    assert!(page.contains("is going to be stored"), "{page}");
    assert!(stored().is_none());
    let (kept, agreement) = (hidden(&page, "kept_secret"), hidden(&page, "agreement"));
    let mut agreed = of("d", "");
    agreed.extend([
        ("kept_secret", kept.as_str()),
        ("change", "yes"),
        ("agreement", agreement.as_str()),
    ]);
    assert_eq!(admin.news(PASSPORTS, &agreed).await, "passport_made");
    assert!(stored().unwrap().contains(first));
    // Only a secret: replacing the stored one is asked about.
    let page = admin.post(PASSPORTS, &of("d", second)).await.expect(200);
    let page = page.text();
    assert!(page.contains("client secret: the stored one"), "{page}");
    assert!(stored().unwrap().contains(first));
    let (kept, agreement) = (hidden(&page, "kept_secret"), hidden(&page, "agreement"));
    // Another session's is nobody's: nothing is replaced.
    let mut other = Admin::signed_in(&stack).await;
    let mut agreed = of("d", "");
    agreed.extend([
        ("kept_secret", kept.as_str()),
        ("change", "yes"),
        ("agreement", agreement.as_str()),
    ]);
    other.post(PASSPORTS, &agreed).await;
    assert!(stored().unwrap().contains(first));
    assert_eq!(admin.news(PASSPORTS, &agreed).await, "passport_made");
    assert!(stored().unwrap().contains(second));
    let set = |line: &serde_json::Value| {
        line["what"] == "console.secret_set" && line["subject"] == "our-zoom"
    };
    let set = stack.log_lines().into_iter().filter(set).count();
    assert_eq!(set, 2, "each secret that was stored is in the audit log");
}
