//! What deliveries are signed with, and how one secret takes the place of another.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::parties::text;
use crate::harness::receiver::{Received, Receiver};

use super::world::{World, path};

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().to_vec()
}

/// Whether AITasker's signature was made with this secret.
fn aitasker(received: &Received, secret: &str) -> bool {
    received.header("x-aitasker-signature") == hex::encode(hmac(secret.as_bytes(), received.text.as_bytes()))
}

/// How many signatures of Standard Webhooks there are, and which of them was made with this secret.
fn standard(received: &Received, secret: &str) -> (usize, Option<usize>) {
    let (id, timestamp) = (received.header("webhook-id"), received.header("webhook-timestamp"));
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signature = STANDARD.encode(hmac(&key, format!("{id}.{timestamp}.{}", received.text).as_bytes()));
    let all: Vec<&str> = received.header("webhook-signature").split(' ').collect();
    (all.len(), all.iter().position(|one| *one == format!("v1,{signature}")))
}

struct Rotation {
    world: World,
    receiver: Receiver,
}

impl Rotation {
    async fn rotate(&self) -> String {
        let path = path("a") + "/rotate-secret";
        let answer = self.world.parties.partner.call("POST", &path, &Value::Null).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        text(&answer.body["secret"])
    }

    /// What comes now.
    async fn next(&self) -> Received {
        self.world.open().await;
        assert_eq!(self.world.send().await, 2);
        self.receiver.received().pop().unwrap()
    }

    /// States and hints of the secrets that the endpoint shows.
    async fn shown(&self) -> Vec<(String, String)> {
        let endpoint = self.world.read(&self.world.parties.partner, "a").await;
        let secrets = endpoint["secrets"].as_array().unwrap();
        secrets.iter().map(|secret| (text(&secret["state"]), text(&secret["hint"]))).collect()
    }
}

fn shown(state: &str, secret: &str) -> (String, String) {
    (state.to_owned(), secret[..10].to_owned())
}

#[tokio::test]
async fn a_secret_is_replaced_with_an_overlap() {
    let world = World::start().await;
    let endpoint = Receiver::accepting().await;
    let old = world.set(&world.parties.partner, "a", &endpoint).await;
    let rotation = Rotation { world, receiver: endpoint };
    let received = rotation.next().await;
    assert!(aitasker(&received, &old));
    assert_eq!(standard(&received, &old), (1, Some(0)));
    let replaced = rotation.rotate().await;
    let new = rotation.rotate().await;
    assert_eq!(rotation.shown().await, [shown("current", &old), shown("pending", &new)]);
    let received = rotation.next().await;
    assert!(aitasker(&received, &old));
    assert_eq!((standard(&received, &old), standard(&received, &new)), ((2, Some(0)), (2, Some(1))));
    assert_eq!(standard(&received, &replaced), (2, None));
    for _ in 0..2 {
        let path = path("a") + "/activate-secret";
        assert_eq!(rotation.world.parties.partner.call("POST", &path, &Value::Null).await.status, 200);
        assert_eq!(rotation.shown().await, [shown("current", &new)]);
    }
    let received = rotation.next().await;
    assert!(aitasker(&received, &new));
    assert_eq!((standard(&received, &new), standard(&received, &old)), ((1, Some(0)), (1, None)));
}

#[tokio::test]
async fn a_secret_that_nobody_activates_takes_over_after_a_day() {
    let world = World::start().await;
    let endpoint = Receiver::accepting().await;
    let old = world.set(&world.parties.partner, "a", &endpoint).await;
    let rotation = Rotation { world, receiver: endpoint };
    let new = rotation.rotate().await;
    rotation.world.pass(TimeDelta::hours(24) - TimeDelta::seconds(1));
    assert!(aitasker(&rotation.next().await, &old));
    rotation.world.pass(TimeDelta::seconds(1));
    let received = rotation.next().await;
    assert!(aitasker(&received, &new));
    assert_eq!(standard(&received, &new), (1, Some(0)));
    assert_eq!(rotation.shown().await, [shown("current", &new)]);
    // The next rotation leaves the one that took over, not the one before.
    let newest = rotation.rotate().await;
    assert_eq!(rotation.shown().await, [shown("current", &new), shown("pending", &newest)]);
    let tested = rotation.world.parties.partner.call("POST", &(path("a") + "/test"), &Value::Null).await;
    assert_eq!(tested.body["delivered"], json!(true));
    let sample = rotation.receiver.received().pop().unwrap();
    assert_eq!((standard(&sample, &new), standard(&sample, &newest)), ((2, Some(0)), (2, Some(1))));
}
