//! Cells: a schema or database with replicas of its own. Partners are spread over several cells, and
//! whatever a cell gives out that comes back to it (keys, links, cursors) names it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a cell, such as `eu1`: 1 to 16 characters `a-z`, `0-9` and `-`; a letter first, and no
/// hyphen at the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct CellName(#[serde(serialize_with = "as_text")] Arc<str>);

/// Not the name of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a cell has 1 to {} characters a-z, 0-9 and -; it begins with a letter and does not end with a hyphen",
    CellName::MAX
)]
pub struct InvalidCellName;

impl CellName {
    /// Maximum number of characters.
    pub const MAX: usize = 16;

    /// Parses a name.
    pub fn parse(name: &str) -> Result<Self, InvalidCellName> {
        let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fits = (1..=Self::MAX).contains(&name.len())
            && name.bytes().all(is_plain)
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && !name.ends_with('-');
        if fits { Ok(Self(name.into())) } else { Err(InvalidCellName) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CellName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CellName {
    type Err = InvalidCellName;

    fn from_str(name: &str) -> Result<Self, InvalidCellName> {
        Self::parse(name)
    }
}

impl TryFrom<String> for CellName {
    type Error = InvalidCellName;

    fn try_from(name: String) -> Result<Self, InvalidCellName> {
        Self::parse(&name)
    }
}

fn as_text<S: serde::Serializer>(name: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name)
}

/// The cell that a service is. Without a name it is the only one there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    name: Option<CellName>,
    /// Whether it was in use before it got its name, so that what names no cell is its own.
    was_unnamed: bool,
}

/// Something that another cell gave out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is of {}, and this is {}", said(.theirs.as_ref()), said(.ours.as_ref()))]
pub struct OtherCell {
    /// The cell that gave it out; `None`: a service without a name.
    pub theirs: Option<CellName>,
    /// The cell that it came to.
    pub ours: Option<CellName>,
}

fn said(cell: Option<&CellName>) -> String {
    cell.map_or_else(|| "a service without the name of a cell".to_owned(), |name| format!("the cell `{name}`"))
}

impl Cell {
    /// A cell with this name. `was_unnamed`: it was in use before it got the name.
    pub fn named(name: CellName, was_unnamed: bool) -> Self {
        Self { name: Some(name), was_unnamed }
    }

    /// Its name, if it has one.
    pub fn name(&self) -> Option<&CellName> {
        self.name.as_ref()
    }

    /// Checks that this cell gave out what names the cell `theirs`.
    ///
    /// # Errors
    ///
    /// When another one did.
    pub fn check(&self, theirs: Option<&CellName>) -> Result<(), OtherCell> {
        let is_ours = theirs == self.name.as_ref() || theirs.is_none() && self.was_unnamed;
        if is_ours { Ok(()) } else { Err(OtherCell { theirs: theirs.cloned(), ours: self.name.clone() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["a", "eu1", "eu-west-1", "abcdefghijklmnop"] {
            assert_eq!(CellName::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "1eu", "-eu", "eu-", "EU1", "eu_1", "eu.1", "eü", "eu 1", "abcdefghijklmnopq"] {
            assert_eq!(CellName::parse(name), Err(InvalidCellName), "{name}");
        }
    }

    #[test]
    fn a_cell_knows_what_is_its_own() {
        let (eu, us) = (CellName::parse("eu1").unwrap(), CellName::parse("us1").unwrap());
        let (none, fresh, grown) = (Cell::default(), Cell::named(eu.clone(), false), Cell::named(eu.clone(), true));
        assert!(none.check(None).is_ok() && none.check(Some(&eu)).is_err());
        assert!(fresh.check(Some(&eu)).is_ok() && fresh.check(None).is_err());
        assert!(grown.check(Some(&eu)).is_ok() && grown.check(None).is_ok());
        for cell in [none, fresh, grown] {
            assert!(cell.check(Some(&us)).is_err());
        }
        let said = OtherCell { theirs: Some(us), ours: Some(eu) }.to_string();
        assert_eq!(said, "is of the cell `us1`, and this is the cell `eu1`");
    }
}
