//! PURE. Counts by name, and the table they are shown in.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally(BTreeMap<String, u64>);

impl Tally {
    pub(crate) fn add(&mut self, name: &str, count: u64) {
        match self.0.get_mut(name) {
            Some(counted) => *counted += count,
            None => drop(self.0.insert(name.to_owned(), count)),
        }
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            self.add(name, *count);
        }
    }

    /// The count of `name`.
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// One line for each.
    pub fn table(&self) -> String {
        let mut table = String::from("| what | count |\n|---|---:|\n");
        for (name, count) in &self.0 {
            let _cannot_fail = writeln!(table, "| {name} | {count} |");
        }
        table
    }
}
