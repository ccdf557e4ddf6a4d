//! PURE. `host` of `consulate.json`: who vouches for the widget's callers. A Happeo widget's secret, or an OpenID Connect issuer.

use consulate_core::definition::{ClaimPath, Host, HostKind, OidcClaims, OidcHost};
use consulate_core::egress::LoopbackExceptions;

use super::address;
use super::document::Object;
use super::finding::Findings;
use super::id::{ID_RULE, is_id};
use super::passport_settings::strings;

/// Where an issuer publishes its discovery document, behind its identifier.
const WELL_KNOWN: &str = "/.well-known/";

/// The host, before its id takes the widget's.
#[derive(Debug)]
pub(super) struct DeclaredHost {
    id: Option<String>,
    kind: HostKind,
    organisations: Option<Vec<String>>,
    require_exp: bool,
    one_time_jwt: bool,
}

impl DeclaredHost {
    /// The host of the widget `widget_id`.
    pub fn of_widget(self, widget_id: &str) -> Host {
        Host {
            id: self.id.unwrap_or_else(|| widget_id.to_owned()),
            kind: self.kind,
            organisations: self.organisations,
            require_exp: self.require_exp,
            one_time_jwt: self.one_time_jwt,
        }
    }
}

/// Reads `host`, and `organisations` beside it.
pub(super) fn read(
    root: &Object<'_>,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Option<DeclaredHost> {
    let organisations = strings(root, "organisations", findings);
    let Some(host) = root.object("host", findings) else {
        if organisations.is_some() {
            findings.error(
                "organisations_without_host",
                root.place("organisations"),
                "organisations restricts a host, and the file declares none",
                "Add \"host\": {\"type\": \"happeo\", \"id\": \"…\"}.",
            );
        }
        return None;
    };
    let declared = host.required("type", findings);
    let id = host.string("id", findings);
    let own_organisations = strings(&host, "organisations", findings);
    let one_time_jwt = host.boolean("one_time_jwt", findings).unwrap_or_default();
    // An issuer always says when a JWT ends.
    let require_exp = match declared.as_deref() {
        Some("oidc") => true,
        _ => host.boolean("require_exp", findings).unwrap_or(true),
    };
    let kind = match declared.as_deref() {
        Some("happeo") | None => HostKind::Happeo,
        Some("oidc") => HostKind::Oidc(oidc(&host, exceptions, findings)?),
        Some(other) => {
            findings.error(
                "host_type_unsupported",
                host.place("type"),
                format!("the host type \"{other}\" is not supported by this version"),
                "Use \"happeo\" or \"oidc\".",
            );
            // What else it declares belongs to that type.
            return None;
        }
    };
    host.warn_unknown(&[], findings);
    if let Some(id) = id.as_deref().filter(|id| !is_id(id)) {
        findings.error(
            "host_id_invalid",
            host.place("id"),
            format!("the host id \"{id}\" is not an id"),
            ID_RULE,
        );
    }
    if own_organisations.is_some() && organisations.is_some() {
        findings.error(
            "organisations_twice",
            host.place("organisations"),
            "organisations is declared both in the host and beside it",
            "Keep one of the two.",
        );
    }
    judge_expiry(&host, require_exp, one_time_jwt, findings);
    Some(DeclaredHost {
        id,
        kind,
        organisations: own_organisations.or(organisations),
        require_exp,
        one_time_jwt,
    })
}

fn judge_expiry(host: &Object<'_>, require_exp: bool, one_time_jwt: bool, findings: &mut Findings) {
    if require_exp {
        return;
    }
    if one_time_jwt {
        findings.error(
            "one_time_jwt_without_exp",
            host.place("require_exp"),
            "a JWT that changes something once only must end: which ones were used is remembered until then",
            "Leave require_exp out.",
        );
        return;
    }
    findings.warning(
        "exp_not_required",
        host.place("require_exp"),
        "caller JWTs without an expiry are accepted: a leaked one works for ever",
        "Leave require_exp out unless the host cannot set exp.",
    );
}

fn oidc(
    host: &Object<'_>,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) -> Option<OidcHost> {
    let issuer = host.required("issuer", findings);
    if let Some(issuer) = &issuer {
        judge_issuer(host, issuer, exceptions, findings);
    }
    let audience = host.required("audience", findings);
    let organisation = host
        .has("organisation")
        .then(|| host.required("organisation", findings));
    let claims = host.object("claims", findings);
    let path = |name: &str, findings: &mut Findings| {
        let claims = claims.as_ref()?;
        claim_path(claims, name, findings)
    };
    let user = path("user", findings).or(ClaimPath::parse("$.sub"));
    let email = path("email", findings).or(ClaimPath::parse("$.email"));
    let claimed = claims
        .as_ref()
        .is_some_and(|claims| claims.has("organisation"));
    let organisation_path = path("organisation", findings);
    if let Some(claims) = &claims {
        claims.warn_unknown(&[], findings);
    }
    if claimed == organisation.is_some() {
        findings.error(
            "host_organisation_unclear",
            host.place("organisation"),
            match claimed {
                true => "the organisation of a caller is both claimed and fixed",
                false => "nothing says which organisation a caller belongs to",
            },
            "Declare either \"claims\": {\"organisation\": \"$.org_id\"}, or \"organisation\": \"ID\" where all callers of this \
             issuer belong to one.",
        );
    }
    Some(OidcHost {
        issuer: issuer?,
        audience: audience?,
        organisation: organisation.flatten(),
        claims: OidcClaims {
            user: user?,
            organisation: organisation_path,
            email: email?,
        },
    })
}

fn judge_issuer(
    host: &Object<'_>,
    issuer: &str,
    exceptions: &LoopbackExceptions,
    findings: &mut Findings,
) {
    if let Err(fault) = address::endpoint(issuer, exceptions) {
        let message = format!("{} {}", host.path_of("issuer"), fault.message);
        findings.error(fault.code, host.place("issuer"), message, fault.cure);
        return;
    }
    if issuer.contains('?') || issuer.contains(WELL_KNOWN) {
        findings.error(
            "issuer_invalid",
            host.place("issuer"),
            format!("\"{issuer}\" is not an issuer identifier"),
            "Write it as the discovery document's \"issuer\" says, without /.well-known/… and without a query.",
        );
    }
}

fn claim_path(claims: &Object<'_>, name: &str, findings: &mut Findings) -> Option<ClaimPath> {
    let text = claims.string(name, findings)?;
    let path = ClaimPath::parse(&text);
    if path.is_none() {
        findings.error(
            "claim_path_invalid",
            claims.place(name),
            format!(
                "{} is \"{text}\", which names no single claim",
                claims.path_of(name)
            ),
            "Write $.name, $.object.name or $['https://example.com/name'].",
        );
    }
    path
}
