//! Microsoft: scopes belong to resources, a token is for one of them, and every API checks.

use super::microsoft::{ME, WAYS, aadsts, connected, redeem};
use super::{Stage, text};
use crate::grants::query;

const SHAREPOINT: &str = "https://acme.sharepoint.com/AllSites.Read";
const POWER_BI: &str = "https://analysis.windows.net/powerbi/api/Report.Read.All";
#[tokio::test]
async fn a_token_is_for_one_resource_and_every_resource_checks() {
    let stage = Stage::new(WAYS).await;
    let asked = format!(
        "offline_access User.Read {POWER_BI} {SHAREPOINT} https://www.yammer.com/access_as_user"
    );
    let code = stage.code("app", &[("scope", &asked)]).await;
    let mixed = stage.exchange("app", &code).await;
    assert_eq!(aadsts(&mixed), (400, "invalid_request".to_owned(), 28_000));
    let both = format!("User.Read {POWER_BI}");
    let mixed = stage.exchange_with("app", &code, &[("scope", &both)]).await;
    assert_eq!(aadsts(&mixed).2, 28_000);
    let reply = stage
        .exchange_with("app", &code, &[("scope", "User.Read")])
        .await
        .json();
    let refresh_token = text(&reply, "refresh_token");
    let places = [
        ("User.Read", ME),
        (POWER_BI, "api.powerbi.com/v1.0/myorg/reports"),
        (SHAREPOINT, "acme.sharepoint.com/_api/web/lists"),
        (
            "https://www.yammer.com/access_as_user",
            "www.yammer.com/api/v1/users/current.json",
        ),
    ];
    for (scope, own) in places {
        let reply = redeem(&stage, refresh_token, scope).await.json();
        assert_eq!(reply["scope"], scope, "as it was spelled");
        for (_, real) in places {
            let status = stage.api(real, text(&reply, "access_token")).await.status;
            assert_eq!(
                status,
                if real == own { 200 } else { 401 },
                "{scope} at {real}"
            );
        }
        let unknown = stage
            .api(
                &format!("{}/nothing", own.split('/').next().unwrap()),
                text(&reply, "access_token"),
            )
            .await;
        assert_eq!(unknown.status, 404);
    }
    let yammer = redeem(&stage, refresh_token, places[3].0).await.json();
    let current = stage
        .api(places[3].1, text(&yammer, "access_token"))
        .await
        .json();
    assert_eq!(
        (text(&current, "full_name"), text(&current, "email")),
        ("Ada Lovelace", "ada@acme.example")
    );
    let sharepoint = redeem(&stage, refresh_token, SHAREPOINT).await.json();
    let other = stage
        .api(
            "globex.sharepoint.com/_api/web",
            text(&sharepoint, "access_token"),
        )
        .await;
    assert_eq!(
        other.status, 401,
        "another tenant's SharePoint is another resource"
    );
    let refused = redeem(&stage, refresh_token, "Mail.Read").await;
    assert_eq!(aadsts(&refused), (400, "invalid_grant".to_owned(), 65_001));
    assert_eq!(text(&refused.json(), "suberror"), "consent_required");
}

#[tokio::test]
async fn scopes_are_looked_up_on_their_resource() {
    let stage = Stage::new(WAYS).await;
    for (scope, error, number) in [
        // Power BI's, without its prefix.
        ("Report.Read.All", "invalid_client", "AADSTS650053"),
        ("openid,profile", "invalid_client", "AADSTS650053"),
        (
            "https://elsewhere.example/Read",
            "invalid_resource",
            "AADSTS500011",
        ),
        (
            "User.Read https://graph.microsoft.com/.default",
            "invalid_scope",
            "AADSTS70011",
        ),
    ] {
        let redirect = stage.authorize("app", &[("scope", scope)]).await;
        assert_eq!(query(&redirect, "error").as_deref(), Some(error), "{scope}");
        assert!(
            query(&redirect, "error_description")
                .unwrap()
                .starts_with(number)
        );
        assert_eq!(query(&redirect, "state").as_deref(), Some("state-1"));
    }
    let reply = connected(
        &stage,
        "offline_access https://graph.microsoft.com/.default",
        "",
    )
    .await;
    assert_eq!(
        stage.api(ME, text(&reply, "access_token")).await.status,
        200
    );
    let named = connected(&stage, "https://graph.microsoft.com/User.Read", "").await;
    assert_eq!(
        stage.api(ME, text(&named, "access_token")).await.status,
        200
    );
    let events = stage
        .api(
            "graph.microsoft.com/v1.0/me/events",
            text(&named, "access_token"),
        )
        .await;
    assert_eq!(events.status, 403);
    assert_eq!(events.json()["error"]["code"], "ErrorAccessDenied");
}

#[tokio::test]
async fn teams_and_presence_answer_those_who_may() {
    let stage = Stage::new(WAYS).await;
    let scope = "Presence.Read.All ChannelMessage.Send OnlineMeetings.ReadWrite Sites.Read.All";
    let reply = connected(&stage, scope, "").await;
    let token = text(&reply, "access_token");
    let ids = r#"{"ids":["a","b"]}"#;
    let presences = stage
        .post(
            "graph.microsoft.com/v1.0/communications/getPresencesByUserId",
            token,
            ids,
        )
        .await;
    assert_eq!(
        (
            presences.status.as_u16(),
            &presences.json()["value"][1]["id"]
        ),
        (200, &"b".into())
    );
    let posted = stage
        .post(
            "graph.microsoft.com/v1.0/teams/t/channels/c/messages",
            token,
            r#"{"body":{"content":"hi"}}"#,
        )
        .await;
    assert_eq!(
        (posted.status.as_u16(), &posted.json()["body"]["content"]),
        (201, &"hi".into())
    );
    let meeting = stage
        .post("graph.microsoft.com/v1.0/me/onlineMeetings", token, "{}")
        .await;
    assert_eq!(meeting.status, 201);
    assert_eq!(
        stage
            .api("graph.microsoft.com/v1.0/sites/root", token)
            .await
            .status,
        200
    );
    assert_eq!(
        stage
            .api("graph.microsoft.com/v1.0/teams/t/channels", token)
            .await
            .status,
        403
    );
    stage.family.throttle_for(17);
    let throttled = stage
        .api("graph.microsoft.com/v1.0/me/presence", token)
        .await;
    assert_eq!(
        (throttled.status.as_u16(), throttled.header("retry-after")),
        (429, "17")
    );
    assert_eq!(throttled.json()["error"]["code"], "TooManyRequests");
}

#[tokio::test]
async fn what_an_administrator_granted_is_redeemed_without_asking() {
    let stage = Stage::new(WAYS).await;
    let reply = stage.connected().await;
    let scope = "https://acme.sharepoint.com/.default offline_access";
    let sharepoint = redeem(&stage, text(&reply, "refresh_token"), scope)
        .await
        .json();
    let lists = stage
        .api(
            "acme.sharepoint.com/_api/web/lists/getbytitle('Documents')/items?$top=1",
            text(&sharepoint, "access_token"),
        )
        .await;
    assert_eq!(lists.status, 200);
    assert!(
        lists.json()["value"][0]["Title"]
            .as_str()
            .unwrap()
            .contains("Ada Lovelace")
    );
    let graph = stage
        .refresh("app", text(&sharepoint, "refresh_token"))
        .await
        .json();
    assert_eq!(
        stage.api(ME, text(&graph, "access_token")).await.status,
        200,
        "and back again"
    );
}

#[tokio::test]
async fn power_bi_answers_403_to_a_token_that_is_late() {
    let stage = Stage::new(WAYS).await;
    let reply = connected(&stage, POWER_BI, "").await;
    let reports = "api.powerbi.com/v1.0/myorg/reports";
    assert_eq!(
        stage
            .api(reports, text(&reply, "access_token"))
            .await
            .status,
        200
    );
    stage.family.expire_access_tokens();
    let late = stage.api(reports, text(&reply, "access_token")).await;
    assert_eq!(
        (late.status.as_u16(), &late.json()["error"]["code"]),
        (403, &"TokenExpired".into())
    );
    assert_eq!(stage.api(reports, "guess").await.status, 401);
}
