//! What may be called: rules for URLs, and for the addresses behind their names.
//!
//! Owners of endpoints choose where we connect to, from inside our own network, so the rules hold wherever a URL comes near a socket.
//! [`Target::parse`] reads it as the HTTP client does, which leaves one notation of each address. A literal address is judged there and
//! again at each attempt, since HTTP clients do not ask their resolver about those. A name is judged by [`check`] when it is registered and
//! by `Guard` at each attempt; `Guard` is the client's only resolver, so what was judged is what is connected to, and an answer that changes
//! meanwhile changes nothing. A name with one address that is not allowed is refused as a whole.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

mod ranges;
#[cfg(test)]
mod tests;

/// The longest URL, in characters.
const MAX_LENGTH: usize = 2000;
/// How long a name may take to resolve when it is registered.
const PATIENCE: Duration = Duration::from_secs(3);

/// How far webhooks reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses, over https.
    PublicOnly,
    /// Private addresses and plain http too: for tests and local trials.
    Anywhere,
}

/// Why a URL may not be called. Shown to the owner of the endpoint: it does not tell to which private address a name leads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No absolute URL with a host.
    #[error("must be an absolute URL with a host, such as https://example.com/hooks")]
    NotAUrl,
    /// Longer than 2,000 characters.
    #[error("must be at most {MAX_LENGTH} characters, as written in a request")]
    TooLong,
    /// Another scheme.
    #[error("must begin with https://")]
    NotHttps,
    /// A name or password before the host.
    #[error("must not hold a user name or password; deliveries are signed")]
    Userinfo,
    /// A fragment, which is never sent.
    #[error("must not have a fragment (#…), which is never sent")]
    Fragment,
    /// A literal address that is not public.
    #[error("{address} is not a public address ({range})")]
    PrivateAddress {
        /// The address, in its canonical notation.
        address: IpAddr,
        /// What it belongs to.
        range: &'static str,
    },
    /// A name, at least one of whose addresses is not public.
    #[error("{name} resolves to an address that is not public ({range})")]
    PrivateName {
        /// The name.
        name: String,
        /// What the address belongs to.
        range: &'static str,
    },
    /// A name without an address, for now at least.
    #[error("{name} does not resolve to an address")]
    Unresolved {
        /// The name.
        name: String,
    },
}

impl Refused {
    /// A stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAUrl => "not_a_url",
            Self::TooLong => "too_long",
            Self::NotHttps => "not_https",
            Self::Userinfo => "userinfo",
            Self::Fragment => "fragment",
            Self::PrivateAddress { .. } => "private_address",
            Self::PrivateName { .. } => "private_name",
            Self::Unresolved { .. } => "unresolved",
        }
    }
}

/// A URL that may be called as far as can be told without asking for its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(Url);

impl Target {
    /// Reads and checks a URL. What is kept is its canonical form: `https://0x7f.1/` is `https://127.0.0.1/`.
    pub fn parse(text: &str, reach: Reach) -> Result<Self, Refused> {
        let target = Self(Url::parse(text).map_err(|_| Refused::NotAUrl)?);
        target.admitted(&Rules::of(reach))?;
        Ok(target)
    }

    /// The URL in its canonical form, which parses to the same.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host, without the port.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// Whether the URL itself obeys the rules, which may be others than when it was parsed.
    pub(super) fn admitted(&self, rules: &Rules) -> Result<(), Refused> {
        let url = &self.0;
        if url.scheme() != "https" && !(rules.plain && url.scheme() == "http") {
            return Err(Refused::NotHttps);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Userinfo);
        }
        if url.fragment().is_some() {
            return Err(Refused::Fragment);
        }
        if url.as_str().len() > MAX_LENGTH {
            return Err(Refused::TooLong);
        }
        // What the client would not send is no URL either.
        if hyper::Uri::from_str(url.as_str()).is_err() {
            return Err(Refused::NotAUrl);
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Refused::NotAUrl),
        };
        match (rules.forbids)(address) {
            Some(range) => Err(Refused::PrivateAddress { address, range }),
            None => Ok(()),
        }
    }
}

/// Asks for the target's name now, and judges every address of it. For registration: tells an owner early what an attempt would find.
pub async fn check(target: &Target, reach: Reach) -> Result<(), Refused> {
    let rules = Rules::of(reach);
    target.admitted(&rules)?;
    let Some(Host::Domain(name)) = target.0.host() else { return Ok(()) };
    let guard = Guard::new(rules);
    let resolved = tokio::time::timeout(PATIENCE, guard.addresses(name)).await;
    resolved.unwrap_or_else(|_| Err(Refused::Unresolved { name: name.to_owned() })).map(drop)
}

/// What a [`Reach`] comes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Whether http is allowed beside https.
    pub(super) plain: bool,
    /// What an address that may not be called belongs to.
    pub(super) forbids: fn(IpAddr) -> Option<&'static str>,
}

impl Rules {
    pub(super) fn of(reach: Reach) -> Self {
        match reach {
            Reach::PublicOnly => Self { plain: false, forbids: ranges::not_public },
            Reach::Anywhere => Self { plain: true, forbids: |_| None },
        }
    }
}

/// The client's resolver: gives all addresses of a name if all are allowed, else none.
#[derive(Clone)]
pub(super) struct Guard {
    rules: Rules,
    names: Arc<dyn Resolve>,
}

impl Guard {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, names: Arc::new(SystemNames) }
    }

    /// With other answers than the system's.
    #[cfg(test)]
    pub(super) fn with_names(rules: Rules, names: Arc<dyn Resolve>) -> Self {
        Self { rules, names }
    }

    async fn addresses(&self, name: &str) -> Result<Vec<SocketAddr>, Refused> {
        let unresolved = || Refused::Unresolved { name: name.to_owned() };
        let asked = Name::from_str(name).map_err(|_| unresolved())?;
        let found: Vec<SocketAddr> = self.names.resolve(asked).await.map_err(|_| unresolved())?.collect();
        if found.is_empty() {
            return Err(unresolved());
        }
        match found.iter().find_map(|address| (self.rules.forbids)(address.ip())) {
            Some(range) => Err(Refused::PrivateName { name: name.to_owned(), range }),
            None => Ok(found),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses: Addrs = Box::new(guard.addresses(name.as_str()).await?.into_iter());
            Ok(addresses)
        })
    }
}

/// The system's own resolver.
struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The client puts the URL's port in the place of 0.
            let found: io::Result<Vec<SocketAddr>> =
                tokio::net::lookup_host((name.as_str(), 0)).await.map(Iterator::collect);
            let addresses: Addrs = Box::new(found?.into_iter());
            Ok(addresses)
        })
    }
}
