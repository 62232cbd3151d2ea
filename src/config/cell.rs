//! The setting of the cell.

use std::str::FromStr;

use clap::Args;

use crate::domain::values::cell::{CellName, InvalidCellName};

/// The cell that the database is.
#[derive(Clone, Debug, Default, Args)]
pub struct CellSetting {
    /// Name of the cell, such as `eu1`, where partners are spread over several databases or schemas
    /// behind a gateway: 1 to 16 characters a-z, 0-9 and -. Unset: there is only one, without a name.
    #[arg(id = "cell", long = "cell", env = "STAGEGATE_CELL", value_name = "NAME")]
    cell: Option<OptionalCell>,
}

/// A name or none; container tools pass unset variables as empty strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OptionalCell(pub(super) Option<CellName>);

impl FromStr for OptionalCell {
    type Err = InvalidCellName;

    fn from_str(text: &str) -> Result<Self, InvalidCellName> {
        if text.is_empty() { Ok(Self(None)) } else { text.parse().map(|name| Self(Some(name))) }
    }
}

impl CellSetting {
    /// The name, if one is set.
    pub fn name(&self) -> Option<&CellName> {
        self.cell.as_ref().and_then(|given| given.0.as_ref())
    }
}
