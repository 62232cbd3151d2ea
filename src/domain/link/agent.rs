//! The family of a browser, the only thing about it that is kept.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The family of a browser, by what it calls itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Agent {
    /// Chrome, Chromium, and others that call themselves so.
    Chrome,
    /// Edge.
    Edge,
    /// Firefox.
    Firefox,
    /// Safari.
    Safari,
    /// Any other program, or none that was named.
    #[default]
    Other,
}

impl Agent {
    const ALL: [Self; 5] = [Self::Chrome, Self::Edge, Self::Firefox, Self::Safari, Self::Other];

    /// The family that a `User-Agent` header names. Edge also calls itself Chrome, and Chrome also
    /// Safari.
    pub fn of(user_agent: &str) -> Self {
        let names = [
            (&["Edg/", "EdgA/", "EdgiOS/"][..], Self::Edge),
            (&["Firefox/", "FxiOS/"], Self::Firefox),
            (&["Chrome/", "Chromium/", "CriOS/"], Self::Chrome),
            (&["Safari/"], Self::Safari),
        ];
        let is_named = |tokens: &[&str]| tokens.iter().any(|token| user_agent.contains(token));
        names.into_iter().find(|(tokens, _)| is_named(tokens)).map_or(Self::Other, |(_, family)| family)
    }

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chrome => "chrome",
            Self::Edge => "edge",
            Self::Firefox => "firefox",
            Self::Safari => "safari",
            Self::Other => "other",
        }
    }

    /// The family with this name; another name is another program.
    pub fn stored(name: &str) -> Self {
        Self::ALL.into_iter().find(|agent| agent.as_str() == name).unwrap_or_default()
    }
}
