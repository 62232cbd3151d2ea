//! The whole service in-process, on a database of its own: requests go to the router, without a socket, and every
//! answer is checked against the contract.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Request};
use serde_json::Value;
use stagegate::app::audit::transparency_log::Keys;
use stagegate::app::{App, Options, Reach};
use stagegate::clock::Clock;
use stagegate::domain::audit::signed_note::{KeyName, SignerKey};
use stagegate::http::auth::jwt;
use stagegate::http::input::body::budget::Size;
use stagegate::http::input::deadline::TimeLimits;
use stagegate::http::{AppState, HttpService, Mount, Settings, operator_router};
use stagegate::store::Pool;
use stagegate::{mcp, pages};
use tower::ServiceExt as _;

use super::contract;
use super::database::{TestDb, connect};
use super::waiting::PATIENCE;

/// A platform key of the test service.
pub const PLATFORM_KEY: &str = "platform-key-of-the-tests";
/// Another platform key of the test service.
pub const SECOND_PLATFORM_KEY: &str = "second-platform-key-of-the-tests";
/// The HS256 secret of its buyers' tokens.
pub const BUYER_SECRET: &str = "the secret of the buyers of the tests";

/// The origin by which browsers reach the test service.
pub const PUBLIC_ORIGIN: &str = "https://stagegate.test";

/// A running service.
pub struct Service {
    /// Its router.
    pub router: HttpService,
    /// Its use cases: what has no door yet, such as the timers.
    pub app: Arc<App>,
    /// Its clock, standing still.
    pub clock: Clock,
    /// Its database.
    pub db: TestDb,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, if it was JSON.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Service {
    /// A fresh one, in the year 2027. Its webhooks may go to this machine.
    pub async fn start() -> Self {
        Self::start_at(PUBLIC_ORIGIN).await
    }

    /// The same for browsers that reach it at this origin.
    pub async fn start_at(public_origin: &str) -> Self {
        Self::on(TestDb::new().await, public_origin).await
    }

    /// The same with other options.
    pub async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        Self::on_with(TestDb::new().await, change).await
    }

    /// The same on this database.
    pub async fn on(db: TestDb, public_origin: &str) -> Self {
        Self::on_with(db, |options| options.public_origin = Some(public_origin.to_owned())).await
    }

    async fn on_with(db: TestDb, change: impl FnOnce(&mut Options)) -> Self {
        let clock = Clock::fixed("2027-01-15T08:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().into());
        let mut options = Options { webhook_reach: Reach::Anywhere, ..with_keys(audit_keys()) };
        change(&mut options);
        let app = Arc::new(App::with_options(db.pool.clone(), clock.clone(), options));
        let router = router(&app).await;
        Self { router, app, clock, db }
    }

    /// The router of these use cases.
    pub async fn router_of(app: &Arc<App>) -> HttpService {
        router(app).await
    }

    /// Another replica on the same database.
    pub async fn replica(db: &TestDb, clock: &Clock) -> HttpService {
        router(&Arc::new(App::with_options(db.pool.clone(), clock.clone(), with_keys(audit_keys())))).await
    }

    /// Another replica on the same database, with these keys: its use cases and its router.
    pub async fn replica_with(&self, keys: Keys) -> (Arc<App>, HttpService) {
        let app = Arc::new(App::with_options(self.db.pool.clone(), self.clock.clone(), with_keys(keys)));
        let router = router(&app).await;
        (app, router)
    }

    /// The use cases of another replica on the same database, with these connections and other options.
    pub fn replica_on(&self, pool: Pool, change: impl FnOnce(&mut Options)) -> Arc<App> {
        let mut options = with_keys(audit_keys());
        change(&mut options);
        Arc::new(App::with_options(pool, self.clock.clone(), options))
    }

    /// A replica with this clock on the pool of a standby, with the keys of the test service and the
    /// tools, but no pages.
    pub async fn reader_on(pool: Pool, clock: &Clock) -> (Arc<App>, HttpService) {
        let app = Arc::new(App::with_options(pool, clock.clone(), with_keys(audit_keys())));
        let router = router_with(&app, mcp::mount()).await;
        (app, router)
    }

    /// Another replica on the same database, for a platform of one person.
    pub async fn replica_without_dual_control(&self) -> HttpService {
        let options = Options { dual_control: false, ..with_keys(audit_keys()) };
        router(&Arc::new(App::with_options(self.db.pool.clone(), self.clock.clone(), options))).await
    }

    /// Another replica on the same database, with this many connections.
    pub async fn wide_replica(&self, connections: u32) -> HttpService {
        let pool = connect(&self.db.owner, connections).await;
        router(&Arc::new(App::with_options(pool, self.clock.clone(), with_keys(audit_keys())))).await
    }

    /// Sends a request with a bearer credential (none if empty) and a JSON body (none if null).
    pub async fn call(&self, method: &str, path: &str, credential: &str, body: &Value) -> Answer {
        call(&self.router, method, path, credential, body).await
    }
}

/// A router of this replica whose streams show a sign of life this often.
pub async fn router_with_heartbeat(app: &Arc<App>, heartbeat: Duration) -> HttpService {
    let limits = TimeLimits { heartbeat, ..TimeLimits::default() };
    HttpService::new(AppState::new(Arc::clone(app), Settings { limits, ..settings() }).await.unwrap())
}

/// Routers of this replica that has so much room for bodies: that of callers, and that of operators.
pub async fn router_with_body_memory(app: &Arc<App>, body_memory: Size) -> (HttpService, axum::Router) {
    let state = AppState::new(Arc::clone(app), Settings { body_memory, ..settings() }).await.unwrap();
    (HttpService::new(state.clone()), operator_router(state))
}

/// The origin of the marketplace, whose pages may call the test service.
pub const MARKET_ORIGIN: &str = "http://market.example";

/// What checkpoints and receipts of the test service are signed with.
pub fn audit_signer() -> SignerKey {
    SignerKey::new(KeyName::parse("audit.example.com/stagegate").unwrap(), [42; 32])
}

fn audit_keys() -> Keys {
    Keys::new(Some(audit_signer()), vec![])
}

fn with_keys(audit_keys: Keys) -> Options {
    Options { audit_keys, public_origin: Some(PUBLIC_ORIGIN.to_owned()), ..Options::default() }
}

async fn router(app: &Arc<App>) -> HttpService {
    router_with(app, pages::mount().and(mcp::mount())).await
}

/// A router of this replica with these routes beside the API.
pub async fn router_with(app: &Arc<App>, mount: Mount) -> HttpService {
    let checked = settings().check().await.unwrap();
    HttpService::new(AppState::with_mount(Arc::clone(app), checked, mount))
}

fn settings() -> Settings {
    let buyers = jwt::Settings {
        secret: Some(BUYER_SECRET.into()),
        audience: Some("authenticated".into()),
        ..jwt::Settings::default()
    };
    let (platform_keys, cors_origins) =
        (vec![PLATFORM_KEY.into(), SECOND_PLATFORM_KEY.into()], vec![MARKET_ORIGIN.into()]);
    Settings { platform_keys, buyers, cors_origins, ..Settings::default() }
}

/// Sends a request to a router.
pub async fn call(router: &HttpService, method: &str, path: &str, credential: &str, body: &Value) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if !credential.is_empty() {
        request = request.header("authorization", format!("Bearer {credential}"));
    }
    let request = if body.is_null() {
        request.body(Body::empty())
    } else {
        request.header("content-type", "application/json").body(body.to_string().into())
    };
    send(router, request.unwrap()).await
}

/// Sends any request to a router; the answer must be one that the contract announces. A `Host` is added, as
/// HTTP/1.1 asks for one.
pub async fn send(router: &HttpService, request: Request<Body>) -> Answer {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let answer = send_unchecked(router, request).await;
    contract::check(&method, &path, &answer);
    answer
}

/// The same without a look at the contract: for large answers of kinds that other tests look at.
pub async fn send_unchecked(router: &HttpService, mut request: Request<Body>) -> Answer {
    request.headers_mut().entry("host").or_insert(HeaderValue::from_static("stagegate.test"));
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let response = tokio::time::timeout(PATIENCE, router.clone().oneshot(request)).await;
    let (head, body) = response.unwrap_or_else(|_| panic!("{method} {path} hangs")).unwrap().into_parts();
    let bytes = to_bytes(body, 100_000_000).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Answer { status: head.status.as_u16(), headers: head.headers, body, text }
}

/// A buyer's token that expires at `exp`.
pub fn buyer_token(buyer: &str, exp: i64) -> String {
    let claims = serde_json::json!({ "sub": buyer, "aud": "authenticated", "exp": exp, "session_id": "s-1" });
    let key = jsonwebtoken::EncodingKey::from_secret(BUYER_SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
}
