//! The documents that the service itself serves, for people and for machines.

use serde_json::json;
use stagegate::http::problem::Code;

use crate::harness::parties::{Parties, code};

#[tokio::test]
async fn documents_are_served_as_pages_and_as_markdown() {
    let parties = Parties::start().await;
    let nobody = &parties.buyer;
    let page = nobody.get("/docs/partner").await;
    assert_eq!((page.status, page.headers["content-type"].to_str().unwrap()), (200, "text/html; charset=utf-8"));
    assert!(page.text.contains("<h2 id=\"the-feed\">"), "{}", page.text);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    for (path, beginning) in [
        ("/docs/partner.md", "# For partners"),
        ("/docs/problems.md", "# Problems"),
        ("/docs/skill.md", "# Working with Stagegate"),
        ("/skill.md", "# Working with Stagegate"),
        ("/llms.txt", "# Stagegate"),
    ] {
        let document = nobody.get(path).await;
        let kind = document.headers["content-type"].to_str().unwrap();
        assert_eq!((document.status, kind), (200, "text/markdown; charset=utf-8"), "{path}");
        assert!(document.text.starts_with(beginning), "{path}: {}", document.text);
    }
    assert_eq!(nobody.get("/docs/").await.status, 200, "the contract is still there");
    assert_eq!(nobody.get("/docs/nothing").await.status, 404);
}

#[tokio::test]
async fn every_link_for_machines_leads_to_a_document() {
    let parties = Parties::start().await;
    let text = parties.buyer.get("/llms.txt").await.text;
    let links: Vec<_> = text.split("](/").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(links.len() > 10, "{links:?}");
    for link in links {
        assert_eq!(parties.buyer.get(&format!("/{link}")).await.status, 200, "{link}");
    }
}

#[tokio::test]
async fn the_type_of_a_problem_is_a_page_that_explains_it() {
    let parties = Parties::start().await;
    let refused = parties.partner.call("POST", "/api/v1/partners", &json!({ "name": "Another" })).await;
    assert_eq!(code(&refused), "forbidden");
    let kind = refused.body["type"].as_str().unwrap();
    let (page, anchor) = kind.split_once('#').unwrap();
    let path = &page[page.find("/docs/").unwrap()..];
    let shown = parties.partner.get(path).await;
    assert!(shown.text.contains(&format!("<h2 id=\"{anchor}\">")), "{kind}");
    assert!(Code::ALL.iter().all(|code| shown.text.contains(&format!("id=\"{}\"", code.as_str()))));
}
