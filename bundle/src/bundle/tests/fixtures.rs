//! The three bundles under `tests/fixtures/bundles` import as they are.

use consulate_core::definition::{ClientAuthentication, HostKind, OwnerMode, RefreshRotation};

use super::*;

fn import_fixture(name: &str, options: &Options) -> Import {
    let source = Source::read(&fixture(name)).unwrap();
    import(&source, options, &Catalogue::built_in().unwrap()).unwrap()
}

#[test]
fn the_graph_example_imports_on_the_built_in_passport_it_is_bound_to() {
    let options = Options {
        binds: vec![("msGraph".to_owned(), "graph".to_owned())],
        ..Options::default()
    };
    let import = import_fixture("graph-calendar", &options);
    assert_eq!(codes(&import), Vec::<&str>::new());
    assert_eq!(import.widget.id, "calendar");
    assert_eq!(import.widget.name, "Calendar");
    let host = import.host.unwrap();
    assert_eq!(
        (host.id.as_str(), host.kind, host.require_exp),
        ("acme-happeo", HostKind::Happeo, true)
    );
    assert_eq!(import.widget.host.as_deref(), Some("acme-happeo"));
    let authentication = import.widget.authentication("msGraph").unwrap();
    assert_eq!(authentication.provider, "microsoft");
    assert_eq!(authentication.passport.as_deref(), Some("graph"));
    assert_eq!(authentication.owner, OwnerMode::User);
    let api = import.widget.api("getEvents").unwrap();
    assert_eq!(api.method, "GET");
    assert_eq!(
        api.headers["Authorization"],
        "Bearer {authorization.msGraph.token}"
    );
    assert_eq!(api.scopes, ["Calendars.Read"]);
    assert!(import.passports.is_empty() && import.secrets.is_empty());
}

#[test]
fn the_bundled_example_brings_a_passport_of_its_own_with_the_hosts_it_names() {
    let import = import_fixture("my-saas", &Options::default());
    let passport = &import.passports[0];
    assert_eq!(passport.id, "my-saas.my-saas-connector");
    assert_eq!(passport.provider, "custom:my-saas-connector");
    assert_eq!(passport.name, "My SaaS Platform");
    assert_eq!(
        passport.authorize_url,
        "https://auth.my-saas.com/oauth/authorize"
    );
    assert_eq!(passport.token_url, "https://auth.my-saas.com/oauth/token");
    assert_eq!(
        passport.revocation_url.as_deref(),
        Some("https://auth.my-saas.com/oauth/revoke")
    );
    assert_eq!(passport.client_authentication, ClientAuthentication::Basic);
    assert_eq!(passport.refresh_rotation, RefreshRotation::SingleUse);
    assert_eq!(passport.scopes, ["read:data", "write:data"]);
    assert_eq!(passport.api_hosts, ["api.my-saas.com"]);
    assert_eq!(passport.reserved_params, ["access_token"]);
    let profile = passport.profile.as_ref().unwrap();
    assert_eq!(profile.url, "https://api.my-saas.com/v1/me");
    assert_eq!(profile.name_path.as_deref(), Some("$.display_name"));
    assert_eq!(
        import.widget.authentications[0].passport.as_deref(),
        Some("my-saas.my-saas-connector")
    );
    assert_eq!(
        import
            .widget
            .api("createTask")
            .unwrap()
            .body
            .as_ref()
            .unwrap()["title"],
        "{param.title}"
    );
    assert!(
        import.secrets.is_empty(),
        "the example carries no real secret"
    );
    assert_eq!(
        codes(&import),
        ["client_id_placeholder", "client_secret_missing"]
    );
}

#[test]
fn happeo_itself_is_a_built_in_provider() {
    let import = import_fixture("happeo-channels", &Options::default());
    assert_eq!(import.widget.authentications[0].provider, "happeo");
    assert_eq!(
        import.widget.api("listChannels").unwrap().url,
        "https://api.happeo.com/channels"
    );
    assert_eq!(codes(&import), ["authentication_unbound"]);
}

#[test]
fn an_unmodified_appspace_bundle_imports_with_every_gap_named() {
    let mut case = Case::graph().without(CONSULATE);
    case.options.widget = Some("calendar".to_owned());
    let import = case.accepted();
    assert_eq!(
        codes(&import),
        [
            "authentication_unbound",
            "host_missing",
            "origins_missing",
            "admins_missing"
        ]
    );
    assert_eq!(import.widget.host, None);
    assert_eq!(
        import.widget.authentications[0].owner,
        OwnerMode::Organisation
    );
}

#[test]
fn a_finding_serialises_as_lint_prints_it() {
    let finding = Case::graph()
        .with(CONSULATE, "/widget", json!("UPPER"))
        .refused("widget_id_invalid");
    let shown = serde_json::to_value(&finding).unwrap();
    assert_eq!(shown["code"], "widget_id_invalid");
    assert_eq!(shown["severity"], "error");
    assert_eq!(shown["file"], "consulate.json");
    assert_eq!(shown["line"], finding.line.unwrap());
    assert!(
        !shown["message"].as_str().unwrap().is_empty()
            && !shown["cure"].as_str().unwrap().is_empty()
    );
}
