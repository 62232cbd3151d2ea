//! Stagegate: the approval-workflow service of the AITasker marketplace. This page is for those who change it; the
//! README leads to the pages for those who run or call it.
//!
//! # The map
//!
//! > **domain** decides. **store** remembers. **app** joins the two. **http** and **worker** are the doors into app.
//! > **main** wires it all.
//!
//! | where | what lives there |
//! |---|---|
//! | [`domain`] | the rules, pure: definitions, tasks, commands, events, what each party sees, the hash chain. Its page has the state machine |
//! | [`store`] | SQL: rows in, domain types out |
//! | [`app`] | the use cases, one async function per thing that a caller can ask for |
//! | [`http`] | axum: parse, one call into app, view. [`http::problem`] alone knows status codes; [`http::openapi`] makes the contract |
//! | [`worker`] | what the service does by itself, each loop with a step that a test can call |
//! | [`webhook`] | events out: what may be called, signatures, one guarded attempt |
//! | [`embedded`] | the private Postgres of a machine without one |
//! | [`config`], [`clock`], [`ids`] | the only readers of the environment, the time and randomness |
//! | [`trial`], [`demo`], [`check`] | the credentials of a trial, a task played through, files checked offline |
//! | [`telemetry`], [`terminal`] | logs; what people read on a terminal, escaped |
//! | `tests/api/`, `benches/` | one integration binary, a file per subject; what is measured, against what |
//!
//! # The arrows
//!
//! | folder | may use | never mentions |
//! |---|---|---|
//! | domain | std, serde, chrono (with its time zones) and uuid types, Unicode's tables, thiserror, hashing, utoipa's schemas | axum, sqlx, tokio, tracing, any other folder |
//! | store | domain, sqlx, the secrets of webhook | axum, app, http |
//! | webhook | domain, hyper | axum, sqlx, any other folder |
//! | app | domain, store, webhook, clock, ids | axum, http |
//! | http, worker | app, domain | sqlx, store |
//!
//! `tests/api/tidy.rs` reads the files and fails on an arrow that is not here.
//!
//! # What always holds
//!
//! 1. There is one decision path. HTTP, timers, dry runs and simulations go through the same [`domain::task::decide`].
//! 2. A task reaches `delivery` only if every stage was decided *approved* after it was last entered, on the
//!    revision that was then the latest.
//! 3. A closed task never changes again. A late decision appends a row to the trail, since nothing a person did may
//!    be lost, and so does an erasure; the buyer's status and its `ETag` stay.
//! 4. A return goes to an earlier stage or the same one; every stage from there on is decided again.
//! 5. Of two decisions on one stage and round the first wins, and the loser is shown it.
//! 6. Silence approves only where the definition says so, only the revision that waited the whole time, never over
//!    a standing rejection.
//! 7. A timer is part of the state that it belongs to, so it cannot outlive it.
//! 8. Folding the events gives the state: [`domain::task::evolve`] is the only code that changes a task, and uses
//!    nothing but its arguments.
//! 9. A command writes state, buyer status and events together, or nothing.
//! 10. No sequence of timers alone runs for ever, and every open task has a way out for somebody.
//! 11. Within a task, `recorded_at` never goes backwards, whatever the replicas' clocks say.
//!
//! The tests of `domain` hold these over random definitions and sequences, and over all short sequences of small
//! definitions.
//!
//! # The parts that move
//!
//! **The write.** [`app::tasks::commands`] reads the task, [`domain::task::decide`] turns the command into a
//! `Transition` (whose fields are private, so that nothing else can make one), and [`store::tasks::transitions`]
//! writes it, guarded by the version that was decided on. A writer that comes second changes no row; it looks its
//! command up (it may be its own duplicate), else decides again on what is there now. The write runs in a task of
//! its own: a client that hangs up does not stop it half-way.
//!
//! **Sharing commits.** Transitions of different tasks that wait at the same moment go out as one statement
//! ([`store::Writer`]): no timer, what is queued when a connection is free. No member can fail what it shares: a
//! command whose id is known and a version that moved on are rows that are not written, a row that another session
//! has locked is skipped and tried again, and what the server refuses for its content is found by halves and goes
//! alone from then on. A task that this replica wrote in the last seconds is not read before the next decision on
//! it (`crate::app::tasks::write_cache`); the guard shows when that was not the present, and what would be refused
//! is decided again on what is stored. While the statement is under way, the answer is put together.
//!
//! **Overload.** Every line has its bound: transitions that wait to be written, statements that wait for a connection.
//! Beyond it the answer is `503` with `Retry-After`, at once, and for a command before anything is read. A quarter of
//! the connections, with a line of its own, is kept for what commands and timers read: they take `decisions` in
//! [`app::App`], everything else takes `pool`, so readers cannot keep decisions waiting.
//!
//! **Metrics.** What costs nothing is read at each scrape. What takes a statement is looked at every 5 s by
//! [`worker::monitor`], all of it in one statement that is bounded in rows and time, on a connection of its own. No
//! caller can add a value to a label. Whatever refuses a request for no fault of its own says so by a
//! [`app::refusals::Reason`], which is counted. A test compares the names with the table in `docs/operations.md`.
//! An age that depends on another database of the server (the horizon) names who is to blame in the log.
//!
//! **The network to the database.** Every wait for it has a limit on our side, above the server's own:
//! [`store::Limits`], kept by one file (`store/db/session.rs`; a test fails where another holds a connection). What
//! ran into a limit, lost its connection or was told that the server stops or takes no writes is closed, and so are
//! all sessions of its time, in every pool. Whatever fails before a connection stands means *nothing was done*, and
//! a statement without its answer *maybe* ([`store::Error`]). A session sets every setting that statements rely on
//! (`SESSION` in [`store::db::connect`]) and is asked whether it may write before it is used.
//! [`app::operations::health`] has a connection of its own; a further reason not to be ready is a variant of its
//! enum.
//!
//! **The door.** Until a credential was checked, a request costs what is linear in its bytes, and those are
//! bounded: first line, header fields and header by `crate::http::serve::door` and [`http::serve::server`], which
//! hold for every way in. The bytes of bodies that are being received or parsed are bounded for the process and for
//! each caller ([`http::input::body::budget`]). Who meets a bound of the process is answered `503`; who meets a
//! share of their own, `429`. Each header and format is read by the grammar of its standard, with a table test that
//! names the section. A credential's end is compared with the clock in one place
//! (`crate::app::access::time_until`).
//!
//! **Shares.** What one caller can hold while others wait for it (watchers, waits for the feed, simulations, proofs
//! and exports) is counted per owner of a credential by [`app::shares`]: beyond its own share that caller alone is
//! refused with `429`, beyond all of it whoever comes next with `503`. A new thing to hold is a field there, and is
//! held by the work itself, not by the request: a simulation that nobody waits for any more still counts until it
//! ends.
//!
//! **Simulations.** Steps are shown as they happen and never kept; the answer is text of a bounded size, and the
//! work is on a thread of its own.
//!
//! **The chain.** Every event is sealed before it is written: each field is committed to with a salt of its own,
//! the commitments form a tree, and the entry's hash covers the tree's root and the hash before. The table in
//! [`domain::audit::task_fields`] says for every field who sees it and whether it can be erased; a field that is
//! not there is not stored. What a party sees is cut in [`domain::audit`] alone, for answers, pages and proofs.
//!
//! **The log.** Once a minute the heads of the trails that changed become leaves of an append-only Merkle log
//! ([`domain::audit::transparency_log`]), whose root is signed as a [`domain::audit::checkpoint`].
//! [`worker::checkpoints`] says when, [`app::audit::transparency_log`] what: it takes whole transactions in their
//! order, below the oldest one still running ([`store::db::horizon`]), so that one which commits late is not left
//! out. Leaves, nodes and checkpoint are one insert; two replicas collide on its keys, and one wins. Before
//! anything is signed, what is stored must make the root that was signed last. A further kind of trail is one more
//! `select` in [`store::audit::transparency_log::list_changes`]. [`app::audit::receipts`] signs single entries with
//! the same key.
//!
//! **The feed.** [`app::feed`] gives out all trails in one order that never changes: by epoch, transaction, task and
//! `seq`, below the oldest transaction still running, as the log does. The status after an old event is not stored; it
//! is folded from the trail, within a bound per page. A body is made in [`domain::feed`] alone and says nothing as of
//! now, so that it is the same at every reading. A restored database counts its transactions anew, so `stagegate
//! migrate --restored` begins another epoch, which goes before the transaction in the order. While somebody waits, one
//! worker per replica ([`app::feed::tail`]) looks for what is new: two statements, however many wait. It wakes those
//! whose rows it finds, and they read up to its horizon. A cursor is the reader's own last row, or the beginning or end
//! of a committed transaction, never a row of others or the horizon.
//!
//! **Who reads what.** [`domain::audit::task_fields`] decides it for every door. A text that status or task still
//! shows is folded into the notes with its readers, as that table gives them; a view asks for a text in the name of
//! its reader. A rule about a reader looks at the event alone, so an event names whom it is for.
//! `tests/api/fields.rs` plays every type of event and compares every field at every door with the published table;
//! a new field fails it until a scene records it.
//!
//! **Who is who.** [`domain::values::identity`] says what an id, a name, a label and a text may hold. Doors are
//! strict: a body is read as a type that is [`domain::values::identity::FromOutside`], or not at all. Rows are not:
//! deserializing takes what older versions stored. Ids are compared by their key alone, in Rust and never in SQL,
//! so that spellings that nobody can tell apart are one person. A repeated request is known by what its body means
//! ([`app::digest`]).
//!
//! **The length of a trail.** Each kind of entry that a caller can repeat has its bound
//! ([`domain::task::decide::MAX_ENTRIES`] and those beside it). Beyond the last one a task takes only what moves it
//! on or ends it, so that a way out and its timers are never closed.
//!
//! **Pages by bytes.** An entry may have some hundred kilobytes, so the statement that reads a page of a trail adds its
//! rows up and ends with the one that reaches `store::PAGE_BYTES`. What needs a whole trail folds it a page at a time
//! (`crate::app::tasks::replay`).
//!
//! **The partner's trail.** Keys made and revoked, workflows registered, retired and brought back, erasures and
//! exports are entries of a second kind of trail, one per partner, by the same code ([`domain::partner::event`],
//! [`domain::audit::Subject`]). The statement that changes something appends the entry
//! ([`store::audit::partner_events`]), guarded by the version in the partner's row; [`app::audit::partner_trail`]
//! tries again for those that lost a race. What changes nothing records nothing.
//!
//! **Exports.** [`app::audit::export`] gives a trail, or many, piece by piece, each made when the client has taken
//! the one before: no row is read ahead, no connection held. Rows go out as they are stored and are not what
//! decides whether the service can answer: one that is not what was written is told in its place, for the verifier
//! to find. What the platform exports is recorded with the partners first. [`domain::audit::export`] has the
//! format, its writer and its verifier.
//!
//! **The verifier** says no more than was proven. *Verified* takes a signature, by a key that the reader gave, that
//! covers each trail's last entry; what is hidden must be hidden by the table in [`domain::audit::task_fields`];
//! and all that a command repeats from a file or an answer goes through [`terminal`]. A new check goes into both
//! verifiers, with a forgery in the tables of `audit/export/tests`, which both must judge alike.
//!
//! **Erasures.** [`worker::erasures`] goes through the tasks in the order of their ids; [`domain::task::erasure`]
//! says what goes from one. In one transaction, guarded by the task's version, the ordinary decision path appends
//! `task.personal_data_erased` and the role `stagegate_erasure`, which may change the column `personal` and nothing
//! else, takes values and salts out. Notes and status are folded from what is left. Every step may be done twice:
//! what has nothing left to erase changes nothing. What was recorded before the request is told by the order of
//! transactions, as replicas' clocks differ. Open tasks keep the actor's id, which the rules compare, until they
//! close.
//!
//! **The status.** What the buyer reads is computed by the transition and stored beside the state, ready to send.
//! Its version is that of the task when it last changed, so an event that tells the buyer nothing leaves the `ETag`
//! alone.
//!
//! **The pace.** How long a stage has taken and how much longer it may take depends on when one asks, so it is no
//! part of the stored status: [`domain::task::forecast`] adds it to every status that is answered. What finished
//! tasks took is searched once a minute and version; a minute's answers are judged by what was finished before it,
//! which makes a replayed command's answer the same. Whose time it was is a ledger in the state: `evolve` adds the
//! time between two events to whoever was waited on.
//!
//! **Timers.** Each state knows when it must be woken, and the task's row has the earliest time. [`worker::timers`]
//! searches for those that are due, without locks, and sends the command `Tick`; the version guard makes a second
//! one harmless. A tick handles one timer, the earliest.
//!
//! **Workers.** [`worker::supervisor`] runs every loop that lives as long as the service: one that panics or
//! returns is logged, counted and begun again after a pause. Each reports its turns ([`app::operations::workers`]);
//! one that is still for longer than its bound makes the replica not ready. A new loop is spawned there, and
//! nowhere else.
//!
//! **Clocks.** Order comes from versions and transactions, never from comparing the clocks of two replicas. A first
//! delivery is due by the database's clock. A replica measures how far it is from that clock
//! ([`app::operations::clock_skew`]); beyond 15 s it is not ready and runs no timers, and whatever waits for
//! others' writes allows for as much.
//!
//! **Rows that cannot be read.** A row is a result of its own: in a list, a batch of timers, a search for
//! deliveries or erasures, one that is damaged or of a newer format takes no other along. What was taken from a
//! queue is settled all the same: a delivery that cannot be made is put off. Lists and feed say so in its place
//! ([`domain::task::unreadable`]), but the feed ends before a newer event, so that no reader loses one in a rolling
//! deploy. Constraints keep out times that the driver cannot read.
//!
//! **Polling.** A status that was so less than a second ago is answered from memory ([`app::status`]), after
//! credential and owner were checked; a `304` needs nothing else, a `200` has its pace spliced in. Whatever is
//! written here or heard of makes what is older go at once; the age bound alone makes it correct. While somebody
//! polls, a look at the end of the feed, a few times a second, finds what changed and renews the rest
//! ([`app::status::revalidation`]), so the database pays for writes and not for polls; one statement at a time
//! reads all that is missing. Who knows of a newer version, by its `ETag` or `min_version`, gets no older one.
//! Looks go on for 10 s after the last poll. What is kept is packed: each status as its difference to another of
//! its workflow version.
//!
//! **The way of a poll.** Around every handler, [`http::serve::middleware`] is two services in one layer: each
//! layer of axum's is a box that is cloned for every request. A poll of one status, long or not, does not even pass
//! the router ([`http::HttpService`]): the same checks, the same handler, half the work, and nothing of the request
//! is kept while it waits. What is awaited and seldom needed is boxed, as every future around it would be moved
//! with room for it; so is each part of a connection, of which there are many and most idle.
//!
//! **Waiting.** Who waits for a status shares one topic per task ([`app::status::watch`]), which knows the newest
//! status and nothing else. Three things say that there is a newer one: this replica's own write, after its commit;
//! a notification of another replica ([`store::db::notify`], batched, on two connections of their own); and a look
//! once a second at the versions of all watched tasks in one statement, so that nothing depends on a notification
//! that can be lost. What is newer is read once, however many wait. [`worker::watchers`] runs these loops; draining
//! lets everybody go.
//!
//! **Webhooks.** The statement that writes an event adds a row for each endpoint that receives it. The rows of one
//! task and endpoint are a line ([`store::webhooks::deliveries`]): only the head of a line is ever sent, by whoever
//! raises its `attempt` first, and a result counts only under that number; what is behind it waits until it is due
//! again. [`worker::deliveries`] searches for what is due, without locks, and visits endpoints side by side. Its
//! slots are shared by owner, so that an owner who holds none gets one whatever others do; those that fail or are
//! slow have half of them. An endpoint gets more attempts side by side as it accepts quickly, and one when it
//! fails. [`app::webhooks::dispatch`] takes, tells, sends and settles. The body is made at each attempt by the code
//! of the feed and is stored nowhere. [`domain::webhook`] has the schedule, the pauses and when an endpoint is
//! given up; a notice of that is in its owner's feed, ordered as all rows are. A worker that dies leaves its
//! deliveries to the end of their lease, so nothing is lost and some may come twice. [`webhook`] makes the attempt
//! itself. An owner's row is locked while its endpoints are counted. An erasure of a task clears what receivers
//! answered, and the answer of an attempt that it overtakes is not kept (`under_way`).
//!
//! **Limits.** Whatever a partner can make is limited where it is decided ([`domain::partner::event`]): workflows,
//! their versions, keys. Nothing grows without a bound.
//!
//! **The way out.** Owners of endpoints choose where we connect to, so a receiver is trusted with nothing.
//! [`webhook::address`] gives an attempt the very addresses to connect to, judged for it, literal ones and names
//! alike: nothing else looks a name up. [`webhook::client`] makes one connection per attempt, bounded in time and
//! in what is read. [`webhook::sign`] makes the headers that `docs/partner.md` tells receivers to verify; its lines
//! are what the tests run.
//!
//! **The private Postgres.** [`embedded`] finds or fetches the programs, starts them for a Unix socket alone,
//! adopts what already runs, recovers what was killed. Two lock files say who is starting it and who is using it;
//! the last user stops it. The tests run on it too.
//!
//! # Decisions that were close
//!
//! `docs/decisions/` has a page for each, with its context and its consequence:
//!
//! - the rules: `0001-schemas-in-the-domain.md`, `0004-working-time-in-events.md`, `0005-texts-apart-from-state.md`
//! - writing: `0002-one-statement-per-transition.md`, `0003-group-commit.md`, `0021-no-repository-traits.md`
//! - the trail: `0006-salted-commitments.md`, `0007-copies-of-feedback.md`, `0008-own-signed-notes-and-tree.md`,
//!   `0009-exports-recorded-by-page.md`, `0010-export-scans-by-id.md`
//! - lists: `0011-lists-on-the-task-row.md`, `0012-queues-in-the-index.md`
//! - statuses: `0013-queue-instead-of-cache.md`, `0014-compressed-statuses.md`, `0015-revalidation-by-the-feed.md`,
//!   `0016-notify-after-commit.md`
//! - the feed and webhooks: `0017-window-instead-of-index.md`, `0018-delivery-queues-by-due-time.md`,
//!   `0019-bodies-made-at-each-attempt.md`, `0020-webhooks-over-hyper.md`
//!
//! # Where to add
//!
//! - **A command**: its struct and variant in [`domain::task::command`], its row in `domain/task/table.md` and
//!   [`domain::task::table`], its rule under `domain/task/decide/`, its fact in [`domain::task::event`] with its
//!   fields in [`domain::audit::task_fields`], its fold in [`domain::task::evolve`]; then
//!   `http/routes/command_body.rs`. The compiler and the tests of the table name every place that was forgotten,
//!   since no match has a `_`.
//! - **A phase**: a variant of [`domain::task::Phase`] with the data that is true only there; then as above, and
//!   the label in [`domain::task::status`].
//! - **An operation**: a function in [`app`], a handler of the same name in [`http`], one line in its list of
//!   routes. `./test --update` writes `openapi.yaml`; every operation with an id in its path is tried with another
//!   partner's key (`tests/api/ownership.rs`).
//! - **A migration**: `migrations/NNNN_what.sql`, forward only, each table and column commented; `./test --update`
//!   writes `.sqlx`.
//! - **A setting**: a field in [`config`]; the table in `docs/operations.md` is compared with it.
//! - **A close decision**: the next page in `docs/decisions`, its line in the list there, and its name above.

pub mod app;
pub mod check;
pub mod clock;
pub mod config;
pub mod demo;
pub mod domain;
pub mod embedded;
pub mod http;
pub mod ids;
pub mod json;
pub mod store;
pub mod telemetry;
pub mod terminal;
pub mod trial;
pub mod webhook;
pub mod worker;
