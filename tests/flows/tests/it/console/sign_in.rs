//! Signing in by the one-time link, and what a session is worth.

use consulate_core::console::{ACTS_KEPT, Act, COOKIE, ConsoleRecords};
use consulate_flows::browser::{Browser, From};
use consulate_flows::stack::Stack;

use super::{Admin, ticket};

#[tokio::test]
async fn a_link_signs_one_browser_in_once() {
    let stack = Stack::start().await;
    let link = ticket(&stack).await;
    let mut admin = Admin {
        stack: &stack,
        browser: Browser::default(),
    };
    // Previews and link checkers open it: nothing is used up by that.
    let page = admin.get("/console/sign-in").await.expect(200);
    let policy = page.header("content-security-policy").to_owned();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    let answer = admin.present(&link).await.expect(303);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with(&format!("{COOKIE}=")), "{cookie}");
    assert!(
        cookie.ends_with("; Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age=3600"),
        "{cookie}"
    );
    assert!(admin.page("/console").await.contains("Notes"));
    let mut second = Admin {
        stack: &stack,
        browser: Browser::default(),
    };
    second.present(&link).await.expect(410);
    second.get("/console").await.expect(303);
}

#[tokio::test]
async fn two_presses_at_once_make_one_session() {
    let stack = Stack::start().await;
    let link = ticket(&stack).await;
    let press = async || {
        let mut admin = Admin {
            stack: &stack,
            browser: Browser::default(),
        };
        admin.present(&link).await.status.as_u16()
    };
    let (one, other) = tokio::join!(press(), press());
    let mut statuses = [one, other];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 410]);
}

#[tokio::test]
async fn a_link_ends_after_five_minutes_and_a_session_after_an_hour() {
    let stack = Stack::start().await;
    let late = ticket(&stack).await;
    stack.dev.clock.advance_millis(301_000);
    let mut admin = Admin {
        stack: &stack,
        browser: Browser::default(),
    };
    admin.present(&late).await.expect(410);
    for nonsense in ["", "x", &"A".repeat(43)] {
        admin.present(nonsense).await.expect(410);
    }
    let mut admin = Admin::signed_in(&stack).await;
    stack.dev.clock.advance_millis(3_590_000);
    admin.page("/console").await;
    let token = admin.token().await;
    stack.dev.clock.advance_millis(11_000);
    let answer = admin.get("/console").await.expect(303);
    assert_eq!(answer.header("location"), "/console/sign-in");
    let url = admin.url("/console/sign-out");
    let fields = [("form_token", token.as_str())];
    admin
        .browser
        .post_form(&url, From::Here, &fields)
        .await
        .expect(401);
}

#[tokio::test]
async fn signing_out_ends_the_session_for_whoever_has_the_cookie() {
    let stack = Stack::start().await;
    let mut admin = Admin::signed_in(&stack).await;
    let mut thief = Admin {
        stack: &stack,
        browser: admin.browser.clone(),
    };
    thief.page("/console").await;
    let answer = admin.post("/console/sign-out", &[]).await.expect(303);
    assert!(answer.header("set-cookie").ends_with("Max-Age=0"));
    thief.get("/console").await.expect(303);
}

#[tokio::test]
async fn every_page_asks_for_a_session() {
    let stack = Stack::start().await;
    let mut nobody = Admin {
        stack: &stack,
        browser: Browser::default(),
    };
    for path in [
        "/console",
        "/console/widgets/notes",
        "/console/widgets/notes/apis/whoAmI",
        "/console/passports",
        "/console/health",
        "/console/activity",
        "/console/anything",
    ] {
        let answer = nobody.get(path).await.expect(303);
        assert_eq!(answer.header("location"), "/console/sign-in", "{path}");
        assert!(!answer.text().contains("Notes"), "{path}");
    }
}

#[tokio::test]
async fn the_table_holds_no_ticket_and_no_cookie() {
    let stack = Stack::start().await;
    let link = ticket(&stack).await;
    let admin = Admin::signed_in(&stack).await;
    let scanned = stack
        .dev
        .target
        .dynamodb
        .scan()
        .table_name("consulate")
        .send()
        .await
        .unwrap();
    let items = format!("{:?}", scanned.items());
    assert!(items.contains("CONSOLE_TICKET#") && items.contains("CONSOLE_SESSION#"));
    assert!(!items.contains(&link));
    assert!(!items.contains(&admin.browser.cookie("127.0.0.1", COOKIE).unwrap()));
}

#[tokio::test]
async fn the_latest_acts_are_kept_and_no_more() {
    let stack = Stack::start().await;
    let records = ConsoleRecords::new(stack.dev.target.dynamodb.clone(), &stack.dev.target.table);
    let at = stack.dev.clock.now().millis();
    for number in 0..ACTS_KEPT + 5 {
        let act = Act {
            at,
            by: "Ada".to_owned(),
            what: "called".to_owned(),
            on: number.to_string(),
            detail: String::new(),
        };
        records.note(&act).await.unwrap();
    }
    let acts = records.acts(ACTS_KEPT).await.unwrap();
    let on: Vec<&str> = acts.iter().map(|act| act.on.as_str()).collect();
    assert_eq!(on.len() as i64, ACTS_KEPT);
    assert_eq!((on[0], on[on.len() - 1]), ("204", "5"));
}
