//! PURE. `docs/providers.md`: the catalogue as people read it, from the data and from nothing else.

use consulate_core::passport::{Credential, RefreshRotation, RevocationStyle};

use super::{Catalogue, Confidence, Entry, Family, Status, Variable};

const HEAD: &str = "\
# Providers

Every provider Consulate knows, as its catalogue has it (`bundle/catalogue/`, format: `docs/catalogue.md`). This page is written by
`consulate providers --markdown`; edit the catalogue, not the page.

`consulate passports add ID --provider PROVIDER` takes an id or an alias. Variables are given with `--set NAME=VALUE`, scopes with
`--scope`. Confidence says how well the weakest fact of an entry is established: *vendor* by the provider's own documents, *catalogue*
by a maintained open-source catalogue, *unverified* by nobody who tried it against a live application. No entry has been tried against
the live provider yet.
";

impl Catalogue {
    /// The page.
    pub fn markdown(&self) -> String {
        let mut page = String::from(HEAD);
        page.push_str("\n| name | id | aliases | category | credential | variables | scopes unless set | refresh token | revocation | limits | confidence |\n");
        page.push_str("|---|---|---|---|---|---|---|---|---|---|---|\n");
        for entry in &self.entries {
            page.push_str(&row(entry));
        }
        for family in &self.families {
            self.family(family, &mut page);
        }
        page
    }

    fn family(&self, family: &Family, page: &mut String) {
        page.push_str(&format!("\n## {}\n\n", family.name));
        for note in &family.notes {
            page.push_str(&format!("- {note}\n"));
        }
        for entry in self
            .entries
            .iter()
            .filter(|entry| entry.family == family.id)
        {
            page.push_str(&section(entry));
        }
    }
}

/// The word for a kind of credential, as the data spells it.
fn credential(credential: Credential) -> &'static str {
    match credential {
        Credential::Oauth2 => "OAuth",
        Credential::ClientCredentials => "client credentials",
        Credential::ApiKey => "API key",
        Credential::Basic => "user name and password",
        Credential::PersonalAccessToken => "personal access token",
    }
}

fn row(entry: &Entry) -> String {
    let codes = |texts: &mut dyn Iterator<Item = &str>| {
        texts
            .map(|text| format!("`{text}`"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let retired = entry.status == Status::Retired;
    let unless_retired = |text: String| if retired { String::new() } else { text };
    let cells = [
        match retired {
            true => format!("{} (retired)", entry.name),
            false => entry.name.clone(),
        },
        format!("`{}`", entry.id),
        codes(&mut entry.aliases.iter().map(String::as_str)),
        entry.category.clone(),
        unless_retired(credential(entry.credential).to_owned()),
        codes(
            &mut entry
                .variables
                .iter()
                .map(|variable| variable.name.as_str()),
        ),
        codes(&mut entry.scopes.iter().map(String::as_str)),
        unless_retired(renewal(entry).to_owned()),
        unless_retired(revocation(entry)),
        unless_retired(limits(entry)),
        unless_retired(confidence(entry.confidence).to_owned()),
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// What becomes of the refresh token, or what stands in its place.
fn renewal(entry: &Entry) -> &'static str {
    match entry.credential {
        Credential::Oauth2 if entry.renewal.is_some() => "none: the access token renews itself",
        Credential::Oauth2 => match entry.refresh_rotation {
            RefreshRotation::SingleUse => "single use",
            RefreshRotation::Reusable => "reusable",
        },
        Credential::ClientCredentials | Credential::PersonalAccessToken => "none: signs in again",
        Credential::ApiKey | Credential::Basic => "none: used as it is",
    }
}

fn revocation(entry: &Entry) -> String {
    if entry.revocation_url.is_none() {
        return "none".to_owned();
    }
    let how = match entry.revocation_style {
        RevocationStyle::Rfc7009 => "RFC 7009",
        RevocationStyle::TokenOnly => "by the token alone",
        RevocationStyle::Bearer => "each token by itself",
        RevocationStyle::Query => "GET with the token",
        RevocationStyle::DeletePermissions => "deletes the permissions",
        RevocationStyle::SignOut => "signs out",
    };
    match entry.revocation_per_user {
        true => format!("{how}; ends every grant of the user"),
        false => how.to_owned(),
    }
}

/// Lifetimes that are known beforehand.
fn limits(entry: &Entry) -> String {
    let parts = [
        ("access", entry.access_lifetime_default_seconds),
        ("unused", entry.refresh_idle_seconds),
        ("in all", entry.refresh_absolute_seconds),
    ];
    parts
        .iter()
        .filter_map(|(what, seconds)| Some(format!("{what} {}", span((*seconds)?))))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `90 d`, `2 h`, `30 min`: the largest unit that divides it.
fn span(seconds: u64) -> String {
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("min", 60)] {
        if seconds.is_multiple_of(length) {
            return format!("{} {unit}", seconds / length);
        }
    }
    format!("{seconds} s")
}

fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Vendor => "vendor",
        Confidence::Catalogue => "catalogue",
        Confidence::Unverified => "unverified",
    }
}

fn section(entry: &Entry) -> String {
    let mut text = format!("\n### {}: `{}`\n\n", entry.name, entry.id);
    if let Some(because) = entry.retired() {
        text.push_str(&format!("Retired: {because}\n\n"));
    }
    if !entry.setup.is_empty() {
        text.push_str(&format!("{}\n\n", entry.setup));
    }
    for variable in &entry.variables {
        text.push_str(&described(variable));
    }
    for slot in &entry.slots {
        let scopes = match slot.scopes.is_empty() {
            true => "asked for where the passport has scopes for it".to_owned(),
            false => format!("`{}`", slot.scopes.join("` `")),
        };
        text.push_str(&format!("- Token slot `{}`: {scopes}\n", slot.name));
    }
    if !entry.pinned.is_empty() {
        let names: Vec<&str> = entry
            .pinned
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        text.push_str(&format!(
            "- Kept of the token reply: `{}`\n",
            names.join("` `")
        ));
    }
    let hosts = entry.api_hosts.iter().chain(&entry.host_patterns);
    let hosts: Vec<String> = hosts.map(|host| format!("`{host}`")).collect();
    if !hosts.is_empty() {
        text.push_str(&format!("- Hosts: {}\n", hosts.join(" ")));
    }
    if let Some(because) = &entry.pkce_off_because {
        text.push_str(&format!("- PKCE is left off: {because}\n"));
    }
    if let Some(probe) = &entry.probe {
        text.push_str(&format!("- To try it: `{} {}`\n", probe.method, probe.url));
    }
    text.push_str(&format!("- Sources: {}\n", entry.sources.join("; ")));
    text
}

fn described(variable: &Variable) -> String {
    let need = match (&variable.default, variable.optional) {
        (Some(default), _) => format!("`{default}` unless set"),
        (None, true) => "optional".to_owned(),
        (None, false) => "needed".to_owned(),
    };
    let other = match variable.accept_other {
        true => "; other hosts with `--accept`",
        false => "",
    };
    format!(
        "- Variable `{}`: {}, such as `{}`; {need}{other}\n",
        variable.name, variable.label, variable.example
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_docs_is_what_the_catalogue_says() {
        let page = include_str!("../../../docs/providers.md");
        let written = Catalogue::built_in().unwrap().markdown();
        assert!(
            page == written,
            "docs/providers.md differs from the catalogue. Write it anew:\n  \
             cargo run --package consulate -- providers --markdown > docs/providers.md"
        );
    }

    #[test]
    fn the_page_has_a_row_and_a_section_for_every_entry() {
        let catalogue = Catalogue::built_in().unwrap();
        let page = catalogue.markdown();
        for entry in catalogue.entries() {
            assert!(
                page.contains(&format!("| `{}` |", entry.id)),
                "{}",
                entry.id
            );
            assert!(
                page.contains(&format!(": `{}`\n", entry.id)),
                "{}",
                entry.id
            );
        }
        assert!(
            page.lines()
                .filter(|line| line.starts_with('|'))
                .all(|line| line.matches(" | ").count() == 10 || line.starts_with("|---"))
        );
    }

    #[test]
    fn spans_are_written_in_their_largest_unit() {
        assert_eq!(
            [span(7_776_000), span(7_200), span(1_800), span(61)],
            ["90 d", "2 h", "30 min", "61 s"]
        );
    }
}
