//! Deliveries across webhooks, one whole, and sending again.

use std::sync::Arc;

use serde_json::json;
use stagegate::domain::values::party::Party;
use stagegate::worker::deliveries::Deliveries;

use crate::harness::parties::{Parties, text};
use crate::harness::receiver::{Receiver, Reply};

/// A partner with two webhooks, one that accepts and one that refuses, and a task with three events.
async fn two_webhooks() -> (Parties, [Receiver; 2], String) {
    let parties = Parties::start().await;
    let receivers = [Receiver::accepting().await, Receiver::start(Reply::With(500, "", "<b>no</b>".to_owned())).await];
    for (id, receiver) in ["good", "bad"].iter().zip(&receivers) {
        let set =
            parties.partner.call("PUT", &format!("/api/v1/webhooks/{id}"), &json!({ "url": receiver.url() })).await;
        assert_eq!(set.status, 201, "{}", set.text);
    }
    let task = parties.open_in_legal().await;
    (parties, receivers, task)
}

#[tokio::test]
async fn deliveries_are_listed_across_webhooks_with_filters() {
    let (parties, _receivers, task) = two_webhooks().await;
    let mut visitor = parties.console(Party::Partner, false).await;
    let count = |of_api: &serde_json::Value| of_api["items"].as_array().unwrap().len();
    let each = count(&parties.partner.read("/api/v1/webhooks/good/deliveries").await);
    let rows = async |visitor: &mut crate::harness::visitor::Visitor, query: &str| {
        visitor.read(&format!("/deliveries{query}")).await.all("tbody tr")
    };
    let all = rows(&mut visitor, "").await;
    assert_eq!(all.len(), 2 * each, "{all:#?}");
    // Of one event, the webhooks follow each other; the newest event is first.
    assert!(all[0].contains("bad") && all[1].contains("good"), "{all:#?}");
    assert!(all.last().unwrap().contains("task.opened"), "{all:#?}");
    assert_eq!(rows(&mut visitor, "?endpoint=good").await.len(), each);
    assert_eq!(rows(&mut visitor, "?type=task.opened").await.len(), 2);
    assert_eq!(rows(&mut visitor, "?state=delivered").await.len(), 0);
    assert_eq!(rows(&mut visitor, &format!("?task={task}&endpoint=bad")).await.len(), each);
    assert_eq!(rows(&mut visitor, "?since=2027-01-16").await.len(), 0);
    assert_eq!(rows(&mut visitor, "?since=2027-01-15T08:00:00Z").await.len(), 2 * each);
}

#[tokio::test]
async fn pages_of_deliveries_have_each_row_once() {
    let (parties, ..) = two_webhooks().await;
    for _ in 0..12 {
        parties.open_in_legal().await;
    }
    let mut visitor = parties.console(Party::Partner, false).await;
    let (mut path, mut rows, mut pages) = ("/deliveries".to_owned(), Vec::new(), 0);
    loop {
        let page = visitor.read(&path).await;
        rows.extend(
            page.html.split("<a href=\"/deliveries/").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()),
        );
        pages += 1;
        let Some(next) = page.html.split("href=\"").find(|rest| rest.contains("rel=\"next\"")) else { break };
        path = next.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
        assert!(pages < 20, "pages without end");
    }
    let count = rows.len();
    rows.sort_unstable();
    rows.dedup();
    assert!(pages > 1);
    assert_eq!(rows.len(), count, "a row is there twice");
    let of_api = parties.partner.read("/api/v1/webhooks/good/deliveries?limit=100").await;
    assert_eq!(count, 2 * of_api["items"].as_array().unwrap().len());
}

#[tokio::test]
async fn a_delivery_shows_what_is_sent_but_no_signature() {
    let (parties, receivers, _task) = two_webhooks().await;
    Deliveries::new(Arc::clone(&parties.service.app)).run_due().await.unwrap();
    let mut visitor = parties.console(Party::Partner, true).await;
    let of_api = parties.partner.read("/api/v1/webhooks/bad/deliveries").await;
    let items = of_api["items"].as_array().unwrap();
    let tried = items.iter().find(|item| item["attempts_made"] == 1).unwrap();
    let path = format!("/deliveries/bad/{}", tried["id"].as_str().unwrap());
    let page = visitor.read(&path).await;
    assert!(page.text().contains("There was 1 attempt."), "{}", page.text());
    assert!(page.text().contains("Answer 500") && page.text().contains("<b>no</b>"), "{}", page.text());
    let received = receivers[1].received();
    let sent = received.iter().find(|sent| sent.header("webhook-id") == tried["id"].as_str().unwrap()).unwrap();
    let shown: serde_json::Value = serde_json::from_str(page.all("pre").last().unwrap()).unwrap();
    assert_eq!(shown, sent.body(), "the body as it was sent");
    for name in ["webhook-signature", "x-aitasker-signature"] {
        let value = sent.header(name).split(',').next_back().unwrap();
        assert!(page.text().contains(name) && !page.html.contains(value), "{name}");
    }
    let resent = visitor.submit(&page, &format!("{path}/resend"), &[]).await;
    let page = visitor.follow(resent).await;
    assert!(page.one("h1").starts_with("Sent again: "), "{}", page.text());
    let list = visitor.read("/webhooks").await;
    assert!(list.text().contains("Works") && list.text().contains("Failing since"), "{}", list.text());
}

#[tokio::test]
async fn what_failed_is_counted_before_it_is_sent_again() {
    let (parties, ..) = two_webhooks().await;
    let mut database = parties.service.db.owner().await;
    let failed = "update webhook_deliveries set state = 'failed', due_at = null where endpoint_id = 'bad'";
    let failed = sqlx::query(failed).execute(&mut database).await.unwrap().rows_affected();
    let mut visitor = parties.console(Party::Partner, true).await;
    let later = visitor.read("/webhooks/bad/resend?since=2027-02-01").await;
    assert!(later.text().contains("Nothing has failed since then."), "{}", later.text());
    let page = visitor.read("/webhooks/bad/resend?since=2027-01-01").await;
    assert!(page.text().contains(&format!("{failed} deliveries have failed")), "{}", page.text());
    let sent = visitor.submit(&page, "/webhooks/bad/resend", &[]).await;
    let page = visitor.follow(sent).await;
    assert_eq!(page.one("h1"), format!("Sent again: {failed} deliveries"));
    let pending: i64 =
        sqlx::query_scalar("select count(*) from webhook_deliveries where endpoint_id = 'bad' and state = 'pending'")
            .fetch_one(&mut database)
            .await
            .unwrap();
    assert_eq!(pending.unsigned_abs(), failed);
}

#[tokio::test]
async fn a_test_says_what_came_of_it_and_a_webhook_is_enabled_and_removed() {
    let (parties, receivers, _task) = two_webhooks().await;
    let mut visitor = parties.console(Party::Partner, true).await;
    for (id, title, answer) in [("good", "Delivered: ", "Answer 200"), ("bad", "Not delivered: ", "Answer 500")] {
        let page = visitor.read(&format!("/webhooks/{id}")).await;
        let tested = visitor.submit(&page, &format!("/webhooks/{id}/test"), &[]).await;
        assert!(tested.one("h1").starts_with(title) && tested.text().contains(answer), "{}", tested.text());
    }
    assert_eq!(text(&receivers[0].received()[0].body()["type"]), "webhook.test");
    let mut database = parties.service.db.owner().await;
    let off = "update webhook_endpoints set state = 'disabled', disabled_reason = 'gone' where id = 'bad'";
    sqlx::query(off).execute(&mut database).await.unwrap();
    let page = visitor.read("/webhooks/bad").await;
    assert!(page.text().contains("Off: it answered 410"), "{}", page.text());
    let enabled = visitor.submit(&page, "/webhooks/bad/enable", &[]).await;
    let page = visitor.follow(enabled).await;
    assert_eq!(page.one("h1"), "Enabled: bad");
    assert_eq!(parties.partner.read("/api/v1/webhooks/bad").await["state"], "enabled");
    let asked = visitor.read("/webhooks/bad/remove").await;
    let removed = visitor.submit(&asked, "/webhooks/bad/remove", &[]).await;
    let list = visitor.follow(removed).await;
    assert!(!list.text().contains("bad"), "{}", list.text());
    assert_eq!(visitor.get("/webhooks/bad").await.status, 404);
}
