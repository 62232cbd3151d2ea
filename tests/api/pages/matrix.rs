//! Every route of the pages, from their own table, as every kind of visitor.

use std::fmt::Write as _;

use axum::http::Method;
use serde_json::json;
use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;
use stagegate::http::MountedRoute;

use super::console::reach::furnished;
use crate::harness::parties::{Parties, text};
use crate::harness::visitor::{Page, Visitor};

/// Somebody in each kind of session, under the names of the columns.
pub async fn visitors(parties: &Parties, task: &str) -> Vec<(&'static str, Visitor)> {
    let visitor = |party, kind, actor| parties.visitor(party, kind, (kind != LinkKind::Inbox).then_some(task), actor);
    vec![
        ("nobody", Visitor::new(&parties.service.router)),
        ("buyer", visitor(Party::Buyer, LinkKind::Task, "").await),
        ("decide", visitor(Party::Partner, LinkKind::Decide, "u-anna").await),
        ("task", visitor(Party::Partner, LinkKind::Task, "u-anna").await),
        ("inbox", visitor(Party::Partner, LinkKind::Inbox, "u-anna").await),
        ("ops", visitor(Party::Platform, LinkKind::Inbox, "u-op").await),
        ("reads", parties.console(Party::Partner, false).await),
        ("manages", parties.console(Party::Partner, true).await),
        ("platform", parties.console(Party::Platform, true).await),
    ]
}

/// What stands in the place of a route's parameters.
pub struct Examples {
    task: String,
    key: String,
    event: String,
    partner: String,
    link: String,
    voucher: String,
    asset: String,
}

impl Examples {
    pub async fn find(parties: &Parties, task: String, (key, event): (String, String)) -> Self {
        let listed = parties.partner.read("/api/v1/links").await;
        let voucher = parties.link(Party::Partner, LinkKind::Task, Some(&task), "u-bo").await;
        let home = Visitor::new(&parties.service.router).read("/").await;
        let (_, asset) = home.html.split_once("/assets/").unwrap();
        Self {
            link: text(&listed["items"][0]["id"]),
            asset: asset.split_once('"').unwrap().0.to_owned(),
            partner: parties.partner_id.clone(),
            voucher,
            task,
            key,
            event,
        }
    }

    pub fn address(&self, route: &str) -> String {
        let (path, id) = match route.split('/').nth(1) {
            Some("go") => return self.voucher.clone(),
            Some("assets") => return format!("/assets/{}", self.asset),
            Some("webhooks" | "deliveries") => (route.to_owned(), "hook"),
            Some("partners") => (route.to_owned(), self.partner.as_str()),
            Some("workflows") => (route.replace("{key}", "brand-campaign"), ""),
            Some("people") => (route.replace("{link}", &self.link), ""),
            _ => (route.to_owned(), self.task.as_str()),
        };
        let path = path.replace("{id}", id).replace("{key}", &self.key).replace("{event}", &self.event);
        path.replace("{seq}", "1")
    }
}

#[tokio::test]
async fn every_route_answers_every_kind_of_visitor_as_the_table_says() {
    let (parties, key, [event, _]) = furnished().await;
    let task = parties.open_in_legal().await;
    let mut visitors = visitors(&parties, &task).await;
    let examples = Examples::find(&parties, task, (key, event)).await;
    let before = state(&parties, &examples.task).await;
    let mut table = format!("{:36}", "");
    for (name, _) in &visitors {
        write!(table, "{name:>9}").unwrap();
    }
    for route in stagegate::pages::mount().routes {
        write!(table, "\n{:5}{:31}", route.method.as_str(), route.path).unwrap();
        let address = examples.address(route.path);
        for (name, visitor) in &mut visitors {
            // Opening a link and signing out change who somebody is.
            let mut visitor = visitor.clone();
            let answer = visit(&mut visitor, &route, &address).await;
            write!(table, "{:>9}", answer.status).unwrap();
            check(&answer, &format!("{name}: {} {address}", route.method));
        }
    }
    assert_eq!(state(&parties, &examples.task).await, before, "a form without a token has changed something");
    insta::assert_snapshot!("every_route_for_every_visitor", table);
}

/// Reads a page, or sends a form as a page of the service would, but without a token.
async fn visit(visitor: &mut Visitor, route: &MountedRoute, address: &str) -> Page {
    if route.method == Method::GET { visitor.get(address).await } else { visitor.post(address, &[]).await }
}

fn check(answer: &Page, what: &str) {
    assert!(answer.status < 500, "{what}: {}", answer.text());
    if answer.is_html() && !what.contains("/embed/") {
        answer.keeps_the_rules(what);
        answer.has_the_headers_of_a_page(what);
    }
    assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{what}");
}

/// What the forms would have changed. The partner's trail is not part of it: it records that the platform took a proof.
async fn state(parties: &Parties, task: &str) -> Vec<serde_json::Value> {
    let mut found = vec![parties.partner.read(&format!("/api/v1/tasks/{task}/status")).await];
    for path in ["/api/v1/webhooks", "/api/v1/keys", "/api/v1/workflows"] {
        let items = parties.partner.read(path).await["items"].clone();
        let ids = items.as_array().unwrap().iter().map(|item| json!([item["id"], item["key"], item["secrets"]]));
        found.push(ids.collect());
    }
    found
}
