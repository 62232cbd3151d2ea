//! The scopes of partners' keys.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::outside::nothing_to_check;

/// A kind of operation that a key can be limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Submit work, report progress, hold, resume and cancel.
    Work,
    /// Vote, escalate, and resolve escalations.
    Review,
    /// Manage workflows, webhooks and keys, and change who reviews a task.
    Define,
    /// Every `GET`. Every other scope includes it.
    Read,
}

nothing_to_check!(Scope);

impl Scope {
    /// Every scope, in the order of the contract.
    pub const ALL: [Self; 4] = [Self::Work, Self::Review, Self::Define, Self::Read];

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Review => "review",
            Self::Define => "define",
            Self::Read => "read",
        }
    }

    /// The scope with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Work => 1,
            Self::Review => 2,
            Self::Define => 4,
            Self::Read => 8,
        }
    }
}

/// A set of scopes. On the wire it is a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes(u8);

impl Scopes {
    /// No scope.
    pub const NONE: Self = Self(0);

    /// These scopes.
    pub const fn of(scopes: &[Scope]) -> Self {
        let (mut bits, mut index) = (0, 0);
        while index < scopes.len() {
            bits |= scopes[index].bit();
            index += 1;
        }
        Self(bits)
    }

    /// Every scope.
    pub const fn all() -> Self {
        Self::of(&Scope::ALL)
    }

    /// Whether it contains the scope, by itself or through another one.
    pub fn include(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0 || (scope == Scope::Read && self.0 != 0)
    }

    /// Whether it includes any of these.
    pub fn include_any(self, of: Self) -> bool {
        of.iter().any(|scope| self.include(scope))
    }

    /// Whether it includes all of these.
    pub fn include_all(self, of: Self) -> bool {
        of.iter().all(|scope| self.include(scope))
    }

    /// The scopes, in the order of the contract.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.0 & scope.bit() != 0)
    }
}

/// The names as part of a sentence: `work or review`.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            let before = if index == 0 { "" } else { " or " };
            write!(f, "{before}`{}`", scope.as_str())?;
        }
        Ok(())
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl From<Vec<Scope>> for Scopes {
    fn from(scopes: Vec<Scope>) -> Self {
        scopes.into_iter().collect()
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_includes_reading_and_no_other() {
        for own in Scope::ALL {
            for other in Scope::ALL {
                let includes = Scopes::of(&[own]).include(other);
                assert_eq!(includes, own == other || other == Scope::Read, "{own:?} {other:?}");
            }
            assert!(!Scopes::NONE.include(own));
        }
    }
}
