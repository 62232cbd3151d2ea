//! Keys and partners.

use serde_json::json;
use stagegate::domain::values::party::Party;

use crate::harness::parties::{Client, Parties, text};

#[tokio::test]
async fn a_session_makes_keys_without_scopes_that_it_has_not() {
    let parties = Parties::start().await;
    let mut visitor = parties.console(Party::Partner, true).await;
    let page = visitor.read("/keys").await;
    assert_eq!(page.all("fieldset#scope label"), ["define", "read"]);
    let reader = visitor.submit(&page, "/keys", &[("scope", "read"), ("label", "Dashboard")]).await;
    let key = Client { credential: reader.one("#secret"), ..parties.partner.clone() };
    assert_eq!(key.get("/api/v1/workflows").await.status, 200);
    // It outlasts the session that made it, and ends with the key that vouches for the session.
    parties.pass(24);
    assert_eq!(visitor.get("/keys").await.status, 401);
    assert_eq!(key.get("/api/v1/workflows").await.status, 200);
    let mut visitor = parties.console(Party::Partner, true).await;
    for (fields, field) in [
        (&[("scope", "review")][..], "label"),
        (&[("scope", "read"), ("scope", "work")], "label"),
        (&[], "scope"),
        (&[("scope", "everything")], "scope"),
        (&[("scope", "read"), ("expires_at", "2020-01-01")], "expires_at"),
        (&[("scope", "read"), ("expires_at", "soon")], "expires_at"),
        (&[("scope", "read"), ("actors", "stagegate")], "actors"),
        (&[("scope", "read"), ("actors", "a\na")], "actors"),
        (&[("scope", "read"), ("label", "\u{202e}x")], "label"),
    ] {
        let page = visitor.read("/keys").await;
        let refused = visitor.submit(&page, "/keys", fields).await;
        assert_eq!(refused.status, 422, "{fields:?}: {}", refused.text());
        assert!(refused.html.contains(&format!("<a href=\"#{field}\">")), "{fields:?}: {}", refused.html);
        assert!(refused.one("h1").starts_with("Error: "));
    }
    let keys = parties.partner.read("/api/v1/keys").await;
    assert_eq!(keys["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn revoking_names_what_ends_with_a_key() {
    let parties = Parties::start().await;
    let made = parties.partner.call("POST", "/api/v1/keys", &json!({ "label": "Old" })).await;
    let (id, key) = (text(&made.body["id"]), text(&made.body["key"]));
    let old = Client { credential: key, ..parties.partner.clone() };
    let child = old.call("POST", "/api/v1/keys", &json!({ "scopes": ["read"] })).await;
    assert_eq!(child.status, 201);
    let of_old = Parties { partner: old.clone(), ..parties };
    let mut vouched = of_old.console(Party::Partner, true).await;
    let mut visitor = of_old.console(Party::Partner, true).await;
    let path = format!("/keys/{id}/revoke");
    let page = visitor.read(&path).await;
    assert_eq!(page.all("main li"), ["1 key that it made", "2 open links", "2 sessions of these"]);
    let revoked = visitor.submit(&page, &path, &[]).await;
    assert_eq!(revoked.status, 303);
    assert_eq!(old.get("/api/v1/keys").await.status, 401);
    assert_eq!(vouched.get("/keys").await.status, 401, "the session of a link that the key made");
}

#[tokio::test]
async fn the_platform_adds_partners_and_revokes_their_keys() {
    let parties = Parties::start().await;
    let mut visitor = parties.console(Party::Platform, true).await;
    let page = visitor.read("/partners").await;
    assert!(page.text().contains("Northwind"));
    for wrong in ["", "  ", "a\u{0007}", &"x".repeat(201)] {
        assert_eq!(visitor.submit(&page, "/partners", &[("name", wrong)]).await.status, 422, "{wrong:?}");
    }
    let added = visitor.submit(&page, "/partners", &[("name", "Fabrikam")]).await;
    let partner = visitor.follow(added).await;
    assert!(partner.one("h1").contains("Fabrikam"));
    assert!(partner.text().contains("There is no key."));
    let key = text(&parties.partner.read("/api/v1/keys").await["items"][0]["id"]);
    let path = format!("/partners/{}/keys/{key}/revoke", parties.partner_id);
    let asked = visitor.read(&path).await;
    let revoked = visitor.submit(&asked, &path, &[]).await;
    let page = visitor.follow(revoked).await;
    assert!(page.text().contains("revoked"), "{}", page.text());
    assert_eq!(parties.partner.get("/api/v1/keys").await.status, 401);
}
