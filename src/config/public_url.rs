//! The URL by which browsers reach the service.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// An origin that browsers trust with a cookie: `https`, or `http` on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

/// A URL that cannot be the public one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an origin such as https://stagegate.example, without a path; http is allowed for this machine only")]
pub struct InvalidPublicUrl;

impl PublicUrl {
    /// The origin, such as `https://stagegate.example`.
    pub fn origin(&self) -> &str {
        &self.0
    }
}

impl FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPublicUrl> {
        let url = Url::parse(text).map_err(|_| InvalidPublicUrl)?;
        let is_secure = match url.scheme() {
            "https" => url.host().is_some(),
            "http" => url.host().is_some_and(|host| is_loopback(&host)),
            _ => false,
        };
        let is_bare = url.username().is_empty() && url.password().is_none() && url.path() == "/";
        if is_secure && is_bare && url.query().is_none() && url.fragment().is_none() {
            Ok(Self(url.origin().ascii_serialization()))
        } else {
            Err(InvalidPublicUrl)
        }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// A public URL or none; container tools pass unset variables as empty strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OptionalUrl(pub(super) Option<PublicUrl>);

impl FromStr for OptionalUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPublicUrl> {
        if text.is_empty() { Ok(Self(None)) } else { text.parse().map(|url| Self(Some(url))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_url_is_an_origin_that_browsers_trust() {
        for (text, origin) in [
            ("https://stagegate.example", "https://stagegate.example"),
            ("https://Stagegate.example/", "https://stagegate.example"),
            ("https://stagegate.example:8443", "https://stagegate.example:8443"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://localhost", "http://localhost"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().origin(), origin);
        }
        for text in [
            "stagegate.example",
            "http://stagegate.example",
            "http://10.0.0.1",
            "ftp://localhost",
            "https://stagegate.example/below",
            "https://stagegate.example?x",
            "https://stagegate.example#x",
            "https://me@stagegate.example",
            "https://:x@stagegate.example",
            "https://",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
        assert_eq!("".parse(), Ok(OptionalUrl(None)));
    }
}
