//! PURE. What this function's routes take and answer, for the OpenAPI document.

use consulate_core::http::contract::{Described, describe};
use consulate_core::problem::Code;
use http::{Method, StatusCode};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required, Schema};

use crate::deliver::Delivered;
use crate::envelope::Envelope;

/// Every route of [`crate::routes`].
pub fn described() -> Vec<Described> {
    let scalar = || [Type::String, Type::Number, Type::Boolean];
    let list = ObjectBuilder::new().schema_type(Type::Array).build();
    let param = utoipa::openapi::OneOfBuilder::new()
        .item(
            ObjectBuilder::new()
                .schema_type(utoipa::openapi::schema::SchemaType::from_iter(scalar())),
        )
        .item(list);
    let params = ObjectBuilder::new()
        .description(Some("Scalars, or lists of scalars, by name."))
        .additional_properties(Some(RefOr::T(Schema::OneOf(param.build()))));
    let body = ObjectBuilder::new()
        .property("params", params)
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .build();
    // What every call may meet on its way to a usable access token.
    const ON_THE_WAY: &[Code] = &[
        Code::RequestMalformed,
        Code::AuthenticationUnknown,
        Code::AuthenticationRequired,
        Code::RefreshBusy,
    ];
    let call = describe(
        Method::POST,
        "/v1/widgets/{widget}/apis/{name}",
        "callApi",
        "Calls a named API with the caller's or the organisation's credential.",
    )
    .by_callers()
    .takes(
        "application/json",
        RefOr::T(Schema::Object(body)),
        Required::False,
    )
    .answers::<Envelope<'_>>(
        StatusCode::OK,
        "The API answered, whatever it said: the Appspace envelope.",
    )
    .problems(ON_THE_WAY)
    .problems(&[
        Code::ApiUnknown,
        Code::ParamsInvalid,
        Code::RateLimited,
        Code::ResponseTooLarge,
        Code::UpstreamTimeout,
        Code::UpstreamUnreachable,
    ]);
    let deliver = describe(
        Method::GET,
        "/v1/widgets/{widget}/connections/{auth_key}/access-token",
        "deliverAccessToken",
        "The caller's own access token, where widget and passport allow it.",
    )
    .by_callers()
    .answers::<Delivered<'_>>(StatusCode::OK, "The access token.")
    .problems(ON_THE_WAY)
    .problems(&[Code::DeliveryRefused]);
    vec![call.done(), deliver.done()]
}
