//! The inbox of each party: its filters, its counts, and its pages while tasks move under the reader.

use std::cell::Cell;

use serde_json::{Value, json};

use crate::harness::commands::{approve, at, escalate, submit, with};
use crate::harness::parties::{Client, DEMO, Parties, text};

#[tokio::test]
async fn a_partner_finds_reviews_by_every_filter_and_by_several() {
    let parties = Parties::start().await;
    let copy = parties.open("brand-campaign").await;
    let legal = parties.open_in_legal().await;
    let own = parties.open("brand-campaign").await;
    parties.partner.done(&own, &submit("u-anna")).await;
    parties.partner.done(&own, &approve(at("copy", 1, 1), "u-copy")).await;
    let mut later = DEMO.clone();
    later["stages"][1]["reviewers"] = json!(["u-eve", "u-anna"]);
    parties.register("brand-campaign", &later).await;
    let eves = parties.open_in_legal().await;
    parties.register("slow", &slow("partner")).await;
    let late = parties.open("slow").await;
    parties.pass(1);
    let in_time = parties.open("slow").await;
    assert_eq!(parties.tick(&late).await, 1);
    let all = [&copy, &legal, &own, &eves, &late, &in_time];
    let table: [(&str, &[&String]); 18] = [
        ("", &all),
        ("stage=copy", &[&copy]),
        ("stage=legal", &[&legal, &own, &eves, &late, &in_time]),
        ("workflow=slow", &[&late, &in_time]),
        ("workflow=none", &[]),
        ("overdue=true", &[&late]),
        ("overdue=false", &[&copy, &legal, &own, &eves, &in_time]),
        ("reviewer=u-anna", &[&legal, &own, &eves]),
        ("reviewer=u-eve", &[&eves]),
        ("reviewer=u-chi", &[&legal, &own]),
        ("reviewer=u-nobody", &[]),
        ("reviewer=u-anna&actor=u-anna", &[&legal, &eves]),
        ("reviewer=u-chi&actor=u-anna", &[&legal]),
        ("actor=u-eve", &[&copy, &eves, &late, &in_time]),
        ("stage=legal&workflow=brand-campaign", &[&legal, &own, &eves]),
        ("stage=legal&overdue=true&workflow=slow", &[&late]),
        ("stage=copy&reviewer=u-anna", &[]),
        ("stage=legal&workflow=slow&overdue=false&actor=u-dora", &[&in_time]),
    ];
    for (query, expected) in table {
        assert_eq!(sorted(walk(&parties.partner, &format!("limit=2&{query}")).await), sorted(expected), "{query}");
    }
}

#[tokio::test]
async fn platform_and_buyer_find_by_filters_what_waits_on_them() {
    for (party, other) in [("platform", "buyer"), ("buyer", "platform")] {
        let parties = Parties::start().await;
        let (reader, stranger) = match party {
            "platform" => (parties.platform.clone(), parties.another_partner().await),
            _ => (parties.buyer.clone(), parties.another_buyer()),
        };
        parties.register("slow", &slow("partner")).await;
        let asked = parties.open_in_legal().await;
        let (late, elsewhere) = (parties.open("slow").await, parties.open("slow").await);
        for (id, to) in [(&late, party), (&elsewhere, other)] {
            parties.partner.done(id, &escalate(at("legal", 1, 0), "u-anna", to)).await;
        }
        parties.pass(1);
        assert_eq!(parties.tick(&late).await, 1);
        parties.partner.done(&asked, &escalate(at("legal", 1, 1), "u-anna", party)).await;
        let table: [(&str, &[&String]); 6] = [
            ("", &[&late, &asked]),
            ("stage=legal", &[&late, &asked]),
            ("stage=copy", &[]),
            ("overdue=true", &[&late]),
            ("overdue=false", &[&asked]),
            ("overdue=false&stage=legal&actor=somebody", &[&asked]),
        ];
        for (query, expected) in table {
            assert_eq!(walk(&reader, &format!("limit=1&{query}")).await, owned(expected), "{party}: {query}");
            assert_eq!(walk(&stranger, query).await, Vec::<String>::new(), "{party}: {query}");
        }
        check_workflow_is_for_the_platform(&reader, party, &late).await;
        let refused = reader.get("/api/v1/reviews?reviewer=u-anna").await;
        let error = &refused.body["errors"][0];
        assert_eq!(
            (refused.status, &error["pointer"], &error["code"]),
            (400, &json!("/query/reviewer"), &json!("not_allowed"))
        );
        let message = "is for partners only: the reviewers that stages name are a partner's people";
        assert_eq!(error["message"], message, "nobody else learns from the answer who reviews");
    }
}

/// The trail hides from a buyer which workflow a task is on, and so does the inbox: in rows, in counts and behind a
/// filter.
async fn check_workflow_is_for_the_platform(reader: &Client, party: &str, late: &str) {
    let page = reader.read("/api/v1/reviews").await;
    let rows: Vec<&Value> = page["items"].as_array().unwrap().iter().map(|item| &item["workflow"]).collect();
    let counts: Vec<&Value> = page["counts"].as_array().unwrap().iter().map(|count| &count["workflow"]).collect();
    let filtered = reader.get("/api/v1/reviews?workflow=slow").await;
    if party == "platform" {
        assert_eq!(rows, ["slow", "brand-campaign"]);
        assert_eq!(counts, ["brand-campaign", "slow"]);
        assert_eq!(ids(&filtered.body["items"]), [late.to_owned()]);
        return;
    }
    assert_eq!(
        (rows, counts),
        (vec![&Value::Null; 2], vec![&Value::Null]),
        "one count for the stage, whatever the workflow"
    );
    assert_eq!((page["counts"][0]["waiting"].clone(), filtered.status), (json!(2), 400));
    assert_eq!(filtered.body["errors"][0]["pointer"], "/query/workflow");
    assert!(!page.to_string().contains("slow"), "{page}");
}

#[tokio::test]
async fn filters_that_are_not_understood_are_refused_and_named() {
    let parties = Parties::start().await;
    let long = "x".repeat(201);
    let table = [
        ("overdue", "maybe"),
        ("overdue", ""),
        ("overdue", "1"),
        ("reviewer", ""),
        ("reviewer", "%00"),
        ("reviewer", &long),
        ("stage", "Legal"),
        ("workflow", "..%2Fx"),
        ("limit", "101"),
        ("cursor", "x"),
        ("reviewers", "u-anna"),
    ];
    for (name, value) in table {
        let answer = parties.partner.get(&format!("/api/v1/reviews?{name}={value}")).await;
        assert_eq!(answer.status, 400, "{name}={value}: {}", answer.text);
        let errors = answer.body["errors"].as_array().unwrap();
        assert_eq!((errors.len(), &errors[0]["pointer"]), (1, &json!(format!("/query/{name}"))), "{value}");
        assert!(!text(&errors[0]["message"]).is_empty());
    }
}

#[tokio::test]
async fn counts_say_whether_there_are_more_than_were_counted() {
    let parties = Parties::start().await;
    parties.register("slow", &slow("partner")).await;
    let late = parties.open("slow").await;
    parties.pass(1);
    parties.tick(&late).await;
    let in_time = parties.open("slow").await;
    parties.register("slow", &with(slow("partner"), &json!({ "name": "Slower" }))).await;
    let other_version = parties.open("slow").await;
    let count = async |query: &str| {
        let counts = parties.partner.read(&format!("/api/v1/reviews?{query}")).await["counts"].clone();
        assert_eq!(counts.as_array().unwrap().len(), 1, "one row for all versions: {counts}");
        ["waiting", "more_waiting", "overdue", "more_overdue"].map(|name| counts[0][name].clone())
    };
    let told = |waiting: u32, more_waiting: bool, overdue: u32, more_overdue: bool| {
        [json!(waiting), json!(more_waiting), json!(overdue), json!(more_overdue)]
    };
    assert_eq!(count("").await, told(3, false, 1, false));
    copy(&parties, &in_time, 60).await;
    copy(&parties, &other_version, 37).await;
    assert_eq!(count("").await, told(100, false, 1, false), "each one is counted");
    copy(&parties, &in_time, 1).await;
    assert_eq!(count("limit=1").await, told(100, true, 1, false));
    copy(&parties, &late, 99).await;
    assert_eq!(count("stage=none&overdue=true").await, told(100, true, 100, false), "filters count nothing out");
    copy(&parties, &late, 1).await;
    assert_eq!(count("actor=u-1").await, told(100, true, 100, true));
}

#[tokio::test]
async fn a_page_for_a_person_who_may_decide_little_ends_early_and_says_that_there_is_more() {
    let parties = Parties::start().await;
    let own = parties.open("brand-campaign").await;
    parties.partner.done(&own, &submit("u-anna")).await;
    parties.partner.done(&own, &approve(at("copy", 1, 1), "u-copy")).await;
    copy(&parties, &own, 599).await;
    parties.pass(1);
    let hers = parties.open_in_legal().await;
    let first = parties.partner.read("/api/v1/reviews?actor=u-anna").await;
    assert_eq!(first["items"], json!([]), "500 were looked at, and all are her own work");
    let next = text(&first["next"]);
    let second = parties.partner.read(&format!("/api/v1/reviews?actor=u-anna&cursor={next}")).await;
    assert_eq!((ids(&second["items"]), &second["next"]), (vec![hers], &Value::Null));
    let bos = parties.partner.read("/api/v1/reviews?actor=u-bo&reviewer=u-bo&limit=100").await;
    assert_eq!(ids(&bos["items"]).len(), 100);
}

#[tokio::test]
async fn a_walk_shows_what_stays_once_while_everything_else_moves() {
    let parties = Parties::start().await;
    parties.register("timed", &two_stages(true)).await;
    parties.register("free", &two_stages(false)).await;
    let (mut stay, mut move_on, mut timed) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..32 {
        let id = parties.open(if n % 4 < 2 { "timed" } else { "free" }).await;
        if n % 4 < 2 {
            timed.push(id.clone());
        }
        if n % 2 == 0 {
            stay.push(id);
        } else {
            move_on.push(id);
        }
        if n % 3 == 0 {
            parties.pass(1);
        }
    }
    let (moved, walks) = (Cell::new(false), Cell::new(0));
    let moving = async {
        for (n, id) in move_on.iter().enumerate() {
            // Due times of new tasks and new stages fall before, between and behind those that stay.
            parties.pass(if n % 8 == 7 { 12 } else { 1 });
            parties.partner.done(id, &approve(at("a", 1, 0), "u-1")).await;
            let new = parties.open(if n % 2 == 0 { "free" } else { "timed" }).await;
            parties.partner.done(&new, &escalate(at("a", 1, 0), "u-1", "platform")).await;
            // What becomes overdue has not moved.
            parties.tick(&stay[n]).await;
            parties.partner.done(id, &approve(at("b", 1, 0), "u-1")).await;
            parties.open("timed").await;
        }
        moved.set(true);
    };
    let walking = async {
        while !moved.get() || walks.get() < 3 {
            for query in ["limit=3", "limit=4&stage=a", "limit=5&workflow=timed", "limit=4&actor=u-2"] {
                let seen = places(&parties.partner, query).await;
                assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{query}: always on, never twice: {seen:?}");
                for id in &stay {
                    let expected = usize::from(!query.contains("timed") || timed.contains(id));
                    assert_eq!(seen.iter().filter(|(_, seen)| seen == id).count(), expected, "{query}: {id}");
                }
            }
            walks.set(walks.get() + 1);
        }
    };
    tokio::join!(moving, walking);
    let overdue = parties.partner.read("/api/v1/reviews?overdue=true&limit=100").await;
    assert!(!ids(&overdue["items"]).is_empty(), "some became overdue on the way");
}

/// A stage with a deadline that changes nothing when it passes, and so an escalation from it.
fn slow(reviewer: &str) -> Value {
    let on_timeout = json!({ "action": "none" });
    json!({ "name": "Slow", "stages": [{ "key": "legal", "name": "Legal", "buyer_label": "In legal", "reviewer": reviewer,
        "deadline": { "within": "PT1H", "on_timeout": on_timeout },
        "escalation": { "to": ["platform", "buyer"], "respond_within": "PT1H", "on_timeout": on_timeout } }] })
}

fn two_stages(timed: bool) -> Value {
    let stage = |key: &str| {
        let stage = json!({ "key": key, "name": key, "buyer_label": key, "self_approval": true });
        let deadline = json!({ "deadline": { "within": "PT24H", "on_timeout": { "action": "none" } } });
        if timed { with(stage, &deadline) } else { stage }
    };
    json!({ "name": "Two", "stages": [stage("a"), stage("b")] })
}

/// Puts tasks beside this one that differ from it in their ids alone.
pub async fn copy(parties: &Parties, task: &str, times: i32) {
    let mut owner = parties.service.db.owner().await;
    let copied = sqlx::query(
        "insert into tasks (task_id, partner_id, buyer_id, workflow_key, workflow_version, title, open_digest, opened_at, version,
             phase, stage, round, waiting_on, due_at, overdue, wake_at, format, state, notes, buyer_status, status_version, head_hash, updated_at)
         select id, partner_id, buyer_id, workflow_key, workflow_version, title, open_digest, opened_at, version,
             phase, stage, round, waiting_on, due_at, overdue, wake_at, format, jsonb_set(state, '{id}', to_jsonb(id)), notes, buyer_status,
             status_version, head_hash, updated_at
         from tasks cross join lateral (select gen_random_uuid() as id from generate_series(1, $2) n where task_id is not null) copy
         where task_id = $1",
    );
    let copied = copied.bind(task.parse::<uuid::Uuid>().unwrap()).bind(times).execute(&mut owner).await.unwrap();
    assert_eq!(copied.rows_affected(), u64::try_from(times).unwrap());
}

/// Every page of an inbox, by its place in the order: due time, with none last, and id.
async fn places(reader: &Client, query: &str) -> Vec<(String, String)> {
    let (mut seen, mut path) = (Vec::new(), format!("/api/v1/reviews?{query}"));
    loop {
        let page = reader.read(&path).await;
        let items = page["items"].as_array().unwrap();
        let due = |item: &Value| item["due_at"].as_str().unwrap_or("without").to_owned();
        seen.extend(items.iter().map(|item| (due(item), text(&item["task_id"]))));
        let Some(next) = page["next"].as_str() else { return seen };
        assert!(seen.len() < 1_000, "pages without end");
        path = format!("/api/v1/reviews?{query}&cursor={next}");
    }
}

async fn walk(reader: &Client, query: &str) -> Vec<String> {
    places(reader, query).await.into_iter().map(|(_, id)| id).collect()
}

fn ids(items: &Value) -> Vec<String> {
    items.as_array().unwrap().iter().map(|item| text(&item["task_id"])).collect()
}

fn owned(ids: &[&String]) -> Vec<String> {
    ids.iter().map(|id| (*id).clone()).collect()
}

fn sorted(ids: impl IntoIterator<Item = impl ToString>) -> Vec<String> {
    let mut ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    ids.sort();
    ids
}
