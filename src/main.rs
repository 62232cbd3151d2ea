//! The program: command line → configuration → telemetry → database → serve → drain.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};
use sqlx::postgres::PgConnectOptions;
use tokio::io::BufReader;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use stagegate::causes::one_line;
use stagegate::clock::Clock;
use stagegate::config::{
    Audit, Cli, Command, Database, Db, Demo, Dev, DevCommand, Keys, Migrate, Openapi, Secret, Serve, Workflow,
};
use stagegate::domain::audit::signed_note::{KeyName, SignerKey};
use stagegate::embedded::{self, Postgres};
use stagegate::http::openapi;
use stagegate::store::db::connect::{self, Address};
use stagegate::store::db::horizon;
use stagegate::telemetry::traces::Traces;
use stagegate::{check, command_line, demo, dev, health, ids, mcp, telemetry, terminal, trial};

use crate::serve::{develop, serve};

mod serve;

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
    for line in format!("stagegate: {}", one_line(failure)).lines() {
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
    let traces = traces(&cli.command, runtime.handle())?;
    let ended = runtime.block_on(run(cli.command, &traces));
    runtime.block_on(traces.flush());
    // Do not wait for blocking tasks: a DNS lookup without a response would delay the exit.
    runtime.shutdown_background();
    ended
}

/// Starts traces, if the command is a service and a collector is set.
fn traces(command: &Command, runtime: &Handle) -> Result<Traces, Failure> {
    let serve = if let Command::Serve(serve) = command {
        serve
    } else if let Command::Dev(dev) = command
        && dev.command.is_none()
    {
        &dev.serve
    } else {
        return Ok(Traces::default());
    };
    let (endpoint, cell) = (serve.traces.endpoint()?, serve.cell.name());
    Ok(endpoint.map(|endpoint| Traces::start(&endpoint, cell, runtime)).transpose()?.unwrap_or_default())
}

async fn run(command: Command, traces: &Traces) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(settings) => serve(*settings, traces).await,
        Command::Dev(settings) => for_developers(*settings, traces).await,
        Command::Migrate(settings) => migrate(&settings).await,
        Command::Keys(settings) => keys(&settings),
        Command::Db(Db::Fetch { database }) => fetch(&database).await,
        Command::Db(Db::Scratch { migrations, database, run }) => scratch(migrations.as_deref(), &database, &run).await,
        Command::Health(settings) => {
            health::ask(&settings).await?;
            Ok(ExitCode::SUCCESS)
        }
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
        Command::Open(settings) => show_links(&settings).await,
        Command::Remote(command) => Ok(command_line::run(&command).await),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "stagegate", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { dir } => {
            clap_mangen::generate_to(Cli::command(), &dir).map_err(|error| format!("{}: {error}", dir.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Mcp(settings) => {
            mcp::stdio::run(&settings, BufReader::new(tokio::io::stdin()), tokio::io::stdout()).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn for_developers(settings: Dev, traces: &Traces) -> Result<ExitCode, Failure> {
    match &settings.command {
        None => develop(settings, traces).await,
        Some(DevCommand::Check(check)) => match dev::check::run(check, &mut std::io::stdout()).await {
            Err(unusable @ dev::check::Error::Unusable(_)) => {
                complain(&unusable);
                Ok(ExitCode::from(2))
            }
            played => Ok(played?),
        },
    }
}

/// The database, and the private Postgres if this process uses one.
struct Opened {
    options: PgConnectOptions,
    /// The address past a pooler, where `options` lead through one.
    direct: Option<PgConnectOptions>,
    postgres: Option<Postgres>,
}

/// The database that the settings name.
enum Source {
    Server(Box<(PgConnectOptions, Option<PgConnectOptions>)>),
    Private,
}

impl Source {
    fn of(database: &Database) -> Result<Self, Failure> {
        let parse = |name, url: &Secret| connect::parse_url(url.expose()).map_err(|error| format!("{name}: {error}"));
        let direct = database.direct_url().map(|url| parse("STAGEGATE_DIRECT_URL", url)).transpose()?;
        match database.url() {
            Some(url) => Ok(Self::Server(Box::new((parse("DATABASE_URL", url)?, direct)))),
            None if direct.is_some() => {
                Err("STAGEGATE_DIRECT_URL needs DATABASE_URL, the address of the pooler".into())
            }
            None if database.may_be_private() => Ok(Self::Private),
            None => Err("DATABASE_URL is required here: postgres://user:password@host/database".into()),
        }
    }
}

/// Opens the database; `name` is that of a private one.
async fn open(source: Source, database: &Database, name: &str) -> Result<Opened, Failure> {
    if let Source::Server(addresses) = source {
        let (options, direct) = *addresses;
        return Ok(Opened { options, direct, postgres: None });
    }
    let postgres = Postgres::start(&database.embedded(), name).await?;
    tracing::info!(
        version = postgres.major(),
        binaries = %postgres.bin_dir().display(),
        data = %postgres.data_dir().display(),
        "{} private Postgres; in production, set DATABASE_URL",
        if postgres.adopted() { "found a running" } else { "started a" },
    );
    Ok(Opened { options: postgres.connect_options(name), direct: None, postgres: Some(postgres) })
}

impl Opened {
    /// The address for what does not go through a pooler.
    fn direct(&self) -> &PgConnectOptions {
        self.direct.as_ref().unwrap_or(&self.options)
    }

    /// The way to it, with these settings of the service.
    fn address(&self, settings: &Serve) -> Address {
        Address {
            options: self.options.clone(),
            direct: self.direct.clone(),
            is_read_only: settings.read_only,
            plans_freely: !settings.fixed_plan,
        }
    }

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
            Err(error) => tracing::error!(error = one_line(&error), "the private Postgres did not stop"),
        }
    }
}

async fn migrate(settings: &Migrate) -> Result<ExitCode, Failure> {
    if settings.print_login {
        // Roles belong to the whole server, which may have several cells.
        let cell =
            settings.cell.name().map_or_else(String::new, |cell| format!("_{}", cell.as_str().replace('-', "_")));
        write!(std::io::stdout(), "{}", connect::login_sql(&format!("stagegate_login{cell}")))?;
        return Ok(ExitCode::SUCCESS);
    }
    let opened = open(Source::of(&settings.database)?, &settings.database, DATABASE).await?;
    let migrated = migrate_opened(opened.direct(), settings).await;
    opened.close().await;
    migrated?;
    tracing::info!("the database is up to date");
    Ok(ExitCode::SUCCESS)
}

async fn migrate_opened(options: &PgConnectOptions, settings: &Migrate) -> Result<(), connect::Error> {
    connect::migrate_cell(options, settings.cell.name(), settings.name_cell).await?;
    if settings.restored {
        let epoch = horizon::begin_epoch(options, Clock::system().now()).await?;
        tracing::info!(epoch, "started a new epoch for the restored database");
    }
    Ok(())
}

fn keys(settings: &Keys) -> Result<ExitCode, Failure> {
    let mut out = std::io::stdout();
    if settings.new {
        let cell = settings.cell.name().map_or_else(String::new, |cell| format!("/{cell}"));
        let name =
            KeyName::parse(settings.audit_name.clone() + &cell).map_err(|error| format!("--audit-name: {error}"))?;
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

async fn show_links(settings: &Demo) -> Result<ExitCode, Failure> {
    let credentials = trial_credentials(&settings.database, "")?;
    demo::open::prepare(&settings.url, &credentials, None).await?.print(&mut std::io::stdout())?;
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
