//! Settings of retention.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;

/// When closed tasks are put away, and where.
#[derive(Clone, Debug, Args)]
pub struct Retention {
    /// Days after which a closed task is put away: its trail becomes a file of the archive, and its
    /// rows are deleted. From 30 to 36500. Unset: tasks stay for ever.
    #[arg(long, env = "STAGEGATE_RETENTION_DAYS", value_name = "DAYS")]
    retention_days: Option<OptionalDays>,
    /// Directory of the archive, which must exist. Replicas that put tasks away must share it.
    #[arg(long, env = "STAGEGATE_ARCHIVE_DIR", value_name = "DIR")]
    archive_dir: Option<PathBuf>,
}

impl Retention {
    /// The number of days and the directory, if both are set.
    pub fn policy(&self) -> Option<(u16, &Path)> {
        self.days().zip(self.dir())
    }

    /// The number of days.
    pub(super) fn days(&self) -> Option<u16> {
        self.retention_days.and_then(|given| given.0)
    }

    /// The directory.
    pub(super) fn dir(&self) -> Option<&Path> {
        self.archive_dir.as_deref().filter(|dir| !dir.as_os_str().is_empty())
    }
}

/// A number of days or none; container tools pass unset variables as empty strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OptionalDays(Option<u16>);

impl FromStr for OptionalDays {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        // The feed and links promise that long.
        let days = text.parse().ok().filter(|days| (30..=36_500).contains(days));
        days.map(|days| Self(Some(days))).ok_or("must be a number of days from 30 to 36500")
    }
}
