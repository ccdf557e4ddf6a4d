//! `docs/bundles.md` says what the code does: every finding with its severity, every accepted name.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;

use super::super::oauth_metadata::{
    INHERIT_FROM, REFRESH_ENABLED, REFRESH_INTERVAL, SCOPE_SEPARATOR,
};
use super::*;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn page() -> String {
    std::fs::read_to_string(format!("{ROOT}/docs/bundles.md")).unwrap()
}

/// Every code a finding is made with, and whether it can be an error and a warning.
fn codes_in_the_sources() -> BTreeMap<String, BTreeSet<&'static str>> {
    let folder = format!("{ROOT}/bundle/src/bundle");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .collect();
    files.push(format!("{ROOT}/cli/src/operator/pack.rs").into());
    let made = Regex::new(
        r#"(error|warning|fault|refuse|Finding::new|=>|=> |finding\.code =)\s*\(?\s*\{?\s*\(?\s*"([a-z0-9]+(?:_[a-z0-9]+)+)""#,
    )
    .unwrap();
    let mut found: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for made in made.captures_iter(&text) {
            let severity = match &made[1] {
                "warning" => "warning",
                "finding.code =" => "warning",
                _ => "error",
            };
            found
                .entry(made[2].to_owned())
                .or_default()
                .insert(severity);
        }
    }
    // Names of credentials, in what `differences` prints.
    for name in ["api_key", "client_credentials", "personal_access_token"] {
        assert!(found.remove(name).is_some(), "{name} is no longer met");
    }
    found
}

/// The rows of the table of findings: code, severity, cause, cure.
fn rows(page: &str) -> Vec<[String; 4]> {
    let (_, table) = page.split_once("### Every finding").unwrap();
    let row = |line: &str| {
        let cells: Vec<String> = line
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        <[String; 4]>::try_from(cells).unwrap_or_else(|cells| panic!("{cells:?}"))
    };
    table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(row)
        .collect()
}

#[test]
fn every_finding_is_documented_with_its_severity_cause_and_cure_and_no_other_is() {
    let sources = codes_in_the_sources();
    assert!(sources.len() > 90, "{sources:?}");
    let page = page();
    let mut documented = BTreeSet::new();
    for [code, severity, cause, cure] in rows(&page) {
        let code = code.trim_matches('`').to_owned();
        let made = sources
            .get(&code)
            .unwrap_or_else(|| panic!("{code} is documented, and nothing says it"));
        let severities: BTreeSet<&str> = severity.split(" or ").collect();
        assert_eq!(*made, severities, "{code}");
        assert!(cause.len() > 10 && cure.len() > 6, "{code}");
        assert!(documented.insert(code.clone()), "{code} is there twice");
    }
    let missing: Vec<_> = sources
        .keys()
        .filter(|code| !documented.contains(*code))
        .collect();
    assert!(missing.is_empty(), "not in docs/bundles.md: {missing:?}");
}

#[test]
fn what_the_guide_says_leads_to_findings_that_exist() {
    let page = page();
    let (_, rest) = page.split_once("### From the Appspace guide").unwrap();
    let (table, _) = rest.split_once("### Every finding").unwrap();
    let known: BTreeSet<String> = codes_in_the_sources().into_keys().collect();
    let mut seen = 0;
    for line in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let finding = line.trim_matches('|').split('|').nth(1).unwrap();
        for code in finding.split('`').skip(1).step_by(2) {
            if code.contains('_') {
                seen += 1;
                assert!(known.contains(code), "{code}");
            }
        }
    }
    assert!(seen > 35, "{seen}");
}

#[test]
fn every_accepted_name_of_a_setting_is_documented_in_the_row_of_its_setting() {
    let page = page();
    for names in [
        SCOPE_SEPARATOR,
        INHERIT_FROM,
        REFRESH_ENABLED,
        REFRESH_INTERVAL,
    ] {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", names[0])))
            .unwrap();
        for name in names {
            assert!(row.contains(&format!("`{name}`")), "{name}: {row}");
        }
    }
}

#[test]
fn every_setting_of_a_bundled_passport_is_documented() {
    let page = page();
    let (_, rest) = page.split_once("`passports` describes").unwrap();
    let (table, _) = rest.split_once("## `consulate pack`").unwrap();
    let source =
        std::fs::read_to_string(format!("{ROOT}/bundle/src/bundle/passport_settings.rs")).unwrap();
    let (_, fields) = source
        .split_once("pub(super) struct PassportSettings {")
        .unwrap();
    let (fields, _) = fields.split_once("\n}").unwrap();
    let field = Regex::new(r"(?m)^    (?:pub )?([a-z_]+):").unwrap();
    let names: Vec<&str> = field
        .captures_iter(fields)
        .map(|found| found.get(1).unwrap().as_str())
        .filter(|name| *name != "place")
        .collect();
    assert!(names.len() > 25, "{names:?}");
    for name in names {
        assert!(table.contains(&format!("`{name}`")), "{name}");
    }
}
