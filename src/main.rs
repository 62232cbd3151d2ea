//! Command line → configuration → telemetry → database → serve → drain.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use sqlx::postgres::PgConnectOptions;
use stagegate::app::{App, Reach, log};
use stagegate::clock::Clock;
use stagegate::config::{
    Audit, Cli, Command, Credentials, Database, Db, Demo, Keys, Limits, Migrate, Openapi, Secret, Serve, Workflow,
};
use stagegate::domain::audit::note::{KeyName, SignerKey, VerifierKey};
use stagegate::embedded::{self, Postgres};
use stagegate::http::server::{self, Drained};
use stagegate::http::{self, AppState, jwt, middleware, openapi};
use stagegate::store::{horizon, pool};
use stagegate::worker::checkpoints::Checkpoints;
use stagegate::worker::deliveries::Deliveries;
use stagegate::worker::erasures::Erasures;
use stagegate::worker::timers::Timers;
use stagegate::worker::watchers::Watchers;
use stagegate::{check, demo, ids, telemetry, trial};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Decisions are many small allocations: with this one they take a sixth less of the service's processor time.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The database that the service has in the private Postgres.
const DATABASE: &str = "stagegate";

/// What went wrong, for the person at the terminal.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("stagegate: {}", with_causes(failure.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> Result<ExitCode, Failure> {
    telemetry::init(&cli.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(cli.command))
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
            let trusted = check::With { keys, checkpoints, consistency }.load()?;
            Ok(check::verify(&file, &trusted, &mut std::io::stdout())?.into())
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
    // First, since a taken address is the likeliest mistake; connections queue until the service is up.
    let listener = TcpListener::bind(settings.listen).await.map_err(|error| format!("{}: {error}", settings.listen))?;
    let opened = tokio::select! {
        opened = open(&settings.database) => opened?,
        () = requested(stop.clone()) => return Ok(ExitCode::SUCCESS),
    };
    let served = serve_on(listener, &settings, &opened, stop).await;
    opened.close().await;
    served
}

/// What an idle connection holds is small and seldom touched. On huge pages all that lies between would be resident too, half as much again.
fn small_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages stay on: the service takes more memory than it could");
    }
}

async fn serve_on(
    listener: TcpListener,
    settings: &Serve,
    database: &Opened,
    stop: watch::Receiver<bool>,
) -> Result<ExitCode, Failure> {
    let audit_keys = audit_keys(settings, database.postgres.is_some())?;
    if settings.migrate {
        pool::migrate(&database.options).await?;
    }
    let pool = pool::connect(&database.options, settings.pool_size).await?;
    let app = App::new(pool, Clock::system()).with_audit_keys(audit_keys);
    let reach = if settings.webhooks.webhook_allow_private { Reach::Anywhere } else { Reach::PublicOnly };
    let limits = settings.limits;
    let app = app.with_max_watchers(limits.max_watchers, limits.max_watchers_each);
    let app = Arc::new(app.with_webhook_reach(reach));
    let address = listener.local_addr()?;
    let mut out = std::io::stdout();
    writeln!(out, "stagegate {} listens on http://{address}", env!("CARGO_PKG_VERSION"))?;
    let mut credentials = settings.credentials.clone();
    if database.postgres.is_some() {
        let trial = trial::prepare(&app, &settings.database.data_dir()).await?;
        credentials.admit(trial.platform_key(), trial.buyer_jwt_secret());
        trial.announce(&mut out, address)?;
    }
    out.flush()?;

    let state = AppState::new(Arc::clone(&app), http_settings(settings, &credentials)).await?;
    let workers = start_workers(settings, &app, &state);
    let surface = http::Surface::new(state);
    let shutdown = async {
        requested(stop).await;
        app.drain();
        tracing::info!("stopping: finishing what runs");
        tokio::time::sleep(settings.limits.drain_delay).await;
    };
    let drained = tokio::select! {
        drained = server::serve(listener, surface, connection_limits(&settings.limits), shutdown) => drained,
        () = database.keep_running() => unreachable!("it watches until it is dropped"),
    };
    if tokio::time::timeout(settings.limits.drain_timeout, workers.join_all()).await.is_err() {
        tracing::warn!(
            "a timer, an erasure, a delivery, a checkpoint or a notification took longer than the drain time-out"
        );
    }
    app.close().await;
    match drained {
        Drained::Clean => tracing::info!("stopped"),
        Drained::CutOff => tracing::warn!("stopped; some requests took longer than the drain time-out"),
    }
    Ok(ExitCode::SUCCESS)
}

/// They end by themselves once the app drains.
fn start_workers(settings: &Serve, app: &Arc<App>, state: &AppState) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    let watchers = Watchers::new(Arc::clone(app));
    state.metrics.register(|registry| watchers.register(registry));
    workers.spawn(async move { watchers.run().await });
    if settings.timers {
        let timers = Timers::new(Arc::clone(app));
        state.metrics.register(|registry| timers.register(registry));
        workers.spawn(async move { timers.run().await });
        let erasures = Erasures::new(Arc::clone(app));
        state.metrics.register(|registry| erasures.register(registry));
        workers.spawn(async move { erasures.run().await });
    }
    if settings.webhooks.deliveries {
        let deliveries = Deliveries::new(Arc::clone(app));
        state.metrics.register(|registry| deliveries.register(registry));
        workers.spawn(async move { deliveries.run().await });
    }
    if log::require_key(app).is_ok() {
        let checkpoints = Checkpoints::new(Arc::clone(app));
        state.metrics.register(|registry| checkpoints.register(registry));
        workers.spawn(async move { checkpoints.run().await });
    }
    workers
}

/// The configured keys of checkpoints and receipts; a trial has one of its own.
fn audit_keys(settings: &Serve, is_trial: bool) -> Result<log::Keys, Failure> {
    let configured = &settings.audit_keys;
    let signer = match configured.audit_key() {
        Some(key) => Some(SignerKey::parse(key.expose()).map_err(|error| format!("STAGEGATE_AUDIT_KEY {error}"))?),
        None if is_trial => Some(trial::audit_key(&settings.database.data_dir())?),
        None => {
            tracing::warn!(
                "no STAGEGATE_AUDIT_KEY: there are no checkpoints and no receipts; `stagegate keys --new` makes a key"
            );
            None
        }
    };
    let old = configured
        .audit_old_keys()
        .map(|key| VerifierKey::parse(key).map_err(|error| format!("STAGEGATE_AUDIT_OLD_KEYS: `{key}` {error}")));
    Ok(log::Keys::new(signer, old.collect::<Result<_, _>>()?))
}

fn http_settings(settings: &Serve, credentials: &Credentials) -> http::Settings {
    let text = |secret: &Secret| secret.expose().to_owned();
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
    }
}

fn connection_limits(limits: &Limits) -> server::Limits {
    server::Limits {
        max_connections: limits.max_connections,
        header_timeout: limits.header_timeout,
        drain_timeout: limits.drain_timeout,
    }
}

/// The database, and the Postgres that we run for it, if we do.
struct Opened {
    options: PgConnectOptions,
    postgres: Option<Postgres>,
}

async fn open(database: &Database) -> Result<Opened, Failure> {
    if let Some(url) = database.url() {
        return Ok(Opened { options: pool::parse_url(url.expose())?, postgres: None });
    }
    if !database.may_be_private() {
        return Err("DATABASE_URL is required here: postgres://user:password@host/database".into());
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
        match postgres.stop().await {
            Ok(true) => tracing::info!("stopped the private Postgres"),
            Ok(false) => tracing::info!("left the private Postgres to its other users"),
            Err(error) => tracing::error!(error = with_causes(&error), "the private Postgres did not stop"),
        }
    }
}

async fn migrate(settings: &Migrate) -> Result<ExitCode, Failure> {
    let opened = open(&settings.database).await?;
    let migrated = migrate_opened(&opened.options, settings.restored).await;
    opened.close().await;
    migrated?;
    tracing::info!("the database is up to date");
    Ok(ExitCode::SUCCESS)
}

async fn migrate_opened(options: &PgConnectOptions, restored: bool) -> Result<(), pool::Error> {
    pool::migrate(options).await?;
    if restored {
        let epoch = horizon::begin_epoch(options, Clock::system().now()).await?;
        tracing::info!(epoch, "the restored database begins another epoch");
    }
    Ok(())
}

fn keys(settings: &Keys) -> Result<ExitCode, Failure> {
    let mut out = std::io::stdout();
    if settings.new {
        writeln!(out, "STAGEGATE_PLATFORM_KEYS={}", trial::new_platform_key())?;
        writeln!(out, "STAGEGATE_BUYER_JWT_SECRET={}", trial::new_jwt_secret())?;
        let name = KeyName::parse(&settings.audit_name).map_err(|error| format!("--audit-name: {error}"))?;
        let key = SignerKey::new(name, ids::random());
        // In quotes, since a name may have characters that a shell takes for its own.
        writeln!(out, "STAGEGATE_AUDIT_KEY='{}'", key.reveal().replace('\'', r"'\''"))?;
        return Ok(ExitCode::SUCCESS);
    }
    trial_credentials(&settings.database, "; --new makes production keys")?.print(&mut out)?;
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
        Some(folder) => pool::migrate_from(folder, &postgres.connect_options(DATABASE)).await?,
        None => pool::migrate(&postgres.connect_options(DATABASE)).await?,
    }
    let (program, arguments) = run.split_first().ok_or("no command")?;
    let mut command = tokio::process::Command::new(program);
    let status = command.args(arguments).env("DATABASE_URL", postgres.url(DATABASE)).status().await;
    postgres.stop().await?;
    let status = status.map_err(|error| format!("{program}: {error}"))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Turns true at SIGTERM or SIGINT; a second one ends the process at once.
fn on_signal() -> Result<watch::Receiver<bool>, Failure> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if sender.send_replace(true) {
                tracing::warn!("a second signal: leaving at once");
                std::process::exit(130);
            }
        }
    });
    Ok(receiver)
}

async fn requested(mut stop: watch::Receiver<bool>) {
    // The sender lives as long as the process.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The error and what caused it, in one line each.
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
