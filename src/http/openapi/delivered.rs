//! The webhooks of the contract: the requests that the service sends to endpoints.

use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, PathItem, Paths, PathsBuilder, Ref, RefOr, Required, Response, Schema};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::app::webhooks::endpoints::Sample;
use crate::domain::feed::RenderedEvent;

/// The headers that identify and sign a delivery, with their descriptions.
const HEADERS: [(&str, &str); 6] = [
    ("webhook-id", "The event's id, the same at every attempt. Receivers detect repeated deliveries by it."),
    ("webhook-timestamp", "Time of this attempt, in seconds since 1970."),
    (
        "webhook-signature",
        "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`, keyed with the bytes that the secret encodes. During a rotation there is one signature for each secret, separated by a space.",
    ),
    ("X-AITasker-Delivery-Id", "Same as `webhook-id`."),
    ("X-AITasker-Timestamp", "Same as `webhook-timestamp`."),
    ("X-AITasker-Signature", "HMAC-SHA256 over the body in hexadecimal, keyed with the text of the secret."),
];

/// The name of the schema of a delivery's body.
const BODY: &str = "WebhookBody";

/// The requests that receivers get.
pub(super) fn webhooks() -> Paths {
    let body = RequestBodyBuilder::new()
        .content("application/json", Content::new(Some(Ref::from_schema_name(BODY))))
        .required(Some(Required::True))
        .build();
    let accepted = Response::new(
        "The event was delivered. Any other response, or none within 15 seconds, is a failure, and the event is sent again.",
    );
    let gone = Response::new("The endpoint wants no more deliveries. The webhook is disabled.");
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let header = |(name, description): (&str, &str)| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(description))
            .schema(Some(text()))
            .build()
    };
    let operation = HEADERS.into_iter().map(header).fold(OperationBuilder::new(), OperationBuilder::parameter);
    let operation = operation
        .operation_id(Some("delivery"))
        .summary(Some("An event happened"))
        .description(Some(
            "The request that the service sends to an endpoint that was set up with `PUT /webhooks/{id}`.",
        ))
        .tag("webhooks")
        .security(SecurityRequirement::default())
        .request_body(Some(body))
        .response("2XX", accepted)
        .response("410", gone);
    PathsBuilder::new().path("delivery", PathItem::new(HttpMethod::Post, operation)).build()
}

/// The schemas that only such a request uses.
pub(super) fn schemas() -> Vec<(String, RefOr<Schema>)> {
    let bodies = OneOfBuilder::new()
        .item(Ref::from_schema_name(RenderedEvent::name()))
        .item(Ref::from_schema_name(Sample::name()))
        .description(Some("The body of a delivery: an event as in the owner's feed, or a sample."));
    vec![(BODY.to_owned(), bodies.into()), (Sample::name().into_owned(), Sample::schema())]
}
