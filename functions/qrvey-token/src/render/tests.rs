//! What a template becomes, and when it becomes nothing.

use super::*;
use serde_json::json;

fn template(body: Value) -> QrveyTemplate {
    let template =
        json!({"domain": "https://acme.qrveyapp.com", "expires_in": "10m", "body": body});
    serde_json::from_value(template).unwrap()
}

fn rendered_by(
    template: &QrveyTemplate,
    email: Option<&str>,
    settings: Value,
) -> Result<Value, Refusal> {
    let params = BTreeMap::from([("region".to_owned(), "emea".to_owned())]);
    let settings: BTreeMap<String, Value> = serde_json::from_value(settings).unwrap();
    let sources = Sources {
        caller: CallerValues {
            user_id: "u7",
            user_email: email,
            organisation_id: "o1",
        },
        params: &params,
        settings: &settings,
    };
    let rendered = render(template, sources)?;
    Ok(serde_json::from_str(&rendered.body).unwrap())
}

fn rendered(body: Value, settings: Value) -> Result<Value, Refusal> {
    rendered_by(&template(body), Some("Ada@acme.example"), settings)
}

fn filter(values: Value) -> Value {
    json!({"permissions": [{"dataset_id": "*", "record_permissions": [
        {"security_name": "region", "values": values}
    ]}]})
}

#[track_caller]
fn refused_at(outcome: Result<Value, Refusal>, at: &str) {
    match outcome {
        Err(Refusal::Caller { field, .. }) => assert_eq!(field, at),
        other => panic!("{other:?}"),
    }
}

#[test]
fn texts_are_filled_in_and_the_lifetime_is_always_sent() {
    let body = json!({"userid": "izfZIkc", "clientid": "{user.email}", "orgId": "org:{organisation.id}",
                      "pageid": "{user.id}-{userId}-{param.region}"});
    assert_eq!(
        rendered(body, json!({})).unwrap(),
        json!({"userid": "izfZIkc", "clientid": "Ada@acme.example", "orgId": "org:o1",
               "pageid": "u7-u7-emea", "expiresIn": "10m"})
    );
}

#[test]
fn another_version_spells_fields_in_its_own_way() {
    let mut template = template(json!({"userid": "u", "permissions": []}));
    template.fields = BTreeMap::from([
        ("userid".to_owned(), "userId".to_owned()),
        ("expiresIn".to_owned(), "expires_in".to_owned()),
    ]);
    template.extra = json!({"personalization": {"enabled": true}})
        .as_object()
        .unwrap()
        .clone();
    assert_eq!(
        rendered_by(&template, None, json!({})).unwrap(),
        json!({"userId": "u", "permissions": [], "expires_in": "10m", "personalization": {"enabled": true}})
    );
    template.extra.insert("userId".to_owned(), json!("x"));
    let twice = rendered_by(&template, None, json!({})).unwrap_err();
    assert_eq!(
        twice,
        Refusal::Template {
            field: "userId".to_owned()
        }
    );
}

#[test]
fn a_lifetime_over_the_policy_is_cut_to_it() {
    let mut template = template(json!({"userid": "u"}));
    template.expires_in = "1y".to_owned();
    let body = rendered_by(&template, None, json!({})).unwrap();
    assert_eq!(body["expiresIn"], "86400s");
    template.expires_in = "for ever".to_owned();
    assert!(rendered_by(&template, None, json!({})).is_err());
}

#[test]
fn a_caller_without_what_the_template_names_is_refused() {
    let body = json!({"userid": "u", "clientid": "{user.email}"});
    refused_at(rendered_by(&template(body), None, json!({})), "user.email");
    for email in ["", " ", "a\u{0}b"] {
        let body = filter(json!(["{user.email}"]));
        refused_at(
            rendered_by(&template(body), Some(email), json!({})),
            "user.email",
        );
    }
}

#[test]
fn a_missing_param_is_named() {
    let outcome = rendered(json!({"pageid": "{param.page}"}), json!({}));
    assert_eq!(outcome, Err(Refusal::Param("page".to_owned())));
}

#[test]
fn a_value_is_never_itself_a_template() {
    let body = filter(json!(["{user.email}"]));
    let email = Some("{organisation.id}");
    let body = rendered_by(&template(body), email, json!({})).unwrap();
    let values = &body["permissions"][0]["record_permissions"][0]["values"];
    assert_eq!(values, &json!(["{organisation.id}"]));
}

#[test]
fn a_star_in_place_of_a_value_does_not_lift_a_filter() {
    let at = "permissions[0].record_permissions[0].values[0]";
    for email in ["*", " * "] {
        let body = filter(json!(["{user.email}"]));
        refused_at(rendered_by(&template(body), Some(email), json!({})), at);
    }
    for value in [json!("*"), json!(["emea", "*"])] {
        let body = filter(json!(["{settings.organisation.regions}"]));
        refused_at(
            rendered(body, json!({"regions": value})),
            "settings.organisation.regions",
        );
    }
    // The operator's own.
    assert!(rendered(filter(json!(["*"])), json!({})).is_ok());
}

#[test]
fn a_filter_without_a_value_is_refused() {
    let at = "permissions[0].record_permissions[0].values";
    for values in [
        json!([]),
        json!([""]),
        json!([null]),
        json!([{}]),
        json!([{"gte": " "}]),
    ] {
        refused_at(rendered(filter(values), json!({})), at);
    }
    let nested = json!({"permissions": [{"dataset_id": "d", "record_permissions": [
        {"operator": "OR", "record_permissions": [{"security_name": "a", "values": []}]}
    ]}]});
    refused_at(
        rendered(nested, json!({})),
        "permissions[0].record_permissions[0].record_permissions[0].values",
    );
    for broken in [
        json!({"permissions": [{"dataset_id": "d", "record_permissions": []}]}),
        json!({"permissions": [{"dataset_id": "d"}]}),
        json!({"permissions": {"dataset_id": "d"}}),
        json!({"permissions": [{"record_permissions": [{"values": ["x"]}]}]}),
        json!({"permissions": [{"record_permissions": [{"security_name": "a"}]}]}),
    ] {
        let outcome = rendered(broken.clone(), json!({}));
        assert!(matches!(outcome, Err(Refusal::Template { .. })), "{broken}");
    }
    let empty = json!({"permissions": [{"dataset_id": "d", "record_permissions": [
        {"security_name": "a", "validation_type": "IS_EMPTY", "values": []}
    ]}]});
    assert!(rendered(empty, json!({})).is_ok());
}

#[test]
fn a_setting_gives_a_value_or_a_list_for_this_caller() {
    let settings =
        json!({"regions": {"u7": ["emea", 3], "u8": ["apac"], "ada@acme.example": {"team": "t1"}}});
    let body = filter(json!(["{settings.organisation.regions[user.id]}", "fixed"]));
    let body = rendered(body, settings.clone()).unwrap();
    let values = &body["permissions"][0]["record_permissions"][0]["values"];
    assert_eq!(values, &json!(["emea", 3, "fixed"]));
    let body = json!({"roles": "{settings.organisation.regions[user.id]}",
                      "pageid": "p-{settings.organisation.regions[user.email][team]}"});
    let body = rendered(body, settings.clone()).unwrap();
    assert_eq!(body["roles"], json!(["emea", 3]));
    assert_eq!(body["pageid"], "p-t1");
    let list = json!({"clientid": "{settings.organisation.regions[user.id]}"});
    refused_at(rendered(list, settings), "clientid");
}

#[test]
fn a_setting_without_a_value_for_this_caller_is_refused() {
    let field = "settings.organisation.regions";
    for settings in [
        json!({}),
        json!({"regions": null}),
        json!({"regions": {"u8": ["apac"]}}),
        json!({"regions": {"u7": []}}),
        json!({"regions": {"u7": ""}}),
        json!({"regions": {"u7": ["emea", ""]}}),
        json!({"regions": {"u7": null}}),
        json!({"regions": {"u7": {"a": "b"}}}),
        json!({"regions": {"u7": [["emea"]]}}),
        json!({"regions": ["u7"]}),
    ] {
        let body = filter(json!(["{settings.organisation.regions[user.id]}"]));
        refused_at(rendered(body, settings), field);
    }
    // Two that differ by case only: which of them is meant is not known.
    let body = filter(json!(["{settings.organisation.regions[user.email]}"]));
    let settings = json!({"regions": {"ADA@acme.example": "emea", "ada@acme.example": "apac"}});
    refused_at(rendered(body, settings), field);
}
