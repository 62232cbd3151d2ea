//! A reader that fell behind, on a task that went on: each page continues where the one before came to.

use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::app::App;
use stagegate::worker::erasures::Erasures;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::harness::commands::{at, escalate, submit, update, with};
use crate::harness::parties::{Client, Parties};
use crate::harness::service::Service;
use crate::store::statements::Statements;

use super::{Copy, all, settle};

/// Events of the task that the reader has not seen.
const BEHIND: usize = 40;

/// Reads on, one event at a time.
async fn step(reader: &mut Copy, client: &Client, steps: usize) {
    for _ in 0..steps {
        reader.read(client, "limit=1").await;
    }
}

/// The feed by a replica that has folded nothing yet.
async fn afresh(parties: &Parties) -> Vec<Value> {
    let replica = Service::replica(&parties.service.db, &parties.service.clock).await;
    all(parties, &parties.partner.at(&replica)).await
}

// On one thread, to which the log of statements is confined.
#[tokio::test(flavor = "current_thread")]
async fn each_page_costs_what_is_new_in_it() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    let (mut reader, mut ahead) = (Copy::default(), Copy::default());
    reader.catch_up(&parties, &parties.partner).await;
    ahead.catch_up(&parties, &parties.platform).await;
    for number in 0..BEHIND {
        parties.partner.done(&task, &update(&format!("Step {number}"))).await;
    }
    settle(&parties).await;

    let statements = Statements::default();
    // As in `statements`: with two subscribers, all call sites ask whether anybody listens.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let log = tracing::subscriber::set_default(tracing_subscriber::registry().with(statements.clone()));
    // Two readers, one event apart.
    step(&mut ahead, &parties.platform, 1).await;
    for _ in 1..BEHIND {
        step(&mut ahead, &parties.platform, 1).await;
        step(&mut reader, &parties.partner, 1).await;
    }
    step(&mut reader, &parties.partner, 1).await;
    drop(log);

    // Folded from the beginning, the pages of each would read 40 * 41 / 2 entries.
    let read = statements.rows();
    assert!((2 * BEHIND as u64..20 * BEHIND as u64).contains(&read), "{read} rows");
    assert_eq!(reader.items, afresh(&parties).await);
    assert_eq!(reader.rows(), ahead.rows());
}

#[tokio::test]
async fn what_was_erased_meanwhile_is_not_in_the_rest() {
    let parties = Parties::start().await;
    let stage =
        json!({ "key": "legal", "name": "Legal", "buyer_label": "In legal review", "escalation": { "to": ["buyer"] } });
    parties.register("legal", &json!({ "name": "Legal", "stages": [stage] })).await;
    let task = parties.open("legal").await;
    parties.partner.done(&task, &submit("agent")).await;
    let question = json!({ "reason": "SECRET words" });
    parties.partner.done(&task, &with(escalate(at("legal", 1, 1), "secret-anna", "buyer"), &question)).await;
    parties.partner.done(&task, &update("One")).await;
    let mut reader = Copy::default();
    reader.catch_up(&parties, &parties.partner).await;
    let seen = reader.items.len();
    for message in ["Two", "Three", "Four"] {
        parties.partner.done(&task, &update(message)).await;
    }
    settle(&parties).await;
    step(&mut reader, &parties.partner, 1).await;
    assert!(reader.items[seen].to_string().contains("SECRET words"), "{}", reader.items[seen]);

    let erasure = json!({ "party": "partner", "partner_id": parties.partner_id, "actor_id": "secret-anna", "reason": "Request 118" });
    assert_eq!(parties.platform.call("POST", "/api/v1/erasures", &erasure).await.status, 202);
    parties.pass(1);
    let app = App::new(parties.service.db.pool.clone(), parties.service.clock.clone());
    Erasures::with_window(Arc::new(app), 500).run_due().await.unwrap();
    reader.catch_up(&parties, &parties.partner).await;

    let rest = &reader.items[seen + 1..];
    assert!(rest.len() >= 3, "{rest:#?}");
    assert!(rest.iter().all(|item| !item.to_string().contains("SECRET")), "{rest:#?}");
    assert_eq!(rest, &afresh(&parties).await[seen + 1..]);
}
