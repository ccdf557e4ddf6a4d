//! PURE. How a function says what its routes take and answer (feature `openapi`, never on in a deployed function): beside the
//! handlers, in terms of their own types and [`Code`]s. `tests/contract` makes the OpenAPI document of it.

use http::{Method, StatusCode};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{
    Operation, OperationBuilder, ParameterBuilder, ParameterIn, ParameterStyle,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{ResponseBuilder, ResponsesBuilder};
use utoipa::openapi::schema::{AllOfBuilder, Object, ObjectBuilder, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Ref, RefOr, Required, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::problem::Code;

/// The security scheme of widget routes.
pub const CALLER_JWT: &str = "callerJwt";
/// The schema every problem document is of.
pub const PROBLEM: &str = "Problem";

/// A schema with its name.
pub type Named = (String, RefOr<Schema>);

/// One route, described.
pub struct Described {
    /// Its method.
    pub method: Method,
    /// Its path with parameters.
    pub path: &'static str,
    /// What OpenAPI says of it.
    pub operation: Operation,
    /// Schemas it refers to.
    pub schemas: Vec<Named>,
}

/// A description under way.
pub struct Describe {
    method: Method,
    path: &'static str,
    operation: OperationBuilder,
    answers: Vec<(StatusCode, ResponseBuilder)>,
    problems: Vec<Code>,
    schemas: Vec<Named>,
}

/// Begins the description of a route. `id` is its `operationId`.
pub fn describe(method: Method, path: &'static str, id: &str, summary: &str) -> Describe {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(summary));
    let names = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    for name in names {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .style(Some(ParameterStyle::Simple))
            .schema(Some(text()));
        operation = operation.parameter(parameter);
    }
    Describe {
        method,
        path,
        operation,
        answers: Vec::new(),
        problems: Vec::new(),
        schemas: Vec::new(),
    }
}

/// A text.
pub fn text() -> Object {
    Object::with_type(Type::String)
}

impl Describe {
    /// Asked with a caller JWT, which can be refused in the known ways.
    #[must_use]
    pub fn by_callers(mut self) -> Self {
        let scheme = SecurityRequirement::new::<_, [&str; 0], &str>(CALLER_JWT, []);
        self.operation = self.operation.security(scheme);
        self.problems(&[
            Code::CallerUnauthenticated,
            Code::CallerForbidden,
            Code::WidgetUnknown,
            Code::Unavailable,
        ])
    }

    /// With an optional query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, schema: Object, about: &str) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(about))
            .schema(Some(schema));
        self.operation = self.operation.parameter(parameter);
        self
    }

    /// With an optional request header.
    #[must_use]
    pub fn header(mut self, name: &str, about: &str) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(about))
            .schema(Some(text()));
        self.operation = self.operation.parameter(parameter);
        self
    }

    /// With a body.
    #[must_use]
    pub fn takes(
        mut self,
        content_type: &str,
        schema: impl Into<RefOr<Schema>>,
        required: Required,
    ) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let body = RequestBodyBuilder::new()
            .content(content_type, content)
            .required(Some(required))
            .build();
        self.operation = self.operation.request_body(Some(body));
        self
    }

    /// Answers a JSON document.
    #[must_use]
    pub fn answers<T: ToSchema>(mut self, status: StatusCode, about: &str) -> Self {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        let schema = Ref::from_schema_name(T::name());
        self.answers_with(status, "application/json", schema, about)
    }

    /// Answers something else than a JSON document of ours.
    #[must_use]
    pub fn answers_with(
        mut self,
        status: StatusCode,
        content_type: &str,
        schema: impl Into<RefOr<Schema>>,
        about: &str,
    ) -> Self {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let answer = ResponseBuilder::new()
            .description(about)
            .content(content_type, content);
        self.answers.push((status, answer));
        self
    }

    /// The latest answer may be of this content type instead.
    #[must_use]
    pub fn or_as(mut self, content_type: &str, schema: impl Into<RefOr<Schema>>) -> Self {
        if let Some((status, answer)) = self.answers.pop() {
            let content = ContentBuilder::new().schema(Some(schema)).build();
            self.answers
                .push((status, answer.content(content_type, content)));
        }
        self
    }

    /// Answers without a body.
    #[must_use]
    pub fn answers_empty(mut self, status: StatusCode, about: &str) -> Self {
        let answer = ResponseBuilder::new().description(about);
        self.answers.push((status, answer));
        self
    }

    /// The latest answer carries this header.
    #[must_use]
    pub fn with_header(mut self, name: &str, about: &str) -> Self {
        if let Some((status, answer)) = self.answers.pop() {
            let header = HeaderBuilder::new()
                .schema(Some(text()))
                .description(Some(about))
                .build();
            self.answers.push((status, answer.header(name, header)));
        }
        self
    }

    /// Answers these problems, with their statuses.
    #[must_use]
    pub fn problems(mut self, codes: &[Code]) -> Self {
        self.problems.extend(codes);
        self
    }

    /// The description.
    pub fn done(mut self) -> Described {
        let mut statuses: Vec<StatusCode> =
            self.problems.iter().map(|code| code.status()).collect();
        statuses.sort();
        statuses.dedup();
        for status in statuses {
            let codes = self.problems.iter().filter(|code| code.status() == status);
            let mut names: Vec<String> = codes.map(|code| code.name()).collect();
            names.sort();
            names.dedup();
            let about = names.join(", ");
            let code = ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(names));
            let schema = AllOfBuilder::new()
                .item(Ref::from_schema_name(PROBLEM))
                .item(ObjectBuilder::new().property("code", code));
            let schema = RefOr::T(Schema::AllOf(schema.build()));
            self = self.answers_with(status, "application/problem+json", schema, &about);
            if matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            ) {
                self = self.with_header("Retry-After", "Seconds, where they are known.");
            }
            if status == StatusCode::UNAUTHORIZED {
                self = self.with_header("WWW-Authenticate", "Bearer");
            }
        }
        let answers = self.answers.into_iter();
        let responses = answers.fold(ResponsesBuilder::new(), |responses, (status, answer)| {
            responses.response(status.as_str(), answer.build())
        });
        Described {
            method: self.method,
            path: self.path,
            operation: self.operation.responses(responses.build()).build(),
            schemas: self.schemas,
        }
    }
}

/// RFC 9457, as [`crate::problem`] writes it.
pub fn problem() -> Named {
    let boolean = || Object::with_type(Type::Boolean);
    let connect = ObjectBuilder::new()
        .description(Some("How to connect the account."))
        .property("method", text())
        .property("href", text())
        .required("method")
        .required("href");
    let mut problem = ObjectBuilder::new()
        .description(Some(
            "RFC 9457 problem details. `code` is stable, texts are not.",
        ))
        .property("type", text())
        .property("title", text())
        .property("status", Object::with_type(Type::Integer))
        .property("detail", text())
        .property("code", Code::schema())
        .property("retryable", boolean())
        .property("request_id", text())
        .property("param", text())
        .property("field", text())
        .property("reason", crate::problem::Reason::schema())
        .property("auth_key", text())
        .property("connect", connect);
    for name in [
        "type",
        "title",
        "status",
        "detail",
        "code",
        "retryable",
        "request_id",
    ] {
        problem = problem.required(name);
    }
    (
        PROBLEM.to_owned(),
        RefOr::T(Schema::Object(problem.build())),
    )
}
