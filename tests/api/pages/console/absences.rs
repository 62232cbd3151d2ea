//! The page of absences: set, listed and removed, with mistakes at their fields.

use serde_json::json;
use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;

use crate::harness::parties::Parties;
use crate::pages::desk::send;

#[tokio::test]
async fn an_absence_is_set_and_removed_by_whoever_may() {
    let parties = Parties::start().await;
    let mut visitor = parties.console(Party::Partner, true).await;
    let page = visitor.read("/absences").await;
    assert!(page.text().contains("Nobody is absent"), "{}", page.text());
    let typed = [("person", "u-anna"), ("from", ""), ("until", "2027-02-01"), ("substitute", "u-dora")];
    let set = visitor.submit(&page, "/absences", &typed).await;
    let page = visitor.follow(set).await;
    assert_eq!(page.all("tbody code"), ["u-anna", "u-dora"]);
    assert!(page.text().contains("absent now"), "{}", page.text());
    let stored = parties.partner.read("/api/v1/absences/u-anna").await;
    let expected = json!({ "actor": "u-anna", "from": "2027-01-15T08:00:00Z", "until": "2027-02-01T00:00:00Z", "substitute": "u-dora" });
    assert_eq!(stored, expected);

    let mut reader = parties.console(Party::Partner, false).await;
    let read = reader.read("/absences").await;
    assert_eq!((read.all("tbody code").len(), read.all("form[action^='/absences']").len()), (2, 0));

    for (typed, field) in [
        ([("person", "u-bo"), ("from", "soon"), ("until", "2027-02-01"), ("substitute", "")], "#from"),
        ([("person", "u-bo"), ("from", ""), ("until", "2027-01-01"), ("substitute", "")], "#until"),
        ([("person", "u-bo"), ("from", ""), ("until", "2027-02-01"), ("substitute", "u-bo")], "#substitute"),
        ([("person", "system"), ("from", ""), ("until", "2027-02-01"), ("substitute", "")], "#person"),
    ] {
        let refused = visitor.submit(&page, "/absences", &typed).await;
        assert_eq!(refused.status, 422, "{}", refused.text());
        assert!(refused.html.contains(&format!("href=\"{field}\"")), "{field}: {}", refused.html);
        assert!(refused.html.contains("value=\"2027-0"), "what was typed is kept");
    }

    let removed = visitor.submit(&page, "/absences/remove", &[("person", "u-anna")]).await;
    let page = visitor.follow(removed).await;
    assert!(page.text().contains("Nobody is absent"), "{}", page.text());
}

#[tokio::test]
async fn a_substitute_reads_for_whom_they_decide_and_everybody_reads_who_did() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let away = json!({ "from": "2027-01-01T00:00:00Z", "until": "2027-02-01T00:00:00Z", "substitute": "u-dora" });
    assert_eq!(parties.partner.call("PUT", "/api/v1/absences/u-anna", &away).await.status, 200);
    let mut dora = parties.visitor(Party::Partner, LinkKind::Inbox, None, "u-dora").await;
    let inbox = dora.read("/inbox").await;
    assert!(inbox.html.contains(&format!("/tasks/{task}")), "{}", inbox.text());
    let address = format!("/tasks/{task}");
    let page = dora.read(&address).await;
    assert!(page.text().contains("You decide for u-anna"), "{}", page.text());
    assert!(page.text().contains("is absent until") && page.text().contains("stands in."), "{}", page.text());
    let decided = send(&mut dora, &page, (&task, "approve"), &[]).await;
    let done = dora.follow(decided).await;
    let shown: String = done.text().chars().filter(|c| !matches!(c, '\u{2068}' | '\u{2069}')).collect();
    assert!(shown.contains("Name of u-dora for u-anna"), "{shown}");
    let mut bo = parties.visitor(Party::Partner, LinkKind::Task, Some(&task), "u-bo").await;
    let page = bo.read(&address).await;
    let shown: String = page.text().chars().filter(|c| !matches!(c, '\u{2068}' | '\u{2069}')).collect();
    assert!(shown.matches("Name of u-dora for u-anna").count() >= 2, "in the votes and in the history: {shown}");
    assert!(!shown.contains("You decide for"), "{shown}");
}
