//! The feed: nothing is left out and nothing comes twice, however late it commits and wherever its reader begins
//! again; each sees its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};
use stagegate::ids;
use stagegate::store::db::horizon::begin_epoch;
use stagegate::worker::checkpoints::Checkpoints;
use tokio::task::JoinSet;

use crate::audit::transparency_log::{seconds, settle, tick};
use crate::harness::commands::{approve, at, cancel, escalate, reject, resolve, submit, update, with};
use crate::harness::database::hold;
use crate::harness::parties::{Client, Parties, code, text};
use crate::harness::waiting::until;
use crate::status::waiting::run;

mod behind;
mod waiting;

/// A consumer of the feed, as one should be: what it keeps, it keeps together with the cursor.
#[derive(Clone, Debug, Default)]
struct Copy {
    cursor: Option<String>,
    items: Vec<Value>,
}

impl Copy {
    /// Reads on, once; whether there may be more.
    async fn read(&mut self, client: &Client, query: &str) -> bool {
        let page = client.read(&self.path(query)).await;
        self.items.extend(page["items"].as_array().unwrap().clone());
        self.cursor = Some(text(&page["next"]));
        page["more"].as_bool().unwrap()
    }

    /// Reads until there is nothing more.
    async fn catch_up(&mut self, parties: &Parties, client: &Client) {
        settle(parties).await;
        while self.read(client, "limit=100").await {}
    }

    fn path(&self, query: &str) -> String {
        let after = self.cursor.as_ref().map(|cursor| format!("&after={cursor}")).unwrap_or_default();
        format!("/api/v1/events?{query}{after}")
    }

    fn rows(&self) -> Vec<(String, u64)> {
        self.items.iter().map(|item| (text(&item["task_id"]), item["seq"].as_u64().unwrap())).collect()
    }
}

/// The whole feed.
async fn all(parties: &Parties, client: &Client) -> Vec<Value> {
    let mut copy = Copy::default();
    copy.catch_up(parties, client).await;
    copy.items
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_commits_late_is_not_skipped() {
    let parties = Parties::start().await;
    let (early, late) = (parties.open("brand-campaign").await, parties.open("brand-campaign").await);
    let mut reader = Copy::default();
    reader.catch_up(&parties, &parties.platform).await;
    let known = reader.items.len();
    // A write that has begun and cannot end: it has its number, and nobody sees yet what it writes. It waits in a
    // trigger, since the writer gives up waiting for a lock.
    let mut owner = parties.service.db.owner().await;
    sqlx::raw_sql(HELD).execute(&mut owner).await.unwrap();
    sqlx::query("insert into held values ($1::uuid)").bind(&late).execute(&mut owner).await.unwrap();
    let (partner, id) = (parties.partner.clone(), late.clone());
    let held = tokio::spawn(async move { partner.done(&id, &update("late")).await });
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
    until("the write waits", async || sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut owner).await.unwrap() > 0)
        .await;
    parties.partner.done(&early, &update("early")).await;
    reader.read(&parties.platform, "limit=100").await;
    assert_eq!(reader.items.len(), known, "what committed first waits for what began first");
    sqlx::query("delete from held").execute(&mut owner).await.unwrap();
    held.await.unwrap();
    reader.catch_up(&parties, &parties.platform).await;
    assert_eq!(reader.rows()[known..], [(late, 3), (early, 3)], "in the order in which they began");
}

/// Lets the events of the tasks in the table `held` wait in the middle of the statement that writes them.
const HELD: &str = "
    create table held (task_id uuid);
    grant select on held to stagegate_app;
    create function wait_while_held() returns trigger language plpgsql as $$
    begin
        while exists (select from held where task_id = new.task_id) loop
            perform pg_sleep(0.01);
        end loop;
        return new;
    end
    $$;
    create trigger hold before insert on task_events for each row execute function wait_while_held();";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_writers_and_a_reader_that_begins_again_make_no_gap_and_no_duplicate() {
    let parties = Parties::start().await;
    let router = parties.service.wide_replica(10).await;
    let mut writers = JoinSet::new();
    let mut shared = Vec::new();
    for _ in 0..4 {
        shared.push(parties.open("brand-campaign").await);
    }
    for writer in 0..8 {
        let (platform, partner) = (parties.platform.at(&router), parties.partner.at(&router));
        let (opening, shared) = (parties.opening("", "brand-campaign"), shared.clone());
        writers.spawn(async move {
            for round in 0..5 {
                let id = ids::new().to_string();
                let opened = platform.call("POST", "/api/v1/tasks", &with(opening.clone(), &json!({ "id": id }))).await;
                assert_eq!(opened.status, 201);
                partner.done(&id, &submit("agent")).await;
                partner.done(&id, &approve(at("copy", 1, 1), "u-copy")).await;
                partner.done(&shared[(writer + round) % 4], &update(&format!("{writer}/{round}"))).await;
                partner.done(&id, &with(cancel(), &json!({ "reason": "enough" }))).await;
            }
        });
    }
    // Writes of the shared tasks begin and wait for this one, again and again.
    let (mut owner, locked) = (parties.service.db.owner().await, shared.clone());
    let holder = tokio::spawn(async move {
        for turn in 0..60 {
            hold(&mut owner, &locked[turn % 4]).await;
            for _ in 0..50 {
                sqlx::query("select 1").execute(&mut owner).await.unwrap();
            }
            sqlx::query("rollback").execute(&mut owner).await.unwrap();
        }
    });
    let stop = Arc::new(AtomicBool::new(false));
    let readers = [parties.platform.at(&router), parties.partner.at(&router)];
    let kept = readers.clone().map(|reader| tokio::spawn(follow(reader, Arc::clone(&stop))));
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    holder.await.unwrap();
    let stored: Vec<(uuid::Uuid, i64)> = sqlx::query_as("select task_id, seq from task_events order by task_id, seq")
        .fetch_all(&parties.service.db.pool)
        .await
        .unwrap();
    let stored: Vec<(String, u64)> =
        stored.into_iter().map(|(task, seq)| (task.to_string(), seq.unsigned_abs())).collect();
    assert!(stored.len() > 300, "{} rows", stored.len());
    for (copy, reader) in kept.into_iter().zip(&readers) {
        let mut copy = copy.await.unwrap();
        copy.catch_up(&parties, reader).await;
        let mut rows = copy.rows();
        // Stable, so that those of one task keep the order in which they came.
        rows.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!(rows, stored, "every row once, those of a task in order");
        let ids: BTreeSet<String> = copy.items.iter().map(|item| text(&item["id"])).collect();
        assert_eq!(ids.len(), stored.len(), "each has an id of its own");
        assert_eq!(copy.items, all(&parties, reader).await, "the order never changes, nor what is told");
    }
}

/// Follows the feed until it is stopped, and begins again now and then from what it kept.
async fn follow(reader: Client, stop: Arc<AtomicBool>) -> Copy {
    let mut copy = Copy::default();
    while !stop.load(Ordering::SeqCst) {
        let [limit, fate] = ids::random::<2>();
        let mut next = copy.clone();
        next.read(&reader, &format!("limit={}", 1 + limit % 100)).await;
        // One in three is lost on its way into the store, together with its cursor.
        if fate % 3 > 0 {
            copy = next;
        }
    }
    copy
}

/// Plays a task through much of what there is, and a second one beside it; after each command, `each`.
async fn play(parties: &Parties, mut each: impl AsyncFnMut(&str)) -> [String; 2] {
    let (one, other) = (parties.open("brand-campaign").await, parties.open("brand-campaign").await);
    let (partner, buyer, platform) = (&parties.partner, &parties.buyer, &parties.platform);
    each(&one).await;
    each(&other).await;
    let asked = |seq| resolve(seq, "return", "");
    let steps: [(&Client, Value); 9] = [
        (partner, submit("agent")),
        (partner, update("on it")),
        (partner, approve(at("copy", 1, 1), "u-copy")),
        (partner, reject(at("legal", 1, 1), "u-anna")),
        (partner, submit("agent")),
        (partner, approve(at("copy", 2, 2), "u-copy")),
        (platform, json!({ "type": "held", "reason": "wait" })),
        (platform, json!({ "type": "resumed" })),
        (partner, escalate(at("legal", 2, 2), "u-anna", "buyer")),
    ];
    for (client, command) in steps {
        parties.pass(1);
        client.done(&one, &command).await;
        each(&one).await;
    }
    parties.pass(1);
    let question = parties.task(&one).await["escalation"]["seq"].as_u64().unwrap();
    buyer.done(&one, &asked(question)).await;
    each(&one).await;
    parties.pass(100);
    parties.tick(&one).await;
    each(&one).await;
    parties.platform.done(&other, &with(cancel(), &json!({ "immediate": true }))).await;
    each(&other).await;
    [one, other]
}

#[tokio::test]
async fn every_status_can_be_rebuilt_and_is_told_the_same_early_and_late() {
    let parties = Parties::start().await;
    let (mut follower, mut read) = (Copy::default(), BTreeMap::new());
    let tasks = play(&parties, async |id: &str| {
        follower.catch_up(&parties, &parties.platform).await;
        let status = parties.status(id).await;
        let version = parties.task(id).await["version"].as_u64().unwrap();
        read.insert((id.to_owned(), version), status);
    })
    .await;
    let late = all(&parties, &parties.platform).await;
    assert_eq!(follower.items, late, "what was told at once is told the same in the end");
    let mut rebuilt: BTreeMap<String, Value> = BTreeMap::new();
    for item in &late {
        let (task, seq) = (text(&item["task_id"]), item["seq"].as_u64().unwrap());
        assert_eq!((&item["head_hash"], seq), (&item["event"]["hash"], item["event"]["seq"].as_u64().unwrap()));
        // What the buyer read right after the command, to the second.
        if let Some(status) = read.remove(&(task.clone(), seq)) {
            assert_eq!(item["status"], status, "after {seq}");
        }
        rebuilt.insert(task, item["status"].clone());
    }
    assert!(read.is_empty(), "{read:?}");
    for task in tasks {
        let (present, rebuilt) = (parties.status(&task).await, &rebuilt[&task]);
        for (name, value) in present.as_object().unwrap() {
            let depends_on_now = matches!(name.as_str(), "stage_seconds" | "remaining_seconds");
            assert!(depends_on_now || *value == rebuilt[name], "{name}: {value} and {}", rebuilt[name]);
        }
        let trail = parties.trail(&task).await;
        let told: Vec<&Value> =
            late.iter().filter(|item| item["task_id"] == *task).map(|item| &item["event"]).collect();
        assert_eq!(told, trail.iter().collect::<Vec<_>>(), "the trail as the platform reads it");
    }
    // All events of a transition have the status after the whole of it.
    let first = &late[0];
    assert_eq!((&first["type"], &first["status"]["version"]), (&json!("task.opened"), &json!(2)));
}

#[tokio::test]
async fn each_sees_its_own_and_what_is_not_for_it_is_bare() {
    let parties = Parties::start().await;
    let stage = json!({ "key": "a", "name": "A", "buyer_label": "In A", "reviewer": "buyer" });
    parties.register("signoff", &json!({ "name": "Sign-off", "stages": [stage] })).await;
    let id = parties.open("signoff").await;
    parties.platform.done(&id, &with(cancel(), &json!({ "immediate": true }))).await;
    parties.pass(1);
    let late = with(approve(at("a", 1, 0), ""), &json!({ "note": "secret" }));
    parties.buyer.refused(&id, &late, (409, "task_closed")).await;
    let (partner, platform) = (all(&parties, &parties.partner).await, all(&parties, &parties.platform).await);
    let (bare, whole) = (partner.last().unwrap(), platform.last().unwrap());
    assert_eq!(whole["type"], "task.late_decision_recorded");
    assert_eq!(whole["event"]["note"], "secret");
    assert_eq!((&bare["id"], &bare["seq"], &bare["head_hash"]), (&whole["id"], &whole["seq"], &whole["head_hash"]));
    assert_eq!((&bare["type"], &bare["recorded_at"]), (&Value::Null, &Value::Null));
    assert_eq!(bare["event"], json!({ "seq": bare["seq"], "hash": bare["head_hash"] }));
    assert_eq!(bare["status"], partner[partner.len() - 2]["status"], "nor does the status tell when it was");
    let trail = parties.partner.read(&format!("/api/v1/tasks/{id}/audit")).await;
    let told: Vec<Value> = partner.iter().map(|item| item["event"].clone()).collect();
    assert_eq!(json!(told), trail["items"]);

    let stranger = parties.another_partner().await;
    assert!(all(&parties, &stranger).await.is_empty());
    // Not with the cursor of somebody who sees more either.
    let first = parties.platform.read("/api/v1/events?limit=1").await;
    assert_eq!(first["items"].as_array().unwrap().len(), 1);
    let path = format!("/api/v1/events?after={}", text(&first["next"]));
    assert_eq!(stranger.read(&path).await["items"], json!([]));
    assert_eq!(parties.buyer.get("/api/v1/events").await.status, 403);
}

#[tokio::test]
async fn a_partner_among_many_goes_on_in_steps() {
    let parties = Parties::start().await;
    let busy = parties.open("brand-campaign").await;
    // As many rows of somebody else's as need three looks.
    let many = "insert into task_events (task_id, seq, cause_seq, type, stage, round, party, recorded_at, entry, data, personal, hash)
        select task_id, n, cause_seq, 'task.resumed', stage, round, party, recorded_at, entry, data, personal, hash
        from task_events, generate_series($2, $3) n where task_id = $1 and seq = 2";
    let id: uuid::Uuid = busy.parse().unwrap();
    let mut owner = parties.service.db.owner().await;
    for thousand in 0..12 {
        let insert = sqlx::query(many).bind(id).bind((thousand * 1000).max(3)).bind(thousand * 1000 + 999);
        insert.execute(&mut owner).await.unwrap();
    }
    let (stranger, own) = with_a_task(&parties).await;
    settle(&parties).await;
    let mut copy = Copy::default();
    let mut looks = 1;
    while copy.read(&stranger, "wait=55").await {
        assert!(copy.items.is_empty());
        looks += 1;
    }
    assert_eq!((looks, copy.rows()), (3, vec![(own.clone(), 1), (own, 2)]));
}

/// Another partner, and a task of its own.
async fn with_a_task(parties: &Parties) -> (Client, String) {
    let stranger = parties.another_partner().await;
    let added = parties.platform.read("/api/v1/partners").await;
    let partner_id =
        added["items"].as_array().unwrap().iter().find(|partner| partner["name"] == "Contoso").unwrap()["id"].clone();
    let definition = json!({ "name": "One", "stages": [{ "key": "a", "name": "A", "buyer_label": "In A" }] });
    assert_eq!(stranger.call("PUT", "/api/v1/workflows/one", &definition).await.status, 201);
    let own = ids::new().to_string();
    let opening = with(parties.opening(&own, "one"), &json!({ "partner_id": partner_id }));
    assert_eq!(parties.platform.call("POST", "/api/v1/tasks", &opening).await.status, 201);
    (stranger, own)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cursor_names_a_row_of_its_reader_or_a_committed_transaction_while_others_write() {
    let parties = Parties::start().await;
    run(&parties.service.app);
    let (reader, own) = with_a_task(&parties).await;
    // One transaction of others is more than a look.
    let busy: uuid::Uuid = parties.open("brand-campaign").await.parse().unwrap();
    let many = "insert into task_events (task_id, seq, cause_seq, type, stage, round, party, recorded_at, entry, data, personal, hash)
        select task_id, n, cause_seq, 'task.resumed', stage, round, party, recorded_at, entry, data, personal, hash
        from task_events, generate_series(3, 12000) n where task_id = $1 and seq = 2";
    sqlx::query(many).bind(busy).execute(&mut parties.service.db.owner().await).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (writer, stopped) = (parties.platform.clone(), Arc::clone(&stop));
    let opening = parties.opening("", "brand-campaign");
    let writing = tokio::spawn(async move {
        while !stopped.load(Ordering::SeqCst) {
            let opening = with(opening.clone(), &json!({ "id": ids::new().to_string() }));
            assert_eq!(writer.call("POST", "/api/v1/tasks", &opening).await.status, 201);
        }
    });
    let (mut copy, mut cursors) = (Copy::default(), Vec::new());
    for turn in 0..12 {
        copy.read(&reader, ["limit=1", "limit=100", "wait=1"][turn % 3]).await;
        cursors.push(copy.cursor.clone().unwrap());
        if turn == 6 {
            let mine = json!({ "immediate": true });
            parties.platform.done(&own, &with(cancel(), &mine)).await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    writing.await.unwrap();
    copy.catch_up(&parties, &reader).await;
    assert!(copy.rows().iter().all(|(task, _)| *task == own) && copy.items.len() >= 3, "{:?}", copy.rows());
    let known: Vec<(String, String)> = sqlx::query_as("select xid::text, task_id::text from task_events")
        .fetch_all(&parties.service.db.pool)
        .await
        .unwrap();
    for cursor in cursors {
        let (number, task, seq) = decoded(&cursor);
        let nobody = uuid::Uuid::parse_str(&task).is_ok_and(|id| id.is_nil() || id.is_max());
        assert!(task == own || nobody, "{number} {task} {seq}");
        assert!(known.iter().any(|(xid, _)| *xid == number.to_string()), "{number} is no transaction that wrote");
    }
    // A cursor of an earlier version may name any row.
    let (xid, task) = known.iter().find(|(_, task)| *task == busy.to_string()).unwrap();
    let earlier = BASE64URL.encode(json!([0, xid.parse::<u64>().unwrap(), task, 2]).to_string());
    reader.read(&format!("/api/v1/events?after={earlier}")).await;
}

/// The transaction, task and `seq` of a cursor.
fn decoded(cursor: &str) -> (u64, String, u64) {
    let key: Value = serde_json::from_slice(&BASE64URL.decode(cursor).unwrap()).unwrap();
    (key[1].as_u64().unwrap(), text(&key[2]), key[3].as_u64().unwrap())
}

#[tokio::test]
async fn a_restored_database_begins_another_epoch_and_nothing_is_missed() {
    let parties = Parties::start().await;
    let id = parties.open_in_legal().await;
    tick(&parties, &Checkpoints::new(Arc::clone(&parties.service.app))).await;
    let mut half = Copy::default();
    half.read(&parties.platform, "limit=3").await;
    let before = all(&parties, &parties.platform).await;
    // Restored into a server that has not counted as far as the one before.
    let mut owner = parties.service.db.owner().await;
    for table in ["task_events", "partner_events"] {
        let dumped = format!("update {table} set xid = (xid::text::bigint + 1000000000)::text::xid8");
        sqlx::query(sqlx::AssertSqlSafe(dumped)).execute(&mut owner).await.unwrap();
    }
    sqlx::query("update audit_checkpoints set cursor = (cursor::text::bigint + 1000000000)::text::xid8")
        .execute(&mut owner)
        .await
        .unwrap();
    let mut ahead = half.clone();
    ahead.cursor = Some(shifted(half.cursor.as_deref().unwrap(), 1_000_000_000));
    let lost = parties.platform.get(&ahead.path("limit=100")).await;
    assert_eq!((lost.status, code(&lost)), (410, "feed_restored"), "found out, if nobody said so");
    let epoch = begin_epoch(&parties.service.db.owner, parties.service.clock.now()).await.unwrap();
    assert!(begin_epoch(&parties.service.db.owner, parties.service.clock.now()).await.unwrap() > epoch);
    parties.partner.done(&id, &update("again")).await;
    for (copy, known) in [(&mut ahead, 3), (&mut Copy::default(), 0)] {
        settle_after_restore(&parties).await;
        while copy.read(&parties.platform, "limit=2").await {}
        assert_eq!(copy.items[..before.len()], before, "from {known}: as it was");
        assert_eq!(copy.items.len(), before.len() + 1);
        assert_eq!(copy.items.last().unwrap()["event"]["data"]["message"], "again");
    }
    let page = parties.platform.read("/api/v1/events").await;
    assert_eq!(page["epoch"], epoch + 1);
    // The log of heads goes on, too.
    seconds(&parties, 60);
    assert_eq!(Checkpoints::new(Arc::clone(&parties.service.app)).tick().await.unwrap(), 1);
}

/// As [`settle`], for the present epoch alone.
async fn settle_after_restore(parties: &Parties) {
    let unsettled = "select count(*) from task_events
        where epoch = (select max(epoch) from epochs) and xid >= pg_snapshot_xmin(pg_current_snapshot())";
    until("no transaction is older", async || {
        sqlx::query_scalar::<_, i64>(unsettled).fetch_one(&parties.service.db.pool).await.unwrap() == 0
    })
    .await;
}

/// A cursor whose transaction has another number.
fn shifted(cursor: &str, by: u64) -> String {
    let mut key: Value = serde_json::from_slice(&BASE64URL.decode(cursor).unwrap()).unwrap();
    key[1] = json!(key[1].as_u64().unwrap() + by);
    BASE64URL.encode(key.to_string())
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_refused() {
    let parties = Parties::start().await;
    let of_another_list = "WyIyMDI3LTAxLTE1VDA4OjAwOjAwWiJd";
    for (query, pointer) in [
        ("after=garbage!", "/query/after"),
        (&*format!("after={of_another_list}"), "/query/after"),
        ("after=", "/query/after"),
        ("limit=0", "/query/limit"),
        ("limit=101", "/query/limit"),
        ("wait=56", "/query/wait"),
        ("wait=-1", "/query/wait"),
        ("wait=soon", "/query/wait"),
        ("cursor=x", "/query/cursor"),
    ] {
        let answer = parties.partner.get(&format!("/api/v1/events?{query}")).await;
        assert_eq!((answer.status, code(&answer)), (400, "invalid_parameter"), "{query}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{query}: {}", answer.text);
    }
    // One that is of the form, but of no answer: beyond all numbers.
    let forged = shifted(&text(&parties.partner.read("/api/v1/events").await["next"]), u64::MAX / 2);
    let answer = parties.partner.get(&format!("/api/v1/events?after={forged}")).await;
    assert_eq!((answer.status, code(&answer)), (410, "feed_restored"));
}
