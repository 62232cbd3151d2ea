//! A service that puts tasks away after 30 days, and its archive.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::AssertSqlSafe;
use stagegate::app::App;
use stagegate::app::retention::Policy;
use stagegate::archive::Archive;
use stagegate::check::{self, Verdict, With};
use stagegate::ids;
use stagegate::worker::checkpoints::Checkpoints;
use stagegate::worker::retention::Retention;

use crate::audit::export::Assignee;
use crate::audit::transparency_log::{scalar, tick};
use crate::harness::commands::{approve, at, cancel, with};
use crate::harness::database::connect;
use crate::harness::parties::Parties;
use crate::harness::service::Service;

/// A service with an archive, which goes with it.
pub struct World {
    /// Its parties.
    pub parties: Parties,
    /// The archive.
    pub dir: PathBuf,
    worker: Retention,
}

/// After how many days tasks are put away.
const DAYS: i64 = 30;

impl World {
    /// A fresh one.
    pub async fn start() -> Self {
        let dir = std::env::temp_dir().join(format!("stagegate-test_archive_{}", ids::new()));
        fs::create_dir(&dir).unwrap();
        let policy = Some(policy(&dir));
        let parties = Parties::with_service(Service::start_with(|options| options.retention = policy).await).await;
        let worker = Retention::new(Arc::clone(&parties.service.app));
        Self { parties, dir, worker }
    }

    /// The period.
    pub fn period() -> TimeDelta {
        TimeDelta::days(DAYS)
    }

    /// A worker of the same process.
    pub fn worker(&self) -> Retention {
        Retention::new(Arc::clone(&self.parties.service.app))
    }

    /// The app of another replica with the same archive.
    pub fn replica_app(&self) -> Arc<App> {
        let pool = self.parties.service.db.pool.clone();
        self.parties.service.replica_on(pool, |options| options.retention = Some(policy(&self.dir)))
    }

    /// The app of another replica with the same archive and this many connections.
    pub async fn wide_app(&self, connections: u32) -> Arc<App> {
        let pool = connect(&self.parties.service.db.owner, connections).await;
        self.parties.service.replica_on(pool, |options| options.retention = Some(policy(&self.dir)))
    }

    /// The worker of another replica with the same archive.
    pub fn replica(&self) -> Retention {
        Retention::new(self.replica_app())
    }

    /// Puts away what is due; how many tasks.
    pub async fn run(&self) -> u64 {
        self.worker.run_due().await.unwrap()
    }

    /// A task of the demo that was delivered.
    pub async fn deliver(&self) -> String {
        let id = self.parties.open_in_legal().await;
        let partner = &self.parties.partner;
        for actor in ["u-anna", "u-bo"] {
            partner.done(&id, &approve(at("legal", 1, 1), actor)).await;
        }
        self.parties.buyer.done(&id, &approve(at("signoff", 1, 1), "")).await;
        assert_eq!(self.parties.task(&id).await["phase"], "delivery");
        id
    }

    /// A task of the demo that was cancelled during a review.
    pub async fn cancel(&self) -> String {
        let id = self.parties.open_in_legal().await;
        self.parties.platform.done(&id, &with(cancel(), &json!({ "immediate": true }))).await;
        id
    }

    /// A decision on that review, which is recorded although it comes too late.
    pub async fn decide_late(&self, task: &str) {
        let late = approve(at("legal", 1, 1), "u-anna");
        let refused = self.parties.partner.refused(task, &late, (409, "task_closed")).await;
        assert!(refused["recorded"]["seq"].is_u64(), "{refused}");
    }

    /// Signs a checkpoint of everything so far.
    pub async fn log(&self) {
        let worker = Checkpoints::new(Arc::clone(&self.parties.service.app));
        self.pass_minutes(2);
        while tick(&self.parties, &worker).await > 0 {}
    }

    /// Moves the clock on by days.
    pub fn pass(&self, days: i64) {
        self.parties.pass(24 * days);
    }

    /// Moves the clock on by minutes.
    pub fn pass_minutes(&self, minutes: i64) {
        let clock = &self.parties.service.clock;
        clock.set(clock.now() + TimeDelta::minutes(minutes));
    }

    /// How many rows of a table are about a task.
    pub async fn rows(&self, table: &str, task: &str) -> i64 {
        let query = format!("select count(*) from {table} where task_id = '{task}'");
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&self.parties.service.db.pool).await.unwrap()
    }

    /// Does something as the owner of the tables.
    pub async fn execute(&self, statement: &str) {
        let mut owner = self.parties.service.db.owner().await;
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut owner).await.unwrap();
    }

    /// The name of the file of a task, as its record has it.
    pub async fn name(&self, task: &str) -> String {
        let query = format!("select file from archived_tasks where task_id = '{task}'");
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&self.parties.service.db.pool).await.unwrap()
    }

    /// The file of a task, which is what its record says.
    pub async fn file(&self, task: &str) -> String {
        let text = fs::read_to_string(self.dir.join(self.name(task).await)).unwrap();
        let query =
            format!("select encode(file_sha256, 'hex') || file_size from archived_tasks where task_id = '{task}'");
        let recorded: String =
            sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&self.parties.service.db.pool).await.unwrap();
        assert_eq!(recorded, format!("{}{}", hex::encode(Sha256::digest(&text)), text.len()));
        text
    }

    /// The digest of the file of a task.
    pub async fn sha256(&self, task: &str) -> String {
        hex::encode(Sha256::digest(self.file(task).await))
    }

    /// Every file of the archive, by name.
    pub fn files(&self) -> Vec<String> {
        let (mut dirs, mut files) = (vec![self.dir.clone()], Vec::new());
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    files.push(path.strip_prefix(&self.dir).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        files.sort();
        files
    }

    /// Both verifiers find the key of the service under all of it.
    pub async fn assert_verifies(&self, file: &str) {
        let assignee = Assignee::new(&self.parties).await;
        let (verdict, said) = assignee.check(file, None);
        assert_eq!(verdict, Verdict::Sound, "{said}");
        let (well, said) = assignee.check_independently(file, None).await;
        assert!(well, "{said}");
    }

    /// What the program says of a task's file to somebody who kept this checkpoint, with the proof that the log of
    /// the file's checkpoint is a part of it.
    pub async fn check_against(&self, task: &str, checkpoint: &str) -> (Verdict, String) {
        let file = self.file(task).await;
        let leaves: u64 = checkpoint.lines().nth(1).unwrap().parse().unwrap();
        let earlier = file.split("\"checkpoint\":\"").nth(1).unwrap().split("\\n").nth(1).unwrap();
        let path = format!("/api/v1/audit/consistency?from={earlier}&to={leaves}");
        let proof = self.parties.platform.get(&path).await.text;
        let key = self.parties.buyer.get("/.well-known/stagegate-audit-key").await.text;
        let put = |name: &str, text: &str| {
            let path = self.dir.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let keys = vec![put("key", &key).to_str().unwrap().to_owned()];
        let (checkpoints, consistency) = (vec![put("kept", checkpoint)], vec![put("proof", &proof)]);
        let trusted = With { keys, checkpoints, consistency }.load().unwrap();
        let mut said = Vec::new();
        let verdict = check::verify_from(file.as_bytes(), &trusted, &mut said).unwrap();
        (verdict, String::from_utf8(said).unwrap())
    }

    /// How many rows there are.
    pub async fn scalar(&self, query: &'static str) -> i64 {
        scalar(&self.parties, query).await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn policy(dir: &Path) -> Policy {
    Policy { period: TimeDelta::days(DAYS), archive: Archive::open(dir).unwrap() }
}
