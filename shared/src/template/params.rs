//! PURE. A caller's params, in the order they were given.

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
