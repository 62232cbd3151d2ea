//! The private Postgres: real servers, really killed.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use sqlx::{Connection as _, PgConnection};
use stagegate::embedded::{Error, Options, Postgres};
use tokio::time::timeout;

use crate::harness::database::scratch_options;
use crate::harness::process::{Signal, signal};
use crate::harness::waiting::PATIENCE;

const DATABASE: &str = "stagegate";
#[tokio::test]
async fn a_postgres_that_is_killed_comes_back_with_everything_committed() {
    let options = durable_options();
    let postgres = Postgres::start(&options, DATABASE).await.unwrap();
    remember(&postgres, 7).await;
    kill_postmaster(&postgres);
    let back = async {
        loop {
            if let Ok(mut connection) = PgConnection::connect_with(&postgres.connect_options(DATABASE)).await {
                break sqlx::query_scalar::<_, i32>("select n from memory").fetch_one(&mut connection).await.unwrap();
            }
            tokio::task::yield_now().await;
        }
    };
    let remembered = tokio::select! {
        () = postgres.keep_running() => unreachable!("it keeps running"),
        remembered = timeout(PATIENCE, back) => remembered.unwrap(),
    };
    assert_eq!(remembered, 7);
    assert!(postgres.stop().await.unwrap());
}

#[tokio::test]
async fn a_data_directory_left_by_a_kill_starts_again() {
    let options = durable_options();
    let postgres = Postgres::start(&options, DATABASE).await.unwrap();
    remember(&postgres, 8).await;
    kill_postmaster(&postgres);
    // The service goes without a word, as a killed one does; its locks go with it.
    drop(postgres);
    let again = Postgres::start(&options, DATABASE).await.unwrap();
    assert!(!again.adopted());
    assert_eq!(recall(&again).await, 8);
    assert!(again.stop().await.unwrap());
}

#[tokio::test]
async fn a_killed_service_leaves_a_postgres_that_the_next_one_adopts() {
    let options = scratch_options();
    let postgres = Postgres::start(&options, DATABASE).await.unwrap();
    remember(&postgres, 9).await;
    drop(postgres);
    let next = Postgres::start(&options, DATABASE).await.unwrap();
    assert!(next.adopted());
    assert_eq!(recall(&next).await, 9);
    assert!(next.stop().await.unwrap());
}

#[tokio::test]
async fn services_share_one_postgres_and_the_last_one_out_stops_it() {
    let options = scratch_options();
    // At the same moment, on an empty folder.
    let (first, second) = tokio::join!(Postgres::start(&options, DATABASE), Postgres::start(&options, DATABASE));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first.adopted(), second.adopted(), "one makes and starts it, the other adopts it");
    let connect = second.connect_options(DATABASE);
    remember(&first, 10).await;
    assert!(!first.stop().await.unwrap(), "another one uses it");
    assert_eq!(recall(&second).await, 10);
    assert!(second.stop().await.unwrap());
    assert!(PgConnection::connect_with(&connect).await.is_err(), "nobody is there any more");
}

#[tokio::test]
async fn postgres_never_runs_as_root_and_lets_nobody_else_in() {
    let options = scratch_options();
    let postgres = Postgres::start(&options, DATABASE).await.unwrap();
    let data = fs::metadata(postgres.data_dir()).unwrap();
    assert_ne!(data.uid(), 0);
    assert_eq!(data.mode() & 0o077, 0);
    let socket_dir = fs::metadata(options.data_dir.join("postgres/socket")).unwrap();
    assert_eq!(socket_dir.uid(), data.uid());
    assert_eq!(socket_dir.mode() & 0o077, 0);
    let mut connection = PgConnection::connect_with(&postgres.connect_options(DATABASE)).await.unwrap();
    let listens: String = sqlx::query_scalar("show listen_addresses").fetch_one(&mut connection).await.unwrap();
    assert_eq!(listens, "");
    drop(connection);
    assert!(postgres.stop().await.unwrap());
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_a_short_one() {
    let mut options = scratch_options();
    options.data_dir =
        options.data_dir.join("a-folder-with-quite-a-long-name/in-another-one/so-that-no-socket-fits-in");
    let postgres = Postgres::start(&options, DATABASE).await.unwrap();
    remember(&postgres, 11).await;
    assert_eq!(recall(&postgres).await, 11);
    assert!(postgres.stop().await.unwrap());
    fs::remove_dir_all(options.data_dir.ancestors().nth(3).unwrap()).unwrap();
}

#[tokio::test]
async fn without_binaries_the_error_names_the_ways_forward() {
    let options = Options { bin_dir: Some("/nonexistent".into()), ..scratch_options() };
    let error = Postgres::start(&options, DATABASE).await.unwrap_err();
    assert!(matches!(error, Error::NoBinaries { .. }), "{error:?}");
    let message = error.to_string();
    for way in ["DATABASE_URL", "PG_BIN_DIR", "Python 3", "/nonexistent: has no initdb"] {
        assert!(message.contains(way), "{way} is missing in: {message}");
    }
}

/// As the service runs it: what was committed survives a kill.
fn durable_options() -> Options {
    Options { durable: true, ..scratch_options() }
}

async fn remember(postgres: &Postgres, n: i32) {
    let mut connection = PgConnection::connect_with(&postgres.connect_options(DATABASE)).await.unwrap();
    sqlx::query("create table memory (n int)").execute(&mut connection).await.unwrap();
    sqlx::query("insert into memory values ($1)").bind(n).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn recall(postgres: &Postgres) -> i32 {
    let mut connection = PgConnection::connect_with(&postgres.connect_options(DATABASE)).await.unwrap();
    let n = sqlx::query_scalar("select n from memory").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    n
}

fn kill_postmaster(postgres: &Postgres) {
    let pid_file = fs::read_to_string(postgres.data_dir().join("postmaster.pid")).unwrap();
    signal(pid_file.lines().next().unwrap().parse().unwrap(), Signal::KILL);
}
