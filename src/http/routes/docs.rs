//! `/docs`: the contract as a web page (Swagger UI), from files in the binary.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::http::problem::fallback::bare_not_found;

/// Content security policy: scripts only from this origin. Inline styles are allowed because the
/// page's script sets them on elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The routes below `/docs`.
pub(in crate::http) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    // The default configuration calls a validator on the internet.
    let config = Config::from("/openapi.json").validator_url("none").persist_authorization(false);
    let set = |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    Router::from(SwaggerUi::new("/docs").config(config))
        .layer(map_response(bare_not_found))
        .layer(set(header::CONTENT_SECURITY_POLICY, POLICY))
        .layer(set(header::CACHE_CONTROL, "public, max-age=3600"))
}
