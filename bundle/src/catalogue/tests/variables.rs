//! Variables of entries: what a file may not say of them.

use super::files::{faults, with};
use crate::catalogue::own;

#[test]
fn a_faulty_variable_is_refused_with_the_member_named() {
    let good = [
        ("name", "\"instance\""),
        ("label", "\"Instance\""),
        ("pattern", "'^[a-z]+\\.acme\\.example$'"),
        ("example", "\"one.acme.example\""),
    ];
    let entry = |change: &[(&str, &str)]| {
        let mut text = String::from(
            "api_hosts = [\"api.acme.example\", \"{instance}\"]\n[[provider.variables]]\n",
        );
        let kept = good
            .iter()
            .filter(|(name, _)| change.iter().all(|(changed, _)| changed != name));
        for (name, value) in kept.chain(change) {
            text.push_str(&format!("{name} = {value}\n"));
        }
        text
    };
    assert!(own::parse("own.toml", &with(&entry(&[]))).is_ok());
    assert!(own::parse("own.toml", &with(&entry(&[("accept_other", "true")]))).is_ok());
    assert!(own::parse("own.toml", &with(&entry(&[("optional", "true")]))).is_ok());
    for (change, field) in [
        ([("label", "\"\"")].as_slice(), "label"),
        (&[("pattern", "'[a-z]+'")], "pattern"),
        (&[("pattern", "'^([a-z]+$'")], "pattern"),
        (&[("example", "\"one.other.example\"")], "example"),
        (&[("default", "\"x\"")], "default"),
        (
            &[("default", "\"one.acme.example\""), ("optional", "true")],
            "optional",
        ),
    ] {
        let found = faults(&entry(change));
        let wanted = format!("variables.instance.{field}");
        assert!(
            found.iter().any(|(named, _)| *named == wanted),
            "{change:?}: {found:?}"
        );
    }
    // Not a host by itself, so no other host can be agreed to.
    let part = entry(&[
        ("pattern", "'^[a-z]+$'"),
        ("example", "\"one\""),
        ("accept_other", "true"),
    ])
    .replace("{instance}", "{instance}.acme.example");
    assert!(
        faults(&part)
            .iter()
            .any(|(field, _)| field == "variables.instance.accept_other")
    );
    // What is needed always cannot hang on what may be unset.
    let hanging = entry(&[("optional", "true")]).replace(
        "api_hosts",
        "token_url = \"https://{instance}/token\"\napi_hosts",
    );
    assert!(
        faults(&hanging)
            .iter()
            .any(|(field, _)| field == "token_url")
    );
}
