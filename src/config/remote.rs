//! Settings of the commands that speak to a running service: where it is, and as whom.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::domain::values::cell::CellName;

use super::Secret;
use super::cell::OptionalCell;
use super::database::default_data_dir;

/// A service, the credential for it, and the form of the output.
#[derive(Clone, Debug, Args)]
pub struct Remote {
    /// URL of the service.
    #[arg(long, env = "STAGEGATE_URL", default_value = "http://127.0.0.1:8080", value_name = "URL", global = true)]
    pub url: String,
    /// The credential: a partner's key, the platform's key, or a buyer's token.
    #[arg(long, env = "STAGEGATE_KEY", hide_env_values = true, value_name = "KEY", global = true)]
    key: Option<Secret>,
    /// Use this credential of the trial on this machine, which `stagegate keys` prints, instead of a
    /// key.
    #[arg(id = "as", long = "as", value_name = "PARTY", ignore_case = true, global = true)]
    pub party: Option<TrialParty>,
    /// With `--as`: the directory of the trial, as for `stagegate keys`.
    #[arg(long, env = "STAGEGATE_DATA_DIR", value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// Name of the cell to ask, where a gateway cannot tell it from the key.
    #[arg(long, env = "STAGEGATE_CELL", value_name = "NAME", global = true)]
    cell: Option<OptionalCell>,
    /// Print JSON for programs. Errors are JSON, too, on standard error.
    #[arg(long, global = true)]
    pub json: bool,
}

/// A credential of the trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum TrialParty {
    /// The platform's key.
    Platform,
    /// The partner's key.
    Partner,
    /// The buyer's token.
    Buyer,
}

impl Remote {
    /// The given key.
    pub fn key(&self) -> Option<&Secret> {
        self.key.as_ref().filter(|key| !key.expose().is_empty())
    }

    /// The cell to ask, if one is named.
    pub fn cell(&self) -> Option<&CellName> {
        self.cell.as_ref().and_then(|given| given.0.as_ref())
    }

    /// The directory of the trial.
    pub fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(default_data_dir)
    }
}
