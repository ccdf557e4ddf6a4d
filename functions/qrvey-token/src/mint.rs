//! `POST /v1/widgets/{widget}/qrvey/{name}`: one security token, from the template's name to the answer.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Instant;

use axum::extract::{self, Path};
use axum::response::{IntoResponse as _, Response};
use consulate_core::caller::WidgetCaller;
use consulate_core::clock::Timestamp;
use consulate_core::digest;
use consulate_core::http::{JsonObject, json, logged};
use consulate_core::log;
use consulate_core::problem::{Code, Problem};
use consulate_core::secret::SecretText;
use consulate_core::template::CallerValues;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::endpoint::{self, Error};
use crate::held::Minted;
use crate::render::{self, Refusal, Rendered, Sources};
use crate::{State, look_up, params};

/// What the widget's configuration is made of. Qrvey's widgets read either spelling of the token, by their age.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = QrveyConfig))]
#[derive(Serialize)]
pub(crate) struct Answer<'a> {
    domain: &'a str,
    qv_token: &'a str,
    #[serde(rename = "qvToken")]
    qv_token_camel: &'a str,
    expires_at: Timestamp,
    refresh_after: Timestamp,
}

/// `qrvey/{widget}/{name}`: `{"api_key":…}`, and the instance it may be sent to where the command stored it.
#[derive(Deserialize)]
struct ApiKey {
    api_key: SecretText,
    #[serde(default)]
    domain: Option<String>,
}

/// Handles one request. Everything that can be refused is refused before the API key is touched.
pub(crate) async fn mint(
    extract::State(state): extract::State<State>,
    caller: WidgetCaller,
    Path(path): Path<HashMap<String, String>>,
    body: JsonObject,
) -> Response {
    let name = path.get("name").map_or("", String::as_str);
    let mut fields = log::Fields::new();
    let response = match answer(&state, &caller, name, &body, &mut fields).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    logged(response, fields)
}

async fn answer(
    state: &State,
    caller: &WidgetCaller,
    name: &str,
    body: &JsonObject,
    log: &mut log::Fields,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    let widget = &caller.widget;
    let template = widget.qrvey.get(name).ok_or_else(|| {
        Problem::new(
            Code::TemplateUnknown,
            "The widget declares no template of this name.",
        )
        .field("name")
    })?;
    log.add("template", name);
    log.add("provider", "qrvey");
    let chosen = params::read(body, template)?;
    let settings = look_up::settings(&state.settings, template, caller).await?;
    let sources = Sources {
        caller: CallerValues {
            user_id: &caller.caller.user,
            user_email: caller.caller.email.as_deref(),
            organisation_id: &caller.caller.organisation,
        },
        params: &chosen,
        settings: &settings,
    };
    let rendered = render::render(template, sources).map_err(problem_of_refusal)?;
    let unreachable = || {
        let detail = "The template's domain is not one that may be called.";
        Problem::new(Code::UpstreamUnreachable, detail).field("domain")
    };
    let uri = rendered.url.parse().map_err(|_| unreachable())?;
    state.egress.check(&uri).map_err(|_| unreachable())?;

    let asking = Asking {
        state,
        secret: format!("qrvey/{}/{name}", widget.id),
        domain: &template.domain,
        rendered: &rendered,
        now,
    };
    let api_key = asking.api_key(&state.secrets.get(&asking.secret).await?)?;
    let key = asking.key(&api_key);
    let mut told = log::Fields::new();
    let outcome = state
        .held
        .get(&key, now, asking.ask(api_key, &mut told))
        .await;
    log.extend(told);
    let (minted, origin) = outcome.map_err(problem_of)?;
    log.add("source", origin.name());
    log.add("expires_at", minted.expires_at);
    let security_token = minted.security_token.expose();
    Ok(json(
        StatusCode::OK,
        &Answer {
            domain: &template.domain,
            qv_token: security_token,
            qv_token_camel: security_token,
            expires_at: minted.expires_at,
            refresh_after: minted.refresh_after,
        },
    ))
}

/// A request to Qrvey on its way.
struct Asking<'a> {
    state: &'a State,
    /// Name of the API key's secret.
    secret: String,
    domain: &'a str,
    rendered: &'a Rendered,
    now: Timestamp,
}

impl Asking<'_> {
    fn api_key(&self, stored: &SecretText) -> Result<SecretText, Problem> {
        let unusable = |detail| Problem::new(Code::Unavailable, detail);
        let stored: ApiKey = serde_json::from_str(stored.expose()).map_err(|_| {
            unusable("The Qrvey API key is not of the documented shape: an operator has to set it.")
        })?;
        if stored.domain.is_some_and(|domain| domain != self.domain) {
            return Err(unusable(
                "The Qrvey API key was set for another domain: an operator has to set it again.",
            ));
        }
        Ok(stored.api_key)
    }

    /// What a security token was asked for, all of it: no two templates, callers or API keys share one.
    fn key(&self, api_key: &SecretText) -> String {
        digest::text([
            self.secret.as_bytes(),
            self.rendered.url.as_bytes(),
            self.rendered.body.as_bytes(),
            api_key.expose().as_bytes(),
        ])
    }

    async fn ask(&self, api_key: SecretText, log: &mut log::Fields) -> Result<Minted, Error> {
        let outcome = self.ask_with(&api_key, log).await;
        if !outcome.as_ref().is_err_and(Error::is_about_the_key) {
            return outcome;
        }
        // A new key may have been set a moment ago.
        let newer = self.state.secrets.reload(&self.secret).await.ok();
        let newer = newer.and_then(|stored| self.api_key(&stored).ok());
        match newer.filter(|newer| newer.expose() != api_key.expose()) {
            Some(newer) => self.ask_with(&newer, log).await,
            None => outcome,
        }
    }

    async fn ask_with(&self, api_key: &SecretText, log: &mut log::Fields) -> Result<Minted, Error> {
        let place = digest::text([self.domain.as_bytes(), api_key.expose().as_bytes()]);
        self.is_welcome(&place)?;
        let started = Instant::now();
        let outcome = endpoint::ask(&self.state.egress, self.rendered, api_key, self.now).await;
        log.add("upstream_ms", started.elapsed().as_millis() as u64);
        if let Err(
            Error::Refused { status }
            | Error::Unavailable {
                status: Some(status),
            },
        ) = &outcome
        {
            log.add("upstream_status", status);
        }
        if let Err(Error::Throttled { seconds }) = outcome {
            log.add("upstream_status", 429);
            let until = self.now.plus_seconds(seconds as i64);
            let mut waits = self.waits();
            waits.retain(|_, until| *until > self.now);
            waits.insert(place, until);
        }
        outcome.map(|token| Minted::new(token, self.now, self.rendered.seconds))
    }

    /// No call while Qrvey wants none.
    fn is_welcome(&self, place: &str) -> Result<(), Error> {
        let until = self.waits().get(place).copied();
        let millis = until.map_or(0, |until| until.since(self.now));
        match u64::try_from(millis) {
            Ok(0) | Err(_) => Ok(()),
            Ok(millis) => Err(Error::Throttled {
                seconds: millis.div_ceil(1_000),
            }),
        }
    }

    fn waits(&self) -> std::sync::MutexGuard<'_, HashMap<String, Timestamp>> {
        let waits = self.state.welcome_again.lock();
        waits.unwrap_or_else(PoisonError::into_inner)
    }
}

fn problem_of_refusal(refusal: Refusal) -> Problem {
    let detail = refusal.to_string();
    match refusal {
        Refusal::Param(param) => Problem::new(Code::ParamsInvalid, detail).param(param),
        Refusal::Caller { field, .. } => Problem::new(Code::CallerForbidden, detail).field(field),
        Refusal::Template { field } => Problem::new(Code::Unavailable, detail).field(field),
    }
}

fn problem_of(error: Error) -> Problem {
    match error {
        Error::Refused { status } => {
            let detail = match status {
                401 => "Qrvey does not accept the API key: an operator has to look.",
                403 => "Qrvey does not allow what the template asks for: an operator has to look.",
                _ => "Qrvey does not take what the template asks for: an operator has to look.",
            };
            Problem::new(Code::UpstreamRefused, detail).member("upstream_status", status)
        }
        Error::Throttled { seconds } => {
            Problem::new(Code::RateLimited, "Qrvey was asked too often.").retry_after(seconds)
        }
        Error::Unavailable { status } => {
            let problem = Problem::new(Code::UpstreamUnreachable, "Qrvey cannot be reached.");
            match status {
                Some(status) => problem.member("upstream_status", status),
                None => problem,
            }
        }
        Error::TimedOut => Problem::new(Code::UpstreamTimeout, "Qrvey did not answer in time."),
        Error::TooLarge => Problem::new(
            Code::ResponseTooLarge,
            "The security token is over what a reply can carry (3 MB).",
        ),
        Error::Malformed => Problem::new(
            Code::UpstreamMalformed,
            "Qrvey answered without a usable security token.",
        ),
        Error::NotSendable => Problem::new(
            Code::Unavailable,
            "The request to Qrvey cannot be made: an operator has to look.",
        ),
    }
}
