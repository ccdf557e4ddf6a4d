//! PURE. Whether a widget may stand under the host its bundle names. A host is a space of callers: whoever joins one sees
//! the accounts these callers connected to passports that both widgets use.

use consulate_core::definition::Host;

/// What is known about the host a bundle names.
pub struct Standing<'s> {
    /// The host as the bundle declares it.
    pub declared: &'s Host,
    /// The host as it is stored, where it is.
    pub stored: Option<&'s Host>,
    /// True where the widget stands under this host already.
    pub is_own: bool,
    /// Other widgets under this host.
    pub others: &'s [String],
    /// Whether the importer asked to join it (`--join-host`).
    pub join: bool,
}

/// `Ok` with a difference to agree to, if there is one.
///
/// # Errors
/// Why the import is refused, whatever is agreed to.
pub fn judge(standing: &Standing<'_>) -> Result<Option<String>, String> {
    let Standing {
        declared,
        stored,
        is_own,
        others,
        join,
    } = standing;
    let Some(stored) = stored else {
        return Ok(None);
    };
    let equal = stored == declared;
    let id = &declared.id;
    let with = match others {
        [] => String::new(),
        others => format!(" of {}", others.join(", ")),
    };
    match (is_own, join) {
        (true, _) if equal || others.is_empty() => Ok(None),
        (true, _) => Ok(Some(format!(
            "host {id} changes for {} too",
            others.join(", ")
        ))),
        (false, false) => Err(format!(
            "The host \"{id}\" is there already{with}. To share its callers, import with --join-host; \
             else give this widget's host another id in consulate.json."
        )),
        (false, true) if equal => Ok(None),
        (false, true) => Err(format!(
            "The host \"{id}\"{with} is defined differently. A widget that joins a host declares it as it is stored."
        )),
    }
}

#[cfg(test)]
mod tests {
    use consulate_core::definition::HostKind;

    use super::*;

    fn host(organisations: Option<&[&str]>) -> Host {
        Host {
            id: "acme".into(),
            kind: HostKind::Happeo,
            organisations: organisations.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect()),
            require_exp: true,
            one_time_jwt: false,
        }
    }

    fn judged(
        stored: Option<&Host>,
        is_own: bool,
        others: &[&str],
        join: bool,
    ) -> Result<Option<String>, String> {
        let others: Vec<String> = others.iter().map(|id| (*id).to_owned()).collect();
        judge(&Standing {
            declared: &host(None),
            stored,
            is_own,
            others: &others,
            join,
        })
    }

    #[test]
    fn a_new_host_needs_no_word() {
        assert_eq!(judged(None, false, &[], false), Ok(None));
    }

    #[test]
    fn a_host_of_others_is_joined_only_on_demand_and_as_it_is() {
        let (same, other) = (host(None), host(Some(&["o1"])));
        assert!(
            judged(Some(&same), false, &["files"], false)
                .unwrap_err()
                .contains("--join-host")
        );
        assert_eq!(judged(Some(&same), false, &["files"], true), Ok(None));
        assert!(
            judged(Some(&other), false, &["files"], true)
                .unwrap_err()
                .contains("differently")
        );
        // Nobody stands under it any more, but its callers' connections may still be there.
        assert!(judged(Some(&same), false, &[], false).is_err());
    }

    #[test]
    fn another_issuer_or_audience_is_another_definition() {
        let issuer = |audience: &str| -> Host {
            serde_json::from_value(serde_json::json!({
                "id": "acme", "type": "oidc", "issuer": "https://id.example.com", "audience": audience, "organisation": "o1",
                "claims": {"user": ["sub"], "email": ["email"]},
            }))
            .unwrap()
        };
        let joining = |declared: &Host, stored: &Host| {
            judge(&Standing {
                declared,
                stored: Some(stored),
                is_own: false,
                others: &["files".to_owned()],
                join: true,
            })
        };
        assert_eq!(joining(&issuer("a"), &issuer("a")), Ok(None));
        assert!(joining(&issuer("b"), &issuer("a")).is_err());
        assert!(joining(&host(None), &issuer("a")).is_err());
    }

    #[test]
    fn changing_a_shared_host_names_whom_it_concerns() {
        let other = host(Some(&["o1"]));
        assert_eq!(judged(Some(&other), true, &[], false), Ok(None));
        assert!(
            judged(Some(&other), true, &["files"], false)
                .unwrap()
                .unwrap()
                .contains("files")
        );
    }
}
