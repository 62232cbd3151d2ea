//! Behind a connection pooler: what is served, and what is refused.

use sqlx::AssertSqlSafe;
use stagegate::embedded::Postgres;
use tokio::process::Child;

use crate::harness::database::scratch_options;
use crate::harness::load::{Load, Target};
use crate::harness::pooler::Pooler;
use crate::harness::process;
use crate::harness::service::PLATFORM_KEY;
use crate::harness::settings::setting;
use crate::harness::waiting::PATIENCE;

const DATABASE: &str = "stagegate";
/// The login that `stagegate migrate --print-login` makes.
const LOGIN: &str = "stagegate_login";
/// Acknowledgements after which the load has used every connection.
const ENOUGH: usize = 500;

/// A server that was migrated, with the printed login, and its socket's folder.
struct World {
    postgres: Postgres,
    url: String,
    socket_dir: std::path::PathBuf,
    data_dir: std::path::PathBuf,
}

impl World {
    /// None where no pooler is installed.
    async fn start() -> Option<Self> {
        if setting("STAGEGATE_TEST_PGBOUNCER").is_none() {
            eprintln!("skipped: there is no PgBouncer here; ./test installs it where apt-get is");
            return None;
        }
        let options = scratch_options();
        let postgres = Postgres::start(&options, DATABASE).await.unwrap();
        let url = postgres.url(DATABASE);
        let (_, socket_dir) = url.split_once("host=").unwrap();
        let world = Self { socket_dir: socket_dir.into(), url, data_dir: options.data_dir, postgres };
        let migrate = ["migrate", "--log", "warn", "--database-url", &world.url];
        assert_eq!(process::run(process::command(&world.data_dir).args(migrate)).await, (true, String::new()));
        let (printed, login) = process::run(process::command(&world.data_dir).args(["migrate", "--print-login"])).await;
        assert!(printed, "{login}");
        world.execute(&login).await;
        Some(world)
    }

    async fn execute(&self, statements: &str) {
        use sqlx::Connection as _;
        let options = self.postgres.connect_options(DATABASE);
        let mut connection = sqlx::PgConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Starts a service through the pooler, with further settings.
    fn serve(&self, pooled: &str, settings: &[(&str, &str)]) -> Child {
        let arguments = "serve --log off --listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0 --pool-size 4";
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let common = [("DATABASE_URL", pooled), ("STAGEGATE_PLATFORM_KEYS", PLATFORM_KEY)];
        process::stagegate_with(&arguments, &self.data_dir, &[&common, settings].concat())
    }
}

/// What `/ready` says: the status and the code.
async fn ready(metrics: &str) -> (u16, String) {
    let answer = process::client(PATIENCE).get(format!("http://{metrics}/ready")).send().await.unwrap();
    let status = answer.status().as_u16();
    let body: serde_json::Value = answer.json().await.unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_behind_a_pooler_serves_with_the_printed_login() {
    let Some(world) = World::start().await else { return };
    let pooler = Pooler::start(&world.socket_dir, &[LOGIN], "");
    let mut service = world.serve(&pooler.url(LOGIN, DATABASE), &[("STAGEGATE_DIRECT_URL", &world.url)]);
    let (metrics, address) = process::addresses(&mut service).await;
    assert_eq!(ready(&metrics).await, (200, String::new()), "{}", pooler.log());
    let target = Target::prepare(&format!("http://{address}")).await;
    let load = Load::start(&target, 8).await;
    load.go_on(ENOUGH).await;
    let histories = load.finish().await;
    assert!(histories.iter().all(|history| history.answers.keys().all(|status| *status < 300)), "{histories:?}");
    assert!(pooler.log().contains(LOGIN), "the load went through the pooler");
    process::terminate(&mut service).await;
    world.postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_without_the_role_or_the_time_limits_is_not_ready() {
    let Some(world) = World::start().await else { return };
    let logins = ["not_confined", "not_limited"];
    world
        .execute(
            "create role not_confined login in role stagegate_app, stagegate_erasure;
             alter role not_confined set statement_timeout = '5s'; alter role not_confined set lock_timeout = '2s';
             alter role not_confined set idle_in_transaction_session_timeout = '5s';
             create role not_limited login noinherit in role stagegate_app, stagegate_erasure;
             alter role not_limited set role = 'stagegate_app'; alter role not_limited set statement_timeout = '5s'",
        )
        .await;
    let pooler = Pooler::start(&world.socket_dir, &logins, "");
    for login in logins {
        let mut service = world.serve(&pooler.url(login, DATABASE), &[("STAGEGATE_DIRECT_URL", &world.url)]);
        let (metrics, _) = process::addresses(&mut service).await;
        assert_eq!(ready(&metrics).await, (503, "database_not_confined".to_owned()), "{login}");
        process::terminate(&mut service).await;
    }
    world.postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_direct_address_a_pooler_refuses_the_settings_or_the_service_is_not_ready() {
    let Some(world) = World::start().await else { return };
    let strict = Pooler::start(&world.socket_dir, &[LOGIN], "");
    let mut service = world.serve(&strict.url(LOGIN, DATABASE), &[("STAGEGATE_MIGRATE", "false")]);
    assert_eq!(process::try_address(&mut service).await, None, "it does not start");
    assert!(strict.log().contains("unsupported startup parameter"), "{}", strict.log());
    // One that throws the settings away, with a login that brings none of them.
    world.execute("create role bare login in role stagegate_app, stagegate_erasure").await;
    let careless = Pooler::start(&world.socket_dir, &["bare"], "extra_float_digits, options");
    let mut service = world.serve(&careless.url("bare", DATABASE), &[("STAGEGATE_MIGRATE", "false")]);
    let (metrics, _) = process::addresses(&mut service).await;
    assert_eq!(ready(&metrics).await, (503, "database_not_confined".to_owned()));
    process::terminate(&mut service).await;
    world.postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_direct_address_alone_is_a_mistake() {
    let folder = std::path::Path::new("/nonexistent");
    let mut command = process::command(folder);
    let (started, said) =
        process::run(command.arg("serve").env("STAGEGATE_DIRECT_URL", "postgres://localhost/x")).await;
    assert!(!started && said.contains("STAGEGATE_DIRECT_URL needs DATABASE_URL"), "{said}");
}
