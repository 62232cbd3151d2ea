//! `stagegate serve`: checks the settings, opens the database, starts the workers, serves until a signal, and drains.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use stagegate::app::audit::transparency_log;
use stagegate::app::retention::Policy;
use stagegate::app::{App, Options, Reach};
use stagegate::archive::Archive;
use stagegate::clock::Clock;
use stagegate::config::{ClientLimits, Dev, Secret, Serve};
use stagegate::dev::player;
use stagegate::domain::audit::signed_note::{SignerKey, VerifierKey};
use stagegate::domain::values::cell::Cell;
use stagegate::http::auth::jwt;
use stagegate::http::input::deadline;
use stagegate::http::serve::listener;
use stagegate::http::serve::server::{self, Drained};
use stagegate::http::{self, AppState, Mount};
use stagegate::mcp;
use stagegate::pages;
use stagegate::store::db::{cell, connect};
use stagegate::store::{Limits, Pool};
use stagegate::telemetry::traces::Traces;
use stagegate::trial;
use stagegate::worker::checkpoints::{self, Checkpoints};
use stagegate::worker::clocks::{self, Clocks};
use stagegate::worker::deliveries::{self, Deliveries};
use stagegate::worker::erasures::{self, Erasures};
use stagegate::worker::links::{self, Links};
use stagegate::worker::monitor::{self, Monitor};
use stagegate::worker::retention::{self, Retention};
use stagegate::worker::supervisor::Supervisor;
use stagegate::worker::timers::{self, Timers};
use stagegate::worker::watchers::Watchers;

use self::development::Development;
use crate::{DATABASE, Failure, Opened, Source, Stop, on_signal, open, requested};

mod development;

/// Runs the service until it is asked to stop.
pub async fn serve(settings: Serve, traces: &Traces) -> Result<ExitCode, Failure> {
    run(settings, None, traces).await
}

/// Runs the service for development until it is asked to stop.
pub async fn develop(settings: Dev, traces: &Traces) -> Result<ExitCode, Failure> {
    let development = Development::prepare(&settings)?;
    run(settings.serve, Some(development), traces).await
}

async fn run(settings: Serve, dev: Option<Development>, traces: &Traces) -> Result<ExitCode, Failure> {
    small_pages();
    let stop = on_signal()?;
    // Validate before starting anything, so that likely mistakes are reported first. Connections
    // queue in the listeners until the service is ready.
    let checked = Checked::of(&settings).await?;
    let listeners = Listeners::bind(&settings)?;
    let name = dev.as_ref().map_or(DATABASE, |_| development::DATABASE);
    let opened = tokio::select! {
        opened = open(checked.source, &settings.database, name) => opened?,
        _ = requested(stop.clone()) => return Ok(ExitCode::SUCCESS),
    };
    let emptied = match &dev {
        Some(dev) => dev.empty(&opened).await,
        None => Ok(()),
    };
    let served = match emptied {
        Ok(()) => {
            serve_on(listeners, (&settings, dev), (&opened, (checked.audit_keys, checked.http)), (stop, traces)).await
        }
        Err(failure) => Err(failure),
    };
    opened.close().await;
    served
}

/// Settings that were validated as far as possible before anything is started.
struct Checked {
    source: Source,
    audit_keys: (Option<SignerKey>, Vec<VerifierKey>),
    http: http::Checked,
}

impl Checked {
    /// Validates the settings; errors name the setting.
    async fn of(settings: &Serve) -> Result<Self, Failure> {
        settings.check()?;
        retention_policy(settings)?;
        let source = Source::of(&settings.database)?;
        let audit_keys = audit_keys(settings)?;
        Ok(Self { source, audit_keys, http: http_settings(settings).check().await? })
    }
}

/// The sockets that the service listens on.
struct Listeners {
    callers: TcpListener,
    operators: Option<TcpListener>,
}

impl Listeners {
    fn bind(settings: &Serve) -> Result<Self, Failure> {
        let bind = |address| listener::bind(address).map_err(|error| format!("{address}: {error}"));
        let callers = bind(settings.listen)?;
        let operators = settings.metrics_listen().map(bind).transpose()?;
        if let Some(allowed) = listener::shorter_queue() {
            tracing::warn!(
                allowed,
                wanted = listener::BACKLOG,
                "the system limits the accept queue (net.core.somaxconn): if many clients connect at once, some wait a second or more"
            );
        }
        Ok(Self { callers, operators })
    }
}

/// Disables huge pages. Idle connections hold small, rarely used allocations; huge pages would keep
/// the memory between them resident and take half as much again.
fn small_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "cannot disable huge pages; the service uses more memory than necessary");
    }
}

/// The checked keys and settings that the service is made of.
type Parts = ((Option<SignerKey>, Vec<VerifierKey>), http::Checked);

/// The service with its workers, before it is served.
struct Assembled {
    app: Arc<App>,
    state: AppState,
    workers: Supervisor,
    trial: Option<trial::Credentials>,
}

/// Puts the service together and starts its workers.
async fn assemble(
    (pool, cell): (Pool, Cell),
    (settings, dev): (&Serve, Option<&Development>),
    (audit_keys, mut checked): Parts,
    (listeners, is_trial): (&Listeners, bool),
) -> Result<Assembled, Failure> {
    let home = dev.map_or_else(|| settings.database.data_dir(), |dev| dev.folder().to_owned());
    if !is_trial {
        check_audit_name(&cell, audit_keys.0.as_ref())?;
    }
    let audit_keys = open_audit_keys(audit_keys, is_trial.then_some(&*home))?;
    let mut options = app_options(settings, audit_keys, public_origin(settings, listeners, is_trial)?);
    options.cell = cell;
    options.retention = retention_policy(settings)?;
    if let Some(dev) = dev {
        // Receivers of developers are on their own machines.
        options.webhook_reach = Reach::Anywhere;
        options.webhook_wire = Some(dev.wire.clone());
    }
    let clock = dev.map_or_else(Clock::system, |dev| dev.clock.clone());
    let app = Arc::new(App::with_options(pool, clock, options));
    let trial = if is_trial { Some(trial::prepare(&app, &home).await?) } else { None };
    if let Some(trial) = &trial {
        checked.admit(trial.platform_key().expose(), trial.buyer_jwt_secret().expose())?;
    }
    let has_pages = settings.pages && app.links.public_origin().is_some();
    let mut mount = if has_pages { pages::mount() } else { Mount::default() }.and(mcp::mount());
    let deliveries = settings.webhooks.deliveries.then(|| Arc::new(Deliveries::new(Arc::clone(&app))));
    let dev = dev.map(|dev| dev.player(&app, deliveries.clone()));
    if let Some(dev) = &dev {
        mount = mount.and(stagegate::dev::routes::mount(dev));
    }
    let state = AppState::with_mount(Arc::clone(&app), checked, mount);
    let workers = start_workers(settings, (&app, &state), deliveries, dev);
    Ok(Assembled { app, state, workers, trial })
}

async fn serve_on(
    listeners: Listeners,
    (settings, dev): (&Serve, Option<Development>),
    (database, parts): (&Opened, Parts),
    (stop, traces): (watch::Receiver<Option<Stop>>, &Traces),
) -> Result<ExitCode, Failure> {
    let is_trial = database.postgres.is_some() || dev.is_some();
    let prepared = async {
        if settings.migrate {
            connect::migrate_cell(database.direct(), settings.cell.name(), false).await?;
        }
        let pool = database.address(settings).connect(settings.pool_size, Limits::default()).await?;
        let cell = cell::find(&pool, settings.cell.name()).await?;
        Ok::<_, connect::Error>((pool, cell))
    };
    let (pool, cell) = tokio::select! {
        prepared = prepared => prepared?,
        _ = requested(stop.clone()) => return Ok(ExitCode::SUCCESS),
    };
    let assembled = assemble((pool, cell), (settings, dev.as_ref()), parts, (&listeners, is_trial)).await?;
    let Assembled { app, state, workers, trial } = assembled;
    state.metrics.register(|registry| traces.register(registry));
    let surface = http::HttpService::new(state.clone());
    announce(&listeners, trial.as_ref().filter(|_| dev.is_none()))?;
    let listening_at = format!("http://{}", reachable(listeners.callers.local_addr()?));
    let operators = Operators::serve(listeners.operators, &state, &settings.limits);
    let (deadline, failed) = (OnceLock::new(), OnceLock::new());
    let shutdown = async {
        let signal = tokio::select! {
            signal = requested(stop) => signal,
            failure = welcome(dev.as_ref().zip(trial.as_ref()), &listening_at) => {
                let _ = failed.set(failure);
                Stop::Interrupt
            }
        };
        app.shutdown.leave();
        let delay = settings.limits.drain_delay(is_trial);
        if signal == Stop::Terminate && !delay.is_zero() {
            tracing::info!(seconds = delay.as_secs_f64(), "not ready any more; requests are still accepted");
            tokio::time::sleep(delay).await;
        }
        app.drain();
        tracing::info!("stopping; running requests are finished");
        let _ = deadline.set(Instant::now() + settings.limits.drain_timeout);
    };
    let drained = tokio::select! {
        drained = server::serve(listeners.callers, surface, connection_limits(&settings.limits), shutdown) => drained,
        () = database.keep_running() => unreachable!("it runs until it is dropped"),
    };
    // Requests and workers share the drain timeout.
    let deadline = deadline.get().copied().unwrap_or_else(Instant::now);
    if tokio::time::timeout_at(deadline, workers.join()).await.is_err() {
        tracing::warn!(
            "a timer, an erasure, a delivery, a checkpoint or a notification took longer than the drain timeout"
        );
    }
    operators.end().await;
    app.close().await;
    match drained {
        Drained::Clean => tracing::info!("stopped"),
        Drained::CutOff => tracing::warn!("stopped; some requests took longer than the drain timeout"),
    }
    failed.into_inner().map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Welcomes the developer, through the service itself. Returns only if that fails.
async fn welcome(dev: Option<(&Development, &trial::Credentials)>, url: &str) -> Failure {
    let welcomed = match dev {
        // Boxed, so that a service in production reserves no memory for it.
        Some((dev, trial)) => Box::pin(dev.welcome(trial, url)).await,
        None => Ok(()),
    };
    match welcomed {
        Ok(()) => std::future::pending().await,
        Err(failure) => failure,
    }
}

/// Prints the addresses once nothing can prevent the service from starting.
fn announce(listeners: &Listeners, trial: Option<&trial::Credentials>) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    let address = listeners.callers.local_addr()?;
    if let Some(operators) = &listeners.operators {
        writeln!(out, "stagegate shows metrics at http://{}{}", operators.local_addr()?, http::serve::metrics::PATH)?;
    }
    writeln!(out, "stagegate {} listens on http://{address}", env!("CARGO_PKG_VERSION"))?;
    if let Some(trial) = trial {
        trial.announce(&mut out, address)?;
    }
    Ok(out.flush()?)
}

/// The listener for operators, if there is one. It stays open until the last request of callers is
/// done.
struct Operators(Option<(oneshot::Sender<()>, JoinHandle<Drained>)>);

/// Limits of the operators' listener: concurrent connections, and drain timeout.
const OPERATORS: (usize, Duration) = (64, Duration::from_secs(1));

impl Operators {
    fn serve(listener: Option<TcpListener>, state: &AppState, limits: &ClientLimits) -> Self {
        let (max_connections, drain_timeout) = OPERATORS;
        let limits = server::ConnectionLimits { max_connections, drain_timeout, ..connection_limits(limits) };
        Self(listener.map(|listener| {
            let (end, ended) = oneshot::channel();
            let router = http::operator_router(state.clone());
            let serving = server::serve(listener, router, limits, async { drop(ended.await) });
            (end, tokio::spawn(serving))
        }))
    }

    async fn end(self) {
        if let Some((end, serving)) = self.0 {
            drop(end);
            // It has a drain timeout of its own, and its outcome does not matter.
            let _ = serving.await;
        }
    }
}

/// Starts the background workers, which end when the app drains.
fn start_workers(
    settings: &Serve,
    (app, state): (&Arc<App>, &AppState),
    deliveries: Option<Arc<Deliveries>>,
    dev: Option<Arc<stagegate::dev::Dev>>,
) -> Supervisor {
    let mut supervisor = Supervisor::new(Arc::clone(app));
    state.metrics.register(|registry| supervisor.register(registry));
    let watchers = Watchers::new(Arc::clone(app));
    state.metrics.register(|registry| watchers.register(registry));
    watchers.spawn(&mut supervisor);
    macro_rules! start {
        ($module:ident, $worker:expr) => {
            start!(shared $module, Arc::new($worker));
        };
        (shared $module:ident, $worker:expr) => {
            let worker = $worker;
            state.metrics.register(|registry| worker.register(registry));
            let run = move || {
                let worker = Arc::clone(&worker);
                async move { worker.run().await }
            };
            supervisor.spawn($module::NAME, $module::BOUND, run);
        };
    }
    start!(clocks, Clocks::new(Arc::clone(app)));
    start!(monitor, Monitor::new(Arc::clone(app)));
    if let Some(dev) = dev {
        // It runs the timers, and has no bound: a move of the clock may take long.
        supervisor.spawn(player::NAME, None, move || {
            let dev = Arc::clone(&dev);
            async move { dev.player.run().await }
        });
    } else if settings.timers {
        start!(timers, Timers::new(Arc::clone(app)));
    }
    if settings.timers {
        start!(erasures, Erasures::new(Arc::clone(app)));
        start!(links, Links::new(Arc::clone(app)));
    }
    let worker = Arc::new(Retention::new(Arc::clone(app)));
    state.metrics.register(|registry| worker.register(registry));
    if app.retention.is_some() {
        supervisor.spawn(retention::NAME, retention::BOUND, move || {
            let worker = Arc::clone(&worker);
            async move { worker.run().await }
        });
    }
    if let Some(worker) = deliveries {
        start!(shared deliveries, worker);
    }
    if app.audit.log.require_key().is_ok() && !settings.read_only {
        start!(checkpoints, Checkpoints::new(Arc::clone(app)));
    }
    supervisor
}

/// Parses the configured keys of checkpoints and receipts: the signing key and the earlier public
/// keys.
fn audit_keys(settings: &Serve) -> Result<(Option<SignerKey>, Vec<VerifierKey>), Failure> {
    let configured = &settings.audit_keys;
    let signer = configured.audit_key().map(|key| SignerKey::parse(key.expose()));
    let signer = signer.transpose().map_err(|error| format!("STAGEGATE_AUDIT_KEY {error}"))?;
    let old = configured
        .audit_old_keys()
        .map(|key| VerifierKey::parse(key).map_err(|error| format!("STAGEGATE_AUDIT_OLD_KEYS: `{key}` {error}")));
    Ok((signer, old.collect::<Result<_, _>>()?))
}

/// Checks that the name of the log names the cell, so that two cells never sign as one log. A cell
/// that was in use before it had a name may keep the name of its log.
fn check_audit_name(cell: &Cell, signer: Option<&SignerKey>) -> Result<(), Failure> {
    let (Some(cell), Some(signer)) = (cell.name().filter(|_| cell.check(None).is_err()), signer) else { return Ok(()) };
    let name = signer.verifier().name();
    if name.as_str().ends_with(&format!("/{cell}")) {
        return Ok(());
    }
    Err(format!(
        "STAGEGATE_AUDIT_KEY: the name of the key, `{name}`, must end with `/{cell}`, the name of the cell: \
         each cell has a log and a key of its own; `stagegate keys --new --cell {cell}` makes one"
    )
    .into())
}

/// Prepares the keys; a trial without a configured key creates one in its folder.
fn open_audit_keys(
    (signer, old): (Option<SignerKey>, Vec<VerifierKey>),
    trial: Option<&Path>,
) -> Result<transparency_log::Keys, Failure> {
    let signer = match (signer, trial) {
        (None, Some(folder)) => Some(trial::audit_key(folder)?),
        (signer, _) => signer,
    };
    if signer.is_none() {
        tracing::warn!(
            "no STAGEGATE_AUDIT_KEY: checkpoints and receipts are disabled; `stagegate keys --new` creates a key"
        );
    }
    Ok(transparency_log::Keys::new(signer, old))
}

/// The origin by which browsers reach the service. In a trial it is the address that it listens on,
/// or this machine if it listens on every address.
fn public_origin(settings: &Serve, listeners: &Listeners, is_trial: bool) -> Result<Option<String>, Failure> {
    if let Some(url) = settings.public_url() {
        return Ok(Some(url.origin().to_owned()));
    }
    if !is_trial {
        return Ok(None);
    }
    Ok(Some(format!("http://{}", reachable(listeners.callers.local_addr()?))))
}

/// The address under which this machine reaches the listener.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    address
}

fn app_options(settings: &Serve, audit_keys: transparency_log::Keys, public_origin: Option<String>) -> Options {
    let allow_private = settings.webhooks.webhook_allow_private;
    Options {
        audit_keys,
        public_origin,
        dual_control: settings.dual_control,
        max_watchers: settings.limits.max_watchers,
        max_watchers_each: settings.limits.max_watchers_each,
        webhook_reach: if allow_private { Reach::Anywhere } else { Reach::PublicOnly },
        ..Options::default()
    }
}

/// When and where closed tasks are put away.
fn retention_policy(settings: &Serve) -> Result<Option<Policy>, Failure> {
    let Some((days, dir)) = settings.retention.policy() else { return Ok(None) };
    let archive = Archive::open(dir).map_err(|error| format!("STAGEGATE_ARCHIVE_DIR: {}: {error}", dir.display()))?;
    Ok(Some(Policy { period: TimeDelta::days(days.into()), archive }))
}

fn http_settings(settings: &Serve) -> http::Settings {
    let (text, credentials) = (|secret: &Secret| secret.expose().to_owned(), &settings.credentials);
    http::Settings {
        platform_keys: credentials.platform_keys().map(text).collect(),
        buyers: jwt::Settings {
            secret: credentials.buyer_jwt_secret().map(text),
            jwks: credentials.buyer_jwks().map(str::to_owned),
            audience: credentials.buyer_jwt_audience().map(str::to_owned),
            issuer: credentials.buyer_jwt_issuer().map(str::to_owned),
        },
        cors_origins: settings.cors_origins.iter().filter(|origin| !origin.is_empty()).cloned().collect(),
        limits: deadline::TimeLimits {
            request: settings.limits.request_timeout,
            body: settings.limits.body_timeout,
            ..deadline::TimeLimits::default()
        },
        body_memory: http::input::body::budget::Size(settings.limits.body_memory << 20),
    }
}

fn connection_limits(limits: &ClientLimits) -> server::ConnectionLimits {
    server::ConnectionLimits {
        max_connections: limits.max_connections,
        header_timeout: limits.header_timeout,
        drain_timeout: limits.drain_timeout,
    }
}
