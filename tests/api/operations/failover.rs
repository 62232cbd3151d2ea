//! A real failover: Patroni's primary dies under load, and nothing that was acknowledged is lost.

use std::path::{Path, PathBuf};

use stagegate::embedded::Postgres;

use crate::harness::database::scratch_options;
use crate::harness::load::{Load, Target};
use crate::harness::patroni::Cluster;
use crate::harness::process;
use crate::harness::service::PLATFORM_KEY;
use crate::harness::settings::setting;

/// Acknowledgements after which the load is under way.
const UNDER_WAY: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_dies_under_load_loses_and_doubles_nothing() {
    if !is_wanted() {
        eprintln!("skipped: there is no Patroni, etcd and HAProxy here; ./test installs them where apt-get is");
        return;
    }
    let programs = programs().await;
    let mut cluster = Cluster::start(&programs).await;
    let arguments =
        format!("serve --log off --listen 127.0.0.1:0 --platform-keys {PLATFORM_KEY} --database-url {}", cluster.url());
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    // Nobody reads its log, and a full pipe would stop it.
    let mut service = process::stagegate(&arguments, Path::new("/nonexistent"));
    let target = Target::prepare(&format!("http://{}", process::address(&mut service).await)).await;
    let load = Load::start(&target, 16).await;
    load.go_on(UNDER_WAY).await;
    let promotion = cluster.kill_primary().await;
    load.go_on(UNDER_WAY).await;
    let histories = load.finish().await;
    let gap = histories.iter().map(|history| history.gap).max().unwrap();
    let refused: u64 = histories
        .iter()
        .flat_map(|history| &history.answers)
        .filter(|(status, _)| **status > 299)
        .map(|(_, n)| n)
        .sum();
    eprintln!("Patroni took {promotion:?}; the longest that a writer waited: {gap:?}; {refused} refusals");
    process::terminate(&mut service).await;
}

/// Whether ./test found or installed the programs.
fn is_wanted() -> bool {
    setting("STAGEGATE_TEST_PATRONI").is_some()
}

/// Where the programs of Postgres are.
async fn programs() -> PathBuf {
    let postgres = Postgres::start(&scratch_options(), "postgres").await.unwrap();
    let programs = postgres.bin_dir().to_owned();
    postgres.stop().await.unwrap();
    programs
}
