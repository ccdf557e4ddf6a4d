//! The widgets of the journeys, as an operator imports them, and what callers and tests do with them.

use anyhow::{Context as _, ensure};
use consulate::operator::arguments::{ImportArguments, PassportArguments};
use consulate::operator::import::import;
use consulate::operator::{add_passport, add_providers, keys, set_secret};
use consulate_core::clock::Clock;
use consulate_core::secret::SecretText;
use consulate_fakes::provider::{Client, ClientAuthentication, consent_id};
use consulate_flows::bundle::{Bundle, MINE, PASSPORT, RETURN_TO, WIDGET};
use consulate_flows::own::ENTRIES;
use consulate_flows::stack::{CLIENT_SECRET, HOST_SECRET, form_token, sign};
use consulate_flows::walk::fragment;
use serde_json::{Value, json};

use crate::api::{Answer, Browser};
use crate::world::{PROVIDER, QRVEY, QRVEY_KEY, World};

/// `auth_key` of an authentication that no passport is bound to.
pub const FREE: &str = "mail";
/// The passport that may be.
pub const FREE_PASSPORT: &str = "workspace";
/// File of the operator's own providers, in the world's folder.
pub const OWN_PROVIDERS: &str = "providers.toml";

/// Who asks.
#[derive(Clone, Debug)]
pub struct Person(pub String);

impl World {
    /// Imports the widget and sets what is secret.
    ///
    /// # Errors
    /// Something is refused.
    pub async fn set_up(&self) -> anyhow::Result<()> {
        keys::create_missing(&self.target).await?;
        let mut bundle = Bundle::new(PROVIDER);
        if let Some(authentications) = bundle.schema["authentications"].as_array_mut() {
            authentications.push(
                json!({"label": "Mail", "authenticationType": "passport", "authKey": FREE,
                                        "metadata": {"passportProvider": "google"}}),
            );
        }
        let consulate = &mut bundle.consulate;
        consulate["host"]["one_time_jwt"] = json!(true);
        consulate["settings"] = json!({"user": true, "organisation": "admins"});
        consulate["qrvey"] = json!({"sales": {
            "domain": QRVEY, "userid": "izfZIkc", "appid": "59VShVtjM", "clientid": "{settings.organisation.client}", "expiresIn": "10m",
            "permissions": [{"dataset_id": "sales", "record_permissions": [
                {"security_name": "owner", "values": ["{user.id}"], "validation_type": "EQUAL"}]}],
        }});
        self.provider.register(Client {
            id: "test-client".to_owned(),
            secret: Some(CLIENT_SECRET.to_owned()),
            authentication: ClientAuthentication::Basic,
            redirect_uris: vec![format!("{}/v1/callback/{PASSPORT}", self.base())],
        });
        let arguments = ImportArguments {
            path: bundle.write(&self.folder.path().join("bundle")),
            accept: true,
            ..ImportArguments::default()
        };
        let report = import(&self.target, &arguments).await?;
        let passport = PassportArguments {
            id: FREE_PASSPORT.to_owned(),
            provider: "google".to_owned(),
            client_id: Some("client".to_owned()),
            ..PassportArguments::default()
        };
        add_passport(&self.target, &passport).await?;
        let entries = self.folder.path().join(OWN_PROVIDERS);
        std::fs::write(&entries, ENTRIES)?;
        add_providers(&self.target, &entries, false).await?;
        for (name, value) in [
            (
                format!("widgets/{WIDGET}"),
                json!({"host_secrets": [HOST_SECRET]}),
            ),
            (
                format!("passports/{PASSPORT}"),
                json!({"client_secret": CLIENT_SECRET}),
            ),
            (
                format!("qrvey/{WIDGET}/sales"),
                json!({"api_key": QRVEY_KEY}),
            ),
        ] {
            set_secret(&self.target, &name, &SecretText::new(value.to_string())).await?;
        }
        let table = self.engine.apply(
            "GetItem",
            &json!({"TableName": "consulate", "Key": {"pk": {"S": format!("WIDGET#{WIDGET}")}}}),
        )?;
        ensure!(
            !table["Item"].is_null(),
            "the widget was not imported: {report:?}"
        );
        Ok(())
    }

    /// A caller JWT of `o1`, good for one changing request.
    pub fn jwt(&self, person: &Person) -> String {
        let now = Clock::system().now();
        let id = consulate_core::random::id().unwrap_or_default();
        let mut claims = json!({"exp": now.seconds() + 300, "iat": now.seconds(), "jti": id, "user": {"id": person.0}, "organisation": {"id": "o1"}});
        if person.0 == "admin" {
            claims["user"]["primaryEmail"] = json!("it@example.com");
        }
        sign(&claims, HOST_SECRET)
    }

    /// Asks a widget route.
    ///
    /// # Errors
    /// The function fails.
    pub async fn widget(
        &self,
        person: &Person,
        method: &str,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Answer> {
        let bearer = format!("Bearer {}", self.jwt(person));
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.request(
            method,
            &format!("/v1/widgets/{WIDGET}/{path}"),
            &headers,
            &[],
            body.as_bytes(),
        )
        .await
    }

    /// Calls a named API that echoes; its answer's own status must be 200.
    ///
    /// # Errors
    /// Anything else.
    pub async fn call(&self, person: &Person) -> anyhow::Result<()> {
        let answer = self
            .widget(person, "POST", "apis/echoAll", &json!({"params": {}}))
            .await?;
        let envelope = answer.expect(200)?;
        ensure!(envelope["isSuccess"] == true, "{envelope}");
        Ok(())
    }

    /// From the button to the provider's answer: where the browser is sent back to.
    ///
    /// # Errors
    /// A step fails.
    pub async fn to_callback(
        &self,
        person: &Person,
        browser: &mut Browser,
        mode: &str,
        decision: &str,
    ) -> anyhow::Result<String> {
        let ask = match mode {
            "redirect" => json!({"mode": mode, "return_to": RETURN_TO}),
            _ => json!({"mode": mode}),
        };
        let asked = self
            .widget(person, "POST", &format!("connections/{MINE}/connect"), &ask)
            .await?;
        let link = asked.expect(201)?["connect_url"]
            .as_str()
            .context("connect_url")?
            .to_owned();
        let mut page = browser.go(self, "GET", &link, &[]).await?;
        if mode == "popup" {
            page.expect(200)?;
            let jwt = self.jwt(person);
            let token = form_token(&page.text);
            page = browser
                .go(
                    self,
                    "POST",
                    &link,
                    &[("caller_jwt", &jwt), ("form_token", &token)],
                )
                .await?;
        }
        let at_provider = browser.go(self, "GET", page.location()?, &[]).await?;
        at_provider.expect(200)?;
        let consent = consent_id(&at_provider.text)
            .context("no consent page")?
            .to_owned();
        let form = [
            ("consent", consent.as_str()),
            ("account", "acme-1815"),
            ("decision", decision),
        ];
        let back = browser
            .go(self, "POST", &format!("{PROVIDER}/consent"), &form)
            .await?;
        Ok(back.location()?.to_owned())
    }

    /// Connects in popup mode.
    ///
    /// # Errors
    /// A step fails, or the connection is not there afterwards.
    pub async fn connect(&self, person: &Person) -> anyhow::Result<()> {
        let mut browser = Browser::default();
        let callback = self
            .to_callback(person, &mut browser, "popup", "allow")
            .await?;
        let end = browser.go(self, "GET", &callback, &[]).await?;
        let location = end.location()?;
        ensure!(!location.contains("code="), "{location}");
        self.stands(person, "connected").await
    }

    /// Connects in redirect mode, up to the completion that the widget would present.
    ///
    /// # Errors
    /// A step fails.
    pub async fn to_completion(&self, person: &Person) -> anyhow::Result<String> {
        let mut browser = Browser::default();
        let callback = self
            .to_callback(person, &mut browser, "redirect", "allow")
            .await?;
        let end = browser.go(self, "GET", &callback, &[]).await?;
        Ok(fragment(end.location()?, "consulate_completion"))
    }

    /// Checks what the widget is told about the connection.
    ///
    /// # Errors
    /// Something else.
    pub async fn stands(&self, person: &Person, status: &str) -> anyhow::Result<()> {
        let told = self
            .widget(person, "GET", &format!("connections/{MINE}"), &Value::Null)
            .await?;
        let told = told.expect(200)?;
        ensure!(told["status"] == status, "not {status}: {told}");
        Ok(())
    }

    /// Disconnects: answers the receipt's result.
    ///
    /// # Errors
    /// A step fails.
    pub async fn disconnect(&self, person: &Person) -> anyhow::Result<String> {
        let receipt = self
            .widget(
                person,
                "DELETE",
                &format!("connections/{MINE}"),
                &Value::Null,
            )
            .await?;
        let receipt = receipt.expect(200)?;
        Ok(receipt["revocation"]["result"]
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }
}
