//! Traces, as a collector and the receivers of webhooks see them. Each test runs the program itself, since a process
//! has one collector.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use futures_util::future::join_all;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, json};
use sqlx::Connection as _;
use stagegate::ids;
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::harness::database::TestDb;
use crate::harness::parties::{DEMO, text};
use crate::harness::process::{addresses, client, fetch, stagegate_with, terminate};
use crate::harness::receiver::{Received, Receiver, Reply};
use crate::harness::service::PLATFORM_KEY;
use crate::harness::waiting::{PATIENCE, until};

/// What a partner and the platform call their own traces.
const PARTNERS: (&str, &str) = ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "1111111111111111");
const PLATFORMS: (&str, &str) = ("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "2222222222222222");

/// A collector that accepts everything.
#[derive(Clone)]
struct Collector {
    url: String,
    spans: Arc<Mutex<Vec<Span>>>,
    resources: Arc<Mutex<String>>,
    count: Arc<watch::Sender<usize>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (spans, resources, count) = (Arc::default(), Arc::default(), Arc::new(watch::Sender::new(0)));
        let collector = Self { url, spans, resources, count };
        let router = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        collector
    }

    /// Waits until a span is there.
    async fn find(&self, what: &str, is_it: impl Fn(&Span) -> bool) -> Span {
        let mut counted = self.count.subscribe();
        let found = async {
            loop {
                let found = self.spans.lock().unwrap().iter().find(|span| is_it(span)).cloned();
                if let Some(found) = found {
                    return found;
                }
                counted.changed().await.unwrap();
            }
        };
        let names = || self.spans.lock().unwrap().iter().map(|span| span.name.clone()).collect::<Vec<_>>();
        timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no {what} among {:?}", names()))
    }

    /// The span that a receiver was told of.
    async fn of(&self, delivery: &Received) -> Span {
        let (_, span) = context(delivery.header("traceparent"));
        self.find("delivery", |found| hex::encode(&found.span_id) == span).await
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> Vec<u8> {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let sent = ExportTraceServiceRequest::decode(body).unwrap();
    for of_resource in sent.resource_spans {
        *collector.resources.lock().unwrap() = format!("{:?}", of_resource.resource);
        for scope in of_resource.scope_spans {
            collector.spans.lock().unwrap().extend(scope.spans);
        }
    }
    collector.count.send_modify(|count| *count += 1);
    ExportTraceServiceResponse::default().encode_to_vec()
}

/// The ids of trace and span in a `traceparent`.
fn context(traceparent: &str) -> (String, String) {
    let parts: Vec<&str> = traceparent.split('-').collect();
    let ["00", trace, span, "01"] = parts[..] else { panic!("{traceparent}") };
    assert_eq!((trace.len(), span.len()), (32, 16), "{traceparent}");
    (trace.to_owned(), span.to_owned())
}

fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    found.map_or_else(|| panic!("no {key} in {span:?}"), |found| format!("{:?}", found.value))
}

/// The program with a task's two parties, and an endpoint of each.
struct World {
    db: TestDb,
    process: Child,
    metrics: String,
    url: String,
    partner: String,
    partner_id: String,
}

impl World {
    async fn start(environment: &[(&str, &str)]) -> Self {
        let db = TestDb::new().await;
        let database = sqlx::ConnectOptions::to_url_lossy(&db.owner).to_string();
        let own = [
            ("DATABASE_URL", database.as_str()),
            ("STAGEGATE_POOL_SIZE", "2"),
            ("STAGEGATE_PLATFORM_KEYS", PLATFORM_KEY),
            ("STAGEGATE_WEBHOOK_ALLOW_PRIVATE", "true"),
            ("STAGEGATE_METRICS_LISTEN", "127.0.0.1:0"),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            // Nobody reads its log.
            ("STAGEGATE_LOG", "off"),
        ];
        let environment: Vec<_> = own.into_iter().chain(environment.iter().copied()).collect();
        let mut process =
            stagegate_with(&["serve", "--listen", "127.0.0.1:0"], Path::new("/nonexistent"), &environment);
        let (metrics, address) = addresses(&mut process).await;
        let (url, partner, partner_id) = (format!("http://{address}/api/v1"), String::new(), String::new());
        let mut world = Self { db, process, metrics, url, partner, partner_id };
        let made = world.send(PLATFORM_KEY, "POST /partners", None, &json!({ "name": "Northwind" })).await;
        world.partner_id = text(&made["id"]);
        let call = format!("POST /partners/{}/keys", world.partner_id);
        world.partner = text(&world.send(PLATFORM_KEY, &call, None, &Value::Null).await["key"]);
        world.send(&world.partner, "PUT /workflows/brand-campaign", None, &DEMO).await;
        world
    }

    async fn send(&self, key: &str, call: &str, traceparent: Option<&str>, body: &Value) -> Value {
        let (method, path) = call.split_once(' ').unwrap();
        let mut request = client(PATIENCE).request(method.parse().unwrap(), format!("{}{path}", self.url));
        request = request.bearer_auth(key);
        request = traceparent.into_iter().fold(request, |request, value| request.header("traceparent", value));
        request = if body.is_null() { request } else { request.json(body) };
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        answer.json().await.unwrap()
    }

    async fn set_webhook(&self, key: &str, receiver: &Receiver) {
        self.send(key, "PUT /webhooks/hook", None, &json!({ "url": receiver.url() })).await;
    }

    async fn open(&self, traceparent: Option<&str>) -> String {
        let id = ids::new().to_string();
        let body = json!({ "id": id, "partner_id": self.partner_id, "buyer_id": ids::new().to_string(),
            "workflow": { "key": "brand-campaign" }, "title": "Planted title" });
        self.send(PLATFORM_KEY, "POST /tasks", traceparent, &body).await;
        id
    }

    /// The contexts that are stored, of all deliveries.
    async fn stored(&self) -> Vec<Option<String>> {
        let mut connection = sqlx::PgConnection::connect_with(&self.db.owner).await.unwrap();
        sqlx::query_scalar("select traceparent from webhook_deliveries").fetch_all(&mut connection).await.unwrap()
    }

    /// The value of a metric without labels.
    async fn metric(&self, name: &str) -> u64 {
        let scraped = fetch(&format!("http://{}/metrics", self.metrics), None).await;
        let line = scraped.lines().find_map(|line| line.strip_prefix(&format!("stagegate_{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {scraped}")).parse().unwrap()
    }
}

fn traceparent((trace, span): (&str, &str)) -> String {
    format!("00-{trace}-{span}-01")
}

#[tokio::test]
async fn a_trace_goes_on_to_webhooks_of_its_own_party_and_is_hidden_from_the_other() {
    let collector = Collector::start().await;
    let mut world = World::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)]).await;
    let (partners, platforms) = (Receiver::accepting().await, Receiver::accepting().await);
    world.set_webhook(&world.partner, &partners).await;
    world.set_webhook(PLATFORM_KEY, &platforms).await;

    let task = world.open(Some(&traceparent(PLATFORMS))).await;
    let opening = collector.find("opening", |span| hex::encode(&span.trace_id) == PLATFORMS.0 && span.kind == 2).await;
    assert_eq!(
        (opening.name.as_str(), hex::encode(&opening.parent_span_id).as_str()),
        ("POST /api/v1/tasks", PLATFORMS.1)
    );
    let written = collector.find("write", |span| span.name == "write" && span.trace_id == opening.trace_id).await;
    assert_eq!(written.parent_span_id, opening.span_id);
    platforms.wait_for(2).await;
    partners.wait_for(2).await;
    let (own, others) = (platforms.received().remove(0), partners.received().remove(0));
    assert_eq!(context(own.header("traceparent")).0, PLATFORMS.0);
    assert_ne!(context(others.header("traceparent")).0, PLATFORMS.0);
    for (delivery, parent) in [(own, &opening.span_id[..]), (others, &[])] {
        let span = collector.of(&delivery).await;
        assert_eq!((span.name.as_str(), &span.parent_span_id[..]), ("deliver webhook", parent));
        let links: Vec<_> = span.links.iter().map(|link| (&link.trace_id, &link.span_id)).collect();
        assert_eq!(links, [(&opening.trace_id, &opening.span_id)]);
        assert!(attribute(&span, "http.response.status_code").contains("200"), "{span:?}");
    }

    let submit = json!({ "type": "work_submitted", "actor": { "id": "u-planted" }, "summary": "Planted summary" });
    let call = format!("POST /tasks/{task}/events");
    world.send(&world.partner, &call, Some(&traceparent(PARTNERS)), &submit).await;
    platforms.wait_for(3).await;
    partners.wait_for(3).await;
    assert_eq!(context(partners.received()[2].header("traceparent")).0, PARTNERS.0);
    assert_ne!(context(platforms.received()[2].header("traceparent")).0, PARTNERS.0);
    let command = collector.find("command", |span| hex::encode(&span.trace_id) == PARTNERS.0 && span.kind == 2).await;
    assert_eq!(command.name, "POST /api/v1/tasks/{id}/events");
    assert!(attribute(&command, "stagegate.operation").contains("post_event"), "{command:?}");
    collector.of(&partners.received()[2]).await;
    collector.of(&platforms.received()[2]).await;

    let poll = format!("GET /tasks/{task}/status");
    let of_poll = "00-cccccccccccccccccccccccccccccccc-3333333333333333-01";
    world.send(&world.partner, &poll, Some(of_poll), &Value::Null).await;
    let polled = collector.find("poll", |span| hex::encode(&span.parent_span_id) == "3333333333333333").await;
    assert_eq!(polled.name, "GET /api/v1/tasks/{id}/status");
    world.send(&world.partner, &poll, Some("00-not-a-context"), &Value::Null).await;

    // Neither the trail nor the spans have what belongs to the other.
    let trail = world.send(&world.partner, &format!("GET /tasks/{task}/audit"), None, &Value::Null).await.to_string();
    assert!(!trail.contains(PARTNERS.0) && !trail.contains(PLATFORMS.0), "{trail}");
    terminate(&mut world.process).await;
    let spans = format!("{:?}", collector.spans.lock().unwrap());
    let address = partners.address.to_string();
    for hidden in [task.as_str(), "lanted", PLATFORM_KEY, &world.partner, &address] {
        assert!(!spans.contains(hidden), "{hidden} in {spans}");
    }
    assert!(spans.contains("GET /api/v1/tasks/{id}/audit"), "the last spans are sent at the end");
    let resource = collector.resources.lock().unwrap().clone();
    assert!(resource.contains("\"stagegate\""), "{resource}");
}

#[tokio::test]
async fn the_context_of_a_request_is_stored_until_its_deliveries_are_settled() {
    let collector = Collector::start().await;
    let endpoint = format!("{}/v1/traces", collector.url);
    let mut world = World::start(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint)]).await;
    let receiver = Receiver::start(Reply::WhenLetGo).await;
    world.set_webhook(&world.partner, &receiver).await;
    world.open(Some(&traceparent(PLATFORMS))).await;
    receiver.wait_for(1).await;
    let stored = world.stored().await;
    assert_eq!(stored.len(), 2);
    for stored in stored {
        assert_eq!(context(&stored.expect("pending ones have it")).0, PLATFORMS.0);
    }
    receiver.let_go();
    until("settled ones do not", async || world.stored().await.iter().all(Option::is_none)).await;
    terminate(&mut world.process).await;
}

#[tokio::test]
async fn without_a_collector_nothing_is_stored_and_no_header_is_added() {
    let mut world = World::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", ""), ("OTEL_SERVICE_NAME", "x")]).await;
    // It refuses, so that the deliveries are not settled.
    let receiver = Receiver::start(Reply::Status(500)).await;
    world.set_webhook(&world.partner, &receiver).await;
    world.open(Some(&traceparent(PLATFORMS))).await;
    receiver.wait_for(1).await;
    assert_eq!(receiver.received()[0].headers.iter().find(|(name, _)| name == "traceparent"), None);
    assert_eq!(world.stored().await, [None, None]);
    terminate(&mut world.process).await;
}

#[tokio::test]
async fn a_collector_that_hangs_slows_nobody_and_what_it_does_not_take_is_counted() {
    // Connections are made, and nothing is ever answered.
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", hanging.local_addr().unwrap());
    // A batch that is given up makes no room worth mentioning.
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")];
    let mut world = World::start(&environment).await;
    let (client, health) = (client(PATIENCE), world.url.replace("/api/v1", "/health"));
    let dropped = async {
        while world.metric("traces_spans_dropped_total").await == 0 {
            let answers = join_all((0..100).map(|_| client.get(&health).send())).await;
            assert!(answers.into_iter().all(|answer| answer.unwrap().status().is_success()));
        }
    };
    timeout(PATIENCE, dropped).await.expect("the queue has a limit");
    assert_eq!(world.metric("traces_spans_sent_total").await, 0);
    // And it stops.
    terminate(&mut world.process).await;
}
