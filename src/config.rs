//! Every setting: a flag with an environment variable each. The only reader of the environment.
//!
//! Secrets are of type [`Secret`], which no `Debug`, no `--help` and no error message shows.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::embedded;

/// Approval workflows for the `AITasker` marketplace: stages, decisions and a trail that proves them.
#[derive(Clone, Debug, Parser)]
#[command(name = "stagegate", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to log.
    #[command(flatten)]
    pub log: Log,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the service.
    Serve(Box<Serve>),
    /// Bring the database's tables up to date and leave.
    Migrate(Migrate),
    /// Print the HTTP contract, `OpenAPI` 3.1.
    Openapi(Openapi),
    /// Print the credentials of a trial on the private database, or new ones for production.
    Keys(Keys),
    /// Check workflow definitions.
    #[command(subcommand)]
    Workflow(Workflow),
    /// Check audit trails.
    #[command(subcommand)]
    Audit(Audit),
    /// Play one task through the demo workflow of a running service.
    Demo(Demo),
    /// The private database.
    #[command(subcommand)]
    Db(Db),
}

/// Settings of `stagegate serve`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// Which database.
    #[command(flatten)]
    pub database: Database,
    /// Who may call.
    #[command(flatten)]
    pub credentials: Credentials,
    /// What checkpoints and receipts are signed with.
    #[command(flatten)]
    pub audit_keys: AuditKeys,
    /// What a client may take.
    #[command(flatten)]
    pub limits: Limits,
    /// Address to listen on; port 0 takes a free one, which the start-up line names.
    #[arg(long, env = "STAGEGATE_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Address for `/metrics`, `/health` and `/ready`, apart from the callers' own; port 0 takes a free one, which
    /// a start-up line names. Unset: no metrics, but a trial on the private database shows them on a free port of
    /// 127.0.0.1.
    #[arg(long, env = "STAGEGATE_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<OptionalAddress>,
    /// Whether to bring the tables up to date at start; off where a deployment runs `stagegate migrate` by itself.
    #[arg(long, env = "STAGEGATE_MIGRATE", default_value_t = true, action = ArgAction::Set, value_name = "true|false")]
    pub migrate: bool,
    /// Whether this replica runs timers (deadlines, reminders, expiry) and erasures. At least one replica must.
    #[arg(long, env = "STAGEGATE_TIMERS", default_value_t = true, action = ArgAction::Set, value_name = "true|false")]
    pub timers: bool,
    /// Database connections, all open from the start. More than 16 make the database slower.
    #[arg(long, env = "STAGEGATE_POOL_SIZE", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100), value_name = "N")]
    pub pool_size: u32,
    /// Browser origins that may call, comma-separated; none by default.
    #[arg(long, env = "STAGEGATE_CORS_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub cors_origins: Vec<String>,
    /// How webhooks are sent.
    #[command(flatten)]
    pub webhooks: Webhooks,
}

impl Serve {
    /// Where metrics are shown, if anywhere.
    pub fn metrics_listen(&self) -> Option<SocketAddr> {
        let trial = || self.database.url().is_none().then(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        self.metrics_listen.and_then(|given| given.0).or_else(trial)
    }

    /// Checks the settings against each other.
    ///
    /// # Errors
    ///
    /// When two of them cannot both hold; names both.
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

/// Two settings that cannot both hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// A body would be given up with its request, before its own time is over.
    #[error(
        "STAGEGATE_BODY_TIMEOUT is {} s and must not be more than STAGEGATE_REQUEST_TIMEOUT, which is {} s",
        .0.as_secs_f64(), .1.as_secs_f64()
    )]
    BodyTimeout(Duration, Duration),
    /// Metrics have an address of their own, so that callers cannot read them.
    #[error("STAGEGATE_METRICS_LISTEN and STAGEGATE_LISTEN are both {0} and must differ")]
    SameAddress(SocketAddr),
}

/// An address, or none: container tools pass unset variables as empty ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OptionalAddress(Option<SocketAddr>);

impl FromStr for OptionalAddress {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() { Ok(Self(None)) } else { text.parse().map(|address| Self(Some(address))) }
    }
}

/// How webhooks are sent.
#[derive(Clone, Copy, Debug, Args)]
pub struct Webhooks {
    /// Whether this replica sends webhooks. At least one replica must.
    #[arg(long, env = "STAGEGATE_DELIVERIES", default_value_t = true, action = ArgAction::Set, value_name = "true|false")]
    pub deliveries: bool,
    /// Lets webhooks go to private addresses and over plain http. For tests and local trials.
    #[arg(long, env = "STAGEGATE_WEBHOOK_ALLOW_PRIVATE", default_value_t = false, action = ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub webhook_allow_private: bool,
}

/// Which database.
#[derive(Clone, Debug, Args)]
pub struct Database {
    /// The Postgres to use, as a URL. Unset: a private one is started, for trials on one machine.
    #[arg(
        id = "database_url",
        long = "database-url",
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    url: Option<Secret>,
    /// Where the private Postgres and its binaries live [default: /var/lib/stagegate for root, else stagegate in
    /// `$XDG_DATA_HOME` or ~/.local/share]
    #[arg(long, env = "STAGEGATE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Whether to start a private Postgres when no other is named; off in the container image.
    #[arg(id = "private_database", long = "private-database", env = "STAGEGATE_PRIVATE_DATABASE", default_value_t = true, action = ArgAction::Set, value_name = "true|false")]
    private: bool,
    /// The folder with `PostgreSQL`'s programs for the private Postgres; unset: searched for, then fetched.
    #[arg(long, env = "PG_BIN_DIR", value_name = "DIR")]
    pg_bin_dir: Option<PathBuf>,
}

/// Who may call.
#[derive(Clone, Debug, Args)]
pub struct Credentials {
    /// The platform's keys, comma-separated; several may be valid at a time.
    #[arg(long, env = "STAGEGATE_PLATFORM_KEYS", hide_env_values = true, value_delimiter = ',', value_name = "KEY")]
    platform_keys: Vec<Secret>,
    /// The HS256 secret of buyers' tokens.
    #[arg(long, env = "STAGEGATE_BUYER_JWT_SECRET", hide_env_values = true, value_name = "SECRET")]
    buyer_jwt_secret: Option<Secret>,
    /// The public keys of buyers' tokens (ES256, RS256, `EdDSA`): file or URL of a JWKS. HS256 is then refused.
    #[arg(long, env = "STAGEGATE_BUYER_JWKS", value_name = "FILE|URL")]
    buyer_jwks: Option<String>,
    /// The `aud` that buyers' tokens must have; empty: not checked.
    #[arg(long, env = "STAGEGATE_BUYER_JWT_AUDIENCE", default_value = "authenticated", value_name = "AUDIENCE")]
    buyer_jwt_audience: String,
    /// The `iss` that buyers' tokens must have; unset: not checked.
    #[arg(long, env = "STAGEGATE_BUYER_JWT_ISSUER", value_name = "ISSUER")]
    buyer_jwt_issuer: Option<String>,
}

/// What checkpoints and receipts are signed with.
#[derive(Clone, Debug, Args)]
pub struct AuditKeys {
    /// The key that signs checkpoints and receipts, the same in every replica; `stagegate keys --new` makes one.
    /// Unset: neither is there.
    #[arg(long, env = "STAGEGATE_AUDIT_KEY", hide_env_values = true, value_name = "KEY")]
    audit_key: Option<Secret>,
    /// The public keys that signed before it, as /.well-known/stagegate-audit-key served them, comma-separated.
    #[arg(long, env = "STAGEGATE_AUDIT_OLD_KEYS", value_delimiter = ',', value_name = "KEY")]
    audit_old_keys: Vec<String>,
}

/// What a client may take.
#[derive(Clone, Copy, Debug, Args)]
pub struct Limits {
    /// Open connections; more wait in the system's queue.
    #[arg(long, env = "STAGEGATE_MAX_CONNECTIONS", default_value_t = 10_000, value_parser = at_least_one, value_name = "N")]
    pub max_connections: usize,
    /// Requests and streams that wait for a status to change; more are refused.
    #[arg(long, env = "STAGEGATE_MAX_WATCHERS", default_value_t = 20_000, value_parser = at_least_one, value_name = "N")]
    pub max_watchers: usize,
    /// How many of those one partner, or the platform, may hold; a buyer 64 at the most [default: a tenth of them,
    /// at least 256]
    #[arg(long, env = "STAGEGATE_MAX_WATCHERS_EACH", value_parser = at_least_one, value_name = "N")]
    pub max_watchers_each: Option<usize>,
    /// Seconds in which a request's header must arrive, and after which an idle connection is closed: behind a
    /// balancer, more than the balancer's own idle time-out.
    #[arg(long, env = "STAGEGATE_HEADER_TIMEOUT", default_value = "10", value_parser = seconds, value_name = "SECONDS")]
    pub header_timeout: Duration,
    /// Seconds in which a request's body must arrive.
    #[arg(long, env = "STAGEGATE_BODY_TIMEOUT", default_value = "10", value_parser = seconds, value_name = "SECONDS")]
    pub body_timeout: Duration,
    /// MiB of request bodies that may be under way at a time, at least 4. One caller has a quarter; more is refused.
    #[arg(long, env = "STAGEGATE_BODY_MEMORY", default_value_t = 64, value_parser = at_least_one, value_name = "MIB")]
    pub body_memory: usize,
    /// Seconds after which an answer is given up.
    #[arg(long, env = "STAGEGATE_REQUEST_TIMEOUT", default_value = "15", value_parser = seconds, value_name = "SECONDS")]
    pub request_timeout: Duration,
    /// Seconds from SIGTERM, while already not ready, in which requests are still taken, for a balancer to notice;
    /// SIGINT (ctrl-C) skips them [default: 3 with a `DATABASE_URL`, else 0]
    #[arg(long, env = "STAGEGATE_DRAIN_DELAY", value_parser = seconds_or_none, value_name = "SECONDS")]
    pub drain_delay: Option<Duration>,
    /// Seconds that running requests get to finish after that.
    #[arg(long, env = "STAGEGATE_DRAIN_TIMEOUT", default_value = "20", value_parser = seconds, value_name = "SECONDS")]
    pub drain_timeout: Duration,
}

/// How long a service on a shared database is not ready before it stops taking requests: longer than a balancer
/// takes to notice.
const DRAIN_DELAY: Duration = Duration::from_secs(3);

impl Limits {
    /// The time between SIGTERM and the end of new requests. Nobody balances requests over a trial, which has no
    /// `DATABASE_URL`.
    pub fn drain_delay(&self, is_trial: bool) -> Duration {
        self.drain_delay.unwrap_or(if is_trial { Duration::ZERO } else { DRAIN_DELAY })
    }
}

/// How to log.
#[derive(Clone, Debug, Args)]
pub struct Log {
    /// What to log: levels by module, as in `info,stagegate=debug`.
    #[arg(
        id = "log",
        long = "log",
        env = "STAGEGATE_LOG",
        default_value = "info",
        global = true,
        value_name = "FILTER"
    )]
    pub filter: String,
    /// In which form, on standard error.
    #[arg(id = "log_format", long = "log-format", env = "STAGEGATE_LOG_FORMAT", default_value = "text", global = true)]
    pub format: LogFormat,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object per line.
    Json,
}

/// Settings of `stagegate migrate`.
#[derive(Clone, Debug, Args)]
pub struct Migrate {
    /// Says that the database was restored, from a dump or to an earlier time, or that a failover lost
    /// transactions: readers of the feed then go on without missing anything, and the log of heads goes on. Run it
    /// once, before the service starts again.
    #[arg(long)]
    pub restored: bool,
    /// Which database.
    #[command(flatten)]
    pub database: Database,
}

/// Settings of `stagegate openapi`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Openapi {
    /// JSON instead of YAML.
    #[arg(long)]
    pub json: bool,
}

/// Settings of `stagegate keys`.
#[derive(Clone, Debug, Args)]
pub struct Keys {
    /// A new platform key, a new secret for buyers' tokens and a new audit key, for the configuration of a
    /// production service.
    #[arg(long)]
    pub new: bool,
    /// With `--new`: the name of the audit key, which tells your log from all others: a URL without its scheme,
    /// under a domain of yours.
    #[arg(long, default_value = "stagegate.invalid/audit", value_name = "NAME")]
    pub audit_name: String,
    /// Which database: the private one's folder holds the credentials.
    #[command(flatten)]
    pub database: Database,
}

/// What to do with workflow definitions.
#[derive(Clone, Debug, Subcommand)]
pub enum Workflow {
    /// Say everything that is wrong with a definition. Exit code: 0 sound, 1 mistakes, 2 not JSON.
    Check {
        /// The definition, JSON; `-` is standard input.
        file: PathBuf,
    },
}

/// What to do with audit trails.
#[derive(Clone, Debug, Subcommand)]
pub enum Audit {
    /// Check a proof, an export, a receipt or a checkpoint, offline.
    ///
    /// Exit code 0, verified: a key that was given signed what is in the file; of trails, up to the last entry of
    /// each. So whoever holds the key recorded these entries in this order, and what is shown is what was recorded.
    /// Exit code 3, consistent: hashes and commitments agree, but no key that was given vouches for all of it, so
    /// whoever made the file can have made it up. Exit code 1: it contradicts itself, the table of
    /// `stagegate audit fields`, a signature or a kept checkpoint. Exit code 2: a file
    /// cannot be read, or is none of these.
    ///
    /// Not proven, whatever the code: that nothing was recorded after the last entry, and what is hidden from the
    /// party whose view it is.
    Verify {
        /// What was answered: `GET …/audit/proof`, `…/audit?format=jsonl`, `/audit/export`, `…/receipt`,
        /// `/audit/checkpoint`; `-` is standard input.
        file: PathBuf,
        /// The public key, as `/.well-known/stagegate-audit-key` had it: the line itself, or a file of such lines.
        /// Without it nothing is more than consistent.
        #[arg(long = "key", value_name = "LINE|FILE")]
        keys: Vec<String>,
        /// A checkpoint that was kept: what is proven must be proven against it.
        #[arg(long = "checkpoint", value_name = "FILE")]
        checkpoints: Vec<PathBuf>,
        /// The answer of `GET /audit/consistency`, which leads from a kept checkpoint to another.
        #[arg(long, value_name = "FILE")]
        consistency: Vec<PathBuf>,
    },
    /// Print the fields of every type of entry, in their order, and who sees them, as JSON: what a verifier must
    /// insist on.
    Fields,
}

/// Settings of `stagegate demo`.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// The service to talk to.
    #[arg(long, env = "STAGEGATE_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub url: String,
    /// Which database: the private one's folder holds the credentials.
    #[command(flatten)]
    pub database: Database,
}

/// What to do with the private database.
#[derive(Clone, Debug, Subcommand)]
pub enum Db {
    /// Fetch `PostgreSQL`'s programs now, for an image or a machine that will be offline, and print where they are.
    Fetch {
        /// Which database.
        #[command(flatten)]
        database: Database,
    },
    /// Run a command with `DATABASE_URL` set to a fresh database that goes with it. For development.
    #[command(hide = true)]
    Scratch {
        /// A folder of migrations to apply first.
        #[arg(long, value_name = "DIR")]
        migrations: Option<PathBuf>,
        /// Which binaries.
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
        // Container tools pass unset variables as empty ones.
        self.url.as_ref().filter(|url| !url.expose().is_empty())
    }

    /// Whether a private Postgres may take the place of a configured one.
    pub fn may_be_private(&self) -> bool {
        self.private
    }

    /// Where the private Postgres lives.
    pub fn data_dir(&self) -> PathBuf {
        given(self.data_dir.as_ref()).cloned().unwrap_or_else(default_data_dir)
    }

    /// How to run the private Postgres.
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

    /// The `aud` that buyers' tokens must have; `None`: not checked.
    pub fn buyer_jwt_audience(&self) -> Option<&str> {
        Some(self.buyer_jwt_audience.as_str()).filter(|audience| !audience.is_empty())
    }

    /// The `iss` that buyers' tokens must have; `None`: not checked.
    pub fn buyer_jwt_issuer(&self) -> Option<&str> {
        self.buyer_jwt_issuer.as_deref().filter(|issuer| !issuer.is_empty())
    }
}

impl AuditKeys {
    /// The key that signs.
    pub fn audit_key(&self) -> Option<&Secret> {
        self.audit_key.as_ref().filter(|key| !key.expose().is_empty())
    }

    /// The public keys that signed before.
    pub fn audit_old_keys(&self) -> impl Iterator<Item = &str> {
        self.audit_old_keys.iter().map(|key| key.trim()).filter(|key| !key.is_empty())
    }
}

/// Text that must not be shown. Its `Debug` says so instead.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Whoever calls this keeps it out of logs and messages.
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
    // Whether it is a good one is said later: clap's messages would quote it.
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text.trim()))
    }
}

/// Where the private Postgres lives when nothing is configured.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn default_data_dir() -> PathBuf {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    embedded::default_data_dir(folder("XDG_DATA_HOME").or_else(|| Some(folder("HOME")?.join(".local/share"))))
}

/// The folder with `PostgreSQL`'s programs, for the tests, which have no command line of ours.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn postgres_bin_dir() -> Option<PathBuf> {
    given(std::env::var_os("PG_BIN_DIR").map(PathBuf::from).as_ref()).cloned()
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "a whole number from 1 on".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let duration = seconds_or_none(text)?;
    if duration.is_zero() { Err("more than 0 seconds".to_owned()) } else { Ok(duration) }
}

fn seconds_or_none(text: &str) -> Result<Duration, String> {
    let number = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    number.filter(|duration| *duration <= Duration::from_hours(1)).ok_or_else(|| "seconds, up to 3600".to_owned())
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
