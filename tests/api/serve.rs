//! The program itself, as a process.

use std::path::{Path, PathBuf};

use stagegate::embedded::Postgres;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::database::scratch_options;
use crate::harness::process::{PATIENCE, address, stagegate, terminate};

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
    let gone = async {
        while socket_dir.parent().unwrap().parent().unwrap().exists() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
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
async fn where_no_private_postgres_is_wanted_the_url_is_asked_for() {
    let arguments = ["migrate", "--private-database=false"];
    let output = timeout(PATIENCE, stagegate(&arguments, Path::new("/nonexistent")).wait_with_output()).await;
    let output = output.unwrap().unwrap();
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.starts_with("stagegate: DATABASE_URL is required here"), "{complaint}");
}

async fn get(address: &str, path: &str) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}
