//! What people wrote is text on every page, whatever it looks like.

use scraper::Selector;
use serde_json::json;
use stagegate::domain::values::party::Party;

use super::reach::check_page;
use crate::harness::parties::{Parties, text};

const HOSTILE: &str = "\"><img src=x onerror=alert(1)><script>alert(2)</script>{{ 7 }}&amp;' \u{1f642}";

#[tokio::test]
async fn hostile_texts_stay_texts() {
    let parties = Parties::start().await;
    let name = format!("{HOSTILE} {}", "W".repeat(100));
    let definition = json!({ "name": name, "stages": [
        { "key": "one", "name": name, "buyer_label": HOSTILE, "reviewers": [HOSTILE, "u-bo"], "quorum": { "approvals": 2 } },
        { "key": "two", "name": HOSTILE, "buyer_label": HOSTILE, "distinct_from": ["one"] },
    ] });
    parties.register("hostile", &definition).await;
    let mut opening = parties.opening(&crate::harness::parties::new_id(), "hostile");
    opening["title"] = json!(HOSTILE);
    assert_eq!(parties.platform.call("POST", "/api/v1/tasks", &opening).await.status, 201);
    let added = parties.platform.call("POST", "/api/v1/partners", &json!({ "name": HOSTILE })).await;
    let partner = text(&added.body["id"]);
    let keys = format!("/api/v1/partners/{partner}/keys");
    let key = json!({ "label": HOSTILE, "actors": [HOSTILE] });
    assert_eq!(parties.platform.call("POST", &keys, &key).await.status, 201);
    assert_eq!(parties.partner.call("POST", "/api/v1/keys", &key).await.status, 201);
    let erasure = json!({ "party": "platform", "actor_id": "u-gone", "reason": HOSTILE });
    assert_eq!(parties.platform.call("POST", "/api/v1/erasures", &erasure).await.status, 202);
    let of_partner = [
        "/tasks",
        "/workflows",
        "/workflows/hostile",
        "/workflows/hostile/play",
        "/workflows/check?from=hostile",
        "/insights?workflow=hostile",
        "/keys",
    ];
    let of_partner = of_partner.map(ToOwned::to_owned);
    let of_platform =
        ["/tasks".to_owned(), "/partners".to_owned(), format!("/partners/{partner}"), "/erasures".to_owned()];
    for (party, paths) in [(Party::Partner, &of_partner[..]), (Party::Platform, &of_platform)] {
        let mut visitor = parties.console(party, true).await;
        for path in paths {
            for language in ["en", "de"] {
                visitor.get(&format!("{path}?language={language}")).await;
                let page = visitor.read(path).await;
                check_page(&page, path);
                let elements = page.tree().select(&Selector::parse("img, script:not([src])").unwrap()).count();
                assert_eq!(elements, 0, "{path}: {}", page.html);
                assert!(page.text().contains("onerror=alert(1)"), "{path}: {}", page.text());
            }
        }
    }
    let mut visitor = parties.console(Party::Partner, true).await;
    let empty = visitor.read("/workflows/check").await;
    for text in
        [&definition.to_string(), &format!("{{\"{HOSTILE}\": 1}}"), HOSTILE, "</textarea></li></ol><script>x</script>"]
    {
        let page = visitor.submit(&empty, "/workflows/check", &[("definition", text)]).await;
        check_page(&page, "/workflows/check");
        assert_eq!(page.tree().select(&Selector::parse("img, script:not([src])").unwrap()).count(), 0, "{text}");
    }
}
