//! What every page has around its content: the head, the skip link, whom the visitor acts as.

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use chrono_tz::Tz;

use super::texts::{Language, Texts};
use super::times::Times;
use super::{assets, headers};

/// The cookie of the language that a visitor chose.
pub(super) const LANGUAGE_COOKIE: &str = "stagegate-language";

/// What every page has around its content.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// The title and the heading.
    pub(super) title: String,
    /// The words of the page.
    pub(super) t: Texts,
    /// How the page writes times.
    pub(super) times: Times,
    /// Whom the visitor acts as; `None` without a session.
    pub(super) acting: Option<Acting>,
    /// The entries of the navigation.
    pub(super) navigation: Vec<Entry>,
}

/// Whom the visitor acts as.
#[derive(Clone, Debug)]
pub(super) struct Acting {
    /// The person's name, or the id where no name is known; empty for a buyer.
    pub(super) name: String,
    /// The id of the text that names the party.
    pub(super) party: &'static str,
    /// The person's role, as the party gave it.
    pub(super) role: Option<String>,
    /// Whether the link may have been mailed, so that somebody else may have opened it.
    pub(super) is_mailed: bool,
    /// The token of the form that ends the session.
    pub(super) form: String,
}

/// An entry of the navigation.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Where it leads.
    pub(super) path: &'static str,
    /// The id of its text.
    pub(super) text: &'static str,
    /// Whether the page belongs to it.
    pub(super) is_current: bool,
}

impl Frame {
    /// The frame of a visitor without a session.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self::new(language(headers, None), None)
    }

    /// A frame with this language and time zone.
    pub(super) fn new(language: Language, zone: Option<Tz>) -> Self {
        let t = Texts { language };
        Self { title: String::new(), t, times: Times::new(t, zone), acting: None, navigation: Vec::new() }
    }

    /// The same frame with this title.
    #[must_use]
    pub(super) fn titled(&self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self.clone() }
    }

    /// The address of a style or a script.
    #[expect(clippy::unused_self, reason = "templates ask the frame for what surrounds them")]
    pub(super) fn asset(&self, name: &str) -> String {
        format!("/assets/{}/{name}", assets::build())
    }

    /// The other languages, for the switch.
    pub(super) fn languages(&self) -> Vec<Language> {
        Language::ALL.into_iter().filter(|language| *language != self.t.language).collect()
    }
}

/// The language of a visitor: the one that the visitor chose, else the link's, else the browser's.
pub(super) fn language(headers: &HeaderMap, of_link: Option<&str>) -> Language {
    let chosen = cookie(headers, LANGUAGE_COOKIE).and_then(Language::parse);
    let accepted = || {
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        accepted.and_then(Language::accepted)
    };
    chosen.or_else(|| of_link.and_then(Language::parse)).or_else(accepted).unwrap_or_default()
}

/// The value of a cookie (RFC 6265, section 5.4), if it is sent exactly once.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// Renders a page with its headers.
pub(super) fn render(status: StatusCode, page: &impl Template) -> Response {
    let (status, html) = match page.render() {
        Ok(html) => (status, html),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, String::new())
        }
    };
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers::set(headers);
    response
}
