//! Keys that are limited to scopes, people and a time, and stages that count only keys bound to a person.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::app::App;
use stagegate::domain::audit::ProofView;
use stagegate::http::{AppState, HttpService, Settings};
use stagegate::worker::erasures::Erasures;

use crate::harness::commands::{approve, at, cancel, escalate, reject, resolve, submit, update, with};
use crate::harness::contract::operations;
use crate::harness::parties::{Client, Parties, code, events, new_id, text};
use crate::harness::service::PLATFORM_KEY;
use crate::tasks::reviewers::change;

const SCOPES: [&str; 4] = ["work", "review", "define", "read"];

/// A key of the partner, made by the platform.
async fn key(parties: &Parties, limits: &Value) -> Client {
    made(parties, &parties.platform, &format!("/api/v1/partners/{}/keys", parties.partner_id), limits).await.0
}

/// A key made by `maker`, and its id.
async fn made(parties: &Parties, maker: &Client, path: &str, limits: &Value) -> (Client, String) {
    let answer = maker.call("POST", path, limits).await;
    assert_eq!(answer.status, 201, "{limits}: {}", answer.text);
    let client = Client { credential: text(&answer.body["key"]), ..parties.partner.clone() };
    (client, text(&answer.body["id"]))
}

fn bound_workflow(assurance: &str) -> Value {
    json!({ "name": "Bound", "stages": [
        { "key": "a", "name": "A", "buyer_label": "In A", "assurance": assurance, "quorum": { "approvals": 2, "rejections": 1 } },
        { "key": "b", "name": "B", "buyer_label": "In B", "reviewer": "buyer" } ] })
}

#[tokio::test]
async fn a_key_is_let_in_where_the_contract_names_its_scope_and_nowhere_else() {
    let parties = Parties::start().await;
    let (mut admitted, mut refused) = (0, 0);
    let mut declared = BTreeSet::new();
    for scope in SCOPES {
        let client = key(&parties, &json!({ "scopes": [scope] })).await;
        for operation in operations() {
            let path =
                operation.path.split('/').map(|part| if part.starts_with('{') { new_id() } else { part.to_owned() });
            let path = path.collect::<Vec<_>>().join("/");
            // No body that any operation would take: the scope comes before it.
            let body = if operation.method == "GET" { Value::Null } else { json!(["no", "body"]) };
            let answer = client.call(&operation.method, &path, &body).await;
            let place = format!("{} with `{scope}`: {}", operation.id, answer.text);
            if !operation.parties.contains("partner") {
                let party = if operation.parties.is_empty() { "" } else { "forbidden" };
                assert!(code(&answer) != "key_scope" && (party.is_empty() || code(&answer) == party), "{place}");
                continue;
            }
            let is_open = operation.scopes.contains(scope) || operation.scopes.contains("read");
            assert_eq!(code(&answer) != "key_scope", is_open, "{place}");
            assert!(!matches!(code(&answer), "forbidden" | "unauthorized"), "{place}");
            (admitted, refused) = (admitted + usize::from(is_open), refused + usize::from(!is_open));
            if operation.method != "GET" {
                let scopes: Vec<&str> = operation.scopes.iter().map(String::as_str).collect();
                declared.insert(format!("{} {}", operation.id, scopes.join(" ")));
            }
        }
    }
    assert!(admitted > 80 && refused > 30, "{admitted} let in, {refused} refused");
    let expected = [
        "activate_webhook_secret define",
        "claim_task review",
        "create_key define",
        "create_link define read review work",
        "end_link define review work",
        "post_event define review work",
        "post_events define review work",
        "redeliver define",
        "redeliver_since define",
        "register_workflow define",
        "release_claim review",
        "remove_absence define",
        "remove_webhook define",
        "retire_workflow define",
        "revoke_key define",
        "revoke_links define review work",
        "rotate_webhook_secret define",
        "set_absence define",
        "set_webhook define",
        "simulate_workflow define",
        "test_webhook define",
    ];
    assert_eq!(declared.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_command_needs_the_scope_of_its_type_before_anything_else_about_it() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let legal = at("legal", 1, 1);
    let commands = [
        ("work", submit("agent")),
        ("work", update("x")),
        ("work", json!({ "type": "held", "reason": "x" })),
        ("work", json!({ "type": "resumed" })),
        ("work", cancel()),
        ("work", json!({ "type": "cancellation_acknowledged", "in_flight": "discarded" })),
        ("review", approve(legal, "u-anna")),
        ("review", reject(legal, "u-anna")),
        ("review", escalate(legal, "u-anna", "platform")),
        ("review", resolve(1, "approve", "u-anna")),
        ("define", change("legal", &["u-dan"], &[])),
    ];
    for scope in SCOPES {
        let client = key(&parties, &json!({ "scopes": [scope] })).await;
        for (needed, command) in &commands {
            let answer = client.call("POST", &format!("{}?dry_run=true", events(&task)), command).await;
            assert_eq!(code(&answer) == "key_scope", scope != *needed, "{scope}: {command}: {}", answer.text);
        }
    }
    let (work, review) =
        (key(&parties, &json!({ "scopes": ["work"] })).await, key(&parties, &json!({ "scopes": ["review"] })).await);
    // A mistake in the body, a repetition and a late decision do not come before the scope.
    work.refused(&task, &json!({ "type": "stage_approved", "nonsense": 1 }), (403, "key_scope")).await;
    let vote = with(approve(legal, "u-anna"), &json!({ "id": new_id() }));
    review.done(&task, &vote).await;
    assert_eq!(review.send(&task, &vote).await.status, 200, "repeated");
    work.refused(&task, &vote, (403, "key_scope")).await;
    parties.partner.done(&task, &cancel()).await;
    work.refused(&task, &approve(legal, "u-bo"), (403, "key_scope")).await;
    let late = review.refused(&task, &approve(legal, "u-bo"), (409, "cancelling")).await;
    assert!(late["recorded"]["seq"].is_u64(), "{late}");
}

#[tokio::test]
async fn a_key_names_its_own_people_and_fills_in_the_only_one() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    let legal = at("legal", 1, 1);
    let anna = key(&parties, &json!({ "actors": ["u-anna"] })).await;
    let both = key(&parties, &json!({ "actors": ["u-anna", "u-bo"] })).await;
    anna.refused(&task, &approve(legal, "u-bo"), (403, "key_actor")).await;
    anna.refused(&task, &submit("agent"), (403, "key_actor")).await;
    anna.refused(&task, &approve(at("signoff", 1, 1), "u-bo"), (403, "wrong_party")).await;
    anna.refused(&task, &approve(at("legal", 7, 1), "u-bo"), (403, "key_actor")).await;
    let missing = both.refused(&task, &approve(legal, ""), (422, "invalid_body")).await;
    assert_eq!(missing["errors"][0]["pointer"], "/actor");
    let vote = with(approve(legal, ""), &json!({ "id": new_id() }));
    let done = anna.done(&task, &vote).await;
    assert_eq!(done["event"]["actor"], json!({ "id": "u-anna" }), "{done}");
    assert_eq!(done["event"]["data"]["bound"], true, "{done}");
    assert_eq!(anna.send(&task, &vote).await.status, 200, "the same body again");
    assert_eq!(
        parties.partner.send(&task, &with(vote, &json!({ "actor": { "id": "u-anna" } }))).await.status,
        422,
        "another body"
    );
    // Where no actor is required, none is filled in.
    let said = anna.done(&task, &update("x")).await;
    assert!(said["event"].get("actor").is_none_or(Value::is_null), "{said}");
    parties.platform.done(&task, &cancel()).await;
    anna.refused(&task, &approve(legal, "u-bo"), (403, "key_actor")).await;
}

#[tokio::test]
async fn a_bound_stage_is_decided_under_keys_that_are_bound_to_a_person() {
    let parties = Parties::start().await;
    parties.register("bound", &bound_workflow("bound")).await;
    let task = parties.open("bound").await;
    let status = parties.status(&task).await;
    assert_eq!(status["stages"][0]["assurance"], "bound");
    assert!(status["stages"][1].get("assurance").is_none(), "{status}");
    let here = at("a", 1, 0);
    let anna = key(&parties, &json!({ "scopes": ["review"], "actors": ["u-anna"] })).await;
    let bo = key(&parties, &json!({ "scopes": ["review"], "actors": ["u-bo"] })).await;
    for command in [approve(here, "u-anna"), reject(here, "u-anna")] {
        parties.partner.refused(&task, &command, (403, "key_unbound")).await;
    }
    anna.done(&task, &approve(here, "u-anna")).await;
    let escalated = parties.partner.done(&task, &escalate(here, "u-bo", "platform")).await;
    let seq = escalated["event"]["seq"].as_u64().unwrap();
    parties.platform.refused(&task, &resolve(seq, "approve", "ops-anna"), (403, "key_unbound")).await;
    parties.platform.done(&task, &resolve(seq, "return", "ops-anna")).await;
    bo.done(&task, &approve(here, "")).await;
    // Everybody reads that the decision was made under bound keys; a buyer's own vote always is.
    parties.buyer.done(&task, &approve(at("b", 1, 0), "")).await;
    for reader in [&parties.partner, &parties.buyer, &parties.platform] {
        let trail = reader.read(&format!("/api/v1/tasks/{task}/audit")).await;
        let decisions = trail["items"].as_array().unwrap().iter().filter(|row| row["type"] == "task.stage_approved");
        let bound: Vec<_> = decisions.map(|row| row["data"]["bound"].clone()).collect();
        assert_eq!(bound, [json!(true), json!(true)]);
    }
}

#[tokio::test]
async fn a_platform_key_with_a_name_is_that_person() {
    let parties = Parties::start().await;
    parties.register("bound", &bound_workflow("bound")).await;
    let named = "a-key-of-somebody-at-the-platform";
    let platform_keys = vec![PLATFORM_KEY.to_owned(), format!("ops-anna={named}")];
    let settings = Settings { platform_keys, ..Settings::default() };
    let router = HttpService::new(AppState::new(Arc::clone(&parties.service.app), settings).await.unwrap());
    let anna = Client { router, credential: named.to_owned() };
    let task = parties.open("bound").await;
    let escalated = parties.partner.done(&task, &escalate(at("a", 1, 0), "u-bo", "platform")).await;
    let seq = escalated["event"]["seq"].as_u64().unwrap();
    anna.refused(&task, &resolve(seq, "approve", "ops-bo"), (403, "key_actor")).await;
    let done = anna.done(&task, &resolve(seq, "approve", "")).await;
    assert_eq!(done["event"]["actor"]["id"], "ops-anna");
    assert_eq!(done["events"][1]["data"]["bound"], true, "{done}");
}

#[tokio::test]
async fn mistakes_in_a_request_for_a_key_are_named() {
    let parties = Parties::start().await;
    let keys = format!("/api/v1/partners/{}/keys", parties.partner_id);
    for (mistake, pointer) in [
        (json!({ "scopes": [] }), "/scopes"),
        (json!({ "actors": [] }), "/actors"),
        (json!({ "actors": ["u-a", "u-a"] }), "/actors"),
        (json!({ "expires_at": "2027-01-15T08:00:00Z" }), "/expires_at"),
        (json!({ "scopes": ["everything"] }), "/scopes/0"),
        (json!({ "label": "" }), "/label"),
    ] {
        for (client, path) in [(&parties.platform, keys.as_str()), (&parties.partner, "/api/v1/keys")] {
            let answer = client.call("POST", path, &mistake).await;
            assert_eq!(
                (answer.status, &answer.body["errors"][0]["pointer"]),
                (422, &json!(pointer)),
                "{mistake}: {}",
                answer.text
            );
        }
    }
}

#[tokio::test]
async fn a_partner_makes_keys_that_reach_no_further_than_its_own() {
    let parties = Parties::start().await;
    let keys = format!("/api/v1/partners/{}/keys", parties.partner_id);
    let limits = json!({ "label": "Team A", "scopes": ["review", "define"], "actors": ["u-anna", "u-bo"],
        "expires_at": "2027-01-16T08:00:00Z" });
    let answer = parties.platform.call("POST", &keys, &limits).await;
    assert_eq!(answer.body["warnings"][0]["code"], "shared_key", "{}", answer.text);
    let team = Client { credential: text(&answer.body["key"]), ..parties.partner.clone() };
    let team_id = text(&answer.body["id"]);
    let narrow = json!({ "scopes": ["review", "read"], "actors": ["u-anna"], "expires_at": "2027-01-16T08:00:00Z" });
    for wider in [
        Value::Null,
        json!({}),
        with(narrow.clone(), &json!({ "scopes": ["work"] })),
        with(narrow.clone(), &json!({ "scopes": SCOPES })),
        with(narrow.clone(), &json!({ "actors": ["u-anna", "u-eli"] })),
        with(narrow.clone(), &json!({ "expires_at": "2027-01-16T08:00:01Z" })),
        json!({ "scopes": ["review"], "actors": ["u-anna"] }),
        json!({ "scopes": ["review"], "expires_at": "2027-01-16T08:00:00Z" }),
    ] {
        let answer = team.call("POST", "/api/v1/keys", &wider).await;
        assert_eq!((answer.status, code(&answer)), (403, "key_scope"), "{wider}: {}", answer.text);
    }
    let (child, child_id) =
        made(&parties, &team, "/api/v1/keys", &with(narrow.clone(), &json!({ "scopes": ["define"] }))).await;
    let (grandchild, grandchild_id) =
        made(&parties, &child, "/api/v1/keys", &with(narrow, &json!({ "scopes": ["read"] }))).await;
    assert_eq!(code(&grandchild.call("POST", "/api/v1/keys", &Value::Null).await), "key_scope");
    let shown = parties.partner.read("/api/v1/keys").await["items"].as_array().unwrap().clone();
    let of = |id: &str| shown.iter().find(|key| key["id"] == id).unwrap().clone();
    assert_eq!((&of(&child_id)["made_by"], &of(&team_id)["made_by"]), (&json!(team_id), &Value::Null));
    assert_eq!((&of(&team_id)["label"], &of(&team_id)["scopes"]), (&json!("Team A"), &json!(["review", "define"])));
    // A key cannot end one that reaches further.
    let widest = text(&shown[0]["id"]);
    let answer = team.call("DELETE", &format!("/api/v1/keys/{widest}"), &Value::Null).await;
    assert_eq!((answer.status, code(&answer)), (403, "key_scope"));
    // What a key made ends with it, and the trail says so for each.
    assert_eq!(parties.partner.call("DELETE", &format!("/api/v1/keys/{team_id}"), &Value::Null).await.status, 204);
    for client in [&team, &child, &grandchild] {
        assert_eq!(client.get("/api/v1/tasks").await.status, 401);
    }
    let trail = parties.partner.read(&format!("/api/v1/partners/{}/audit?limit=100", parties.partner_id)).await;
    let rows = |kind: &str| {
        trail["items"].as_array().unwrap().iter().filter(|row| row["type"] == kind).cloned().collect::<Vec<_>>()
    };
    let ended: BTreeSet<String> = rows("partner.key_revoked").iter().map(|row| text(&row["data"]["key_id"])).collect();
    assert_eq!(ended, BTreeSet::from([team_id, child_id, grandchild_id]));
    let created = rows("partner.key_created")[1]["data"].clone();
    assert_eq!((&created["label"], &created["actors"]), (&json!("Team A"), &json!(["u-anna", "u-bo"])), "{created}");
    assert_eq!(
        (&created["scopes"], &created["expires_at"]),
        (&json!(["review", "define"]), &json!("2027-01-16T08:00:00Z"))
    );
}

#[tokio::test]
async fn an_expired_key_is_like_a_revoked_one() {
    let parties = Parties::start().await;
    let day = key(&parties, &json!({ "expires_at": "2027-01-16T08:00:00Z" })).await;
    let task = parties.open("brand-campaign").await;
    let path = format!("/api/v1/tasks/{task}/status");
    assert_eq!(day.get(&path).await.status, 200);
    parties.pass(24);
    for path in [path.as_str(), "/api/v1/tasks", "/api/v1/keys"] {
        assert_eq!(day.get(path).await.status, 401, "{path}");
    }
    assert_eq!(day.send(&task, &submit("agent")).await.status, 401);
    // It leaves room for another one.
    let keys = format!("/api/v1/partners/{}/keys", parties.partner_id);
    for _ in 1..20 {
        assert_eq!(parties.platform.call("POST", &keys, &Value::Null).await.status, 201);
    }
    assert_eq!(parties.platform.call("POST", &keys, &Value::Null).await.status, 409);
}

#[tokio::test]
async fn an_erased_person_leaves_the_keys_and_their_key_becomes_nobodys() {
    let parties = Parties::start().await;
    let anna = key(&parties, &json!({ "label": "Anna's", "actors": ["u-anna"] })).await;
    let both = key(&parties, &json!({ "label": "Ours", "actors": ["u-anna", "u-bo"] })).await;
    let task = parties.open_in_legal().await;
    let request =
        json!({ "party": "partner", "partner_id": parties.partner_id, "actor_id": "u-anna", "reason": "asked" });
    assert_eq!(parties.platform.call("POST", "/api/v1/erasures", &request).await.status, 202);
    parties.pass(1);
    // In the service itself, which has the keys in its cache.
    Erasures::with_window(Arc::clone(&parties.service.app) as Arc<App>, 500).run_due().await.unwrap();
    let keys = parties.partner.read("/api/v1/keys").await;
    let actors: Vec<_> = keys["items"].as_array().unwrap().iter().map(|key| key["actors"].clone()).collect();
    assert_eq!(actors, [Value::Null, json!([]), json!(["u-bo"])]);
    assert!(!keys.to_string().contains("Anna") && !keys.to_string().contains("Ours"), "{keys}");
    check_erased_trail(&parties).await;
    for actor in ["u-anna", "u-bo", "u-eli"] {
        anna.refused(&task, &approve(at("legal", 1, 1), actor), (403, "key_actor")).await;
    }
    anna.refused(&task, &approve(at("legal", 1, 1), ""), (422, "invalid_body")).await;
    both.done(&task, &approve(at("legal", 1, 1), "")).await;
}

/// What the partner's trail says about the keys that Anna had is erased too, and the proof still holds.
async fn check_erased_trail(parties: &Parties) {
    let path = format!("/api/v1/partners/{}/audit", parties.partner_id);
    let trail = parties.partner.read(&format!("{path}?limit=100")).await;
    let shown = trail.to_string();
    assert!(!shown.contains("u-anna") && !shown.contains("Anna") && !shown.contains("Ours"), "{trail}");
    let rows = trail["items"].as_array().unwrap();
    let erased: Vec<_> = rows.iter().filter(|row| row["erased"] == true).map(|row| row["seq"].clone()).collect();
    let done = rows.iter().find(|row| row["type"] == "partner.erasure_completed").unwrap();
    assert_eq!((done["data"]["entries"].as_array(), erased.len()), (Some(&erased), 2), "{done}");
    for reader in [&parties.partner, &parties.platform] {
        let proof = reader.read(&format!("{path}/proof")).await;
        serde_json::from_value::<ProofView>(proof.clone()).unwrap().verify().unwrap();
        // Without the entry that accounts for it, a gap is a forgery.
        let mut forged = proof;
        let entries = forged["entries"].as_array_mut().unwrap();
        entries.retain(|entry| entry["seq"] != done["seq"]);
        assert!(serde_json::from_value::<ProofView>(forged).unwrap().verify().is_err());
    }
    let mut owner = parties.service.db.owner().await;
    let stored: String =
        sqlx::query_scalar("select string_agg(t::text, '') from partner_events t").fetch_one(&mut owner).await.unwrap();
    assert!(!stored.contains("u-anna") && !stored.contains("Ours"));
}

/// The law, over random keys and commands: what is recorded was sent under a key that has the scope for it and may
/// name the actor.
#[tokio::test]
async fn nothing_is_recorded_under_a_key_without_the_scope_and_the_actor() {
    let parties = Parties::start().await;
    parties.register("bound", &bound_workflow("bound")).await;
    parties.register("any", &bound_workflow("any")).await;
    let people = ["u-anna", "u-bo", "agent-7"];
    let mut keys = Vec::new();
    for bits in 1..16_usize {
        let scopes: Vec<&str> = (0..4).filter(|bit| bits >> bit & 1 == 1).map(|bit| SCOPES[bit]).collect();
        let actors = [None, Some(&people[..1]), Some(&people[1..]), Some(&people[..])][bits % 4];
        let mut limits = json!({ "scopes": scopes });
        if let Some(actors) = actors {
            limits["actors"] = json!(actors);
        }
        let made =
            made(&parties, &parties.platform, &format!("/api/v1/partners/{}/keys", parties.partner_id), &limits).await;
        keys.push((made.0, made.1, limits));
    }
    // The same sequence in every run; a small linear congruential generator suffices.
    let mut state = 0x5eed_u64;
    let mut roll = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    let (mut tasks, mut accepted, mut refused) = (vec![parties.open("bound").await, parties.open("any").await], 0, 0);
    for _ in 0..400 {
        let (client, _, _) = &keys[roll(keys.len())];
        let task = tasks[roll(tasks.len())].clone();
        let present = parties.task(&task).await;
        let number = |name: &Value| u32::try_from(name.as_u64().unwrap()).unwrap();
        let here = at("a", number(&present["round"]), number(&present["revision"]));
        let actor = ["u-anna", "u-bo", "agent-7", ""][roll(4)];
        let command = match roll(6) {
            0 => submit(actor),
            1 => reject(here, actor),
            2 => update("x"),
            3 => escalate(here, actor, "platform"),
            _ => approve(here, actor),
        };
        let answer = client.send(&task, &command).await;
        assert!(answer.status < 500, "{}", answer.text);
        accepted += usize::from(answer.status == 201);
        refused += usize::from(matches!(code(&answer), "key_scope" | "key_actor" | "key_unbound"));
        let phase = parties.task(&task).await["phase"].clone();
        if phase == "escalated" || parties.task(&task).await["stage"]["key"] == "b" {
            tasks.push(parties.open(if roll(2) == 0 { "bound" } else { "any" }).await);
        }
    }
    assert!(accepted > 20 && refused > 100, "{accepted} accepted, {refused} refused");
    let checked = check_recorded(&parties, &tasks, &keys).await;
    assert!(checked > 20, "{checked} entries");
}

/// Checks every entry that was recorded under one of the keys, each with its id and limits; how many there are.
async fn check_recorded(parties: &Parties, tasks: &[String], keys: &[(Client, String, Value)]) -> usize {
    let mut checked = 0;
    for task in tasks {
        let assurance = parties.status(task).await["stages"][0].get("assurance").cloned();
        for row in parties.trail(task).await {
            let Some((_, _, limits)) = keys.iter().find(|(_, id, _)| row["credential_id"] == json!(id)) else {
                continue;
            };
            let needed = match row["type"].as_str().unwrap() {
                "task.vote_recorded" | "task.stage_approved" | "task.stage_rejected" | "task.stage_escalated" => {
                    "review"
                }
                _ => "work",
            };
            assert!(limits["scopes"].as_array().unwrap().contains(&json!(needed)), "{limits}: {row}");
            let id = &row["actor"]["id"];
            let admitted = limits["actors"].as_array().is_none_or(|actors| id.is_null() || actors.contains(id));
            assert!(admitted, "{limits}: {row}");
            if row["type"] == "task.vote_recorded" {
                let bound = limits["actors"].is_array();
                assert_eq!(row["data"]["bound"] == true, bound, "{limits}: {row}");
                assert!(bound || assurance != Some(json!("bound")), "{limits}: {row}");
            }
            checked += 1;
        }
    }
    checked
}
