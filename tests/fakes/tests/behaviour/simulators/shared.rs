//! What all simulators share: whose hosts are whose, the consent page, scripted replies.

use consulate_fakes::provider::Reply;
use consulate_fakes::simulators::{App, Outcome, Simulators, Style};
use http::Method;

use super::{REDIRECT, SECRET, Stage, google, text, zoom};
use crate::client::{get, send};
use crate::grants::query;

#[test]
fn every_family_has_hosts_of_its_own_and_nothing_else_is_served() {
    for (host, family) in [
        ("account.box.com", "box"),
        ("api.box.com", "box"),
        ("accounts.google.com", "google"),
        ("oauth2.googleapis.com", "google"),
        ("openidconnect.googleapis.com", "google"),
        ("www.googleapis.com", "google"),
        ("meet.googleapis.com", "google"),
        ("login.happeo.com", "happeo"),
        ("api.happeo.com", "happeo"),
        ("www.facebook.com", "meta"),
        ("graph.facebook.com", "meta"),
        ("www.instagram.com", "meta"),
        ("api.instagram.com", "meta"),
        ("graph.instagram.com", "meta"),
        ("login.microsoftonline.com", "microsoft"),
        ("graph.microsoft.com", "microsoft"),
        ("contoso.sharepoint.com", "microsoft"),
        ("api.powerbi.com", "microsoft"),
        ("www.yammer.com", "microsoft"),
        ("login.salesforce.com", "salesforce"),
        ("test.salesforce.com", "salesforce"),
        ("acme.my.salesforce.com", "salesforce"),
        ("acme.service-now.com", "servicenow"),
        ("slack.com", "slack"),
        ("prod-uk-a.online.tableau.com", "tableau"),
        ("webexapis.com", "webex"),
        ("x.com", "x"),
        ("api.x.com", "x"),
        ("api.twitter.com", "x"),
        ("zoom.us", "zoom"),
        ("API.Zoom.us", "zoom"),
        ("api-eu.zoom.us", "zoom"),
    ] {
        assert_eq!(Simulators::family_of_host(host), Some(family), "{host}");
        assert!(Simulators::FAMILIES.contains(&family) && Simulators::plays(family));
    }
    let simulators = Simulators::new(std::sync::Arc::new(|| 0));
    for family in Simulators::FAMILIES {
        assert!(simulators.family(family).is_some(), "{family}");
    }
    // The files beside the families are no families, nor is a beginning of one.
    for name in ["page", "call", "desk", "", "zoo", "zooms"] {
        assert!(!Simulators::plays(name), "{name}");
    }
    assert!(simulators.family("acme").is_none());
    for host in [
        "",
        "example.com",
        "evilzoom.us",
        "api-.zoom.us",
        "api-a.b.zoom.us",
        "zoom.us.example.com",
        "sharepoint.com",
        ".sharepoint.com",
        "a.b.sharepoint.com",
        "x.com.example",
    ] {
        assert_eq!(Simulators::family_of_host(host), None, "{host}");
    }
}

#[tokio::test]
async fn unknown_hosts_and_paths_are_answered_404() {
    let stage = Stage::new(zoom::WAYS).await;
    for real in [
        "",
        "zoom.us",
        "zoom.us/",
        "zoom.us/oauth/elsewhere",
        "example.com/oauth/token",
    ] {
        assert_eq!(get(&stage.url(real), &[]).await.status, 404, "{real}");
    }
    let page = send(Method::POST, &stage.url(stage.ways.authorize), &[], "")
        .await
        .unwrap();
    assert_eq!(
        page.status, 404,
        "the consent page is for browsers that GET it"
    );
}

#[tokio::test]
async fn the_consent_page_is_labelled_locked_down_and_escapes_what_it_shows() {
    let stage = Stage::new(google::WAYS).await;
    let hostile = "<script>alert(1)</script>\"'&";
    let app = App {
        id: hostile.to_owned(),
        secret: None,
        redirect_uris: vec![REDIRECT.to_owned()],
    };
    assert!(
        !format!(
            "{:?}",
            App {
                secret: Some(SECRET.to_owned()),
                ..app.clone()
            }
        )
        .contains(SECRET)
    );
    stage.simulators.register("google", app);
    let page = stage.authorize(hostile, &[]).await;
    assert!(page.text().contains("<header>Simulated Google</header>"));
    assert!(!page.text().contains("<script"));
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'; style-src 'self'")
    );
    let style = get(&stage.url("style.css"), &[]).await;
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
}

#[tokio::test]
async fn a_consent_page_is_answered_once_and_in_time() {
    let stage = Stage::new(zoom::WAYS).await;
    let allow = [("account", "acme-1815"), ("decision", "allow")];
    let page = stage.authorize("app", &[]).await;
    assert_eq!(stage.decide(&page, &allow).await.status, 303);
    assert_eq!(stage.decide(&page, &allow).await.status, 400);
    let late = stage.authorize("app", &[]).await;
    stage.advance(601);
    assert_eq!(stage.decide(&late, &allow).await.status, 400);
    let page = stage.authorize("app", &[]).await;
    let nobody = [("account", "nobody"), ("decision", "allow")];
    assert_eq!(stage.decide(&page, &nobody).await.status, 400);
    let page = stage.authorize("app", &[]).await;
    let denied = stage.decide(&page, &[("decision", "deny")]).await;
    assert_eq!(query(&denied, "error").as_deref(), Some("access_denied"));
    assert_eq!(query(&denied, "state").as_deref(), Some("state-1"));
    let seen = stage.family.seen();
    assert_eq!((seen.authorize, seen.allowed, seen.denied), (4, 1, 1));
}

#[tokio::test]
async fn scripted_replies_come_once_and_leave_a_record() {
    let stage = Stage::new(zoom::WAYS).await;
    stage.family.script_token(Reply::Status(
        503,
        "{}".to_owned(),
        "application/json".to_owned(),
    ));
    stage.family.script_token(Reply::OmitExpiresIn);
    let code = stage.code("app", &[]).await;
    assert_eq!(stage.exchange("app", &code).await.status, 503);
    let reply = stage.exchange("app", &code).await.json();
    assert_eq!(reply.get("expires_in"), None);
    assert_eq!(stage.refresh("app", "guess").await.status, 401);
    let requests = stage.family.token_requests();
    let outcomes: Vec<_> = requests.iter().map(|request| &request.outcome).collect();
    assert_eq!(
        outcomes,
        [
            &Outcome::Unprocessed,
            &Outcome::Granted,
            &Outcome::Refused("invalid_grant".to_owned())
        ]
    );
    assert_eq!(requests[1].client_authentication, Style::Basic);
    assert!(requests[1].has_verifier);
    let token = text(&reply, "access_token");
    stage.family.script_api(Reply::RetryAfter(7));
    assert_eq!(
        stage.api("api.zoom.us/v2/users/me", token).await.status,
        429
    );
    assert_eq!(
        stage.api("api.zoom.us/v2/users/me", token).await.status,
        200
    );
    stage.family.revoke_access_tokens();
    assert_eq!(
        stage.api("api.zoom.us/v2/users/me", token).await.status,
        401
    );
    let shown = format!("{requests:?}");
    let secrets = stage.family.issued_secrets();
    assert!(secrets.iter().any(|secret| secret == token));
    assert!(secrets.iter().all(|secret| !shown.contains(secret)));
    assert!(!shown.contains(SECRET));
    let seen = stage.family.seen();
    assert_eq!((seen.api_calls, seen.api_unauthorized), (3, 1));
}
