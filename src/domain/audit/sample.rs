//! A trail with one event of each type, and more where the sender matters. Every text that a buyer
//! may not read contains SECRET (digests: [`SECRET_DIGEST`]), and texts for the sender's own people
//! contain OWN as well.

use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::task::command::CommandType;
use crate::domain::task::event::{
    Answer, Answered, Artifact, ClockTimes, DeadlineKind, EscalationResolved, Event, Fact, Feedback, FeedbackItem,
    GivenItem, InFlight, ItemId, LateDecision, Opened, PersonalDataErased, QuestionAnswered, QuestionAsked,
    QuestionEnd, Resolution, Restated, ReviewersChanged, StageEscalated, StageRejected, TimeoutAction, VotePanel,
    VoteRecorded, WorkflowRef,
};
use crate::domain::task::{ActorTag, Cause, PanelState, PhaseName, Verdict};
use crate::domain::values::id::{
    ActorId, BuyerId, CommandId, ErasureId, PanelKey, PartnerId, ReasonKey, StageKey, TaskId, WorkflowKey,
};
use crate::domain::values::party::{Actor, Party, Source};
use crate::domain::values::text::Text;
use crate::domain::values::time::Time;

use super::{Origin, Sealed, Subject as _, seal};

pub(super) const SECRET_DIGEST: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2";

pub(super) fn origin() -> Origin {
    let id = |n: u128| Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + n);
    Origin { task_id: TaskId(id(1)), partner_id: PartnerId(id(2)), buyer_id: BuyerId(id(3)) }
}

/// Seals events with their numbers as seeds.
pub(super) fn sealed(events: &[Event]) -> Vec<Sealed> {
    sealed_as(&origin(), events)
}

/// The same in the trail of another task.
pub(super) fn sealed_as(origin: &Origin, events: &[Event]) -> Vec<Sealed> {
    let mut prev = origin.hash();
    let seal = |event: &Event| {
        let row = seal(&prev, origin.task_id, event, [u8::try_from(event.seq % 251).unwrap(); 32]);
        prev = row.hash;
        row
    };
    events.iter().map(seal).collect()
}

pub(super) fn trail() -> Vec<Event> {
    use Source::{Buyer, Partner, Platform, Service};
    let mut facts = [opening(), reviews(), escalations(), ends()].concat();
    let late = Fact::LateDecisionRecorded(late());
    facts.extend([
        (Service, Fact::WorkflowCompleted {}),
        (Service, Fact::WorkflowCancelled {}),
        (Service, Fact::WorkflowExpired {}),
        (Service, Fact::WorkflowFailed { cause: Cause::Exhausted }),
        (Partner, late.clone()),
        (Buyer, late.clone()),
        (Platform, late),
    ]);
    facts.extend(questions());
    facts.extend(people());
    let all = 1..=u64::try_from(facts.len()).unwrap();
    facts.push((Platform, Fact::PersonalDataErased(erased(all.collect()))));
    facts.into_iter().zip(1..).map(|((party, fact), seq)| event(seq, party, fact)).collect()
}

/// An event with everything that a command may send along; the service sends nothing.
fn event(seq: u64, party: Source, fact: Fact) -> Event {
    let sent = party != Source::Service;
    let actor = Actor {
        id: ActorId::parse("SECRET u-anna").unwrap(),
        name: Some(text("SECRET Anna K.")),
        role: Some(text("SECRET counsel")),
    };
    Event {
        seq,
        cause_seq: seq,
        stage: Some(stage("legal")),
        round: Some(2),
        party,
        actor: sent.then_some(actor),
        actor_tag: sent.then(tag),
        credential_id: sent.then(|| text("SECRET OWN credential")),
        command_id: sent
            .then_some(CommandId(Uuid::from_u128(0x05ec_2e70_0000_7000_8000_0000_0000_0000 + u128::from(seq)))),
        recorded_at: Time::from_micros(1_795_341_600_000_000 + i64::try_from(seq).unwrap()),
        occurred_at: sent.then_some(Time::from_micros(1_795_341_599_000_000)),
        note: sent.then(|| text("SECRET OWN note \"with\" \\ and\n\u{1F600} Ü")),
        fact,
    }
}

fn tag() -> ActorTag {
    serde_json::from_str("\"0123456789abcdef0123456789abcdef\"").unwrap()
}

fn questions() -> Vec<(Source, Fact)> {
    let asked = |to, share_with_buyer, words: &str| QuestionAsked {
        to,
        revision: 2,
        respond_by: time(),
        share_with_buyer,
        question: Some(text(&format!("{words} question"))),
        options: Some(vec![text(&format!("{words} option"))]),
    };
    let answered = |to, share_with_buyer, words: &str| QuestionAnswered {
        question: 31,
        to,
        share_with_buyer,
        option: Some(1),
        answer: Some(text(&format!("{words} answer"))),
        artifacts: Some(vec![if words == "SECRET" { artifact() } else { public_artifact() }]),
        clock: Some(clock()),
    };
    let closed = Fact::QuestionClosed { question: 31, why: QuestionEnd::Overtaken, clock: Some(clock()) };
    vec![
        (Source::Partner, Fact::QuestionAsked(asked(Party::Platform, false, "SECRET"))),
        (Source::Platform, Fact::QuestionAnswered(answered(Party::Partner, false, "SECRET"))),
        (Source::Platform, Fact::QuestionAsked(asked(Party::Buyer, false, "For the buyer"))),
        (Source::Buyer, Fact::QuestionAnswered(answered(Party::Platform, false, "The buyer's"))),
        (Source::Partner, Fact::QuestionAsked(asked(Party::Platform, true, "Shared"))),
        (Source::Platform, Fact::QuestionAnswered(answered(Party::Partner, true, "Shared"))),
        (Source::Partner, Fact::QuestionAnswered(answered(Party::Buyer, false, "To the buyer"))),
        (Source::Service, closed),
    ]
}

fn people() -> Vec<(Source, Fact)> {
    let changed = ReviewersChanged {
        of: stage("legal"),
        panel: Some(VotePanel { key: PanelKey::parse("legal").unwrap(), state: PanelState::Approved }),
        added: Some(vec![ActorId::parse("SECRET new").unwrap()]),
        removed: Some(vec![ActorId::parse("SECRET old").unwrap()]),
        reason: Some(text("SECRET reason")),
        votes: vec![5],
        reopened: vec![PanelKey::parse("legal").unwrap()],
    };
    vec![(Source::Partner, Fact::ReviewersChanged(changed))]
}

fn opening() -> Vec<(Source, Fact)> {
    let metadata =
        serde_json::json!({ "SECRET": ["metadata", 1, 0.5, null, { "\u{FFFD}": 1, "\u{1F600}": 2, "a": {} }] });
    let opened = Opened {
        task_id: origin().task_id,
        workflow: WorkflowRef { key: WorkflowKey::parse("secret-workflow").unwrap(), version: 3 },
        definition: SECRET_DIGEST.to_owned(),
        deadline_at: Some(time()),
        title: Some(text("Brand campaign")),
        metadata: metadata.as_object().cloned(),
    };
    let status = Fact::StatusUpdated { message: Some(text("Nearly there")), percent: Some(80), eta: Some(time()) };
    let submitted = Fact::WorkSubmitted {
        revision: 2,
        summary: Some(text("SECRET summary")),
        artifacts: Some(vec![artifact()]),
        shared_answers: Some(vec![answer("For the buyer too")]),
        internal_answers: Some(vec![answer("SECRET answer")]),
        clock: Some(clock()),
    };
    vec![
        (Source::Platform, Fact::Opened(opened)),
        (Source::Service, Fact::StageEntered { returned: true, clock: Some(clock()) }),
        (Source::Partner, submitted),
        (Source::Partner, status),
    ]
}

fn reviews() -> Vec<(Source, Fact)> {
    let vote = |feedback| {
        Fact::VoteRecorded(VoteRecorded {
            decision: Verdict::Rejected,
            revision: 2,
            return_to: Some(stage("copy")),
            feedback: Some(feedback),
            panel: Some(VotePanel { key: PanelKey::parse("legal").unwrap(), state: PanelState::Open }),
            stands_for: Some(ActorId::parse("SECRET absent").unwrap()),
            reopened: vec![PanelKey::parse("brand").unwrap()],
            bound: true,
        })
    };
    // A resolution by the buyer: the votes that stood are those of the partner's people.
    let rejected = StageRejected {
        revision: 2,
        return_to: Some(stage("copy")),
        exhausted: false,
        votes: vec![5, 6],
        bound: true,
        items: vec![GivenItem { id: ItemId::parse("5.1").unwrap(), blocking: true, shared: true }],
        reasons: vec![ReasonKey::parse("secret-reason").unwrap()],
        shared_feedback: Some(vec![feedback("Shared", true)]),
        internal_feedback: Some(vec![feedback("SECRET", false), feedback("SECRET too", false)]),
    };
    let approved = Fact::StageApproved {
        revision: 2,
        votes: vec![5],
        voters: vec![tag()],
        bound: true,
        shared_feedback: Some(vec![feedback("Shared", true)]),
        internal_feedback: Some(vec![feedback("SECRET remark", false)]),
    };
    vec![
        (Source::Partner, vote(feedback("SECRET vote", false))),
        (Source::Buyer, vote(feedback("The buyer's", false))),
        (Source::Partner, approved),
        (Source::Partner, Fact::StageRejected(rejected.clone())),
        (Source::Buyer, Fact::StageRejected(rejected)),
    ]
}

fn escalations() -> Vec<(Source, Fact)> {
    let escalated = |to, reason| {
        let cause = Cause::Person;
        Fact::StageEscalated(StageEscalated {
            to,
            cause,
            revision: 2,
            respond_by: Some(time()),
            reason: Some(text(reason)),
        })
    };
    let resolved = |feedback, advice| {
        Fact::EscalationResolved(EscalationResolved {
            escalation: 10,
            resolution: Resolution::Return,
            revision: 2,
            return_to: Some(stage("copy")),
            to: Some(Party::Partner),
            feedback: Some(feedback),
            advice: Some(text(advice)),
            stands_for: Some(ActorId::parse("SECRET absent").unwrap()),
            overrides: true,
            single_person: true,
            clock: Some(clock()),
            bound: true,
        })
    };
    vec![
        (Source::Partner, escalated(Party::Platform, "SECRET question")),
        (Source::Partner, escalated(Party::Buyer, "A question for the buyer")),
        (Source::Buyer, escalated(Party::Platform, "The buyer's question")),
        (Source::Platform, resolved(feedback("SECRET resolution", false), "SECRET advice")),
        (Source::Platform, resolved(feedback("Shared", true), "SECRET advice")),
        (Source::Buyer, resolved(feedback("The buyer's", false), "The buyer's advice")),
        (Source::Service, Fact::DeadlineReminded { due_at: time() }),
    ]
}

fn ends() -> Vec<(Source, Fact)> {
    let passed =
        Fact::DeadlinePassed { deadline: DeadlineKind::Stage, due_at: time(), action: TimeoutAction::Escalate };
    let reason = Some(text("The reason"));
    let requested = Fact::CancellationRequested { reason: reason.clone(), immediate: false, grace_until: Some(time()) };
    let acknowledged = Fact::CancellationAcknowledged {
        in_flight: InFlight::Salvaged,
        notes: Some(text("SECRET notes")),
        artifacts: Some(vec![artifact()]),
    };
    vec![
        (Source::Service, passed),
        (Source::Partner, Fact::Held { reason }),
        (Source::Partner, Fact::Resumed { clock: Some(clock()), answer_due_at: Some(time()) }),
        (Source::Buyer, requested),
        (Source::Service, Fact::ReviewWithdrawn {}),
        (Source::Partner, acknowledged),
    ]
}

fn late() -> LateDecision {
    LateDecision {
        command: CommandType::EscalationResolved,
        phase: PhaseName::Cancelled,
        revision: Some(2),
        escalation: Some(10),
        resolution: Some(Resolution::Reject),
        return_to: Some(stage("copy")),
        to: Some(Party::Platform),
        feedback: Some(feedback("SECRET late OWN", true)),
        advice: Some(text("SECRET late OWN")),
    }
}

/// An erasure of everything before.
fn erased(entries: Vec<u64>) -> PersonalDataErased {
    PersonalDataErased {
        erasure_id: ErasureId(Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0004)),
        entries,
        ids_remain: false,
        restated: Some(vec![Restated { seq: 8, shared_feedback: vec![feedback("Shared", true)] }]),
        status_version: 25,
        status_updated_at: time(),
    }
}

fn feedback(summary: &str, share_with_buyer: bool) -> Feedback {
    let item = FeedbackItem {
        id: Some(ItemId::parse("5.1").unwrap()),
        severity: Some(text("blocking")),
        anchor: Some(text("contract.pdf#page=3")),
        text: text(summary),
        blocking: Some(true),
        reopens: Some(ItemId::parse("3.1").unwrap()),
    };
    let reason = Some(ReasonKey::parse(if summary.contains("SECRET") { "secret-reason" } else { "tone" }).unwrap());
    Feedback { summary: text(summary), reason, items: vec![item], share_with_buyer }
}

fn answer(words: &str) -> Answer {
    Answer { item: ItemId::parse("5.1").unwrap(), how: Answered::Declined, text: Some(text(words)) }
}

fn artifact() -> Artifact {
    Artifact {
        name: text("SECRET.pdf"),
        sha256: SECRET_DIGEST.to_owned().try_into().unwrap(),
        url: Some("https://files.example/SECRET.pdf".to_owned().try_into().unwrap()),
        media_type: Some(text("application/pdf")),
        size: Some(9_007_199_254_740_991),
    }
}

fn public_artifact() -> Artifact {
    Artifact {
        name: text("logo.png"),
        sha256: "a".repeat(64).try_into().unwrap(),
        url: None,
        media_type: None,
        size: None,
    }
}

fn stage(key: &str) -> StageKey {
    StageKey::parse(key).unwrap()
}

fn text<const MAX: usize, const MULTILINE: bool>(text: &str) -> Text<MAX, MULTILINE> {
    Text::parse(text).unwrap()
}

fn clock() -> ClockTimes {
    ClockTimes { due_at: time(), remind_at: vec![time()] }
}

fn time() -> Time {
    Time::from_micros(1_795_400_000_123_456)
}

/// Any event: one of the sample's from any party, with other texts (SECRET ones stay secret) and
/// optional fields left out at random.
pub(super) fn any_event() -> impl Strategy<Value = Event> {
    let party = prop::sample::select(vec![Source::Partner, Source::Buyer, Source::Platform, Source::Service]);
    (prop::sample::select(trail()), party, any::<u64>(), "\\PC{1,40}", any::<u32>()).prop_map(
        |(event, party, omit, words, round)| {
            let event = Event { party, round: Some(round), ..event };
            let mut json = serde_json::to_value(event).unwrap();
            rewrite(&mut json, &words);
            let paths = ["", "/actor", "/fact/data"].iter().flat_map(|at| members(&json, at)).collect::<Vec<_>>();
            for (bit, (at, name)) in paths.into_iter().enumerate() {
                let mut without = json.clone();
                if let Some(object) = without.pointer_mut(at).and_then(Value::as_object_mut) {
                    object.remove(&name);
                }
                if omit >> (bit % 64) & 1 == 1 && serde_json::from_value::<Event>(without.clone()).is_ok() {
                    json = without;
                }
            }
            serde_json::from_value(json).unwrap()
        },
    )
}

fn members<'a>(json: &Value, at: &'a str) -> Vec<(&'a str, String)> {
    let object = json.pointer(at).and_then(Value::as_object);
    object.into_iter().flat_map(|object| object.keys().map(|name| (at, name.clone()))).collect()
}

/// Appends `words` to every text with a space in it.
fn rewrite(json: &mut Value, words: &str) {
    match json {
        Value::String(text) if text.contains(' ') => text.push_str(words),
        Value::Array(list) => list.iter_mut().for_each(|value| rewrite(value, words)),
        Value::Object(object) => object.values_mut().for_each(|value| rewrite(value, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
