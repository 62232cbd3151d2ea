//! Exports: written for every party, checked by the program and by a verifier that shares no code with it, and
//! recorded.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use stagegate::check::{self, Verdict, With};
use stagegate::ids;
use stagegate::worker::checkpoints::Checkpoints;
use tokio::process::Command;
use tower::ServiceExt as _;

use crate::audit::transparency_log::{scalar, seconds, tick};
use crate::harness::commands::{at, escalate, reject, submit, update, with};
use crate::harness::parties::{Client, Parties, code};
use crate::harness::process::run;
use crate::harness::settings::python;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/audit-fields.json");
const VERIFIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify.py");

/// A folder with what a verifier has: key and checkpoints, and files to look at.
pub struct Assignee(PathBuf);

impl Assignee {
    pub async fn new(parties: &Parties) -> Self {
        let folder = std::env::temp_dir().join(format!("stagegate-test_{}", ids::new()));
        fs::create_dir(&folder).unwrap();
        let desk = Self(folder);
        desk.put("key", &parties.buyer.call("GET", "/.well-known/stagegate-audit-key", &Value::Null).await.text);
        desk
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let file = self.0.join(name);
        fs::write(&file, text).unwrap();
        file
    }

    /// What the program says of a text.
    pub fn check(&self, text: &str, kept: Option<&Path>) -> (Verdict, String) {
        let checkpoints = kept.map(Path::to_path_buf).into_iter().collect();
        let keys = vec![self.0.join("key").to_str().unwrap().to_owned()];
        let trusted = With { keys, checkpoints, consistency: Vec::new() }.load().unwrap();
        let mut said = Vec::new();
        let verdict = check::verify_from(text.as_bytes(), &trusted, &mut said).unwrap();
        (verdict, String::from_utf8(said).unwrap())
    }

    /// Whether the independent verifier believes a text, and what it says.
    pub async fn check_independently(&self, text: &str, kept: Option<&Path>) -> (bool, String) {
        let file = self.put("file", text);
        let program = python();
        let mut command = Command::new(&program);
        command.arg(VERIFIER).arg(GOLDEN).arg(self.0.join("key")).arg(file).args(kept);
        let (well, said) = run(&mut command).await;
        assert!(
            !said.contains("ModuleNotFoundError") && !said.contains("No such file"),
            "{program} with the library `cryptography` is needed, which ./test sees to: {said}"
        );
        (well, said)
    }

    async fn assert_sound(&self, text: &str, kept: Option<&Path>) {
        let (verdict, said) = self.check(text, kept);
        let word = match verdict {
            Verdict::Sound => "verified: ",
            Verdict::Unsigned => "consistent, but signed by nobody or not to the end: ",
            Verdict::Unsound | Verdict::Unreadable => panic!("{said}"),
        };
        let (well, said) = self.check_independently(text, kept).await;
        assert!(well == (verdict == Verdict::Sound) && said.starts_with(word), "{said}");
    }
}

impl Drop for Assignee {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub async fn export(reader: &Client, path: &str) -> String {
    let answer = reader.get(path).await;
    assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (200, "application/jsonl"), "{path}");
    answer.text
}

/// A task with a bit of everything.
async fn play(parties: &Parties) -> String {
    let task = parties.open_in_legal().await;
    let rejection = with(
        reject(at("legal", 1, 1), "u-anna"),
        &json!({ "note": "ours: \"\u{1F600}\"\n \\ \u{dc}/", "return_to": "legal" }),
    );
    parties.partner.done(&task, &rejection).await;
    parties.partner.done(&task, &submit("agent")).await;
    parties.partner.done(&task, &escalate(at("legal", 2, 2), "u-bo", "buyer")).await;
    task
}

#[tokio::test]
async fn each_partys_export_verifies_by_the_program_and_independently() {
    let parties = Parties::start().await;
    let worker = Checkpoints::new(Arc::clone(&parties.service.app));
    let task = play(&parties).await;
    parties.open("brand-campaign").await;
    tick(&parties, &worker).await;
    let desk = Assignee::new(&parties).await;
    let kept = desk.put("kept", &parties.buyer.call("GET", "/api/v1/audit/checkpoint", &Value::Null).await.text);
    parties.partner.done(&task, &update("nearly there")).await;
    parties.open("brand-campaign").await;
    seconds(&parties, 60);
    tick(&parties, &worker).await;
    let path = format!("/api/v1/tasks/{task}/audit/export");
    for reader in [&parties.partner, &parties.buyer, &parties.platform] {
        let text = export(reader, &path).await;
        desk.assert_sound(&text, None).await;
        assert_eq!(desk.check(&text, None).0, Verdict::Sound);
        // The view is that of the proof.
        let proof = reader.read(&format!("/api/v1/tasks/{task}/audit/proof")).await;
        let entries: Vec<Value> = text
            .lines()
            .filter(|line| line.starts_with("{\"seq\""))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(proof["entries"], json!(entries));
        // Against the checkpoint that was kept: only what is proven against it.
        assert_eq!(desk.check(&text, Some(&kept)).0, Verdict::Unsound);
        assert!(!desk.check_independently(&text, Some(&kept)).await.0);
        let size = fs::read_to_string(&kept).unwrap().lines().nth(1).unwrap().to_owned();
        desk.assert_sound(&export(reader, &format!("{path}?size={size}")).await, Some(&kept)).await;
        desk.assert_sound(&reader.get(&format!("/api/v1/tasks/{task}/audit/1/receipt")).await.text, None).await;
    }
    let path = format!("/api/v1/partners/{}/audit/export", parties.partner_id);
    for reader in [&parties.partner, &parties.platform] {
        desk.assert_sound(&export(reader, &path).await, None).await;
    }
    let many = export(&parties.platform, "/api/v1/audit/export?from=2020-01-01T00:00:00Z").await;
    assert_eq!(many.lines().filter(|line| line.starts_with("{\"format\"")).count(), 3);
    desk.assert_sound(&many, None).await;
}

#[tokio::test]
async fn what_was_changed_is_believed_by_neither() {
    let parties = Parties::start().await;
    let task = play(&parties).await;
    tick(&parties, &Checkpoints::new(Arc::clone(&parties.service.app))).await;
    let desk = Assignee::new(&parties).await;
    let text = export(&parties.buyer, &format!("/api/v1/tasks/{task}/audit/export")).await;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let moved = |order: &[usize]| order.iter().map(|at| lines[*at]).collect::<String>();
    let all: Vec<usize> = (0..lines.len()).collect();
    let without = |at: usize| moved(&[&all[..at], &all[at + 1..]].concat());
    let mut files = vec![
        without(0),
        without(3),
        without(lines.len() - 1),
        without(lines.len() - 2),
        text.replacen("copy", "cozy", 1),
    ];
    files.push(moved(&[&all[..4], &[3], &all[4..]].concat()));
    files.push(moved(&[&all[..2], &[3, 2], &all[4..]].concat()));
    files.push(text.trim_end().to_owned());
    files.push(text.replace("\"viewer\":\"buyer\"", "\"viewer\":\"partner\""));
    files.push(text.replace("\"index\":0", "\"index\":1"));
    files.push(format!("{text}{}", lines[lines.len() - 1]));
    for place in (7..text.len()).step_by(text.len() / 25) {
        let mut bytes = text.clone().into_bytes();
        bytes[place] ^= 1;
        files.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    for file in files.iter().filter(|file| **file != text) {
        let (verdict, said) = desk.check(file, None);
        assert!(!matches!(verdict, Verdict::Sound | Verdict::Unsigned), "{said}\n{file}");
        let (well, said) = desk.check_independently(file, None).await;
        assert!(!well && said.starts_with("NOT verified: "), "{said}\n{file}");
    }
    let receipt = parties.buyer.get(&format!("/api/v1/tasks/{task}/audit/1/receipt")).await.text;
    for place in (0..receipt.len()).step_by(receipt.len() / 15).chain([receipt.len() - 1]) {
        let mut bytes = receipt.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_ne!(desk.check(&changed, None).0, Verdict::Sound, "{changed}");
        assert!(!desk.check_independently(&changed, None).await.0, "{changed}");
    }
}

/// Changes in the database by its owner, and the entry that they show at.
const TAMPERINGS: &[(&str, u64)] = &[
    ("update task_events set seq = 1000 where seq = 3", 3),
    ("update task_events set cause_seq = 1 where seq = 3", 3),
    ("update task_events set type = 'task.resumed' where seq = 3", 3),
    ("update task_events set stage = 'legal' where seq = 3", 3),
    ("update task_events set round = 2 where seq = 3", 3),
    ("update task_events set party = 'buyer' where seq = 3", 3),
    ("update task_events set recorded_at = recorded_at + interval '1 second' where seq = 3", 3),
    ("update task_events set command_id = gen_random_uuid(), command_digest = sha256('x') where seq = 3", 3),
    ("update task_events set entry = replace(entry, '\"v\":1', '\"v\":1 ') where seq = 3", 3),
    ("update task_events set entry = 'x' where seq = 3", 3),
    ("update task_events set data = replace(data::text, 'copy', 'cozy')::json where seq = 3", 3),
    ("update task_events set data = '{}' where seq = 3", 3),
    ("update task_events set personal = '{}' where seq = 3", 3),
    ("update task_events set personal = replace(personal::text, 'agent', 'agenT')::json where seq = 3", 3),
    ("update task_events set hash = sha256(hash) where seq = 3", 3),
    ("delete from task_events where seq = 3", 3),
    ("delete from task_events where seq = 1", 1),
    ("delete from task_events where seq = (select max(seq) from task_events)", 5),
    ("update task_events set seq = -3 where seq = 3; update task_events set seq = 3, cause_seq = 3 where seq = 4; update task_events set seq = 4 where seq = -3", 3),
    ("update tasks set head_hash = sha256(head_hash)", 6),
    ("insert into task_events (task_id, seq, cause_seq, type, stage, round, party, recorded_at, entry, data, personal, hash)
      select task_id, 7, 7, type, stage, round, party, recorded_at, entry, data, personal, hash from task_events where seq = 6", 7),
    ("update partner_events set seq = 1000 where seq = 3", 3),
    ("update partner_events set type = 'partner.key_revoked' where seq = 3", 3),
    ("update partner_events set party = 'buyer' where seq = 3", 3),
    ("update partner_events set recorded_at = recorded_at + interval '1 second' where seq = 3", 3),
    ("update partner_events set entry = 'x' where seq = 3", 3),
    ("update partner_events set data = replace(data::text, 'brand', 'blend')::json where seq = 3", 3),
    ("update partner_events set personal = '{}' where seq = 3", 3),
    ("update partner_events set hash = sha256(hash) where seq = 2", 2),
    ("delete from partner_events where seq = 2", 2),
];

#[tokio::test]
async fn what_somebody_changes_in_the_database_is_found_and_where() {
    let parties = Parties::start().await;
    let task = parties.open_in_legal().await;
    assert_eq!(parties.trail(&task).await.len(), 6);
    let desk = Assignee::new(&parties).await;
    let paths = [format!("/api/v1/tasks/{task}/audit"), format!("/api/v1/partners/{}/audit", parties.partner_id)];
    let mut owner = parties.service.db.owner().await;
    // An owner is not held up by constraints.
    let unchecked = "do $$ declare c record; begin
        for c in select conrelid::regclass as name, conname from pg_constraint
            where contype = 'c' and conrelid in ('task_events'::regclass, 'partner_events'::regclass)
        loop execute format('alter table %s drop constraint %I', c.name, c.conname); end loop; end $$";
    sqlx::raw_sql(unchecked).execute(&mut owner).await.unwrap();
    for (statement, seq) in TAMPERINGS {
        let table = if statement.contains("partner_events") { "partner_events" } else { "task_events" };
        let keep = format!(
            "create temp table kept as select * from {table}; create temp table heads as select task_id, head_hash from tasks"
        );
        sqlx::raw_sql(AssertSqlSafe(keep)).execute(&mut owner).await.unwrap();
        sqlx::raw_sql(*statement).execute(&mut owner).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        let path = &paths[usize::from(table == "partner_events")];
        let text = export(&parties.partner, &format!("{path}/export")).await;
        let (verdict, said) = desk.check(&text, None);
        assert_eq!(verdict, Verdict::Unsound, "{statement}: {said}");
        assert!(said.contains(&format!("entry {seq}: ")), "{statement} shows at {seq}, not:\n{said}");
        // The proof either says which entry it is or does not verify.
        let answer = parties.partner.get(&format!("{path}/proof")).await;
        if answer.status == 500 {
            assert_eq!(code(&answer), "trail_damaged", "{statement}");
            assert!(
                answer.body["detail"].as_str().unwrap().contains(&format!("Entry {seq} ")),
                "{statement}: {}",
                answer.text
            );
        }
        let back = format!(
            "delete from {table}; insert into {table} select * from kept; drop table kept;
             update tasks set head_hash = heads.head_hash from heads where heads.task_id = tasks.task_id; drop table heads"
        );
        sqlx::raw_sql(AssertSqlSafe(back)).execute(&mut owner).await.unwrap();
    }
    for path in &paths {
        let (verdict, said) = desk.check(&export(&parties.partner, &format!("{path}/export")).await, None);
        assert_eq!(verdict, Verdict::Unsigned, "{said}");
    }
}

#[tokio::test]
async fn what_the_platform_exports_is_recorded_with_its_partner() {
    let parties = Parties::start().await;
    let stranger = parties.another_partner().await;
    let task = parties.open_in_legal().await;
    parties.pass(24);
    let other = parties.open("brand-campaign").await;
    let recorded = async || -> Vec<Value> {
        let trail = parties.partner.read(&format!("/api/v1/partners/{}/audit", parties.partner_id)).await;
        let rows = trail["items"].as_array().unwrap().iter().filter(|row| row["type"] == "partner.exported");
        rows.map(|row| row["data"].clone()).collect()
    };
    export(&parties.partner, &format!("/api/v1/tasks/{task}/audit/export")).await;
    assert!(recorded().await.is_empty(), "its own doing is not recorded");
    export(&parties.platform, &format!("/api/v1/tasks/{task}/audit/export")).await;
    assert_eq!(recorded().await, [json!({ "tasks": 1, "entries": 6 })]);
    let partner = &parties.partner_id;
    for (query, tasks, entries) in [
        (format!("partner_id={partner}"), vec![&task, &other], 8),
        (format!("partner_id={partner}&workflow=brand-campaign"), vec![&task, &other], 8),
        (format!("partner_id={partner}&workflow=nothing"), vec![], 0),
        ("from=2027-01-16T00:00:00Z".to_owned(), vec![&other], 2),
        ("until=2027-01-16T00:00:00Z".to_owned(), vec![&task], 6),
        ("from=2027-01-15T08:00:00Z&until=2027-01-15T08:00:01Z".to_owned(), vec![&task], 6),
        ("from=2027-01-15T08:00:01Z&until=2027-01-16T08:00:00Z".to_owned(), vec![], 0),
    ] {
        let before = recorded().await.len();
        let text = export(&parties.platform, &format!("/api/v1/audit/export?{query}")).await;
        let mut wanted: Vec<_> = tasks.iter().map(|task| (*task).clone()).collect();
        wanted.sort();
        let found: Vec<String> = text
            .lines()
            .filter(|line| line.starts_with("{\"format\""))
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["origin"]["task"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(found, wanted, "{query}");
        let now = recorded().await;
        assert_eq!(now.len() - before, usize::from(entries > 0), "{query}");
        if entries > 0 {
            let last = now.last().unwrap();
            assert_eq!((&last["tasks"], &last["entries"]), (&json!(wanted.len()), &json!(entries)), "{query}");
        }
    }
    let path = format!("/api/v1/partners/{partner}/audit/export");
    let text = export(&parties.platform, &path).await;
    assert!(text.contains("partner.exported"), "its own export is in it");
    assert_eq!(stranger.get(&path).await.status, 404);
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    let trail = format!("/api/v1/tasks/{task}/audit");
    let cursor = parties.platform.read(&format!("{trail}?limit=1")).await["next"].as_str().unwrap().to_owned();
    let partner = format!("/api/v1/partners/{}/audit", parties.partner_id);
    for (path, pointer) in [
        (format!("{trail}/export?limit=5"), "/query/limit"),
        (format!("{trail}/export?cursor={cursor}"), "/query/cursor"),
        (format!("{trail}?size=3"), "/query/size"),
        (format!("{trail}?format=jsonl"), "/query/format"),
        (format!("{trail}/export?size=0"), "/query/size"),
        (format!("{partner}/export?limit=5"), "/query/limit"),
        ("/api/v1/audit/export".to_owned(), "/query/partner_id"),
        ("/api/v1/audit/export?workflow=x&from=2027-01-01T00:00:00Z".to_owned(), "/query/partner_id"),
        ("/api/v1/audit/export?from=2027-01-01T00:00:00Z&until=2027-01-01T00:00:00Z".to_owned(), "/query/until"),
        ("/api/v1/audit/export?from=x".to_owned(), "/query/from"),
    ] {
        let answer = parties.platform.get(&path).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["pointer"]),
            (400, &json!(pointer)),
            "{path}: {}",
            answer.text
        );
    }
    for path in [format!("{trail}/export?size=3"), "/api/v1/audit/export?from=2027-01-01T00:00:00Z&size=3".to_owned()] {
        let answer = parties.platform.get(&path).await;
        assert_eq!((answer.status, code(&answer)), (404, "no_checkpoint"));
    }
    for reader in [&parties.partner, &parties.buyer] {
        let answer = reader.get("/api/v1/audit/export?from=2027-01-01T00:00:00Z").await;
        assert_eq!((answer.status, code(&answer)), (403, "forbidden"));
    }
}

/// The body of an export as a client reads it: piece by piece.
async fn open(parties: &Parties, path: &str) -> axum::body::BodyDataStream {
    let request = Request::get(path)
        .header("host", "x")
        .header("authorization", format!("Bearer {}", parties.platform.credential));
    let response = parties.service.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body().into_data_stream()
}

#[tokio::test]
async fn nothing_is_read_for_a_reader_who_does_not_read_and_what_breaks_off_has_no_end() {
    let parties = Parties::start().await;
    for _ in 0..4 {
        parties.open_in_legal().await;
    }
    let task = parties.open("brand-campaign").await;
    for n in 0..200 {
        parties.partner.done(&task, &update(&format!("step {n}"))).await;
    }
    let desk = Assignee::new(&parties).await;
    // A trail of 202 entries comes in pieces of 64 at the most, and each is read when it is asked for: what is gone
    // by then is missing.
    let path = format!("/api/v1/tasks/{task}/audit/export");
    let (mut body, mut whole) = (open(&parties, &path).await, export(&parties.platform, &path).await);
    let first = body.next().await.unwrap().unwrap();
    assert_eq!(first.split(|byte| *byte == b'\n').count() - 1, 65, "the header and 64 entries");
    let mut owner = parties.service.db.owner().await;
    sqlx::query("delete from task_events where seq = 65").execute(&mut owner).await.unwrap();
    let second = body.next().await.unwrap().unwrap();
    assert!(second.starts_with(b"{\"seq\":66,"), "{second:?}");
    // With the database gone, the stream ends in an error.
    sqlx::query("alter table task_events rename to elsewhere").execute(&mut owner).await.unwrap();
    assert!(body.next().await.unwrap().is_err());
    assert!(body.next().await.is_none());
    sqlx::query("alter table elsewhere rename to task_events").execute(&mut owner).await.unwrap();
    whole.truncate(whole.trim_end().rfind('\n').unwrap() + 1);
    let (verdict, said) = desk.check(&whole, None);
    assert_eq!(verdict, Verdict::Unsound);
    assert!(said.contains("not complete"), "{said}");

    // Of an export of many, a reader who left has caused no more than what it was given.
    let recorded = scalar(&parties, "select count(*) from partner_events where type = 'partner.exported'").await;
    let mut body = open(&parties, "/api/v1/audit/export?from=2020-01-01T00:00:00Z").await;
    let opening = body.next().await.unwrap().unwrap();
    assert!(opening.starts_with(b"{\"export\":") && opening.ends_with(b"}\n"));
    let now = scalar(&parties, "select count(*) from partner_events where type = 'partner.exported'").await;
    assert_eq!(now, recorded, "nothing has left yet");
    body.next().await.unwrap().unwrap();
    drop(body);
    let now = scalar(&parties, "select count(*) from partner_events where type = 'partner.exported'").await;
    assert_eq!(now, recorded + 1);
}
