//! The demo and the checks of files, as processes against a real service.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use stagegate::domain::audit::signed_note::{KeyName, SignerKey};

use crate::harness::process::{Trial, command, fetch, run};
use crate::harness::settings;

#[tokio::test]
async fn the_demo_plays_a_task_to_its_delivery_and_its_trail_verifies() {
    let trial = Trial::start().await;
    let (well, told) = trial.run(&["demo", "--url", &trial.url]).await;
    assert!(well, "{told}");
    for said in [
        "stage_rejected",
        "Changes are being made",
        "asked: “The text names your partner firm. May we?”",
        "task.workflow_completed\n    reads     Approved\n",
        "reads     In release review · waiting on the partner · Legal: approved · Brand: open\n",
        "reads     Approved · Legal: approved · Brand: approved\n",
        "partner, u-bo",
        "partner, reviewer",
        "not for this party",
    ] {
        assert!(told.contains(said), "{said:?} is not in:\n{told}");
    }
    let verified: Vec<_> = told.lines().filter_map(|line| line.split_once(" 22 entries agree, head ")).collect();
    assert!(matches!(verified[..], [(_, partner), (_, buyer)] if partner == buyer), "{told}");

    let proof = trial.data_dir.join("proof.json");
    let credentials: Value =
        serde_json::from_str(&fs::read_to_string(trial.data_dir.join("trial.json")).unwrap()).unwrap();
    let url =
        told.lines().rev().find_map(|line| line.split_whitespace().find(|word| word.starts_with("http"))).unwrap();
    let body = fetch(url, credentials["buyer_token"].as_str()).await;
    fs::write(&proof, &body).unwrap();
    let (well, said) = trial.run(&["audit", "verify", proof.to_str().unwrap()]).await;
    assert!(!well && said.starts_with("consistent: 22 entries (") && said.contains("signed by nobody"), "{said}");
    assert!(said.contains(&format!(" head {}, ", verified[0].1)), "{said}");
    fs::write(&proof, body.replacen("copy", "cozy", 1)).unwrap();
    let (well, said) = trial.run(&["audit", "verify", proof.to_str().unwrap()]).await;
    assert!(!well && said.contains("entry 2: its fields are not those that were committed"), "{said}");
    trial.stop().await;
}

#[tokio::test]
async fn the_demo_says_what_is_missing() {
    let folder = std::env::temp_dir().join(format!("stagegate-test_{}", stagegate::ids::new()));
    fs::create_dir(&folder).unwrap();
    let (well, said) = run(command(&folder).arg("demo")).await;
    assert!(!well && said.starts_with("stagegate: no trial in ") && said.lines().count() == 1, "{said}");

    let id = stagegate::ids::new();
    let trial = format!(
        r#"{{"platform_key":"k","buyer_jwt_secret":"s","buyer_id":"{id}","buyer_token":"t","partner":{{"id":"{id}","key":"p"}}}}"#
    );
    fs::write(folder.join("trial.json"), trial).unwrap();
    // Bound and given back, so nobody is there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (well, said) = run(command(&folder).args(["demo", "--url", &format!("http://127.0.0.1:{port}")])).await;
    assert!(
        !well && said.contains(&format!("no service answers at http://127.0.0.1:{port}: start one with ./run")),
        "{said}"
    );
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn definitions_are_checked_by_exit_code_and_word() {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/src/domain/workflow/brand-campaign.json");
    let (sound, said) = run(command(Path::new("/nonexistent")).args(["workflow", "check", fixture])).await;
    assert!(sound && said.starts_with("sound: Brand campaign, 3 stages"), "{said}");
    let script = "printf '{\"name\":\"A\",\"stages\":[]}' | \"$0\" workflow check -; test $? = 1 && echo '{' | \"$0\" workflow check -; test $? = 2";
    let program = env!("CARGO_BIN_EXE_stagegate");
    let (as_said, said) = run(tokio::process::Command::new("sh").args(["-c", script, program])).await;
    assert!(as_said && said.contains("mistake  /stages  too_few  ") && said.contains("not JSON: "), "{said}");
    let (well, said) = run(command(Path::new("/nonexistent")).args(["workflow", "check", "/nonexistent/file"])).await;
    assert!(!well && said.starts_with("stagegate: /nonexistent/file: "), "{said}");
}

#[tokio::test]
async fn a_new_audit_key_has_its_name_and_a_bad_one_is_refused_and_not_quoted() {
    let nowhere = Path::new("/nonexistent");
    let new =
        |name: &'static str| async move { run(command(nowhere).args(["keys", "--new", "--audit-name", name])).await };
    let (well, said) = new("audit.example.com/it's").await;
    assert!(well, "{said}");
    let (evaluated, key) =
        run(tokio::process::Command::new("sh").args(["-c", &format!("{said}\nprintf %s \"$STAGEGATE_AUDIT_KEY\"")]))
            .await;
    assert!(evaluated);
    let key = SignerKey::parse(&key).unwrap();
    assert_eq!(key.verifier().name().as_str(), "audit.example.com/it's");
    assert!(!new("a b").await.0);
    for (variable, value, expected) in [
        ("STAGEGATE_AUDIT_KEY", "PRIVATE+KEY+planted", "STAGEGATE_AUDIT_KEY must be an Ed25519 signer key"),
        ("STAGEGATE_AUDIT_OLD_KEYS", "x+y+z", "STAGEGATE_AUDIT_OLD_KEYS: `x+y+z` must be an Ed25519 verifier key"),
    ] {
        let mut serve = command(nowhere);
        serve.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing").env(variable, value);
        let (well, said) = run(serve.args(["serve", "--listen", "127.0.0.1:0"])).await;
        assert!(!well && said.contains(expected) && !said.contains("planted"), "{said}");
    }
}

#[tokio::test]
async fn a_trial_has_an_audit_key_of_its_own_that_nobody_else_may_read() {
    let trial = Trial::start().await;
    let file = trial.data_dir.join("audit.key");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = SignerKey::parse(fs::read_to_string(&file).unwrap().trim_end()).unwrap();
    let url = format!("{}/.well-known/stagegate-audit-key", trial.url);
    assert_eq!(fetch(&url, None).await, format!("{}\n", key.verifier()));
    trial.stop().await;
}

/// What became of a receipt, as the exit codes of both verifiers tell it.
#[tokio::test]
async fn both_verifiers_tell_what_was_proven_by_their_exit_codes() {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    let folder = std::env::temp_dir().join(format!("stagegate-test_{}", stagegate::ids::new()));
    fs::create_dir(&folder).unwrap();
    let key = |seed| SignerKey::new(KeyName::parse("audit.example.com/stagegate").unwrap(), [seed; 32]);
    let good = include_str!("../../src/domain/audit/receipt.jws");
    let put = |name: &str, text: &str| {
        let file = folder.join(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (receipt, forged, nothing) =
        (put("good", good), put("forged", &good.replacen(".eyJ", ".eyK", 1)), put("nothing", ""));
    let (ours, theirs) = (put("ours", &key(3).verifier().to_string()), put("theirs", &key(4).verifier().to_string()));
    let missing = folder.join("missing").to_str().unwrap().to_owned();
    for (key, file, rust, python) in [
        (&ours, &receipt, 0, 0),
        (&theirs, &receipt, 3, 3),
        (&ours, &forged, 1, 1),
        (&ours, &nothing, 2, 1),
        (&ours, &missing, 2, 1),
        (&missing, &receipt, 2, 1),
        (&receipt, &receipt, 2, 1),
    ] {
        let mut program = command(&folder);
        let found = program.args(["audit", "verify", "--key", key, file]).output().await.unwrap().status.code();
        assert_eq!(found, Some(rust), "{key} {file}");
        let mut program = tokio::process::Command::new(settings::python());
        program.args(["-B", &format!("{tests}/verify.py"), &format!("{tests}/golden/audit-fields.json"), key, file]);
        assert_eq!(program.output().await.unwrap().status.code(), Some(python), "{key} {file}, in Python");
    }
    let unkeyed = command(&folder).args(["audit", "verify", &receipt]).output().await.unwrap().status.code();
    let unknown =
        command(&folder).args(["audit", "verify", "--believe", &receipt]).output().await.unwrap().status.code();
    assert_eq!((unkeyed, unknown), (Some(3), Some(2)));
    fs::remove_dir_all(&folder).unwrap();
}
