//! Links and sessions as a browser sees them: looking changes nothing, a click makes a session, and no other site can
//! press the button.

use std::sync::Arc;

use serde_json::json;
use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;
use stagegate::worker::watchers::Watchers;

use crate::harness::commands::{approve, at};
use crate::harness::parties::Parties;
use crate::harness::service::PUBLIC_ORIGIN;
use crate::harness::visitor::Visitor;
use crate::harness::waiting::until;

#[tokio::test]
async fn looking_at_a_link_a_thousand_times_changes_nothing() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let address = parties.link(Party::Partner, LinkKind::Decide, Some(&task), "u-anna").await;
    let before = parties.service.db.versions_of_every_row().await;
    let mut scanner = Visitor::new(&parties.service.router);
    for turn in 0..500 {
        let page = scanner.get(&address).await;
        assert_eq!(page.status, 200, "{turn}");
        assert_eq!(scanner.send("HEAD", &address, &[], String::new()).await.status, 200);
        assert!(scanner.session().is_none());
        if turn == 0 {
            assert!(page.html.contains("Continue"));
            for secret in ["Autumn", "Anna", "u-anna", "legal", "Northwind"] {
                assert!(!page.html.contains(secret), "the page says {secret} before the click");
            }
        }
    }
    assert_eq!(parties.service.db.versions_of_every_row().await, before);
    let mut anna = Visitor::new(&parties.service.router);
    let opened = anna.post(&address, &[]).await;
    assert_eq!((opened.status, opened.headers["location"].to_str().unwrap()), (303, &*format!("/tasks/{task}")));
    let cookie = opened.headers["set-cookie"].to_str().unwrap();
    for part in ["__Host-stagegate=sgs_", "; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure", "; Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
}

#[tokio::test]
async fn only_the_page_itself_can_press_the_button() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let address = parties.link(Party::Partner, LinkKind::Decide, Some(&task), "u-anna").await;
    let mut visitor = Visitor::new(&parties.service.router);
    for (site, origin) in [
        (Some("cross-site"), Some("https://evil.example")),
        (Some("cross-site"), Some(PUBLIC_ORIGIN)),
        (Some("same-site"), Some("https://other.stagegate.test")),
        (Some("same-origin"), Some("https://evil.example")),
        (Some("same-origin"), Some("null")),
        (Some("none"), None),
        (None, Some("null")),
        (None, Some("https://stagegate.test:444")),
        (None, Some("http://stagegate.test")),
        (None, None),
    ] {
        let headers: Vec<_> = [("sec-fetch-site", site), ("origin", origin)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let page = visitor.post_with(&address, &[], &headers).await;
        assert_eq!(page.status, 403, "{headers:?}");
        assert!(visitor.session().is_none());
    }
    let by_origin = visitor.post_with(&address, &[], &[("origin", PUBLIC_ORIGIN)]).await;
    assert_eq!(by_origin.status, 303);
}

#[tokio::test]
async fn a_form_needs_the_token_of_its_session_and_its_path() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let mut anna = parties.visitor(Party::Partner, LinkKind::Inbox, Some(&task), "u-anna").await;
    let mut bo = parties.visitor(Party::Partner, LinkKind::Inbox, Some(&task), "u-bo").await;
    let page = anna.get("/nothing-here").await;
    assert_eq!(page.status, 404);
    let form = |page: &crate::harness::visitor::Page| page.hidden("/session/end").remove(0).1;
    let (of_anna, of_bo) =
        (form(&anna.get(&format!("/tasks/{task}")).await), form(&bo.get(&format!("/tasks/{task}")).await));
    let mut changed = of_anna.clone();
    changed.replace_range(..1, if of_anna.starts_with('0') { "1" } else { "0" });
    for token in ["", "x", &of_bo, &changed, &of_anna[..36]] {
        let answer = anna.post("/session/end", &[("form", token)]).await;
        assert_eq!(answer.status, 403, "{token}");
        assert!(anna.session().is_some());
    }
    let ended = anna.post("/session/end", &[("form", &of_anna)]).await;
    assert_eq!((ended.status, anna.session()), (200, None));
    assert_eq!(anna.get(&format!("/tasks/{task}")).await.status, 401);
}

#[tokio::test]
async fn another_persons_session_is_not_replaced_without_asking() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let mut browser = parties.visitor(Party::Partner, LinkKind::Inbox, None, "u-bo").await;
    let before = browser.session().unwrap().to_owned();
    let address = parties.link(Party::Partner, LinkKind::Decide, Some(&task), "u-anna").await;
    let asked = browser.post(&address, &[]).await;
    assert_eq!(asked.status, 409);
    assert!(asked.text().contains("Name of u-bo") && asked.text().contains("Name of u-anna"), "{}", asked.text());
    assert_eq!(browser.session(), Some(&*before));
    let next = browser.submit(&asked, &address, &[]).await;
    assert_eq!(next.status, 303);
    assert_ne!(browser.session(), Some(&*before));
    let mut old = Visitor::new(&parties.service.router);
    old.send("GET", "/", &[("cookie", &format!("__Host-stagegate={before}"))], String::new()).await;
    assert!(parties.service.app.links.visit(&before).await.unwrap().is_none(), "the other session has ended");
}

#[tokio::test]
async fn a_session_that_reaches_as_far_stays() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let mut bo = parties.visitor(Party::Partner, LinkKind::Inbox, None, "u-bo").await;
    let before = bo.session().unwrap().to_owned();
    let address = parties.link(Party::Partner, LinkKind::Decide, Some(&task), "u-bo").await;
    let opened = bo.post(&address, &[]).await;
    assert_eq!((opened.status, opened.headers["location"].to_str().unwrap()), (303, &*format!("/tasks/{task}")));
    assert_eq!(bo.session(), Some(&*before));
}

#[tokio::test]
async fn a_link_says_why_it_is_closed() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let address = parties.link(Party::Partner, LinkKind::Decide, Some(&task), "u-anna").await;
    let mut visitor = Visitor::new(&parties.service.router);
    for vote in ["u-anna", "u-bo"] {
        parties.partner.done(&task, &approve(at("legal", 1, 1), vote)).await;
    }
    for page in [visitor.get(&address).await, visitor.post(&address, &[]).await] {
        assert_eq!((page.status, &*page.one("h1")), (410, "This has been decided"));
    }
    for unknown in ["/go/sgl_x", "/go/x", &format!("{address}x")] {
        assert_eq!(visitor.get(unknown).await.status, 404, "{unknown}");
    }
    let german = visitor.get(&format!("{address}?language=de")).await;
    assert_eq!((german.status, german.headers["location"].to_str().unwrap()), (303, &*address));
    assert_eq!(visitor.get(&address).await.one("h1"), "Dies ist entschieden");
}

#[tokio::test]
async fn a_cookie_is_no_credential_of_the_api() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let mut anna = parties.visitor(Party::Partner, LinkKind::Inbox, None, "u-anna").await;
    let answer = anna.get(&format!("/api/v1/tasks/{task}")).await;
    assert_eq!(answer.status, 401);
    let body = json!({ "type": "work_withdrawn" }).to_string();
    let sent =
        anna.send("POST", &format!("/api/v1/tasks/{task}/events"), &[("content-type", "application/json")], body).await;
    assert_eq!(sent.status, 401);
}

#[tokio::test]
async fn a_session_that_ends_while_its_page_waits_gets_no_news() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let mut buyer = parties.visitor(Party::Buyer, LinkKind::Task, Some(&task), "").await;
    let live = format!("/tasks/{task}?part=live");
    let shown = buyer.read(&live).await.headers["etag"].to_str().unwrap().to_owned();
    tokio::spawn(Watchers::new(Arc::clone(&parties.service.app)).run());
    let (mut tab, watchers) = (buyer.clone(), &parties.service.app.statuses.watchers);
    let waiting = tokio::spawn(async move {
        tab.send("GET", &format!("{live}&wait=25"), &[("if-none-match", &shown)], String::new()).await
    });
    until("one waits", async || watchers.count().0 > 0).await;
    parties.service.app.links.end_session(buyer.session().unwrap()).await.unwrap();
    for reviewer in ["u-anna", "u-bo"] {
        parties.partner.done(&task, &approve(at("legal", 1, 1), reviewer)).await;
    }
    let answered = waiting.await.unwrap();
    assert_eq!((answered.status, answered.html.contains("design approval")), (401, false));
}
