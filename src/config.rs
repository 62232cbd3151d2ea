//! All settings, each with a flag and an environment variable. This is the only module that reads
//! the environment.
//!
//! Secrets have the type [`Secret`], which hides them in `Debug`, `--help` and error messages.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::embedded;

/// Approval workflows for the `AITasker` marketplace: stages, decisions and a trail that proves
/// them.
#[derive(Clone, Debug, Parser)]
#[command(name = "stagegate", version, about)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
    /// Settings of the log.
    #[command(flatten)]
    pub log: Log,
}

/// The command to run.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the service.
    Serve(Box<Serve>),
    /// Apply pending migrations to the database and exit.
    Migrate(Migrate),
    /// Print the HTTP contract (`OpenAPI` 3.1).
    Openapi(Openapi),
    /// Print the credentials of a trial on the private database, or create new ones for production.
    Keys(Keys),
    /// Check workflow definitions.
    #[command(subcommand)]
    Workflow(Workflow),
    /// Verify audit trails.
    #[command(subcommand)]
    Audit(Audit),
    /// Play one task through the demo workflow of a running service.
    Demo(Demo),
    /// Manage the private database.
    #[command(subcommand)]
    Db(Db),
}

/// Settings of `stagegate serve`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// The database.
    #[command(flatten)]
    pub database: Database,
    /// Credentials of callers.
    #[command(flatten)]
    pub credentials: Credentials,
    /// The keys for checkpoints and receipts.
    #[command(flatten)]
    pub audit_keys: AuditKeys,
    /// Limits for clients.
    #[command(flatten)]
    pub limits: Limits,
    /// Address to listen on. Port 0 selects a free port; the start-up message shows it.
    #[arg(long, env = "STAGEGATE_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Address for `/metrics`, `/health` and `/ready`, separate from the callers' address. Port 0
    /// selects a free port; a start-up message shows it. Unset: no metrics, except that a trial on
    /// the private database serves them on a free port of 127.0.0.1.
    #[arg(long, env = "STAGEGATE_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<OptionalAddress>,
    /// Whether to apply pending migrations at start. Turn this off if the deployment runs
    /// `stagegate migrate`.
    #[arg(long, env = "STAGEGATE_MIGRATE", default_value_t = true, action = ArgAction::Set, value_name = "true|false")]
    pub migrate: bool,
    /// Whether this replica runs timers (deadlines, reminders, expiry) and erasures. At least one
    /// replica must.
    #[arg(long, env = "STAGEGATE_TIMERS", default_value_t = true, action = ArgAction::Set, value_name = "true|false")]
    pub timers: bool,
    /// Number of database connections, all opened at start. More than 16 slow the database down.
    #[arg(long, env = "STAGEGATE_POOL_SIZE", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100), value_name = "N")]
    pub pool_size: u32,
    /// Origins that browsers may call the service from, comma-separated. Default: none.
    #[arg(long, env = "STAGEGATE_CORS_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub cors_origins: Vec<String>,
    /// Settings of webhooks.
    #[command(flatten)]
    pub webhooks: Webhooks,
}

impl Serve {
    /// The address for metrics, if any.
    pub fn metrics_listen(&self) -> Option<SocketAddr> {
        let trial = || self.database.url().is_none().then(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        self.metrics_listen.and_then(|given| given.0).or_else(trial)
    }

    /// Checks that the settings are compatible.
    ///
    /// # Errors
    ///
    /// When two settings contradict each other; the error names both.
    pub fn check(&self) -> Result<(), Contradiction> {
        let Limits { body_timeout, request_timeout, .. } = self.limits;
        if body_timeout > request_timeout {
            return Err(Contradiction::BodyTimeout(body_timeout, request_timeout));
        }
        if self.listen.port() != 0 && self.metrics_listen() == Some(self.listen) {
            return Err(Contradiction::SameAddress(self.listen));
        }
        Ok(())
    }
}

/// Two settings that contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The request would time out before its body.
    #[error(
        "STAGEGATE_BODY_TIMEOUT is {} s and must not be more than STAGEGATE_REQUEST_TIMEOUT, which is {} s",
        .0.as_secs_f64(), .1.as_secs_f64()
    )]
    BodyTimeout(Duration, Duration),
    /// Metrics need a separate address, so that callers cannot read them.
    #[error("STAGEGATE_METRICS_LISTEN and STAGEGATE_LISTEN are both {0} and must differ")]
    SameAddress(SocketAddr),
}

/// An address or none; container tools pass unset variables as empty strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OptionalAddress(Option<SocketAddr>);

impl FromStr for OptionalAddress {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() { Ok(Self(None)) } else { text.parse().map(|address| Self(Some(address))) }
    }
}

/// Settings of webhooks.
#[derive(Clone, Copy, Debug, Args)]
pub struct Webhooks {
    /// Whether this replica sends webhooks. At least one replica must.
    #[arg(long, env = "STAGEGATE_DELIVERIES", default_value_t = true, action = ArgAction::Set, value_name = "true|false")]
    pub deliveries: bool,
    /// Allow webhooks to private addresses and over plain http. For tests and local trials only.
    #[arg(long, env = "STAGEGATE_WEBHOOK_ALLOW_PRIVATE", default_value_t = false, action = ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub webhook_allow_private: bool,
}

/// The database.
#[derive(Clone, Debug, Args)]
pub struct Database {
    /// URL of the Postgres database. Unset: the service starts a private Postgres, for trials on
    /// one machine.
    #[arg(
        id = "database_url",
        long = "database-url",
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    url: Option<Secret>,
    /// Directory of the private Postgres and its programs [default: /var/lib/stagegate for root,
    /// else stagegate in `$XDG_DATA_HOME` or ~/.local/share]
    #[arg(long, env = "STAGEGATE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Whether to start a private Postgres if `DATABASE_URL` is unset. Off in the container image.
    #[arg(id = "private_database", long = "private-database", env = "STAGEGATE_PRIVATE_DATABASE", default_value_t = true, action = ArgAction::Set, value_name = "true|false")]
    private: bool,
    /// Directory of the `PostgreSQL` programs for the private Postgres. Unset: installed programs
    /// are used, or else downloaded.
    #[arg(long, env = "PG_BIN_DIR", value_name = "DIR")]
    pg_bin_dir: Option<PathBuf>,
}

/// Credentials of callers.
#[derive(Clone, Debug, Args)]
pub struct Credentials {
    /// The platform's keys, comma-separated; several may be valid at the same time.
    #[arg(long, env = "STAGEGATE_PLATFORM_KEYS", hide_env_values = true, value_delimiter = ',', value_name = "KEY")]
    platform_keys: Vec<Secret>,
    /// The HS256 secret of buyers' tokens.
    #[arg(long, env = "STAGEGATE_BUYER_JWT_SECRET", hide_env_values = true, value_name = "SECRET")]
    buyer_jwt_secret: Option<Secret>,
    /// The public keys of buyers' tokens (ES256, RS256, `EdDSA`): file or URL of a JWKS. HS256
    /// tokens are then refused.
    #[arg(long, env = "STAGEGATE_BUYER_JWKS", value_name = "FILE|URL")]
    buyer_jwks: Option<String>,
    /// The required `aud` of buyers' tokens. Empty: not checked.
    #[arg(long, env = "STAGEGATE_BUYER_JWT_AUDIENCE", default_value = "authenticated", value_name = "AUDIENCE")]
    buyer_jwt_audience: String,
    /// The required `iss` of buyers' tokens. Unset: not checked.
    #[arg(long, env = "STAGEGATE_BUYER_JWT_ISSUER", value_name = "ISSUER")]
    buyer_jwt_issuer: Option<String>,
}

/// The keys for checkpoints and receipts.
#[derive(Clone, Debug, Args)]
pub struct AuditKeys {
    /// The private key that signs checkpoints and receipts, the same in every replica.
    /// `stagegate keys --new` creates one. Unset: there are no checkpoints and receipts.
    #[arg(long, env = "STAGEGATE_AUDIT_KEY", hide_env_values = true, value_name = "KEY")]
    audit_key: Option<Secret>,
    /// Earlier public keys of checkpoints and receipts, as /.well-known/stagegate-audit-key served
    /// them, comma-separated.
    #[arg(long, env = "STAGEGATE_AUDIT_OLD_KEYS", value_delimiter = ',', value_name = "KEY")]
    audit_old_keys: Vec<String>,
}

/// Limits for clients.
#[derive(Clone, Copy, Debug, Args)]
pub struct Limits {
    /// Maximum number of open connections. More connections wait in the system's accept queue.
    #[arg(long, env = "STAGEGATE_MAX_CONNECTIONS", default_value_t = 10_000, value_parser = at_least_one, value_name = "N")]
    pub max_connections: usize,
    /// Maximum number of requests and streams that wait for a status to change. More are refused.
    #[arg(long, env = "STAGEGATE_MAX_WATCHERS", default_value_t = 20_000, value_parser = at_least_one, value_name = "N")]
    pub max_watchers: usize,
    /// Maximum number of these waits for one partner or the platform; a buyer may have at most 64
    /// [default: a tenth of the maximum, at least 256]
    #[arg(long, env = "STAGEGATE_MAX_WATCHERS_EACH", value_parser = at_least_one, value_name = "N")]
    pub max_watchers_each: Option<usize>,
    /// Seconds for a request's header to arrive, and until an idle connection is closed. Behind a
    /// load balancer, set more than the balancer's idle timeout.
    #[arg(long, env = "STAGEGATE_HEADER_TIMEOUT", default_value = "10", value_parser = seconds, value_name = "SECONDS")]
    pub header_timeout: Duration,
    /// Seconds for a request's body to arrive.
    #[arg(long, env = "STAGEGATE_BODY_TIMEOUT", default_value = "10", value_parser = seconds, value_name = "SECONDS")]
    pub body_timeout: Duration,
    /// MiB of memory for the bodies of concurrent requests, at least 4. One caller may use a
    /// quarter; requests that need more are refused.
    #[arg(long, env = "STAGEGATE_BODY_MEMORY", default_value_t = 64, value_parser = at_least_one, value_name = "MIB")]
    pub body_memory: usize,
    /// Seconds until a request times out.
    #[arg(long, env = "STAGEGATE_REQUEST_TIMEOUT", default_value = "15", value_parser = seconds, value_name = "SECONDS")]
    pub request_timeout: Duration,
    /// Seconds to accept requests after SIGTERM while `/ready` reports that the service is
    /// draining, so that a load balancer notices. SIGINT (Ctrl-C) skips this delay [default: 3 with
    /// a `DATABASE_URL`, else 0]
    #[arg(long, env = "STAGEGATE_DRAIN_DELAY", value_parser = seconds_or_none, value_name = "SECONDS")]
    pub drain_delay: Option<Duration>,
    /// Seconds for running requests to finish after that.
    #[arg(long, env = "STAGEGATE_DRAIN_TIMEOUT", default_value = "20", value_parser = seconds, value_name = "SECONDS")]
    pub drain_timeout: Duration,
}

/// Default drain delay of a service on a shared database: longer than a load balancer takes to
/// notice.
const DRAIN_DELAY: Duration = Duration::from_secs(3);

impl Limits {
    /// Returns the time between SIGTERM and the end of new requests. A trial, which has no
    /// `DATABASE_URL`, has no load balancer.
    pub fn drain_delay(&self, is_trial: bool) -> Duration {
        self.drain_delay.unwrap_or(if is_trial { Duration::ZERO } else { DRAIN_DELAY })
    }
}

/// Settings of the log.
#[derive(Clone, Debug, Args)]
pub struct Log {
    /// Log levels by module, as in `info,stagegate=debug`.
    #[arg(
        id = "log",
        long = "log",
        env = "STAGEGATE_LOG",
        default_value = "info",
        global = true,
        value_name = "FILTER"
    )]
    pub filter: String,
    /// Format of the log on standard error.
    #[arg(id = "log_format", long = "log-format", env = "STAGEGATE_LOG_FORMAT", default_value = "text", global = true)]
    pub format: LogFormat,
}

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Settings of `stagegate migrate`.
#[derive(Clone, Debug, Args)]
pub struct Migrate {
    /// Declare that the database was restored, from a dump or to an earlier time, or that a
    /// failover lost transactions. Readers of the feed then miss no event, and the log of trail
    /// heads continues. Run it once, before the service starts again.
    #[arg(long)]
    pub restored: bool,
    /// The database.
    #[command(flatten)]
    pub database: Database,
}

/// Settings of `stagegate openapi`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Openapi {
    /// Print JSON instead of YAML.
    #[arg(long)]
    pub json: bool,
}

/// Settings of `stagegate keys`.
#[derive(Clone, Debug, Args)]
pub struct Keys {
    /// Create a new platform key, a new secret for buyers' tokens and a new audit key, for the
    /// configuration of a production service.
    #[arg(long)]
    pub new: bool,
    /// With `--new`: the name of the audit key, which distinguishes your log from all others. Use a
    /// URL without its scheme, under a domain of yours.
    #[arg(long, default_value = "stagegate.invalid/audit", value_name = "NAME")]
    pub audit_name: String,
    /// The database: the directory of the private one holds the credentials.
    #[command(flatten)]
    pub database: Database,
}

/// Commands for workflow definitions.
#[derive(Clone, Debug, Subcommand)]
pub enum Workflow {
    /// Report all mistakes of a definition. Exit code: 0 valid, 1 mistakes, 2 not JSON.
    Check {
        /// The definition in JSON; `-` is standard input.
        file: PathBuf,
    },
}

/// Commands for audit trails.
#[derive(Clone, Debug, Subcommand)]
pub enum Audit {
    /// Verify a proof, an export, a receipt or a checkpoint, offline.
    ///
    /// Exit code 0, verified: a given key signed the contents of the file; of trails, up to the
    /// last entry of each. The holder of the key recorded these entries in this order, and the data
    /// shown is the data that was recorded. Exit code 3, consistent: hashes and commitments agree,
    /// but no given key vouches for all of the file, so its author may have forged it. Exit code 1:
    /// the file contradicts itself, the table of `stagegate audit fields`, a signature or a kept
    /// checkpoint. Exit code 2: a file cannot be read or has another form.
    ///
    /// No exit code proves that nothing was recorded after the last entry, or anything about data
    /// that is hidden from the party whose view the file shows.
    Verify {
        /// The response of `GET …/audit/proof`, `…/audit?format=jsonl`, `/audit/export`,
        /// `…/receipt` or `/audit/checkpoint`; `-` is standard input.
        file: PathBuf,
        /// The public key as served by `/.well-known/stagegate-audit-key`: the line itself, or a
        /// file of such lines. Without a key the best result is "consistent".
        #[arg(long = "key", value_name = "LINE|FILE")]
        keys: Vec<String>,
        /// A checkpoint that you kept. The file must be proven against it.
        #[arg(long = "checkpoint", value_name = "FILE")]
        checkpoints: Vec<PathBuf>,
        /// The response of `GET /audit/consistency`, which proves that a kept checkpoint and
        /// another one belong to the same log.
        #[arg(long, value_name = "FILE")]
        consistency: Vec<PathBuf>,
    },
    /// Print the fields of every type of entry, in order, and the parties that see them, as JSON. A
    /// verifier must require exactly these.
    Fields,
}

/// Settings of `stagegate demo`.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// URL of the service.
    #[arg(long, env = "STAGEGATE_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub url: String,
    /// The database: the directory of the private one holds the credentials.
    #[command(flatten)]
    pub database: Database,
}

/// Commands for the private database.
#[derive(Clone, Debug, Subcommand)]
pub enum Db {
    /// Download the `PostgreSQL` programs now, for an image or a machine that will be offline, and
    /// print their directory.
    Fetch {
        /// The database.
        #[command(flatten)]
        database: Database,
    },
    /// Run a command with `DATABASE_URL` set to a fresh database that is removed afterwards. For
    /// development.
    #[command(hide = true)]
    Scratch {
        /// A directory of migrations to apply first.
        #[arg(long, value_name = "DIR")]
        migrations: Option<PathBuf>,
        /// The `PostgreSQL` programs.
        #[command(flatten)]
        database: Database,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        run: Vec<String>,
    },
}

impl Database {
    /// The configured server; `None`: the private one.
    pub fn url(&self) -> Option<&Secret> {
        // Container tools pass unset variables as empty strings.
        self.url.as_ref().filter(|url| !url.expose().is_empty())
    }

    /// Whether a private Postgres may replace a configured one.
    pub fn may_be_private(&self) -> bool {
        self.private
    }

    /// The directory of the private Postgres.
    pub fn data_dir(&self) -> PathBuf {
        given(self.data_dir.as_ref()).cloned().unwrap_or_else(default_data_dir)
    }

    /// Options of the private Postgres.
    pub fn embedded(&self) -> embedded::Options {
        embedded::Options {
            data_dir: self.data_dir(),
            fetch_dir: self.data_dir(),
            bin_dir: given(self.pg_bin_dir.as_ref()).cloned(),
            durable: true,
            ends_with_process: false,
        }
    }
}

fn given(path: Option<&PathBuf>) -> Option<&PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty())
}

impl Credentials {
    /// The platform's keys.
    pub fn platform_keys(&self) -> impl Iterator<Item = &Secret> {
        self.platform_keys.iter().filter(|key| !key.expose().is_empty())
    }

    /// The HS256 secret of buyers' tokens.
    pub fn buyer_jwt_secret(&self) -> Option<&Secret> {
        self.buyer_jwt_secret.as_ref().filter(|secret| !secret.expose().is_empty())
    }

    /// File or URL of a JWKS.
    pub fn buyer_jwks(&self) -> Option<&str> {
        self.buyer_jwks.as_deref().filter(|jwks| !jwks.is_empty())
    }

    /// The required `aud` of buyers' tokens; `None`: not checked.
    pub fn buyer_jwt_audience(&self) -> Option<&str> {
        Some(self.buyer_jwt_audience.as_str()).filter(|audience| !audience.is_empty())
    }

    /// The required `iss` of buyers' tokens; `None`: not checked.
    pub fn buyer_jwt_issuer(&self) -> Option<&str> {
        self.buyer_jwt_issuer.as_deref().filter(|issuer| !issuer.is_empty())
    }
}

impl AuditKeys {
    /// The private key.
    pub fn audit_key(&self) -> Option<&Secret> {
        self.audit_key.as_ref().filter(|key| !key.expose().is_empty())
    }

    /// The earlier public keys.
    pub fn audit_old_keys(&self) -> impl Iterator<Item = &str> {
        self.audit_old_keys.iter().map(|key| key.trim()).filter(|key| !key.is_empty())
    }
}

/// Text that must not be shown. `Debug` prints a placeholder.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Callers must keep it out of logs and messages.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl FromStr for Secret {
    // Validated later, because clap's error messages would quote it.
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text.trim()))
    }
}

/// The default directory of the private Postgres.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn default_data_dir() -> PathBuf {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    embedded::default_data_dir(folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share"))))
}

/// The directory of the `PostgreSQL` programs, for tests, which have no command line.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn postgres_bin_dir() -> Option<PathBuf> {
    given(std::env::var_os("PG_BIN_DIR").map(PathBuf::from).as_ref()).cloned()
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "an integer of at least 1".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let duration = seconds_or_none(text)?;
    if duration.is_zero() { Err("more than 0 seconds".to_owned()) } else { Ok(duration) }
}

fn seconds_or_none(text: &str) -> Result<Duration, String> {
    let number = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    number
        .filter(|duration| *duration <= Duration::from_hours(1))
        .ok_or_else(|| "a number of seconds, at most 3600".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{Cli, Command, Serve};

    const SECRETS: [&str; 8] = [
        "--database-url",
        "postgres://u:planted-1@h/d",
        "--platform-keys",
        "planted-2,,planted-3",
        "--buyer-jwt-secret",
        "planted-4",
        "--audit-key",
        "planted-5",
    ];

    fn serve(arguments: &[&str]) -> Serve {
        let cli = Cli::try_parse_from(["stagegate", "serve"].iter().chain(arguments)).unwrap();
        let Command::Serve(serve) = cli.command else { panic!("{:?}", cli.command) };
        *serve
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn secrets_are_read_and_never_shown() {
        let serve = serve(&SECRETS);
        assert!(!format!("{serve:?}").contains("planted"));
        let keys: Vec<_> = serve.credentials.platform_keys().map(super::Secret::expose).collect();
        assert_eq!(keys, ["planted-2", "planted-3"]);
        assert_eq!(serve.database.url().unwrap().expose(), "postgres://u:planted-1@h/d");
    }

    #[test]
    fn help_hides_the_values_of_secrets() {
        let mut command = Cli::command();
        let serve = command.find_subcommand_mut("serve").unwrap();
        for name in ["database_url", "platform_keys", "buyer_jwt_secret", "audit_key"] {
            let argument = serve.get_arguments().find(|argument| argument.get_id() == name).unwrap();
            assert!(argument.is_hide_env_values_set(), "{name}");
        }
    }

    #[test]
    fn metrics_have_an_address_of_their_own_or_none() {
        let production = ["--database-url=postgres://h/d"];
        assert_eq!(serve(&production).metrics_listen(), None);
        assert_eq!(serve(&["--metrics-listen="]).metrics_listen(), "127.0.0.1:0".parse().ok(), "a trial");
        let given = serve(&["--metrics-listen=0.0.0.0:9090", production[0]]);
        assert_eq!(given.metrics_listen(), "0.0.0.0:9090".parse().ok());
        let same = serve(&["--listen=0.0.0.0:9090", "--metrics-listen=0.0.0.0:9090"]);
        assert_eq!(same.check(), Err(super::Contradiction::SameAddress(same.listen)));
        assert!(serve(&["--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0"]).check().is_ok());
    }

    #[test]
    fn limits_are_checked_against_each_other() {
        assert!(serve(&[]).check().is_ok());
        let said = serve(&["--request-timeout=5"]).check().unwrap_err().to_string();
        assert!(
            said.contains("STAGEGATE_BODY_TIMEOUT is 10 s") && said.contains("STAGEGATE_REQUEST_TIMEOUT"),
            "{said}"
        );
    }

    #[test]
    fn empty_settings_are_unset_ones() {
        let serve = serve(&["--database-url=", "--platform-keys=", "--buyer-jwks=", "--buyer-jwt-audience="]);
        assert!(serve.database.url().is_none());
        assert_eq!(serve.credentials.platform_keys().count(), 0);
        assert_eq!(serve.credentials.buyer_jwks(), None);
        assert_eq!(serve.credentials.buyer_jwt_audience(), None);
        let serve = self::serve(&["--audit-key=", "--audit-old-keys=,a, b"]);
        assert!(serve.audit_keys.audit_key().is_none());
        assert_eq!(serve.audit_keys.audit_old_keys().collect::<Vec<_>>(), ["a", "b"]);
    }
}
