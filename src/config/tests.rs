//! The command line: secrets stay hidden, empty settings are unset, contradictions are refused.

use clap::{CommandFactory as _, Parser as _};

use super::{Cli, Command, Serve};

const SECRETS: [&str; 8] = [
    "--database-url",
    "postgres://u:planted-1@h/d",
    "--platform-keys",
    "planted-2,,planted-3",
    "--buyer-jwt-secret",
    "planted-4",
    "--audit-key",
    "planted-5",
];

fn serve(arguments: &[&str]) -> Serve {
    let cli = Cli::try_parse_from(["stagegate", "serve"].iter().chain(arguments)).unwrap();
    let Command::Serve(serve) = cli.command else { panic!("{:?}", cli.command) };
    *serve
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn secrets_are_read_and_never_shown() {
    let serve = serve(&SECRETS);
    assert!(!format!("{serve:?}").contains("planted"));
    let keys: Vec<_> = serve.credentials.platform_keys().map(super::Secret::expose).collect();
    assert_eq!(keys, ["planted-2", "planted-3"]);
    assert_eq!(serve.database.url().unwrap().expose(), "postgres://u:planted-1@h/d");
}

#[test]
fn help_hides_the_values_of_secrets() {
    let mut command = Cli::command();
    let serve = command.find_subcommand_mut("serve").unwrap();
    for name in ["database_url", "platform_keys", "buyer_jwt_secret", "audit_key"] {
        let argument = serve.get_arguments().find(|argument| argument.get_id() == name).unwrap();
        assert!(argument.is_hide_env_values_set(), "{name}");
    }
}

#[test]
fn metrics_have_an_address_of_their_own_or_none() {
    let production = ["--database-url=postgres://h/d"];
    assert_eq!(serve(&production).metrics_listen(), None);
    assert_eq!(serve(&["--metrics-listen="]).metrics_listen(), "127.0.0.1:0".parse().ok(), "a trial");
    let given = serve(&["--metrics-listen=0.0.0.0:9090", production[0]]);
    assert_eq!(given.metrics_listen(), "0.0.0.0:9090".parse().ok());
    let same = serve(&["--listen=0.0.0.0:9090", "--metrics-listen=0.0.0.0:9090"]);
    assert_eq!(same.check(), Err(super::Contradiction::SameAddress(same.listen)));
    assert!(serve(&["--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0"]).check().is_ok());
}

#[test]
fn limits_are_checked_against_each_other() {
    assert!(serve(&[]).check().is_ok());
    let said = serve(&["--request-timeout=5"]).check().unwrap_err().to_string();
    assert!(said.contains("STAGEGATE_BODY_TIMEOUT is 10 s") && said.contains("STAGEGATE_REQUEST_TIMEOUT"), "{said}");
}

#[test]
fn a_replica_that_only_reads_is_not_told_to_write() {
    let with = |more: &[&str]| serve(&[&["--read-only=true", "--database-url=postgres://h/d"], more].concat());
    let alone = with(&[]);
    assert_eq!(alone.check(), Ok(()));
    assert!(!alone.migrate && !alone.timers && !alone.webhooks.deliveries && !alone.pages);
    for name in ["MIGRATE", "TIMERS", "DELIVERIES", "PAGES"] {
        let flag = format!("--{}", name.to_lowercase());
        assert_eq!(with(&[&format!("{flag}=false")]).check(), Ok(()));
        let said = with(&[&format!("{flag}=true")]).check().unwrap_err().to_string();
        assert!(said.starts_with(&format!("STAGEGATE_READ_ONLY and STAGEGATE_{name} are both true")), "{said}");
    }
    assert_eq!(serve(&["--read-only"]).check(), Err(super::Contradiction::ReadOnlyTrial));
    let writes = serve(&["--read-only=false"]);
    assert!(writes.check().is_ok() && writes.migrate && writes.timers && writes.webhooks.deliveries && writes.pages);
}

#[test]
fn empty_settings_are_unset_ones() {
    let serve = serve(&["--database-url=", "--platform-keys=", "--buyer-jwks=", "--buyer-jwt-audience="]);
    assert!(serve.database.url().is_none());
    assert_eq!(serve.credentials.platform_keys().count(), 0);
    assert_eq!(serve.credentials.buyer_jwks(), None);
    assert_eq!(serve.credentials.buyer_jwt_audience(), None);
    let serve = self::serve(&["--audit-key=", "--audit-old-keys=,a, b"]);
    assert!(serve.audit_keys.audit_key().is_none());
    assert_eq!(serve.audit_keys.audit_old_keys().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn traces_go_where_opentelemetry_says() {
    let endpoint = |arguments: &[&str]| serve(arguments).traces.endpoint().map_err(|error| error.to_string());
    let url = |text: &str| Ok(Some(text.to_owned()));
    assert_eq!(endpoint(&[]), Ok(None));
    assert_eq!(endpoint(&["--otlp-endpoint="]), Ok(None));
    assert_eq!(endpoint(&["--otlp-protocol=grpc"]), Ok(None), "it does not matter while traces are off");
    assert_eq!(endpoint(&["--otlp-endpoint=http://c:4318"]), url("http://c:4318/v1/traces"));
    assert_eq!(endpoint(&["--otlp-endpoint=http://c:4318/x/"]), url("http://c:4318/x/v1/traces"));
    let both = ["--otlp-endpoint=http://c:4318", "--otlp-traces-endpoint=https://d/t"];
    assert_eq!(endpoint(&both), url("https://d/t"));
    for (arguments, named) in [
        (&["--otlp-endpoint=c:4318"][..], "OTEL_EXPORTER_OTLP_ENDPOINT: must be a URL"),
        (&["--otlp-traces-endpoint=ftp://c"], "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: must be a URL"),
        (
            &["--otlp-endpoint=http://c:4317", "--otlp-protocol=grpc"],
            "OTEL_EXPORTER_OTLP_PROTOCOL: must be http/protobuf",
        ),
    ] {
        let said = endpoint(arguments).unwrap_err();
        assert!(said.starts_with(named), "{said}");
    }
}

#[test]
fn retention_needs_a_period_a_place_and_a_key() {
    let (days, dir) = ("--retention-days=365", "--archive-dir=/archive");
    let (url, key) = ("--database-url=postgres://h/d", "--audit-key=planted");
    assert_eq!(serve(&[url]).retention.policy(), None);
    assert_eq!(serve(&[days]).check(), Err(super::Contradiction::NoArchive));
    assert_eq!(serve(&[dir, "--retention-days="]).check(), Err(super::Contradiction::NoRetention));
    assert_eq!(serve(&[days, dir, url]).check(), Err(super::Contradiction::NoAuditKey));
    assert!(serve(&[days, dir]).check().is_ok(), "a trial makes a key");
    let both = serve(&[days, dir, url, key]);
    assert!(both.check().is_ok());
    assert_eq!(both.retention.policy(), Some((365, "/archive".as_ref())));
    for given in ["29", "36501", "P1Y", "-30"] {
        let refused = Cli::try_parse_from(["stagegate", "serve", &format!("--retention-days={given}")]).unwrap_err();
        assert!(refused.to_string().contains("must be a number of days from 30 to 36500"), "{refused}");
    }
    let messages = [super::Contradiction::NoArchive, super::Contradiction::NoRetention].map(|error| error.to_string());
    assert!(
        messages.iter().all(|text| text.contains("STAGEGATE_RETENTION_DAYS") && text.contains("STAGEGATE_ARCHIVE_DIR"))
    );
}
