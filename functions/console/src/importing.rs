//! `GET` and `POST /console/import`: a bundle's archive is judged and compared with what is stored, then imported, by the rules of
//! `consulate import`. What widens trust is shown first, and only what was shown can be agreed to.
//!
//! Between the pages the definitions travel in the form, sealed for the session, and the archive not at all: nothing is kept here
//! (see `uploaded`). This function reads no secret, so one that a bundle brings always counts as another than the stored one; it
//! is written after the definitions, because it could not be put back.

use axum::extract;
use axum::response::Response;
use consulate_bundle::bundle::{self, Finding, Import, Options, Severity};
use consulate_bundle::plan::{Plan, Refused};
use consulate_bundle::secret_shape::client_secret;
use consulate_bundle::ways;
use consulate_core::digest;
use consulate_core::secret::SecretText;

use crate::page::{self, Page, Refusal, Section, Tone};
use crate::review::{self, Review};
use crate::session::{Fields, Signed, back_to};
use crate::upload::{CARRIED_LIMIT, File, Upload};
use crate::uploaded::Uploaded;
use crate::words::segment;
use crate::{State, defining_texts as texts, findings, widget};

/// Where bundles are uploaded.
pub(crate) const ADDRESS: &str = "/console/import";
/// What the box of an agreement sends.
const YES: &str = "yes";

/// The form.
pub(crate) async fn page(signed: Signed) -> Response {
    answer(&review::upload_form(&signed, ""), &signed)
}

/// A bundle, uploaded or reviewed.
pub(crate) async fn post(
    extract::State(state): extract::State<State>,
    Upload {
        signed,
        fields,
        files,
    }: Upload,
) -> Response {
    posted(&state, &signed, &fields, &files)
        .await
        .unwrap_or_else(page::refusal)
}

async fn posted(
    state: &State,
    signed: &Signed,
    fields: &Fields,
    files: &[File],
) -> Result<Response, Refusal> {
    let uploaded = Uploaded::of_files(files).or_else(|| {
        let carried = signed.open(review::DEFINITIONS, fields.text(review::DEFINITIONS))?;
        Uploaded::of_carried(&carried)
    });
    let Some(uploaded) = uploaded else {
        let news = page::said(Tone::Warn, texts::NOTHING_UPLOADED);
        return Ok(answer(&review::upload_form(signed, &news), signed));
    };
    let uploaded = match uploaded {
        Ok(uploaded) => uploaded,
        Err(error) => {
            let news = findings::findings(&[error.finding()]);
            return Ok(answer(&review::upload_form(signed, &news), signed));
        }
    };
    // Said now: the form of the page that follows could not be posted, nor that page be answered.
    let definitions = signed.seal(review::DEFINITIONS, &uploaded.carried())?;
    if definitions.len() > CARRIED_LIMIT {
        return Err(Refusal::DEFINITIONS_TOO_LARGE);
    }
    let options = Options {
        widget: Some(fields.text("widget").trim().to_owned()).filter(|id| !id.is_empty()),
        binds: fields
            .under("bind.")
            .filter(|(_, passport)| !passport.is_empty())
            .map(|(key, passport)| (key.to_owned(), passport.to_owned()))
            .collect(),
        allow: state.allow.to_vec(),
    };
    let catalogue = state.store.catalogue().await?;
    let passports = widget::passports(state).await?;
    let show = |judged: Judged<'_>, news: &str| {
        let review = Review {
            definitions: &definitions,
            judged,
            news,
            fields,
            passports: &passports,
            base_url: &state.base_url,
            signed,
        };
        Ok(answer(&review.page(), signed))
    };

    let Uploaded { source, code } = uploaded;
    let import = match bundle::import(&source, &options, &catalogue) {
        Ok(import) => import,
        Err(errors) => return show(Judged::Faulty(&bundle::with_code(errors, code)), ""),
    };
    // That nothing is bound is said, and cured, where passports are chosen.
    let mut findings = bundle::with_code(import.findings.clone(), code);
    findings.retain(|finding| finding.code != "authentication_unbound");
    let join = fields.text("join_host") == YES;
    let plan = match Plan::new(&state.store, import, join, state.clock.now()).await? {
        Ok(plan) => plan,
        Err(refused) => {
            let judged = Judged::Refused {
                refused: &refused,
                findings: &findings,
            };
            return show(judged, "");
        }
    };
    let differences = differences(state, &plan).await?;
    let agreed = agreement(&differences);
    let judged = || Judged::Ready {
        plan: &plan,
        findings: &findings,
        differences: &differences,
        agreement: &agreed,
    };
    if fields.text("act") != "import" {
        return show(judged(), "");
    }
    let agrees = fields.text("accept") == YES && fields.text("agreement") == agreed;
    if !differences.is_empty() && !agrees {
        return show(judged(), &page::said(Tone::Bad, texts::NOT_AGREED));
    }
    if !plan.commit(&state.store).await? {
        return show(judged(), &page::said(Tone::Bad, texts::CHANGED_MEANWHILE));
    }
    let id = &plan.import.widget.id;
    let stored = store_secrets(state, signed, &plan.import).await;
    let detail = differences.join("; ");
    let detail = crate::words::cut(&detail, 500);
    state.note(signed, "imported", id, &detail).await;
    let news = if stored {
        "imported"
    } else {
        "imported_without_secret"
    };
    Ok(back_to(&format!("/console/widgets/{}", segment(id)), news))
}

/// What is known about a bundle.
#[derive(Clone, Copy)]
pub(crate) enum Judged<'j> {
    /// It cannot be imported by anybody.
    Faulty(&'j [Finding]),
    /// It cannot be imported so.
    Refused {
        refused: &'j Refused,
        findings: &'j [Finding],
    },
    /// It can, once the differences are agreed to.
    Ready {
        plan: &'j Plan,
        findings: &'j [Finding],
        differences: &'j [String],
        agreement: &'j str,
    },
}

impl<'j> Judged<'j> {
    pub(crate) fn import(self) -> Option<&'j Import> {
        match self {
            Self::Faulty(_) => None,
            Self::Refused { refused, .. } => Some(&refused.import),
            Self::Ready { plan, .. } => Some(&plan.import),
        }
    }

    /// Whether all that stands in the way is that nobody has named the widget.
    pub(crate) fn wants_an_id(self) -> bool {
        let Self::Faulty(findings) = self else {
            return false;
        };
        let named = |finding: &Finding| finding.code == "widget_id_missing";
        findings.iter().any(named)
            && findings
                .iter()
                .all(|finding| named(finding) || finding.severity == Severity::Warning)
    }
}

/// What has to be agreed to.
async fn differences(state: &State, plan: &Plan) -> Result<Vec<String>, Refusal> {
    let mut differences = plan.differences.clone();
    for secret in &plan.import.secrets {
        let name = format!("passports/{}", secret.passport);
        if state.secrets.is_set(&name).await? {
            differences.push(texts::SECRET_REPLACED.replace("{passport}", &secret.passport));
        }
    }
    if let Some(before) = plan.stored_widget() {
        let ways = ways::lost(&state.store, before, &plan.import.widget).await?;
        for way in ways.gone() {
            let text = match way.is_shared {
                true => texts::LEFT_BEHIND_SHARED,
                false => texts::LEFT_BEHIND_OWN,
            };
            let text = text
                .replace("{passport}", &way.passport)
                .replace("{host}", &way.host);
            differences.push(text);
        }
    }
    Ok(differences)
}

/// PURE. What stands for exactly these differences in the form: others cannot be agreed to by it.
pub(crate) fn agreement(differences: &[String]) -> String {
    digest::text(differences.iter().map(String::as_bytes))
}

/// Stores the client secrets that the bundle brings. False where one could not be stored.
async fn store_secrets(state: &State, signed: &Signed, import: &Import) -> bool {
    let mut stored = true;
    for secret in &import.secrets {
        let passport = import
            .passports
            .iter()
            .find(|passport| passport.id == secret.passport);
        let Some(passport) = passport else { continue };
        let value: SecretText = client_secret(&secret.client_secret, passport);
        let name = format!("passports/{}", secret.passport);
        match state.secrets.put(&name, &value).await {
            Ok(()) => state.note(signed, "secret_set", &secret.passport, "").await,
            Err(_) => stored = false,
        }
    }
    stored
}

fn answer(main: &str, signed: &Signed) -> Response {
    Page::new(Section::Widgets, texts::IMPORT, main).into_answer(signed)
}
