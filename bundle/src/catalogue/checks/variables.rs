//! PURE. What an entry may say of what differs between operators.

use regex_lite::Regex;

use super::{Judge, is_field_name};

impl Judge<'_> {
    pub(super) fn variables(&mut self) {
        for (index, variable) in self.entry.variables.iter().enumerate() {
            let field = |member: &str| format!("variables.{}.{member}", variable.name);
            let twice = self.entry.variables.iter().take(index);
            self.need(
                is_field_name(&variable.name)
                    && twice.into_iter().all(|other| other.name != variable.name)
                    && self
                        .entry
                        .pinned
                        .iter()
                        .all(|pinned| pinned.name != variable.name),
                field("name"),
                "must be lower-case letters, digits and underscores, and stand for one thing only",
            );
            self.need(
                !variable.label.trim().is_empty(),
                field("label"),
                "is empty",
            );
            let anchored = variable.pattern.starts_with('^') && variable.pattern.ends_with('$');
            self.need(
                anchored && Regex::new(&variable.pattern).is_ok(),
                field("pattern"),
                "must be a regular expression from ^ to $",
            );
            self.need(
                variable.fits(&variable.example),
                field("example"),
                "does not match the pattern",
            );
            if let Some(default) = &variable.default {
                self.need(
                    variable.fits(default),
                    field("default"),
                    "does not match the pattern",
                );
                self.need(
                    !variable.optional,
                    field("optional"),
                    "a variable with a default always has a value",
                );
            }
            let whole = format!("{{{}}}", variable.name);
            self.need(
                !variable.accept_other || self.entry.api_hosts.contains(&whole),
                field("accept_other"),
                format!("is for whole hosts: list \"{whole}\" in api_hosts"),
            );
        }
    }
}
