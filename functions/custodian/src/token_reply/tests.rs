//! Replies as they really come.

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn reply(body: &str) -> Reply {
    reply_at(body, "")
}

fn reply_at(body: &str, at: &str) -> Reply {
    match read(body.as_bytes(), NOW, at, " ") {
        Read::Tokens(reply) => *reply,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tokens_are_found_where_the_entry_says_and_at_the_top_when_a_refresh_puts_them_there() {
    let slack =
        r#"{"ok":true,"access_token":"bot","authed_user":{"access_token":"user","expires_in":7}}"#;
    let reply = reply_at(slack, "/authed_user");
    assert_eq!(
        (reply.access_token.expose(), reply.expires_in),
        ("user", Some(7))
    );
    let top = reply_at(r#"{"ok":true,"access_token":"user"}"#, "/authed_user");
    assert_eq!(top.access_token.expose(), "user");
    let tableau = r#"{"credentials":{"token":"t","estimatedTimeToExpiration":"240:00:01","site":{"id":"s"}}}"#;
    let reply = reply_at(tableau, "/credentials");
    assert_eq!(
        (reply.access_token.expose(), reply.expires_in),
        ("t", Some(864_001))
    );
    assert_eq!(
        reply.document.at("/credentials/site/id").unwrap(),
        &Value::from("s")
    );
}

#[test]
fn a_reply_in_a_list_of_one_is_unwrapped() {
    let reply = reply(r#"{"data":[{"access_token":"at","permissions":"a,b"}]}"#);
    assert_eq!(reply.access_token.expose(), "at");
    assert_eq!(reply.scopes.unwrap(), ["a", "b"]);
}

#[test]
fn a_reply_may_say_how_long_its_refresh_token_lives() {
    let reply = reply(r#"{"access_token":"at","refresh_token_expires_in":"7776000"}"#);
    assert_eq!(reply.refresh_expires_in, Some(7_776_000));
}

#[test]
fn a_plain_reply_is_read() {
    let reply = reply(
        r#"{"access_token":"at","token_type":"bearer","expires_in":3600,"refresh_token":"rt","scope":"a b"}"#,
    );
    assert_eq!(reply.access_token.expose(), "at");
    assert_eq!(reply.refresh_token.unwrap().expose(), "rt");
    assert_eq!(reply.expires_in, Some(3600));
    assert_eq!(reply.scopes.unwrap(), ["a", "b"]);
}

#[test]
fn a_form_body_is_read_whatever_its_content_type() {
    let reply = reply("access_token=at&expires_in=60&scope=a%20b");
    assert_eq!(
        (reply.access_token.expose(), reply.expires_in),
        ("at", Some(60))
    );
}

#[test]
fn expiry_is_understood_in_every_spelling() {
    for (member, seconds) in [
        (r#""expires_in":60"#, Some(60)),
        (r#""expires_in":"60""#, Some(60)),
        (r#""expires_in":60.7"#, Some(60)),
        (r#""expires_in":0"#, None),
        (r#""expires_in":-5"#, None),
        (r#""x":1"#, None),
        (r#""expires_at":1800000060"#, Some(60)),
        (r#""expires_on":"1800000060""#, Some(60)),
        (r#""expires_at":1800000060000"#, Some(60)),
        (r#""expires_at":"2027-01-15T08:01:00Z""#, Some(60)),
    ] {
        assert_eq!(
            reply(&format!(r#"{{"access_token":"at",{member}}}"#)).expires_in,
            seconds,
            "{member}"
        );
    }
}

#[test]
fn an_empty_or_missing_refresh_token_keeps_the_stored_one() {
    for member in [
        r#""refresh_token":"""#,
        r#""refresh_token":null"#,
        r#""x":1"#,
    ] {
        assert!(
            reply(&format!(r#"{{"access_token":"at",{member}}}"#))
                .refresh_token
                .is_none()
        );
    }
}

#[test]
fn scopes_come_with_spaces_commas_or_in_an_array() {
    for scope in [r#""a b""#, r#""a,b""#, r#"["a","b"]"#] {
        assert_eq!(
            reply(&format!(r#"{{"access_token":"at","scope":{scope}}}"#))
                .scopes
                .unwrap(),
            ["a", "b"]
        );
    }
}

#[test]
fn an_error_is_a_refusal_even_beside_a_token_and_even_as_an_object() {
    for (body, code) in [
        (
            r#"{"error":"invalid_grant","access_token":"at"}"#,
            "invalid_grant",
        ),
        (r#"{"ok":false}"#, "refused"),
        (r#"{"error":{"code":190,"message":"x"}}"#, "190"),
        (
            "error=bad_verification_code&error_description=x",
            "bad_verification_code",
        ),
        (r#"{"error":"<script>alert(1)</script>"}"#, "refused"),
    ] {
        match read(body.as_bytes(), NOW, "", " ") {
            Read::Refused(read) => assert_eq!(read, code),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn what_is_not_wholly_usable_is_not_used() {
    let long = format!(r#"{{"access_token":"{}"}}"#, "x".repeat(TOKEN_LIMIT + 1));
    for body in [
        "",
        "<html></html>",
        "[]",
        "null",
        "{}",
        r#"{"access_token":""}"#,
        r#"{"access_token":7}"#,
        r#"{"access_token":"a b"}"#,
        "{\"access_token\":\"a\\u0000b\"}",
        r#"{"access_token":"at","refresh_token":7}"#,
        r#"{"access_token":"at","token_type":"DPoP"}"#,
        &long,
        r#"{"access_token":"at""#,
    ] {
        assert!(
            matches!(read(body.as_bytes(), NOW, "", " "), Read::Unreadable),
            "{body:.40}"
        );
    }
}

#[test]
fn scopes_are_split_at_the_passports_own_separator_too() {
    let split = |separator: &str| {
        let body = br#"{"access_token":"at","scope":"a;b c,d"}"#;
        let Read::Tokens(reply) = read(body, NOW, "", separator) else {
            panic!("no tokens");
        };
        reply.scopes.unwrap()
    };
    assert_eq!(split(";"), ["a", "b", "c", "d"]);
    for separator in [" ", ",", ""] {
        assert_eq!(split(separator), ["a;b", "c", "d"], "{separator:?}");
    }
}
