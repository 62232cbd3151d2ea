//! What can be started without a container engine: the roles of the database, the trial's settings, and what the image
//! is made of.

use std::fs;
use std::path::Path;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use stagegate::embedded::Postgres;
use tokio::process::Command;

use super::{read, root};
use crate::harness::database::{scratch_dir, scratch_options};
use crate::harness::process::{addresses, command, fetch, run, stagegate_with, terminate};

/// A server on which only the statements of `deploy/postgres/roles.sql` were run: an administrator, and the two logins.
async fn with_roles() -> (Postgres, [PgConnectOptions; 3]) {
    let postgres = Postgres::start(&scratch_options(), "stagegate").await.unwrap();
    let administrator = postgres.connect_options("stagegate");
    let mut connection = PgConnection::connect_with(&administrator).await.unwrap();
    let statements = read("deploy/postgres/roles.sql")
        .replace(":'owner_password'", "'o'")
        .replace(":'serve_password'", "'s'")
        .replace(":\"database\"", "stagegate");
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
    let as_user = |name: &str| administrator.clone().username(name);
    let logins = [as_user("stagegate_owner"), as_user("stagegate_serve")];
    let [owner, serve] = logins;
    (postgres, [administrator, owner, serve])
}

#[tokio::test]
async fn one_login_migrates_and_the_other_serves_and_cannot_change_the_schema_or_the_trail() {
    let (postgres, [_, owner, serve]) = with_roles().await;
    let nowhere = Path::new("/nonexistent");
    let url = owner.to_url_lossy().to_string();
    let (succeeded, said) = run(command(nowhere).env("DATABASE_URL", url).arg("migrate")).await;
    assert!(succeeded, "{said}");

    let url = serve.to_url_lossy().to_string();
    let trial = read("deploy/trial.env");
    let trial = trial.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let mut environment: Vec<(&str, &str)> = trial.collect();
    assert_eq!(environment.len(), 3, "the keys of the trial");
    environment.extend([("DATABASE_URL", url.as_str()), ("STAGEGATE_MIGRATE", "false"), ("STAGEGATE_LOG", "warn")]);
    environment.extend([("STAGEGATE_METRICS_LISTEN", "127.0.0.1:0"), ("STAGEGATE_POOL_SIZE", "2")]);
    let mut service = stagegate_with(&["serve", "--listen", "127.0.0.1:0"], nowhere, &environment);
    let (_, address) = addresses(&mut service).await;
    fetch(&format!("http://{address}/ready"), None).await;
    let key = environment.iter().find(|(name, _)| *name == "STAGEGATE_PLATFORM_KEYS").unwrap().1;
    fetch(&format!("http://{address}/api/v1/partners"), Some(key)).await;

    // The health check of the image, and what it says when nobody listens.
    let health = |arguments: &[&str]| {
        let mut command = command(nowhere);
        command.arg("health").args(arguments).env("STAGEGATE_LISTEN", address.replace("127.0.0.1", "0.0.0.0"));
        command
    };
    for arguments in [&[][..], &["--ready"]] {
        let (succeeded, said) = run(&mut health(arguments)).await;
        assert!(succeeded && said.is_empty(), "{arguments:?}: {said}");
    }
    terminate(&mut service).await;
    let (succeeded, said) = run(&mut health(&[])).await;
    assert!(!succeeded && said.contains("/health"), "{said}");

    let mut connection = PgConnection::connect_with(&serve).await.unwrap();
    for statement in [
        "delete from task_events",
        "set role stagegate_app; update task_events set hash = ''",
        "alter table tasks drop column title",
        "create table x (y int)",
    ] {
        let refused = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap_err();
        let code = refused.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {refused}");
        sqlx::raw_sql("reset role").execute(&mut connection).await.unwrap();
    }
    drop(connection);
    postgres.stop().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_in_the_image_is_enough_for_the_program() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root may enter another root");
        return;
    }
    let folder = scratch_dir();
    let program = env!("CARGO_BIN_EXE_stagegate");
    let mut collect = Command::new(root().join("scripts/image-root.sh"));
    let (succeeded, said) = run(collect.arg(program).arg(&folder)).await;
    assert!(succeeded, "{said}");
    let inside = |arguments: &[&str]| {
        let mut command = Command::new("/usr/sbin/chroot");
        command.args(["--userspec=10001:10001"]).arg(&folder).arg("/usr/local/bin/stagegate").args(arguments);
        command.env_clear();
        command
    };
    let (succeeded, said) = run(&mut inside(&["--version"])).await;
    assert!(succeeded && said.starts_with("stagegate "), "{said}");
    // It starts, and asks for the database; a name is looked up.
    let url = "postgres://u@nowhere.invalid/d";
    let (succeeded, said) = run(inside(&["migrate", "--private-database=false"]).env("DATABASE_URL", url)).await;
    assert!(!succeeded && said.contains("accessing the database"), "{said}");
    fs::remove_dir_all(folder).unwrap();
}
