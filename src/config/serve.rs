//! Settings of the service.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Args};

use super::cell::CellSetting;
use super::credentials::{AuditKeys, Credentials};
use super::database::Database;
use super::limits::ClientLimits;
use super::public_url::{OptionalUrl, PublicUrl};
use super::retention::Retention;
use super::traces::Traces;

/// Settings of `stagegate serve`.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting that an operator turns on or off")]
pub struct Serve {
    /// The database.
    #[command(flatten)]
    pub database: Database,
    /// The cell.
    #[command(flatten)]
    pub cell: CellSetting,
    /// Credentials of callers.
    #[command(flatten)]
    pub credentials: Credentials,
    /// The keys for checkpoints and receipts.
    #[command(flatten)]
    pub audit_keys: AuditKeys,
    /// Limits for clients.
    #[command(flatten)]
    pub limits: ClientLimits,
    /// Address to listen on. Port 0 selects a free port; the start-up message shows it.
    #[arg(long, env = "STAGEGATE_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Address for `/metrics`, `/health` and `/ready`, separate from the callers' address. Port 0
    /// selects a free port; a start-up message shows it. Unset: no metrics, except that a trial on
    /// the private database serves them on a free port of 127.0.0.1.
    #[arg(long, env = "STAGEGATE_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<OptionalAddress>,
    /// Whether this replica only reads, so that `DATABASE_URL` may lead to a standby. It refuses
    /// what writes, and the defaults of the settings for migrations, timers, webhooks and pages become
    /// `false`.
    #[arg(long, env = "STAGEGATE_READ_ONLY", default_value_t = false, action = ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub read_only: bool,
    /// Whether to apply pending migrations at start. Turn this off if the deployment runs
    /// `stagegate migrate`.
    #[arg(long, env = "STAGEGATE_MIGRATE", default_value_t = true, default_value_if("read_only", "true", "false"),
        action = ArgAction::Set, value_name = "true|false")]
    pub migrate: bool,
    /// Whether this replica runs timers (deadlines, reminders, expiry) and erasures. At least one
    /// replica must.
    #[arg(long, env = "STAGEGATE_TIMERS", default_value_t = true, default_value_if("read_only", "true", "false"),
        action = ArgAction::Set, value_name = "true|false")]
    pub timers: bool,
    /// Whether an escalation that the platform raised is approved or rejected only by another person
    /// under another platform key. Turn this off only if one person operates the platform; the trail
    /// then marks such decisions with `single_person`.
    #[arg(long, env = "STAGEGATE_DUAL_CONTROL", default_value_t = true, action = ArgAction::Set, value_name = "true|false")]
    pub dual_control: bool,
    /// Number of database connections, all opened at start. More than 16 slow the database down.
    #[arg(long, env = "STAGEGATE_POOL_SIZE", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100), value_name = "N")]
    pub pool_size: u32,
    /// Whether the statement that writes decisions is planned once, by its primary key whatever the
    /// statistics say. Turn this off for engines on top of Postgres that refuse such a plan, such as
    /// Citus; through a pooler it is off.
    #[arg(long, env = "STAGEGATE_FIXED_PLAN", default_value_t = true, action = ArgAction::Set, value_name = "true|false")]
    pub fixed_plan: bool,
    /// Origins that browsers may call the service from, comma-separated. Default: none.
    #[arg(long, env = "STAGEGATE_CORS_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub cors_origins: Vec<String>,
    /// Origin by which browsers reach the service, such as `https://stagegate.example`; `http` for
    /// this machine only. Unset: no links and no pages, except that a trial on the private database
    /// uses the address that it listens on.
    #[arg(long, env = "STAGEGATE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<OptionalUrl>,
    /// Whether to serve pages for people. Turn this off where only the API is wanted.
    #[arg(long, env = "STAGEGATE_PAGES", default_value_t = true, default_value_if("read_only", "true", "false"),
        action = ArgAction::Set, value_name = "true|false")]
    pub pages: bool,
    /// Settings of webhooks.
    #[command(flatten)]
    pub webhooks: Webhooks,
    /// When closed tasks are put away.
    #[command(flatten)]
    pub retention: Retention,
    /// Where traces are sent.
    #[command(flatten)]
    pub traces: Traces,
}

impl Serve {
    /// The address for metrics, if any.
    pub fn metrics_listen(&self) -> Option<SocketAddr> {
        let trial = || self.database.url().is_none().then(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        self.metrics_listen.and_then(|given| given.0).or_else(trial)
    }

    /// The origin by which browsers reach the service, if one is set.
    pub fn public_url(&self) -> Option<&PublicUrl> {
        self.public_url.as_ref().and_then(|given| given.0.as_ref())
    }

    /// Checks that the settings are compatible.
    ///
    /// # Errors
    ///
    /// When two settings contradict each other; the error names both.
    pub fn check(&self) -> Result<(), Contradiction> {
        let ClientLimits { body_timeout, request_timeout, .. } = self.limits;
        if body_timeout > request_timeout {
            return Err(Contradiction::BodyTimeout(body_timeout, request_timeout));
        }
        if self.listen.port() != 0 && self.metrics_listen() == Some(self.listen) {
            return Err(Contradiction::SameAddress(self.listen));
        }
        match (self.retention.days(), self.retention.dir()) {
            (Some(_), None) => return Err(Contradiction::NoArchive),
            (None, Some(_)) => return Err(Contradiction::NoRetention),
            (Some(_), Some(_)) if self.audit_keys.audit_key().is_none() && self.database.url().is_some() => {
                return Err(Contradiction::NoAuditKey);
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        if self.read_only { self.check_read_only() } else { Ok(()) }
    }

    /// Checks that nothing was turned on that writes: the defaults are off.
    fn check_read_only(&self) -> Result<(), Contradiction> {
        let writing = [
            ("STAGEGATE_MIGRATE", self.migrate),
            ("STAGEGATE_TIMERS", self.timers),
            ("STAGEGATE_DELIVERIES", self.webhooks.deliveries),
            // A session is a row.
            ("STAGEGATE_PAGES", self.pages),
            ("STAGEGATE_RETENTION_DAYS", self.retention.days().is_some()),
        ];
        if let Some((name, _)) = writing.into_iter().find(|(_, is_on)| *is_on) {
            return Err(Contradiction::ReadOnly(name));
        }
        if self.database.url().is_none() { Err(Contradiction::ReadOnlyTrial) } else { Ok(()) }
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
    /// What is put away needs a place.
    #[error(
        "STAGEGATE_RETENTION_DAYS is set and STAGEGATE_ARCHIVE_DIR is not: set both, or neither to keep tasks for ever"
    )]
    NoArchive,
    /// Nothing goes to the archive.
    #[error(
        "STAGEGATE_ARCHIVE_DIR is set and STAGEGATE_RETENTION_DAYS is not: set both, or neither to keep tasks for ever"
    )]
    NoRetention,
    /// The files would prove nothing.
    #[error(
        "STAGEGATE_RETENTION_DAYS is set and STAGEGATE_AUDIT_KEY is not: without its signatures the files would prove nothing"
    )]
    NoAuditKey,
    /// A replica that only reads was told to write.
    #[error(
        "STAGEGATE_READ_ONLY and {0} are both true, and a replica that only reads cannot do both: leave one of them out"
    )]
    ReadOnly(&'static str),
    /// The private database has no standby, and nobody else would write to it.
    #[error("STAGEGATE_READ_ONLY needs DATABASE_URL: the address of a standby, or of the primary")]
    ReadOnlyTrial,
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
    #[arg(long, env = "STAGEGATE_DELIVERIES", default_value_t = true, default_value_if("read_only", "true", "false"),
        action = ArgAction::Set, value_name = "true|false")]
    pub deliveries: bool,
    /// Allow webhooks to private addresses and over plain http. For tests and local trials only.
    #[arg(long, env = "STAGEGATE_WEBHOOK_ALLOW_PRIVATE", default_value_t = false, action = ArgAction::Set,
        num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub webhook_allow_private: bool,
}
