//! The routes of a development service: who may call them, what they refuse, and that no other service has them.

use serde_json::{Value, json};

use stagegate::dev::routes::ROUTES;

use super::world::{DevWorld, time};
use crate::harness::parties::{Client, Parties};

#[tokio::test]
async fn a_service_has_none_of_these_routes() {
    let parties = Parties::start().await;
    for (method, path, _) in ROUTES {
        let body = if method == "GET" { Value::Null } else { json!({ "advance": "PT1H" }) };
        let answer = parties.platform.call(method.as_str(), path, &body).await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
    }
    let contract = serde_json::to_value(stagegate::http::openapi::document()).unwrap();
    assert!(contract["paths"].as_object().unwrap().keys().all(|path| !path.starts_with("/dev")));
}

#[tokio::test]
async fn only_the_platform_may_call_them() {
    let world = DevWorld::start().await;
    let nobody = Client { credential: String::new(), ..world.parties.platform.clone() };
    for (client, refusal) in [
        (&nobody, (401, "unauthorized")),
        (&world.parties.partner, (403, "forbidden")),
        (&world.parties.buyer, (403, "forbidden")),
    ] {
        for (method, path, _) in ROUTES {
            let place = (method.as_str(), path);
            let (status, body) = world.call_as(client, place, &json!({ "advance": "PT1H" })).await;
            assert_eq!((status, body["code"].as_str().unwrap()), refusal, "{place:?}");
        }
    }
}

#[tokio::test]
async fn the_clock_refuses_to_go_backwards_and_what_it_cannot_read() {
    let world = DevWorld::start().await;
    let (_, before) = world.call("GET", "/dev/clock", &Value::Null).await;
    let (now, span) = (
        &before["now"],
        "must be an ISO 8601 duration of weeks, days, hours, minutes and seconds, such as PT48H or P14D",
    );
    let table = [
        (
            json!({ "advance": "-PT1H" }),
            "/advance",
            "out_of_range",
            "must not be negative: the clock never goes backwards",
        ),
        (json!({ "to": now }), "/to", "not_in_future", "the clock never goes backwards"),
        (json!({ "to": "2020-01-01T00:00:00Z" }), "/to", "not_in_future", "the clock never goes backwards"),
        (json!({ "to": "2999-01-01T00:00:00Z" }), "/to", "out_of_range", "must be at most 366 days ahead"),
        (json!({ "to": "tomorrow" }), "/to", "invalid_value", "must be an RFC 3339 date and time"),
        (json!({ "advance": "48 hours" }), "/advance", "invalid_value", span),
        (json!({ "advance": "PT0S" }), "/advance", "invalid_value", "must be from PT1S to P366D"),
        (json!({ "advance": 48 }), "/advance", "wrong_type", "must be a string"),
        (
            json!({ "advance": "PT1S", "to": "2027-12-01T00:00:00Z" }),
            "/to",
            "not_allowed",
            "cannot be combined with `advance`",
        ),
        (json!({}), "/advance", "required", "is required"),
        (json!({ "advance": "PT1S", "by": 1 }), "/by", "unknown_field", "is unknown"),
    ];
    for (body, pointer, code, message) in table {
        refused(&world, ("POST", "/dev/clock"), &body, (pointer, code, message)).await;
    }
    let (_, after) = world.call("GET", "/dev/clock", &Value::Null).await;
    assert!((time(&after["now"]) - time(now)).num_minutes() < 2, "nothing has moved it");
    assert_eq!(world.call("POST", "/dev/clock?x=1", &json!({ "advance": "PT1S" })).await.0, 400);
    assert_eq!(world.call("DELETE", "/dev/clock", &Value::Null).await.0, 405);
}

#[tokio::test]
async fn scripts_are_read_strictly() {
    let world = DevWorld::start().await;
    let script = json!({ "workflow": "brand-campaign", "stage": "copy", "decide": "approve", "after": "PT1H" });
    let with = |change: &Value| {
        let mut script = script.clone();
        for (name, value) in change.as_object().unwrap() {
            script[name] = value.clone();
        }
        json!({ "scripts": [script] })
    };
    let feedback = json!({ "summary": "Good.", "items": [{ "id": "4.1", "text": "A comma." }] });
    let table = [
        (json!({}), "/scripts", "required", "is required"),
        (
            with(&json!({ "decide": "maybe" })),
            "/scripts/0/decide",
            "invalid_value",
            "must be one of `approve`, `reject`, `escalate`",
        ),
        (with(&json!({ "after": "soon" })), "/scripts/0/after", "invalid_value", "must be an ISO 8601 duration"),
        (with(&json!({ "stage": "../x" })), "/scripts/0/stage", "invalid_value", "must be 1 to 64"),
        (
            with(&json!({ "feedback": feedback })),
            "/scripts/0/feedback/items/0/id",
            "not_allowed",
            "must not be sent: the service gives each item its id",
        ),
        (with(&json!({ "by": "u-anna" })), "/scripts/0/by", "unknown_field", "is unknown"),
        (json!({ "scripts": vec![script.clone(); 101] }), "/scripts", "too_many", "must have at most 100 items"),
    ];
    for (body, pointer, code, message) in table {
        refused(&world, ("PUT", "/dev/scripts"), &body, (pointer, code, message)).await;
    }
    let set = world.set_scripts(json!([script])).await;
    assert_eq!(set["scripts"][0]["acted"], 0);
    assert_eq!(world.call("GET", "/dev/scripts", &Value::Null).await, (200, set));
    assert_eq!(world.set_scripts(json!([])).await, json!({ "scripts": [] }));
}

#[tokio::test]
async fn faults_are_read_strictly() {
    let world = DevWorld::start().await;
    let table = [
        (
            json!({ "webhooks": { "duplicate": 1.5 } }),
            "/webhooks/duplicate",
            "invalid_value",
            "must be a number from 0 to 1",
        ),
        (json!({ "webhooks": { "reorder": "often" } }), "/webhooks/reorder", "wrong_type", "must be a number"),
        (json!({ "webhooks": { "delay": 5 } }), "/webhooks/delay", "wrong_type", "must be a string"),
        (json!({ "webhooks": { "lose": 1 } }), "/webhooks/lose", "unknown_field", "is unknown"),
        (json!({ "seed": -1 }), "/seed", "invalid_value", "must be an integer"),
    ];
    for (body, pointer, code, message) in table {
        refused(&world, ("PUT", "/dev/faults"), &body, (pointer, code, message)).await;
    }
    // What was set is shown, and an empty body takes it back.
    let faults =
        json!({ "webhooks": { "duplicate": 0.5, "delay": "PT10S", "reorder": 0.25, "drop_answer": 1 }, "seed": 7 });
    let set = world.set_faults(&faults).await;
    let (_, shown) = world.call("GET", "/dev/faults", &Value::Null).await;
    assert_eq!(set, shown);
    assert_eq!(
        (&shown["webhooks"]["duplicate"], &shown["webhooks"]["delay"], &shown["seed"]),
        (&json!(0.5), &json!("PT10S"), &json!(7))
    );
    assert_eq!(world.set_faults(&json!({})).await["webhooks"]["duplicate"], json!(0.0));
}

async fn refused(world: &DevWorld, (method, path): (&str, &str), body: &Value, error: (&str, &str, &str)) {
    let (status, problem) = world.call(method, path, body).await;
    let (pointer, code, message) = error;
    assert_eq!((status, problem["code"].as_str().unwrap_or_default()), (422, "invalid_body"), "{body}: {problem}");
    let first = &problem["errors"][0];
    assert_eq!(
        (first["pointer"].as_str().unwrap(), first["code"].as_str().unwrap()),
        (pointer, code),
        "{body}: {problem}"
    );
    assert!(first["message"].as_str().unwrap().contains(message), "{body}: {problem}");
}
