//! What may be called: rules for URLs, and for the addresses behind their names.
//!
//! Owners of endpoints choose where we connect to, from inside our own network, so the rules hold wherever a URL
//! comes near a socket. [`Target::parse`] reads a URL so that one notation of each address is left, and judges
//! literal ones. [`check`] judges a name when it is registered. At each attempt `Guard` judges all of it again and
//! gives out the addresses to connect to: there is no second look-up, so an answer that changes meanwhile changes
//! nothing. A name with one address that is not allowed is refused as a whole.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hyper::Uri;
use url::{Host, Url};

mod ranges;
#[cfg(test)]
mod tests;

/// The longest URL, in characters.
const MAX_LENGTH: usize = 2000;
/// Ports from 1024 up that belong to another protocol, as browsers know them (WHATWG Fetch, "port blocking"): a request
/// to one of them could be read as a command there.
const BAD_PORTS: [u16; 19] =
    [1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080];
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

/// Why a URL may not be called. Shown to the owner of the endpoint: it does not tell to which private address a
/// name leads.
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
    /// A port at which other protocols than HTTP listen.
    #[error("must name port 443, or one from 1024 up that no other protocol is known for; {port} is not allowed")]
    Port {
        /// The port.
        port: u16,
    },
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
            Self::Port { .. } => "port",
            Self::PrivateAddress { .. } => "private_address",
            Self::PrivateName { .. } => "private_name",
            Self::Unresolved { .. } => "unresolved",
        }
    }
}

/// A URL that may be called as far as can be told without asking for its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    url: Url,
    /// The same for the HTTP client.
    uri: Uri,
}

impl Target {
    /// Reads and checks a URL. What is kept is its canonical form: `https://0x7f.1/` is `https://127.0.0.1/`.
    pub fn parse(text: &str, reach: Reach) -> Result<Self, Refused> {
        let url = Url::parse(text).map_err(|_| Refused::NotAUrl)?;
        // What the client could not send is no URL either.
        let uri = url.as_str().parse();
        let rules = Rules::of(reach);
        rules.admit(&url)?;
        Ok(Self { uri: uri.map_err(|_| Refused::NotAUrl)?, url })
    }

    /// The URL in its canonical form, which parses to the same.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The host, without the port.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }
}

/// Asks for the target's name now, and judges every address of it. For registration: tells an owner early what an
/// attempt would find.
pub async fn check(target: &Target, reach: Reach) -> Result<(), Refused> {
    let guard = Guard::new(Rules::of(reach));
    match tokio::time::timeout(PATIENCE, guard.addresses(target)).await {
        Ok(found) => found.map(drop),
        Err(_) => Err(Refused::Unresolved { name: target.host().to_owned() }),
    }
}

/// What a [`Reach`] comes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Whether http is allowed beside https.
    pub(super) plain: bool,
    /// Whether a port may be called.
    pub(super) admits_port: fn(u16) -> bool,
    /// What an address that may not be called belongs to.
    pub(super) forbids: fn(IpAddr) -> Option<&'static str>,
}

impl Rules {
    pub(super) fn of(reach: Reach) -> Self {
        match reach {
            Reach::PublicOnly => Self { plain: false, admits_port: is_for_receivers, forbids: ranges::not_public },
            Reach::Anywhere => Self { plain: true, admits_port: |_| true, forbids: |_| None },
        }
    }

    /// Whether the URL obeys them, as far as it says itself where it leads.
    fn admit(&self, url: &Url) -> Result<(), Refused> {
        if url.scheme() != "https" && !(self.plain && url.scheme() == "http") {
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
        // The URL has a port of its own only where it is not that of its scheme.
        if let Some(port) = url.port().filter(|port| !(self.admits_port)(*port)) {
            return Err(Refused::Port { port });
        }
        let Some(address) = literal(url) else { return Ok(()) };
        match (self.forbids)(address) {
            Some(range) => Err(Refused::PrivateAddress { address, range }),
            None => Ok(()),
        }
    }
}

/// Whether receivers may listen at a port: a URL must not make the service speak to the mail or file servers of others.
fn is_for_receivers(port: u16) -> bool {
    port >= 1024 && !BAD_PORTS.contains(&port)
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    }
}

/// Looks a name up.
pub(super) type Lookup = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// The only source of addresses to connect to.
#[derive(Clone)]
pub(super) struct Guard {
    rules: Rules,
    lookup: Arc<Lookup>,
}

impl Guard {
    pub(super) fn new(rules: Rules) -> Self {
        Self::with_lookup(rules, Arc::new(|name| Box::pin(ask_the_system(name))))
    }

    pub(super) fn with_lookup(rules: Rules, lookup: Arc<Lookup>) -> Self {
        Self { rules, lookup }
    }

    /// All addresses of the target if all are allowed, which are one at least; else none.
    pub(super) async fn addresses(&self, target: &Target) -> Result<Vec<IpAddr>, Refused> {
        // The rules may be others than when it was parsed.
        self.rules.admit(&target.url)?;
        if let Some(address) = literal(&target.url) {
            return Ok(vec![address]);
        }
        let name = target.host().to_owned();
        let found = (self.lookup)(name.clone()).await.unwrap_or_default();
        if found.is_empty() {
            return Err(Refused::Unresolved { name });
        }
        match found.iter().find_map(|address| (self.rules.forbids)(*address)) {
            Some(range) => Err(Refused::PrivateName { name, range }),
            None => Ok(found),
        }
    }
}

async fn ask_the_system(name: String) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}
