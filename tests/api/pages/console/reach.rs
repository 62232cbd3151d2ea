//! Every page and every form of the console, as every kind of visitor.

use scraper::Selector;
use serde_json::json;
use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;

use crate::harness::parties::{Parties, text};
use crate::harness::visitor::{Page, Visitor};

/// Whose page it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Both,
    Partner,
    Platform,
}

use Whose::{Both, Partner, Platform};

/// The pages, with an example of each; the last says whether it is only for sessions that may change
/// something.
fn pages(parties: &Parties, key: &str, event: &str) -> Vec<(Whose, String, bool)> {
    let partner = &parties.partner_id;
    let page = |whose, path: &str, manage| (whose, path.to_owned(), manage);
    vec![
        page(Both, "/tasks", false),
        page(Both, "/tasks?phase=in_review&stage=legal&overdue=false", false),
        page(Partner, "/workflows", false),
        page(Partner, "/workflows/check", false),
        page(Partner, "/workflows/check?from=brand-campaign", false),
        page(Partner, "/workflows/brand-campaign", false),
        page(Partner, "/workflows/brand-campaign?version=1", false),
        page(Partner, "/workflows/brand-campaign/play", false),
        page(Both, "/webhooks", false),
        page(Both, "/webhooks/hook", false),
        page(Both, "/webhooks/hook/remove", true),
        page(Both, "/webhooks/hook/resend", true),
        page(Both, "/webhooks/hook/resend?since=2027-01-01", true),
        page(Both, "/deliveries", false),
        page(Both, "/deliveries?endpoint=hook&state=pending&type=task.opened&since=2027-01-01", false),
        page(Both, &format!("/deliveries/hook/{event}"), false),
        page(Both, "/insights", false),
        page(Both, "/insights?workflow=brand-campaign&since=2027-01-01&until=2027-02-01", false),
        page(Both, &format!("/insights?partner={partner}&version=1"), false),
        page(Both, "/people", false),
        page(Partner, "/absences", false),
        page(Partner, "/keys", false),
        page(Partner, &format!("/keys/{key}/revoke"), true),
        page(Platform, "/partners", false),
        page(Platform, &format!("/partners/{partner}"), false),
        page(Platform, &format!("/partners/{partner}/keys/{key}/revoke"), true),
        page(Platform, "/erasures", false),
    ]
}

const FORMS: [(Whose, &str); 16] = [
    (Partner, "/workflows/register"),
    (Both, "/webhooks/hook/rotate"),
    (Both, "/webhooks/hook/activate"),
    (Both, "/webhooks/hook/test"),
    (Both, "/webhooks/hook/enable"),
    (Both, "/webhooks/hook/remove"),
    (Both, "/webhooks/hook/resend"),
    (Both, "/deliveries/hook/EVENT/resend"),
    (Both, "/people/link"),
    (Both, "/people/end-all"),
    (Partner, "/absences"),
    (Partner, "/absences/remove"),
    (Partner, "/keys"),
    (Partner, "/keys/KEY/revoke"),
    (Platform, "/partners"),
    (Platform, "/partners/PARTNER/keys"),
];

/// A service with something on every page, the partner's key and the event of a delivery to each party.
pub async fn furnished() -> (Parties, String, [String; 2]) {
    let parties = Parties::start().await;
    let hook = json!({ "url": "https://127.0.0.1:9/hooks" });
    for owner in [&parties.partner, &parties.platform] {
        let set = owner.call("PUT", "/api/v1/webhooks/hook", &hook).await;
        assert_eq!(set.status, 201, "{}", set.text);
    }
    parties.open_in_legal().await;
    let key = text(&parties.partner.read("/api/v1/keys").await["items"][0]["id"]);
    let mut events = Vec::new();
    for owner in [&parties.partner, &parties.platform] {
        events.push(text(&owner.read("/api/v1/webhooks/hook/deliveries").await["items"][0]["id"]));
    }
    let erasure = json!({ "party": "platform", "actor_id": "u-gone", "reason": "Request 7" });
    assert_eq!(parties.platform.call("POST", "/api/v1/erasures", &erasure).await.status, 202);
    (parties, key, [events[0].clone(), events[1].clone()])
}

#[tokio::test]
async fn each_page_is_for_the_console_of_its_party() {
    let (parties, key, events) = furnished().await;
    let task = parties.open_in_legal().await;
    let mut others = vec![
        ("nobody", Visitor::new(&parties.service.router), 401),
        ("a reviewer", parties.visitor(Party::Partner, LinkKind::Inbox, None, "u-anna").await, 403),
        ("a decision", parties.visitor(Party::Partner, LinkKind::Decide, Some(&task), "u-anna").await, 403),
        ("a task", parties.visitor(Party::Partner, LinkKind::Task, Some(&task), "u-anna").await, 403),
        ("an operator's inbox", parties.visitor(Party::Platform, LinkKind::Inbox, None, "u-op").await, 403),
        ("a buyer", parties.visitor(Party::Buyer, LinkKind::Task, Some(&task), "").await, 403),
    ];
    for (party, event) in [(Party::Partner, &events[0]), (Party::Platform, &events[1])] {
        let whose = if party == Party::Partner { Partner } else { Platform };
        for manage in [false, true] {
            let mut visitor = parties.console(party, manage).await;
            for (owner, path, only_manage) in pages(&parties, &key, event) {
                let is_open = (owner == Both || owner == whose) && (manage || !only_manage);
                let page = visitor.get(&path).await;
                let expected = if is_open { 200 } else { 403 };
                assert_eq!(page.status, expected, "{party:?}, manage {manage}, {path}: {}", page.text());
                check_page(&page, &path);
            }
        }
    }
    for (who, visitor, expected) in &mut others {
        for (_, path, _) in pages(&parties, &key, &events[0]).iter().filter(|(_, path, _)| !path.starts_with("/tasks"))
        {
            let page = visitor.get(path).await;
            assert_eq!(page.status, *expected, "{who}: {path}");
        }
    }
}

#[tokio::test]
async fn a_session_that_may_only_read_sends_no_form() {
    let (parties, key, events) = furnished().await;
    for (party, event) in [(Party::Partner, &events[0]), (Party::Platform, &events[1])] {
        let mut reader = parties.console(party, false).await;
        let mut manager = parties.console(party, true).await;
        for (_, path, _) in pages(&parties, &key, event) {
            let page = reader.get(&path).await;
            let forms = page.tree().select(&Selector::parse("form[method=post]").unwrap()).count();
            // Signing out, and checking a definition, which stores nothing.
            assert!(forms <= 1 + usize::from(path.starts_with("/workflows/check")), "{path} has {forms} forms");
        }
        for (whose, path) in FORMS {
            let path = path.replace("EVENT", event).replace("KEY", &key).replace("PARTNER", &parties.partner_id);
            // A token of another path is refused as such, so even a form that was rendered would not help.
            let token = reader.get("/tasks").await.hidden("/session/end").remove(0).1;
            let page = reader.post(&path, &[("form", &token), ("since", "2027-01-01")]).await;
            assert_eq!(page.status, 403, "{party:?}: {path}");
            let is_own = whose == Both || (whose == Partner) == (party == Party::Partner);
            assert!(is_own || manager.post(&path, &[("form", "x")]).await.status == 403);
        }
    }
    let before = parties.partner.read("/api/v1/webhooks/hook").await;
    assert_eq!(before["secrets"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_belongs_to_somebody_else_is_not_there() {
    let (parties, key, events) = furnished().await;
    let stranger = Parties { partner: parties.another_partner().await, ..parties };
    let mut visitor = stranger.console(Party::Partner, true).await;
    for path in [
        "/workflows/brand-campaign".to_owned(),
        "/workflows/brand-campaign/play".to_owned(),
        "/workflows/check?from=brand-campaign".to_owned(),
        "/webhooks/hook".to_owned(),
        "/webhooks/hook/remove".to_owned(),
        "/webhooks/hook/resend".to_owned(),
        format!("/deliveries/hook/{}", events[0]),
        format!("/keys/{key}/revoke"),
        format!("/people/{key}"),
        "/workflows/UPPER".to_owned(),
        "/webhooks/UPPER".to_owned(),
        "/deliveries/hook/x".to_owned(),
        "/keys/x/revoke".to_owned(),
        "/people/x".to_owned(),
        "/workflows/brand-campaign?version=9".to_owned(),
    ] {
        let page = visitor.get(&path).await;
        assert_eq!(page.status, 404, "{path}: {}", page.text());
    }
    for path in ["/tasks", "/workflows", "/webhooks", "/deliveries"] {
        let page = visitor.read(path).await;
        assert!(page.all("table.wide").is_empty(), "{path}: {}", page.text());
    }
}

#[tokio::test]
async fn a_filter_that_cannot_be_read_is_said_at_its_field() {
    let (parties, ..) = furnished().await;
    let mut visitor = parties.console(Party::Partner, false).await;
    for (path, field) in [
        ("/tasks?stage=A+B", "stage"),
        ("/tasks?workflow=%22", "workflow"),
        ("/tasks?phase=sleeping", "phase"),
        ("/tasks?cursor=x", "cursor"),
        ("/deliveries?task=1", "task"),
        ("/deliveries?since=yesterday", "since"),
        ("/deliveries?type=task.slept", "type"),
        ("/people?state=asleep", "state"),
        ("/workflows/brand-campaign/play?after-0=-1", "hours"),
        ("/workflows/brand-campaign/play?opened_at=soon", "opened_at"),
    ] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, 422, "{path}");
        assert!(page.one("h1").starts_with("Error: "), "{path}");
        assert_eq!(page.all(".summary a").len(), 1, "{path}");
        assert!(page.html.contains(&format!("href=\"#{field}\"")), "{path}: {}", page.html);
        check_page(&page, path);
    }
}

/// What holds for every page of the console.
pub fn check_page(page: &Page, path: &str) {
    page.keeps_the_rules(path);
    page.has_the_headers_of_a_page(path);
    assert!(!page.text().contains("console-"), "{path} lacks a word: {}", page.text());
    let navigation = page.all("nav [aria-current=page]").len();
    let is_listed = ["/tasks", "/workflows", "/webhooks", "/deliveries", "/people", "/keys", "/partners", "/erasures"];
    if page.status == 200 && is_listed.iter().any(|start| path.starts_with(start)) {
        assert_eq!(navigation, 1, "{path}");
    }
}
