//! EDGE. The settings a template looks up: those of the caller's organisation with this widget, and of these only what an
//! administrator wrote. What a user could have written must not decide what the user sees.

use std::collections::BTreeMap;

use consulate_core::caller::WidgetCaller;
use consulate_core::definition::{OrganisationSettings, OwnerMode, QrveyTemplate};
use consulate_core::problem::{Code, Problem};
use consulate_core::settings::{SettingKey, Settings, SettingsOwner};
use serde_json::Value;

use crate::render;

/// The settings that `template` names, by key; those that are not there are left out. One strong read each.
pub(crate) async fn settings(
    settings: &Settings,
    template: &QrveyTemplate,
    caller: &WidgetCaller,
) -> Result<BTreeMap<String, Value>, Problem> {
    let mut found = BTreeMap::new();
    let keys = render::settings_of(template);
    if keys.is_empty() {
        return Ok(found);
    }
    let unusable = |detail| Problem::new(Code::Unavailable, detail).field("settings");
    let policy = caller.widget.settings;
    if !policy
        .organisation
        .is_some_and(OrganisationSettings::is_written_by_admins)
    {
        return Err(unusable(
            "The template looks settings up that administrators alone do not write.",
        ));
    }
    let owner = SettingsOwner::of(&caller.widget.id, &caller.caller, OwnerMode::Organisation);
    for key in keys {
        let parsed = SettingKey::parse(key)
            .ok_or_else(|| unusable("The template names a setting that cannot be."))?;
        let Some(setting) = settings.read(&owner, &parsed).await? else {
            continue;
        };
        // As if it were not there: the caller gets nothing, and an administrator can write it anew.
        if !policy.is_an_admins_word(setting.updated_at) {
            continue;
        }
        let value = serde_json::from_str(setting.value.expose())
            .map_err(|_| unusable("A setting is not JSON."))?;
        found.insert(key.to_owned(), value);
    }
    Ok(found)
}
