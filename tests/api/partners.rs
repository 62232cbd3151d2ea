//! Partners, their keys, and who may do what with which credential.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use stagegate::domain::partner::api_key::ApiKey;

use crate::harness::service::{self, Answer, PLATFORM_KEY, Service, buyer_token};

const BUYER: &str = "0199a000-0000-7000-8000-00000000000b";
const IN_2030: i64 = 1_893_456_000;

#[tokio::test]
async fn the_platform_adds_a_partner_and_gives_it_a_key() {
    let service = Service::start().await;
    let added = platform(&service, "POST", "/api/v1/partners", &json!({ "name": "Northwind" })).await;
    assert_eq!(added.status, 201);
    let id = text(&added.body["id"]);
    assert_eq!(added.body, json!({ "id": id, "name": "Northwind", "created_at": "2027-01-15T08:00:00Z" }));
    let location = added.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(platform(&service, "GET", &location, &Value::Null).await.body, added.body);

    let made = platform(&service, "POST", &format!("{location}/keys"), &Value::Null).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.headers["cache-control"], "no-store");
    let key = ApiKey::parse(text(&made.body["key"])).unwrap();
    let key_id = text(&made.body["id"]);
    let shown = json!({ "id": key_id, "hint": key.hint(), "label": null, "scopes": ["work", "review", "define", "read"],
        "actors": null, "made_by": null, "created_at": "2027-01-15T08:00:00Z", "expires_at": null, "revoked_at": null });
    assert_eq!(made.body["warnings"], json!([]));
    let keys = platform(&service, "GET", &format!("{location}/keys"), &Value::Null).await;
    assert_eq!(keys.body, json!({ "items": [shown], "next": null }));

    // The partner is somebody now, just not the platform.
    let refused = service.call("GET", "/api/v1/partners", key.reveal(), &Value::Null).await;
    assert_eq!((refused.status, text(&refused.body["code"])), (403, "forbidden"));
}

#[tokio::test]
async fn a_partner_has_the_id_that_the_platform_gives_it() {
    let service = Service::start().await;
    let id = "0199A000-0000-7000-8000-0000000000aa";
    let add = async |body: Value| platform(&service, "POST", "/api/v1/partners", &body).await;
    let added = add(json!({ "id": id, "name": "Northwind" })).await;
    assert_eq!((added.status, text(&added.body["id"])), (201, &*id.to_lowercase()));
    assert_eq!(added.headers["location"], format!("/api/v1/partners/{}", id.to_lowercase()));
    let again = add(json!({ "name": "Northwind", "id": id })).await;
    assert_eq!((again.status, &again.body), (200, &added.body));
    let other = add(json!({ "id": id, "name": "Southwind" })).await;
    assert_eq!((other.status, text(&other.body["code"])), (409, "partner_exists"));
    // Without an id each request adds another one, as ever.
    let (first, second) = (add(json!({ "name": "Northwind" })).await, add(json!({ "name": "Northwind" })).await);
    assert!(first.status == 201 && second.status == 201 && first.body["id"] != second.body["id"]);
    for id in [json!("x"), json!(7), json!("")] {
        let refused = add(json!({ "id": id, "name": "Northwind" })).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["pointer"]), (422, &json!("/id")), "{id}");
    }
    // Its trail is begun once.
    let trail = platform(&service, "GET", &format!("/api/v1/partners/{id}/audit"), &Value::Null).await.body;
    assert_eq!(trail["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn of_the_same_partner_twice_at_once_one_is_new() {
    let service = Service::start().await;
    let body = json!({ "id": "0199a000-0000-7000-8000-0000000000ab", "name": "Northwind" });
    let adding = (0..8).map(|_| platform(&service, "POST", "/api/v1/partners", &body));
    let answers = futures_util::future::join_all(adding).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201) && answer.body == answers[0].body));
}

#[tokio::test]
async fn a_revoked_key_stops_at_once_and_stays_revoked() {
    let service = Service::start().await;
    let partner = new_partner(&service, "Northwind").await;
    let (old, old_id) = new_key(&service, &partner).await;
    let (new, _) = new_key(&service, &partner).await;
    assert_eq!(status_of(&service, &old).await, 403);
    let path = format!("/api/v1/partners/{partner}/keys/{old_id}");
    assert_eq!(platform(&service, "DELETE", &path, &Value::Null).await.status, 204);
    assert_eq!(status_of(&service, &old).await, 401);
    assert_eq!(status_of(&service, &new).await, 403, "the other key goes on");
    let other_replica = Service::replica(&service.db, &service.clock).await;
    let refused = service::call(&other_replica, "GET", "/api/v1/partners", &old, &Value::Null).await;
    assert_eq!(refused.status, 401);

    service.clock.set("2027-01-15T09:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().into());
    assert_eq!(platform(&service, "DELETE", &path, &Value::Null).await.status, 204, "again");
    let keys = platform(&service, "GET", &format!("/api/v1/partners/{partner}/keys"), &Value::Null).await.body;
    assert_eq!(keys["items"][0]["revoked_at"], "2027-01-15T08:00:00Z", "the first time counts");
}

#[tokio::test]
async fn a_partner_has_twenty_valid_keys_and_a_revoked_one_makes_room() {
    let service = Service::start().await;
    let partner = new_partner(&service, "Northwind").await;
    let keys = format!("/api/v1/partners/{partner}/keys");
    let (_, first) = new_key(&service, &partner).await;
    for _ in 1..20 {
        new_key(&service, &partner).await;
    }
    let one_more = platform(&service, "POST", &keys, &Value::Null).await;
    assert_eq!((one_more.status, text(&one_more.body["code"])), (409, "limit_reached"));
    assert_eq!(platform(&service, "DELETE", &format!("{keys}/{first}"), &Value::Null).await.status, 204);
    new_key(&service, &partner).await;
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let service = Service::start().await;
    let partner = new_partner(&service, "Northwind").await;
    let other = new_partner(&service, "Contoso").await;
    let (key, key_id) = new_key(&service, &partner).await;
    let nobody = "0199a000-0000-7000-8000-000000000000";
    for (method, path) in [
        ("GET", format!("/api/v1/partners/{nobody}")),
        ("GET", format!("/api/v1/partners/{nobody}/keys")),
        ("POST", format!("/api/v1/partners/{nobody}/keys")),
        ("DELETE", format!("/api/v1/partners/{partner}/keys/{nobody}")),
        ("DELETE", format!("/api/v1/partners/{other}/keys/{key_id}")),
    ] {
        let answer = platform(&service, method, &path, &Value::Null).await;
        assert_eq!((answer.status, text(&answer.body["code"])), (404, "not_found"), "{method} {path}");
    }
    assert_eq!(status_of(&service, &key).await, 403, "still valid");
}

#[tokio::test]
async fn partners_are_listed_in_pages() {
    let service = Service::start().await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(new_partner(&service, name).await);
    }
    let first = platform(&service, "GET", "/api/v1/partners?limit=2", &Value::Null).await.body;
    let next = format!("/api/v1/partners?limit=2&cursor={}", text(&first["next"]));
    let second = platform(&service, "GET", &next, &Value::Null).await.body;
    assert_eq!(second["next"], Value::Null);
    let seen: Vec<_> = [first, second].iter().flat_map(|page| page["items"].as_array().unwrap().clone()).collect();
    assert_eq!(seen.iter().map(|partner| text(&partner["id"])).collect::<Vec<_>>(), ids);
}

#[tokio::test]
async fn bad_input_is_named() {
    let service = Service::start().await;
    let partner = new_partner(&service, "Northwind").await;
    let keys = format!("/api/v1/partners/{partner}/keys");
    let revoke_nothing = format!("{keys}/7");
    let table = [
        ("POST", "/api/v1/partners", json!({}), 422, "/name"),
        ("POST", "/api/v1/partners", json!({ "name": "" }), 422, "/name"),
        ("POST", "/api/v1/partners", json!({ "name": "x".repeat(201) }), 422, "/name"),
        ("POST", "/api/v1/partners", json!({ "name": "a\0" }), 422, "/name"),
        ("POST", "/api/v1/partners", json!({ "name": "x", "key": partner }), 422, "/key"),
        ("POST", "/api/v1/partners", json!(["x"]), 422, ""),
        ("POST", "/api/v1/partners?dry_run=true", json!({ "name": "x" }), 400, "/query/dry_run"),
        ("GET", "/api/v1/partners?limit=0", Value::Null, 400, "/query/limit"),
        ("GET", "/api/v1/partners?limit=101", Value::Null, 400, "/query/limit"),
        ("GET", "/api/v1/partners?cursor=zzz", Value::Null, 400, "/query/cursor"),
        ("GET", "/api/v1/partners?page=2", Value::Null, 400, "/query/page"),
        ("GET", "/api/v1/partners/7", Value::Null, 400, "/path/id"),
        ("DELETE", &revoke_nothing, Value::Null, 400, "/path/key_id"),
    ];
    for (method, path, body, status, pointer) in table {
        let answer = platform(&service, method, path, &body).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.body);
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{method} {path} {body}: {}", answer.body);
    }
}

#[tokio::test]
async fn only_a_valid_credential_of_the_platform_opens_the_door() {
    let service = Service::start().await;
    let unknown = ApiKey::from_random(None, &[7; 32]);
    let table = [
        ("", 401),
        ("x", 401),
        ("ait_", 401),
        (unknown.reveal(), 401),
        (&buyer_token(BUYER, 1_000_000_000), 401),
        (&buyer_token("bo", IN_2030), 401),
        (&buyer_token(BUYER, IN_2030), 403),
        (PLATFORM_KEY, 200),
    ];
    for (credential, status) in table {
        let answer = service.call("GET", "/api/v1/partners", credential, &Value::Null).await;
        assert_eq!(answer.status, status, "{credential}: {}", answer.body);
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{credential}");
    }
    let in_url = format!("/api/v1/partners?access_token={PLATFORM_KEY}");
    assert_eq!(service.call("GET", &in_url, "", &Value::Null).await.status, 401);
    // A credential comes first: who has none learns nothing about the input.
    let answer = service.call("POST", "/api/v1/partners/7/keys?x=1", "", &json!({ "nope": 1 })).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_partner_key_comes_by_either_header_but_not_by_both() {
    let service = Service::start().await;
    let partner = new_partner(&service, "Northwind").await;
    let (key, _) = new_key(&service, &partner).await;
    let by_header = Request::get("/api/v1/partners").header("x-aitasker-key", &key).body(Body::empty()).unwrap();
    assert_eq!(service::send(&service.router, by_header).await.status, 403, "known, but not the platform");
    let request = Request::get("/api/v1/partners")
        .header("x-aitasker-key", &key)
        .header("authorization", format!("Bearer {PLATFORM_KEY}"));
    let both = service::send(&service.router, request.body(Body::empty()).unwrap()).await;
    assert_eq!((both.status, text(&both.body["code"])), (400, "two_credentials"));
    let platform_there = Request::get("/api/v1/partners").header("x-aitasker-key", PLATFORM_KEY);
    assert_eq!(service::send(&service.router, platform_there.body(Body::empty()).unwrap()).await.status, 401);
}

#[tokio::test]
async fn keys_are_stored_as_hashes_only() {
    let service = Service::start().await;
    let partner = new_partner(&service, "Northwind").await;
    let (key, _) = new_key(&service, &partner).await;
    let mut owner = service.db.owner().await;
    let row: String = sqlx::query_scalar("select api_keys::text from api_keys").fetch_one(&mut owner).await.unwrap();
    assert!(!row.contains(&key) && !row.contains(&key[8..]));
}

#[tokio::test]
async fn the_serving_role_deletes_neither_partners_nor_keys() {
    let service = Service::start().await;
    for table in ["delete from partners", "delete from api_keys", "update partners set name = 'x'", "truncate api_keys"]
    {
        let error = sqlx::query(table).execute(&service.db.pool).await.unwrap_err();
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap().into_owned();
        assert_eq!(code, "42501", "{table}");
    }
}

#[tokio::test]
async fn a_migrated_database_makes_the_service_ready() {
    let service = Service::start().await;
    let ready = service.call("GET", "/ready", "", &Value::Null).await;
    assert_eq!((ready.status, ready.body), (200, json!({ "status": "ok" })));
    let mut owner = service.db.owner().await;
    sqlx::query("delete from _sqlx_migrations where version = 1").execute(&mut owner).await.unwrap();
    // What was found holds for a second; another replica has not looked yet.
    let replica = Service::replica(&service.db, &service.clock).await;
    let unready = crate::harness::service::call(&replica, "GET", "/ready", "", &Value::Null).await;
    assert_eq!((unready.status, &unready.body["code"]), (503, &json!("database_not_migrated")));
}

async fn platform(service: &Service, method: &str, path: &str, body: &Value) -> Answer {
    service.call(method, path, PLATFORM_KEY, body).await
}

async fn new_partner(service: &Service, name: &str) -> String {
    let answer = platform(service, "POST", "/api/v1/partners", &json!({ "name": name })).await;
    text(&answer.body["id"]).to_owned()
}

async fn new_key(service: &Service, partner: &str) -> (String, String) {
    let answer = platform(service, "POST", &format!("/api/v1/partners/{partner}/keys"), &Value::Null).await;
    (text(&answer.body["key"]).to_owned(), text(&answer.body["id"]).to_owned())
}

/// 403 for a partner's valid key, 401 for any other.
async fn status_of(service: &Service, key: &str) -> u16 {
    service.call("GET", "/api/v1/partners", key, &Value::Null).await.status
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}
