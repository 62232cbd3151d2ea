//! A task under test and a small language for its story, so that a case fits on one line.
//!
//! A script is a list of steps joined by `;`. A step is a verb, who does it, and what the verb
//! needs. Stage, round, revision and escalation or question are the current ones unless `@stage`,
//! `.round`, `~revision` or `#seq` name others:
//! `submit anna; approve bo; reject chi copy; escalate bo buyer; resolve buyer redirect platform; wait PT1H; tick`.
//! `away anna PT1H bo` makes anna absent for an hour with bo in her place, and `there anna` ends that;
//! `+PT5M` at the end begins it in five minutes.
//! What a rejection says, and what a submission answers, follows as words (`said`, `answers`).
//! All names are the partner's people, except `buyer` and `platform`.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::absence::{Absence, Absences, Moment};
use crate::domain::audit::{self, Origin, Sealed, Subject as _};
use crate::domain::erasure::{Plan, Scope};
use crate::domain::task::command::{
    Action, CancellationAcknowledged, CancellationRequested, Command, CommandType, EscalationResolved, Held, Meta,
    QuestionAnswered, QuestionAsked, QuestionWithdrawn, Resumed, ReviewersChanged, StageApproved, StageEscalated,
    StageRejected, StatusUpdated, WorkSubmitted,
};
use crate::domain::task::decide::{Erasure, Input, Opening, Transition, decide, open};
use crate::domain::task::event::{
    Answer, Answered, Artifact, Event, Fact, Feedback, InFlight, ItemId, Resolution, WorkflowRef,
};
use crate::domain::task::refusal::Refusal;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::task::{Phase, TagSecret};
use crate::domain::values::id::{
    ActorId, BuyerId, ErasureId, PanelKey, PartnerId, ReasonKey, StageKey, TaskId, WorkflowKey,
};
use crate::domain::values::party::{Actor, Party, Sender};
use crate::domain::values::text::Text;
use crate::domain::values::time::{Span, Time};
use crate::domain::workflow::Workflow;

use super::laws;
use super::trail::Reader;

/// When every task under test is opened: 2026-11-22T10:00:00Z.
pub(super) const START: i64 = 1_795_341_600_000_000;

/// A task, its trail and the current time.
#[derive(Clone)]
pub(super) struct Play {
    pub(super) workflow: Workflow,
    pub(super) trail: Vec<Event>,
    pub(super) snapshot: Snapshot,
    pub(super) now: Time,
    /// Who of the partner is absent, and when.
    pub(super) absences: Absences,
    /// The trail as stored, once something was erased from it.
    pub(super) rows: Option<Vec<Sealed>>,
    reader: Reader,
}

pub(super) fn text<const MAX: usize, const MULTILINE: bool>(words: &str) -> Text<MAX, MULTILINE> {
    Text::parse(words).unwrap()
}

/// The id of one of the partner's people.
pub(super) fn person(word: &str) -> ActorId {
    ActorId::parse(format!("u-{word}")).unwrap()
}

fn key(word: &str) -> StageKey {
    StageKey::parse(word).unwrap()
}

pub(super) fn party(word: &str) -> Party {
    match word.split(['-', '^']).next() {
        Some("buyer") => Party::Buyer,
        Some("platform") => Party::Platform,
        _ => Party::Partner,
    }
}

/// The actor with this id, of the party, such as `platform`, `platform-olga` or `bo`. A star after
/// the name, as in `anna*`, stands for a credential that is bound to the actor, and a minus for one
/// that is bound to somebody else; a buyer is always bound. A key other than the usual one follows
/// after `^`. Its display name must never appear in a state.
pub(super) fn sender(word: &str) -> Sender {
    let (is_bound, is_foreign) = (word.ends_with('*') || word == "buyer", word.ends_with('-'));
    let word = word.trim_end_matches(['*', '-']);
    let party = party(word);
    let (word, key) = word.split_once('^').unwrap_or((word, "1"));
    let id = ActorId::parse(format!("u-{word}")).unwrap();
    let actor = Actor { id, name: Some(text("Named Person")), role: None };
    let credential_id = text(&format!("key-{key}"));
    Sender { party, actor: Some(actor), credential_id, bound: is_bound, admitted: !is_foreign }
}

pub(super) fn feedback(words: &str) -> Feedback {
    Feedback::new(text(words))
}

pub(super) fn parse(definition: &Value) -> Workflow {
    Workflow::parse(definition).unwrap_or_else(|mistakes| panic!("{definition:#}: {mistakes:#?}")).workflow
}

pub(super) fn opening() -> Opening {
    Opening {
        task_id: TaskId(Uuid::from_u128(7)),
        sender: sender("platform"),
        workflow: WorkflowRef { key: WorkflowKey::parse("w").unwrap(), version: 1 },
        definition: [0; 32],
        title: text("A campaign"),
        metadata: json!({"campaign": 7}).as_object().cloned(),
        deadline_at: None,
        tag_secret: TagSecret::from_random([7; 16]),
    }
}

/// The outcome of a step in words: the events and the phase, or the refusal's code.
pub(super) fn outcome(result: &Result<Transition, Refusal>) -> String {
    match result {
        Err(refusal) => name(refusal).to_owned(),
        Ok(transition) => {
            let names: Vec<&str> = transition.events().iter().map(|event| short(&event.fact)).collect();
            format!("{} > {}", names.join(" "), transition.snapshot().task.phase().as_str())
        }
    }
}

/// An event's name without the `task.` prefix.
pub(super) fn short(fact: &Fact) -> &'static str {
    fact.kind().trim_start_matches("task.")
}

/// The code of a refusal on the wire; for an invalid body, the field of the command.
pub(super) fn name(refusal: &Refusal) -> &str {
    match refusal {
        Refusal::Invalid { pointer, .. } => {
            let rest = pointer.get(1..).unwrap_or_default();
            &pointer[..rest.find('/').map_or(pointer.len(), |at| at + 1)]
        }
        Refusal::WrongParty(_) => "wrong_party",
        Refusal::KeyScope(_) => "key_scope",
        Refusal::KeyActor => "key_actor",
        Refusal::KeyUnbound => "key_unbound",
        Refusal::NotAReviewer => "not_a_reviewer",
        Refusal::ReviewersFixed(_) => "reviewers_fixed",
        Refusal::SelfApproval => "self_approval",
        Refusal::NotDistinct => "not_distinct",
        Refusal::HeldByOther => "held_by_other",
        Refusal::ResolutionNotAllowed(_) => "resolution_not_allowed",
        Refusal::SecondPerson => "second_person",
        Refusal::AlreadyDecided { .. } => "already_decided",
        Refusal::AlreadyVoted { .. } => "already_voted",
        Refusal::StageMismatch => "stage_mismatch",
        Refusal::RoundMismatch => "round_mismatch",
        Refusal::WrongPhase => "wrong_phase",
        Refusal::SubmissionNotOpen => "submission_not_open",
        Refusal::StaleEscalation => "stale_escalation",
        Refusal::UnansweredFeedback { .. } => "unanswered_feedback",
        Refusal::QuestionOpen { .. } => "question_open",
        Refusal::StaleQuestion { .. } => "stale_question",
        Refusal::NothingToReturnTo => "nothing_to_return_to",
        Refusal::RedirectLimit => "redirect_limit",
        Refusal::AlreadyCancelling => "already_cancelling",
        Refusal::Cancelling { .. } => "cancelling",
        Refusal::TaskClosed { .. } => "task_closed",
        Refusal::StaleRevision => "stale_revision",
        Refusal::LimitReached(_) => "limit_reached",
        Refusal::NothingDue => "nothing_due",
    }
}

impl Play {
    /// A task opened on this definition.
    pub(super) fn open(definition: &Value) -> Self {
        Self::open_with(definition, Absences::default())
    }

    /// A task opened on this definition while these people are absent.
    pub(super) fn open_with(definition: &Value, absences: Absences) -> Self {
        let (workflow, now) = (parse(definition), Time::from_micros(START));
        let (trail, snapshot) = open(&workflow, opening(), Moment { now, absences: &absences }).unwrap().into_parts();
        let mut reader = Reader::default();
        for event in &trail {
            reader.read(&workflow, event);
        }
        let play = Self { workflow, trail, snapshot, now, absences, rows: None, reader };
        laws::check_opening(&play);
        play
    }

    /// Runs a script on a definition.
    pub(super) fn of(definition: &Value, script: &str) -> Self {
        let mut play = Self::open(definition);
        play.run(script);
        play
    }

    /// Continues with a script and returns the outcome of its last step.
    pub(super) fn run(&mut self, script: &str) -> String {
        script
            .split(';')
            .map(str::trim)
            .filter(|step| !step.is_empty())
            .map(|step| self.step(step))
            .last()
            .unwrap_or_default()
    }

    fn step(&mut self, step: &str) -> String {
        match step.split_once(' ') {
            Some(("wait", span)) => self.now = self.now + Span::parse(span).unwrap().delta(),
            Some(("back", span)) => self.now = self.now - Span::parse(span).unwrap().delta(),
            Some(("erase", who)) => return self.erase(who),
            Some(("away", who)) => self.set_absence(who),
            Some(("there", who)) => self.remove_absence(who),
            // The time moves on to the next timer, except in `tick now`.
            _ if step.starts_with("tick") => {
                if step == "tick" {
                    self.now = self.now.max(self.snapshot.task.wake_at().unwrap_or(self.now));
                }
                return outcome(&self.send(Input::Tick));
            }
            _ => {
                return match self.try_command(step) {
                    Ok(command) => outcome(&self.send(&command)),
                    Err(refusals) => name(&refusals[0]).to_owned(),
                };
            }
        }
        String::new()
    }

    /// This time, with those who are absent then.
    pub(super) fn moment(&self) -> Moment<'_> {
        Moment { now: self.now, absences: &self.absences }
    }

    /// `anna PT1H bo +PT5M`: anna is absent for an hour, with bo in her place, from in five minutes on.
    fn set_absence(&mut self, words: &str) {
        let mut words = words.split_whitespace();
        let (who, span) = (words.next().unwrap(), Span::parse(words.next().unwrap()).unwrap());
        let (mut from, mut substitute) = (self.now, None);
        for word in words {
            match word.strip_prefix('+') {
                Some(span) => from = from + Span::parse(span).unwrap().delta(),
                None => substitute = Some(person(word)),
            }
        }
        let absence = Absence { actor: person(who), from, until: from + span.delta(), substitute };
        self.absences = Absences::new(self.absences.iter().cloned().chain([absence]));
    }

    fn remove_absence(&mut self, who: &str) {
        let others = self.absences.iter().filter(|absence| absence.actor != person(who)).cloned();
        self.absences = Absences::new(others);
    }

    /// Sends a command, a tick or an erasure, as the service would.
    pub(super) fn send<'a>(&mut self, input: impl Into<Input<'a>>) -> Result<Transition, Refusal> {
        match input.into() {
            Input::Party(command) => {
                let command = command.clone().with_late(self.late(command));
                self.take(Input::Party(&command))
            }
            input @ (Input::Tick | Input::Erase(_)) => self.take(input),
        }
    }

    fn take(&mut self, input: Input<'_>) -> Result<Transition, Refusal> {
        let result = decide(&self.workflow, &self.snapshot, input, self.moment());
        laws::check_step(self, input, &result);
        if let Ok(transition) = &result {
            transition.events().iter().for_each(|event| self.reader.read(&self.workflow, event));
            self.trail.extend(transition.events().iter().cloned());
            self.snapshot = transition.snapshot().clone();
            if let Some(rows) = &mut self.rows {
                seal_rest(rows, &self.trail);
            }
        }
        result
    }

    /// From here on keeps the trail as it is stored.
    pub(super) fn store(&mut self) {
        seal_rest(self.rows.get_or_insert_default(), &self.trail);
    }

    /// Erases what an actor wrote so far, as the service would.
    pub(super) fn erase(&mut self, who: &str) -> String {
        self.store();
        let mut rows = self.rows.take().unwrap_or_default();
        let until = self.now.max(self.snapshot.task.recorded_at());
        let scope = Scope { actor: sender(who).actor_ref().unwrap(), until, last: 0 };
        let trail: Vec<(Event, Sealed)> = self.trail.iter().cloned().zip(rows.iter().cloned()).collect();
        let plan = Plan::new(&trail, &scope, !self.snapshot.task.phase().is_terminal()).unwrap();
        for changed in &plan.entries {
            let index = usize::try_from(changed.seq).unwrap() - 1;
            rows[index].personal.clone_from(&changed.personal);
            self.trail[index] = audit::open(&rows[index]).unwrap();
        }
        self.rows = Some(rows);
        if plan.entries.is_empty() {
            return "nothing".to_owned();
        }
        self.snapshot = self.snapshot.without_erased(&self.workflow, &self.trail).unwrap();
        let entries = plan.entries.iter().map(|entry| entry.seq).collect();
        let erasure_id = ErasureId(Uuid::from_u128(8));
        let (credential_id, Plan { ids_remain, restated, .. }) = (text("platform-key"), plan);
        let erasure = Erasure { credential_id, erasure_id, entries, ids_remain, restated };
        outcome(&self.send(Input::Erase(&erasure)))
    }

    /// The `seq` of the same actor's late decision, if the trail has one.
    fn late(&self, command: &Command) -> Option<u64> {
        let sender = &command.meta().sender;
        let same = |event: &&Event| {
            matches!(event.fact, Fact::LateDecisionRecorded(_))
                && event.party.party() == Some(sender.party)
                && event.actor.as_ref().map(|actor| &actor.id) == sender.actor.as_ref().map(|actor| &actor.id)
        };
        self.trail.iter().find(same).map(|event| event.seq)
    }

    /// The command for a step of a script.
    pub(super) fn command(&self, step: &str) -> Command {
        self.try_command(step).unwrap_or_else(|refusals| panic!("{step}: {refusals:?}"))
    }

    pub(super) fn try_command(&self, step: &str) -> Result<Command, Vec<Refusal>> {
        let marks = ['@', '.', '~', '#'];
        let words: Vec<&str> = step.split_whitespace().filter(|word| !word.starts_with(marks)).collect();
        let mark = |sign: char| step.split_whitespace().find_map(|word| word.strip_prefix(sign));
        let task = &self.snapshot.task;
        let [verb, who, rest @ ..] = &words[..] else { panic!("a step has a verb and an actor: {step}") };
        let meta = Meta {
            stage: Some(mark('@').map_or_else(|| task.stage_in(&self.workflow).key.clone(), key)),
            // A change of reviewers can be about a stage that has no round yet.
            round: mark('.').map(|round| round.parse().unwrap()).or(Some(task.round()).filter(|_| *verb != "staff")),
            revision: Some(mark('~').map_or(task.revision(), |revision| revision.parse().unwrap())),
            ..Meta::new(sender(who))
        };
        let is_question = matches!(*verb, "answer" | "withdraw");
        let own = || if is_question { self.question() } else { self.escalation() };
        let number = mark('#').map_or_else(own, |seq| seq.parse().unwrap());
        Command::new(meta, action(verb, rest, number, &task.unanswered(&self.workflow)))
    }

    /// The question that is open, or the latest one.
    pub(super) fn question(&self) -> u64 {
        let task = &self.snapshot.task;
        let last = || task.questions.last.map_or(0, |closed| closed.question);
        task.question.map_or_else(last, |question| question.seq)
    }

    /// The escalation that is open, or was when the task began to end.
    pub(super) fn escalation(&self) -> u64 {
        match &self.snapshot.task.phase {
            Phase::Escalated(escalation) => escalation.seq,
            Phase::Cancelling(wind_down) => wind_down.open.escalation.map_or(0, |asked| asked.seq),
            Phase::Closed(closed) => closed.open.escalation.map_or(0, |asked| asked.seq),
            Phase::Preparing | Phase::InReview(_) | Phase::OnHold(_) => 0,
        }
    }
}

/// The origin of the trail of a task under test.
pub(super) fn origin() -> Origin {
    let id = Uuid::from_u128(7);
    Origin { task_id: TaskId(id), partner_id: PartnerId(id), buyer_id: BuyerId(id) }
}

fn seal_rest(rows: &mut Vec<Sealed>, trail: &[Event]) {
    for event in trail.iter().skip(rows.len()) {
        let prev = rows.last().map_or_else(|| origin().hash(), |row| row.hash);
        rows.push(audit::seal(&prev, origin().task_id, event, [u8::try_from(event.seq % 251).unwrap(); 32]));
    }
}

/// The first word of a step that sends a command, one for each type of command.
pub(super) const VERBS: [&str; CommandType::ALL.len()] = [
    "submit", "status", "approve", "reject", "escalate", "resolve", "ask", "answer", "withdraw", "staff", "hold",
    "resume", "cancel", "ack",
];

fn action(verb: &str, rest: &[&str], number: u64, unanswered: &[ItemId]) -> Action {
    let first = rest.first().copied();
    let (bare, full) = (first == Some("bare"), first == Some("full"));
    let target = || first.filter(|word| !is_content(word)).map(key);
    match verb {
        "submit" => {
            let summary = (!bare).then(|| text("Second draft"));
            Action::WorkSubmitted(WorkSubmitted {
                summary,
                artifacts: if full { vec![artifact()] } else { Vec::new() },
                answers: answers(rest, unanswered),
            })
        }
        "status" => Action::StatusUpdated(StatusUpdated { message: text("Half done"), percent: Some(50), eta: None }),
        "approve" => Action::StageApproved(StageApproved { feedback: remarks(rest) }),
        "reject" => {
            let feedback = (!bare).then(|| said(rest, "Not like this"));
            Action::StageRejected(StageRejected { feedback, return_to: target() })
        }
        "escalate" => Action::StageEscalated(StageEscalated { to: party(rest[0]), reason: text("Whose call is it?") }),
        "resolve" => Action::EscalationResolved(resolution(rest, number)),
        "ask" => Action::QuestionAsked(question(rest)),
        "answer" => Action::QuestionAnswered(QuestionAnswered {
            question: number,
            answer: (!bare).then(|| text("The round one")),
            option: rest.iter().find_map(|word| word.parse().ok()),
            artifacts: if full { vec![artifact()] } else { Vec::new() },
        }),
        "withdraw" => Action::QuestionWithdrawn(QuestionWithdrawn { question: number }),
        "staff" => Action::ReviewersChanged(staff(rest)),
        "hold" => Action::Held(Held { reason: text("Waiting for the logo") }),
        "resume" => Action::Resumed(Resumed {}),
        "cancel" => Action::CancellationRequested(CancellationRequested {
            reason: text("No longer needed"),
            immediate: first == Some("now"),
        }),
        "ack" => Action::CancellationAcknowledged(acknowledgement(first.unwrap_or("discarded"))),
        _ => panic!("no such verb: {verb}"),
    }
}

/// Who comes (`+dora`) and goes (`-bo`), and of which panel (`panel=legal`).
fn staff(rest: &[&str]) -> ReviewersChanged {
    let people = |sign: char| {
        let names = rest.iter().filter_map(|word| word.strip_prefix(sign));
        names.map(|name| ActorId::parse(format!("u-{name}")).unwrap()).collect()
    };
    ReviewersChanged {
        panel: rest.iter().find_map(|word| word.strip_prefix("panel=")).map(|key| PanelKey::parse(key).unwrap()),
        add: people('+'),
        remove: people('-'),
        reason: text("People come and go"),
    }
}

/// Whether a word of a rejection says what its feedback is, and not where the task goes.
fn is_content(word: &str) -> bool {
    matches!(word, "bare" | "full" | "points" | "shared") || word.contains('=')
}

/// Feedback in words: two blocking items that the buyer may read with `full`; a blocking and a
/// harmless one with `points`; that the buyer may read with `shared`; a reason with `reason=`; the
/// first item raises an earlier one again with `reopens=`.
fn said(rest: &[&str], summary: &str) -> Feedback {
    let mut said = if rest.contains(&"full") { full_feedback() } else { feedback(summary) };
    if rest.contains(&"points") {
        let items = json!([{"text": "The price is wrong."}, {"text": "A comma.", "blocking": false}]);
        said.items = serde_json::from_value(items).unwrap();
    }
    said.share_with_buyer |= rest.contains(&"shared");
    let value = |name: &str| rest.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    said.reason = value("reason").map(|key| ReasonKey::parse(key).unwrap());
    if let Some(id) = value("reopens") {
        said.items = vec![serde_json::from_value(json!({"text": "Still wrong.", "reopens": id})).unwrap()];
    }
    said
}

/// The remarks of an approval: `remarks`, shared with the buyer with `shared`; `blocks` and
/// `because` are refused.
fn remarks(rest: &[&str]) -> Option<Feedback> {
    let first = *rest.first()?;
    let mut remarks = feedback("One remark");
    let item = json!({"text": "Mind the margin.", "blocking": (first == "blocks").then_some(true)});
    remarks.items = vec![serde_json::from_value(item).unwrap()];
    remarks.share_with_buyer = rest.contains(&"shared");
    remarks.reason = (first == "because").then(|| ReasonKey::parse("price").unwrap());
    matches!(first, "remarks" | "blocks" | "because").then_some(remarks)
}

/// The answers of a submission: to the named items, declined with a minus before the id and without
/// a word with two; to all that must be answered with `all`.
fn answers(rest: &[&str], unanswered: &[ItemId]) -> Vec<Answer> {
    let named = rest.iter().filter_map(|word| {
        let item = ItemId::parse(word.trim_start_matches('-')).ok()?;
        let text = (!word.starts_with("--")).then(|| text("As agreed by phone"));
        let how = if word.starts_with('-') { Answered::Declined } else { Answered::Done };
        Some(Answer { item, how, text })
    });
    let all = unanswered.iter().filter(|_| rest.contains(&"all")).copied().map(Answer::done);
    named.chain(all).collect()
}

fn resolution(rest: &[&str], escalation: u64) -> EscalationResolved {
    let (kind, argument) = (rest[0], rest.get(1).copied());
    let mut resolved = EscalationResolved {
        escalation,
        resolution: serde_json::from_value::<Resolution>(json!(kind)).unwrap(),
        feedback: None,
        return_to: None,
        advice: None,
        to: None,
    };
    match (kind, argument) {
        (_, Some("bare")) => {}
        (_, Some("mixed")) => {
            (resolved.feedback, resolved.to) = (Some(feedback("Not mine to give")), Some(Party::Platform));
            resolved.advice = Some(text("Nor this"));
        }
        ("reject", target) => {
            let target = target.filter(|word| !is_content(word));
            (resolved.feedback, resolved.return_to) = (Some(said(rest, "Start again")), target.map(key));
        }
        ("redirect", Some(to)) => resolved.to = Some(party(to)),
        ("return", _) => resolved.advice = Some(text("Trust your own eyes")),
        _ => {}
    }
    resolved
}

/// Two options with `options`; shared with the buyer with `shared`.
fn question(rest: &[&str]) -> QuestionAsked {
    let options = if rest.contains(&"options") { vec![text("Round"), text("Square")] } else { Vec::new() };
    let share_with_buyer = rest.contains(&"shared");
    QuestionAsked { to: party(rest[0]), question: text("Which logo do you mean?"), options, share_with_buyer }
}

fn acknowledgement(what: &str) -> CancellationAcknowledged {
    let salvaged = what != "discarded";
    CancellationAcknowledged {
        in_flight: if salvaged { InFlight::Salvaged } else { InFlight::Discarded },
        notes: None,
        artifacts: if what == "salvaged" { vec![artifact()] } else { Vec::new() },
    }
}

fn artifact() -> Artifact {
    serde_json::from_value(json!({
        "name": "draft.pdf", "sha256": "a".repeat(64), "url": "https://example.org/draft.pdf", "media_type": "application/pdf", "size": 4096,
    }))
    .unwrap()
}

fn full_feedback() -> Feedback {
    serde_json::from_value(json!({
        "summary": "Clause 4 promises a refund we do not give.",
        "items": [{"severity": "blocking", "anchor": "draft.pdf#page=3", "text": "Remove the last sentence."}, {"text": "Typo."}],
        "share_with_buyer": true,
    }))
    .unwrap()
}

/// The contract's example: three stages, two of the partner's and the buyer's sign-off.
pub(super) fn brand() -> Value {
    serde_json::from_str(crate::domain::workflow::EXAMPLE).unwrap()
}
