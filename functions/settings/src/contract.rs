//! PURE. What this function's routes take and answer, for the OpenAPI document.

use consulate_core::http::contract::{Describe, Described, describe};
use consulate_core::problem::Code;
use http::{Method, StatusCode};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{RefOr, Required};

use crate::{list, one};

const SETTING: &str = "/v1/widgets/{widget}/settings/{scope}/{key}";

/// Every route of [`crate::routes`].
pub fn described() -> Vec<Described> {
    let setting = |method, id, summary| {
        describe(method, SETTING, id, summary)
            .by_callers()
            .header("If-Match", "RFC 9110 section 13.1.1")
            .header("If-None-Match", "RFC 9110 section 13.1.2")
            .problems(&[
                Code::RequestMalformed,
                Code::RequestInvalid,
                Code::NotFound,
                Code::PreconditionFailed,
            ])
    };
    let tagged = |answer: Describe| answer.with_header("ETag", "The setting's version.");
    let any = || {
        RefOr::T(Schema::Object(
            ObjectBuilder::new()
                .schema_type(SchemaType::AnyValue)
                .build(),
        ))
    };
    let put = setting(Method::PUT, "putSetting", "Stores one JSON value.").takes(
        "application/json",
        any(),
        Required::True,
    );
    let put = tagged(put.answers::<one::Put<'_>>(StatusCode::OK, "It replaced the former value."));
    let put = tagged(put.answers::<one::Put<'_>>(StatusCode::CREATED, "It is new."))
        .problems(&[Code::ValueTooLarge, Code::QuotaExceeded]);
    let get = setting(Method::GET, "getSetting", "One setting's value.");
    let get = tagged(get.answers_with(StatusCode::OK, "application/json", any(), "The value."));
    let get = tagged(get.answers_empty(StatusCode::NOT_MODIFIED, "As If-None-Match says."))
        .problems(&[Code::SettingUnknown]);
    let limit = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(50))
        .build();
    let path = "/v1/widgets/{widget}/settings/{scope}";
    vec![
        describe(
            Method::GET,
            path,
            "listSettings",
            "Settings of one scope, by pages.",
        )
        .by_callers()
        .query("limit", limit, "Settings per page.")
        .query(
            "cursor",
            consulate_core::http::contract::text(),
            "`next` of the page before.",
        )
        .answers::<list::List>(StatusCode::OK, "One page.")
        .problems(&[Code::RequestMalformed, Code::RequestInvalid, Code::NotFound])
        .done(),
        get.done(),
        put.done(),
        setting(Method::DELETE, "deleteSetting", "Deletes one setting.")
            .answers_empty(StatusCode::NO_CONTENT, "It is not there (any more).")
            .done(),
    ]
}
