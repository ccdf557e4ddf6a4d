//! Files of entries: what is refused, with file, entry and field, and how own entries stand beside those compiled in.

use super::*;
use crate::catalogue::own;

pub(super) const ENTRY: &str = r#"
family = "f"
[[provider]]
id = "acme"
name = "Acme"
category = "Library"
authorize_url = "https://acme.example/authorize"
token_url = "https://acme.example/token"
scopes = ["read"]
api_hosts = ["api.acme.example"]
confidence = "unverified"
sources = ["none"]
probe = { method = "GET", url = "https://api.acme.example/me" }
"#;

/// The entry with further lines; a line replaces the one that begins with the same key.
pub(super) fn with(lines: &str) -> String {
    let mut text = String::new();
    let key = |line: &str| line.split(" =").next().unwrap().to_owned();
    let keys: Vec<String> = lines
        .lines()
        .take_while(|line| !line.starts_with('['))
        .map(key)
        .collect();
    for line in ENTRY.lines().filter(|line| !keys.contains(&key(line))) {
        text.push_str(line);
        text.push('\n');
    }
    format!("{text}{lines}\n")
}

#[track_caller]
pub(super) fn faults(lines: &str) -> Vec<(String, String)> {
    match own::parse("own.toml", &with(lines)) {
        Err(Error::Faulty(faults)) => faults
            .into_iter()
            .map(|fault| {
                assert_eq!(
                    (fault.file.as_str(), fault.entry.is_empty()),
                    ("own.toml", false)
                );
                (fault.field, fault.message)
            })
            .collect(),
        Ok(_) => panic!("accepted: {lines}"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn endpoints_that_moved_are_named_with_the_passports_own_variables() {
    let former = "former = [{ authorize_url = \"https://old.acme.example/authorize\", token_url = \"https://old.acme.example/token\" }]";
    let settings = PassportSettings {
        id: "p".to_owned(),
        client_id: "c".to_owned(),
        ..PassportSettings::default()
    };
    let made = |text: &str| {
        own::parse("own.toml", text).unwrap()[0]
            .passport(&settings)
            .unwrap()
    };
    let moved = made(&with(former));
    assert_eq!(
        moved.former_token_urls(),
        ["https://old.acme.example/token"]
    );
    let before = ENTRY.replace("https://acme.example", "https://old.acme.example");
    assert_eq!(moved.config_version(), made(&before).config_version());
    assert_ne!(moved.config_version(), made(ENTRY).config_version());
}

#[test]
fn a_plain_entry_is_taken() {
    let entries = own::parse("own.toml", ENTRY).unwrap();
    assert_eq!(
        (entries[0].id.as_str(), entries[0].family.as_str()),
        ("acme", "f")
    );
}

#[test]
fn a_faulty_entry_is_refused_with_the_field_named() {
    for (lines, field) in [
        ("id = \"Acme\"", "id"),
        ("aliases = [\"a b\"]", "id"),
        ("name = \" \"", "name"),
        ("category = \"\"", "category"),
        ("sources = []", "sources"),
        ("sources = [\"\"]", "sources"),
        // Addresses.
        ("token_url = \"http://acme.example/token\"", "token_url"),
        ("token_url = \"https://127.0.0.1/token\"", "token_url"),
        ("token_url = \"https://10.1.2.3/token\"", "token_url"),
        ("token_url = \"https://localhost/token\"", "token_url"),
        ("token_url = \"https://[fd00::1]/token\"", "token_url"),
        (
            "token_url = \"https://acme.example/token?x=1\"",
            "token_url",
        ),
        (
            "token_url = \"https://acme.example/{nobody}/token\"",
            "token_url",
        ),
        ("token_url = \"https://{host/token\"", "token_url"),
        ("token_url = \"\"", "token_url"),
        ("former = [{}]", "former"),
        (
            "former = [{ token_url = \"http://old.acme.example/token\" }]",
            "former.token_url",
        ),
        ("authorize_url = \"\"", "authorize_url"),
        (
            "authorize_url = \"https://acme.example/a#b\"",
            "authorize_url",
        ),
        (
            "revocation_url = \"http://acme.example/revoke\"",
            "revocation_url",
        ),
        ("revocation_style = \"bearer\"", "revocation_url"),
        ("issuer = \"http://acme.example\"", "issuer"),
        (
            "profile = { url = \"http://acme.example/me\" }",
            "profile.url",
        ),
        ("profile = { url = \"{nobody}/me\" }", "profile.url"),
        (
            "profile = { url = \"https://acme.example/me\", id_path = \"id\" }",
            "profile.id_path",
        ),
        (
            "profile = { url = \"https://acme.example/me\", name_path = \"$.[\" }",
            "profile.name_path",
        ),
        // Hosts.
        ("api_hosts = []", "api_hosts"),
        ("api_hosts = [\"API.acme.example\"]", "api_hosts"),
        ("api_hosts = [\"https://api.acme.example\"]", "api_hosts"),
        ("api_hosts = [\"api.acme.example/v1\"]", "api_hosts"),
        ("api_hosts = [\"192.168.0.1\"]", "api_hosts"),
        ("api_hosts = [\"*.acme.example\"]", "api_hosts"),
        ("host_patterns = [\"acme.example\"]", "host_patterns"),
        ("host_patterns = [\"*.example\"]", "host_patterns"),
        ("host_patterns = [\"*.acme.example\"]", "host_patterns"),
        // What belongs to another kind of credential.
        ("credential = \"api_key\"", "authorize_url"),
        ("credential = \"client_credentials\"", "authorize_url"),
        ("credential = \"personal_access_token\"", "authorize_url"),
        (
            "revocation_url = \"https://acme.example/r\"\nrevocation_style = \"sign_out\"",
            "revocation_style",
        ),
        // Scopes, slots, parameters.
        ("scopes = [\"a b\"]", "scopes"),
        ("scopes = [\"a,b\"]\nscope_separator = \",\"", "scopes"),
        ("scope_separator = \"\"", "scope_separator"),
        ("pkce_off_because = \" \"", "pkce_off_because"),
        (
            "authorize_params = { code_challenge_method = \"plain\" }",
            "authorize_params",
        ),
        ("authorize_params = { state = \"x\" }", "authorize_params"),
        ("token_params = { client_secret = \"x\" }", "token_params"),
        (
            "token_params = { Client_Assertion = \"x\" }",
            "token_params",
        ),
        (
            "token_params = { client_assertion_type = \"x\" }",
            "token_params",
        ),
        (
            "token_params = { grant_type = \"account_credentials\" }",
            "token_params",
        ),
        (
            "credential = \"client_credentials\"\nauthorize_url = \"\"\ntoken_params = { grant_type = \"password\" }",
            "token_params",
        ),
        (
            "slots = [{ name = \"User\", reply_at = \"/u\" }]",
            "slots.User.name",
        ),
        (
            "slots = [{ name = \"u\", reply_at = \"/u\" }, { name = \"u\", reply_at = \"/v\" }]",
            "slots.u.name",
        ),
        (
            "slots = [{ name = \"u\", reply_at = \"u\" }]",
            "slots.u.reply_at",
        ),
        ("slots = [{ name = \"u\" }]", "slots.u.scopes"),
        (
            "slots = [{ name = \"u\", scopes = [\"a\"] }]\nrefresh_rotation = \"single_use\"",
            "refresh_rotation",
        ),
        (
            "slots = [{ name = \"u\", reply_at = \"/u\", api_hosts = [\"b.example\"] }]",
            "slots.u.api_hosts",
        ),
        ("reply_at = \"/a~2\"", "reply_at"),
        ("pinned = [{ name = \"a\", at = \"a\" }]", "pinned.a.at"),
        // What is pinned is kept in the clear.
        (
            "pinned = [{ name = \"a\", at = \"/access_token\" }]",
            "pinned.a.at",
        ),
        (
            "pinned = [{ name = \"a\", at = \"/u/Refresh_Token\" }]",
            "pinned.a.at",
        ),
        ("pinned = [{ name = \"a\", at = \"\" }]", "pinned.a.at"),
        (
            "pinned = [{ name = \"a\", at = \"/u\" }]\nslots = [{ name = \"u\", reply_at = \"/u\" }]",
            "pinned.a.at",
        ),
        (
            "pinned = [{ name = \"a\", at = \"/tokens\" }]\nreply_at = \"/tokens\"",
            "pinned.a.at",
        ),
        (
            "access_lifetime_default_seconds = 0",
            "access_lifetime_default_seconds",
        ),
        ("renew_ahead_seconds = 400000000", "renew_ahead_seconds"),
        // Calls.
        ("expired_when = [{ at = \"/error\" }]", "expired_when"),
        ("expired_when = [{ is = [\"x\"] }]", "expired_when"),
        ("expired_when = [{ status = [200] }]", "expired_when"),
        ("refused_when = [{ status = [400] }]", "refused_when"),
        ("throttled_when = [{}]", "throttled_when"),
        (
            "throttled_when = [{ status = [99], at = \"/e\", is = [\"x\"] }]",
            "throttled_when",
        ),
        (
            "throttle_reset_header = \"x reset\"",
            "throttle_reset_header",
        ),
        ("inject = { header = \"Host\" }", "inject.header"),
        (
            "inject = { header = \"X-Key\", scheme = \"a b\" }",
            "inject.scheme",
        ),
        ("inject = { query = \"key\" }", "inject.query"),
        (
            "probe = { method = \"HEAD\", url = \"https://api.acme.example/me\" }",
            "probe.method",
        ),
        (
            "probe = { method = \"GET\", url = \"https://evil.example/me\" }",
            "probe.url",
        ),
        (
            "probe = { method = \"GET\", url = \"http://api.acme.example/me\" }",
            "probe.url",
        ),
        (
            "probe = { method = \"GET\", url = \"{connection.AUTHKEY.origin}/me\" }",
            "probe.url",
        ),
        (
            "probe = { method = \"GET\", url = \"https://api.acme.example/{user.id}\" }",
            "probe.url",
        ),
        (
            "probe = { method = \"GET\", url = \"https://api.acme.example/me\", slot = \"user\" }",
            "probe.slot",
        ),
        // Retirement.
        ("status = \"retired\"", "retired_because"),
        ("retired_because = \"gone\"", "retired_because"),
    ] {
        let found = faults(lines);
        assert!(
            found.iter().any(|(named, _)| named == field),
            "{lines}: {found:?}"
        );
    }
    // An entry without a probe is not one that can be tried.
    let without = ENTRY
        .lines()
        .filter(|line| !line.starts_with("probe"))
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        own::parse("own.toml", &without)
            .unwrap_err()
            .to_string()
            .contains("acme: probe: ")
    );
}

#[test]
fn a_file_that_is_not_in_the_format_is_refused_with_the_entry_named() {
    for (text, part) in [
        (
            with("refresh_rotatoin = \"reusable\""),
            "acme: unknown field `refresh_rotatoin`",
        ),
        (
            ENTRY.replace("id = \"acme\"", "id = \"acme\"\nfamily = \"g\""),
            "acme: family",
        ),
        (
            with(
                "probe = { method = \"GET\", url = \"https://api.acme.example/me\", host = \"x\" }",
            ),
            "acme: unknown field `host`",
        ),
        (
            ENTRY.replace("name = \"Acme\"\n", ""),
            "acme: missing field `name`",
        ),
        (
            ENTRY.replace("id = \"acme\"\n", ""),
            "provider 1: missing field `id`",
        ),
        (ENTRY.replace("family = \"f\"", ""), "family"),
        (format!("typo = 1\n{ENTRY}"), "typo"),
        ("family = ".to_owned(), "line 1"),
    ] {
        let error = own::parse("own.toml", &text).unwrap_err();
        assert!(matches!(error, Error::Format { .. }));
        let told = error.to_string();
        assert!(told.contains("own.toml") && told.contains(part), "{told}");
    }
}

#[test]
fn the_documented_example_is_taken_and_every_member_is_documented() {
    let page = include_str!("../../../../docs/catalogue.md");
    let example = page
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let entry = &own::parse("own.toml", example).unwrap()[0];
    assert_eq!(entry.reserved_params, ["access_token"]);
    // Its refusal of an unknown member lists all that there are.
    let error = serde_json::from_str::<Entry>("{\"nobody\": 1}")
        .unwrap_err()
        .to_string();
    let known: Vec<&str> = error
        .split("expected one of ")
        .nth(1)
        .unwrap()
        .split('`')
        .skip(1)
        .step_by(2)
        .collect();
    assert!(known.len() > 40, "{error}");
    let missing: Vec<_> = known
        .iter()
        .filter(|name| !page.contains(&format!("`{name}`")) && **name != "family")
        .collect();
    assert!(missing.is_empty(), "docs/catalogue.md lacks {missing:?}");
}

#[test]
fn what_entries_have_in_common_is_written_once() {
    let text = ENTRY
        .replace("[[provider]]", "[common]\ncategory = \"Other\"\nsetup = \"Ask.\"\nissuer = \"https://acme.example\"\n[[provider]]\nissuer = false");
    let entry = &own::parse("own.toml", &text).unwrap()[0];
    assert_eq!(
        (entry.category.as_str(), entry.setup.as_str(), &entry.issuer),
        ("Library", "Ask.", &None)
    );
}

#[test]
fn a_file_is_read_up_to_a_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    let write = |length: usize| {
        let text = format!("{ENTRY}# {}", "x".repeat(length - ENTRY.len() - 2));
        std::fs::write(&path, text).unwrap();
    };
    write(256 * 1024);
    assert_eq!(read_own(&path).unwrap().len(), 1);
    write(256 * 1024 + 1);
    let error = read_own(&path).unwrap_err().to_string();
    assert!(
        error.contains("256 KiB") && error.contains("own.toml"),
        "{error}"
    );
    assert!(matches!(
        read_own(&folder.path().join("none.toml")),
        Err(Error::Unreadable { .. })
    ));
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(read_own(&path), Err(Error::Unreadable { .. })));
}

#[test]
fn an_own_entry_replaces_the_built_in_one_of_its_id_and_no_other() {
    let own = |text: &str| own::parse("own.toml", text).unwrap();
    let catalogue = built_in();
    assert!(!catalogue.is_own("slack"));
    let size = catalogue.entries().len();
    let catalogue = catalogue
        .with_own(own(&ENTRY.replace("id = \"acme\"", "id = \"slack\"")))
        .unwrap();
    assert_eq!(catalogue.get("slack").unwrap().name, "Acme");
    assert!(catalogue.is_own("slack") && catalogue.entries().len() == size);
    let catalogue = built_in().with_own(own(ENTRY)).unwrap();
    assert!(catalogue.is_own("acme") && catalogue.entries().len() == size + 1);
}

#[test]
fn two_entries_cannot_answer_to_the_same_name() {
    let alias = with("aliases = [\"twitter\"]");
    assert!(
        matches!(own::parse("own.toml", &alias), Err(Error::Ambiguous(name)) if name == "twitter")
    );
    let twice = format!("{ENTRY}{}", ENTRY.replace("family = \"f\"", ""));
    assert!(
        matches!(own::parse("own.toml", &twice), Err(Error::Ambiguous(name)) if name == "acme")
    );
}
