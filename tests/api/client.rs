//! The client in Rust against a running service; and programs that are killed while they write, in each language.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use stagegate::client::{Error, FeedEvent, ProofView, Receipt, Stagegate, VerifierKey, Wait};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use uuid::Uuid;

use crate::clients;
use crate::harness::process::{Signal, Trial, command, fetch, run, signal};
use crate::harness::proxy::{Mode, Proxy};
use crate::harness::settings::node;
use crate::harness::waiting::PATIENCE;

/// Longer than any test: an answer that is held back.
const NEVER: Duration = Duration::from_hours(1);

/// A trial, and a client for each of its parties.
pub struct Parties {
    /// The service.
    pub trial: Trial,
    credentials: Vec<(String, String)>,
}

impl Parties {
    /// Starts a service.
    pub async fn start() -> Self {
        let trial = Trial::start().await;
        let (known, credentials) = trial.run(&["keys"]).await;
        assert!(known, "{credentials}");
        let credentials = credentials.lines().filter_map(|line| line.split_once('='));
        let credentials = credentials.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { trial, credentials }
    }

    /// A credential, or an id, as `stagegate keys` prints it.
    pub fn credential(&self, name: &str) -> &str {
        &self.credentials.iter().find(|(known, _)| known == name).unwrap().1
    }

    /// A client of a party.
    pub fn client(&self, name: &str) -> Stagegate {
        Stagegate::new(&self.trial.url, self.credential(name)).unwrap()
    }

    /// Opens a task on the trial's workflow.
    pub async fn open(&self) -> Uuid {
        let id = stagegate::ids::new();
        let opening = json!({ "id": id, "partner_id": self.credential("PARTNER_ID"), "title": "Autumn campaign",
            "buyer_id": self.credential("BUYER_ID"), "workflow": { "key": "brand-campaign" } });
        let platform = self.client("PLATFORM");
        let task = platform.open_task(&opening).await.unwrap();
        let again = platform.open_task(&opening).await.unwrap();
        assert_eq!((again.id, again.version), (task.id, task.version), "opening it again opens nothing");
        id
    }

    /// How many submissions the task has.
    pub async fn submissions(&self, task: Uuid) -> usize {
        let trail: Value = self.client("PLATFORM").get(&format!("/api/v1/tasks/{task}/audit")).await.unwrap();
        let types = trail["items"].as_array().unwrap().iter().map(|entry| entry["type"].as_str());
        types.filter(|kind| *kind == Some("task.work_submitted")).count()
    }

    /// Waits until work was submitted to a fresh task.
    pub async fn is_submitted(&self, task: Uuid) {
        let wait = Wait { timeout: PATIENCE, ..Wait::default() };
        let found = self.client("BUYER").wait(task, wait, |status| status.phase == "in_review").await.unwrap();
        assert!(found.is_some(), "nothing was submitted");
    }
}

fn submit() -> Value {
    json!({ "type": "work_submitted", "actor": { "id": "u-dora" }, "summary": "A draft" })
}

#[tokio::test]
async fn an_id_is_kept_over_a_swallowed_answer_so_there_is_one_effect() {
    let parties = Parties::start().await;
    let task = parties.open().await;
    let (proxy, through) = Proxy::before_service(&parties.trial.url).await;
    proxy.set(Mode::Delay(NEVER));
    let partner = Stagegate::new(&through, parties.credential("PARTNER")).unwrap();
    let sending = tokio::spawn(async move { partner.command(task, &submit(), None).await });
    parties.is_submitted(task).await;
    // The answer is lost with its connection.
    proxy.set(Mode::Pass);
    proxy.cut();
    let result = timeout(PATIENCE, sending).await.unwrap().unwrap().unwrap();
    assert!(result.replayed, "the second attempt got the first answer");
    assert_eq!(result.task.unwrap().revision, 1);
    assert_eq!(parties.submissions(task).await, 1);
    parties.trial.stop().await;
}

#[tokio::test]
async fn the_client_for_rust_plays_the_story() {
    let parties = Parties::start().await;
    let (partner, buyer) = (parties.client("PARTNER"), parties.client("BUYER"));
    let task = parties.open().await;
    let opened = buyer.wait(task, Wait::default(), |_| true).await.unwrap().unwrap();
    assert_eq!(opened.phase, "preparing");
    let waiting = tokio::spawn(async move {
        let wait = Wait { after: Some(opened.version), ..Wait::default() };
        buyer.wait(task, wait, |status| status.phase == "in_review").await
    });
    let dry = partner.dry_run(task, &submit()).await.unwrap();
    assert_eq!((dry.types(), parties.submissions(task).await), (vec!["task.work_submitted"], 0));
    partner.command(task, &submit(), None).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().unwrap().label, "Copy is being reviewed");

    let why = partner.why(task, Some("u-dora")).await.unwrap();
    let approval = why.you.iter().find(|ability| ability.command == "stage_approved").unwrap();
    assert_eq!((approval.allowed, approval.code.as_deref()), (false, Some("self_approval")));
    let vote =
        json!({ "type": "stage_approved", "stage": "copy", "round": 1, "revision": 1, "actor": { "id": "u-dora" } });
    let refused = partner.command(task, &vote, None).await.unwrap_err();
    assert_eq!(refused.problem().unwrap().code, "self_approval");
    let mistaken = partner.command(task, &json!({ "type": "work_submitted" }), None).await.unwrap_err();
    let problem = mistaken.problem().unwrap();
    assert!(problem.errors.iter().any(|error| error.pointer == "/actor" && error.code == "required"), "{problem}");
    assert!(problem.request_id.is_some());

    let mut feed = partner.follow(None, true);
    let (mut seqs, mut cursor) = (Vec::new(), None);
    while seqs.last() != Some(&3) {
        let FeedEvent { item, cursor: from, .. } = feed.next().await.unwrap().unwrap();
        seqs.extend(item["seq"].as_u64().filter(|_| item["task_id"] == task.to_string()));
        cursor = from;
    }
    assert_eq!(seqs, [1, 2, 3]);
    let mut rest = partner.follow(cursor, false);
    while let Some(event) = rest.next().await.unwrap() {
        assert_eq!(event.item["seq"], 3, "only what may come again");
    }
    parties.trial.stop().await;
}

#[tokio::test]
async fn receipts_and_proofs_of_the_service_are_verified() {
    let parties = Parties::start().await;
    let (partner, task) = (parties.client("PARTNER"), parties.open().await);
    partner.command(task, &submit(), None).await.unwrap();
    let proof: ProofView = partner.get(&format!("/api/v1/tasks/{task}/audit/proof")).await.unwrap();
    assert_eq!(proof.verify().unwrap().seq, 3);
    let receipt = fetch(
        &format!("{}/api/v1/tasks/{task}/audit/3/receipt", parties.trial.url),
        Some(parties.credential("PARTNER")),
    )
    .await;
    let key = fetch(&format!("{}/.well-known/stagegate-audit-key", parties.trial.url), None).await;
    let receipt = Receipt::verify(receipt.trim(), &[VerifierKey::parse(key.trim()).unwrap()]).unwrap();
    assert_eq!((receipt.task.0, receipt.seq, &*receipt.kind), (task, 3, "task.work_submitted"));
    parties.trial.stop().await;
}

#[tokio::test]
async fn what_is_no_service_is_told_apart() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = Stagegate::new(&format!("http://127.0.0.1:{port}"), "key").unwrap();
    let nobody = nobody.with_retry(stagegate::client::Retry { retries: 0, ..Default::default() });
    let failure = nobody.status(Uuid::nil()).await.unwrap_err();
    assert!(matches!(&failure, Error::NoAnswer { .. }) && !failure.may_have_had_effect(), "{failure}");
}

/// A program that submits work with an id of its own: killed before it gets the answer, and started again.
async fn is_killed_and_started_again(parties: &Parties, program: impl Fn(&str, Uuid, Uuid) -> Command) -> String {
    let (task, id) = (parties.open().await, stagegate::ids::new());
    let (proxy, through) = Proxy::before_service(&parties.trial.url).await;
    proxy.set(Mode::Delay(NEVER));
    let mut first = spawn(program(&through, task, id));
    parties.is_submitted(task).await;
    signal(first.id().unwrap(), Signal::KILL);
    let ended = timeout(PATIENCE, first.wait()).await.unwrap().unwrap();
    assert!(!ended.success() && ended.code().is_none(), "it was killed: {ended}");
    assert_eq!(proxy.accepted(), 1, "it was killed during its first attempt");

    proxy.set(Mode::Pass);
    let (well, said) = run(&mut program(&through, task, id)).await;
    assert!(well, "{said}");
    assert_eq!(parties.submissions(task).await, 1, "one effect");
    // Without the id it is another submission.
    let (well, said) = run(&mut program(&through, task, stagegate::ids::new())).await;
    assert!(well, "{said}");
    assert_eq!(parties.submissions(task).await, 2);
    said
}

fn spawn(mut program: Command) -> Child {
    program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap()
}

#[tokio::test]
async fn a_command_that_is_killed_while_it_writes_and_started_again_has_one_effect() {
    let parties = Parties::start().await;
    let said = is_killed_and_started_again(&parties, |url, task, id| {
        let mut program = command(&parties.trial.data_dir);
        program.args([
            "submit",
            &task.to_string(),
            "--summary",
            "A draft",
            "--actor",
            "u-dora",
            "--id",
            &id.to_string(),
        ]);
        program.args(["--as", "PARTNER", "--url", url]);
        program
    })
    .await;
    assert!(said.starts_with("submitted work\n"), "{said}");
    parties.trial.stop().await;
}

const PYTHON: &str = "
import os, sys
from stagegate import Stagegate
url, task, id = sys.argv[1:]
with Stagegate(url, os.environ['PARTNER']) as stagegate:
    command = {'type': 'work_submitted', 'actor': {'id': 'u-dora'}, 'summary': 'A draft'}
    print(len(stagegate.command(task, command, id=id).events))
";

#[tokio::test]
async fn a_script_in_python_that_is_killed_while_it_writes_and_started_again_has_one_effect() {
    let Some(tools) = clients::tools() else { return };
    let parties = Parties::start().await;
    let script = parties.trial.data_dir.join("killed.py");
    fs::write(&script, PYTHON).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    is_killed_and_started_again(&parties, |url, task, id| {
        let mut program = Command::new(tools.join("python/bin/python"));
        program.arg("-B").arg(&script).args([url, &task.to_string(), &id.to_string()]);
        program.env("PYTHONPATH", root.join("clients/python")).env("PARTNER", parties.credential("PARTNER"));
        program
    })
    .await;
    parties.trial.stop().await;
}

const TYPESCRIPT: &str = "
import { Stagegate } from 'stagegate-client';
const [url, task, id] = process.argv.slice(2);
const stagegate = new Stagegate({ url, token: process.env.PARTNER });
const command = { type: 'work_submitted', actor: { id: 'u-dora' }, summary: 'A draft' };
console.log((await stagegate.command(task, command, { id })).events.length);
";

#[tokio::test]
async fn a_script_in_typescript_that_is_killed_while_it_writes_and_started_again_has_one_effect() {
    let Some(tools) = clients::tools() else { return };
    let parties = Parties::start().await;
    let folder = parties.trial.data_dir.join("killed");
    fs::create_dir_all(&folder).unwrap();
    clients::install_typescript(&folder, &tools).await;
    fs::write(folder.join("killed.mjs"), TYPESCRIPT).unwrap();
    is_killed_and_started_again(&parties, |url, task, id| {
        let mut program = Command::new(node());
        program.current_dir(&folder).arg("killed.mjs").args([url, &task.to_string(), &id.to_string()]);
        program.env("PARTNER", parties.credential("PARTNER"));
        program
    })
    .await;
    parties.trial.stop().await;
}
