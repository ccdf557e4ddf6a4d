//! PURE. What this function's routes take and answer, for the OpenAPI document.

use consulate_core::http::contract::{Described, describe, text};
use consulate_core::problem::Code;
use http::{Method, StatusCode};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder};
use utoipa::openapi::{RefOr, Required, Schema};

use crate::mint::Answer;

/// Every route of [`crate::routes`].
pub fn described() -> Vec<Described> {
    let params = ObjectBuilder::new()
        .description(Some(
            "Each one the template declares, each value one it lists.",
        ))
        .additional_properties(Some(RefOr::T(Schema::Object(text()))));
    let body = ObjectBuilder::new()
        .property("params", params)
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .build();
    let path = "/v1/widgets/{widget}/qrvey/{name}";
    let mint = describe(
        Method::POST,
        path,
        "qrveyToken",
        "A Qrvey security token of the template's rows, for the caller.",
    )
    .by_callers()
    .takes(
        "application/json",
        RefOr::T(Schema::Object(body)),
        Required::False,
    )
    .answers::<Answer<'_>>(StatusCode::OK, "What the Qrvey widget is configured with.")
    .problems(&[
        Code::RequestMalformed,
        Code::RequestInvalid,
        Code::ParamsInvalid,
        Code::TemplateUnknown,
        Code::RateLimited,
        Code::ResponseTooLarge,
        Code::UpstreamMalformed,
        Code::UpstreamRefused,
        Code::UpstreamTimeout,
        Code::UpstreamUnreachable,
    ]);
    vec![mint.done()]
}
