//! The program itself, as a process.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use stagegate::embedded::Postgres;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::database::{TestDb, scratch_options};
use crate::harness::process::{Signal, address, command, signal, stagegate, stagegate_with, terminate};
use crate::harness::service::PLATFORM_KEY;
use crate::harness::waiting::{PATIENCE, until};

#[tokio::test]
async fn the_service_starts_on_a_private_postgres_and_stops_when_told() {
    let options = scratch_options();
    // Started here too, so that it ends with this process whatever happens; the service adopts it.
    let postgres = Postgres::start(&options, "stagegate").await.unwrap();
    let mut service = stagegate(&["serve", "--listen", "127.0.0.1:0"], &options.data_dir);
    let first_address = address(&mut service).await;
    assert!(get(&first_address, "/health").await.contains("{\"status\":\"ok\"}"));

    // Another one beside it.
    let mut second = stagegate(&["serve", "--listen", "127.0.0.1:0"], &options.data_dir);
    let second_address = address(&mut second).await;
    terminate(&mut service).await;
    assert!(get(&second_address, "/health").await.contains("200 OK"), "the second one still has its database");
    terminate(&mut second).await;
    assert!(postgres.stop().await.unwrap(), "both gave it back");
}

#[tokio::test]
async fn a_scratch_database_goes_with_its_command() {
    let report = "echo \"$DATABASE_URL\"; exit 3";
    let run = ["db", "scratch", "--", "sh", "-c", report];
    let output = timeout(PATIENCE, stagegate(&run, Path::new("/nonexistent")).wait_with_output()).await;
    let output = output.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let url = String::from_utf8(output.stdout).unwrap();
    let socket_dir = PathBuf::from(url.trim().split_once("host=").unwrap().1);
    until("its folder is gone", async || !socket_dir.parent().unwrap().parent().unwrap().exists()).await;
}

#[tokio::test]
async fn a_taken_address_is_said_in_one_line_before_anything_is_started() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let service = stagegate(&["serve", "--listen", &address], Path::new("/nonexistent"));
    let output = timeout(PATIENCE, service.wait_with_output()).await.unwrap().unwrap();
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.starts_with(&format!("stagegate: {address}: ")), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_refused_before_anything_is_started() {
    let data_dir = scratch_options().data_dir;
    let key = format!("{}{}", "ait_", "x".repeat(43));
    for (arguments, why) in [
        (["--platform-keys", key.as_str()], "platform"),
        (["--audit-key", "not-a-key"], "key"),
        (["--pool-size", "0"], "pool-size"),
    ] {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"][..], &arguments].concat();
        let output = timeout(PATIENCE, stagegate(&arguments, &data_dir).wait_with_output()).await.unwrap().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(complaint.contains(why), "{arguments:?}: {complaint}");
        // Neither a credential nor an address was told, and no database was made.
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "{arguments:?}");
        assert!(!complaint.contains("listens on"), "{complaint}");
        assert!(!data_dir.exists(), "{arguments:?}");
    }
}

#[tokio::test]
async fn where_no_private_postgres_is_wanted_the_url_is_asked_for() {
    let arguments = ["migrate", "--private-database=false"];
    let output = timeout(PATIENCE, stagegate(&arguments, Path::new("/nonexistent")).wait_with_output()).await;
    let output = output.unwrap().unwrap();
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.starts_with("stagegate: DATABASE_URL is required here"), "{complaint}");
}

/// A client of a balancer that looks at `/ready` and sends requests until it says no: each on a connection of its own.
async fn send_until_not_ready(address: String) -> u64 {
    let mut answered = 0;
    loop {
        let ready = get(&address, "/ready").await;
        let answer = get(&address, "/api/v1/tasks").await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "cut off: {answer:?}");
        answered += 1;
        if ready.starts_with("HTTP/1.1 503 ") {
            assert!(ready.contains("\"code\":\"draining\""), "{ready}");
            return answered;
        }
    }
}

#[tokio::test]
async fn by_default_a_service_that_is_told_to_stop_goes_on_until_its_balancer_knows() {
    let db = TestDb::new().await;
    let url = sqlx::ConnectOptions::to_url_lossy(&db.owner).to_string();
    let mut command = command(Path::new("/nonexistent"));
    // The default, which the other tests do without.
    command.env_remove("STAGEGATE_DRAIN_DELAY").env("DATABASE_URL", url).env("STAGEGATE_LOG", "off");
    command.args(["serve", "--listen", "127.0.0.1:0", "--platform-keys", PLATFORM_KEY, "--pool-size", "2"]);
    let mut service = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let address = address(&mut service).await;
    assert!(get(&address, "/ready").await.starts_with("HTTP/1.1 200 "));
    let clients: Vec<_> = (0..8).map(|_| tokio::spawn(send_until_not_ready(address.clone()))).collect();
    signal(service.id().unwrap(), Signal::TERM);
    for client in clients {
        assert!(timeout(PATIENCE, client).await.unwrap().unwrap() > 0);
    }
    let status = timeout(PATIENCE, service.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}

/// More than the 128 of many a default, and few enough open files for every machine.
const CLIENTS: usize = 300;

#[tokio::test]
async fn clients_that_connect_at_once_wait_in_line_and_none_is_turned_away() {
    if stagegate::http::serve::listener::shorter_queue().is_some_and(|allowed| (allowed as usize) < CLIENTS) {
        eprintln!("skipped: this system lets fewer than {CLIENTS} clients wait");
        return;
    }
    let db = TestDb::new().await;
    let url = sqlx::ConnectOptions::to_url_lossy(&db.owner).to_string();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--platform-keys", PLATFORM_KEY, "--pool-size", "2"];
    let mut service =
        stagegate_with(&arguments, Path::new("/nonexistent"), &[("DATABASE_URL", &url), ("STAGEGATE_LOG", "off")]);
    let address = address(&mut service).await;
    // It accepts nobody while it stands still; the system answers for it as long as there is room in the line.
    signal(service.id().unwrap(), Signal::STOP);
    let mut clients = Vec::with_capacity(CLIENTS);
    for number in 0..CLIENTS {
        let connected = timeout(PATIENCE, TcpStream::connect(&address)).await;
        clients.push(connected.unwrap_or_else(|_| panic!("no room for client {number}")).unwrap());
    }
    signal(service.id().unwrap(), Signal::CONT);
    for client in &mut clients {
        assert!(exchange(client, &address, "/health").await.contains("200 OK"));
    }
    terminate(&mut service).await;
}

async fn get(address: &str, path: &str) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    exchange(&mut client, address, path).await
}

async fn exchange(client: &mut TcpStream, address: &str, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}
