//! PURE. A caller's params, in the order they were given, and when two of their names are the same.

use percent_encoding::percent_decode_str;

/// A longer value is refused.
pub(super) const VALUE_LIMIT: usize = 8 * 1024;
/// A longer name is refused.
pub(super) const NAME_LIMIT: usize = 128;
/// More params are refused.
pub(super) const COUNT_LIMIT: usize = 100;

/// The params of one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params(pub Vec<(String, Param)>);

/// One param.
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    /// A single value.
    One(Scalar),
    /// A list, which only a query parameter can be.
    Many(Vec<Scalar>),
}

/// A param's value as text: strings as they are, numbers and booleans as their JSON text.
pub type Scalar = String;

impl Params {
    pub(super) fn get(&self, name: &str) -> Option<&Param> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, param)| param)
    }
}

impl Param {
    pub(super) fn values(&self) -> &[Scalar] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// The ways in which a query name may be read: as [`fold`] does, and by whoever ends it at its first bracket.
pub(super) fn readings(name: &str) -> [String; 2] {
    let head = percent_decode_str(name).decode_utf8_lossy();
    let head = head.split('[').next().unwrap_or_default();
    [fold(name), fold(head)]
}

/// A query name as it is compared: decoded, without case, and without the `[…]` that some frameworks put behind it.
/// PHP reads a dot, a space and an unclosed bracket as `_` (its manual, "Variables from external sources").
pub(super) fn fold(name: &str) -> String {
    let name = percent_decode_str(name).decode_utf8_lossy();
    let name = match name.trim().split_once('[') {
        Some((head, tail)) if !tail.contains(']') => format!("{head}_{tail}"),
        Some((head, _)) => head.to_owned(),
        None => name.trim().to_owned(),
    };
    // Both ways: `ſ` is an `s` only in upper case, the Kelvin sign a `k` only in lower case.
    name.replace(['.', ' '], "_").to_uppercase().to_lowercase()
}
