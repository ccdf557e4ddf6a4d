//! What is sent to token endpoints, and how long they ask to be left alone.

use super::*;

fn passport(fields: serde_json::Value) -> Passport {
    let mut passport = serde_json::json!({
        "id": "p", "name": "P", "provider": "p", "client_id": "c", "api_hosts": [], "scopes": ["a", "b"],
        "scope_on_refresh": true, "token_url": "https://login.example.com/token",
    });
    for (name, value) in fields.as_object().unwrap() {
        passport[name] = value.clone();
    }
    serde_json::from_value(passport).unwrap()
}

/// The values of a form's parameter.
fn sent(request: &Request<Bytes>, name: &str) -> Vec<String> {
    form_urlencoded::parse(request.body())
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .collect()
}

#[tokio::test]
async fn scopes_are_joined_as_the_passport_says_when_refreshing_and_redeeming_too() {
    let passport = passport(serde_json::json!({
        "scope_separator": ",", "slots": [{"name": "files", "scopes": ["c", "d"]}],
    }));
    let client = Client::with_secret(&passport, "s");
    for (slot, scope) in [("", "a,b"), ("files", "c,d")] {
        let request = client.renewal(&SecretText::new("rt"), slot).await.unwrap();
        assert_eq!(sent(&request, "scope"), [scope], "{slot}");
    }
}

#[tokio::test]
async fn a_code_is_exchanged_with_one_grant_type() {
    let passport = passport(serde_json::json!({
        "token_params": {"grant_type": "account_credentials", "audience": "x"},
    }));
    let client = Client::with_secret(&passport, "s");
    let callback = "https://consulate.example.com/callback".to_owned();
    let request = client.exchange("code".into(), callback, None).await;
    let request = request.unwrap();
    assert_eq!(sent(&request, "grant_type"), ["authorization_code"]);
    assert_eq!(sent(&request, "audience"), ["x"]);
}

#[test]
fn an_endpoint_rests_after_429_and_after_a_503_that_says_for_how_long() {
    let now = Timestamp::from_seconds(1_800_000_000);
    let rest = |status: u16, header: Option<&str>| {
        let mut response = Response::builder().status(status);
        if let Some(seconds) = header {
            response = response.header("retry-after", seconds);
        }
        let response = response.body(Bytes::new()).unwrap();
        let outcome = judge(&response, &Passport::default(), "", now);
        rest_of(&outcome, &response, now)
    };
    assert_eq!((rest(429, Some("7")), rest(429, None)), (Some(7), Some(30)));
    assert_eq!((rest(503, Some("90")), rest(503, None)), (Some(90), None));
    assert_eq!((rest(500, Some("90")), rest(200, Some("90"))), (None, None));
}
