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
use consulate_core::http::Bounded;
use consulate_core::log::Fields;
use consulate_core::owner::OwnerKey;
use consulate_core::problem::{Code, Problem, Reason};
use consulate_core::table::ConnectionKey;
use consulate_core::template::{CallerValues, Rendered};
use http::{Request, StatusCode};

use crate::access_token::{self, Opened, Replacement};
use crate::{State, echo_guard, envelope, params, response_headers};

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
    let mut fields = Fields::new().with("api", name);
    let mut response = match answer(&state, &caller, name, &body, &mut fields).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    if let Some(theirs) = response.extensions_mut().remove::<Fields>() {
        fields.extend(theirs);
    }
    response.extensions_mut().insert(fields);
    response
}

async fn answer(
    state: &State,
    caller: &WidgetCaller,
    name: &str,
    body: &Bytes,
    fields: &mut Fields,
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
    fields.add("auth_key", &authentication.auth_key);
    let passport = bound_passport(state, &widget.id, authentication).await?;
    fields.add("passport", &passport.id);
    let template = state.template(widget, &passport, api).map_err(|error| {
        Problem::new(Code::Unavailable, "The API's definition cannot be used.").field(error.field)
    })?;
    let params = params::parse(body).map_err(Problem::from)?;
    let values = CallerValues {
        user_id: &caller.caller.user,
        user_email: caller.caller.email.as_deref(),
        organisation_id: &caller.caller.organisation,
    };
    let rendered = template
        .render(&params, values)
        .map_err(|error| Problem::new(Code::ParamsInvalid, error.to_string()).param(error.param))?;
    check_host(state, &passport, &template, &rendered)?;
    fields.add("upstream_host", template.host());

    let key = ConnectionKey {
        passport: passport.id.clone(),
        owner: OwnerKey::of(&caller.caller, authentication.owner),
    };
    let mut call = Call {
        state,
        api,
        passport: &passport,
        rendered,
        deadline: started + BUDGET,
        fields,
    };
    let opened = call
        .state
        .access_tokens
        .get(&key, &passport)
        .await
        .map_err(|error| problem_of(error, &widget.id, authentication))?;
    call.send_and_wrap(opened)
        .await
        .map_err(|failure| match failure {
            Failure::Problem(problem) => *problem,
            Failure::AccessToken(error) => problem_of(error, &widget.id, authentication),
        })
}

async fn bound_passport(
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
    template: &consulate_core::template::ApiTemplate,
    rendered: &Rendered,
) -> Result<(), Problem> {
    let refused = || {
        Problem::new(
            Code::UpstreamUnreachable,
            "The API's host is not one this passport's credential may be sent to.",
        )
        .field("url")
    };
    if !passport
        .api_hosts
        .iter()
        .any(|host| host == template.host())
        || rendered.host() != template.host()
    {
        return Err(refused());
    }
    state.egress.check(rendered.uri()).map_err(|_| refused())
}

/// A call on its way.
struct Call<'a> {
    state: &'a State,
    api: &'a NamedApi,
    passport: &'a Passport,
    rendered: Rendered,
    deadline: Instant,
    fields: &'a mut Fields,
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
        let mut opened = opened;
        let mut answer = self.send(&opened).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            // The API says the credential is no good although it has not expired: have it renewed, unless it is brand
            // new. Then send again only what may be sent twice (RFC 9110 section 9.2).
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
                        answer = self.send(&newer).await?;
                        opened = newer;
                    }
                }
                Replacement::Kept => {}
            }
        }
        self.wrap(&answer, &opened)
    }

    async fn send(&mut self, opened: &Opened) -> Result<http::Response<Bytes>, Failure> {
        let request: Request<Bytes> = self
            .rendered
            .to_request(opened.access_token.expose())
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
        let guard = echo_guard::EchoGuard::new(opened.access_token.expose());
        let headers = response_headers::allowed(answer.headers());
        let (document, echoes) = envelope::build(
            answer.status(),
            answer.headers(),
            headers,
            answer.body(),
            &guard,
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

fn problem_of(
    error: access_token::Error,
    widget: &str,
    authentication: &Authentication,
) -> Problem {
    match error {
        access_token::Error::AuthenticationRequired(reason) => {
            Problem::authentication_required(reason, widget, &authentication.auth_key)
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
