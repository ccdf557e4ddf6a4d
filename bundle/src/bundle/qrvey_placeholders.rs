//! PURE. Placeholders of a Qrvey template: where they may stand, and what they ask for.

use consulate_core::qrvey::{self, Piece, Placeholder};
use serde_json::Value;

use super::qrvey_permissions::is_fixed;

/// What is wrong with the placeholders of a field; each thing once.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A brace or a placeholder where none may be.
    Misplaced,
    /// A misspelled one, in words that continue the field's path.
    Unknown(String),
}

/// What a value asks for.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// Params.
    pub params: Vec<String>,
    /// Whether it looks settings up.
    pub settings: bool,
}

/// Judges a field of the template's own. `fixed`: it takes no placeholder.
pub(super) fn judge(value: &Value, fixed: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    strictly(value, fixed, &mut faults);
    faults
}

/// Judges a field of `extra`, where braces may mean anything and only a misspelled placeholder is a fault.
pub(super) fn judge_loosely(name: &str, value: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    if name.contains(['{', '}']) {
        faults.push(Fault::Misplaced);
    }
    texts(value, &mut |text| {
        if let Err(error) = qrvey::pieces(text) {
            add(&mut faults, Fault::Unknown(error.to_string()));
        }
    });
    faults
}

/// What `value` asks for.
pub(super) fn used(value: &Value) -> Used {
    let mut used = Used::default();
    texts(value, &mut |text| {
        for piece in qrvey::pieces(text).unwrap_or_default() {
            match piece {
                Piece::Placeholder(Placeholder::Param(name)) => used.params.push(name.to_owned()),
                Piece::Placeholder(Placeholder::Setting(_)) => used.settings = true,
                Piece::Placeholder(Placeholder::Caller(_)) | Piece::Literal(_) => {}
            }
        }
    });
    used
}

fn strictly(value: &Value, fixed: bool, faults: &mut Vec<Fault>) {
    match value {
        Value::String(text) => {
            let is_misplaced = |piece: &Piece<'_>| match piece {
                Piece::Literal(text) => text.contains(['{', '}']),
                Piece::Placeholder(_) => fixed,
            };
            match qrvey::pieces(text) {
                Ok(pieces) if !pieces.iter().any(is_misplaced) => {}
                Ok(_) => add(faults, Fault::Misplaced),
                Err(error) => add(faults, Fault::Unknown(error.to_string())),
            }
        }
        Value::Array(items) => items.iter().for_each(|item| strictly(item, fixed, faults)),
        Value::Object(members) => {
            for (name, value) in members {
                if name.contains(['{', '}']) {
                    add(faults, Fault::Misplaced);
                }
                strictly(value, fixed || is_fixed(name), faults);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn texts(value: &Value, look: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => look(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, look)),
        Value::Object(members) => members.values().for_each(|item| texts(item, look)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn add(faults: &mut Vec<Fault>, fault: Fault) {
    if !faults.contains(&fault) {
        faults.push(fault);
    }
}
