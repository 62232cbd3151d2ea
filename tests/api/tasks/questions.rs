//! Questions over HTTP: the inbox and the buyer's status, and many at once.

use serde_json::{Value, json};

use crate::harness::commands::{approve, at, with};
use crate::harness::parties::{Parties, code};

use super::races::{at_once, count, replicas, sorted, summary};

const KEY: &str = "asked";

async fn start() -> Parties {
    let parties = Parties::start().await;
    let definition = json!({ "name": "Asked", "stages": [{ "key": "a", "name": "A", "buyer_label": "In A",
        "questions": { "respond_within": "PT1H" },
        "deadline": { "within": "PT1H", "on_timeout": { "action": "fail" } } }] });
    parties.register(KEY, &definition).await;
    parties
}

/// A question of the partner to the buyer, and its `seq`.
async fn ask(parties: &Parties, id: &str) -> u64 {
    let question = json!({ "type": "question_asked", "stage": "a", "round": 1, "revision": 0, "actor": { "id": "u-1" },
        "to": "buyer", "question": "Which logo?", "options": ["The round one", "The square one"] });
    parties.partner.done(id, &question).await["event"]["seq"].as_u64().unwrap()
}

fn answer(question: u64) -> Value {
    json!({ "type": "question_answered", "question": question, "option": 1 })
}

#[tokio::test]
async fn the_buyer_is_asked_and_answers_with_what_the_status_offers() {
    let parties = start().await;
    let id = parties.open(KEY).await;
    let question = ask(&parties, &id).await;
    let status = parties.status(&id).await;
    assert_eq!((&status["label"], &status["waiting_on"]), (&json!("Waiting for your answer"), &json!("buyer")));
    let action = &status["action"];
    assert_eq!((&action["ask"], &action["question"]), (&json!("answer"), &json!("Which logo?")));
    assert_eq!((&action["options"][1], &action["on_silence"]), (&json!("The square one"), &json!("none")));
    let task = parties.task(&id).await;
    assert_eq!((&task["question"]["seq"], &task["question"]["actor"]["id"]), (&json!(question), &json!("u-1")));
    let inbox = parties.buyer.read("/api/v1/reviews").await;
    assert_eq!(inbox["items"].as_array().unwrap().len(), 1, "{inbox}");
    let second = json!({ "type": "question_asked", "stage": "a", "round": 1, "revision": 0, "actor": { "id": "ops" },
        "to": "buyer", "question": "And now?" });
    let open = parties.platform.refused(&id, &second, (409, "question_open")).await;
    assert_eq!(open["question"], json!({ "seq": question, "state": "open" }));
    let dry = with(action["commands"][1].clone(), &json!({}));
    let tried = parties.buyer.call("POST", &format!("/api/v1/tasks/{id}/events?dry_run=true"), &dry).await;
    assert_eq!(tried.status, 200, "{}", tried.text);
    let done = parties.buyer.done(&id, &action["commands"][1]).await;
    assert_eq!(
        (&done["event"]["type"], &done["event"]["data"]["option"]),
        (&json!("task.question_answered"), &json!(2))
    );
    assert_eq!(parties.buyer.read("/api/v1/reviews").await["items"], json!([]));
    let late = parties.buyer.refused(&id, &answer(question), (409, "stale_question")).await;
    assert_eq!(late["question"]["answer"]["data"]["option"], 2);
    parties
        .partner
        .refused(&id, &with(answer(question), &json!({ "actor": { "id": "u-1" } })), (409, "stale_question"))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_answers_to_one_question_one_counts_and_is_shown_to_the_others() {
    let parties = start().await;
    let id = parties.open(KEY).await;
    let question = ask(&parties, &id).await;
    let clients = replicas(&parties, &parties.buyer).await;
    let answers = at_once(20, |n| {
        let (client, id) = (clients[n % 2].clone(), id.clone());
        let said = with(answer(question), &json!({ "answer": format!("Mine is {n}") }));
        async move { client.send(&id, &said).await }
    })
    .await;
    assert_eq!(count(&answers, 201, ""), 1, "{:?}", summary(&answers));
    assert_eq!(count(&answers, 409, "stale_question"), 19, "{:?}", summary(&answers));
    let won = &answers.iter().find(|answer| answer.status == 201).unwrap().body["event"];
    for lost in answers.iter().filter(|answer| answer.status == 409) {
        let told = &lost.body["question"];
        assert_eq!((&told["state"], &told["closed_by"]), (&json!("answered"), &won["seq"]));
        assert_eq!(told["answer"]["data"]["answer"], won["data"]["answer"]);
    }
    let rows = parties.trail(&id).await;
    assert_eq!(rows.iter().filter(|row| row["type"] == "task.question_answered").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_answer_and_the_vote_that_closes_the_round_come_one_after_the_other() {
    let parties = start().await;
    let (partners, buyers) = (replicas(&parties, &parties.partner).await, replicas(&parties, &parties.buyer).await);
    for race in 0..200 {
        let id = parties.open(KEY).await;
        let question = ask(&parties, &id).await;
        let answers = at_once(2, |n| {
            let id = id.clone();
            let client = if n == 0 { &partners[race % 2] } else { &buyers[(race / 2) % 2] }.clone();
            let command = if n == 0 { approve(at("a", 1, 0), "u-2") } else { answer(question) };
            async move { (n, client.send(&id, &command).await) }
        })
        .await;
        let [(_, vote), (_, said)] = &sorted(answers)[..] else { unreachable!() };
        assert_eq!(vote.status, 201, "a question blocks no decision: {}", vote.text);
        let closed = parties.trail(&id).await.iter().filter(|row| row["data"]["why"] == "overtaken").count();
        match said.status {
            201 => assert_eq!(closed, 0),
            409 => assert_eq!((code(said), closed), ("task_closed", 1)),
            _ => panic!("{}", said.text),
        }
        assert_eq!(parties.status(&id).await["phase"], "delivery");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_question_that_lapses_when_the_stage_would_have_been_due_stops_the_clock_of_the_stage() {
    let parties = start().await;
    let buyers = replicas(&parties, &parties.buyer).await;
    for race in 0..200 {
        let id = parties.open(KEY).await;
        let question = ask(&parties, &id).await;
        parties.pass(1);
        let client = buyers[race % 2].clone();
        let command = answer(question);
        let (said, ticks) = tokio::join!(client.send(&id, &command), parties.tick(&id));
        match said.status {
            201 => assert_eq!(ticks, 0),
            409 => {
                assert_eq!((code(&said), ticks), ("stale_question", 1));
                assert_eq!(said.body["question"]["state"], "lapsed");
            }
            _ => panic!("{}", said.text),
        }
        let task = parties.task(&id).await;
        assert_eq!(
            (&task["phase"], &task["overdue"], &task["question"]),
            (&json!("in_review"), &json!(false), &Value::Null)
        );
        parties.pass(1);
        assert_eq!(parties.tick(&id).await, 1, "the reviewers had an hour left");
        assert_eq!(parties.status(&id).await["phase"], "failed");
    }
}
