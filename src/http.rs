//! The HTTP API. Each handler parses the request, makes one call into `app` and renders the result;
//! it has no business rules and no SQL.
//!
//! [`HttpService`] is the complete service. `routes()` is the one list from which the router and
//! the OpenAPI contract are built.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::routing::get;
use tower::layer::{Layer as _, layer_fn};
use tower_http::cors::CorsLayer;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::app::App;

use self::serve::middleware::refuse_writes;

pub use self::serve::mount::{Mount, MountedRoute};
pub use self::serve::service::HttpService;

pub mod auth;
pub mod input;
pub mod openapi;
pub mod problem;
pub mod routes;
pub mod serve;

/// Definition of the demo's workflow, and the example in the contract.
const DEMO_WORKFLOW: &str = crate::domain::workflow::EXAMPLE;

/// Settings of the HTTP API. They hold secrets and must not be logged.
#[derive(Clone, Default)]
pub struct Settings {
    /// The platform's keys; several may be valid at the same time.
    pub platform_keys: Vec<String>,
    /// Settings for the verification of buyers' tokens.
    pub buyers: crate::http::auth::jwt::Settings,
    /// Origins that browsers may call the API from, such as `https://aitasker.example`.
    pub cors_origins: Vec<String>,
    /// Time limits of a request.
    pub limits: crate::http::input::deadline::TimeLimits,
    /// Memory for request bodies that are received or parsed at the same time.
    pub body_memory: crate::http::input::body::budget::Size,
}

/// Why the HTTP API cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configured credentials cannot be used.
    #[error(transparent)]
    Auth(#[from] auth::Error),
    /// A configured origin is malformed.
    #[error("STAGEGATE_CORS_ORIGINS: `{0}` is not an origin such as https://aitasker.example")]
    Origin(String),
}

/// Validated settings. Validation comes before the database is started, so that a mistake is
/// reported first.
#[derive(Debug)]
pub struct Checked {
    auth: auth::Auth,
    origins: Vec<HeaderValue>,
    limits: crate::http::input::deadline::TimeLimits,
    body_memory: crate::http::input::body::budget::Size,
}

impl Settings {
    /// Checks the settings and reads the keys for buyers' tokens.
    ///
    /// # Errors
    ///
    /// When a setting cannot be used; the error names it.
    pub async fn check(self) -> Result<Checked, Error> {
        let auth = auth::Auth::new(&self.platform_keys, self.buyers).await?;
        let origins = self.cors_origins.iter().map(|origin| parse_origin(origin)).collect::<Result<_, _>>()?;
        Ok(Checked { auth, origins, limits: self.limits, body_memory: self.body_memory })
    }
}

impl Checked {
    /// Accepts a trial's credentials beside the configured ones. The buyers' secret is accepted
    /// only if no other way to verify buyers' tokens is configured.
    ///
    /// # Errors
    ///
    /// When the platform key is malformed.
    pub fn admit(&mut self, platform_key: &str, buyer_secret: &str) -> Result<(), Error> {
        Ok(self.auth.admit(platform_key, buyer_secret)?)
    }
}

/// State shared by the handlers. It is cloned for every request, so cloning is cheap.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Shared>);

/// Contents of an [`AppState`].
#[derive(Debug)]
pub struct Shared {
    /// The use cases.
    pub app: Arc<App>,
    /// The authentication of callers.
    pub auth: auth::Auth,
    /// The metrics that `/metrics` serves.
    pub metrics: Arc<crate::http::serve::metrics::Metrics>,
    contract: openapi::Contract,
    scopes: openapi::scopes::RequiredScopes,
    /// What is refused, if this replica only reads.
    refused: Option<Arc<openapi::writes::Writes>>,
    observer: Arc<crate::http::serve::middleware::Observer>,
    origins: Vec<HeaderValue>,
    limits: crate::http::input::deadline::TimeLimits,
    bodies: crate::http::input::body::budget::Budget,
    mount: Mount,
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl AppState {
    /// Checks the settings and reads the keys for buyers' tokens.
    pub async fn new(app: Arc<App>, settings: Settings) -> Result<Self, Error> {
        Ok(Self::of(app, settings.check().await?))
    }

    /// Builds the state from validated settings, for the API alone.
    pub fn of(app: Arc<App>, checked: Checked) -> Self {
        Self::with_mount(app, checked, Mount::default())
    }

    /// Builds the state from validated settings, with routes beside the API.
    pub fn with_mount(app: Arc<App>, checked: Checked, mount: Mount) -> Self {
        let Checked { auth, origins, limits, body_memory } = checked;
        let declared = openapi::declared();
        let metrics = Arc::<crate::http::serve::metrics::Metrics>::default();
        // Served on a separate listener, so it is not in the contract.
        let scrape = (Method::GET, crate::http::serve::metrics::PATH.to_owned(), "metrics".to_owned());
        let operations = openapi::operations(&declared).chain([scrape]);
        let observer = crate::http::serve::middleware::Observer::new(operations, &mount.routes, &metrics);
        let observer = Arc::new(observer.at(app.links.public_origin()).of(app.cell().name()));
        let contract = openapi::Contract::of(openapi::document());
        let scopes = openapi::scopes::RequiredScopes::of(&declared);
        let refused = app.is_read_only().then(|| Arc::new(openapi::writes::Writes::of(&declared)));
        let bodies = crate::http::input::body::budget::Budget::new(body_memory.0);
        metrics.register_build(app.cell().name());
        metrics.register_bodies(bodies.bytes());
        app.links.set_platform_credentials(auth.platform_credentials());
        let shared = Shared { app, auth, metrics, contract, scopes, refused, observer, origins, limits, bodies, mount };
        Self(Arc::new(shared))
    }
}

impl AppState {
    /// Whether pages of this origin may call: those of a configured one, and the service's own.
    pub fn admits_origin(&self, origin: &HeaderValue) -> bool {
        let own = self.app.links.public_origin().map(str::as_bytes);
        self.origins.contains(origin) || own == Some(origin.as_bytes())
    }
}

impl FromRef<AppState> for Arc<App> {
    fn from_ref(state: &AppState) -> Self {
        Arc::clone(&state.app)
    }
}

/// Every operation of the contract. This is the only place where handlers are added.
#[expect(clippy::too_many_lines, reason = "one line for each path")]
fn routes() -> OpenApiRouter<AppState> {
    let api = Api::default()
        .routes(routes!(routes::partners::create_partner, routes::partners::list_partners))
        .routes(routes!(routes::partners::get_partner))
        .routes(routes!(routes::partners::create_partner_key, routes::partners::list_partner_keys))
        .routes(routes!(routes::partners::revoke_partner_key))
        .routes(routes!(routes::keys::create_key, routes::keys::list_keys))
        .routes(routes!(routes::keys::revoke_key))
        .routes(routes!(routes::absences::list_absences))
        .routes(routes!(routes::absences::get_absence, routes::absences::set_absence, routes::absences::remove_absence))
        .routes(routes!(routes::links::create_link, routes::links::list_links))
        .routes(routes!(routes::links::get_link, routes::links::end_link))
        .routes(routes!(routes::links::revoke_links))
        .routes(routes!(routes::partner_trail::get_partner_audit))
        .routes(routes!(routes::partner_trail::export_partner))
        .routes(routes!(routes::partner_trail::get_partner_audit_proof))
        .routes(routes!(routes::erasures::request_erasure, routes::erasures::list_erasures))
        .routes(routes!(routes::erasures::get_erasure))
        .routes(routes!(routes::erasures::list_erasure_archived_tasks))
        .routes(routes!(routes::workflows::list_workflows))
        .routes(routes!(
            routes::workflows::register_workflow,
            routes::workflows::get_workflow,
            routes::workflows::retire_workflow
        ))
        .routes(routes!(routes::workflows::get_workflow_version))
        .routes(routes!(routes::workflows::get_workflow_diagram))
        .routes(routes!(routes::workflows::get_workflow_diagram_svg))
        .routes(routes!(routes::analytics::get_workflow_analytics))
        .routes(routes!(routes::simulations::simulate_workflow))
        .routes(routes!(routes::tasks::open_task, routes::tasks::list_tasks))
        .routes(routes!(routes::tasks::get_task))
        .routes(routes!(routes::why::get_why))
        .routes(routes!(routes::claims::get_claim, routes::claims::claim_task, routes::claims::release_claim))
        .routes(routes!(routes::events::post_event))
        .routes(routes!(routes::statuses::get_task_status))
        .routes(routes!(routes::streams::stream_task_status))
        .routes(routes!(routes::statuses::list_statuses))
        .routes(routes!(routes::inbox::list_reviews))
        .routes(routes!(routes::feed::list_events, routes::bulk::post_events))
        .routes(routes!(routes::webhooks::list_webhooks))
        .routes(routes!(routes::webhooks::set_webhook, routes::webhooks::get_webhook, routes::webhooks::remove_webhook))
        .routes(routes!(routes::webhooks::rotate_webhook_secret))
        .routes(routes!(routes::webhooks::activate_webhook_secret))
        .routes(routes!(routes::deliveries::list_webhook_deliveries))
        .routes(routes!(routes::deliveries::redeliver))
        .routes(routes!(routes::deliveries::redeliver_since))
        .routes(routes!(routes::deliveries::test_webhook))
        .routes(routes!(routes::audit::get_task_audit))
        .routes(routes!(routes::audit::export_task))
        .routes(routes!(routes::audit::get_task_audit_proof))
        .routes(routes!(routes::transparency_log::get_task_inclusion))
        .routes(routes!(routes::transparency_log::get_partner_inclusion))
        .routes(routes!(routes::export::export_tasks))
        .routes(routes!(routes::transparency_log::get_task_receipt))
        .routes(routes!(routes::transparency_log::get_checkpoint))
        .routes(routes!(routes::transparency_log::get_log_consistency));
    OpenApiRouter::with_openapi(openapi::base())
        .merge(api.0)
        .routes(routes!(routes::transparency_log::get_audit_key))
        .routes(routes!(routes::health::health))
        .routes(routes!(routes::health::ready))
        .routes(routes!(openapi::openapi_yaml))
        .routes(routes!(openapi::openapi_json))
        .routes(routes!(openapi::openapi_3_0_json))
}

/// Every operation behind axum's router.
fn router(state: AppState) -> Router {
    let (router, _) = routes().split_for_parts();
    let router = router.merge(crate::http::routes::docs::router()).merge(state.mount.router.clone());
    with_middleware(router, state)
}

/// Routes for operators, on a listener that callers cannot reach: metrics, plus liveness and
/// readiness, which are public as well.
pub fn operator_router(state: AppState) -> Router {
    let routes = Router::new()
        .route(crate::http::serve::metrics::PATH, get(crate::http::serve::metrics::metrics))
        .route("/health", get(crate::http::routes::health::health))
        .route("/ready", get(crate::http::routes::health::ready));
    with_middleware(routes, state)
}

/// Routes below `/api/v1`. `OpenApiRouter::nest` would split and rewrite the path of every request.
#[derive(Default)]
struct Api(OpenApiRouter<AppState>);

impl Api {
    fn routes(self, (schemas, mut paths, methods): UtoipaMethodRouter<AppState>) -> Self {
        paths.paths = paths.paths.into_iter().map(|(path, item)| (format!("/api/v1{path}"), item)).collect();
        Self(self.0.routes((schemas, paths, methods)))
    }
}

/// Adds the layers and fallbacks that every route shares.
fn with_middleware(router: Router<AppState>, state: AppState) -> Router {
    let (limits, observer, cors) = (state.limits, Arc::clone(&state.observer), cors(&state.origins));
    let refused = state.refused.clone();
    // A single layer: axum boxes every layer, and clones all boxes for each request.
    let around = layer_fn(move |route| {
        crate::http::serve::middleware::observe(
            Arc::clone(&observer),
            None,
            cors.layer(refuse_writes(refused.clone(), crate::http::serve::middleware::guard(limits, route))),
        )
    });
    router
        .fallback(crate::http::problem::fallback::not_found)
        .method_not_allowed_fallback(crate::http::problem::fallback::method_not_allowed)
        .layer(around)
        .with_state(state)
}

fn parse_origin(origin: &str) -> Result<HeaderValue, Error> {
    let invalid = || Error::Origin(origin.to_owned());
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")).ok_or_else(invalid)?;
    if host.is_empty() || host.contains(['/', '*', '@', ' ']) {
        return Err(invalid());
    }
    HeaderValue::from_str(origin).map_err(|_| invalid())
}

/// Request headers that cross-origin pages may send: all that the contract names, and those of the
/// Model Context Protocol.
const ALLOWED_HEADERS: [HeaderName; 12] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("mcp-method"),
    HeaderName::from_static("mcp-name"),
    HeaderName::from_static("mcp-protocol-version"),
    crate::http::serve::middleware::CELL_HEADER,
    HeaderName::from_static("x-aitasker-key"),
    crate::http::serve::middleware::REQUEST_ID_HEADER,
];

/// Response headers that cross-origin pages may read: all that the contract names.
const EXPOSED_HEADERS: [HeaderName; 8] = [
    header::ALLOW,
    header::ETAG,
    header::LOCATION,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("idempotent-replayed"),
    crate::http::serve::middleware::CELL_HEADER,
    crate::http::serve::middleware::REQUEST_ID_HEADER,
];

/// CORS. Without configured origins no response has a CORS header, so browsers deny other pages
/// access to it. Scripts send credentials in a header, never in cookies, so
/// `Access-Control-Allow-Credentials` is not needed.
fn cors(origins: &[HeaderValue]) -> tower::util::Either<CorsLayer, tower::layer::util::Identity> {
    if origins.is_empty() {
        return tower::util::Either::Right(tower::layer::util::Identity::new());
    }
    let layer = CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(ALLOWED_HEADERS)
        .expose_headers(EXPOSED_HEADERS)
        .max_age(Duration::from_hours(1));
    tower::util::Either::Left(layer)
}

#[cfg(test)]
mod tests;
