//! A database remembers its cell, and no replica of another one starts on it.

use std::path::Path;

use serde_json::{Value, json};
use stagegate::embedded::Postgres;

use super::of_schema;
use crate::harness::cells::ask;
use crate::harness::database::scratch_options;
use crate::harness::parties::text;
use crate::harness::process::{self, address, command, run, stagegate_with};
use crate::harness::service::PLATFORM_KEY;

/// Runs a command that ends by itself: whether it succeeded, and what it said.
async fn ended(arguments: &[&str], database: &str, settings: &[(&str, &str)]) -> (bool, String) {
    let mut command = command(Path::new("/nonexistent"));
    let settings = settings.iter().copied();
    run(command.args(arguments).args(["--log", "warn"]).env("DATABASE_URL", database).envs(settings)).await
}

/// Demands that a replica does not start; what it says.
async fn refused(database: &str, settings: &[(&str, &str)]) -> String {
    let (started, said) = ended(&["serve", "--listen", "127.0.0.1:0"], database, settings).await;
    assert!(!started, "{settings:?}");
    said
}

fn cell(name: &str) -> [(&str, &str); 1] {
    [("STAGEGATE_CELL", name)]
}

#[tokio::test]
async fn a_database_is_the_cell_that_it_was_named_and_no_other() {
    let postgres = Postgres::start(&scratch_options(), "one").await.unwrap();
    let url = postgres.url("one");
    // Not migrated: nothing is made under a wrong name, or in no schema.
    let said = refused(&of_schema(&url, "nowhere"), &cell("eu1")).await;
    assert!(said.contains("none of the schemas on the search path"), "{said}");
    for wrong in ["EU1", "eu_1", "a-name-that-is-too-long"] {
        let said = refused(&url, &cell(wrong)).await;
        assert!(said.contains("--cell") && said.contains("1 to 16 characters"), "{said}");
    }
    let (migrated, said) = ended(&["migrate"], &url, &cell("eu1")).await;
    assert!(migrated, "{said}");

    for migrate in ["true", "false"] {
        let with = |settings: &[(&'static str, &'static str)]| [settings, &[("STAGEGATE_MIGRATE", migrate)]].concat();
        let said = refused(&url, &with(&[("STAGEGATE_CELL", "us1")])).await;
        assert!(said.contains("is the cell `eu1`, and STAGEGATE_CELL is `us1`"), "{said}");
        let said = refused(&url, &with(&[])).await;
        assert!(said.contains("is the cell `eu1`: set STAGEGATE_CELL=eu1"), "{said}");
    }
    for arguments in [&["migrate"][..], &["migrate", "--name-cell"]] {
        let (migrated, said) = ended(arguments, &url, &cell("us1")).await;
        assert!(!migrated && said.contains("is the cell `eu1`"), "a name is for good: {said}");
    }

    // Each cell has a log and a key of its own.
    let (made, keys) = run(command(Path::new("/nonexistent")).args(["keys", "--new", "--cell", "us1"])).await;
    let key = keys.lines().find_map(|line| line.strip_prefix("STAGEGATE_AUDIT_KEY='")).unwrap().trim_end_matches('\'');
    assert!(made && key.starts_with("PRIVATE+KEY+stagegate.invalid/audit/us1+"), "{keys}");
    let said = refused(&url, &[("STAGEGATE_CELL", "eu1"), ("STAGEGATE_AUDIT_KEY", key)]).await;
    assert!(said.contains("STAGEGATE_AUDIT_KEY") && said.contains("must end with `/eu1`"), "{said}");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_database_in_use_gets_its_name_by_a_deliberate_act_and_keeps_what_it_gave_out() {
    let postgres = Postgres::start(&scratch_options(), "grown").await.unwrap();
    let (url, nowhere) = (postgres.url("grown"), Path::new("/nonexistent"));
    let arguments = ["serve", "--log", "off", "--listen", "127.0.0.1:0"];
    let settings = [("DATABASE_URL", url.as_str()), ("STAGEGATE_PLATFORM_KEYS", PLATFORM_KEY)];
    let mut unnamed = stagegate_with(&arguments, nowhere, &settings);
    let at = format!("http://{}", address(&mut unnamed).await);
    let platform = format!("Bearer {PLATFORM_KEY}");
    let headers = [("authorization", platform.as_str())];
    for name in ["Northwind", "Southwind"] {
        ask("POST", &format!("{at}/api/v1/partners"), &headers, &json!({ "name": name })).await;
    }
    let list = ask("GET", &format!("{at}/api/v1/partners?limit=1"), &headers, &Value::Null).await;
    assert_eq!((list.status, list.cell()), (200, ""));
    let (first, next) = (text(&list.body["items"][0]["id"]), text(&list.body["next"]));
    let made = ask("POST", &format!("{at}/api/v1/partners/{first}/keys"), &headers, &Value::Null).await;
    let old_key = format!("Bearer {}", text(&made.body["key"]));

    let said = refused(&url, &cell("eu1")).await;
    assert!(said.contains("`stagegate migrate --name-cell` names it `eu1` for good"), "{said}");
    let (named, said) = ended(&["migrate", "--name-cell"], &url, &cell("eu1")).await;
    assert!(named, "{said}");
    // The replica that is there serves on until it is replaced; no further one starts without the name.
    let ready = ask("GET", &format!("{at}/ready"), &[], &Value::Null).await;
    assert_eq!((ready.status, &ready.body), (200, &json!({ "status": "ok" })));
    assert!(refused(&url, &[]).await.contains("set STAGEGATE_CELL=eu1"));
    process::terminate(&mut unnamed).await;

    let mut named = stagegate_with(&arguments, nowhere, &[&settings[..], &cell("eu1")].concat());
    let at = format!("http://{}", address(&mut named).await);
    let path = format!("{at}/api/v1/partners?limit=1&cursor={next}");
    let continued = ask("GET", &path, &headers, &Value::Null).await;
    assert_eq!((continued.status, continued.cell()), (200, "eu1"), "{continued:?}");
    let keys = ask("GET", &format!("{at}/api/v1/keys"), &[("authorization", &old_key)], &Value::Null).await;
    assert_eq!(keys.status, 200, "a key without a name is still good");
    process::terminate(&mut named).await;
    postgres.stop().await.unwrap();
}
