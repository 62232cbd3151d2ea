//! Laws that hold at every step of every test: each command sent through `Play` is checked here.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chrono::TimeDelta;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::task::command::{Action, Command};
use crate::domain::task::decide::{Input, Transition, allowed, decide};
use crate::domain::task::event::{Event, Fact};
use crate::domain::task::notes::Notes;
use crate::domain::task::question::Questions;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::snapshot::{Fold, Snapshot};
use crate::domain::task::status::Status;
use crate::domain::task::table::{Edge, ROWS, Role, Row, Trigger};
use crate::domain::task::{Clock, Ledger, Phase, PhaseName, ResponseClock, Tally, Task, Timer, seats};
use crate::domain::values::party::{ActorRef, Party, Source};
use crate::domain::values::time::Time;
use crate::domain::workflow::{Assurance, Workflow};

use super::absences;
use super::facts;
use super::links;
use super::panels;
use super::spent;
use super::test_support::{Play, short};

thread_local! {
    /// The edges that this thread's test crossed.
    static CROSSED: RefCell<BTreeSet<Edge>> = const { RefCell::new(BTreeSet::new()) };
}

/// The edges crossed since the last call, by this test.
pub(super) fn take_crossed() -> BTreeSet<Edge> {
    CROSSED.take()
}

/// Every edge of the table.
pub(super) static EDGES: LazyLock<BTreeSet<Edge>> = LazyLock::new(|| ROWS.iter().flat_map(Row::edges).collect());

/// The text that is hashed and compared (RFC 8785).
pub(super) fn canonical<T: Serialize>(value: &T) -> String {
    serde_json_canonicalizer::to_string(value).unwrap()
}

/// The stored text, which must load as the same value.
fn reads_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) -> String {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *value, "{text}");
    text
}

/// Checks the opening, which is a transition too.
pub(super) fn check_opening(play: &Play) {
    let events = play.trail.iter().map(|event| short(&event.fact)).collect();
    cross(Edge { from: None, trigger: Trigger::Open, events, to: play.snapshot.task.phase() });
    check_stored(&play.workflow, &play.trail, &play.snapshot);
}

/// Checks a step: `play` before `input`, and the result.
pub(super) fn check_step(play: &Play, input: Input<'_>, result: &Result<Transition, Refusal>) {
    let again = decide(&play.workflow, &play.snapshot, input, play.moment());
    assert_eq!(again, *result, "the same question has the same answer");
    let before = &play.snapshot.task;
    let Ok(transition) = result else {
        let due = before.next_timer().is_some_and(|(at, _)| at <= play.now);
        assert!(!(due && is_tick(input)), "a due timer's tick is taken");
        return;
    };
    let after = transition.snapshot();
    check_rows(play, transition);
    check_question(before, transition);
    panels::check(&play.workflow, after);
    absences::check(play, transition);
    check_status(&play.snapshot, after, play.now);
    check_party(play, input, transition);
    check_bound(play, input, transition);
    if before.phase().is_terminal() {
        check_absorbed(&play.snapshot, transition);
    }
    if is_tick(input) {
        check_tick(before, &after.task);
    }
    let edge = edge(before, input, transition);
    links::check(&play.workflow, &play.snapshot, after, &edge);
    cross(edge);
    // An erasure changes what was folded before it.
    if !matches!(input, Input::Erase(_)) {
        let mut fold = Fold::resume(&play.workflow, play.snapshot.clone());
        transition.events().iter().for_each(|event| fold.push(Cow::Borrowed(event), |_| {}));
        assert_eq!(fold.end(|_| {}).as_ref(), Some(after), "a fold goes on from the end of every transition");
    }
    let mut trail = play.trail.clone();
    trail.extend(transition.events().iter().cloned());
    check_stored(&play.workflow, &trail, after);
}

fn is_tick(input: Input<'_>) -> bool {
    matches!(input, Input::Tick)
}

/// Within a task equal tags are equal actors, and every entry with an actor has a tag, except late
/// decisions after the end.
fn check_tags(trail: &[Event], snapshot: &Snapshot) {
    assert_eq!(snapshot.task.tag_secret.is_none(), snapshot.task.phase().is_terminal(), "a closed task has no secret");
    let (mut tags, mut actors) = (BTreeMap::new(), BTreeMap::new());
    for event in trail {
        let actor = event.actor.as_ref().zip(event.party.party());
        let actor = actor.map(|(actor, party)| ActorRef { party, id: actor.id.clone() });
        let Some(tag) = event.actor_tag else {
            let late = matches!(event.fact, Fact::LateDecisionRecorded(_));
            assert!(actor.is_none() || late, "an entry with an actor has a tag");
            continue;
        };
        // An erased actor has left only the tag.
        let Some(actor) = actor else { continue };
        assert_eq!(*tags.entry(actor.clone()).or_insert(tag), tag, "one actor, one tag");
        assert_eq!(*actors.entry(tag).or_insert_with(|| actor.clone()), actor, "one tag, one actor");
    }
}

/// Rules 8 and 3: the stored state follows from the events, survives storage, and forgets people
/// once the task has ended.
fn check_stored(workflow: &Workflow, trail: &[Event], snapshot: &Snapshot) {
    // A long trail is folded at every fifth step, at a fifth of the cost. (Equal values have equal
    // texts, and differing texts show more.)
    if trail.len() < 16 || trail.len().is_multiple_of(5) || snapshot.task.phase().is_terminal() {
        let folded = Snapshot::fold(workflow, trail).unwrap();
        let snapshot = &snapshot.clone().without_tag_secret();
        if folded != *snapshot {
            assert_eq!(canonical(&folded.task), canonical(&snapshot.task), "the state is the fold of the events");
            assert_eq!(canonical(&folded.notes), canonical(&snapshot.notes), "the notes are the fold of the events");
            assert_eq!(canonical(&folded.status), canonical(&snapshot.status), "the status is the fold of the events");
            panic!("equal texts of different values");
        }
        spent::check(workflow, trail, &snapshot.task, snapshot.task.recorded_at() + TimeDelta::microseconds(1));
        facts::check(trail, snapshot);
    }
    check_tags(trail, snapshot);
    let state = reads_back(&snapshot.task);
    reads_back(&snapshot.notes);
    reads_back(&snapshot.status);
    let last = trail.last().map_or(0, |event| event.cause_seq);
    trail.iter().filter(|event| event.cause_seq == last).for_each(|event| drop(reads_back(event)));
    assert!(!state.contains("Named Person"), "a state holds no names");
    if snapshot.task.phase().is_terminal() {
        assert_eq!(snapshot.task.next_timer(), None, "a closed task has no timers");
        assert_eq!(snapshot.notes, Notes::default(), "a closed task has no notes");
        assert!(!state.contains("\"u-"), "a closed task holds no actor ids");
    }
}

/// Rule 11, and the numbering.
fn check_rows(play: &Play, transition: &Transition) {
    let before = &play.snapshot.task;
    let at = play.now.max(before.recorded_at());
    assert_eq!(transition.expected_version(), before.version());
    assert!(!transition.events().is_empty());
    for (event, seq) in transition.events().iter().zip(before.version() + 1..) {
        assert_eq!((event.seq, event.cause_seq, event.recorded_at), (seq, before.version() + 1, at));
    }
    let after = &transition.snapshot().task;
    assert_eq!((after.version(), after.recorded_at()), (before.version() + transition.events().len() as u64, at));
}

/// A question decides nothing: asking, answering, withdrawing and lapsing change nothing but the
/// question, its account, the reviewers' clock and instants. A question lies only beside the phases
/// that can have one, and stops the reviewers' clock.
fn check_question(before: &Task, transition: &Transition) {
    let after = &transition.snapshot().task;
    let in_place = matches!(after.phase, Phase::Preparing | Phase::InReview(_) | Phase::OnHold(_));
    assert!(after.question.is_none() || in_place, "no question outlives its round: {:?}", after.phase);
    if let Phase::InReview(review) = &after.phase {
        let paused = matches!(review.clock, Clock::Paused { .. });
        assert_eq!(paused, after.question.is_some(), "the clock stands still exactly while a question is open");
    }
    let own = |event: &Event| {
        matches!(event.fact, Fact::QuestionAsked(_) | Fact::QuestionAnswered(_) | Fact::QuestionClosed { .. })
    };
    if transition.events().iter().all(own) {
        assert_eq!(without_question(before), without_question(after));
    }
}

/// A task without everything that a question may change.
fn without_question(task: &Task) -> Task {
    let mut task = task.clone();
    (task.question, task.questions) = (None, Questions::default());
    (task.version, task.recorded_at, task.since) = (0, task.opened_at, task.opened_at);
    (task.spent, task.tally) = (Ledger::default(), Tally::default());
    if let Phase::InReview(review) = &mut task.phase {
        review.clock = Clock::Unbounded;
    }
    task
}

/// The status gets a new version exactly if its content changes.
fn check_status(before: &Snapshot, after: &Snapshot, now: Time) {
    let same = Status { version: before.status.version, updated_at: before.status.updated_at, ..after.status.clone() };
    if same == before.status {
        assert_eq!(after.status, before.status, "a status that says the same keeps its version");
    } else {
        let at = now.max(before.task.recorded_at());
        assert_eq!((after.status.version, after.status.updated_at), (after.task.version(), at));
    }
}

/// The sender could send the command, according to the table and to `allowed`.
fn check_party(play: &Play, input: Input<'_>, transition: &Transition) {
    let before = &play.snapshot.task;
    let edge = edge(before, input, transition);
    let party = match input {
        Input::Party(command) => Some(command.meta().sender.party),
        Input::Tick => None,
        Input::Erase(_) => Some(Party::Platform),
    };
    let fits =
        |row: &&Row| row.trigger == edge.trigger && row.from.contains(&before.phase()) && row.edges().contains(&edge);
    let mut rows = ROWS.iter().filter(fits);
    assert!(rows.any(|row| row.by.iter().any(|role| plays(play, *role, party))), "{party:?} has no row for {edge:?}");
    if let Input::Party(command) = input
        && transition.late().is_none()
    {
        let (party, kind) = (command.meta().sender.party, command.action().command_type());
        assert!(
            allowed(&play.workflow, before, party).contains(&kind),
            "{kind:?} was taken from {party} but is not allowed"
        );
    }
}

/// A stage that requires bound keys is decided under no others, and the decision says whether all
/// that counted were bound.
fn check_bound(play: &Play, input: Input<'_>, transition: &Transition) {
    if let Input::Party(command) = input {
        assert!(command.meta().sender.admitted, "nothing is recorded under somebody else's key");
    }
    let bound = matches!(input, Input::Party(command) if command.meta().sender.bound);
    let vote = |seq: &u64| {
        let mut events = play.trail.iter().chain(transition.events());
        let found = events.find(|event| event.seq == *seq).map(|event| &event.fact);
        matches!(found, Some(Fact::VoteRecorded(vote)) if vote.bound)
            || matches!(found, Some(Fact::EscalationResolved(resolved)) if resolved.bound)
    };
    let stage = play.snapshot.task.stage_in(&play.workflow);
    let required = stage.assurance == Assurance::Bound;
    for Event { fact, party, actor, .. } in transition.events() {
        let by_person = *party != Source::Service;
        // Votes that are left decide without anybody's key.
        let bound = bound || actor.is_none();
        if let Fact::VoteRecorded(vote) = fact {
            assert_eq!(vote.bound, bound);
            assert!(bound || !required, "a vote under a key that is not bound");
        }
        if let Fact::StageApproved { votes, bound: all, .. } = fact {
            assert_eq!(*all, by_person && bound && votes.iter().all(vote));
            assert!(*all || !required || !by_person, "an approval under a key that is not bound");
        }
        if let Fact::StageRejected(rejected) = fact {
            assert_eq!(rejected.bound, by_person && bound && rejected.votes.iter().all(vote));
        }
    }
}

fn plays(play: &Play, role: Role, party: Option<Party>) -> bool {
    let task = &play.snapshot.task;
    let is = match role {
        Role::Partner => Some(Party::Partner),
        Role::Buyer => Some(Party::Buyer),
        Role::Platform => Some(Party::Platform),
        Role::Reviewer => Some(task.stage_in(&play.workflow).reviewer),
        Role::Service => return party.is_none(),
        Role::EscalatedTo => match &task.phase {
            Phase::Escalated(escalation) => Some(escalation.to),
            Phase::Cancelling(wind_down) => wind_down.open.escalation.map(|asked| asked.to),
            Phase::Closed(closed) => closed.open.escalation.map(|asked| asked.to),
            Phase::Preparing | Phase::InReview(_) | Phase::OnHold(_) => None,
        },
        Role::PartyAsked => task.question.map(|question| question.to),
        Role::Asker => task.question.map(|question| question.from),
        Role::HeldBy => match &task.phase {
            Phase::OnHold(hold) => Some(hold.by),
            Phase::Preparing | Phase::InReview(_) | Phase::Escalated(_) | Phase::Cancelling(_) | Phase::Closed(_) => {
                None
            }
        },
    };
    party.is_some() && party == is
}

/// Rule 3: only the audit entry of a late decision or of an erasure is added.
fn check_absorbed(before: &Snapshot, transition: &Transition) {
    let (earlier, later) = (&before.task, &transition.snapshot().task);
    match transition.events() {
        [Event { fact: Fact::LateDecisionRecorded(_), .. }] => assert!(transition.late().is_some()),
        [Event { fact: Fact::PersonalDataErased(_), .. }] => {}
        other => panic!("appended to a closed task: {other:?}"),
    }
    let same = Task { version: later.version, recorded_at: later.recorded_at, ..earlier.clone() };
    assert_eq!(same, *later);
    assert_eq!((&before.status, &before.notes), (&transition.snapshot().status, &transition.snapshot().notes));
}

/// Rules 7 and 10: the timer that fired is gone, and new ones start at the tick.
fn check_tick(before: &Task, after: &Task) {
    let fired = before.next_timer().unwrap();
    let mut old = timers(before);
    assert_eq!(Some(&fired), old.iter().min(), "the earliest first");
    old.remove(old.iter().position(|timer| *timer == fired).unwrap());
    for timer in timers(after) {
        match old.iter().position(|earlier| *earlier == timer) {
            Some(index) => drop(old.remove(index)),
            // A review that was overdue when the question was asked is overdue again once it lapses.
            None if fired.1 == Timer::Question && matches!(timer.1, Timer::Stage | Timer::Reminder) => {}
            None => assert!(timer.0 >= after.recorded_at(), "{timer:?} starts before the tick that made it"),
        }
    }
}

/// Every timer in a state.
pub(super) fn timers(task: &Task) -> Vec<(Time, Timer)> {
    let mut timers: Vec<(Time, Timer)> = task.deadline_at.map(|at| (at, Timer::Task)).into_iter().collect();
    let answer = task.question.and_then(|question| question.clock.due_at());
    timers.extend(answer.map(|at| (at, Timer::Question)));
    match &task.phase {
        Phase::Closed(_) => timers.clear(),
        Phase::Cancelling(wind_down) => timers = vec![(wind_down.grace_until, Timer::Grace)],
        Phase::Preparing | Phase::OnHold(_) => {}
        Phase::InReview(review) => {
            if let Clock::Running { due_at, remind_at } = &review.clock {
                timers.push((*due_at, Timer::Stage));
                timers.extend(remind_at.iter().map(|at| (*at, Timer::Reminder)));
            }
        }
        Phase::Escalated(escalation) => {
            if let ResponseClock::Running { due_at } = escalation.clock {
                timers.push((due_at, Timer::Escalation));
            }
        }
    }
    timers
}

fn cross(edge: Edge) {
    assert!(EDGES.contains(&edge), "not in the table: {}", describe(&edge));
    CROSSED.with_borrow_mut(|crossed| crossed.insert(edge));
}

pub(super) fn describe(edge: &Edge) -> String {
    let from = edge.from.map_or("-", PhaseName::as_str);
    format!("{from} | {:?} | {} > {}", edge.trigger, edge.events.join(" "), edge.to.as_str())
}

/// The edge that was crossed.
fn edge(before: &Task, input: Input<'_>, transition: &Transition) -> Edge {
    let events = transition.events().iter().map(|event| short(&event.fact)).collect();
    Edge {
        from: Some(before.phase()),
        trigger: trigger(before, input, transition),
        events,
        to: transition.snapshot().task.phase(),
    }
}

fn trigger(before: &Task, input: Input<'_>, transition: &Transition) -> Trigger {
    match input {
        Input::Tick => {
            let (_, timer) = before.next_timer().unwrap();
            let passed = transition.events().first().map(|event| &event.fact);
            let action = if let Some(Fact::DeadlinePassed { action, .. }) = passed { Some(*action) } else { None };
            assert!(
                transition.events().iter().all(|event| event.party == Source::Service),
                "a timer acts as the service"
            );
            match timer {
                Timer::Task => Trigger::TaskDeadline,
                Timer::Grace => Trigger::GraceEnd,
                Timer::Question => Trigger::QuestionDeadline,
                Timer::Reminder => Trigger::Reminder,
                Timer::Stage => Trigger::StageDeadline(action.unwrap()),
                Timer::Escalation => Trigger::EscalationDeadline(action.unwrap()),
            }
        }
        Input::Party(command) => asked(before.phase(), command),
        Input::Erase(_) => Trigger::Erasure,
    }
}

/// The trigger of a party's command, as the table names it.
pub(super) fn asked(phase: PhaseName, command: &Command) -> Trigger {
    if let (Action::EscalationResolved(body), PhaseName::Escalated) = (command.action(), phase) {
        return Trigger::Resolved(body.resolution);
    }
    Trigger::Command(command.action().command_type())
}

/// Rule 10, first half: a sequence of ticks alone ends.
pub(super) fn check_ticks_end(play: &Play) {
    let mut play = play.clone();
    let most = 20 * (play.workflow.stages.len() + 1);
    for _ in 0..most {
        if play.run("tick") == "nothing_due" {
            return;
        }
    }
    panic!("after {most} ticks there is still a timer: {:?}", play.snapshot.task);
}

/// Rule 10, second half: the party that an open task waits on can do something about it, without cancelling.
pub(super) fn check_way_out(play: &Play) {
    let task = &play.snapshot.task;
    let Some(party) = task.waiting_on(&play.workflow) else { return };
    let stage = task.stage_in(&play.workflow);
    let named = seats::named(&play.workflow, task).unwrap_or_default();
    let named = named.first().map_or(party.as_str(), |id| id.as_str().trim_start_matches("u-"));
    let asked = task.waiting_question().is_some();
    let reason = stage.on_reject.reasons.first().map_or_else(String::new, |reason| format!("reason={}", reason.key));
    let step = match task.phase() {
        PhaseName::Preparing | PhaseName::InReview if asked => format!("answer {party}"),
        PhaseName::Preparing => format!("submit {party} all"),
        PhaseName::InReview if stage.assurance == Assurance::Bound => format!("reject {named}* {reason}"),
        PhaseName::InReview => format!("reject {named} {reason}"),
        // Somebody who has not escalated, under a key of their own.
        PhaseName::Escalated => format!("resolve {party}-spare^spare reject {reason}"),
        PhaseName::OnHold => format!("resume {party}"),
        PhaseName::Cancelling => format!("ack {party} discarded"),
        PhaseName::Delivery | PhaseName::Cancelled | PhaseName::Expired | PhaseName::Failed => return,
    };
    let command = play.command(&step);
    assert!(allowed(&play.workflow, task, party).contains(&command.action().command_type()), "{step}");
    let outcome = decide(&play.workflow, &play.snapshot, Input::Party(&command), play.moment());
    // Actors who have voted may still change their vote.
    let stands = matches!(outcome, Err(Refusal::AlreadyVoted { .. }));
    assert!(outcome.is_ok() || stands, "{step}: {outcome:?}");
}
