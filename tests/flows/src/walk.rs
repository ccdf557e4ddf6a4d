//! A connect, one step at a time, so that a test can stop, repeat or bend any of them; and what lies in the table then.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::browser::{Browser, From};
use crate::bundle::RETURN_TO;
use crate::stack::Stack;
use crate::wire::Answer;

impl Stack {
    /// Popup mode up to the provider's door: answers the authorize URL.
    pub async fn depart(&self, browser: &mut Browser, jwt: &str, auth_key: &str) -> String {
        let link = self.connect_url(jwt, auth_key).await;
        let answer = self.handshake(browser, &link, jwt).await.expect(303);
        answer.header("location").to_owned()
    }

    /// Popup mode up to the provider's yes: answers the callback address.
    pub async fn to_callback(&self, browser: &mut Browser, jwt: &str, auth_key: &str) -> String {
        let authorize = self.depart(browser, jwt, auth_key).await;
        self.consent(browser, &authorize, "allow").await
    }

    /// Asks for a link in redirect mode.
    pub async fn redirect_url(&self, jwt: &str, auth_key: &str) -> String {
        let body = json!({"mode": "redirect", "return_to": RETURN_TO});
        self.ask_connect(jwt, auth_key, &body).await
    }

    /// Redirect mode up to the provider's yes: answers the callback address.
    pub async fn to_redirect_callback(
        &self,
        browser: &mut Browser,
        jwt: &str,
        auth_key: &str,
    ) -> String {
        let link = self.redirect_url(jwt, auth_key).await;
        let authorize = browser.get(&link, From::Here).await.expect(303);
        self.consent(browser, authorize.header("location"), "allow")
            .await
    }

    /// Redirect mode up to the widget's own address: answers the completion in its fragment.
    pub async fn to_completion(&self, browser: &mut Browser, jwt: &str, auth_key: &str) -> String {
        let callback = self.to_redirect_callback(browser, jwt, auth_key).await;
        let answer = browser.get(&callback, From::ElsewhereTopLevel).await;
        fragment(
            answer.expect(303).header("location"),
            "consulate_completion",
        )
    }

    /// Completes.
    pub async fn complete(&self, jwt: &str, auth_key: &str, completion: &str) -> Answer {
        let body = json!({"completion": completion}).to_string();
        let path = format!("connections/{auth_key}/complete");
        self.widget(Method::POST, &path, jwt, &body).await
    }

    /// What a callback answered, if it was a result: the `code` of the result page, empty for success.
    #[track_caller]
    pub fn result_code(&self, answer: &Answer) -> String {
        assert_eq!(answer.status, 303, "{}", answer.text());
        let location = answer.header("location");
        let clean = format!("{}/v1/connected?", self.dev.base_url);
        assert!(location.starts_with(&clean), "{location}");
        query(location, "code").unwrap_or_default()
    }

    /// The tokens of a kind that the provider has issued so far: `code`, `access` or `refresh`.
    pub fn issued(&self, kind: &str) -> Vec<String> {
        let prefix = format!("acme-{kind}-");
        let mut issued = self.provider.issued_secrets();
        issued.retain(|value| value.starts_with(&prefix));
        issued
    }

    /// How many `/token` requests the provider saw.
    pub fn token_calls(&self) -> usize {
        self.provider.token_requests().len()
    }

    /// Every item of the table as JSON, by partition key: what compares equal is equal.
    pub async fn items(&self) -> BTreeMap<String, Value> {
        let target = &self.dev.target;
        let scan = target.dynamodb.scan().table_name(&target.table);
        let scan = scan.consistent_read(true).send().await.unwrap();
        assert!(scan.last_evaluated_key().is_none(), "more than one page");
        let items = scan.items().iter();
        items
            .map(|item| {
                let pk = item["pk"].as_s().unwrap().clone();
                (pk, shown(&AttributeValue::M(item.clone())))
            })
            .collect()
    }

    /// The items whose partition key begins with `kind#`.
    pub async fn items_of(&self, kind: &str) -> Vec<Value> {
        let prefix = format!("{kind}#");
        let items = self.items().await.into_iter();
        items
            .filter(|(pk, _)| pk.starts_with(&prefix))
            .map(|(_, item)| item)
            .collect()
    }

    /// The id of the only flow in the table.
    pub async fn flow_id(&self) -> String {
        let flows = self.items_of("FLOW").await;
        assert_eq!(flows.len(), 1, "{flows:?}");
        flows[0]["pk"].as_str().unwrap()["FLOW#".len()..].to_owned()
    }
}

/// An attribute as JSON: numbers as text, bytes as Debug writes them.
fn shown(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => json!(text),
        AttributeValue::L(values) => values.iter().map(shown).collect(),
        AttributeValue::M(members) => {
            let members = members.iter();
            let sorted: BTreeMap<_, _> =
                members.map(|(name, value)| (name, shown(value))).collect();
            json!(sorted)
        }
        other => json!(format!("{other:?}")),
    }
}

/// A query parameter of `url`.
pub fn query(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).unwrap();
    let mut pairs = url.query_pairs();
    pairs
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

/// `url` with its query parameter `name` set to `value`, or taken out.
pub fn with_query(url: &str, name: &str, value: Option<&str>) -> String {
    let mut url = Url::parse(url).unwrap();
    let pairs = url.query_pairs().into_owned();
    let mut pairs: Vec<(String, String)> = pairs.filter(|(known, _)| known != name).collect();
    pairs.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url.into()
}

/// A parameter in the fragment of `url`.
#[track_caller]
pub fn fragment(url: &str, name: &str) -> String {
    let url = Url::parse(url).unwrap();
    let news = url.fragment().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(news.as_bytes());
    pairs
        .find(|(known, _)| known == name)
        .unwrap_or_else(|| panic!("no {name} in {news}"))
        .1
        .into_owned()
}
