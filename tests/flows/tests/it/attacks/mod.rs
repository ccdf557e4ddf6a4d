//! Attacks on connecting, each with a test of its name: on the link and the handshake page (`handshake`), on the callback
//! (`callback`), on the completion (`completion`), by a provider that answers anything (`provider_answers`), and on what
//! is left lying about (`traces`).

mod callback;
mod completion;
mod handshake;
mod provider_answers;
mod traces;

use consulate_flows::stack::Stack;
use consulate_flows::wire::Answer;

/// A page that refuses, which nobody can frame, keep or run anything in; and nothing came of it.
#[track_caller]
fn is_refusal(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("location"), "");
    is_guarded(answer);
}

/// S-76: no frame around the page, no script in it but our own files.
#[track_caller]
fn is_guarded(answer: &Answer) {
    let policy = answer.header("content-security-policy");
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.split("; ").any(|part| part == directive), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let page = answer.text();
    let scripts = page.matches("<script").count();
    assert_eq!(page.matches("<script src=\"").count(), scripts, "{page}");
    for tag in page.split('<').filter_map(|rest| rest.split('>').next()) {
        let inline = [" on", " style=", "javascript:"];
        assert!(inline.iter().all(|text| !tag.contains(text)), "{tag}");
    }
}

/// Nothing is connected, and no code was exchanged.
async fn nothing_came_of_it(stack: &Stack) {
    assert_eq!(stack.token_calls(), 0);
    nothing_is_stored(stack).await;
}

/// No connection lies in the table, and no flow that could still become one.
async fn nothing_is_stored(stack: &Stack) {
    for kind in ["CONNECTION", "DETAILS", "STATE"] {
        assert_eq!(stack.items_of(kind).await, Vec::<serde_json::Value>::new());
    }
    for flow in stack.items_of("FLOW").await {
        assert_eq!(flow["cv"], serde_json::Value::Null, "{flow}");
        assert_eq!(flow["st"], "exchanging", "{flow}");
    }
}
