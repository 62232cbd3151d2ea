//! Links and sessions by person, and ending them.

use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;

use crate::harness::commands::{approve, at};
use crate::harness::parties::Parties;
use crate::harness::service::PUBLIC_ORIGIN;
use crate::harness::visitor::Visitor;

#[tokio::test]
async fn a_console_shows_who_came_in_and_ends_it() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let mut anna = parties.visitor(Party::Partner, LinkKind::Decide, Some(&task), "u-anna").await;
    let mut desk = parties.visitor(Party::Partner, LinkKind::Inbox, None, "u-anna").await;
    let mut bo = parties.visitor(Party::Partner, LinkKind::Inbox, None, "u-bo").await;
    let alive = async |visitor: &mut Visitor| visitor.get("/people").await.status == 403;
    assert!(alive(&mut anna).await && alive(&mut desk).await && alive(&mut bo).await);

    let mut visitor = parties.console(Party::Partner, true).await;
    let page = visitor.read("/people").await;
    assert_eq!(page.all("section.person h2"), ["Name of u-dev", "Name of u-bo", "Name of u-anna"]);
    let of_anna = visitor.read("/people?actor=u-anna").await;
    assert_eq!(of_anna.all("section.person tbody tr").len(), 2);
    let link = of_anna.html.split("href=\"/people/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let one = visitor.read(&format!("/people/{link}")).await;
    assert_eq!(one.all("tbody tr").len(), 1, "its session: {}", one.text());
    assert!(one.text().contains("the inbox"), "{}", one.text());
    let ended = visitor.submit(&one, &format!("/people/{link}/end"), &[]).await;
    let one = visitor.follow(ended).await;
    assert!(one.text().contains("Ended"), "{}", one.text());
    assert!(alive(&mut anna).await && !alive(&mut desk).await);

    let ended = visitor.post("/people/end-all", &[("form", &token(&of_anna, "u-anna")), ("person", "u-anna")]).await;
    assert_eq!(ended.status, 303);
    assert!(!alive(&mut anna).await, "her other link");
    assert!(alive(&mut bo).await, "the link of another person");
}

/// The token of the form that ends all links of a person.
fn token(page: &crate::harness::visitor::Page, person: &str) -> String {
    let hidden = page.hidden("/people/end-all");
    assert!(hidden.contains(&("person".to_owned(), person.to_owned())));
    hidden[0].1.clone()
}

#[tokio::test]
async fn a_link_for_oneself_shows_a_task_and_decides_nothing() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    for party in [Party::Partner, Party::Platform] {
        let mut visitor = parties.console(party, true).await;
        let page = visitor.read("/people").await;
        let made = visitor.submit(&page, "/people/link", &[("task", &task)]).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let address = made.one("#secret");
        let path = address.strip_prefix(PUBLIC_ORIGIN).unwrap();
        let mut other = Visitor::new(&parties.service.router);
        let opened = other.post(path, &[]).await;
        assert_eq!((opened.status, opened.headers["location"].to_str().unwrap()), (303, &*format!("/tasks/{task}")));
        let visit = parties.service.app.links.visit(other.session().unwrap()).await.unwrap().unwrap();
        let through = visit.caller.through().unwrap();
        assert_eq!(through.reach.kind, LinkKind::Task);
        assert!(stagegate::domain::task::command::CommandType::ALL.into_iter().all(|kind| !visit.allows_type(kind)));
        assert!(!visitor.read("/people").await.html.contains(path));
        let page = visitor.read("/people").await;
        let wrong = visitor.submit(&page, "/people/link", &[("task", "x")]).await;
        assert_eq!(wrong.status, 404);
    }
    parties.partner.done(&task, &approve(at("legal", 1, 1), "u-anna")).await;
}
