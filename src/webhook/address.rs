//! Decides which addresses may be called: rules for URLs and for the addresses behind their names.
//!
//! Owners of endpoints choose where we connect to, from inside our own network, so every URL is
//! checked before a socket opens (SSRF). [`Target::parse`] reduces a URL to one notation of each
//! address and checks literal addresses. [`check`] checks a name when it is registered. At each
//! attempt, `Guard` checks everything again and returns the addresses to connect to. There is no
//! second look-up, so a DNS answer that changes in between has no effect. A name with one forbidden
//! address is refused as a whole.

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
/// Ports from 1024 up that belong to another protocol, as browsers block them (WHATWG Fetch, "port
/// blocking"). A server there could read the request as a command.
const BAD_PORTS: [u16; 19] =
    [1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080];
/// The limit for resolving a name when it is registered.
const PATIENCE: Duration = Duration::from_secs(3);

/// Which addresses webhooks may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses over https.
    PublicOnly,
    /// Also private addresses and plain http: for tests and local trials.
    Anywhere,
}

/// Why a URL may not be called. The endpoint's owner sees it, so it does not tell to which private
/// address a name resolves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not an absolute URL with a host.
    #[error("must be an absolute URL with a host, such as https://example.com/hooks")]
    NotAUrl,
    /// Longer than 2,000 characters.
    #[error("must be at most {MAX_LENGTH} characters, as written in a request")]
    TooLong,
    /// Another scheme.
    #[error("must begin with https://")]
    NotHttps,
    /// A user name or password before the host.
    #[error("must not hold a user name or password; deliveries are signed")]
    Userinfo,
    /// A fragment, which is never sent.
    #[error("must not have a fragment (#…), which is never sent")]
    Fragment,
    /// A port that another protocol than HTTP uses.
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
        /// The range that it belongs to.
        range: &'static str,
    },
    /// A name that has at least one address which is not public.
    #[error("{name} resolves to an address that is not public ({range})")]
    PrivateName {
        /// The name.
        name: String,
        /// The range that the address belongs to.
        range: &'static str,
    },
    /// A name that does not resolve to an address, at least for now.
    #[error("{name} does not resolve to an address")]
    Unresolved {
        /// The name.
        name: String,
    },
}

impl Refused {
    /// A stable code for it.
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

/// A URL that may be called, as far as can be told without resolving its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    url: Url,
    /// The same URL for the HTTP client.
    uri: Uri,
}

impl Target {
    /// Parses and checks a URL. It keeps the canonical form: `https://0x7f.1/` becomes
    /// `https://127.0.0.1/`.
    pub fn parse(text: &str, reach: Reach) -> Result<Self, Refused> {
        let url = Url::parse(text).map_err(|_| Refused::NotAUrl)?;
        // A URL that the client could not send is refused too.
        let uri = url.as_str().parse();
        let rules = Rules::of(reach);
        rules.admit(&url)?;
        Ok(Self { uri: uri.map_err(|_| Refused::NotAUrl)?, url })
    }

    /// The canonical form, which parses to the same target.
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

/// Resolves the target's name now and checks all of its addresses. At registration, this tells an
/// owner early what an attempt would find.
pub async fn check(target: &Target, reach: Reach) -> Result<(), Refused> {
    let guard = Guard::new(Rules::of(reach));
    match tokio::time::timeout(PATIENCE, guard.addresses(target)).await {
        Ok(found) => found.map(drop),
        Err(_) => Err(Refused::Unresolved { name: target.host().to_owned() }),
    }
}

/// The rules of a [`Reach`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Whether http is allowed besides https.
    pub(super) plain: bool,
    /// Whether a port may be called.
    pub(super) admits_port: fn(u16) -> bool,
    /// The range of an address that may not be called.
    pub(super) forbids: fn(IpAddr) -> Option<&'static str>,
}

impl Rules {
    pub(super) fn of(reach: Reach) -> Self {
        match reach {
            Reach::PublicOnly => Self { plain: false, admits_port: is_for_receivers, forbids: ranges::not_public },
            Reach::Anywhere => Self { plain: true, admits_port: |_| true, forbids: |_| None },
        }
    }

    /// Checks the URL, as far as it says itself where it leads.
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
        // `port()` returns a port only if it is not the default of the scheme.
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

/// Whether receivers may listen on a port. A URL must not make the service talk to the mail or file
/// servers of others.
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

/// Resolves a name.
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

    /// Returns all addresses of the target, at least one, if all are allowed.
    pub(super) async fn addresses(&self, target: &Target) -> Result<Vec<IpAddr>, Refused> {
        // The rules may have changed since the target was parsed.
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
