//! PURE. What a later import would change about Qrvey security tokens: each of it decides where the API key goes, whose powers
//! a token has, or what it lets see, so all of it needs an operator's consent. A new template needs none: it can do nothing
//! before somebody sets its API key.

use consulate_core::definition::QrveyTemplate;
use consulate_core::qrvey::seconds_of;
use serde::Serialize;
use serde_json::Value;

/// As much of a value as a difference shows, in characters.
const SHOWN: usize = 200;

/// Tells `changed` what differs between two templates called `name`. `after` is `None` where it was taken out: were that
/// not asked about, taking out and putting back would be a way around everything else.
pub(super) fn differences(
    name: &str,
    before: &QrveyTemplate,
    after: Option<&QrveyTemplate>,
    changed: &mut impl FnMut(&str, String, String),
) {
    let Some(after) = after else {
        return changed(
            &format!("Qrvey template {name}"),
            before.domain.clone(),
            none(),
        );
    };
    let mut field = |field: &str, before: String, after: String| {
        changed(&format!("{field} of Qrvey template {name}"), before, after);
    };
    field("domain", before.domain.clone(), after.domain.clone());
    field("path", before.path.clone(), after.path.clone());
    // A shorter life takes nothing from anybody's safety.
    if seconds_of(&after.expires_in) > seconds_of(&before.expires_in) {
        field(
            "expiresIn",
            before.expires_in.clone(),
            after.expires_in.clone(),
        );
    }
    for (before, after, within) in [
        (&before.body, &after.body, ""),
        (&before.extra, &after.extra, "extra."),
    ] {
        let added = after.keys().filter(|name| !before.contains_key(*name));
        for key in before.keys().chain(added) {
            let show = |value: Option<&Value>| value.map_or_else(none, shown);
            // Compared before it is cut short.
            if before.get(key) != after.get(key) {
                let (was, is) = (show(before.get(key)), show(after.get(key)));
                let is = if was == is {
                    format!("{is} (further on)")
                } else {
                    is
                };
                field(&format!("{within}{key}"), was, is);
            }
        }
    }
    field("fields", shown(&before.fields), shown(&after.fields));
    if before.params != after.params {
        let (was, is) = (shown(&before.params), shown(&after.params));
        let is = if was == is {
            format!("{is} (further on)")
        } else {
            is
        };
        field("params", was, is);
    }
}

fn none() -> String {
    "none".to_owned()
}

fn shown(value: &(impl Serialize + ?Sized)) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
