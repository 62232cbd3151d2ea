//! The commands that speak to a running service, as processes: what they print for people and for programs, how
//! they end, and their completions and manual pages.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use clap::CommandFactory as _;
use serde_json::{Value, json};
use stagegate::client::Stagegate;
use stagegate::config::Cli;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;
use uuid::Uuid;

use crate::client::Parties;
use crate::harness::process::{Signal, command, run, signal};
use crate::harness::waiting::PATIENCE;
use crate::readme::document;

/// The parties, and how they run the program.
struct Terminal {
    parties: Parties,
}

/// How a command ended, and what it printed.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn json(&self) -> Value {
        assert_eq!((self.code, &*self.err), (Some(0), ""), "{self:?}");
        assert_eq!(self.out.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }

    /// What it printed for people.
    fn text(&self) -> String {
        assert_eq!((self.code, &*self.err), (Some(0), ""), "{self:?}");
        self.out.clone()
    }
}

fn ended(output: Output) -> Ended {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

impl Terminal {
    async fn new() -> Self {
        Self { parties: Parties::start().await }
    }

    /// The program, as this party of the trial.
    fn program(&self, party: &str, arguments: &[&str]) -> Command {
        let mut program = command(&self.parties.trial.data_dir);
        program.args(arguments).args(["--as", party, "--url", &self.parties.trial.url]);
        program.stdin(Stdio::null()).kill_on_drop(true);
        program
    }

    async fn run(&self, party: &str, arguments: &[&str]) -> Ended {
        ended(timeout(PATIENCE, self.program(party, arguments).output()).await.unwrap().unwrap())
    }

    /// The same, with the words of a line as its arguments; `~` stands for a blank.
    async fn line(&self, party: &str, line: &str) -> Ended {
        let words: Vec<_> = line.split(' ').map(|word| word.replace('~', " ")).collect();
        self.run(party, &words.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// A task in legal review, whose work `agent` submitted.
    async fn in_legal(&self) -> Uuid {
        let (task, partner) = (self.parties.open().await, self.parties.client("PARTNER"));
        send(&partner, task, json!({ "type": "work_submitted", "actor": { "id": "agent" }, "summary": "A draft." }))
            .await;
        let vote =
            json!({ "type": "stage_approved", "stage": "copy", "round": 1, "revision": 1, "actor": { "id": "u-eli" } });
        send(&partner, task, vote).await;
        task
    }
}

async fn send(client: &Stagegate, task: Uuid, command: Value) {
    client.command(task, &command, None).await.unwrap();
}

#[tokio::test]
async fn work_is_submitted_with_the_hashes_of_files() {
    let terminal = Terminal::new().await;
    let task = terminal.parties.open().await.to_string();
    let file = terminal.parties.trial.data_dir.join("copy.md");
    fs::write(&file, "test").unwrap();
    let url = format!("{}=https://files.example/copy.md", file.display());
    let arguments = ["submit", &task, "--actor", "u-dora", "--file", &url, "--note", "for us"];
    let dry = terminal.run("PARTNER", &[&arguments[..], &["--dry-run"]].concat()).await.text();
    assert!(dry.starts_with("dry run, nothing was stored: submitted work\n  task.work_submitted\n"), "{dry}");
    assert_eq!(terminal.parties.submissions(task.parse().unwrap()).await, 0);

    let said = terminal.run("partner", &arguments).await.text();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[..2], ["submitted work", "  task.work_submitted"], "{said}");
    assert!(lines[2].starts_with("Copy is being reviewed · in_review · waits on the partner · version "), "{said}");
    assert!(lines[3].starts_with("  id ") && lines.len() == 4, "{said}");
    let done = terminal.run("PARTNER", &[&arguments[..], &["--json"]].concat()).await.json();
    let artifact = &done["task"]["submission"]["artifacts"][0];
    let sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let expected = json!({ "name": "copy.md", "sha256": sha256, "size": 4, "url": "https://files.example/copy.md" });
    assert_eq!(*artifact, expected);

    let missing = terminal.run("PARTNER", &["submit", &task, "--actor", "u-dora", "--file", "/nowhere/x"]).await;
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.err.starts_with("stagegate: --file: /nowhere/x: "), "{missing:?}");
    terminal.parties.trial.stop().await;
}

#[tokio::test]
async fn a_decision_says_what_it_was_about() {
    let terminal = Terminal::new().await;
    let task = terminal.in_legal().await;
    let dry =
        terminal.line("PARTNER", &format!("decide {task} reject --actor u-anna --feedback No. --dry-run")).await.text();
    assert!(dry.starts_with("dry run, nothing was stored: rejected legal, round 1, revision 1\n"), "{dry}");
    let said = terminal.line("PARTNER", &format!("decide {task} approve --actor u-anna")).await.text();
    assert!(said.starts_with("approved legal, round 1, revision 1\n  task.vote_recorded\n"), "{said}");

    // The buyer is asked, gives it back, is asked again, and approves.
    let question = format!("decide {task} escalate --actor u-bo --to buyer --reason May~we?");
    let said = terminal.line("PARTNER", &question).await.text();
    assert!(said.starts_with("escalated legal, round 1, revision 1\n  task.stage_escalated\n"), "{said}");
    let said = terminal.line("BUYER", &format!("decide {task} return --reason Yes.")).await.text();
    let first = said.lines().next().unwrap();
    assert!(first.starts_with("returned legal, round 1, revision 1, escalation "), "{said}");
    terminal.line("PARTNER", &question).await.text();
    let redirected =
        terminal.line("BUYER", &format!("decide {task} escalate --to platform --reason You. --json")).await;
    assert_eq!(redirected.json()["status"]["waiting_on"], "platform");
    let given_back = terminal.line("PLATFORM", &format!("decide {task} return --actor ops --json")).await.json();
    assert_eq!(given_back["task"]["phase"], "in_review");
    terminal
        .line("PARTNER", &format!("decide {task} approve --actor u-chi --stage legal --round 1 --revision 1"))
        .await
        .text();
    let signed = terminal.line("BUYER", &format!("decide {task} approve")).await.text();
    assert!(signed.starts_with("approved signoff, round 1, revision 1\n"), "{signed}");
    assert!(signed.contains("· delivery · ended ·"), "{signed}");
    terminal.parties.trial.stop().await;
}

#[tokio::test]
async fn refusals_name_the_rule_and_the_field_and_have_their_code() {
    let terminal = Terminal::new().await;
    let task = terminal.in_legal().await;
    let own = terminal.line("PARTNER", &format!("decide {task} approve --actor u-eli")).await;
    assert_eq!((own.code, &*own.out), (Some(3), ""), "{own:?}");
    let lines: Vec<_> = own.err.lines().collect();
    assert!(lines[0].starts_with("stagegate: refused with 403 not_a_reviewer: "), "{own:?}");
    assert!(lines[1].starts_with("  request ") && lines.len() == 2, "{own:?}");
    let decided = format!("decide {task} approve --actor u-bo --stage copy --round 1 --revision 1");
    let late = terminal.line("PARTNER", &decided).await;
    assert!(late.err.starts_with("stagegate: refused with 409 already_decided: "), "{late:?}");
    assert!(late.err.contains("\n  the task is now in_review, stage legal, round 1, revision 1, version "), "{late:?}");
    assert!(late.err.contains("\n  you can send now: "), "{late:?}");

    let nobody = terminal.line("PARTNER", &format!("decide {task} approve")).await;
    assert_eq!(nobody.code, Some(3), "{nobody:?}");
    assert!(nobody.err.contains("\n  /actor is required") && nobody.err.contains("(required)\n"), "{nobody:?}");
    let late = terminal.line("PARTNER", &format!("{decided} --json")).await;
    assert_eq!(late.code, Some(3), "{late:?}");
    let problem: Value = serde_json::from_str(&late.err).unwrap();
    assert_eq!((&problem["code"], &problem["stage"]), (&json!("already_decided"), &json!("legal")), "{problem}");

    let wrong = format!("decide {task} approve --actor u-bo --feedback x --blocking y");
    let approve = format!("decide {task} approve");
    for (line, why) in [
        (wrong.as_str(), "stagegate: --blocking does not belong to this decision"),
        (&format!("decide {task} return --actor u-bo"), "stagegate: return: the task has no open escalation"),
        (
            &format!("submit {task} --actor u-dora --summary x --declined 4.1"),
            "stagegate: --declined: 4.1: must be ITEM=TEXT",
        ),
        (&format!("decide {task} reject --actor u-bo"), "error: the following required arguments"),
        ("decide no-uuid approve", "error: invalid value 'no-uuid' for '<TASK>'"),
        (&format!("wait {task} --timeout P99D"), "error: invalid value 'P99D'"),
        ("simulate /nowhere/file", "stagegate: /nowhere/file: "),
    ] {
        let ended = terminal.line("PARTNER", line).await;
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{ended:?}");
        assert!(ended.err.starts_with(why), "{ended:?}");
    }
    let foreign = terminal.line("BUYER", &approve).await;
    assert_eq!(foreign.code, Some(2), "the buyer has nothing to decide: {foreign:?}");
    terminal.parties.trial.stop().await;
}

#[tokio::test]
async fn a_service_that_is_not_there_and_a_credential_that_is_missing_are_told_apart() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let task = Uuid::nil().to_string();
    let url = format!("http://127.0.0.1:{port}");
    for (arguments, key, code, why) in [
        (vec!["why", &task], "", 2, "stagegate: no credential: set STAGEGATE_KEY, or pass --as".to_owned()),
        (vec!["why", &task, "--as", "BUYER"], "", 2, "stagegate: --as: no trial in /nowhere".to_owned()),
        (
            vec!["why", &task, "--url", "localhost:1"],
            "planted",
            2,
            "stagegate: `localhost:1` is not the address".to_owned(),
        ),
        (vec!["link", "--to", "console"], "planted", 1, format!("stagegate: no service answers at {url}: ")),
    ] {
        let mut program = command(Path::new("/nowhere"));
        program.env("STAGEGATE_URL", &url).env("STAGEGATE_KEY", key).args(arguments);
        let ended = ended(program.output().await.unwrap());
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.err.starts_with(&why) && !ended.err.contains("planted"), "{ended:?}");
        assert_eq!(ended.err.lines().count(), 1, "{ended:?}");
    }
}

#[tokio::test]
async fn why_says_what_a_person_can_do() {
    let terminal = Terminal::new().await;
    let task = terminal.in_legal().await;
    let said = terminal.line("PARTNER", &format!("why {task} --actor u-anna")).await.text();
    for line in ["waits on the partner since ", "due ", "approvals: 0 of 2", "who may approve: u-anna, u-bo, u-chi"] {
        assert!(said.lines().any(|said| said.starts_with(line)), "{line:?} is not in\n{said}");
    }
    assert!(said.contains(", then: escalate to the platform\n"), "{said}");
    assert!(said.contains("\nWhat u-anna can do now:\n"), "{said}");
    let row = said.lines().find(|line| line.contains("stage_approved")).unwrap();
    assert!(row.starts_with("yes  stage_approved"), "{said}");
    assert!(said.contains("\nno   resumed"), "{said}");
    let why = terminal.line("BUYER", &format!("why {task} --json")).await.json();
    assert_eq!(why["waiting_on"], "partner");
    terminal.parties.trial.stop().await;
}

#[tokio::test]
async fn wait_ends_with_the_change_the_time_or_the_end() {
    let terminal = Terminal::new().await;
    let task = terminal.in_legal().await;
    let key = terminal.parties.credential("BUYER").to_owned();
    // A buyer's token, and the present phase.
    let mut program = command(&terminal.parties.trial.data_dir);
    program.env("STAGEGATE_KEY", &key).env("STAGEGATE_URL", &terminal.parties.trial.url);
    let there = ended(program.args(["wait", &task.to_string(), "--until", "in_review"]).output().await.unwrap());
    assert!(there.text().starts_with("In legal review · in_review · waits on the partner · version "), "{there:?}");

    let status = terminal.parties.client("BUYER").status(task).await.unwrap();
    let late = terminal.line("PARTNER", &format!("wait {task} --after {} --timeout PT1S", status.version)).await;
    assert_eq!((late.code, &*late.out), (Some(4), ""), "{late:?}");
    assert!(late.err.starts_with("stagegate: nothing to report after 1 s: In legal review · in_review"), "{late:?}");
    let old = terminal.line("PARTNER", &format!("wait {task} --after 1 --json")).await.json();
    assert_eq!(old["version"], status.version);

    // It waits for what comes.
    let waiting = terminal.program("BUYER", &["wait", &task.to_string(), "--until", "end", "--json"]).output();
    let ending = async {
        let platform = terminal.parties.client("PLATFORM");
        let cancel = json!({ "type": "cancellation_requested", "reason": "Called off.", "immediate": true });
        send(&platform, task, cancel).await;
    };
    let (waited, ()) = tokio::join!(timeout(PATIENCE, waiting), ending);
    assert_eq!(ended(waited.unwrap().unwrap()).json()["phase"], "cancelled");
    let never = terminal.line("BUYER", &format!("wait {task} --until delivery")).await;
    assert_eq!(never.code, Some(4), "{never:?}");
    assert!(never.err.contains("the task has ended, and its status will not change"), "{never:?}");
    terminal.parties.trial.stop().await;
}

#[tokio::test]
async fn tail_shows_the_last_events_follows_and_ends_with_ctrl_c() {
    let terminal = Terminal::new().await;
    let task = terminal.in_legal().await;
    let other = terminal.parties.open().await.to_string();
    let all = terminal.line("PARTNER", "tail --all --no-follow").await.text();
    assert!(all.contains(&other) && all.lines().count() > 6, "{all}");
    let line = all.lines().find(|line| line.contains("task.work_submitted")).unwrap();
    let columns: Vec<_> = line.split_whitespace().collect();
    assert_eq!(columns[1..4], [&*task.to_string(), "3", "task.work_submitted"], "{line}");
    assert!(line.ends_with("partner, agent     Copy is being reviewed"), "{line}");
    let last = terminal.line("PARTNER", &format!("tail --last 2 --no-follow --task {task} --json")).await;
    let events: Vec<Value> = last.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2, "{last:?}");
    assert!(events.iter().all(|event| event["item"]["task_id"] == task.to_string() && event["epoch"].is_u64()));

    let cursor =
        serde_json::from_str::<Value>(terminal.line("PARTNER", "tail --last 1 --no-follow --json").await.out.trim())
            .unwrap();
    let arguments = ["tail", "--json", "--after", cursor["cursor"].as_str().unwrap()];
    let mut following =
        terminal.program("PARTNER", &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let vote = format!("decide {task} approve --actor u-anna");
    terminal.line("PARTNER", &vote).await.text();
    let event: Value =
        serde_json::from_str(&timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap()).unwrap();
    assert_eq!(event["item"]["type"], "task.vote_recorded", "{event}");
    signal(following.id().unwrap(), Signal::INT);
    let output = timeout(PATIENCE, following.wait_with_output()).await.unwrap().unwrap();
    assert_eq!((output.status.code(), &*output.stderr), (Some(130), &b""[..]));

    // A reader that has seen enough ends it without a complaint.
    let pipe = format!("\"$0\" tail --all --no-follow --as PARTNER --url {} | head -n 1", terminal.parties.trial.url);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &pipe, env!("CARGO_BIN_EXE_stagegate")])
        .env("STAGEGATE_DATA_DIR", &terminal.parties.trial.data_dir);
    let (well, said) = run(&mut shell).await;
    assert!(well && said.lines().count() == 1, "{said}");
    terminal.parties.trial.stop().await;
}

#[tokio::test]
async fn a_workflow_is_simulated_from_a_file_or_standard_input() {
    let terminal = Terminal::new().await;
    let definition = concat!(env!("CARGO_MANIFEST_DIR"), "/src/domain/workflow/brand-campaign.json");
    let said = terminal.line("PARTNER", &format!("simulate {definition} --until 2100-01-01T00:00:00Z")).await.text();
    let lines: Vec<_> = said.lines().collect();
    let header: Vec<_> = lines[0].split_whitespace().collect();
    assert_eq!(header, ["at", "cause", "what", "happens", "the", "buyer", "reads"], "{said}");
    assert!(lines[1].contains("  opening  task.opened, task.stage_entered"), "{said}");
    assert!(lines.last().unwrap().contains("timer    task.workflow_expired"), "{said}");
    let file = terminal.parties.trial.data_dir.join("simulation.json");
    let body = json!({ "opened_at": "2026-11-22T08:00:00Z", "commands": [
        { "at": "2026-11-22T09:00:00Z", "party": "partner", "type": "resumed" }] });
    fs::write(&file, body.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let refused = terminal.line("PARTNER", &format!("simulate {file} --workflow brand-campaign")).await.text();
    assert!(refused.contains("command  refused: wrong_phase: "), "{refused}");
    let nameless = terminal.line("PARTNER", &format!("simulate {file}")).await;
    assert!(nameless.code == Some(2) && nameless.err.contains("--workflow KEY is required"), "{nameless:?}");
    fs::write(file, r#"{"commands": [{"at": 1}]}"#).unwrap();
    let wrong = terminal.line("PARTNER", &format!("simulate {file} --workflow brand-campaign")).await;
    assert!(wrong.code == Some(3) && wrong.err.contains("\n  /commands/0/at "), "{wrong:?}");
    terminal.parties.trial.stop().await;
}

#[tokio::test]
async fn links_are_made_and_ended() {
    let terminal = Terminal::new().await;
    let made = terminal.line("PARTNER", "link --to inbox --actor u-anna --name Anna").await.text();
    assert!(made.contains("/go/sgl_") && made.lines().count() == 1, "{made}");
    let second = terminal.line("PARTNER", "link --to inbox --actor u-anna --json").await.json();
    assert_eq!(second["actor"]["id"], "u-anna");
    let one = terminal.line("PARTNER", &format!("link revoke --link {}", second["id"].as_str().unwrap())).await.text();
    assert_eq!(one, "ended 1\n");
    let rest = terminal.line("PARTNER", "link revoke --actor u-anna --json").await.json();
    assert_eq!(rest, json!({ "ended": 1 }));
    let wrong = terminal.line("PARTNER", "link --to nowhere --actor u-anna").await;
    assert!(wrong.code == Some(3) && wrong.err.contains("\n  /to "), "{wrong:?}");
    terminal.parties.trial.stop().await;
}

#[test]
fn every_command_and_exit_code_is_documented() {
    let text = document("docs/command-line.md");
    let program = Cli::command();
    let names: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
    assert!(names.contains(&"decide") && names.contains(&"serve"), "{names:?}");
    for name in names {
        let is_named = text.contains(&format!("`stagegate {name}")) || text.contains(&format!("`{name}`"));
        assert!(is_named || name == "db" && text.contains("`db fetch`"), "docs/command-line.md does not name {name}");
    }
    for code in ["0", "1", "2", "3", "4", "130"] {
        assert!(text.contains(&format!("\n| {code} | ")), "docs/command-line.md does not have the exit code {code}");
    }
}

#[tokio::test]
async fn completions_and_manual_pages_are_made() {
    let folder = std::env::temp_dir().join(format!("stagegate-test_{}", stagegate::ids::new()));
    fs::create_dir(&folder).unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (well, script) = run(command(&folder).args(["completions", shell])).await;
        assert!(well && script.contains("simulate") && script.contains("no-follow"), "{shell}: {script}");
    }
    let syntax = "\"$0\" completions bash | bash -n";
    let (well, said) = run(Command::new("bash").args(["-c", syntax, env!("CARGO_BIN_EXE_stagegate")])).await;
    assert!(well && said.is_empty(), "{said}");
    let (well, said) = run(command(&folder).arg("man").arg(&folder)).await;
    assert!(well && said.is_empty(), "{said}");
    for (page, word) in
        [("stagegate.1", "stagegate-decide"), ("stagegate-decide.1", "dry-run"), ("stagegate-dev-check.1", "webhook")]
    {
        let text = fs::read_to_string(folder.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        // Hyphens are escaped.
        let text = text.replace('\\', "");
        assert!(text.contains(".TH") && text.contains(word), "{page}: {text}");
    }
    let (well, said) = run(command(&folder).args(["man", "/nowhere/at/all"])).await;
    assert!(!well && said.starts_with("stagegate: /nowhere/at/all: "), "{said}");
    fs::remove_dir_all(&folder).unwrap();
}

/// On a terminal there are colours, unless `NO_COLOR` is set. `script` gives the program a terminal.
#[tokio::test]
async fn colours_are_for_terminals() {
    let terminal = Terminal::new().await;
    let task = terminal.in_legal().await;
    let line = format!(
        "{} why {task} --actor u-anna --as PARTNER --url {}",
        env!("CARGO_BIN_EXE_stagegate"),
        terminal.parties.trial.url
    );
    let on_terminal = |no_color: &'static str| {
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).env("STAGEGATE_DATA_DIR", &terminal.parties.trial.data_dir);
        script.env("TERM", "xterm").env("NO_COLOR", no_color);
        async move { run(&mut script).await }
    };
    if !cfg!(target_os = "linux") {
        return;
    }
    let (well, coloured) = on_terminal("").await;
    assert!(well && coloured.contains("\u{1b}[1mwaits on the partner\u{1b}[0m"), "{coloured:?}");
    let (well, plain) = on_terminal("1").await;
    assert!(well && plain.contains("waits on the partner") && !plain.contains("\u{1b}[1m"), "{plain:?}");
    let piped = terminal.line("PARTNER", &format!("why {task} --actor u-anna")).await.text();
    assert!(!piped.contains('\u{1b}'), "{piped:?}");
    terminal.parties.trial.stop().await;
}
