//! The program `stagegate dev` as a process: what it prints, where it refuses to start, and the calls of its page.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use serde_json::Value;
use stagegate::embedded::Postgres;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::world::time;
use crate::harness::database::{TestDb, scratch_options};
use crate::harness::process::{client, command, fetch, run, stagegate, stagegate_with, terminate};
use crate::harness::waiting::{PATIENCE, until};
use crate::readme::{document, is_shortened, step, tested};

/// A running `stagegate dev` on a private Postgres of its own.
struct Running {
    data_dir: PathBuf,
    postgres: Postgres,
}

/// One that has started: its process, and what it printed.
struct Started {
    process: Child,
    url: String,
    platform: String,
    said: String,
}

impl Running {
    async fn new() -> Self {
        let options = scratch_options();
        // Started here, so that it ends with this process whatever happens; the service adopts it.
        let postgres = Postgres::start(&options, "stagegate_dev").await.unwrap();
        Self { data_dir: options.data_dir, postgres }
    }

    async fn start(&self, more: &[&str]) -> Started {
        self.start_with(more, &[]).await
    }

    async fn start_with(&self, more: &[&str], environment: &[(&str, &str)]) -> Started {
        Started::new(&self.data_dir, more, environment).await
    }
}

impl Started {
    async fn new(data_dir: &Path, more: &[&str], environment: &[(&str, &str)]) -> Self {
        let arguments = [&["dev", "--log", "off", "--listen", "127.0.0.1:0"][..], more].concat();
        let mut process = stagegate_with(&arguments, data_dir, environment);
        let mut lines = BufReader::new(process.stdout.as_mut().unwrap()).lines();
        let mut said = String::new();
        let reading = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                let _ = writeln!(said, "{line}");
                if line.contains("docs/dev.md") {
                    return;
                }
            }
        };
        timeout(PATIENCE, reading).await.unwrap();
        let value = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
            line.unwrap_or_else(|| panic!("no {name} in {said}")).to_owned()
        };
        let (url, platform) = (value("URL"), value("PLATFORM"));
        Self { process, url, platform, said }
    }

    async fn clock(&self) -> Value {
        serde_json::from_str(&fetch(&format!("{}/dev/clock", self.url), Some(&self.platform)).await).unwrap()
    }

    async fn advance(&self, by: &str) -> Value {
        let request = client(PATIENCE).post(format!("{}/dev/clock", self.url)).bearer_auth(&self.platform);
        let answer = request.json(&serde_json::json!({ "advance": by })).send().await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    }
}

#[tokio::test]
async fn it_shows_the_pages_of_each_party_and_remembers_where_its_clock_is() {
    let running = Running::new().await;
    let mut first = running.start(&[]).await;
    for who in ["the platform's console", "the partner's desk", "the buyer's task"] {
        let link = first
            .said
            .lines()
            .find(|line| line.trim_start().starts_with(who))
            .unwrap_or_else(|| panic!("{}", first.said));
        let page = fetch(link.split_whitespace().last().unwrap(), None).await;
        assert!(page.contains("<form"), "{who}: {page}");
    }
    let moved = first.advance("PT48H").await;
    assert_eq!(moved["quiet"], true);
    let timers = moved["ran"].as_array().unwrap().iter().map(|ran| ran["timer"].as_str().unwrap_or_default());
    assert_eq!(timers.collect::<Vec<_>>(), ["reminder", "stage_deadline"], "the first call shows something: {moved}");
    // The demo and its links follow the clock of the service.
    let home = running.data_dir.join("dev");
    let (well, said) = run(command(&home).args(["demo", "--url", &first.url])).await;
    assert!(well && said.contains("entries agree"), "{said}");
    let (well, said) = run(command(&home).args(["open", "--url", &first.url])).await;
    assert!(well && said.contains("the buyer's task") && said.matches("/go/").count() == 5, "{said}");
    // Another one would have another clock.
    let second = stagegate(&["dev", "--listen", "127.0.0.1:0"], &running.data_dir);
    let output = timeout(PATIENCE, second.wait_with_output()).await.unwrap().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("another `stagegate dev` uses"));
    let ready = fetch(&format!("{}/ready", first.url), None).await;
    assert!(ready.contains("ok"), "its clock is ahead on purpose: {ready}");
    terminate(&mut first.process).await;

    let mut again = running.start(&[]).await;
    let clock = again.clock().await;
    let ahead = time(&clock["now"]) - time(&clock["machine"]);
    assert!(ahead > TimeDelta::hours(47), "{clock}");
    let task = |said: &str| said.lines().find(|line| line.starts_with("TASK=")).unwrap().to_owned();
    assert_eq!(task(&again.said), task(&first.said), "the task is still open");
    terminate(&mut again.process).await;

    let mut fresh = running.start(&["--fresh"]).await;
    let clock = fresh.clock().await;
    assert!((time(&clock["now"]) - time(&clock["machine"])).abs() < TimeDelta::minutes(1), "{clock}");
    assert_ne!(task(&fresh.said), task(&first.said));
    terminate(&mut fresh.process).await;
    running.postgres.stop().await.unwrap();
}

#[tokio::test]
async fn it_opens_the_pages_of_all_three_parties() {
    let running = Running::new().await;
    // A browser that writes down what it is to open.
    let opened = running.data_dir.join("opened");
    for name in ["xdg-open", "open"] {
        let browser = running.data_dir.join(name);
        fs::write(&browser, format!("#!/bin/sh\necho \"$1\" >> {}\n", opened.display())).unwrap();
        fs::set_permissions(&browser, Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", running.data_dir.display());
    let mut started = running.start_with(&["--open"], &[("PATH", &path)]).await;
    let count = || fs::read_to_string(&opened).map_or(0, |urls| urls.lines().count());
    until("all are opened", async || count() >= 3).await;
    let urls = fs::read_to_string(&opened).unwrap();
    assert!(urls.lines().all(|url| url.contains("/go/") && started.said.contains(url)), "{urls}");
    terminate(&mut started.process).await;
    running.postgres.stop().await.unwrap();
}

#[tokio::test]
async fn it_runs_on_a_server_that_is_meant_for_it() {
    let (db, data_dir) = (TestDb::new().await, scratch_options().data_dir);
    let url = sqlx::ConnectOptions::to_url_lossy(&db.owner).to_string();
    let more = ["--use-database-url", "--pool-size", "2"];
    let mut started = Started::new(&data_dir, &more, &[("DATABASE_URL", &url)]).await;
    assert_eq!(started.advance("PT48H").await["quiet"], true);
    terminate(&mut started.process).await;
    fs::remove_dir_all(&data_dir).unwrap();
}

#[tokio::test]
async fn it_refuses_the_settings_of_another_service() {
    for (arguments, environment, why) in [
        (&["--listen", "0.0.0.0:0"][..], None, "can be reached from other machines"),
        (&["--timers", "false"], None, "runs the timers itself"),
        (&["--listen", "127.0.0.1:0"], Some("postgres://u:hunter2@h/d"), "DATABASE_URL names a server"),
    ] {
        let mut command = command(Path::new("/nonexistent"));
        command.arg("dev").args(arguments);
        if let Some(url) = environment {
            command.env("DATABASE_URL", url);
        }
        let (well, said) = run(&mut command).await;
        assert!(!well && said.contains(why) && !said.contains("hunter2"), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[tokio::test]
async fn the_calls_of_its_page_are_answered_as_shown() {
    let text = document("docs/dev.md");
    let steps: Vec<_> = tested(&text).flat_map(|part| part.split("```sh\n").skip(1)).map(step).collect();
    assert!(steps.iter().filter(|(_, answer)| answer.is_some()).count() >= 3, "the page has calls with answers");
    let running = Running::new().await;
    let mut started = running.start(&[]).await;
    let credentials = started.said.lines().filter(|line| {
        line.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    });
    let mut script = format!("set -eu\n{}\n", credentials.collect::<Vec<_>>().join("\n"));
    for (calls, _) in &steps {
        let _ = writeln!(script, "{calls}\nprintf '\\036'");
    }
    let (well, said) = run(Command::new("sh").args(["-c", &script]).current_dir(&running.data_dir)).await;
    assert!(well, "{said}");
    for ((calls, shown), said) in steps.iter().zip(said.split('\u{1e}')) {
        let Some(shown) = shown else { continue };
        let last = said.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
        let answer: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{calls}\n{said}\n{error}"));
        assert!(
            is_shortened(shown, &answer),
            "{calls}\nwas answered with {answer:#}\nand not, shortened, with {shown:#}"
        );
    }
    terminate(&mut started.process).await;
    running.postgres.stop().await.unwrap();
}
