//! The trail of a partner: what is recorded, by whom, for whose eyes, that it proves itself, and that racing
//! writers leave no gap.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use stagegate::domain::audit::export::Trusted;
use stagegate::domain::audit::{Error, ProofView};
use stagegate::domain::partner::event::{Author, PartnerFact};
use stagegate::domain::values::id::{ErasureId, PartnerId, WorkflowKey};
use stagegate::domain::values::party::{Party, Source};
use stagegate::domain::values::text::Text;
use stagegate::store::audit::partner_events;
use stagegate::{check, ids};

use crate::harness::commands::with;
use crate::harness::parties::{Client, DEMO, Parties, code, redacted};
use crate::tasks::races::{at_once, count, replicas, summary};

fn audit(parties: &Parties) -> String {
    format!("/api/v1/partners/{}/audit", parties.partner_id)
}

async fn rows(parties: &Parties, reader: &Client) -> Vec<Value> {
    reader.read(&audit(parties)).await["items"].as_array().unwrap().clone()
}

async fn types(parties: &Parties) -> Vec<String> {
    let rows = rows(parties, &parties.platform).await;
    let seqs: Vec<u64> = rows.iter().map(|row| row["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=rows.len() as u64).collect::<Vec<_>>(), "no gaps");
    rows.iter().map(|row| row["type"].as_str().unwrap().trim_start_matches("partner.").to_owned()).collect()
}

/// Everything that is recorded, done once.
pub async fn play(parties: &Parties) {
    let keys = format!("/api/v1/partners/{}/keys", parties.partner_id);
    let limits =
        json!({ "label": "Reviews", "scopes": ["review"], "actors": ["u-anna"], "expires_at": "2030-01-01T00:00:00Z" });
    let key = parties.platform.call("POST", &keys, &limits).await;
    let path = format!("{keys}/{}", key.body["id"].as_str().unwrap());
    assert_eq!(parties.platform.call("DELETE", &path, &Value::Null).await.status, 204);
    let workflow = "/api/v1/workflows/brand-campaign";
    assert_eq!(parties.partner.call("DELETE", workflow, &Value::Null).await.status, 204);
    assert_eq!(parties.partner.call("PUT", workflow, &DEMO).await.status, 200);
    assert_eq!(parties.partner.call("DELETE", workflow, &Value::Null).await.status, 204);
    let renamed = with(DEMO.clone(), &json!({ "name": "Renamed" }));
    assert_eq!(parties.partner.call("PUT", workflow, &renamed).await.status, 201);
    let partner = PartnerId(parties.partner_id.parse().unwrap());
    let platform = Author { party: Source::Platform, credential_id: Text::parse("platform-1").ok() };
    let service = Author { party: Source::Service, credential_id: None };
    let (erasure_id, party) = (ErasureId(ids::new()), Party::Partner);
    let key = WorkflowKey::parse("brand-campaign").unwrap();
    let from = Some(parties.service.clock.now());
    for (author, fact) in [
        (&platform, PartnerFact::ErasureRequested { erasure_id, party }),
        (&service, PartnerFact::ErasureCompleted { erasure_id, party, tasks: 3, fields: 12, entries: vec![4] }),
        (&platform, PartnerFact::Exported { workflow: Some(key), from, until: None, tasks: 3, entries: 60 }),
    ] {
        parties.service.app.partners.journal.record_fact(partner, author, fact).await.unwrap();
    }
}

/// A link is made and ended, and those of a person and about a task are revoked.
pub async fn links(parties: &Parties) {
    let task = parties.open("brand-campaign").await;
    let inbox = json!({ "to": "inbox", "actor": { "id": "u-anna" }, "task_id": task });
    let made = parties.partner.call("POST", "/api/v1/links", &inbox).await;
    let path = format!("/api/v1/links/{}", made.body["id"].as_str().unwrap());
    assert_eq!(parties.partner.call("DELETE", &path, &Value::Null).await.status, 204);
    for whose in [json!({ "actor_id": "u-anna" }), json!({ "task_id": task })] {
        assert_eq!(parties.partner.call("POST", "/api/v1/links", &inbox).await.status, 201);
        assert_eq!(parties.partner.call("POST", "/api/v1/links/revoke", &whose).await.body, json!({ "ended": 1 }));
    }
}

/// Somebody is away, with a substitute, and back.
pub async fn absences(parties: &Parties) {
    let away = json!({ "from": "2027-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z", "substitute": "u-bo" });
    let path = "/api/v1/absences/u-anna";
    assert_eq!(parties.partner.call("PUT", path, &away).await.status, 200);
    assert_eq!(parties.partner.call("DELETE", path, &Value::Null).await.status, 204);
}

const PLAYED: [&str; 13] = [
    "created",
    "key_created",
    "workflow_registered",
    "key_created",
    "key_revoked",
    "workflow_retired",
    "workflow_restored",
    "workflow_retired",
    "workflow_registered",
    "workflow_restored",
    "erasure_requested",
    "erasure_completed",
    "exported",
];

#[tokio::test]
async fn what_happens_to_a_partner_is_read_by_it_and_the_platform_alone() {
    let parties = Parties::start().await;
    play(&parties).await;
    assert_eq!(types(&parties).await, PLAYED);
    for (name, reader) in [("partner", &parties.partner), ("platform", &parties.platform)] {
        let mut view = rows(&parties, reader).await;
        for row in &mut view {
            if let Some(credential) = row.get_mut("credential_id") {
                *credential = json!("[credential]");
            }
            if let Some(hint) = row["data"].get_mut("hint") {
                *hint = json!("[hint]");
            }
        }
        insta::assert_json_snapshot!(format!("partner_trail_of_the_{name}"), redacted(&json!(view)));
    }
    let stranger = parties.another_partner().await;
    for path in [audit(&parties), audit(&parties) + "/proof"] {
        let answer = stranger.get(&path).await;
        assert_eq!((answer.status, code(&answer)), (404, "not_found"));
        let answer = parties.buyer.get(&path).await;
        assert_eq!((answer.status, code(&answer)), (403, "forbidden"));
    }
}

#[tokio::test]
async fn what_changes_nothing_is_not_recorded() {
    let parties = Parties::start().await;
    play(&parties).await;
    let keys = format!("/api/v1/partners/{}/keys", parties.partner_id);
    let key = parties.platform.read(&keys).await["items"][1]["id"].as_str().unwrap().to_owned();
    let workflow = "/api/v1/workflows/brand-campaign";
    assert_eq!(parties.partner.call("DELETE", workflow, &Value::Null).await.status, 204);
    let before = rows(&parties, &parties.platform).await;
    let renamed = with(DEMO.clone(), &json!({ "name": "Renamed" }));
    let unsound = json!({ "name": "No stages", "stages": [] });
    for (client, method, path, body, status) in [
        (&parties.platform, "DELETE", format!("{keys}/{key}"), Value::Null, 204),
        (&parties.platform, "DELETE", format!("{keys}/{}", ids::new()), Value::Null, 404),
        (&parties.platform, "POST", format!("/api/v1/partners/{}/keys", ids::new()), Value::Null, 404),
        (&parties.partner, "DELETE", workflow.to_owned(), Value::Null, 204),
        (&parties.partner, "DELETE", format!("{workflow}-2"), Value::Null, 404),
        (&parties.partner, "PUT", format!("{workflow}?dry_run=true"), renamed.clone(), 200),
        (&parties.partner, "PUT", workflow.to_owned(), unsound, 422),
    ] {
        assert_eq!(client.call(method, &path, &body).await.status, status, "{method} {path}");
    }
    assert_eq!(rows(&parties, &parties.platform).await, before);
    assert_eq!(parties.partner.call("PUT", workflow, &renamed).await.status, 200);
    assert_eq!(types(&parties).await[14..], ["workflow_restored"], "brought back once");
    assert_eq!(parties.partner.call("PUT", workflow, &renamed).await.status, 200);
    assert_eq!(types(&parties).await.len(), 15);
}

#[tokio::test]
async fn a_trail_comes_in_pages() {
    let parties = Parties::start().await;
    play(&parties).await;
    let (mut found, mut path) = (Vec::new(), format!("{}?limit=5", audit(&parties)));
    loop {
        let page = parties.partner.read(&path).await;
        assert_eq!(page["partner_id"], json!(parties.partner_id));
        found.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("{}?limit=5&cursor={next}", audit(&parties));
    }
    assert_eq!(found, rows(&parties, &parties.partner).await);
}

#[tokio::test]
async fn a_proof_holds_without_the_service_and_breaks_with_any_change() {
    let parties = Parties::start().await;
    play(&parties).await;
    let (head, seq): (Vec<u8>, i64) = sqlx::query_as("select head_hash, version from partners")
        .fetch_one(&mut parties.service.db.owner().await)
        .await
        .unwrap();
    for reader in [&parties.partner, &parties.platform] {
        let answer = reader.get(&(audit(&parties) + "/proof")).await;
        let end = serde_json::from_value::<ProofView>(answer.body.clone()).unwrap().verify().unwrap();
        assert_eq!((end.hash.as_bytes().to_vec(), i64::try_from(end.seq).unwrap()), (head.clone(), seq));
        let mut said = Vec::new();
        let verdict = check::verify_from(answer.text.as_bytes(), &Trusted::default(), &mut said).unwrap();
        let said = String::from_utf8(said).unwrap();
        assert_eq!(verdict, check::Verdict::Unsigned, "{said}");
        assert!(said.starts_with(&format!("consistent: 13 entries of partner {} as ", parties.partner_id)), "{said}");
        let forged = answer.text.replacen("ait_", "ais_", 1);
        let mut said = Vec::new();
        assert_eq!(
            check::verify_from(forged.as_bytes(), &Trusted::default(), &mut said).unwrap(),
            check::Verdict::Unsound
        );
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains(", entry 2: its fields are not those that were committed\n"), "{said}");
    }
}

/// A change to the table by its owner, where it shows, and as what.
const TAMPERINGS: &[(&str, u64, Error)] = &[
    ("update partner_events set data = replace(data::text, 'brand', 'blend')::json where seq = 6", 6, Error::Fields),
    ("update partner_events set hash = sha256('x') where seq = 4", 4, Error::Hash),
    ("delete from partner_events where seq = 5", 5, Error::Order(6)),
    ("delete from partner_events where seq = 1", 1, Error::Order(2)),
    (
        "update partner_events a set data = b.data, personal = b.personal, type = b.type, party = b.party
         from partner_events b where a.seq = 2 and b.seq = 4",
        2,
        Error::Fields,
    ),
];

/// Rows that the service does not even read, and the `seq` of the first.
const MISPLACED: &[(&str, i64)] = &[
    (
        "update partner_events set seq = 99 where seq = 8; update partner_events set seq = 8 where seq = 7;
         update partner_events set seq = 7 where seq = 99",
        7,
    ),
    (
        "insert into partner_events select partner_id, 14, type, party, recorded_at, epoch, xid, entry, data, personal, hash
         from partner_events where seq = 13",
        14,
    ),
    ("update partner_events set type = 'partner.exported' where seq = 5", 5),
    ("update partner_events set entry = replace(entry, '\"v\":1', '\"v\": 1') where seq = 3", 3),
    ("update partner_events set data = replace(data::text, ',', ', ')::json where seq = 10", 10),
];

#[tokio::test]
async fn rows_that_were_swapped_doubled_or_rewritten_are_named() {
    let parties = Parties::start().await;
    play(&parties).await;
    let partner = PartnerId(parties.partner_id.parse().unwrap());
    let mut owner = parties.service.db.owner().await;
    for (statement, seq) in MISPLACED {
        sqlx::raw_sql("create temp table kept as select * from partner_events").execute(&mut owner).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(*statement)).execute(&mut owner).await.unwrap();
        let error = partner_events::list(&parties.service.db.pool, partner, 0, 100).await.unwrap_err().to_string();
        let place = format!("partner_events ({partner}, {seq}) holds something impossible: ");
        assert!(error.starts_with(&place), "{statement}: {error}");
        assert_eq!(parties.partner.get(&(audit(&parties) + "/proof")).await.status, 500);
        let back = "delete from partner_events; insert into partner_events select * from kept; drop table kept";
        sqlx::raw_sql(back).execute(&mut owner).await.unwrap();
    }
}

#[tokio::test]
async fn what_somebody_changes_in_the_table_is_found_and_where() {
    let parties = Parties::start().await;
    play(&parties).await;
    let mut owner = parties.service.db.owner().await;
    for (statement, seq, what) in TAMPERINGS {
        sqlx::raw_sql("create temp table kept as select * from partner_events").execute(&mut owner).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(*statement)).execute(&mut owner).await.unwrap();
        let answer = parties.partner.get(&(audit(&parties) + "/proof")).await;
        assert_eq!(answer.status, 200, "{statement}: {}", answer.text);
        let broken = serde_json::from_value::<ProofView>(answer.body).unwrap().verify().unwrap_err();
        assert_eq!((broken.seq, &broken.what), (*seq, what), "{statement}");
        let back = "delete from partner_events; insert into partner_events select * from kept; drop table kept";
        sqlx::raw_sql(back).execute(&mut owner).await.unwrap();
    }
    let answer = parties.partner.get(&(audit(&parties) + "/proof")).await;
    assert!(serde_json::from_value::<ProofView>(answer.body).unwrap().verify().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_made_at_once_are_rows_without_a_gap_up_to_the_limit() {
    let parties = Parties::start().await;
    let clients = replicas(&parties, &parties.platform).await;
    let path = format!("/api/v1/partners/{}/keys", parties.partner_id);
    let answers = at_once(20, |n| {
        let (client, path) = (clients[n % 2].clone(), path.clone());
        async move { client.call("POST", &path, &Value::Null).await }
    })
    .await;
    // The partner has one already, and may have 20.
    assert_eq!(count(&answers, 201, ""), 19, "{:?}", summary(&answers));
    assert_eq!(count(&answers, 409, "limit_reached"), 1, "{:?}", summary(&answers));
    assert_eq!(types(&parties).await.len(), 3 + 19);
    // Revoking one from twenty connections ends it once, and is recorded once.
    let made = answers.iter().find(|answer| answer.status == 201).unwrap();
    let one = format!("{path}/{}", made.body["id"].as_str().unwrap());
    let answers = at_once(20, |n| {
        let (client, path) = (clients[n % 2].clone(), one.clone());
        async move { client.call("DELETE", &path, &Value::Null).await }
    })
    .await;
    assert!(answers.iter().all(|answer| answer.status == 204), "{:?}", summary(&answers));
    assert_eq!(types(&parties).await[22..], ["key_revoked"]);
    let answer = parties.partner.get(&(audit(&parties) + "/proof")).await;
    assert!(serde_json::from_value::<ProofView>(answer.body).unwrap().verify().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_registrations_and_retirements_of_a_key_are_recorded_as_they_took_effect() {
    let parties = Parties::start().await;
    let clients = replicas(&parties, &parties.partner).await;
    let path = "/api/v1/workflows/brand-campaign";
    let answers = at_once(16, |n| {
        let (client, method) = (clients[n % 2].clone(), if n % 4 < 2 { "PUT" } else { "DELETE" });
        let definition = with(DEMO.clone(), &json!({ "name": format!("B{}", n % 8) }));
        async move { client.call(method, path, if method == "PUT" { &definition } else { &Value::Null }).await }
    })
    .await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201 | 204)), "{:?}", summary(&answers));
    let (mut retired, mut version) = (false, 0);
    for row in rows(&parties, &parties.platform).await {
        match row["type"].as_str().unwrap() {
            "partner.workflow_registered" => {
                version += 1;
                assert_eq!(row["data"]["version"], version);
            }
            "partner.workflow_retired" => assert!(!std::mem::replace(&mut retired, true), "retired twice"),
            "partner.workflow_restored" => assert!(std::mem::replace(&mut retired, false), "restored twice"),
            _ => {}
        }
    }
    let now = parties.partner.read(path).await;
    assert_eq!((now["latest_version"].as_u64(), now["retired_at"].is_string()), (Some(version), retired));
}

#[tokio::test]
async fn the_times_of_a_trail_do_not_go_back_with_the_clock() {
    let parties = Parties::start().await;
    parties.pass(-5);
    let path = format!("/api/v1/partners/{}/keys", parties.partner_id);
    let key = parties.platform.call("POST", &path, &Value::Null).await.body;
    let rows = rows(&parties, &parties.platform).await;
    assert_eq!(rows.last().unwrap()["recorded_at"], rows[0]["recorded_at"]);
    assert_eq!(key["created_at"], rows[0]["recorded_at"]);
}
