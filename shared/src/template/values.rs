//! PURE. What fills a placeholder, and who is to blame where it cannot.

use super::params::{NAME_LIMIT, VALUE_LIMIT};
use super::pieces::Piece;
use super::{Param, Params};

/// Stands for every field under [`Fields::Unknown`]: usable wherever a field can be.
const STAND_IN: &str = "connection";

/// What the verified caller contributes.
#[derive(Clone, Copy, Debug)]
pub struct CallerValues<'a> {
    /// The caller's user id.
    pub user_id: &'a str,
    /// The caller's e-mail, where the host vouches for one.
    pub user_email: Option<&'a str>,
    /// The caller's organisation id.
    pub organisation_id: &'a str,
}

/// What the connection contributes.
#[derive(Clone, Copy)]
pub enum Fields<'a> {
    /// Nothing yet: everything else is judged, the caller's params above all. Where the template
    /// [needs the connection](super::ApiTemplate::needs_connection), neither the host nor the address of what comes out
    /// means anything, and it becomes no request.
    Unknown,
    /// Looks a field up by its name.
    Known(&'a dyn Fn(&str) -> Option<&'a str>),
}

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// One of the call's: other params can cure it.
    #[error("{problem}")]
    Param {
        /// Its name; `user.email` and the like for what the caller contributes otherwise.
        param: String,
        /// What is wrong, a sentence. Never the value.
        problem: String,
    },
    /// A field of the connection is missing or unusable: connecting again can cure it, or else an operator.
    #[error("{problem}")]
    Field {
        /// Its name.
        field: String,
        /// What is wrong, a sentence. Never the value.
        problem: String,
    },
}

impl RenderError {
    /// The param at fault, unless it is a field of the connection.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Param { param, .. } => Some(param),
            Self::Field { .. } => None,
        }
    }
}

/// An error about the param `name`. A name is shown as far as a usable one goes: an unusable one may be long, or hold
/// control characters.
pub(super) fn error<T>(name: &str, problem: impl Into<String>) -> Result<T, RenderError> {
    let shown = name.chars().filter(|char| !char.is_control());
    Err(RenderError::Param {
        param: shown.take(NAME_LIMIT).collect(),
        problem: problem.into(),
    })
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Blame<'a> {
    /// The definition.
    #[default]
    Definition,
    Param(&'a str),
    Field(&'a str),
}

impl Blame<'_> {
    /// `what` continues "The param …".
    pub(super) fn refuse<T>(self, what: &str) -> Result<T, RenderError> {
        match self {
            Self::Definition => error("", format!("The definition {what}.")),
            Self::Param(name) => error(name, format!("The param {what}.")),
            Self::Field(field) => Err(RenderError::Field {
                field: field.to_owned(),
                problem: format!("The connection's field `{field}` {what}."),
            }),
        }
    }
}

/// Everything that can fill a placeholder.
pub(super) struct Values<'a, 'f> {
    pub(super) params: &'a Params,
    pub(super) caller: CallerValues<'a>,
    pub(super) fields: Fields<'f>,
}

impl Values<'_, '_> {
    /// The text of a piece. The credential has none yet.
    pub(super) fn of<'v>(&'v self, piece: &'v Piece) -> Result<(&'v str, Blame<'v>), RenderError> {
        let (text, blame) = match piece {
            Piece::Literal(text) => return Ok((text, Blame::Definition)),
            Piece::Credential => return Ok(("", Blame::Definition)),
            Piece::Field(field) => return self.field(field),
            Piece::Param(name) => match self.params.get(name) {
                None => return error(name, "The param is missing."),
                Some(Param::Many(_)) => {
                    return error(name, "The param must be a single value, not a list.");
                }
                Some(Param::One(value)) => (value.as_str(), Blame::Param(name)),
            },
            Piece::UserId => (self.caller.user_id, Blame::Param("user.id")),
            Piece::OrganisationId => (self.caller.organisation_id, Blame::Param("organisation.id")),
            Piece::UserEmail => match self.caller.user_email {
                Some(email) => (email, Blame::Param("user.email")),
                None => return error("user.email", "The caller has no e-mail address."),
            },
        };
        check(text, blame)?;
        Ok((text, blame))
    }

    /// The text of a field of the connection.
    pub(super) fn field<'v>(&'v self, field: &'v str) -> Result<(&'v str, Blame<'v>), RenderError> {
        let blame = Blame::Field(field);
        let text = match self.fields {
            Fields::Unknown => STAND_IN,
            Fields::Known(look_up) => match look_up(field) {
                Some(text) => text,
                None => return blame.refuse("is missing"),
            },
        };
        check(text, blame)?;
        Ok((text, blame))
    }
}

/// What no value may be, wherever it goes.
pub(super) fn check(text: &str, blame: Blame<'_>) -> Result<(), RenderError> {
    if text.len() > VALUE_LIMIT {
        return blame.refuse("is too long");
    }
    if text.chars().any(char::is_control) {
        return blame.refuse("contains a control character");
    }
    Ok(())
}
