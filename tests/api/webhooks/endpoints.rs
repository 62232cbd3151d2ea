//! Endpoints as their owners set them up.

use serde_json::{Value, json};

use crate::harness::parties::{code, text};
use crate::harness::receiver::{Receiver, Reply};
use crate::harness::service::{self, Service};
use crate::tasks::races::at_once;

use super::world::{World, path, seconds};

#[tokio::test]
async fn a_webhook_is_set_up_changed_removed_and_brought_back() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let made = partner.call("PUT", &path("main"), &json!({ "url": "http://127.0.0.1:9/a" })).await;
    assert_eq!((made.status, &made.headers["location"]), (201, &"/api/v1/webhooks/main".parse().unwrap()));
    let secret = text(&made.body["secret"]);
    assert!(secret.starts_with("whsec_"));
    let now = "2027-01-15T08:00:00Z";
    let expected = json!({
        "id": "main", "url": "http://127.0.0.1:9/a", "types": null, "state": "enabled", "disabled_reason": null, "failing_since": null,
        "secrets": [{ "hint": secret[..10], "state": "current", "created_at": now, "takes_over_at": null }],
        "created_at": now, "updated_at": now, "pending": 0, "oldest_pending_at": null,
    });
    assert_eq!(world.read(partner, "main").await, expected);
    world.pass(seconds(60));
    let change = json!({ "url": "http://127.0.0.1:9/b", "types": ["task.work_submitted", "task.opened"] });
    let changed = partner.call("PUT", &path("main"), &change).await;
    assert_eq!((changed.status, changed.body.get("secret")), (200, None));
    assert_eq!(changed.body["types"], json!(["task.opened", "task.work_submitted"]));
    assert_eq!(
        (&changed.body["created_at"], &changed.body["updated_at"]),
        (&json!(now), &json!("2027-01-15T08:01:00Z"))
    );
    world.put(partner, "other", &json!({ "url": "http://127.0.0.1:9/c", "types": null })).await;
    let list = partner.read("/api/v1/webhooks").await;
    assert_eq!(list["items"], json!([changed.body, world.read(partner, "other").await]));
    assert!(!list.to_string().contains(&secret));
    assert_eq!(partner.call("DELETE", &path("main"), &Value::Null).await.status, 204);
    for (method, path) in [("GET", path("main")), ("DELETE", path("main")), ("GET", path("main") + "/deliveries")] {
        assert_eq!(partner.call(method, &path, &Value::Null).await.status, 404, "{method} {path}");
    }
    let again = partner.call("PUT", &path("main"), &json!({ "url": "http://127.0.0.1:9/a" })).await;
    assert_eq!((again.status, &again.body["types"]), (201, &Value::Null));
    assert_ne!(again.body["secret"], json!(secret));
}

#[tokio::test]
async fn an_owner_has_its_own_twenty_and_sees_no_others() {
    let world = World::start().await;
    let (partner, platform) = (&world.parties.partner, &world.parties.platform);
    let body = json!({ "url": "http://127.0.0.1:9/" });
    for number in 0..20 {
        assert_eq!(partner.call("PUT", &path(&format!("w-{number}")), &body).await.status, 201);
    }
    let one_more = partner.call("PUT", &path("one-more"), &body).await;
    assert_eq!((one_more.status, code(&one_more)), (409, "limit_reached"));
    assert_eq!(partner.call("PUT", &path("w-7"), &body).await.status, 200, "it is there");
    assert_eq!(platform.call("PUT", &path("one-more"), &body).await.status, 201, "another owner");
    assert_eq!(partner.call("DELETE", &path("w-7"), &Value::Null).await.status, 204);
    assert_eq!(partner.call("PUT", &path("one-more"), &body).await.status, 201);
    let stranger = world.parties.another_partner().await;
    assert_eq!(stranger.read("/api/v1/webhooks").await["items"], json!([]));
    assert_eq!(stranger.get(&path("w-1")).await.status, 404);
    assert_eq!(platform.read("/api/v1/webhooks").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_that_are_set_up_at_one_moment_are_twenty() {
    let world = World::start().await;
    let set = |number: usize| {
        let client = world.parties.partner.clone();
        async move {
            let body = json!({ "url": "http://127.0.0.1:9/" });
            client.call("PUT", &path(&format!("w-{number}")), &body).await.status
        }
    };
    let answers = at_once(30, set).await;
    let count = |wanted: u16| answers.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(201), count(409)), (20, 10), "{answers:?}");
    assert_eq!(world.count("select count(*) from webhook_endpoints").await, 20);
}

#[tokio::test]
async fn what_may_not_be_called_is_refused_with_the_rule() {
    let world = World::start().await;
    let parties = &world.parties;
    let public = Service::replica(&parties.service.db, &parties.service.clock).await;
    for (url, rule) in [
        ("http://example.com/", "not_https"),
        ("https://user:pass@example.com/", "userinfo"),
        ("https://example.com/#part", "fragment"),
        ("https://127.0.0.1/", "private_address"),
        ("https://0x7f.1/", "private_address"),
        ("https://[::ffff:10.0.0.1]/", "private_address"),
        ("https://localhost/", "private_name"),
        ("nowhere", "not_a_url"),
    ] {
        let body = json!({ "url": url });
        let answer = service::call(&public, "PUT", &path("a"), &parties.partner.credential, &body).await;
        assert_eq!((answer.status, code(&answer)), (422, "invalid_body"), "{url}");
        let error = &answer.body["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&json!("/url"), &json!(rule)), "{url}");
    }
    assert_eq!(parties.partner.read("/api/v1/webhooks").await["items"], json!([]));
    // Registered where it was allowed, it is not called where it is not.
    let receiver = Receiver::accepting().await;
    world.set(&parties.partner, "a", &receiver).await;
    let tested =
        service::call(&public, "POST", &(path("a") + "/test"), &parties.partner.credential, &Value::Null).await;
    assert_eq!((&tested.body["delivered"], &tested.body["attempt"]["error"]), (&json!(false), &json!("not_https")));
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn a_wrong_definition_is_refused_with_its_place() {
    let world = World::start().await;
    let url = "http://127.0.0.1:9/";
    for (body, pointer) in [
        (json!({}), "/url"),
        (json!({ "url": "" }), "/url"),
        (json!({ "url": url, "types": [] }), "/types"),
        (json!({ "url": url, "types": ["task.opened", "task.opened"] }), "/types"),
        (json!({ "url": url, "types": ["task.approved"] }), "/types"),
        (json!({ "url": url, "types": "all" }), "/types"),
        (json!({ "url": url, "secret": "x" }), "/secret"),
    ] {
        let answer = world.parties.partner.call("PUT", &path("a"), &body).await;
        assert_eq!((answer.status, &answer.body["errors"][0]["pointer"]), (422, &json!(pointer)), "{body}");
    }
    let answer = world.parties.partner.call("PUT", &path("A"), &json!({ "url": url })).await;
    assert_eq!((answer.status, code(&answer)), (400, "invalid_parameter"));
}

#[tokio::test]
async fn a_test_sends_a_sample_at_once_and_tells_what_came_of_it() {
    let world = World::start().await;
    let partner = &world.parties.partner;
    let receiver = Receiver::accepting().await;
    world.set(partner, "a", &receiver).await;
    receiver.script([Reply::With(202, "", "thanks".to_owned()), Reply::Status(410)]);
    let test = async || partner.call("POST", &(path("a") + "/test"), &Value::Null).await;
    let tested = test().await;
    assert_eq!(
        (tested.status, &tested.body["delivered"], &tested.body["answer"]),
        (200, &json!(true), &json!("thanks"))
    );
    let sample = &receiver.received()[0];
    let body = json!({ "id": tested.body["id"], "kind": "webhook_test", "type": "webhook.test", "webhook": "a", "recorded_at": "2027-01-15T08:00:00Z" });
    assert_eq!((sample.body(), sample.header("webhook-id")), (body, tested.body["id"].as_str().unwrap()));
    let refused = test().await;
    assert_eq!((&refused.body["delivered"], &refused.body["attempt"]["status"]), (&json!(false), &json!(410)));
    assert_eq!(world.read(partner, "a").await["state"], "enabled", "a test changes nothing");
    assert_eq!(world.deliveries(partner, "a").await, Vec::<Value>::new());
    // A disabled one is tested, too.
    world.execute("update webhook_endpoints set state = 'disabled', disabled_reason = 'gone'").await;
    assert_eq!(test().await.body["delivered"], json!(true));
}
