//! Cancelling: safe to send again for every origin whatever has happened since, and while it winds down everybody
//! can read what is expected of whom.

use serde_json::{Value, json};

use crate::harness::commands::{approve, at, cancel, escalate, reject, resolve, with};
use crate::harness::database::hold;
use crate::harness::parties::{Client, Parties, code, events, new_id};
use crate::harness::service::Answer;
use crate::harness::waiting::{PATIENCE, until};

/// How tasks stand when they are cancelled: the workflow, and whether it is wound down.
const SITUATIONS: [(&str, bool); 5] =
    [("withdraw", false), ("let-finish", true), ("preparing", false), ("on-hold", false), ("escalated", true)];
/// How a winding down ends.
const ENDS: [&str; 3] = ["acknowledged", "grace", "immediate"];

async fn start() -> Parties {
    let parties = Parties::start().await;
    let stage = json!({ "key": "a", "name": "A", "buyer_label": "In A", "escalation": { "to": ["platform", "buyer"] },
        "on_reject": { "max_rounds": 1 } });
    let finish = with(stage.clone(), &json!({ "cancellation": { "in_flight": "let_finish", "grace": "PT2H" } }));
    let register = |key: &'static str, stage: Value| {
        let (parties, definition) = (&parties, json!({ "name": key, "stages": [stage] }));
        async move { parties.register(key, &definition).await }
    };
    register("withdraw", stage.clone()).await;
    register("preparing", with(finish.clone(), &json!({ "submission": "required" }))).await;
    register("buyers", with(finish.clone(), &json!({ "reviewer": "buyer", "escalation": { "to": ["platform"] } })))
        .await;
    for key in ["let-finish", "on-hold", "escalated"] {
        register(key, finish.clone()).await;
    }
    parties
}

/// A task that stands like this.
async fn open(parties: &Parties, situation: &str) -> String {
    let id = parties.open(situation).await;
    match situation {
        "on-hold" => drop(parties.platform.done(&id, &json!({ "type": "held", "reason": "Waiting" })).await),
        "escalated" => drop(parties.partner.done(&id, &escalate(at("a", 1, 0), "u-1", "platform")).await),
        _ => {}
    }
    id
}

fn origins(parties: &Parties) -> [(&'static str, &Client); 3] {
    [("buyer", &parties.buyer), ("platform", &parties.platform), ("partner", &parties.partner)]
}

fn acknowledge() -> Value {
    json!({ "type": "cancellation_acknowledged", "in_flight": "discarded" })
}

/// The winding down comes to its end.
async fn end(parties: &Parties, id: &str, how: &str) {
    match how {
        "acknowledged" => drop(parties.partner.done(id, &acknowledge()).await),
        "grace" => {
            parties.pass(2);
            assert_eq!(parties.tick(id).await, 1);
        }
        _ => drop(parties.platform.done(id, &with(cancel(), &json!({ "immediate": true }))).await),
    }
    assert_eq!(parties.task(id).await["phase"], "cancelled", "{how}");
}

/// Sends it again, once with the id in the body and once in the header: each time the first answer, and nothing
/// else happens.
async fn assert_replayed(client: &Client, id: &str, command: &Value, first: &Answer, when: &str) {
    let mut bare = command.clone();
    let key = bare.as_object_mut().unwrap().remove("id").unwrap();
    let header = ("idempotency-key", key.as_str().unwrap());
    let in_header = client.call_with(("POST", &events(id)), header, &bare).await;
    for again in [client.send(id, command).await, in_header] {
        assert_eq!((again.status, &again.body), (200, &first.body), "{when}");
        assert_eq!(again.headers["idempotent-replayed"], "true");
        assert_eq!(again.headers.get("etag"), first.headers.get("etag"));
    }
}

/// The caller's view in the answer to a command.
fn view_of(answer: &Value) -> &Value {
    answer.get("task").unwrap_or(&answer["status"])
}

#[tokio::test]
async fn a_cancellation_is_answered_the_same_for_every_origin_whatever_happens_afterwards() {
    let parties = start().await;
    for (situation, winds_down) in SITUATIONS {
        for (origin, client) in origins(&parties) {
            for how in ENDS.iter().take(if winds_down { 3 } else { 1 }) {
                let case = format!("{origin}, {situation}, {how}");
                let id = open(&parties, situation).await;
                let command = with(cancel(), &json!({ "id": new_id() }));
                let first = client.send(&id, &command).await;
                let phase = if winds_down { "cancelling" } else { "cancelled" };
                assert_eq!(
                    (first.status, &view_of(&first.body)["phase"]),
                    (201, &json!(phase)),
                    "{case}: {}",
                    first.text
                );
                assert_replayed(client, &id, &command, &first, &case).await;
                let late = parties.partner.send(&id, &approve(at("a", 1, 0), "u-2")).await;
                assert_eq!(late.status, 409, "{case}");
                parties.pass(1);
                assert_replayed(client, &id, &command, &first, &case).await;
                if winds_down {
                    end(&parties, &id, how).await;
                }
                assert_replayed(client, &id, &command, &first, &case).await;
                // Another body under the same id is told apart from it, at any time.
                let other = with(command, &json!({ "reason": "Another reason." }));
                client.refused(&id, &other, (422, "event_id_reused")).await;
                assert_eq!(requests(&parties, &id).await, 1 + usize::from(winds_down && *how == "immediate"), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn an_immediate_cancellation_is_answered_the_same_too() {
    let parties = start().await;
    for (situation, winds_down) in SITUATIONS {
        for first_asked in [false, true] {
            let id = open(&parties, situation).await;
            if first_asked && winds_down {
                parties.buyer.done(&id, &cancel()).await;
            }
            let command = with(cancel(), &json!({ "id": new_id(), "immediate": true }));
            let first = parties.platform.send(&id, &command).await;
            assert_eq!((first.status, &first.body["task"]["phase"]), (201, &json!("cancelled")), "{}", first.text);
            parties.pass(3);
            assert_replayed(&parties.platform, &id, &command, &first, situation).await;
        }
    }
}

#[tokio::test]
async fn a_second_cancellation_is_told_where_the_task_is_and_what_is_open() {
    let parties = start().await;
    let open_to = |origin: &str| match origin {
        "platform" => json!(["cancellation_requested"]),
        "partner" => json!(["status_updated", "cancellation_acknowledged"]),
        _ => json!([]),
    };
    for (situation, winds_down) in SITUATIONS {
        for (_, first) in origins(&parties) {
            let id = open(&parties, situation).await;
            first.done(&id, &with(cancel(), &json!({ "id": new_id() }))).await;
            for command in [cancel(), with(cancel(), &json!({ "id": new_id() }))] {
                for (origin, client) in origins(&parties) {
                    if winds_down {
                        let told = client.refused(&id, &command, (409, "already_cancelling")).await;
                        assert_eq!((&told["phase"], &told["allowed"]), (&json!("cancelling"), &open_to(origin)));
                    } else {
                        let told = client.refused(&id, &command, (409, "task_closed")).await;
                        assert_eq!((&told["phase"], &told["allowed"]), (&json!("cancelled"), &json!([])));
                    }
                }
            }
            if winds_down {
                parties.partner.done(&id, &acknowledge()).await;
                for (_, client) in origins(&parties) {
                    let told = client.refused(&id, &cancel(), (409, "task_closed")).await;
                    assert_eq!((&told["phase"], &told["allowed"]), (&json!("cancelled"), &json!([])));
                }
            }
            assert_eq!(requests(&parties, &id).await, 1);
        }
    }
}

/// The connection breaks while the write waits in the database: the write goes on, and the command sent again gets
/// its answer.
#[tokio::test]
async fn a_cancellation_whose_answer_was_lost_took_place_and_is_answered_when_it_is_sent_again() {
    let parties = start().await;
    for (situation, winds_down) in SITUATIONS {
        for (origin, client) in origins(&parties) {
            let id = open(&parties, situation).await;
            let command = with(cancel(), &json!({ "id": new_id() }));
            let mut owner = parties.service.db.owner().await;
            assert!(hold(&mut owner, &id).await);
            // Dropped while its statement waits, as axum drops the handler of a client that hangs up: there is no
            // half of it.
            tokio::select! {
                answer = client.send(&id, &command) => panic!("{origin}, {situation}: answered in spite of the lock: {}", answer.text),
                () = until_a_write_waits(&parties) => {}
            }
            sqlx::query("rollback").execute(&mut owner).await.unwrap();
            let phase = if winds_down { "cancelling" } else { "cancelled" };
            let written = async {
                while parties.task(&id).await["phase"] != phase {
                    tokio::task::yield_now().await;
                }
            };
            let written = tokio::time::timeout(PATIENCE, written).await;
            assert!(written.is_ok(), "{origin}, {situation}: the write died with its caller");
            let again = client.send(&id, &command).await;
            assert_eq!((again.status, &view_of(&again.body)["phase"]), (200, &json!(phase)), "{}", again.text);
            assert_eq!(again.headers["idempotent-replayed"], "true");
            assert_replayed(client, &id, &command, &again, situation).await;
            assert_eq!(requests(&parties, &id).await, 1, "{origin}, {situation}");
        }
    }
}

async fn until_a_write_waits(parties: &Parties) {
    let mut owner = parties.service.db.owner().await;
    let waiting = "select exists (select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like 'with row as%')";
    until("a write waits", async || sqlx::query_scalar(waiting).fetch_one(&mut owner).await.unwrap()).await;
}

#[tokio::test]
async fn while_a_task_is_being_cancelled_its_readers_know_what_is_expected_of_whom() {
    let parties = start().await;
    let votes = |party: &str| {
        let vote = |command: &str| json!({ "party": party, "command": command, "effect": "recorded" });
        vec![vote("stage_approved"), vote("stage_rejected")]
    };
    let resolution =
        |party: &str| vec![json!({ "party": party, "command": "escalation_resolved", "effect": "recorded" })];
    let (partners, buyers) = (votes("partner"), votes("buyer"));
    // A review; the buyer's; one that an escalation interrupted; an escalation after the last round, with no review
    // left.
    let cases = [
        ("let-finish", "", partners.clone()),
        ("buyers", "", buyers),
        ("escalated", "", [partners, resolution("platform")].concat()),
        ("let-finish", "exhausted", resolution("platform")),
    ];
    for (situation, exhausted, expected) in cases {
        let id = open(&parties, situation).await;
        if !exhausted.is_empty() {
            parties.partner.done(&id, &reject(at("a", 1, 0), "u-1")).await;
        }
        assert_eq!(parties.task(&id).await["cancellation"], Value::Null);
        let asked = parties.task(&id).await["escalation"]["seq"].as_u64();
        parties.buyer.done(&id, &cancel()).await;
        let end = json!({ "party": "platform", "command": "cancellation_requested", "effect": "cancels_at_once" });
        let possible = [&expected[..], &[end]].concat();
        let expected = json!({ "by": "buyer", "reason": "Called off.", "grace_until": "2027-01-15T10:00:00Z",
            "waiting_on": "partner", "expected": "cancellation_acknowledged", "possible": possible });
        for client in [&parties.partner, &parties.platform] {
            let task = client.read(&format!("/api/v1/tasks/{id}")).await;
            assert_eq!(task["cancellation"], expected, "{situation} {exhausted}");
            assert_eq!((&task["waiting_on"], &task["due_at"]), (&json!("partner"), &expected["grace_until"]));
        }
        let status = parties.status(&id).await;
        let told = [&status["phase"], &status["label"], &status["waiting_on"], &status["due_at"], &status["action"]];
        let words = [
            &json!("cancelling"),
            &json!("Being cancelled"),
            &json!("partner"),
            &expected["grace_until"],
            &Value::Null,
        ];
        assert_eq!(told, words);
        assert_eq!(status["remaining_seconds"], Value::Null, "there is no delivery to come");
        keeps_its_word(&parties, &id, asked, &expected["possible"]).await;
    }
}

/// Everything that is said to be possible is, with the effect that is said; what is not said is refused without a
/// trace.
async fn keeps_its_word(parties: &Parties, id: &str, asked: Option<u64>, possible: &Value) {
    let is_possible = |party: &str, command: &str| {
        possible.as_array().unwrap().iter().any(|row| row["party"] == party && row["command"] == command)
    };
    for (party, client) in origins(parties) {
        let actor = |name: &str| if party == "buyer" { String::new() } else { format!("{name}-{party}") };
        let commands = [
            approve(at("a", 1, 0), &actor("approving")),
            reject(at("a", 1, 0), &actor("rejecting")),
            with(
                resolve(asked.unwrap_or(1), "approve", &actor("resolving")),
                &json!({ "stage": "a", "round": 1, "revision": 0 }),
            ),
        ];
        let mut kept = false;
        for command in commands {
            let answer = client.send(id, &command).await;
            assert!((400..500).contains(&answer.status), "{command}: {}", answer.text);
            let possible = is_possible(party, command["type"].as_str().unwrap());
            assert_eq!(answer.body["recorded"].is_object(), possible, "{party}: {command}: {}", answer.text);
            assert!(!possible || code(&answer) == "cancelling");
            kept |= possible;
            if kept && party == "buyer" {
                break; // One person: what it decides first is what is kept.
            }
        }
    }
    assert_eq!(parties.task(id).await["phase"], "cancelling", "none of it counts");
    assert!(is_possible("platform", "cancellation_requested"));
    for (party, client) in [("buyer", &parties.buyer), ("partner", &parties.partner)] {
        let answer = client.send(id, &with(cancel(), &json!({ "immediate": true }))).await;
        assert!((400..500).contains(&answer.status), "{party}: {}", answer.text);
    }
    end(parties, id, "immediate").await;
    assert_eq!(parties.task(id).await["cancellation"], Value::Null);
}

async fn requests(parties: &Parties, id: &str) -> usize {
    let trail = parties.trail(id).await;
    trail.iter().filter(|row| row["type"] == "task.cancellation_requested").count()
}
