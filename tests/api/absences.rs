//! Absences of a partner's people: set, read, removed and ended, and what tasks make of them at once, on every replica.

use serde_json::{Value, json};
use stagegate::worker::links::Links;
use std::sync::Arc;

use crate::harness::commands::{approve, at, escalate, reject, resolve, submit, update};
use crate::harness::parties::{Client, Parties, code, events, text};
use crate::harness::service::{Answer, Service};

/// The tests begin on 2027-01-15T08:00:00Z.
const SOON: &str = "2027-01-15T09:00:00Z";
const LATER: &str = "2027-01-22T08:00:00Z";
const BEFORE: &str = "2027-01-01T00:00:00Z";

async fn set(client: &Client, actor: &str, body: &Value) -> Answer {
    client.call("PUT", &format!("/api/v1/absences/{actor}"), body).await
}

/// Makes a person absent until [`LATER`].
async fn away(parties: &Parties, actor: &str, substitute: Option<&str>) {
    let answer =
        set(&parties.partner, actor, &json!({ "from": BEFORE, "until": LATER, "substitute": substitute })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

async fn back(client: &Client, actor: &str) {
    assert_eq!(client.call("DELETE", &format!("/api/v1/absences/{actor}"), &Value::Null).await.status, 204);
}

async fn listed(client: &Client, query: &str) -> Vec<String> {
    let page = client.read(&format!("/api/v1/absences{query}")).await;
    page["items"].as_array().unwrap().iter().map(|row| text(&row["actor"])).collect()
}

/// The entries of the partner's trail about absences: type and fields.
async fn recorded(parties: &Parties) -> Vec<(String, Value)> {
    let trail = parties.partner.read(&format!("/api/v1/partners/{}/audit?limit=100", parties.partner_id)).await;
    let rows = trail["items"].as_array().unwrap().iter();
    let own = rows.filter(|row| row["type"].as_str().unwrap().starts_with("partner.absence"));
    own.map(|row| (text(&row["type"]), row["data"].clone())).collect()
}

fn approval(actor: &str) -> Value {
    approve(at("legal", 1, 1), actor)
}

/// The inbox of a person, as the partner asks for it.
async fn inbox(parties: &Parties, filter: &str) -> Vec<String> {
    let page = parties.partner.read(&format!("/api/v1/reviews?{filter}")).await;
    page["items"].as_array().unwrap().iter().map(|row| text(&row["task_id"])).collect()
}

#[tokio::test]
async fn an_absence_is_set_replaced_and_removed_and_the_trail_has_what_changed() {
    let parties = Parties::start().await;
    let (anna, partner) = ("/api/v1/absences/u-anna", &parties.partner);
    assert_eq!(partner.get(anna).await.status, 404);
    let body = json!({ "from": BEFORE, "until": LATER, "substitute": "u-bo" });
    let shown = json!({ "actor": "u-anna", "from": BEFORE, "until": LATER, "substitute": "u-bo" });
    for _ in 0..2 {
        let answer = set(partner, "u-anna", &body).await;
        assert_eq!((answer.status, &answer.body), (200, &shown), "{}", answer.text);
    }
    assert_eq!(partner.read(anna).await, shown);
    assert_eq!(recorded(&parties).await.len(), 1, "the same again changes nothing");
    let changed = set(partner, "u-anna", &json!({ "from": BEFORE, "until": SOON })).await;
    assert_eq!((changed.status, &changed.body["substitute"]), (200, &Value::Null));
    for _ in 0..2 {
        back(partner, "u-anna").await;
    }
    assert_eq!(partner.get(anna).await.status, 404);
    let expected = [
        ("partner.absence_set", shown.clone()),
        ("partner.absence_set", json!({ "actor": "u-anna", "from": BEFORE, "until": SOON })),
        ("partner.absence_removed", json!({ "actor": "u-anna" })),
    ];
    assert_eq!(recorded(&parties).await, expected.map(|(kind, data)| (kind.to_owned(), data)));
    let proof = parties.partner.get(&format!("/api/v1/partners/{}/audit/proof", parties.partner_id)).await;
    assert_eq!(proof.status, 200);
}

#[tokio::test]
async fn what_breaks_a_rule_names_field_and_rule() {
    let parties = Parties::start().await;
    let refused = [
        (json!({ "until": LATER }), "/from", "required"),
        (json!({ "from": BEFORE }), "/until", "required"),
        (json!({ "from": LATER, "until": LATER }), "/until", "out_of_range"),
        (json!({ "from": BEFORE, "until": "2027-01-15T08:00:00Z" }), "/until", "not_in_future"),
        (json!({ "from": BEFORE, "until": LATER, "substitute": "u-anna" }), "/substitute", "not_allowed"),
        (json!({ "from": BEFORE, "until": LATER, "substitute": "system" }), "/substitute", "reserved"),
        (json!({ "from": BEFORE, "until": LATER, "why": "x" }), "/why", "unknown_field"),
    ];
    for (body, pointer, rule) in refused {
        let answer = set(&parties.partner, "u-anna", &body).await;
        let error = &answer.body["errors"][0];
        assert_eq!(
            (answer.status, error["pointer"].as_str(), error["code"].as_str()),
            (422, Some(pointer), Some(rule)),
            "{body}: {}",
            answer.text
        );
    }
    let system = set(&parties.partner, "system", &json!({ "from": BEFORE, "until": LATER })).await;
    assert_eq!((system.status, &system.body["errors"][0]["pointer"]), (400, &json!("/path/actor")), "{}", system.text);
    assert_eq!(recorded(&parties).await, []);
}

#[tokio::test]
async fn absences_come_in_pages_and_end_by_themselves() {
    let parties = Parties::start().await;
    for (actor, until) in [("u-chi", LATER), ("u-anna", SOON), ("u-bo", LATER)] {
        assert_eq!(set(&parties.partner, actor, &json!({ "from": BEFORE, "until": until })).await.status, 200);
    }
    let first = parties.partner.read("/api/v1/absences?limit=2").await;
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let rest = listed(&parties.partner, &format!("?limit=2&cursor={}", text(&first["next"]))).await;
    assert_eq!(rest, ["u-chi"]);
    let query = format!("?partner_id={}", parties.partner_id);
    assert_eq!(listed(&parties.platform, &query).await, ["u-anna", "u-bo", "u-chi"]);
    assert_eq!(parties.platform.get(&format!("/api/v1/absences/u-bo{query}")).await.status, 200);
    for (client, query, pointer) in [(&parties.platform, "", "required"), (&parties.partner, &query[..], "not_allowed")]
    {
        let refused = client.get(&format!("/api/v1/absences{query}")).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["code"]), (400, &json!(pointer)), "{}", refused.text);
    }
    assert_eq!(listed(&parties.another_partner().await, "").await, Vec::<String>::new());

    parties.pass(1);
    assert_eq!(listed(&parties.partner, "").await, ["u-bo", "u-chi"], "an absence has ended");
    assert_eq!(parties.partner.get("/api/v1/absences/u-anna").await.status, 404);
    let rows = async || {
        let count = "select count(*) from absences";
        sqlx::query_scalar::<_, i64>(count).fetch_one(&parties.service.db.pool).await.unwrap()
    };
    let cleaner = Links::new(Arc::clone(&parties.service.app));
    cleaner.step().await.unwrap();
    assert_eq!(rows().await, 3, "the clock of another replica may be behind");
    parties.pass(25);
    cleaner.step().await.unwrap();
    assert_eq!(rows().await, 2);
    assert_eq!(recorded(&parties).await.len(), 3, "an end is no entry");
}

#[tokio::test]
async fn a_partner_has_at_most_a_thousand_that_have_not_ended() {
    let parties = Parties::start().await;
    let rows = "insert into absences (partner_id, actor_key, actor, begins_at, ends_at, set_at)
        select $1::text::uuid, 'u-' || n, 'u-' || n, '2027-01-01', case n when 1 then '2027-01-10'::timestamptz else '2027-02-01' end, '2027-01-01'
        from generate_series(1, 1000) n";
    sqlx::query(rows).bind(&parties.partner_id).execute(&parties.service.db.pool).await.unwrap();
    let body = json!({ "from": BEFORE, "until": LATER });
    assert_eq!(set(&parties.partner, "u-anna", &body).await.status, 200, "999 others have not ended");
    let refused = set(&parties.partner, "u-bo", &body).await;
    assert_eq!((refused.status, code(&refused)), (409, "limit_reached"), "{}", refused.text);
    assert_eq!(set(&parties.partner, "u-2", &body).await.status, 200, "an earlier one of the person is replaced");
    let ended: i64 = sqlx::query_scalar("select count(*) from absences where actor_key = 'u-1'")
        .fetch_one(&parties.service.db.pool)
        .await
        .unwrap();
    assert_eq!(ended, 0, "who writes removes what ended long ago");
}

#[tokio::test]
async fn a_substitute_decides_and_everybody_who_may_reads_for_whom() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    parties.partner.refused(&task, &approval("u-dora"), (403, "not_a_reviewer")).await;
    away(&parties, "u-anna", Some("u-dora")).await;
    let review = parties.task(&task).await["review"].clone();
    assert_eq!(review["absent"], json!([{ "actor": "u-anna", "until": LATER, "substitute": "u-dora" }]));
    assert_eq!(review["eligible"], json!(["u-anna", "u-dora", "u-bo", "u-chi"]));
    let why = parties.partner.read(&format!("/api/v1/tasks/{task}/why?actor=u-dora")).await;
    assert_eq!(why["needs"]["eligible"], review["eligible"]);
    let allowed = why["you"].as_array().unwrap().iter().find(|you| you["command"] == "stage_approved").unwrap();
    assert_eq!(allowed["allowed"], true, "{allowed}");
    for filter in ["reviewer=u-dora", "actor=u-dora"] {
        assert_eq!(inbox(&parties, filter).await, std::slice::from_ref(&task), "{filter}");
    }
    assert_eq!(inbox(&parties, "reviewer=u-eve").await, Vec::<String>::new());
    let claim = json!({ "actor": { "id": "u-dora" } });
    assert_eq!(parties.partner.call("PUT", &format!("/api/v1/tasks/{task}/claim"), &claim).await.status, 200);

    let rehearsed = parties.partner.call("POST", &format!("{}?dry_run=true", events(&task)), &approval("u-dora")).await;
    assert_eq!(rehearsed.body["event"]["data"]["for"], "u-anna", "{}", rehearsed.text);
    let done = parties.partner.done(&task, &approval("u-dora")).await;
    assert_eq!(done["event"]["data"]["for"], "u-anna");
    assert_eq!(done["task"]["review"]["votes"][0]["for"], "u-anna");
    parties.partner.done(&task, &approval("u-bo")).await;
    let feed = parties.partner.read("/api/v1/events?limit=100").await;
    let votes: Vec<_> =
        feed["items"].as_array().unwrap().iter().filter(|row| row["event"]["data"]["for"] == "u-anna").collect();
    assert_eq!(votes.len(), 1, "{feed}");
    let buyers = parties.buyer.get(&format!("/api/v1/tasks/{task}/audit?limit=100")).await;
    let status = parties.buyer.get(&format!("/api/v1/tasks/{task}/status")).await;
    assert!(!buyers.text.contains("u-anna") && !status.text.contains("u-anna"), "{}", buyers.text);
    assert!(!buyers.text.contains("u-dora"), "{}", buyers.text);
}

#[tokio::test]
async fn bars_hold_for_both() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    // `agent` handed in the work, and `u-copy` approved the stage before, from which this one is distinct.
    for (substitute, expected) in [("agent", "self_approval"), ("u-copy", "not_distinct")] {
        away(&parties, "u-anna", Some(substitute)).await;
        parties.partner.refused(&task, &approval(substitute), (403, expected)).await;
    }
    parties.partner.done(&task, &reject(at("legal", 1, 1), "u-copy")).await;
}

#[tokio::test]
async fn a_review_that_too_few_are_there_for_is_escalated_as_it_starts() {
    let parties = Parties::start().await;
    for reviewer in ["u-anna", "u-bo"] {
        away(&parties, reviewer, None).await;
    }
    let task = parties.open_in_legal().await;
    let shown = parties.task(&task).await;
    assert_eq!((&shown["phase"], &shown["escalation"]["cause"]), (&json!("escalated"), &json!("no_quorum")));
    back(&parties.partner, "u-bo").await;
    let seq = shown["escalation"]["seq"].as_u64().unwrap();
    let holder = shown["escalation"]["to"].as_str().unwrap();
    let client = if holder == "platform" { &parties.platform } else { &parties.buyer };
    client.done(&task, &resolve(seq, "return", "ops")).await;
    parties.partner.done(&task, &approval("u-chi")).await;
}

/// Two stages of Anna's: one that needs work, and one that is reviewed as it is.
fn of_anna() -> Value {
    json!({ "name": "Under test", "stages": [
        { "key": "a", "name": "A", "buyer_label": "In A", "submission": "required", "reviewers": ["u-anna"] },
        { "key": "b", "name": "B", "buyer_label": "In B", "reviewers": ["u-anna"],
          "deadline": { "within": "PT2H", "on_timeout": { "action": "approve" } } },
        { "key": "c", "name": "C", "buyer_label": "In C", "reviewers": ["u-bo"] } ] })
}

#[tokio::test]
async fn a_remembered_task_is_never_decided_on_with_absences_that_are_gone() {
    let parties = Parties::start().await;
    away(&parties, "u-anna", Some("u-dora")).await;
    let task = parties.open_in_legal().await;
    // This replica remembers the task with the absence. The other one removes it.
    parties.partner.done(&task, &update("Known here")).await;
    let elsewhere = parties.partner.at(&Service::replica(&parties.service.db, &parties.service.clock).await);
    back(&elsewhere, "u-anna").await;
    parties.partner.refused(&task, &approval("u-dora"), (403, "not_a_reviewer")).await;
    let votes = parties.task(&task).await["review"]["votes"].clone();
    assert_eq!(votes, json!([]));

    // What was refused a moment ago may be open by now.
    parties.partner.done(&task, &update("Known here again")).await;
    let body = json!({ "from": BEFORE, "until": LATER, "substitute": "u-dora" });
    assert_eq!(set(&elsewhere, "u-anna", &body).await.status, 200);
    parties.partner.done(&task, &approval("u-dora")).await;

    // Nobody is consulted who left meanwhile: the review that starts here knows it.
    parties.register("anna", &of_anna()).await;
    let task = parties.open("anna").await;
    parties.partner.done(&task, &update("Known here")).await;
    let body = json!({ "from": BEFORE, "until": LATER });
    assert_eq!(set(&elsewhere, "u-anna", &body).await.status, 200);
    let done = parties.partner.done(&task, &submit("agent")).await;
    assert_eq!(done["task"]["phase"], "escalated", "{done}");
}

#[tokio::test]
async fn a_task_is_opened_and_its_timers_run_with_the_absences_of_now() {
    let parties = Parties::start().await;
    let mut definition = of_anna();
    definition["stages"].as_array_mut().unwrap().remove(0);
    parties.register("reviewed", &definition).await;
    let elsewhere = parties.partner.at(&Service::replica(&parties.service.db, &parties.service.clock).await);
    for turn in 0..2 {
        // Neither replica has read the absences of this partner since they were set.
        let body = json!({ "from": BEFORE, "until": LATER, "substitute": if turn == 0 { Value::Null } else { json!("u-eve") } });
        assert_eq!(set(&elsewhere, "u-anna", &body).await.status, 200);
        let task = parties.open("reviewed").await;
        let expected = if turn == 0 { "escalated" } else { "in_review" };
        assert_eq!(parties.task(&task).await["phase"], expected);
        if turn == 1 {
            let bo = json!({ "from": "2027-01-15T10:00:00Z", "until": LATER });
            assert_eq!(set(&elsewhere, "u-bo", &bo).await.status, 200);
            parties.pass(2);
            assert_eq!(parties.tick(&task).await, 1);
            let shown = parties.task(&task).await;
            let place = (&shown["stage"]["key"], &shown["phase"], &shown["escalation"]["cause"]);
            assert_eq!(place, (&json!("c"), &json!("escalated"), &json!("no_quorum")));
        }
    }
}

#[tokio::test]
async fn the_partners_call_counts_as_a_substitutes_vote() {
    let parties = Parties::start().await;
    let definition = json!({ "name": "Under test", "stages": [
        { "key": "a", "name": "A", "buyer_label": "In A", "reviewers": ["u-anna", "u-bo"], "quorum": { "approvals": 2 },
          "escalation": { "to": ["partner"] } } ] });
    parties.register("called", &definition).await;
    let task = parties.open("called").await;
    parties.partner.done(&task, &approve(at("a", 1, 0), "u-bo")).await;
    let raised = parties.partner.done(&task, &escalate(at("a", 1, 0), "u-bo", "partner")).await;
    let seq = raised["event"]["seq"].as_u64().unwrap();
    let call = resolve(seq, "approve", "u-dora");
    parties.partner.refused(&task, &call, (403, "resolution_not_allowed")).await;
    away(&parties, "u-anna", Some("u-dora")).await;
    let done = parties.partner.done(&task, &call).await;
    assert_eq!((&done["event"]["data"]["for"], &done["task"]["phase"]), (&json!("u-anna"), &json!("delivery")));
}

#[tokio::test]
async fn a_stage_can_keep_the_seats_of_its_people() {
    let parties = Parties::start().await;
    let stage =
        |more: Value| crate::harness::commands::with(json!({ "key": "a", "name": "A", "buyer_label": "In A" }), &more);
    let put = async |more: Value| {
        let body = json!({ "name": "Under test", "stages": [stage(more)] });
        parties.partner.call("PUT", "/api/v1/workflows/kept", &body).await
    };
    let usual = put(json!({ "reviewers": ["u-anna", "u-bo"] })).await;
    assert_eq!(usual.body["definition"]["stages"][0].get("substitutes"), None, "{}", usual.text);
    let kept = put(json!({ "reviewers": ["u-anna", "u-bo"], "substitutes": false })).await;
    assert_eq!(kept.body["definition"]["stages"][0]["substitutes"], false, "{}", kept.text);
    let buyers = put(json!({ "reviewer": "buyer", "substitutes": true })).await;
    assert_eq!((buyers.status, &buyers.body["errors"][0]["pointer"]), (422, &json!("/stages/0/substitutes")));
    away(&parties, "u-anna", Some("u-dora")).await;
    let task = parties.open("kept").await;
    parties.partner.refused(&task, &approve(at("a", 1, 0), "u-dora"), (403, "not_a_reviewer")).await;
    let absent = parties.task(&task).await["review"]["absent"].clone();
    assert_eq!(absent, json!([{ "actor": "u-anna", "until": LATER }]));
}
