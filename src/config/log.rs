//! Settings of the log.

use clap::{Args, ValueEnum};

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
