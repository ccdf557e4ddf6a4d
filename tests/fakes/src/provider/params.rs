//! PURE. Form and query parameters as RFC 6749 wants them read.

use std::collections::BTreeMap;

/// Parameters that were sent exactly once and with a value.
///
/// RFC 6749 sections 3.1 and 3.2: a parameter without a value counts as omitted, none may be sent twice.
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads `application/x-www-form-urlencoded` text; the error is the name sent twice.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let mut params = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text) {
            if params
                .insert(name.to_string(), value.into_owned())
                .is_some()
            {
                return Err(name.into_owned());
            }
        }
        params.retain(|_, value: &mut String| !value.is_empty());
        Ok(Self(params))
    }

    /// The value of `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The names that came with a value, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

/// Whether every scope of `asked` (separated by spaces) is one of `known`.
pub(super) fn scopes_within<'a>(asked: &str, known: impl Iterator<Item = &'a str> + Clone) -> bool {
    asked
        .split(' ')
        .filter(|scope| !scope.is_empty())
        .all(|scope| known.clone().any(|allowed| allowed == scope))
}
