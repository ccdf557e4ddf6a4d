//! A connect at a simulated provider, one step at a time, so that a test can look at each or bend it; and other apps than
//! the one `consulate dev` registers.

use consulate::operator::arguments::PassportArguments;
use consulate::operator::{add_passport, set_secret};
use consulate_core::connection::Connection;
use consulate_core::definition::OwnerMode;
use consulate_core::owner::OwnerKey;
use consulate_core::secret::SecretText;
use consulate_core::table::ConnectionKey;
use consulate_fakes::simulators::App;
use http::Method;
use serde_json::{Value, json};

use crate::browser::{Browser, From};
use crate::bundle::RETURN_TO;
use crate::own::done;
use crate::stack::form_token;
use crate::stage::{Stage, THEIRS, WIDGET};
use crate::wire::Answer;

/// Who consents where a test does not say.
pub const ADA: &str = "acme-1815";
/// Somebody else with an account at every provider.
pub const GRACE: &str = "acme-1906";

impl Stage {
    /// Popup mode up to the provider's door: answers the authorize URL.
    pub async fn depart(&self, browser: &mut Browser, user: &str) -> String {
        let link = self.connect_url(user, &json!({"mode": "popup"})).await;
        let page = browser.get(&link, From::Here).await.expect(200).text();
        let (form_token, jwt) = (form_token(&page), self.jwt(user));
        let fields = [
            ("caller_jwt", jwt.as_str()),
            ("form_token", form_token.as_str()),
        ];
        let leaving = browser.post_form(&link, From::Here, &fields).await;
        leaving.expect(303).header("location").to_owned()
    }

    /// Redirect mode up to the provider's door: answers the authorize URL. The widget's `return_urls` must hold
    /// [`RETURN_TO`].
    pub async fn depart_for_redirect(&self, browser: &mut Browser, user: &str) -> String {
        let ask = json!({"mode": "redirect", "return_to": RETURN_TO});
        let link = self.connect_url(user, &ask).await;
        let leaving = browser.get(&link, From::Here).await;
        leaving.expect(303).header("location").to_owned()
    }

    async fn connect_url(&self, user: &str, ask: &Value) -> String {
        let path = format!("connections/{THEIRS}/connect");
        let asked = self.widget(user, Method::POST, &path, ask).await;
        let asked = asked.expect(201).json();
        asked["connect_url"].as_str().unwrap().to_owned()
    }

    /// Decides on the provider's consent page, with further fields of its form: answers the address the browser is sent to,
    /// fragment included.
    pub async fn decide(
        &self,
        browser: &mut Browser,
        authorize: &str,
        account: &str,
        decision: &str,
        further: &[(&str, &str)],
    ) -> String {
        let port = self.dev.simulation.as_ref().unwrap().port();
        let played = format!("http://127.0.0.1:{port}/");
        assert!(authorize.starts_with(&played), "{authorize}");
        let page = browser.get(authorize, From::ElsewhereTopLevel).await;
        let page = page.expect(200).text();
        let consent = consulate_fakes::provider::consent_id(&page);
        let consent = consent.unwrap_or_else(|| panic!("no consent page: {page}"));
        let mut fields = vec![
            ("consent", consent),
            ("account", account),
            ("decision", decision),
        ];
        fields.extend(further);
        let url = format!("{played}consent");
        let back = browser.post_form(&url, From::Here, &fields).await;
        back.expect(303).header("location").to_owned()
    }

    /// Follows the provider's redirect back. A browser keeps the fragment to itself.
    pub async fn arrive(&self, browser: &mut Browser, callback: &str) -> Answer {
        let callback = callback.split('#').next().unwrap();
        browser.get(callback, From::ElsewhereTopLevel).await
    }

    /// Connects `user`'s widget with `account`, without the scopes of `left_out`.
    pub async fn connect_as(&self, user: &str, account: &str, left_out: &[&str]) {
        let mut browser = Browser::default();
        let authorize = self.depart(&mut browser, user).await;
        let left_out: Vec<_> = left_out.iter().map(|scope| ("without", *scope)).collect();
        let callback = self
            .decide(&mut browser, &authorize, account, "allow", &left_out)
            .await;
        self.arrive(&mut browser, &callback).await.expect(303);
        let status = self.status(user).await;
        assert_eq!(status["status"], "connected", "{}: {status}", self.entry.id);
    }

    /// Puts another app behind the stage's passport, with the same secret: the last words of its id choose how the provider
    /// treats it. `change` has the passport's other settings. To be called before anything else: definitions are cached.
    pub async fn reregister(&self, app: &str, change: impl FnOnce(&mut PassportArguments)) {
        let id = self.simulated().id;
        let mut arguments = PassportArguments {
            id: id.clone(),
            provider: self.entry.id.clone(),
            client_id: Some(app.to_owned()),
            variables: self.entry.example_variables().into_iter().collect(),
            accept: true,
            ..PassportArguments::default()
        };
        change(&mut arguments);
        let target = &self.dev.target;
        let report = add_passport(target, &arguments).await.unwrap();
        done(&report);
        let secret = self.client_secret();
        // A secret is kept for the addresses that the passport had when it was set.
        let value = SecretText::new(json!({ "client_secret": secret }).to_string());
        let report = set_secret(target, &format!("passports/{id}"), &value).await;
        done(&report.unwrap());
        let app = App {
            id: app.to_owned(),
            secret: Some(secret),
            redirect_uris: vec![target.redirect_uri(&id)],
        };
        let simulation = self.dev.simulation.as_ref().unwrap();
        simulation.simulators.register(&self.entry.family, app);
    }

    /// The client secret of the stage's passport.
    pub fn client_secret(&self) -> String {
        let name = format!("consulate/passports/{}", self.simulated().id);
        let document = self.dev.secrets.get(&name).unwrap();
        let document: Value = serde_json::from_str(&document).unwrap();
        document["client_secret"].as_str().unwrap().to_owned()
    }

    /// Where one slot of `user`'s connection is kept; the empty slot is the main one.
    pub async fn key(&self, user: &str, slot: &str) -> ConnectionKey {
        let callers = self.dev.foundation.callers();
        let who = callers.verify(WIDGET, Some(&self.jwt(user))).await.unwrap();
        let owner = OwnerKey::of(&who.caller, OwnerMode::User);
        ConnectionKey::new(&self.simulated().id, owner).in_slot(slot)
    }

    /// What is kept there.
    pub async fn row(&self, user: &str, slot: &str) -> Option<Connection> {
        let key = self.key(user, slot).await;
        let connections = &self.dev.foundation.connections;
        connections.read(&key, true).await.unwrap()
    }
}
