//! Whose settings a request means, and what its caller may do with them: the argument of every handler.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path};
use consulate_core::caller::WidgetCaller;
use consulate_core::definition::{OrganisationSettings, OwnerMode};
use consulate_core::log::Fields;
use consulate_core::owner::OwnerKey;
use consulate_core::problem::{Code, Problem};
use consulate_core::settings::{SettingKey, SettingsOwner};
use http::request::Parts;

use crate::State;

/// The settings of one owner, open to this caller for reading.
pub(crate) struct Shelf {
    pub owner: SettingsOwner,
    /// Whose they are, as every log line names owners.
    whose: OwnerKey,
    scope: &'static str,
    writable: bool,
}

/// One key of a [`Shelf`].
pub(crate) struct Target {
    pub shelf: Shelf,
    pub key: SettingKey,
}

impl FromRequestParts<State> for Shelf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let who = WidgetCaller::from_request_parts(parts, state).await?;
        let path = path(parts, state).await?;
        Self::of(&who, path.get("scope").map_or("", String::as_str))
    }
}

impl FromRequestParts<State> for Target {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let shelf = Shelf::from_request_parts(parts, state).await?;
        let path = path(parts, state).await?;
        let key = path.get("key").and_then(|key| SettingKey::parse(key));
        let key = key.ok_or_else(|| {
            Problem::new(
                Code::RequestInvalid,
                "A key is 1 to 128 of A-Z, a-z, 0-9, '.', '_', ':' and '-', the first a letter or a digit.",
            )
            .field("key")
        })?;
        Ok(Self { shelf, key })
    }
}

async fn path(parts: &mut Parts, state: &State) -> Result<HashMap<String, String>, Problem> {
    let Path(path) = Path::from_request_parts(parts, state).await.map_err(|_| {
        Problem::new(Code::RequestMalformed, "The path cannot be read.").field("path")
    })?;
    Ok(path)
}

impl Shelf {
    fn of(who: &WidgetCaller, scope: &str) -> Result<Self, Problem> {
        let policy = &who.widget.settings;
        let (mode, scope, declared, readable, writable) = match scope {
            "user" => (OwnerMode::User, "user", policy.user, true, true),
            "organisation" => {
                let admin = who.is_admin();
                let (declared, readable, writable) = match policy.organisation {
                    None => (false, false, false),
                    Some(OrganisationSettings::Admins) => (true, true, admin),
                    Some(OrganisationSettings::AdminsOnly) => (true, admin, admin),
                    Some(OrganisationSettings::Members) => (true, true, true),
                };
                let mode = OwnerMode::Organisation;
                (mode, "organisation", declared, readable, writable)
            }
            _ => {
                let detail = "Settings are of the scope user or organisation.";
                return Err(Problem::new(Code::NotFound, detail).field("scope"));
            }
        };
        if !declared {
            return Err(forbidden("This widget keeps no settings of this scope."));
        }
        if !readable {
            return Err(forbidden(ADMINS));
        }
        Ok(Self {
            owner: SettingsOwner::of(&who.widget.id, &who.caller, mode),
            whose: OwnerKey::of(&who.caller, mode),
            scope,
            writable,
        })
    }

    /// Refuses callers who may only read.
    pub(crate) fn may_write(&self) -> Result<(), Problem> {
        match self.writable {
            true => Ok(()),
            false => Err(forbidden(ADMINS)),
        }
    }

    /// What every log line about it says. No key: it may say something of its owner.
    pub(crate) fn fields(&self) -> Fields {
        Fields::new()
            .with("scope", self.scope)
            .with("owner", self.whose.as_str())
    }
}

const ADMINS: &str = "Only an administrator of the organisation may do this.";

fn forbidden(detail: &str) -> Problem {
    Problem::new(Code::CallerForbidden, detail).field("scope")
}
