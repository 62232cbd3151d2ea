//! Lists: filters, pages, and what waits on whom.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::harness::commands::{approve, at, cancel, escalate, submit, with};
use crate::harness::parties::{Client, DEMO, Parties, text};
use crate::harness::plans::{buffers, executed};

#[tokio::test]
async fn pages_are_stable_while_tasks_move() {
    let parties = Parties::start().await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(parties.open("brand-campaign").await);
        parties.pass(1);
    }
    ids.reverse();
    for list in ["/api/v1/tasks?limit=3", "/api/v1/statuses?limit=3"] {
        let reader = if list.contains("statuses") { &parties.buyer } else { &parties.partner };
        let id = if list.contains("statuses") { "task_id" } else { "id" };
        let mut seen = Vec::new();
        let mut page = reader.read(list).await;
        loop {
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| text(&item[id])));
            // Between two pages a task moves on and another is opened.
            parties.partner.done(&ids[3], &crate::harness::commands::update("moved")).await;
            parties.open("brand-campaign").await;
            let Some(next) = page["next"].as_str() else { break };
            page = reader.read(&format!("{list}&cursor={next}")).await;
        }
        let seen: Vec<_> = seen.into_iter().filter(|id| ids.contains(id)).collect();
        assert_eq!(seen, ids, "{list}: each once, the latest first");
    }
}

#[tokio::test]
async fn tasks_are_found_by_what_they_are_about() {
    let parties = Parties::start().await;
    parties.register("other", &DEMO).await;
    let (preparing, in_legal) = (parties.open("brand-campaign").await, parties.open_in_legal().await);
    let (at_buyer, other) = (parties.open_in_legal().await, parties.open("other").await);
    parties.partner.done(&at_buyer, &escalate(at("legal", 1, 1), "u-anna", "buyer")).await;
    let table: [(&str, Vec<&String>); 11] = [
        ("phase=preparing", vec![&other, &preparing]),
        ("phase=escalated", vec![&at_buyer]),
        ("phase=delivery", vec![]),
        ("stage=legal", vec![&at_buyer, &in_legal]),
        ("stage=legal&phase=in_review", vec![&in_legal]),
        ("workflow=other", vec![&other]),
        ("waiting_on=buyer", vec![&at_buyer]),
        ("waiting_on=partner&stage=copy&workflow=brand-campaign", vec![&preparing]),
        ("overdue=true", vec![]),
        ("overdue=false&stage=legal", vec![&at_buyer, &in_legal]),
        ("", vec![&other, &at_buyer, &in_legal, &preparing]),
    ];
    for (query, expected) in table {
        for reader in [&parties.partner, &parties.platform] {
            let found = ids(&reader.read(&format!("/api/v1/tasks?{query}")).await["items"], "id");
            let mut expected: Vec<_> = expected.iter().map(|id| (*id).clone()).collect();
            // Opened at one instant, so the order is that of their ids.
            expected.sort_by(|a, b| b.cmp(a));
            assert_eq!(found, expected, "{query}");
        }
    }
    let stranger = parties.another_partner().await;
    assert_eq!(stranger.read("/api/v1/tasks").await["items"], json!([]));
    assert_eq!(stranger.read("/api/v1/reviews").await["items"], json!([]));
    let foreign = format!("/api/v1/tasks?partner_id={}", parties.partner_id);
    assert_eq!(stranger.get(&foreign).await.status, 400);
    assert_eq!(ids(&parties.platform.read(&foreign).await["items"], "id").len(), 4);
    assert_eq!(parties.another_buyer().read("/api/v1/statuses").await["items"], json!([]));
}

#[tokio::test]
async fn a_review_whose_deadline_passed_is_found_as_overdue() {
    let parties = Parties::start().await;
    let definition = json!({ "name": "Slow", "stages": [{ "key": "a", "name": "A", "buyer_label": "In A",
        "deadline": { "within": "PT1H", "on_timeout": { "action": "none" } } }] });
    parties.register("slow", &definition).await;
    let id = parties.open("slow").await;
    parties.pass(1);
    assert_eq!(parties.tick(&id).await, 1);
    assert_eq!(ids(&parties.partner.read("/api/v1/tasks?overdue=true").await["items"], "id"), [&*id]);
    let reviews = parties.partner.read("/api/v1/reviews").await;
    assert_eq!((&reviews["items"][0]["overdue"], &reviews["counts"][0]["overdue"]), (&json!(true), &json!(1)));
    assert_eq!(parties.status(&id).await["overdue"], true);
}

#[tokio::test]
async fn each_party_finds_what_waits_on_it_the_earliest_due_first() {
    let parties = Parties::start().await;
    let preparing = parties.open("brand-campaign").await;
    let first = parties.open_in_legal().await;
    parties.pass(2);
    let (second, asked) = (parties.open_in_legal().await, parties.open_in_legal().await);
    parties.partner.done(&asked, &escalate(at("legal", 1, 1), "u-anna", "platform")).await;
    let waiting = parties.partner.read("/api/v1/reviews").await;
    assert_eq!(ids(&waiting["items"], "task_id"), [&first, &second, &preparing].map(Clone::clone));
    let counts: Vec<_> =
        waiting["counts"].as_array().unwrap().iter().map(|count| json!([count["stage"], count["waiting"]])).collect();
    assert_eq!(counts, [json!(["copy", 1]), json!(["legal", 2])]);
    let theirs = parties.platform.read("/api/v1/reviews").await;
    assert_eq!(
        (ids(&theirs["items"], "task_id"), &theirs["items"][0]["due_at"]),
        (vec![asked], &json!("2027-01-16T10:00:00Z"))
    );
    assert_eq!(parties.buyer.read("/api/v1/reviews").await["items"], json!([]));
    parties.partner.done(&second, &escalate(at("legal", 1, 1), "u-anna", "buyer")).await;
    assert_eq!(ids(&parties.buyer.read("/api/v1/reviews").await["items"], "task_id"), [second]);
    assert_eq!(pages(&parties.partner, "/api/v1/reviews?limit=1").await, [&first, &preparing].map(Clone::clone));
    assert_eq!(pages(&parties.partner, "/api/v1/reviews?limit=1&stage=copy").await, [preparing]);
}

#[tokio::test]
async fn a_person_finds_only_what_this_person_may_decide() {
    let parties = Parties::start().await;
    let mut ids = Vec::new();
    let (copy, work) = ("u-copy", "agent");
    for (submitter, approver) in [("u-anna", copy), ("u-bo", copy), (work, "u-chi"), ("u-anna", copy), (work, copy)] {
        let id = parties.open("brand-campaign").await;
        parties.partner.done(&id, &submit(submitter)).await;
        parties.partner.done(&id, &approve(at("copy", 1, 1), approver)).await;
        parties.pass(1);
        ids.push(id);
    }
    let of = async |actor: &str| pages(&parties.partner, &format!("/api/v1/reviews?limit=1&actor={actor}")).await;
    assert_eq!(of("u-anna").await, [&ids[1], &ids[2], &ids[4]].map(Clone::clone), "not her own work");
    assert_eq!(of("u-bo").await, [&ids[0], &ids[2], &ids[3], &ids[4]].map(Clone::clone));
    assert_eq!(of("u-chi").await, [&ids[0], &ids[1], &ids[3], &ids[4]].map(Clone::clone), "approved the copy of one");
    assert_eq!(of("u-dora").await, Vec::<String>::new(), "is no reviewer");
    let own = &parties.task(&ids[0]).await["review"];
    assert_eq!(own["eligible"], json!(["u-bo", "u-chi"]));
    assert_eq!(own["excluded"], json!([{ "actor": "u-anna", "why": "self_approval" }]));
    let earlier = &parties.task(&ids[2]).await["review"];
    assert_eq!(earlier["excluded"], json!([{ "actor": "u-chi", "why": "not_distinct" }]));
}

#[tokio::test]
async fn a_page_reads_no_more_when_many_tasks_are_closed_or_elsewhere() {
    let parties = Parties::start().await;
    let (closed, preparing) = (parties.open("brand-campaign").await, parties.open("brand-campaign").await);
    parties.platform.done(&closed, &with(cancel(), &json!({ "immediate": true }))).await;
    for _ in 0..60 {
        parties.open_in_legal().await;
    }
    let mut database = parties.service.db.owner().await;
    let columns = "select string_agg(column_name, ',') from information_schema.columns
        where table_name = 'tasks' and is_generated = 'NEVER'";
    let columns: String = sqlx::query_scalar(columns).fetch_one(&mut database).await.unwrap();
    let copies = format!(
        "insert into tasks ({columns}) select {columns} from (
             select copy.* from tasks original
             cross join generate_series(1, $2) n
             cross join jsonb_populate_record(original, jsonb_build_object(
                 'task_id', gen_random_uuid(), 'opened_at', original.opened_at - n * interval '1 second')) copy
             where original.task_id = $1::uuid) copies"
    );
    for (id, count) in [(&closed, 40_000), (&preparing, 10_000)] {
        sqlx::query(AssertSqlSafe(copies.clone())).bind(id).bind(count).execute(&mut database).await.unwrap();
    }
    sqlx::raw_sql("analyze tasks").execute(&mut database).await.unwrap();
    let phases = "'{preparing,in_review,escalated,cancelling,delivery,completed,cancelled}'";
    let open = "'{preparing,in_review,escalated,cancelling,delivery}'";
    let partner = &parties.partner_id;
    for (mark, arguments) in [
        ("tasks of a partner", format!("{phases}, null, null, null, null, null, null, 51, '{partner}'")),
        ("tasks of a partner", format!("{phases}, 'legal', null, null, null, null, null, 51, '{partner}'")),
        ("tasks of a partner", format!("{phases}, null, null, false, 'partner', null, null, 51, '{partner}'")),
        ("tasks at a stage", format!("{phases}, 'legal', null, null, null, null, null, 51")),
        ("overdue tasks", format!("{open}, null, null, true, null, null, null, 51")),
        ("tasks", format!("{phases}, null, null, null, null, null, null, 51")),
    ] {
        let plan = executed(&parties.service.db, &format!("/* search: {mark} */"), &arguments).await;
        let read = buffers(&plan);
        assert!(read < 1_000, "{mark} with {arguments} looked at {read} pages: {plan:#}");
    }
}

async fn pages(reader: &Client, first: &str) -> Vec<String> {
    let (mut seen, mut path) = (Vec::new(), first.to_owned());
    loop {
        let page = reader.read(&path).await;
        seen.extend(ids(&page["items"], "task_id"));
        let Some(next) = page["next"].as_str() else { return seen };
        assert!(seen.len() < 100, "pages without end");
        path = format!("{first}&cursor={next}");
    }
}

fn ids(items: &Value, name: &str) -> Vec<String> {
    items.as_array().unwrap().iter().map(|item| text(&item[name])).collect()
}
