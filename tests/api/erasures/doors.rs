//! People who asked, answered or were bound to a key are erased, and looked for at every door of every party.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};
use stagegate::check::Verdict;

use crate::audit::export::{Assignee, export};
use crate::audit::transparency_log::settle;
use crate::harness::commands::{cancel, with};
use crate::harness::parties::{Client, Parties, new_id, text};
use crate::harness::receiver::Receiver;
use crate::webhooks::world::World;

use super::{anna, artifacts, ask, assert_gone, by, definition, dump, erasure, request, worker};

/// What an answer said: whose it was, where, and its text.
type Said = (String, String);

fn bo() -> Value {
    json!({ "id": "kept-bo", "name": "KEPT Bo" })
}

fn pat() -> Value {
    json!({ "id": "kept-pat", "name": "KEPT Pat" })
}

fn question(actor: &Value, to: &str, word: &str) -> Value {
    by(
        actor,
        json!({ "type": "question_asked", "stage": "a", "round": 1, "revision": 0, "to": to,
            "question": format!("{word} question"), "options": [format!("{word} option"), format!("{word} other")] }),
    )
}

async fn asked(client: &Client, task: &str, command: &Value) -> u64 {
    client.done(task, command).await["event"]["seq"].as_u64().unwrap()
}

fn answer(question: u64) -> Value {
    json!({ "type": "question_answered", "question": question, "option": 1 })
}

/// Three questions with answers: Anna's, one that Anna answers, and one without her.
async fn play(parties: &Parties, anna_client: &Client) -> String {
    let id = parties.open("w").await;
    let first = asked(anna_client, &id, &question(&anna(), "buyer", "SECRET")).await;
    let reply = with(answer(first), &json!({ "answer": "BUYERS answer", "note": "BUYERS note" }));
    parties.buyer.done(&id, &reply).await;
    let second = asked(&parties.platform, &id, &question(&pat(), "partner", "KEPT platform")).await;
    let reply = json!({ "answer": "SECRET answer", "artifacts": artifacts(&anna()) });
    anna_client.done(&id, &by(&anna(), with(answer(second), &reply))).await;
    let third = asked(&parties.partner, &id, &question(&bo(), "platform", "KEPT partner")).await;
    let reply = with(answer(third), &json!({ "answer": "KEPT answer" }));
    parties.platform.done(&id, &by(&pat(), reply)).await;
    id
}

/// Keys of Anna, of Anna and Bo, of Bo, and one of Anna that is revoked. Returns the first.
async fn make_keys(parties: &Parties) -> Client {
    let path = format!("/api/v1/partners/{}/keys", parties.partner_id);
    let mut made = Vec::new();
    for (label, actors) in [
        ("SECRET laptop", json!(["secret-anna"])),
        ("SECRET and Bo", json!(["secret-anna", "kept-bo"])),
        ("KEPT key", json!(["kept-bo"])),
        ("SECRET old laptop", json!(["secret-anna"])),
    ] {
        let key = parties.platform.call("POST", &path, &json!({ "label": label, "actors": actors })).await;
        assert_eq!(key.status, 201, "{}", key.text);
        made.push(key.body);
    }
    let revoked = parties.platform.call("DELETE", &format!("{path}/{}", text(&made[3]["id"])), &Value::Null).await;
    assert_eq!(revoked.status, 204);
    Client { credential: text(&made[0]["key"]), ..parties.partner.clone() }
}

fn paths(parties: &Parties, tasks: &[&str]) -> Vec<String> {
    let partner = format!("/api/v1/partners/{}", parties.partner_id);
    let mut paths: Vec<String> =
        ["events?limit=100", "reviews", "tasks", "statuses", "keys", "webhooks/a/deliveries", "erasures"]
            .iter()
            .map(|path| format!("/api/v1/{path}"))
            .collect();
    let of_partner = ["/audit?limit=100", "/audit/proof", "/audit/export", "/keys"];
    paths.extend(of_partner.iter().map(|path| format!("{partner}{path}")));
    paths.push(format!("/api/v1/audit/export?partner_id={}", parties.partner_id));
    for id in tasks {
        let of_task =
            ["", "/status", "/audit?limit=100", "/audit/proof", "/audit/export", "/why", "/why?actor=kept-bo"];
        paths.extend(of_task.iter().map(|path| format!("/api/v1/tasks/{id}{path}")));
        paths.extend((1..=20).map(|seq| format!("/api/v1/tasks/{id}/audit/{seq}/receipt")));
    }
    paths
}

/// Everything that each party reads, and what its endpoint is sent again.
async fn read_all(world: &World, receiver: &Receiver, tasks: &[&str]) -> Vec<Said> {
    let parties = &world.parties;
    settle(parties).await;
    let mut said = Vec::new();
    let readers = [("partner", &parties.partner), ("buyer", &parties.buyer), ("platform", &parties.platform)];
    for (name, client) in readers {
        for path in paths(parties, tasks) {
            let answer = client.get(&path).await;
            assert!(answer.status < 500, "{name} {path}: {}", answer.text);
            let payload = answer.text.split('.').nth(1).filter(|_| path.ends_with("/receipt") && answer.status == 200);
            let text = match payload {
                Some(payload) => String::from_utf8(BASE64URL.decode(payload).unwrap()).unwrap(),
                None => answer.text,
            };
            said.push((format!("{name} {path}"), text));
        }
    }
    world.send().await;
    for (name, client) in [("partner", &parties.partner), ("platform", &parties.platform)] {
        let before = receiver.received().len();
        let body = json!({ "since": "2027-01-15T00:00:00Z", "state": "all" });
        let again = client.call("POST", "/api/v1/webhooks/a/redeliver", &body).await;
        assert_eq!(again.status, 202, "{}", again.text);
        assert!(world.send().await > 0);
        for sent in &receiver.received()[before..] {
            let (task, seq) = sent.place();
            said.push((format!("{name} webhook {task} {seq}"), sent.text.clone()));
        }
    }
    said
}

/// The doors at which a word is found.
fn doors_with(said: &[Said], word: &str) -> BTreeSet<String> {
    said.iter().filter(|(_, text)| text.contains(word)).map(|(door, _)| door.clone()).collect()
}

/// The word is in no table and behind no door.
async fn assert_gone_everywhere(parties: &Parties, said: &[Said], word: &str) {
    assert_gone(&dump(parties).await, word);
    let found = doors_with(said, word);
    assert!(found.is_empty(), "{word} is left behind {found:?}");
}

/// Both verifiers accept each party's exports.
async fn verify_exports(parties: &Parties, tasks: &[&str]) {
    let desk = Assignee::new(parties).await;
    let of_partner = format!("/api/v1/partners/{}/audit/export", parties.partner_id);
    let mut files = vec![export(&parties.partner, &of_partner).await, export(&parties.platform, &of_partner).await];
    for reader in [&parties.partner, &parties.buyer, &parties.platform] {
        for id in tasks {
            files.push(export(reader, &format!("/api/v1/tasks/{id}/audit/export")).await);
        }
    }
    for file in files {
        let (verdict, said) = desk.check(&file, None);
        assert!(matches!(verdict, Verdict::Sound | Verdict::Unsigned), "{said}");
        let (_, said) = desk.check_independently(&file, None).await;
        assert!(said.starts_with("verified: ") || said.starts_with("consistent, "), "{said}");
    }
}

const OTHERS: [&str; 6] =
    ["KEPT platform question", "KEPT platform option", "KEPT partner question", "KEPT answer", "KEPT Bo", "kept-pat"];

#[tokio::test]
async fn whoever_asked_answered_or_had_a_key_is_behind_no_door_and_the_others_stay() {
    let world = World::start().await;
    let parties = &world.parties;
    let receiver = Receiver::accepting().await;
    for owner in [&parties.partner, &parties.platform] {
        world.set(owner, "a", &receiver).await;
    }
    parties.register("w", &definition()).await;
    let anna_client = make_keys(parties).await;
    let (closed, open) = (play(parties, &anna_client).await, parties.open("w").await);
    asked(&anna_client, &open, &question(&anna(), "buyer", "SECRET")).await;
    parties.platform.done(&closed, &with(cancel(), &json!({ "immediate": true }))).await;
    let tasks = [closed.as_str(), open.as_str()];

    let before = read_all(&world, &receiver, &tasks).await;
    for word in [
        "SECRET question",
        "SECRET option",
        "SECRET answer",
        "SECRET.pdf",
        "SECRET Anna",
        "secret-anna",
        "SECRET laptop",
    ] {
        assert!(doors_with(&before, word).len() > 3, "{word} was there: {:?}", doors_with(&before, word));
    }
    let status = format!("buyer /api/v1/tasks/{open}/status");
    assert!(doors_with(&before, "SECRET option").contains(&status));

    let id = ask(parties, &request(parties)).await;
    worker(parties, 500).run_due().await.unwrap();
    assert_eq!(erasure(parties, &id).await["state"], "waiting", "a question is open");
    // The partner's trail comes after the last task.
    let meanwhile = read_all(&world, &receiver, &tasks).await;
    for word in ["SECRET question", "SECRET option", "SECRET answer", "SECRET.pdf", "SECRET Anna"] {
        assert_gone_everywhere(parties, &meanwhile, word).await;
    }
    verify_exports(parties, &tasks).await;

    parties.platform.done(&open, &with(cancel(), &json!({ "immediate": true }))).await;
    worker(parties, 500).run_due().await.unwrap();
    assert_eq!(erasure(parties, &id).await["state"], "done");
    let after = read_all(&world, &receiver, &tasks).await;
    for word in ["SECRET", "secret-anna"] {
        assert_gone_everywhere(parties, &after, word).await;
    }
    for word in OTHERS.into_iter().chain(["BUYERS answer", "BUYERS note", "KEPT key"]) {
        let (was, is) = (doors_with(&before, word), doors_with(&after, word));
        assert!(!was.is_empty() && was.is_subset(&is), "{word}: {:?}", was.difference(&is).collect::<Vec<_>>());
    }
    // A choice is a number, as a vote is a word: it stays when the words of the options are gone.
    let choices = |trail: &[Value]| trail.iter().filter(|entry| entry["data"]["option"] == 1).count();
    assert_eq!(choices(&parties.trail(&closed).await), 3);
    verify_exports(parties, &tasks).await;
    erase_buyer_and_platform(&world, &receiver, &tasks).await;
}

/// The buyer who answered and the platform's person who asked go next, and Bo stays.
async fn erase_buyer_and_platform(world: &World, receiver: &Receiver, tasks: &[&str]) {
    let parties = &world.parties;
    let buyer = json!({ "id": new_id(), "party": "buyer", "actor_id": parties.buyer_id, "reason": "Account closed" });
    let pat = json!({ "id": new_id(), "party": "platform", "actor_id": "kept-pat", "reason": "Left" });
    for body in [buyer, pat] {
        let id = ask(parties, &body).await;
        worker(parties, 500).run_due().await.unwrap();
        assert_eq!(erasure(parties, &id).await["state"], "done");
    }
    let said = read_all(world, receiver, tasks).await;
    for word in ["BUYERS", "KEPT platform", "KEPT answer", "KEPT Pat", "kept-pat"] {
        assert_gone_everywhere(parties, &said, word).await;
    }
    for word in ["KEPT partner question", "KEPT partner option", "KEPT Bo", "kept-bo", "KEPT key"] {
        assert!(!doors_with(&said, word).is_empty(), "{word} stays");
    }
    verify_exports(parties, tasks).await;
}
