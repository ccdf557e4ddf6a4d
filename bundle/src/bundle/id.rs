//! PURE. How ids are spelled: widgets, hosts, passports, bundled passports.
//!
//! Lower case only, so that no two ids differ by case alone in a URL, an e-mail or a secret's name.

/// Longest id of a widget, a host or a passport.
const LONGEST_ID: usize = 63;

/// The rule in words, for cures.
pub const ID_RULE: &str =
    "Use lower-case letters, digits and hyphens, first a letter or digit, at most 63 characters.";

/// `^[a-z0-9][a-z0-9-]{0,62}$`: ids of widgets, hosts and the passports an operator makes.
pub fn is_id(text: &str) -> bool {
    text.len() <= LONGEST_ID
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && text.bytes().next().is_some_and(|first| first != b'-')
}

/// The name of a bundled passport, after Appspace: letters, digits, hyphen.
pub(super) fn is_passport_name(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `text` as the Console makes an id of a display name: lower case, a hyphen for whatever is neither letter nor digit.
pub(super) fn kebab(text: &str) -> String {
    let words: Vec<String> = text
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("-")
}

/// The id of the passport that `widget` bundles under `name`.
pub(super) fn bundled_passport(widget: &str, name: &str) -> String {
    format!("{widget}.{name}")
}
