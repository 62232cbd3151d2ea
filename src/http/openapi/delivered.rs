//! The contract's other direction: the request that the service makes to the endpoints of webhooks.

use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{Content, PathItem, Paths, PathsBuilder, Ref, RefOr, Required, Response, Schema};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::app::webhooks::endpoints::Sample;
use crate::domain::feed::RenderedEvent;

/// The headers that identify and sign a delivery, each with what it holds.
const HEADERS: [(&str, &str); 6] = [
    ("webhook-id", "The event's own id, the same at every attempt. What was had before is told by it."),
    ("webhook-timestamp", "When this attempt was made, in seconds since 1970."),
    (
        "webhook-signature",
        "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`, keyed with the bytes that the secret encodes; during a rotation one for each secret, with a space between.",
    ),
    ("X-AITasker-Delivery-Id", "As `webhook-id`."),
    ("X-AITasker-Timestamp", "As `webhook-timestamp`."),
    ("X-AITasker-Signature", "Hexadecimal HMAC-SHA256 over the body, keyed with the text of the secret."),
];

/// The requests that receivers get.
pub(super) fn webhooks() -> Paths {
    let bodies = OneOfBuilder::new()
        .item(Ref::from_schema_name(RenderedEvent::name()))
        .item(Ref::from_schema_name(Sample::name()))
        .description(Some("An event, as the owner's feed has it, or a sample."));
    let body = RequestBodyBuilder::new()
        .content("application/json", Content::new(Some(bodies)))
        .required(Some(Required::True))
        .build();
    let accepted =
        Response::new("It was delivered. Any other answer, or none within 15 seconds, is a failure: it comes again.");
    let gone = Response::new("Nobody wants deliveries there any more: the webhook is disabled.");
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
        .description(Some("What an endpoint that was set up with `PUT /webhooks/{id}` is sent."))
        .tag("webhooks")
        .request_body(Some(body))
        .response("2XX", accepted)
        .response("410", gone);
    PathsBuilder::new().path("delivery", PathItem::new(HttpMethod::Post, operation)).build()
}

/// The schema that only such a request has.
pub(super) fn schemas() -> Vec<(String, RefOr<Schema>)> {
    vec![(Sample::name().into_owned(), Sample::schema())]
}
