//! Secrets are in the answer to the form that made them, once, and on no page.

use serde_json::json;
use stagegate::domain::values::party::Party;

use crate::harness::parties::Parties;
use crate::harness::visitor::{Page, Visitor};

/// The pages that say something about secrets.
async fn nowhere(visitor: &mut Visitor, paths: &[&str], secret: &str) {
    for path in paths {
        let page = visitor.read(path).await;
        assert!(!page.html.contains(secret), "{path} shows the secret");
    }
}

/// The secret on a page, which was shown by a form.
fn secret_of(page: &Page) -> String {
    assert_eq!(page.status, 201, "{}", page.text());
    assert!(page.text().contains("This is shown once."));
    page.one("#secret")
}

#[tokio::test]
async fn the_next_secret_of_a_webhook_is_shown_once() {
    let parties = Parties::start().await;
    let set = parties.partner.call("PUT", "/api/v1/webhooks/hook", &json!({ "url": "https://127.0.0.1:9/x" })).await;
    let first = set.body["secret"].as_str().unwrap();
    let mut visitor = parties.console(Party::Partner, true).await;
    let page = visitor.read("/webhooks/hook").await;
    assert!(!page.html.contains(first));
    assert!(page.text().contains(&first[..10]), "{}", page.text());
    let made = visitor.submit(&page, "/webhooks/hook/rotate", &[]).await;
    let secret = secret_of(&made);
    assert!(secret.starts_with("whsec_"));
    let pages = ["/webhooks", "/webhooks/hook", "/deliveries", "/people", "/tasks"];
    nowhere(&mut visitor, &pages, &secret).await;
    let again = visitor.submit(&page, "/webhooks/hook/rotate", &[]).await;
    assert_eq!((again.status, again.all("#secret").len()), (409, 0));
    let of_api = parties.partner.read("/api/v1/webhooks/hook").await;
    assert_eq!(of_api["secrets"][1]["hint"], secret[..10], "the same form makes one secret");
    let page = visitor.read("/webhooks/hook").await;
    let activated = visitor.submit(&page, "/webhooks/hook/activate", &[]).await;
    let page = visitor.follow(activated).await;
    assert_eq!(page.one("h1"), "The new secret is in use: hook");
    let of_api = parties.partner.read("/api/v1/webhooks/hook").await;
    assert_eq!((of_api["secrets"].as_array().unwrap().len(), &of_api["secrets"][0]["hint"]), (1, &json!(secret[..10])));
}

#[tokio::test]
async fn a_partners_new_key_is_shown_once() {
    let parties = Parties::start().await;
    let mut visitor = parties.console(Party::Platform, true).await;
    let path = format!("/partners/{}", parties.partner_id);
    let page = visitor.read(&path).await;
    let form = format!("{path}/keys");
    let fields =
        [("label", "Backend"), ("scope", "review"), ("actors", "u-anna\r\nu-bo\r\n"), ("expires_at", "2027-06-01")];
    let made = visitor.submit(&page, &form, &fields).await;
    let key = secret_of(&made);
    nowhere(&mut visitor, &[&path, "/partners", "/people", "/tasks"], &key).await;
    let again = visitor.submit(&page, &form, &fields).await;
    assert_eq!((again.status, again.html.contains(&key)), (409, false));
    let keys = parties.platform.read(&format!("/api/v1{form}")).await;
    let keys = keys["items"].as_array().unwrap();
    assert_eq!(keys.len(), 2, "the same form makes one key");
    assert_eq!(
        (&keys[1]["label"], &keys[1]["scopes"], &keys[1]["actors"], &keys[1]["expires_at"]),
        (&json!("Backend"), &json!(["review"]), &json!(["u-anna", "u-bo"]), &json!("2027-06-01T00:00:00Z"))
    );
    let shown = visitor.read(&path).await;
    assert!(shown.text().contains("Backend") && shown.text().contains("u-anna, u-bo"), "{}", shown.text());
}
