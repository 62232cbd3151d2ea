//! Somebody with a browser: follows a link, keeps the cookies, reads pages and sends their forms.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Request, header};
use scraper::{ElementRef, Html, Selector};
use serde_json::json;
use stagegate::app::Caller;
use stagegate::domain::link::{LinkKind, NewLink, OpenMode};
use stagegate::domain::partner::api_key::ApiKey;
use stagegate::domain::values::id::{CredentialId, TaskId};
use stagegate::domain::values::party::{Actor, Party};
use stagegate::http::HttpService;
use tower::ServiceExt as _;

use super::parties::Parties;
use super::service::PUBLIC_ORIGIN;
use super::waiting::PATIENCE;

/// Somebody with a browser.
#[derive(Clone, Debug)]
pub struct Visitor {
    router: HttpService,
    cookies: BTreeMap<String, String>,
}

/// A page as a browser received it.
#[derive(Clone, Debug)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub html: String,
}

impl Visitor {
    /// A browser without cookies, at this replica.
    pub fn new(router: &HttpService) -> Self {
        Self { router: router.clone(), cookies: BTreeMap::new() }
    }

    /// Sets a cookie, as a page of the service would.
    pub fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }

    /// Reads a page.
    pub async fn get(&mut self, path: &str) -> Page {
        self.send("GET", path, &[], String::new()).await
    }

    /// Reads a page that must be there.
    pub async fn read(&mut self, path: &str) -> Page {
        let page = self.get(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        page
    }

    /// Sends a form as a page of the service does.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let origin = [("sec-fetch-site", "same-origin"), ("origin", PUBLIC_ORIGIN)];
        self.post_with(path, fields, &origin).await
    }

    /// Sends a form with these headers about where it comes from.
    pub async fn post_with(&mut self, path: &str, fields: &[(&str, &str)], origin: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers: Vec<_> =
            [("content-type", "application/x-www-form-urlencoded")].into_iter().chain(origin.iter().copied()).collect();
        self.send("POST", path, &headers, body).await
    }

    /// Sends the form of a page that is posted to `path`: its hidden fields, and these.
    pub async fn submit(&mut self, page: &Page, path: &str, fields: &[(&str, &str)]) -> Page {
        let hidden = page.hidden(path);
        let given = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<_> = given.filter(|(name, _)| !fields.iter().any(|(other, _)| other == name)).collect();
        self.post(path, &[&all, fields].concat()).await
    }

    /// Follows a redirect.
    pub async fn follow(&mut self, page: Page) -> Page {
        assert_eq!(page.status, 303, "{}", page.text());
        let place = page.headers[header::LOCATION].to_str().unwrap().to_owned();
        self.get(&place).await
    }

    /// Any request, with the browser's cookies.
    pub async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Page {
        let mut request = Request::builder().method(method).uri(path).header("host", "stagegate.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", pairs.join("; "));
        }
        let request = request.body(Body::from(body)).unwrap();
        let response = tokio::time::timeout(PATIENCE, self.router.clone().oneshot(request)).await;
        let (head, body) = response.unwrap_or_else(|_| panic!("{method} {path} hangs")).unwrap().into_parts();
        let bytes = to_bytes(body, 10_000_000).await.unwrap();
        for cookie in head.headers.get_all(header::SET_COOKIE) {
            self.keep(cookie);
        }
        let html = String::from_utf8(bytes.to_vec()).unwrap();
        Page { status: head.status.as_u16(), headers: head.headers, html }
    }

    /// The cookie of the session, if there is one.
    pub fn session(&self) -> Option<&str> {
        self.cookies.get("__Host-stagegate").map(String::as_str)
    }

    /// Forgets the cookies.
    pub fn forget(&mut self) {
        self.cookies.clear();
    }

    fn keep(&mut self, cookie: &HeaderValue) {
        let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        if attributes.contains("Max-Age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

impl Page {
    /// The page as a tree.
    pub fn tree(&self) -> Html {
        Html::parse_document(&self.html)
    }

    /// The words of the page, with single blanks.
    pub fn text(&self) -> String {
        words(self.tree().root_element())
    }

    /// The words of every element that the selector finds.
    pub fn all(&self, selector: &str) -> Vec<String> {
        let selector = Selector::parse(selector).unwrap();
        self.tree().select(&selector).map(words).collect()
    }

    /// The words of the only element that the selector finds.
    pub fn one(&self, selector: &str) -> String {
        let mut found = self.all(selector);
        assert_eq!(found.len(), 1, "{selector}: {found:?} in {}", self.html);
        found.remove(0)
    }

    /// The names and values of the hidden fields of the first form that is posted to `path`. A form
    /// without an action is posted to its page.
    pub fn hidden(&self, path: &str) -> Vec<(String, String)> {
        let tree = self.tree();
        let (forms, fields) =
            (Selector::parse("form[method=post]").unwrap(), Selector::parse("input[type=hidden]").unwrap());
        let form = tree.select(&forms).find(|form| form.attr("action").is_none_or(|action| action == path));
        let form = form.unwrap_or_else(|| panic!("no form is posted to {path}: {}", self.html));
        let value = |field: ElementRef<'_>| {
            (field.attr("name").unwrap().to_owned(), field.attr("value").unwrap_or_default().to_owned())
        };
        form.select(&fields).map(value).collect()
    }
}

fn words(element: ElementRef<'_>) -> String {
    element.text().flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

impl Parties {
    /// The address of a link of this kind, made by the party itself: for `actor` (an id and a name)
    /// of the partner or the platform, or for the task's buyer.
    pub async fn link(&self, party: Party, kind: LinkKind, task: Option<&str>, actor: &str) -> String {
        let maker = self.caller(party).await;
        let actor: Option<Actor> = (party != Party::Buyer)
            .then(|| serde_json::from_value(json!({ "id": actor, "name": format!("Name of {actor}") })).unwrap());
        let new = NewLink {
            kind,
            task_id: task.map(|task| TaskId(task.parse().unwrap())),
            actor,
            party: (party == Party::Buyer).then_some(Party::Buyer),
            open: OpenMode::Click,
            expires_in: None,
            session_for: None,
            manage: kind == LinkKind::Console,
            language: None,
            time_zone: None,
        };
        let (_, voucher) = self.service.app.links.issue(&maker, new).await.unwrap();
        format!("/go/{}", voucher.reveal())
    }

    /// A browser that has followed such a link.
    pub async fn visitor(&self, party: Party, kind: LinkKind, task: Option<&str>, actor: &str) -> Visitor {
        let address = self.link(party, kind, task, actor).await;
        let mut visitor = Visitor::new(&self.service.router);
        let opened = visitor.post(&address, &[]).await;
        assert_eq!(opened.status, 303, "{}", opened.text());
        visitor
    }

    /// A browser in the console of a party, which may change things or not.
    pub async fn console(&self, party: Party, manage: bool) -> Visitor {
        let actor = json!({ "id": "u-dev", "name": "Name of u-dev", "role": "Developer" });
        let new = NewLink {
            kind: LinkKind::Console,
            task_id: None,
            actor: Some(serde_json::from_value(actor).unwrap()),
            party: None,
            open: OpenMode::Click,
            expires_in: None,
            session_for: None,
            manage,
            language: None,
            time_zone: None,
        };
        let (_, voucher) = self.service.app.links.issue(&self.caller(party).await, new).await.unwrap();
        let mut visitor = Visitor::new(&self.service.router);
        let opened = visitor.post(&format!("/go/{}", voucher.reveal()), &[]).await;
        assert_eq!(opened.status, 303, "{}", opened.text());
        visitor
    }

    /// The caller that makes links for a party; the platform makes those for buyers.
    pub async fn caller(&self, party: Party) -> Caller {
        match party {
            Party::Partner => {
                let key = ApiKey::parse(&self.partner.credential).unwrap();
                self.service.app.partners.resolve_key(&key).await.unwrap().unwrap()
            }
            Party::Platform | Party::Buyer => {
                Caller::Platform { credential_id: self.platform_credential(), person: None, through: None }
            }
        }
    }

    fn platform_credential(&self) -> CredentialId {
        use sha2::{Digest as _, Sha256};
        let hash = hex::encode(Sha256::digest(self.platform.credential.as_bytes()));
        CredentialId::parse(format!("platform-{}", &hash[..12])).unwrap()
    }
}
