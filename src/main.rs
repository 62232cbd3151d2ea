//! The program: command line → configuration → telemetry → database → serve → drain.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::Parser as _;
use sqlx::postgres::PgConnectOptions;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use stagegate::app::audit::transparency_log;
use stagegate::app::{App, Reach};
use stagegate::clock::Clock;
use stagegate::config::{
    Audit, Cli, Command, Database, Db, Demo, Keys, Limits, Migrate, Openapi, Secret, Serve, Workflow,
};
use stagegate::domain::audit::note::{KeyName, SignerKey, VerifierKey};
use stagegate::embedded::{self, Postgres};
use stagegate::http::auth::jwt;
use stagegate::http::serve::server::{self, Drained};
use stagegate::http::serve::{listener, middleware};
use stagegate::http::{self, AppState, openapi};
use stagegate::store::db::{connect, horizon};
use stagegate::worker::checkpoints::{self, Checkpoints};
use stagegate::worker::clocks::{self, Clocks};
use stagegate::worker::deliveries::{self, Deliveries};
use stagegate::worker::erasures::{self, Erasures};
use stagegate::worker::monitor::{self, Monitor};
use stagegate::worker::supervisor::Supervisor;
use stagegate::worker::timers::{self, Timers};
use stagegate::worker::watchers::Watchers;
use stagegate::{check, demo, ids, telemetry, terminal, trial};

/// mimalloc: decisions make many small allocations, and with it they take a sixth less CPU time.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Name of the service's database in the private Postgres.
const DATABASE: &str = "stagegate";

/// Time for the private Postgres to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// An error for the person at the terminal.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(code) => code,
        Err(failure) => {
            complain(failure.as_ref());
            ExitCode::FAILURE
        }
    }
}

/// Prints an error. Errors can quote untrusted file names and contents, so each line is escaped.
fn complain(failure: &dyn Error) {
    for line in format!("stagegate: {}", with_causes(failure)).lines() {
        let _ = terminal::line(&mut std::io::stderr(), format_args!("{line}"));
    }
}

/// An unreadable file has an exit code of its own, because it was not found invalid.
fn unreadable(failure: &std::io::Error) -> ExitCode {
    complain(failure);
    check::Verdict::Unreadable.into()
}

fn start(cli: Cli) -> Result<ExitCode, Failure> {
    telemetry::init(&cli.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(run(cli.command));
    // Do not wait for blocking tasks: a DNS lookup without a response would delay the exit.
    runtime.shutdown_background();
    ended
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(settings) => serve(*settings).await,
        Command::Migrate(settings) => migrate(&settings).await,
        Command::Keys(settings) => keys(&settings),
        Command::Db(Db::Fetch { database }) => fetch(&database).await,
        Command::Db(Db::Scratch { migrations, database, run }) => scratch(migrations.as_deref(), &database, &run).await,
        Command::Openapi(settings) => print_contract(settings),
        Command::Workflow(Workflow::Check { file }) => {
            Ok(check::workflow(&check::read(&file)?, &mut std::io::stdout())?.into())
        }
        Command::Audit(Audit::Verify { file, keys, checkpoints, consistency }) => {
            let with = check::With { keys, checkpoints, consistency };
            let verified = with.load().and_then(|trusted| check::verify(&file, &trusted, &mut std::io::stdout()));
            Ok(verified.map_or_else(|failure| unreadable(&failure), ExitCode::from))
        }
        Command::Audit(Audit::Fields) => {
            check::fields(&mut std::io::stdout())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Demo(settings) => play(&settings).await,
    }
}

async fn serve(settings: Serve) -> Result<ExitCode, Failure> {
    small_pages();
    let stop = on_signal()?;
    // Validate before starting anything, so that likely mistakes are reported first. Connections
    // queue in the listeners until the service is ready.
    let checked = Checked::of(&settings).await?;
    let listeners = Listeners::bind(&settings)?;
    let opened = tokio::select! {
        opened = open(checked.source, &settings.database) => opened?,
        _ = requested(stop.clone()) => return Ok(ExitCode::SUCCESS),
    };
    let served = serve_on(listeners, &settings, (&opened, checked.audit_keys, checked.http), stop).await;
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

async fn serve_on(
    listeners: Listeners,
    settings: &Serve,
    (database, audit_keys, mut checked): (&Opened, (Option<SignerKey>, Vec<VerifierKey>), http::Checked),
    stop: watch::Receiver<Option<Stop>>,
) -> Result<ExitCode, Failure> {
    let is_trial = database.postgres.is_some();
    let audit_keys = open_audit_keys(audit_keys, is_trial, &settings.database)?;
    let prepared = async {
        if settings.migrate {
            connect::migrate(&database.options).await?;
        }
        connect::connect(&database.options, settings.pool_size).await
    };
    let pool = tokio::select! {
        pool = prepared => pool?,
        _ = requested(stop.clone()) => return Ok(ExitCode::SUCCESS),
    };
    let app = App::new(pool, Clock::system()).with_audit_keys(audit_keys);
    let reach = if settings.webhooks.webhook_allow_private { Reach::Anywhere } else { Reach::PublicOnly };
    let limits = settings.limits;
    let app = app.with_max_watchers(limits.max_watchers, limits.max_watchers_each);
    let app = Arc::new(app.with_webhook_reach(reach));
    let trial = if is_trial { Some(trial::prepare(&app, &settings.database.data_dir()).await?) } else { None };
    if let Some(trial) = &trial {
        checked.admit(trial.platform_key().expose(), trial.buyer_jwt_secret().expose())?;
    }
    let state = AppState::of(Arc::clone(&app), checked);
    let workers = start_workers(settings, &app, &state);
    announce(&listeners, trial.as_ref())?;
    let operators = Operators::serve(listeners.operators, &state, &settings.limits);
    let surface = http::HttpService::new(state);
    let deadline = OnceLock::new();
    let shutdown = async {
        let signal = requested(stop).await;
        app.leave();
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
    Ok(ExitCode::SUCCESS)
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
    fn serve(listener: Option<TcpListener>, state: &AppState, limits: &Limits) -> Self {
        let (max_connections, drain_timeout) = OPERATORS;
        let limits = server::Limits { max_connections, drain_timeout, ..connection_limits(limits) };
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
fn start_workers(settings: &Serve, app: &Arc<App>, state: &AppState) -> Supervisor {
    let mut supervisor = Supervisor::new(Arc::clone(app));
    state.metrics.register(|registry| supervisor.register(registry));
    let watchers = Watchers::new(Arc::clone(app));
    state.metrics.register(|registry| watchers.register(registry));
    watchers.spawn(&mut supervisor);
    macro_rules! start {
        ($module:ident, $worker:expr) => {
            let worker = Arc::new($worker);
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
    if settings.timers {
        start!(timers, Timers::new(Arc::clone(app)));
        start!(erasures, Erasures::new(Arc::clone(app)));
    }
    if settings.webhooks.deliveries {
        start!(deliveries, Deliveries::new(Arc::clone(app)));
    }
    if transparency_log::require_key(app).is_ok() {
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

/// Prepares the keys; a trial without a configured key creates one.
fn open_audit_keys(
    (signer, old): (Option<SignerKey>, Vec<VerifierKey>),
    is_trial: bool,
    database: &Database,
) -> Result<transparency_log::Keys, Failure> {
    let signer = match signer {
        None if is_trial => Some(trial::audit_key(&database.data_dir())?),
        signer => signer,
    };
    if signer.is_none() {
        tracing::warn!(
            "no STAGEGATE_AUDIT_KEY: checkpoints and receipts are disabled; `stagegate keys --new` creates a key"
        );
    }
    Ok(transparency_log::Keys::new(signer, old))
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
        limits: middleware::Limits {
            request: settings.limits.request_timeout,
            body: settings.limits.body_timeout,
            ..middleware::Limits::default()
        },
        body_memory: http::input::body::budget::Size(settings.limits.body_memory << 20),
    }
}

fn connection_limits(limits: &Limits) -> server::Limits {
    server::Limits {
        max_connections: limits.max_connections,
        header_timeout: limits.header_timeout,
        drain_timeout: limits.drain_timeout,
    }
}

/// The database, and the private Postgres if this process uses one.
struct Opened {
    options: PgConnectOptions,
    postgres: Option<Postgres>,
}

/// The database that the settings name.
enum Source {
    Server(Box<PgConnectOptions>),
    Private,
}

impl Source {
    fn of(database: &Database) -> Result<Self, Failure> {
        match database.url() {
            Some(url) => Ok(Self::Server(Box::new(connect::parse_url(url.expose())?))),
            None if database.may_be_private() => Ok(Self::Private),
            None => Err("DATABASE_URL is required here: postgres://user:password@host/database".into()),
        }
    }
}

async fn open(source: Source, database: &Database) -> Result<Opened, Failure> {
    if let Source::Server(options) = source {
        return Ok(Opened { options: *options, postgres: None });
    }
    let postgres = Postgres::start(&database.embedded(), DATABASE).await?;
    tracing::info!(
        version = postgres.major(),
        binaries = %postgres.bin_dir().display(),
        data = %postgres.data_dir().display(),
        "{} private Postgres; in production, set DATABASE_URL",
        if postgres.adopted() { "found a running" } else { "started a" },
    );
    Ok(Opened { options: postgres.connect_options(DATABASE), postgres: Some(postgres) })
}

impl Opened {
    async fn keep_running(&self) {
        match &self.postgres {
            Some(postgres) => postgres.keep_running().await,
            None => std::future::pending().await,
        }
    }

    async fn close(self) {
        let Some(postgres) = self.postgres else { return };
        let Ok(stopped) = tokio::time::timeout(STOP_TIMEOUT, postgres.stop()).await else {
            return tracing::error!("the private Postgres did not stop in time");
        };
        match stopped {
            Ok(true) => tracing::info!("stopped the private Postgres"),
            Ok(false) => tracing::info!("the private Postgres keeps running for its other users"),
            Err(error) => tracing::error!(error = with_causes(&error), "the private Postgres did not stop"),
        }
    }
}

async fn migrate(settings: &Migrate) -> Result<ExitCode, Failure> {
    let opened = open(Source::of(&settings.database)?, &settings.database).await?;
    let migrated = migrate_opened(&opened.options, settings.restored).await;
    opened.close().await;
    migrated?;
    tracing::info!("the database is up to date");
    Ok(ExitCode::SUCCESS)
}

async fn migrate_opened(options: &PgConnectOptions, restored: bool) -> Result<(), connect::Error> {
    connect::migrate(options).await?;
    if restored {
        let epoch = horizon::begin_epoch(options, Clock::system().now()).await?;
        tracing::info!(epoch, "started a new epoch for the restored database");
    }
    Ok(())
}

fn keys(settings: &Keys) -> Result<ExitCode, Failure> {
    let mut out = std::io::stdout();
    if settings.new {
        let name = KeyName::parse(&settings.audit_name).map_err(|error| format!("--audit-name: {error}"))?;
        writeln!(out, "STAGEGATE_PLATFORM_KEYS={}", trial::new_platform_key())?;
        writeln!(out, "STAGEGATE_BUYER_JWT_SECRET={}", trial::new_jwt_secret())?;
        let key = SignerKey::new(name, ids::random());
        // Quoted, because a name may contain characters that are special in a shell.
        writeln!(out, "STAGEGATE_AUDIT_KEY='{}'", key.reveal().replace('\'', r"'\''"))?;
        return Ok(ExitCode::SUCCESS);
    }
    trial_credentials(&settings.database, "; --new creates production keys")?.print(&mut out)?;
    Ok(ExitCode::SUCCESS)
}

fn trial_credentials(database: &Database, otherwise: &str) -> Result<trial::Credentials, Failure> {
    let data_dir = database.data_dir();
    let none = || {
        let place = data_dir.display();
        format!("no trial in {place}: `stagegate serve` without DATABASE_URL starts one{otherwise}")
    };
    Ok(trial::Credentials::load(&data_dir)?.ok_or_else(none)?)
}

async fn play(settings: &Demo) -> Result<ExitCode, Failure> {
    let credentials = trial_credentials(&settings.database, "")?;
    demo::play(&settings.url, &credentials, &mut std::io::stdout()).await?;
    Ok(ExitCode::SUCCESS)
}

fn print_contract(settings: Openapi) -> Result<ExitCode, Failure> {
    let document = openapi::document();
    let text = if settings.json { document.to_pretty_json()? + "\n" } else { document.to_yaml()? };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

async fn fetch(database: &Database) -> Result<ExitCode, Failure> {
    let dir = embedded::fetch(&database.data_dir()).await?;
    writeln!(std::io::stdout(), "{}", dir.display())?;
    Ok(ExitCode::SUCCESS)
}

async fn scratch(migrations: Option<&Path>, database: &Database, run: &[String]) -> Result<ExitCode, Failure> {
    let name = format!("stagegate-scratch_{}", hex::encode(ids::random::<6>()));
    let options = embedded::Options {
        data_dir: std::env::temp_dir().join(name),
        durable: false,
        ends_with_process: true,
        ..database.embedded()
    };
    let postgres = Postgres::start(&options, DATABASE).await?;
    match migrations {
        Some(folder) => connect::migrate_from(folder, &postgres.connect_options(DATABASE)).await?,
        None => connect::migrate(&postgres.connect_options(DATABASE)).await?,
    }
    let (program, arguments) = run.split_first().ok_or("no command")?;
    let mut command = tokio::process::Command::new(program);
    let status = command.args(arguments).env("DATABASE_URL", postgres.url(DATABASE)).status().await;
    postgres.stop().await?;
    let status = status.map_err(|error| format!("{program}: {error}"))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// How the service was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// SIGTERM, from a supervisor: callers may still send requests for a moment.
    Terminate,
    /// SIGINT, from a person at a terminal who does not want to wait.
    Interrupt,
}

/// Reports stop signals; a second signal ends the process at once.
fn on_signal() -> Result<watch::Receiver<Option<Stop>>, Failure> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            let stop = tokio::select! {
                _ = terminate.recv() => Stop::Terminate,
                _ = interrupt.recv() => Stop::Interrupt,
            };
            if sender.send_replace(Some(stop)).is_some() {
                tracing::warn!("received a second signal; exiting at once");
                std::process::exit(130);
            }
        }
    });
    Ok(receiver)
}

async fn requested(mut stop: watch::Receiver<Option<Stop>>) -> Stop {
    // The sender lives as long as the process.
    let asked = stop.wait_for(Option::is_some).await.ok().and_then(|stop| *stop);
    asked.unwrap_or(Stop::Interrupt)
}

/// The error and its causes in one line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
