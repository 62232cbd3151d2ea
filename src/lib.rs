//! Stagegate: the approval-workflow service of the AITasker marketplace. This page is for
//! contributors. The README leads to the pages for operators and callers.
//!
//! # The map
//!
//! > **domain** decides. **store** persists. **app** joins the two. **http**, **pages**, **mcp** and
//! > **worker** are the entry points to app. `serve.rs` of the binary starts and stops it all.
//!
//! | where | what lives there |
//! |---|---|
//! | [`domain`] | the rules, pure: definitions, tasks, commands, events, what each party sees, the hash chain. Its page has the state machine |
//! | [`store`] | SQL: rows in, domain types out |
//! | [`app`] | the use cases: a struct for each capability, with an async function for each use case |
//! | [`http`] | axum: parse, one call into app, render. [`http::problem`] alone knows status codes; [`http::openapi`] makes the contract |
//! | [`pages`] | the pages for people: askama templates, words by language, sessions, forms. [`http`] mounts them without knowing them |
//! | [`mcp`] | the tools for agents, in the Model Context Protocol, and `stagegate mcp`. [`http`] mounts its route without knowing it |
//! | [`worker`] | the background loops, each with a step that a test can call |
//! | [`dev`] | `stagegate dev`: a clock to move, scripted reviewers, faults of webhooks, and stories for an endpoint. [`http`] mounts its routes without knowing them |
//! | [`webhook`] | outgoing webhooks: addresses that may be called, signatures, one guarded attempt |
//! | [`embedded`] | the private Postgres of a machine without one |
//! | [`archive`] | the directory of the files of tasks that were put away: written, flushed, read back |
//! | [`json`] | strict parsing and JSON pointers |
//! | [`config`], [`clock`], [`ids`] | the only readers of the environment, the time and randomness |
//! | [`client`] | the client of a service, for programs in Rust; what `clients/` has for other languages |
//! | [`command_line`] | the commands that speak to a running service: `submit`, `decide`, `why`, `wait`, `tail`, `simulate`, `analytics`, `link` |
//! | [`trial`], [`demo`], [`check`], [`health`] | the credentials of a trial, the demo that plays a task through, offline checks of files, a look at the service from the command line |
//! | [`telemetry`], [`causes`], [`terminal`] | logs and traces; errors with their causes; output for terminals, escaped |
//! | `src/main.rs`, `src/serve.rs` | the binary: the command line; the start and the end of the service |
//! | `migrations/`, `scripts/`, `deploy/` | the schema; what `./run` and `./test` share; dashboards, alerts and manifests for operators |
//! | `tests/api/`, `benches/` | one integration binary, with the capabilities below under the same names; the benchmarks and their references |
//!
//! The layer says how, the folder says what. Inside domain, store, app and http a capability has
//! the same name wherever it is large enough for a file; the table has the exceptions:
//!
//! | capability | domain | store | app | http |
//! |---|---|---|---|---|
//! | tasks, commands, timers, the inbox, claims | [`domain::task`] | [`store::tasks`] | [`app::tasks`] | `routes/tasks.rs`, `events.rs`, `bulk.rs`, `why.rs`, `inbox.rs`, `claims.rs` |
//! | statuses: polling, waiting, streams, forecasts | [`domain::task::status`] | [`store::tasks`] | [`app::status`] | `routes/statuses.rs`, `streams.rs` |
//! | the feed | [`domain::feed`] | [`store::feed`] | [`app::feed`] | `routes/feed.rs` |
//! | webhooks | [`domain::webhook`] | [`store::webhooks`] | [`app::webhooks`] | `routes/webhooks.rs`, `deliveries.rs` |
//! | audit: trails, proofs, the log, exports | [`domain::audit`] | [`store::audit`] | [`app::audit`] | `routes/audit.rs`, `partner_trail.rs`, `transparency_log.rs`, `export.rs` |
//! | workflows, simulations | [`domain::workflow`] | [`store::workflows`] | [`app::workflows`] | `routes/workflows.rs`, `simulations.rs` |
//! | statistics of closed tasks | [`domain::analytics`], [`domain::task::facts`] | [`store::analytics`] | [`app::analytics`] | `routes/analytics.rs` |
//! | partners and their keys | [`domain::partner`] | [`store::partners`] | [`app::partners`] | `routes/partners.rs`, `keys.rs` |
//! | absences, and who stands in | [`domain::absence`], `domain/partner/absences.rs` | [`store::absences`] | [`app::absences`] | `routes/absences.rs` |
//! | links for people, and their sessions | [`domain::link`] | [`store::links`] | [`app::links`] | `routes/links.rs` |
//! | erasures | [`domain::erasure`] | [`store::erasures`] | [`app::erasures`] | `routes/erasures.rs` |
//! | retention | | [`store::retention`] | [`app::retention`] | |
//! | health, metrics, clocks | | [`store::monitor`] | [`app::operations`] | `routes/health.rs`, `serve/metrics.rs` |
//!
//! Each layer also has a folder for what its capabilities share: `domain/values` (ids, names,
//! texts, times), `domain/trail` (what trails are made of), `store/db` (connections, errors,
//! pages), and `input`, `auth`, `serve`, `problem` and `openapi` in http. In app these are files:
//! `access.rs`, `archived.rs`, `base.rs`, `commits.rs`, `conflict.rs`, `contention.rs`, `digest.rs`,
//! `error.rs`, `journal.rs`, `refusals.rs`, `replay.rs`, `shares.rs`, `shutdown.rs` and `workers.rs`.
//!
//! # The arrows
//!
//! | folder | may use | never mentions |
//! |---|---|---|
//! | domain | std, serde, chrono (with its time zones) and uuid types, Unicode's tables, thiserror, hashing, utoipa's schemas | axum, sqlx, tokio, tracing, any other folder |
//! | store | domain, sqlx, the secrets of webhook | axum, app, http |
//! | webhook | domain, hyper | axum, sqlx, any other folder |
//! | app | domain, store, webhook, archive, clock, ids | axum, http |
//! | http, worker | app, domain, and the small modules that know no layer (json, clock, ids, causes) | sqlx, store, pages |
//! | dev | app, worker, domain, http (its state, bodies, problems and the parser of commands), webhook, trial, demo | sqlx, store, pages |
//! | client | domain, clock, ids | axum, sqlx, app, store, http, config, any other folder |
//! | `command_line` | client, config, trial, check, domain, and the small modules | axum, sqlx, app, store, http, worker, pages, dev |
//! | pages | app, domain, http (its state, bodies, problems and the parser of commands), clock, ids | sqlx, store |
//! | mcp | app, domain, client (its delays), http (its state, bodies, problems, contract, documents and what its routes render), config, ids | sqlx, store, pages |
//!
//! Inside app, each capability is a struct that holds the state it owns and the capabilities below
//! it that it uses. [`app::App`] composes them, and only http, worker and the binary see it whole:
//! no file of a capability mentions it. A change that was committed is announced in one place,
//! `crate::app::commits`, below everything that writes.
//!
//! `tests/api/tidy.rs` reads the files and fails where a layer mentions what it never may. It also
//! fails on a cycle: at every level, modules (a file with the folder of its children) that use each
//! other. What two modules share goes into one below both, as `domain::trail` is below tasks,
//! partners and audit.
//!
//! # What always holds
//!
//! 1. There is one decision path. HTTP, timers, dry runs and simulations all use
//!    [`domain::task::decide`].
//! 2. A task reaches `delivery` only if every stage was decided *approved* after it was last
//!    entered, on the revision that was the latest then.
//! 3. A closed task never changes again. A late decision appends a row to the trail (once for each
//!    actor and decision, and not beyond the limit of a trail), and so does an erasure. The buyer's
//!    status and its `ETag` stay the same.
//! 4. A return goes to an earlier stage or to the same one. Every stage from there on is decided
//!    again.
//! 5. Of two decisions on the same stage and round the first wins, and the response shows it to the
//!    loser.
//! 6. Silence approves only where the definition says so, only the revision that waited the whole
//!    time, and never over a standing rejection.
//! 7. A timer is part of the state that it belongs to, so it cannot outlive that state.
//! 8. Folding the events gives the state. [`domain::task::evolve`] is the only code that changes a
//!    task, and it uses nothing but its arguments.
//! 9. A command writes state, buyer status and events together, or writes nothing.
//! 10. No sequence of timers alone runs for ever, and in every open task some party has a way out.
//! 11. Within a task, `recorded_at` never goes backwards, even if the replicas' clocks differ.
//! 12. Nothing is recorded under a key without the scope for it, or under the name of an actor that
//!     the key is not bound to.
//! 13. No person and no key of the platform approves or rejects what it escalated itself in that
//!     round, and a partner's approval of an escalation is one vote of the stage's quorum.
//!
//! The tests of `domain` check these over random definitions and sequences, and over all short
//! sequences of small definitions.
//!
//! # The parts that move
//!
//! **The write.** [`app::tasks::commands`] reads the task, and [`domain::task::decide`] turns the
//! command into a `Transition`, whose fields are private, so that nothing else can create one.
//! [`store::tasks::transitions`] writes it, guarded by the version that was decided on. A writer
//! that comes second changes no row. It first looks for its own command in the trail, since the
//! other writer may have written the same command, and otherwise decides again on the new state.
//! The write runs in a task of its own, so a client that disconnects does not stop it half-way.
//!
//! **Sharing commits.** Transitions of different tasks that wait at the same time share one
//! statement ([`store::Writer`]). There is no timer: what is queued when a connection becomes free
//! goes out. No member can make the others fail. A member whose command id is already in the trail,
//! or whose task has a newer version, is left out of the write. A row that another session has
//! locked is skipped and retried. A member that the server refuses for its content is found by
//! halving the batch, and its task's members go alone from then on. A task that this replica wrote
//! in the last seconds is not read before the next decision on it
//! (`crate::app::tasks::write_cache`). The version guard detects a stale copy, and a refusal is
//! decided again on what is stored. The answer is built while the statement runs.
//!
//! **Overload.** Every queue has a limit: transitions that wait to be written, and statements that
//! wait for a connection. Beyond the limit the answer is an immediate `503` with `Retry-After`, for
//! a command before anything is read. A quarter of the connections, with a queue of its own, is
//! reserved for what commands, timers, erasures and forecasts read. They use the pool `decisions`
//! of `crate::app::base`, and everything else uses `pool`, so readers cannot delay decisions.
//!
//! **Pages.** A link is exchanged for a session by a form, and `GET` changes nothing. A session's
//! caller is bound to one person and reaches no further than the link ([`domain::link`]), and every
//! command of a session is checked against that in [`app::tasks::commands`]. Cookies authenticate
//! pages only. A form is accepted from this origin alone, with a token that its session made; the
//! token holds the command's id, so sending a form again has no second effect. What is new is asked
//! for with the tag of what a page shows; a region that is replaced has no form in it.
//!
//! **Tools.** A message of an agent passes the checks of a request before the SDK sees it, and the SDK
//! is made anew for it, so there is no session. A tool parses and renders with the code of the
//! routes. What a key cannot use is neither listed nor done, and that is asked at each call. Results
//! say first that what people wrote is data. The schemas are cut from the contract when they are
//! first listed; where a result nests deeply they only outline it.
//!
//! **Metrics.** What costs nothing is read at each scrape. What takes a statement is read every 5 s
//! by [`worker::monitor`], in one statement with limits on rows and time, on a connection of its
//! own. No caller can add a value to a label. A request that is refused through no fault of its own
//! carries an [`app::refusals::Reason`], which is counted. A test compares the names of metrics
//! with the table in `docs/operations.md`. Some ages depend on other databases of the server (the
//! horizon); the log then names the session that is responsible.
//!
//! **Statistics.** What they count of a task is in its state: the ledger, the records of its stages and a
//! tally of the rest, which is empty for a task that is approved stage by stage. The statement of a batch
//! that closes tasks writes a row for each of their stages; a batch that closes none is the statement
//! that it would be without statistics. Nothing refers to these rows, so neither retention nor an
//! erasure touches them.
//!
//! **Traces.** While no collector is set, [`telemetry::spans`] does nothing: a request costs one look
//! at a flag. Spans are OpenTelemetry's own and travel in its context, not in the log's spans, so
//! neither changes the other. The context of a request is stored with the deliveries of its event
//! until they are settled; a delivery continues the trace of its receiver's own party, and has only
//! a link to any other.
//!
//! **The network to the database.** Every wait for the database has a limit of ours above the
//! server's own: [`store::Limits`]. One file applies them (`store/db/session.rs`), and a test fails
//! if another file holds a connection. A session that exceeds a limit, loses its connection, or is
//! refused because the server stops or takes no writes is closed. So are all sessions of its
//! generation, in every pool. A failure before a connection is established means *nothing was
//! done*, and a statement without an answer means *maybe* ([`store::Error`]). A session sets every
//! setting that statements rely on (`SESSION` in `store/db/settings.rs`) and is asked before its
//! first use whether it may write. [`app::operations::health`] has a connection of its own. A
//! further reason for not being ready is a variant of its enum.
//!
//! **Readers on standbys.** A replica that only reads has a pool that says so
//! ([`store::Pool::is_read_only`]), and everything asks the pool: its sessions need not write, its
//! workers do not, and what writes is refused. The contract says what writes
//! (`crate::http::openapi::writes`): all that is no `GET`, unless it is named. A standby is behind,
//! so something that a caller names and that is missing is `behind` (`crate::app::replay`), never
//! answered by something older. Horizon and rows of the feed are read in one session, so from one
//! server.
//!
//! **Cells.** A service can be one of several, each with a database or schema of its own
//! ([`domain::values::cell::Cell`]). The owner of the tables writes the name once
//! ([`store::db::cell`]), and the start and `/ready` compare it with the setting. Whatever is given
//! out and comes back names the cell: keys, links, sessions and cursors. A further kind must, too, and
//! [`domain::values::cell::Cell::check`] says whether it is ours. A gateway sends requests to the cell
//! that they name, and a request that names another one is refused before anything else. Locks and
//! channels of the database name the schema.
//!
//! **Before authentication.** Until its credential is checked, a request costs time linear in its
//! bytes, and those are limited. [`http::serve::server`] and `crate::http::serve::request_head`
//! limit the first line, the header fields and the whole header, on every way in. The bytes of
//! bodies that are being received or parsed are limited per process and per caller
//! ([`http::input::body::budget`]). A limit of the process answers `503`, a share of the caller's
//! own `429`. Each header and format is parsed by the grammar of its standard, with a table test
//! that names the section. The expiry of a credential is compared with the clock in one function
//! (`crate::app::access::time_until`).
//!
//! **Shares.** [`app::shares`] counts, per owner of a credential, what one caller can hold while
//! others wait for it: watchers, waits for the feed, simulations, proofs and exports. A caller
//! beyond its own share is refused with `429`. Beyond the total, the next caller is refused with
//! `503`. A new thing to hold is a new field there. The work itself holds the share, not the
//! request: an abandoned simulation counts until it ends.
//!
//! **Simulations.** Each step is passed on as it happens and not kept. The answer is text of a
//! limited size, and the work runs on a thread of its own.
//!
//! **The chain.** Every event is sealed before it is written. Each field is committed to with a
//! salt of its own, the commitments form a tree, and the entry's hash covers the root of the tree
//! and the previous hash. The table in [`domain::task::trail`] says for every field who sees
//! it and whether it can be erased. A field that is not in the table is not stored.
//! [`domain::audit`] applies it, and nothing else does, for answers, pages and proofs.
//!
//! **The transparency log.** Once a minute the heads of the trails that changed become leaves of an
//! append-only Merkle log ([`domain::audit::transparency_log`]), whose root is signed as a
//! [`domain::audit::checkpoint`]. [`worker::checkpoints`] decides when, and
//! [`app::audit::transparency_log`] what. It takes whole transactions in their order, below the
//! oldest one still running ([`store::db::horizon`]), so that one which commits late is not left
//! out. Leaves, nodes and checkpoint are one insert. Two replicas collide on its keys, and one
//! wins. Before anything is signed, what is stored must give the root that was signed last. A
//! further kind of trail is one more `select` in [`store::audit::transparency_log::list_changes`].
//! [`app::audit::receipts`] signs single entries with the same key.
//!
//! **The feed.** [`app::feed`] returns all trails in one order that never changes: by epoch,
//! transaction, task and `seq`. Like the log, it stops below the oldest transaction still running.
//! The status after an old event is not stored; it is folded from the trail, within a limit per
//! page. [`domain::feed`] alone builds a body. A body holds nothing that depends on the time of
//! reading, so every reading gives the same bytes. A restored database counts its transactions from
//! the start again, so `stagegate migrate --restored` begins another epoch, which comes before the
//! transaction in the order.
//!
//! While requests wait, one worker per replica ([`app::feed::tail`]) looks for what is new, with
//! two statements regardless of how many wait. It wakes the owners of the rows that it finds, and
//! they read up to its horizon. A cursor is the reader's own last row, or the beginning or end of a
//! committed transaction. It never names a row of another owner, or the horizon.
//!
//! **Who reads what.** [`domain::task::trail`] decides it for every route. A text that the status
//! or the task still shows is folded into the notes together with its readers, as that table gives
//! them. A view asks for a text on behalf of its reader. A rule about a reader looks only at the
//! event, so an event names its readers: `to` of an escalation, `share_with_buyer` of feedback,
//! both of a question, and of an answer the party that asked.
//! `tests/api/audit/fields.rs` plays every type of event and compares every field on every route
//! with the published table. A new field fails that test until a scene records it.
//!
//! **Feedback.** The words of an item can be erased, and what the rules need of it cannot. The entry of
//! a rejection therefore lists its items without their words, and the state keeps that list for each
//! stage until the stage approves or rejects again ([`domain::task::Item`]). Whether an item still
//! needs an answer follows from the entries alone: a submission settles all items, and an erasure
//! those whose words it removed. The notes keep words and answers, also while other stages decide.
//!
//! **Identity.** [`domain::values::identity`] defines what an id, a name, a label and a text may
//! hold. Input is strict: a body is parsed as a type that is
//! [`domain::values::outside::FromOutside`], or rejected. Rows are not: deserializing accepts what
//! older versions stored. Ids are compared by their key alone, in Rust and never in SQL, so that
//! spellings that look the same are one person. A repeated request is recognized by what its body
//! means ([`app::digest`]).
//!
//! **Keys.** What a partner's key may do is [`domain::partner::rights::Rights`]. It comes with the row
//! that the key cache holds, so checking it costs no statement. An operation declares its scope in
//! the `security` of its handler, and `crate::http::openapi::scopes` enforces what it declares. The
//! scope of a command depends on its type ([`domain::task::command`]). Whether the credential may
//! name the actor and is bound to it goes into the `Sender`, and `decide` refuses after the party.
//!
//! **The contract.** Handlers declare what is theirs, and `crate::http::openapi::shape` brings the whole
//! document into the form that generators of clients read well. The rules (one credential, absent
//! instead of null, named alternatives, words that may grow) hold for every schema that is added, and
//! `tests/api/http/shape.rs` states them. `docs/contract` keeps the contract of each release.
//!
//! **Links.** A link never reaches further than the credential that made it. Its session is a
//! [`app::Caller`] that is bound to the person and carries a [`domain::link::Reach`]; every read of
//! a task and every command asks for it, so no page can forget to. What a link is for is compared
//! with the task when the link is used, and no transition writes to it. The key is looked up with the
//! session, so revoking one ends the other. A platform key counts as itself behind its links, so a
//! link makes no second person.
//!
//! **The length of a trail.** Each kind of entry that a caller can repeat has a limit
//! ([`domain::task::limits::MAX_ENTRIES`] and those beside it). Beyond `MAX_ENTRIES` a task accepts
//! only what moves it on or ends it, so the ways out and the timers stay open.
//!
//! **Pages by bytes.** An entry may have several hundred kilobytes. The statement that reads a page
//! of a trail therefore adds up the sizes of its rows and ends with the one that reaches
//! `store::PAGE_BYTES`. Code that needs a whole trail folds it a page at a time
//! (`crate::app::tasks::fold`).
//!
//! **The partner's trail.** Keys created and revoked, workflows registered, retired and restored,
//! erasures and exports are entries of a second kind of trail, one per partner. It uses the same
//! code ([`domain::partner::event`], [`domain::audit::Subject`]). The statement that makes a change
//! appends the entry ([`store::audit::partner_events`]), guarded by the version in the partner's
//! row. [`app::journal`] retries those that lost a race. What changes nothing records nothing.
//!
//! **Exports.** [`app::audit::export`] streams one trail or many in pieces, and makes each piece
//! when the client has taken the one before. It reads no row ahead and holds no connection. Rows go
//! out as they are stored, and a damaged row does not stop the export: it is reported in its place,
//! for the verifier to find. Exports by the platform are first recorded with the partners.
//! [`domain::audit::export`] has the format, its writer and its verifier.
//!
//! **The verifier** reports no more than was proven. *Verified* requires a signature, by a key that
//! the reader supplied, that covers each trail's last entry. What is hidden must be hidden by the
//! table in [`domain::task::trail`]. Whatever a command prints from a file or an answer goes
//! through [`terminal`]. A new check goes into both verifiers, with a forgery in the tables of
//! `audit/export/tests`, on which both must agree.
//!
//! **Erasures.** [`worker::erasures`] goes through the tasks in the order of their ids, and
//! [`domain::erasure`] decides what is erased from each. In one transaction, guarded by the
//! task's version, the ordinary decision path appends `task.personal_data_erased`, and the role
//! `stagegate_erasure`, which may change only the column `personal`, removes values and salts.
//! Notes and status are folded from what is left. Every step can be repeated: if nothing is left to
//! erase, nothing changes. The order of transactions decides what was recorded before the request,
//! since replicas' clocks differ. Open tasks keep the actor's id until they close, since the rules
//! compare it.
//!
//! **Retention.** [`worker::retention`] walks through the closed tasks, the earliest first, in the one
//! replica that has the turn. [`app::retention`] announces a file in the database, writes, flushes and
//! verifies it, and then deletes the rows of a few tasks in one transaction, which records the file in
//! `archived_tasks` and in the partner's trail. The serving role may delete nothing: the function
//! `archive_tasks` of the schema does, and compares each task with the end of its file first. What
//! must not depend on the turn does not: only the process that announced a file may delete the rows
//! or remove the file, and a file is the same whoever writes it. Whoever does not find a task looks
//! in `archived_tasks` next ([`app::Error::Archived`]). Deletions are no events, so `archived_tasks`
//! has the order of the feed as well: replicas find there which cached statuses to drop.
//!
//! **The status.** The transition computes what the buyer reads, and it is stored beside the state,
//! ready to send. Its version is that of the task when the status last changed, so an event that
//! changes nothing for the buyer leaves the `ETag` alone.
//!
//! **The forecast.** How long a stage has taken and how much longer it may take depends on when the
//! caller asks, so it is not part of the stored status. [`domain::task::forecast`] adds it to every
//! status that is served. The durations of finished tasks are queried once a minute per workflow
//! version. The answers of one minute use the tasks that finished before it, so a replayed command
//! gets the same answer. The state has a ledger of whose time it was: `evolve` adds the time
//! between two events to the party that was waited on.
//!
//! **Why.** [`domain::task::why`] sends a minimal command of every type through `decide` and reads the
//! refusal, so that the answer cannot differ from the real one. A new type of command is missing in
//! its one match until it is added.
//!
//! **The desk.** `src/pages/task_work` offers a choice if `why` allows it, and its sentence comes from
//! a dry run; `consequence.rs` reads the same sentence from the trail afterwards. A form names the
//! state that it was made for and is never applied to a newer one. Only the page that says that
//! newer work came binds the form anew. Every page of a refusal shows what was typed.
//!
//! **Seats.** Who may vote, in which panel, who is barred from approving, and what the votes amount to
//! is asked of one file, `domain/task/seats.rs`: by votes, resolutions, views, the inbox and claims. A
//! stage without panels is one group there. What a vote meant for its panel is recorded with the vote,
//! so that reading an old trail does not depend on names that were erased since.
//!
//! **The second person. The state remembers who escalated for the platform in this round. Whether
//! dual control is on travels in the command's context, so that `decide` depends on nothing else.
//! Who can have a stage approved alone is computed from the definition (`domain/workflow/alone.rs`)
//! and compared with an exhaustive exploration.
//!
//! **Timers.** Each state knows when it must be woken, and the task's row has the earliest time.
//! [`worker::timers`] searches for due tasks without locks and decides on `Input::Tick`. The
//! version guard makes a second tick harmless. A tick handles one timer, the earliest.
//!
//! **Workers.** [`worker::supervisor`] runs every loop that lives as long as the service. A loop
//! that panics or returns is logged, counted and restarted after a pause. Each loop reports its
//! turns ([`app::workers`]). One without a turn for longer than its limit makes the
//! replica not ready. A new loop is spawned there, and nowhere else.
//!
//! **Clocks.** Order comes from versions and transactions, never from comparing the clocks of two
//! replicas. A first delivery is due by the database's clock. A replica measures its difference
//! from that clock ([`app::operations::clock_skew`]). Beyond 15 s it is not ready and runs no
//! timers, and code that waits for the writes of other replicas allows for that much.
//!
//! A clock that a developer moves ([`clock::Clock::movable`]) is compared by the machine's time beneath
//! it. What others compare with their own clocks, such as the time in a webhook's signature, goes
//! through [`clock::Clock::outside`].
//!
//! **Development.** [`dev::player`] takes the place of [`worker::timers`]. A move holds the clock at each
//! due instant until nothing is due and no delivery is under way. Scripted reviewers send ordinary
//! commands. Faults of webhooks are an [`app::webhooks::wire::Wire`], which production does not have.
//!
//! **Rows that cannot be read.** Each row is a result of its own. In a list, a batch of timers, or
//! a search for deliveries or erasures, a row that is damaged or has a newer format does not affect
//! the others. What was taken from a queue is settled all the same: a delivery that cannot be built
//! is postponed. Lists and the feed show an unreadable row in its place
//! ([`domain::task::unreadable`]). The feed, however, ends before a newer event, so that no reader
//! misses one in a rolling deploy. Constraints keep out times that the driver cannot read.
//!
//! **Polling.** A status that was current less than a second ago is answered from memory
//! ([`app::status`]), after credential and owner were checked. A `304` needs nothing else, and a
//! `200` has its forecast spliced in. A status that is known to have changed, by a write here or a
//! notification, is dropped at once; the age limit alone guarantees correctness. While somebody
//! polls, a look at the end of the feed, a few times a second, finds what changed and revalidates
//! the rest ([`app::status::refresh`]). The database therefore pays for writes and not for
//! polls. One statement at a time reads everything that is missing. A caller that knows of a newer
//! version, by its `ETag` or `min_version`, never gets an older one. Looks continue for 10 s after
//! the last poll. Cached statuses are compressed, each as its difference from another status of its
//! workflow version.
//!
//! **The path of a poll.** [`http::serve::middleware`] is two services in one layer around every
//! handler, since each of axum's layers is a box that is cloned for every request. A poll of one
//! status, long or not, bypasses the router ([`http::HttpService`]). It runs the same checks and
//! the same handler with half the work, and keeps nothing of the request while it waits. Futures
//! that are awaited but rarely needed are boxed, as every future around them would otherwise have
//! room for them. So are the parts of a connection, since there are many connections and most are
//! idle.
//!
//! **Waiting.** Requests that wait for a status share one topic per task ([`app::status::watch`]),
//! which knows the newest status and nothing else. Three things announce a newer one: this
//! replica's own write, after its commit; a notification of another replica ([`store::db::notify`],
//! batched, on two connections of its own); and a query once a second of the versions of all
//! watched tasks in one statement, so that nothing depends on a notification, which can be lost. A
//! newer status is read once, however many wait. [`worker::watchers`] runs these loops. Draining
//! releases all waiters.
//!
//! **Webhooks.** The statement that writes an event adds a row for each endpoint that receives it.
//! The rows of one task and endpoint form a line ([`store::webhooks::deliveries`]). Only the head
//! of a line is ever sent. A worker takes it by raising its `attempt`; of two workers one succeeds,
//! and a result counts only under that number. The rest of the line waits until the head is due
//! again.
//!
//! [`worker::deliveries`] searches for due deliveries without locks and visits endpoints
//! concurrently. Its slots are shared by owner, so an owner that holds none gets one even if others
//! hold the rest. Endpoints that fail or are slow have half of the slots. An endpoint gets more
//! concurrent attempts as it accepts quickly, and one when it fails. [`app::webhooks::dispatch`]
//! takes, renders, sends and settles. The code of the feed builds the body at each attempt, and it
//! is stored nowhere. [`domain::webhook`] has the schedule, the pauses and the rule for disabling
//! an endpoint. A notice of that appears in its owner's feed, ordered like all rows. If a worker
//! dies, its deliveries wait for the end of their lease, so nothing is lost and some may arrive
//! twice. [`webhook`] makes the attempt itself. An owner's row is locked while its endpoints are
//! counted. An erasure of a task clears the stored answers of receivers, and the answer of an
//! attempt that was under way at the time is not kept (`under_way`).
//!
//! **Limits.** Whatever a partner can create is limited where it is decided
//! ([`domain::partner::event`]): workflows, their versions, keys. Nothing grows without a limit.
//!
//! **Outgoing connections.** Owners of endpoints choose where we connect to, so a receiver is not
//! trusted. [`webhook::address`] gives an attempt the addresses to connect to, and has checked them
//! for it, literal addresses and names alike. Nothing else resolves a name. [`webhook::client`]
//! makes one connection per attempt, with limits on time and on what is read. [`webhook::sign`]
//! makes the headers that `docs/partner.md` tells receivers to verify. The tests run the code on
//! that page.
//!
//! **The private Postgres.** [`embedded`] finds or downloads the programs, starts them on a Unix
//! socket only, adopts a running server and recovers a killed one. Two lock files record who is
//! starting it and who is using it, and the last user stops it. The tests run on it too.
//!
//! # Decisions that were close
//!
//! `docs/decisions/` has a page for each, with its context and its consequence:
//!
//! - the rules: `0001-schemas-in-the-domain.md`, `0004-working-time-in-events.md`,
//!   `0005-texts-apart-from-state.md`
//! - writing: `0002-one-statement-per-transition.md`, `0003-group-commit.md`,
//!   `0021-no-repository-traits.md`
//! - the trail: `0006-salted-commitments.md`, `0007-copies-of-feedback.md`,
//!   `0008-own-signed-notes-and-tree.md`, `0009-exports-recorded-by-page.md`,
//!   `0010-export-scans-by-id.md`
//! - lists: `0011-lists-on-the-task-row.md`, `0012-queues-in-the-index.md`
//! - statuses: `0013-queue-instead-of-cache.md`, `0014-compressed-statuses.md`,
//!   `0015-revalidation-by-the-feed.md`, `0016-notify-after-commit.md`
//! - the feed and webhooks: `0017-window-instead-of-index.md`,
//!   `0018-delivery-queues-by-due-time.md`, `0019-bodies-made-at-each-attempt.md`,
//!   `0020-webhooks-over-hyper.md`
//! - the build: `0022-symbols-in-the-release.md`
//! - agents: `0023-the-official-sdk-of-mcp.md`
//! - statistics: `0024-facts-of-closed-tasks.md`
//! - people: `0025-absences-versioned-per-partner.md`
//!
//! # Where to add
//!
//! - **A command**: its line in `domain/task/command_type.rs`, from which the parser and the
//!   contract are made; its struct and variant in [`domain::task::command`], its row in
//!   [`domain::task::table`], its rule under `domain/task/decide/`, its fact in
//!   [`domain::task::event`] with its fields in [`domain::task::trail`], its fold in
//!   [`domain::task::evolve`]. No match has a `_`, so the compiler and `domain/tests/types.rs` name
//!   every place that was forgotten. `docs/add-a-command.md` is a worked example.
//! - **A phase**: a variant of [`domain::task::Phase`] with the data that exists only there; then
//!   as above, and the label in [`domain::task::status`].
//! - **An operation**: a function of its capability in [`app`], a handler of the same name in
//!   [`http`], and one line in its list of routes. `./test --update` writes `openapi.yaml`. A test
//!   calls every operation with an id in its path with another partner's key (`tests/api/access/ownership.rs`).
//! - **A page**: its row in the list of its part (`pages::table` joins them), a handler that takes a
//!   `Visitor` or a `Form`, a template, and its words in every file of `pages/texts`. A form's members
//!   go through `pages::command`, so that the API's parser and rules decide. A scenario in
//!   `tests/browser` shows the page to a real browser with `rig.looksGood`.
//! - **A tool**: its row in the table of [`mcp::tools`], its command or its function, and its schemas
//!   in `mcp/tools/schemas.rs`. The matches name every place that was forgotten. `docs/mcp.md` has
//!   the table for people.
//! - **A migration**: `migrations/NNNN_what.sql`, forward only, each table and column commented;
//!   `./test --update` writes `.sqlx`.
//! - **A command of the command line**: its arguments in `config/commands.rs`, a file in
//!   [`command_line`], its row and an example that is run in `docs/command-line.md`.
//! - **A setting**: a field in [`config`]. A test compares the table in `docs/operations.md` with
//!   it.
//! - **A close decision**: the next page in `docs/decisions`, its line in the list there, and its
//!   name above.

pub mod app;
pub mod archive;
pub mod causes;
pub mod check;
pub mod client;
pub mod clock;
pub mod command_line;
pub mod config;
pub mod demo;
pub mod dev;
pub mod domain;
pub mod embedded;
pub mod health;
pub mod http;
pub mod ids;
pub mod json;
pub mod mcp;
pub mod pages;
pub mod store;
pub mod telemetry;
pub mod terminal;
pub mod trial;
pub mod webhook;
pub mod worker;
