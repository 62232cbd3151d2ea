//! Statistics of closed tasks: who reads which, what stays when tasks and people go, and that they are what a count
//! of the trails gives.

mod histories;
mod recount;

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use stagegate::domain::analytics::Subject;
use stagegate::domain::task::event::WorkflowRef;
use stagegate::domain::values::id::{PartnerId, WorkflowKey};
use stagegate::store::{self, Pool};
use stagegate::worker::erasures::Erasures;

use crate::audit::transparency_log::scalar;
use crate::harness::commands::{approve, at, cancel, reject, submit, with};
use crate::harness::database::TestDb;
use crate::harness::parties::{Client, Parties, code};
use crate::harness::plans::{executed, rows};
use crate::retention::world::World;

const PATH: &str = "/api/v1/workflows/brand-campaign/analytics";

/// The demo from opening to delivery, with one rejection by legal if that is wanted.
async fn deliver(parties: &Parties, rejected: bool) {
    let task = parties.open_in_legal().await;
    let mut round = 1;
    if rejected {
        parties.partner.done(&task, &reject(at("legal", 1, 1), "u-anna")).await;
        parties.partner.done(&task, &submit("agent")).await;
        round = 2;
        parties.partner.done(&task, &approve(at("copy", round, round), "u-copy")).await;
    }
    for actor in ["u-anna", "u-bo"] {
        parties.partner.done(&task, &approve(at("legal", round, round), actor)).await;
    }
    parties.buyer.done(&task, &approve(at("signoff", 1, round), "")).await;
    assert_eq!(parties.task(&task).await["phase"], "delivery");
}

fn stage<'a>(analytics: &'a Value, key: &str) -> &'a Value {
    analytics["stages"].as_array().unwrap().iter().find(|stage| stage["key"] == key).unwrap()
}

#[tokio::test]
async fn each_closed_task_is_counted_once_by_stage() {
    let parties = Parties::start().await;
    let facts = async || scalar(&parties, "select count(*) from stage_facts").await;
    for number in 0..5 {
        assert_eq!(facts().await, number * 3, "one row for each stage of each closed task");
        parties.pass(1);
        deliver(&parties, number == 0).await;
    }
    let open = parties.open_in_legal().await;
    assert_eq!(facts().await, 15);
    parties.pass(1);
    let analytics = parties.partner.read(PATH).await;
    assert_eq!((&analytics["tasks"], &analytics["ends"]["delivery"]), (&json!(5), &json!(5)));
    assert_eq!((&analytics["since"], &analytics["more"]), (&Value::Null, &json!(false)));
    let legal = stage(&analytics, "legal");
    assert_eq!((&legal["entered"], &legal["approved"], &legal["rejected"]), (&json!(6), &json!(5), &json!(1)));
    assert_eq!((&legal["first_pass_share"], &legal["rounds"]["p90"]), (&json!(0.8), &json!(2)));
    assert_eq!(stage(&analytics, "copy")["first_pass_share"], 1.0, "it was approved at first, and again later");
    // A late decision adds to the trail and not to the facts.
    parties.platform.done(&open, &with(cancel(), &json!({ "immediate": true }))).await;
    assert_eq!(facts().await, 17, "it never came to the last stage");
    let late = parties.partner.refused(&open, &approve(at("legal", 1, 1), "u-anna"), (409, "task_closed")).await;
    assert!(late["recorded"]["seq"].is_u64(), "{late}");
    assert_eq!(facts().await, 17);
}

#[tokio::test]
async fn partners_read_their_own_and_the_platform_names_the_partner() {
    let parties = Parties::start().await;
    for _ in 0..5 {
        let task = parties.open("brand-campaign").await;
        parties.platform.done(&task, &with(cancel(), &json!({ "immediate": true }))).await;
    }
    parties.pass(1);
    let own = parties.partner.read(PATH).await;
    let named = format!("{PATH}?partner_id={}", parties.partner_id);
    assert_eq!(own, parties.platform.read(&named).await);
    assert_eq!((&own["ends"]["cancelled"], &own["delivery_seconds"]), (&json!(5), &Value::Null));
    let other = parties.another_partner().await;
    other.call("PUT", "/api/v1/workflows/brand-campaign", &crate::harness::parties::DEMO).await;
    assert_eq!(other.read(PATH).await["tasks"], 0, "another partner's tasks are not counted");
    let Parties { partner, platform, buyer, .. } = &parties;
    let refused: [(&Client, String, u16, &str, &str); 10] = [
        (buyer, PATH.to_owned(), 403, "forbidden", ""),
        (partner, named.clone(), 400, "not_allowed", "/query/partner_id"),
        (platform, PATH.to_owned(), 400, "required", "/query/partner_id"),
        (platform, format!("{PATH}?partner_id={}", parties.buyer_id), 404, "", ""),
        (partner, format!("{PATH}?version=2"), 404, "", ""),
        (partner, "/api/v1/workflows/nothing/analytics".to_owned(), 404, "", ""),
        (
            partner,
            format!("{PATH}?from=2027-01-02T00:00:00Z&until=2027-01-02T00:00:00Z"),
            400,
            "out_of_range",
            "/query/from",
        ),
        (
            partner,
            format!("{PATH}?from=2026-01-01T00:00:00Z&until=2027-01-02T00:00:01Z"),
            400,
            "out_of_range",
            "/query/from",
        ),
        (partner, format!("{PATH}?from=yesterday"), 400, "invalid_value", "/query/from"),
        (partner, format!("{PATH}?stage=legal"), 400, "unknown_field", "/query/stage"),
    ];
    for (client, path, status, rule, pointer) in refused {
        let answer = client.get(&path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        let error = &answer.body["errors"][0];
        if pointer.is_empty() {
            assert!(error.is_null() && !code(&answer).is_empty(), "{path}: {}", answer.text);
        } else {
            assert_eq!((&error["code"], &error["pointer"]), (&json!(rule), &json!(pointer)), "{path}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn the_span_is_by_the_time_of_closing_and_a_version_by_itself() {
    let parties = Parties::start().await;
    let close = async |tasks: usize| {
        for _ in 0..tasks {
            let task = parties.open("brand-campaign").await;
            parties.platform.done(&task, &with(cancel(), &json!({ "immediate": true }))).await;
        }
    };
    close(5).await;
    parties.pass(24);
    close(6).await;
    let tasks = async |query: &str| parties.partner.read(&format!("{PATH}?{query}")).await["tasks"].as_u64().unwrap();
    let (first, second) = ("2027-01-15T08:00:00Z", "2027-01-16T08:00:00Z");
    assert_eq!(tasks(&format!("until={second}")).await, 5, "the end is not in the span");
    assert_eq!(tasks(&format!("from={first}&until=2027-01-16T08:00:01Z")).await, 11, "the beginning is");
    assert_eq!(tasks("from=2027-01-15T08:00:00.000001Z&until=2027-01-20T00:00:00Z").await, 6);
    parties.pass(1);
    assert_eq!(tasks("").await, 11, "30 days, until now");
    parties.pass(24 * 30);
    assert_eq!(tasks("").await, 0);
    let mut changed = crate::harness::parties::DEMO.clone();
    changed["name"] = json!("Another name");
    parties.register("brand-campaign", &changed).await;
    let span = "from=2027-01-01T00:00:00Z&until=2027-02-01T00:00:00Z";
    assert_eq!(
        (tasks(span).await, tasks(&format!("{span}&version=1")).await),
        (0, 11),
        "the latest unless one is named"
    );
}

#[tokio::test]
async fn tasks_that_are_put_away_and_people_who_are_erased_stay_counted() {
    let world = World::start().await;
    let parties = &world.parties;
    for number in 0..5 {
        deliver(parties, number < 2).await;
    }
    world.pass_minutes(1);
    let span = format!("{PATH}?from=2027-01-15T00:00:00Z&until=2027-01-16T00:00:00Z");
    let before = parties.partner.read(&span).await;
    assert_eq!(before["tasks"], 5);
    let erasure = json!({ "party": "partner", "partner_id": parties.partner_id, "actor_id": "u-anna", "reason": "x" });
    assert_eq!(parties.platform.call("POST", "/api/v1/erasures", &erasure).await.status, 202);
    world.pass_minutes(60);
    Erasures::new(Arc::clone(&parties.service.app)).run_due().await.unwrap();
    assert_eq!(parties.partner.read(&span).await, before);
    world.log().await;
    world.pass(31);
    assert_eq!(world.run().await, 5);
    assert_eq!(scalar(parties, "select count(*) from tasks").await, 0);
    assert_eq!(scalar(parties, "select count(*) from stage_facts").await, 15);
    assert_eq!(parties.partner.read(&span).await, before);
}

#[tokio::test]
async fn what_was_opened_before_there_were_facts_still_closes_and_is_owned_up_to() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let mut owner = parties.service.db.owner().await;
    // As a migration of a database with tasks leaves it.
    for statement in [
        "insert into stage_facts_start (at) values ('2027-01-15T09:00:00Z')",
        "update tasks set state = state - 'tally'",
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut owner).await.unwrap();
    }
    parties.pass(2);
    parties.platform.done(&task, &with(cancel(), &json!({ "immediate": true }))).await;
    parties.pass(1);
    let analytics = parties.partner.read(PATH).await;
    assert_eq!((&analytics["tasks"], &analytics["since"]), (&json!(1), &json!("2027-01-15T09:00:00Z")));
    assert_eq!(analytics["ends"], Value::Null, "of fewer than 5");
}

/// Facts of made-up tasks: three stages each, closed one minute after the other from 2027-01-01 on.
async fn fill(pool: &Pool, partner: &str, tasks: u32) {
    let insert = format!(
        "insert into stage_facts select md5(task::text)::uuid, 'stage-' || position, position, '{partner}', 'w', 1, 'delivery',
             '2026-12-01', timestamptz '2027-01-01' + task * interval '1 minute', 1, 1, 0, true, 0, 0, 0, 0, 0, 0, task, 0, 0, 0, null
         from generate_series(1, {tasks}) task cross join generate_series(0, 2) position"
    );
    sqlx::query(AssertSqlSafe(insert)).execute(pool).await.unwrap();
}

#[tokio::test]
async fn the_search_reads_the_tasks_of_the_span_up_to_its_limit_and_no_others() {
    let db = TestDb::new().await;
    let (mine, others) = (stagegate::ids::new(), stagegate::ids::new());
    fill(&db.pool, &mine.to_string(), 20_000).await;
    sqlx::query("analyze stage_facts").execute(&mut db.owner().await).await.unwrap();
    let search = "/* search: facts of closed tasks */";
    let arguments = |until: &str, limit: u32| format!("'{mine}', 'w', 1, '2027-01-01', '{until}', {limit}");
    let few = executed(&db, search, &arguments("2027-01-01T01:00:00Z", 10_000)).await;
    assert!(rows(&few) < 5_000.0, "59 tasks of three stages: {few}");
    let many = executed(&db, search, &arguments("2028-01-01", 100)).await;
    assert!(rows(&many) < 8_000.0, "100 tasks of three stages: {many}");
    let version = WorkflowRef { key: WorkflowKey::parse("w").unwrap(), version: 1 };
    let time = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().into();
    let subject = |partner| Subject {
        partner_id: PartnerId(partner),
        workflow: version.clone(),
        from: time("2027-01-01T00:00:00Z"),
        until: time("2028-01-01T00:00:00Z"),
    };
    let counted = store::analytics::count(&db.pool, &subject(mine), 100).await.unwrap();
    assert!(counted.tasks == 100 && counted.more && counted.stages.len() == 3);
    let last = counted.stages.values().next().unwrap().seconds.partner;
    assert_eq!((last.p50.micros(), last.p90.micros(), last.mean.micros()), (19_950, 19_990, 19_950), "the latest 100");
    let all = store::analytics::count(&db.pool, &subject(mine), 20_000).await.unwrap();
    assert!(all.tasks == 20_000 && !all.more);
    let none = store::analytics::count(&db.pool, &subject(others), 100).await.unwrap();
    assert!(none.tasks == 0 && none.stages.is_empty() && !none.more);
}
