//! The fences (S-103): at every route there is, callers of another organisation, of another host, and other users see what
//! they would see if nobody had connected anything, and change nothing of anybody's.
//!
//! The oracle is a second Consulate in which nobody has connected anything: it must give the same answers.

use std::collections::BTreeSet;
use std::path::Path;

use consulate_fakes::qrvey::TokenCall;
use consulate_flows::own::{HEADER, Items, Own, QUERY, SHARED, WIDGET, done};
use consulate_flows::qrvey::API_KEY;
use consulate_flows::routes::{ROUTES, Try, tries};
use consulate_flows::stack::{HOST_SECRET, sign};
use http::Method;
use serde_json::{Value, json};

const KEY: &str = "a-key-of-adas-0123456789";
const OTHER: &str = "desk-elsewhere";
/// Settings of the owners; their value.
const KEPT: [(&str, &str); 2] = [
    ("ada", "settings/user/theme"),
    ("admin", "settings/organisation/theme"),
];
const KEPT_VALUE: &str = r#"{"secret":"of the owners"}"#;

/// Somebody who is not the owner.
#[derive(Clone, Copy, Debug)]
struct Stranger {
    user: &'static str,
    organisation: &'static str,
    widget: &'static str,
    /// Whether the organisation's account is theirs to use.
    is_member: bool,
}

const STRANGERS: [Stranger; 6] = [
    // The same user id in another organisation; its administrator.
    Stranger {
        user: "ada",
        organisation: "o2",
        widget: "desk",
        is_member: false,
    },
    Stranger {
        user: "boss",
        organisation: "o2",
        widget: "desk",
        is_member: false,
    },
    // Another user of the same organisation: a user's account is not theirs.
    Stranger {
        user: "bob",
        organisation: "o1",
        widget: "desk",
        is_member: true,
    },
    // Texts that would meet the owner's, were they joined.
    Stranger {
        user: "1ada",
        organisation: "o",
        widget: "desk",
        is_member: false,
    },
    // The same ids at another host, by the same passports; an administrator there.
    Stranger {
        user: "ada",
        organisation: "o1",
        widget: OTHER,
        is_member: false,
    },
    Stranger {
        user: "admin",
        organisation: "o1",
        widget: OTHER,
        is_member: false,
    },
];

impl Stranger {
    async fn call(self, own: &Own, attempt: &Try) -> (u16, Value) {
        let exp = own.dev.clock.now().seconds() + 300;
        let claims = json!({"exp": exp, "user": {"id": self.user}, "organisation": {"id": self.organisation}});
        let jwt = sign(&claims, HOST_SECRET);
        let answer = own
            .widget_of(
                self.widget,
                attempt.method(),
                attempt.path,
                &jwt,
                attempt.body.to_owned(),
            )
            .await;
        let status = answer.status.as_u16();
        let text = answer.text().replace(&own.dev.base_url, "BASE");
        let mut document = serde_json::from_str(&text).unwrap_or(Value::String(text));
        mask(&mut document);
        (status, document)
    }
}

/// Takes out what differs between any two answers.
fn mask(document: &mut Value) {
    match document {
        Value::Object(members) => {
            for (name, value) in members {
                match name.as_str() {
                    "request_id" | "connect_url" | "expires_at" | "connected_at" | "updated_at"
                    | "at" | "etag" | "qv_token" | "qvToken" | "refresh_after"
                        if value.is_string() =>
                    {
                        *value = json!("…")
                    }
                    _ => mask(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

/// A stage with both widgets.
async fn stage() -> Own {
    let own = Own::start().await;
    own.acme.accept(KEY);
    done(&own.import_as(OTHER, "elsewhere").await);
    let secrets = &own.dev.secrets;
    let host = json!({"host_secrets": [HOST_SECRET]}).to_string();
    secrets
        .put(&format!("consulate/widgets/{OTHER}"), &host)
        .unwrap();
    let api_key = json!({ "api_key": API_KEY }).to_string();
    for widget in [WIDGET, OTHER] {
        secrets
            .put(&format!("consulate/qrvey/{widget}/sales"), &api_key)
            .unwrap();
    }
    own
}

/// Everything somebody can have, had by `ada` and by the organisation `o1`.
async fn settle(own: &Own) {
    let key = json!({ "api_key": KEY });
    own.connected("ada", HEADER, &key).await;
    own.connected("ada", QUERY, &key).await;
    own.connected("admin", SHARED, &key).await;
    for (user, path) in KEPT {
        let jwt = own.jwt(user);
        let kept = own.widget(Method::PUT, path, &jwt, KEPT_VALUE.to_owned());
        kept.await.expect(201);
    }
    let jwt = own.jwt("ada");
    let minted = own.widget(Method::POST, "qrvey/sales", &jwt, "{}".to_owned());
    minted.await.expect(200);
}

/// What the owners have, as it is stored.
async fn theirs(own: &Own, owned: &Items) -> Items {
    let mut items = of_owners(own).await;
    items.retain(|pk, _| owned.contains_key(pk));
    items
}

/// Everything that belongs to somebody.
async fn of_owners(own: &Own) -> Items {
    let kinds = ["CONNECTION#", "DETAILS#", "SETTING#", "SETTINGS#"];
    let mut items = own.items().await;
    items.retain(|pk, _| kinds.iter().any(|kind| pk.starts_with(kind)));
    items
}

/// For whom Qrvey minted, of these token calls: user and organisation.
fn minted_for(calls: &[TokenCall]) -> Vec<(String, String)> {
    let of =
        |body: &'static str| move |call: &TokenCall| call.body[body].as_str().unwrap().to_owned();
    let (user, organisation) = (of("clientid"), of("orgId"));
    calls
        .iter()
        .map(|call| (user(call), organisation(call)))
        .collect()
}

#[tokio::test]
async fn at_every_route_what_is_somebody_elses_looks_unconnected_and_stays_as_it_is() {
    let (empty, own) = tokio::join!(stage(), stage());
    settle(&own).await;
    let owned = of_owners(&own).await;
    assert!(owned.len() >= 10, "{:?}", owned.keys());
    let calls = own.acme.seen_at("/v1/echo").len();
    for stranger in STRANGERS {
        for attempt in tries() {
            // The organisation's account is every member's to see and use, and connections list it too.
            let shared = ["acme-shared", "settings/organisation"];
            if stranger.is_member
                && (attempt.path == "connections"
                    || shared.iter().any(|shared| attempt.path.contains(shared)))
            {
                continue;
            }
            let minted = own.qrvey.calls().len();
            let what = format!("{stranger:?} {} {}", attempt.row.method, attempt.path);
            let expected = stranger.call(&empty, &attempt).await;
            assert_ne!(expected.0, 401, "{what}: {expected:?}");
            let answer = stranger.call(&own, &attempt).await;
            assert_eq!(answer, expected, "{what}");
            // Nobody gets a Qrvey token of another's, and one of their own only.
            let minted = &own.qrvey.calls()[minted..];
            let expected = (attempt.row.function == "qrvey-token")
                .then(|| (stranger.user.to_owned(), stranger.organisation.to_owned()));
            assert_eq!(minted_for(minted), Vec::from_iter(expected), "{what}");
            assert_eq!(theirs(&own, &owned).await, owned, "{what}");
        }
    }
    assert_eq!(
        own.acme.seen_at("/v1/echo").len(),
        calls,
        "a credential was sent"
    );
    // The owners still have everything.
    for (user, id) in [
        ("ada", HEADER),
        ("ada", QUERY),
        ("ada", SHARED),
        ("admin", SHARED),
    ] {
        let envelope = own.echo(user, id, json!({})).await.expect(200).json();
        assert_eq!(envelope["isSuccess"], true, "{user} {id}: {envelope}");
    }
    for (user, path) in KEPT {
        let jwt = own.jwt(user);
        let kept = own.widget(Method::GET, path, &jwt, String::new());
        let kept = kept.await.expect(200).json();
        assert_eq!(kept["secret"], "of the owners", "{kept}");
    }
}

#[tokio::test]
async fn a_member_may_use_the_organisations_account_and_only_an_administrator_may_change_it() {
    let own = stage().await;
    settle(&own).await;
    assert_eq!(own.status("bob", SHARED).await["status"], "connected");
    let owned = own.connections().await;
    let shared = tries()
        .filter(|attempt| attempt.path.contains("acme-shared") && attempt.changes_connections());
    for attempt in shared {
        let answer = own
            .widget(
                attempt.method(),
                attempt.path,
                &own.jwt("bob"),
                attempt.body.to_owned(),
            )
            .await;
        answer.expect_problem(403, "caller_forbidden", "field", "auth_key");
    }
    assert_eq!(own.connections().await, owned);
    own.echo("bob", SHARED, json!({})).await.expect(200);
}

/// Every route is in the table, and the table holds no other.
#[test]
fn the_table_of_routes_is_whole() {
    let functions = [
        ("connect", consulate_connect::routes().listed().to_vec()),
        ("proxy", consulate_proxy::routes().listed().to_vec()),
        ("console", consulate_console::routes().listed().to_vec()),
        ("settings", consulate_settings::routes().listed().to_vec()),
        (
            "qrvey-token",
            consulate_qrvey_token::routes().listed().to_vec(),
        ),
    ];
    for (function, listed) in &functions {
        let listed: BTreeSet<_> = listed
            .iter()
            .map(|route| (route.method.to_string(), route.path))
            .collect();
        let rows = ROUTES.iter().filter(|row| row.function == *function);
        let rows: BTreeSet<_> = rows.map(|row| (row.method.to_owned(), row.path)).collect();
        assert_eq!(
            listed, rows,
            "the routes of {function}, and those that tests/flows/src/routes.rs names"
        );
    }
    // A function that is not asked here has no routes, or is missing above.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions");
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let listens = std::fs::read_to_string(entry.path().join("src/lib.rs"))
            .is_ok_and(|text| text.contains("http::edge("));
        let named = functions.iter().any(|(function, _)| *function == name);
        assert_eq!(
            listens, named,
            "functions/{name}: name it here, and its routes in tests/flows/src/routes.rs"
        );
    }
}

/// A row's paths lie under the route it is for.
#[test]
fn what_is_tried_belongs_to_its_route() {
    for attempt in tries() {
        let full = format!("/v1/widgets/w/{}", attempt.path);
        let (path, route) = (full.split('/'), attempt.row.path.split('/'));
        assert_eq!(path.clone().count(), route.clone().count(), "{full}");
        assert!(
            path.zip(route)
                .all(|(part, named)| part == named || named.starts_with('{')),
            "{full}"
        );
        assert!(attempt.method() != Method::HEAD);
    }
}
