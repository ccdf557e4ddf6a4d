//! `POST /v1/widgets/{widget}/apis/{name}`: one named API call, from params to envelope.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{self, Path};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use consulate_core::caller::WidgetCaller;
use consulate_core::definition::{Authentication, NamedApi, Passport};
use consulate_core::egress;
use consulate_core::http::{Bounded, logged};
use consulate_core::log;
use consulate_core::owner::OwnerKey;
use consulate_core::passport::{Verdict, WrongSlot};
use consulate_core::problem::{Code, Problem, Reason};
use consulate_core::table::ConnectionKey;
use consulate_core::template::{CallerValues, Fields, RenderError, Rendered};
use http::Request;

use crate::access_token::{self, Opened, Replacement};
use crate::envelope::Throttled;
use crate::guards::Guards;
use crate::rests::Resting;
use crate::{State, envelope, params, response_headers, throttle};

/// Query parameter, and field of the connection, of a proof that goes along with a Meta token.
pub(crate) const PROOF: &str = "appsecret_proof";

/// API Gateway gives up after 29 s; whatever happens, we answer before.
const BUDGET: Duration = Duration::from_secs(27);
/// The longest an API may take.
const UPSTREAM_TIME: Duration = Duration::from_secs(20);

/// Handles one call. Everything that can be refused is refused before an access token is touched.
pub(crate) async fn call(
    extract::State(state): extract::State<State>,
    caller: WidgetCaller,
    Path(path): Path<HashMap<String, String>>,
    Bounded(body): Bounded,
) -> Response {
    let name = path.get("name").map_or("", String::as_str);
    let mut fields = log::Fields::new().with("api", name);
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
    body: &Bytes,
    log: &mut log::Fields,
) -> Result<Response, Problem> {
    let started = Instant::now();
    let widget = &caller.widget;
    let api = widget.api(name).ok_or_else(|| {
        Problem::new(Code::ApiUnknown, "The widget declares no API of this name.").field("name")
    })?;
    let authentication = widget
        .authentication(&api.authentication_key)
        .ok_or_else(|| {
            Problem::new(
                Code::AuthenticationUnknown,
                "The API's authentication is not declared.",
            )
            .field("authenticationKey")
        })?;
    log.add("auth_key", &authentication.auth_key);
    let passport = bound_passport(state, &widget.id, authentication).await?;
    log.add("passport", &passport.id);
    log.add("provider", &passport.provider);
    let template = state.template(widget, &passport, api).map_err(|error| {
        Problem::new(Code::Unavailable, "The API's definition cannot be used.").field(error.field)
    })?;
    let params = params::parse(body).map_err(Problem::from)?;
    let values = CallerValues {
        user_id: &caller.caller.user,
        user_email: caller.caller.email.as_deref(),
        organisation_id: &caller.caller.organisation,
    };
    let required = |error| problem_of(error, &widget.id, authentication, &passport);
    // Judged before any credential is touched; what needs fields of the connection is rendered with them afterwards.
    let unusable = |error: RenderError| match error.param() {
        Some(param) => Problem::new(Code::ParamsInvalid, error.to_string()).param(param),
        // The connection was made before the passport kept this field, or the provider did not say.
        None => required(access_token::Error::AuthenticationRequired(
            Reason::ConfigChanged,
        )),
    };
    let judged = template
        .render(&params, values, Fields::Unknown)
        .map_err(unusable)?;
    if let Some(host) = template.host() {
        check_host(state, &passport, host, &judged)?;
    }
    let slot_of = |host: Option<&str>| passport.slot_of(api, host).map_err(wrong_slot);
    let host = template.host_under(&passport, None);
    let mut slot = slot_of(host.as_deref())?;
    let owner = OwnerKey::of(&caller.caller, authentication.owner);
    let main = ConnectionKey::new(&passport.id, owner);
    log.add("owner", main.owner.as_str());
    let tokens = &state.access_tokens;
    let opened = tokens.get(&main.in_slot(slot), &passport).await;
    let mut opened = opened.map_err(required)?;
    if host.is_none() {
        // Only the connection says where the call goes, and so whose token it takes.
        let host = template.host_under(&passport, Some(opened.kept()));
        let right = slot_of(host.as_deref())?;
        if right != slot {
            slot = right;
            let other = tokens.get(&main.in_slot(slot), &passport).await;
            opened = other.map_err(required)?;
        }
    }
    // Anew for every token: a renewal may have moved the API's address.
    let render = |opened: &Opened| -> Result<Rendered, Problem> {
        if !template.needs_connection() {
            return Ok(judged.clone());
        }
        let field = |name: &str| passport.connection_field(opened.kept(), name);
        let rendered = template
            .render(&params, values, Fields::Known(&field))
            .map_err(unusable)?;
        check_host(state, &passport, rendered.host(), &rendered)?;
        if slot_of(Some(rendered.host()))? != slot {
            return Err(host_refused());
        }
        Ok(rendered)
    };
    let mut call = Call {
        state,
        api,
        passport: &passport,
        resting: &|| Resting::of(&passport, caller, &api.name, &main),
        rendered: render(&opened)?,
        render: &render,
        deadline: started + BUDGET,
        fields: log,
    };
    call.send_and_wrap(opened)
        .await
        .map_err(|failure| match failure {
            Failure::Problem(problem) => *problem,
            Failure::AccessToken(error) => required(error),
        })
}

/// The passport an authentication is bound to; 424 `not_bound` until an operator binds one.
pub(crate) async fn bound_passport(
    state: &State,
    widget: &str,
    authentication: &Authentication,
) -> Result<Arc<Passport>, Problem> {
    let not_bound =
        || Problem::authentication_required(Reason::NotBound, widget, &authentication.auth_key);
    let id = authentication.passport.as_deref().ok_or_else(not_bound)?;
    state.definitions.passport(id).await?.ok_or_else(not_bound)
}

/// A credential goes to hosts of its passport and nowhere else. Judged on the very request that will be sent.
fn check_host(
    state: &State,
    passport: &Passport,
    host: &str,
    rendered: &Rendered,
) -> Result<(), Problem> {
    if !passport.allows_host(host, rendered.is_host_pinned()) || rendered.host() != host {
        return Err(host_refused());
    }
    state
        .egress
        .check(rendered.uri())
        .map_err(|_| host_refused())
}

fn host_refused() -> Problem {
    Problem::new(
        Code::UpstreamUnreachable,
        "The API's host is not one this passport's credential may be sent to.",
    )
    .field("url")
}

/// The widget names a token that its passport does not have, or that is for other hosts.
fn wrong_slot(error: WrongSlot) -> Problem {
    let problem = match error {
        WrongSlot::Unknown => Problem::new(
            Code::Unavailable,
            "The API takes a token that its passport does not have.",
        ),
        WrongSlot::Elsewhere => Problem::new(
            Code::UpstreamUnreachable,
            "The API's host is not one that the token it takes may be sent to.",
        ),
    };
    problem.field("token_slot")
}

/// A call on its way.
struct Call<'a> {
    state: &'a State,
    api: &'a NamedApi,
    passport: &'a Passport,
    /// What is left alone when the API asks for it.
    resting: &'a (dyn Fn() -> Resting + Sync),
    rendered: Rendered,
    /// The request for another token.
    render: &'a (dyn Fn(&Opened) -> Result<Rendered, Problem> + Sync),
    deadline: Instant,
    fields: &'a mut log::Fields,
}

enum Failure {
    Problem(Box<Problem>),
    AccessToken(access_token::Error),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl Call<'_> {
    async fn send_and_wrap(&mut self, opened: Opened) -> Result<Response, Failure> {
        self.fields.add("source", opened.source);
        self.fields.add("version", opened.row.version);
        if let Some(seconds) = self.state.rests.left(self.resting, self.state.clock.now()) {
            self.fields.add("resting", true);
            let detail = "The API was called too often and wants to be left alone.";
            return Err(Problem::new(Code::RateLimited, detail)
                .retry_after(seconds)
                .into());
        }
        let mut opened = opened;
        let mut answer = self.send(&opened).await?;
        let mut verdict = self.passport.verdict(&answer);
        if verdict == Verdict::Expired {
            // The API says, in whatever way it does, that the credential is no good although it has not expired: have it
            // renewed, unless it is brand new. Then send again only what may be sent twice (RFC 9110 section 9.2).
            let replaced = self
                .state
                .access_tokens
                .replace(&opened, self.passport)
                .await;
            match replaced.map_err(Failure::AccessToken)? {
                Replacement::Renewed(newer) => {
                    self.fields.add("rejected", true);
                    if self.rendered.method().is_safe() || self.api.idempotent {
                        self.fields.add("source", newer.source);
                        self.fields.add("version", newer.row.version);
                        self.rendered = (self.render)(&newer)?;
                        answer = self.send(&newer).await?;
                        verdict = self.passport.verdict(&answer);
                        opened = newer;
                    }
                }
                Replacement::Kept => {}
            }
        }
        self.wrap(&answer, &opened, verdict)
    }

    /// The proof that goes along with a Meta token, as the connection has it.
    fn proof<'o>(&self, opened: &'o Opened) -> Vec<(&'static str, &'o str)> {
        let proof = opened.row.fields.get(PROOF).map(String::as_str);
        let wanted = self.passport.appsecret_proof;
        proof
            .filter(|_| wanted)
            .map(|proof| (PROOF, proof))
            .into_iter()
            .collect()
    }

    async fn send(&mut self, opened: &Opened) -> Result<http::Response<Bytes>, Failure> {
        self.fields.add("upstream_host", self.rendered.host());
        let request: Request<Bytes> = self
            .rendered
            .to_request(
                opened.access_token.expose(),
                &self.passport.inject,
                &self.proof(opened),
            )
            .map_err(|_| Problem::new(Code::Unavailable, "The request cannot be built."))?;
        let time = self
            .deadline
            .saturating_duration_since(Instant::now())
            .min(UPSTREAM_TIME);
        let sent_at = Instant::now();
        let answer = self
            .state
            .egress
            .send(request, time, envelope::UPSTREAM_BODY_LIMIT)
            .await;
        self.fields
            .add("upstream_ms", sent_at.elapsed().as_millis() as u64);
        let answer = answer.map_err(|error| match error {
            egress::Error::Refused(_) | egress::Error::NotSent | egress::Error::Cut => {
                Problem::new(Code::UpstreamUnreachable, "The API cannot be reached.")
            }
            egress::Error::TimedOut => {
                Problem::new(Code::UpstreamTimeout, "The API did not answer in time.")
            }
            egress::Error::TooLarge => too_large(),
        })?;
        self.fields.add("upstream_status", answer.status().as_u16());
        Ok(answer)
    }

    fn wrap(
        &mut self,
        answer: &http::Response<Bytes>,
        opened: &Opened,
        verdict: Verdict,
    ) -> Result<Response, Failure> {
        let coded = answer
            .headers()
            .get_all(http::header::CONTENT_ENCODING)
            .iter();
        if coded
            .into_iter()
            .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
        {
            // Not asked for, and an echoed credential inside it could not be seen.
            let detail = "The API answered in a content coding that was not asked for.";
            return Err(Problem::new(Code::UpstreamUnreachable, detail).into());
        }
        let throttled = (verdict == Verdict::Throttled).then(|| {
            let now = self.state.clock.now();
            let wait = throttle::retry_after(self.passport, answer.headers(), now);
            self.fields.add("throttled", true);
            if let Some(seconds) = wait {
                self.state.rests.rest((self.resting)(), seconds, now);
            }
            Throttled {
                is_throttled: true,
                retry_after_seconds: wait,
            }
        });
        let guard = Guards::of(
            self.passport,
            opened.access_token.expose(),
            &self.proof(opened),
        );
        let headers = response_headers::allowed(answer.headers());
        let (document, echoes) = envelope::build(
            answer.status(),
            answer.headers(),
            headers,
            answer.body(),
            &guard,
            throttled,
        )
        .map_err(|_| too_large())?;
        if echoes > 0 {
            self.fields.add("echoes_removed", echoes as u64);
        }
        let mut response = Response::new(axum::body::Body::from(document));
        response.headers_mut().insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/json"),
        );
        Ok(response)
    }
}

fn too_large() -> Problem {
    Problem::new(
        Code::ResponseTooLarge,
        "The API's answer is over what a reply can carry (6 MB).",
    )
}

/// What a caller is told where there is no usable access token.
pub(crate) fn problem_of(
    error: access_token::Error,
    widget: &str,
    authentication: &Authentication,
    passport: &Passport,
) -> Problem {
    let auth_key = &authentication.auth_key;
    match error {
        access_token::Error::AuthenticationRequired(reason) => {
            let problem = Problem::authentication_required(reason, widget, auth_key);
            if passport.credential.is_consented() {
                problem
            } else {
                problem.connect_by_typing(widget, auth_key)
            }
        }
        access_token::Error::Busy => Problem::new(
            Code::RefreshBusy,
            "The access token is being renewed, which takes long.",
        )
        .retry_after(2),
        access_token::Error::Unavailable { retry_after } => Problem::new(
            Code::Unavailable,
            "The access token cannot be renewed at the moment.",
        )
        .retry_after(retry_after),
        access_token::Error::Misconfigured => Problem::new(
            Code::Unavailable,
            "The provider does not accept this passport's client: an operator has to look.",
        )
        .retry_after(30),
    }
}
