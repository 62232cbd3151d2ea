//! What becomes of a `decide` link at every edge of the transition table, and what each kind of link
//! allows. A new trigger must choose what it does to a link, since no match has a `_`.

use crate::domain::link::{BoundTo, LinkKind, LinkState, Reach};
use crate::domain::task::command::CommandType;
use crate::domain::task::event::TimeoutAction;
use crate::domain::task::refusal::Refusal;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::task::table::{Edge, Trigger};
use crate::domain::values::id::TaskId;
use crate::domain::values::party::Party;
use crate::domain::workflow::Workflow;

use super::test_support::Play;
use super::words::definition;

/// Checks a link for the decision that the task waited for before a transition.
pub(super) fn check(workflow: &Workflow, before: &Snapshot, after: &Snapshot, edge: &Edge) {
    let Some(bound) = BoundTo::of(workflow, &before.task) else { return };
    assert_eq!(bound.compare(workflow, &before.task), LinkState::Open);
    let fate = if bound.escalation.is_some() { of_an_escalation(edge) } else { of_a_review(edge) };
    assert_eq!(bound.compare(workflow, &after.task), fate, "{edge:?}");
}

fn has(edge: &Edge, event: &str) -> bool {
    edge.events.contains(&event)
}

/// Of a link for a review.
fn of_a_review(edge: &Edge) -> LinkState {
    match edge.trigger {
        Trigger::Command(kind) => match kind {
            CommandType::WorkSubmitted => LinkState::Superseded,
            CommandType::StageApproved | CommandType::ReviewersChanged if has(edge, "stage_approved") => {
                LinkState::Decided
            }
            CommandType::StageRejected if has(edge, "stage_rejected") => LinkState::Decided,
            CommandType::StageEscalated | CommandType::Held => LinkState::Held,
            CommandType::CancellationRequested => LinkState::Withdrawn,
            CommandType::StageApproved
            | CommandType::StageRejected
            | CommandType::StatusUpdated
            | CommandType::QuestionAsked
            | CommandType::QuestionAnswered
            | CommandType::QuestionWithdrawn
            | CommandType::ReviewersChanged => LinkState::Open,
            CommandType::EscalationResolved | CommandType::Resumed | CommandType::CancellationAcknowledged => {
                panic!("not in review: {edge:?}")
            }
        },
        Trigger::StageDeadline(action) => match action {
            TimeoutAction::None => LinkState::Open,
            TimeoutAction::Reject => LinkState::Decided,
            TimeoutAction::Fail => LinkState::Withdrawn,
            TimeoutAction::Approve if has(edge, "stage_approved") => LinkState::Decided,
            TimeoutAction::Escalate | TimeoutAction::Approve => LinkState::Held,
        },
        Trigger::Reminder | Trigger::QuestionDeadline | Trigger::Erasure => LinkState::Open,
        Trigger::TaskDeadline => LinkState::Withdrawn,
        Trigger::Open | Trigger::Resolved(_) | Trigger::GraceEnd | Trigger::EscalationDeadline(_) => {
            panic!("not in review: {edge:?}")
        }
    }
}

/// Of a link for an escalation.
fn of_an_escalation(edge: &Edge) -> LinkState {
    match edge.trigger {
        Trigger::Resolved(_) => LinkState::Decided,
        Trigger::EscalationDeadline(action) => match action {
            TimeoutAction::Escalate if has(edge, "stage_escalated") => LinkState::Decided,
            TimeoutAction::None | TimeoutAction::Escalate => LinkState::Open,
            TimeoutAction::Reject => LinkState::Decided,
            TimeoutAction::Fail => LinkState::Withdrawn,
            TimeoutAction::Approve => panic!("an escalation is not approved by silence: {edge:?}"),
        },
        Trigger::Command(CommandType::CancellationRequested) | Trigger::TaskDeadline => LinkState::Withdrawn,
        Trigger::Command(CommandType::StatusUpdated | CommandType::ReviewersChanged) | Trigger::Erasure => {
            LinkState::Open
        }
        Trigger::Command(_)
        | Trigger::Open
        | Trigger::QuestionDeadline
        | Trigger::GraceEnd
        | Trigger::Reminder
        | Trigger::StageDeadline(_) => panic!("not in an escalation: {edge:?}"),
    }
}

/// Definition, what happens before the link is made, what happens then, and the link's state.
const LINES: &[(&str, &str, &str, LinkState)] = &[
    ("a", "", "hold partner; resume partner", LinkState::Open),
    ("a to=platform", "", "escalate bo platform; resolve platform return", LinkState::Open),
    ("a to=platform", "", "escalate bo platform; resolve platform approve", LinkState::Decided),
    ("a to=platform", "", "escalate bo platform; cancel buyer", LinkState::Withdrawn),
    ("a to=platform", "escalate bo platform", "resolve platform return; escalate bo platform", LinkState::Decided),
    // The wait of another round or stage is another wait.
    ("a back=a", "", "reject bo; submit partner", LinkState::Decided),
    ("a; b", "", "approve bo; approve bo", LinkState::Decided),
    ("a", "submit partner", "submit partner; cancel buyer", LinkState::Superseded),
];

#[test]
fn a_link_follows_its_wait_through_interruptions() {
    for (words, before, then, state) in LINES {
        let mut play = Play::of(&definition(words), before);
        let bound = BoundTo::of(&play.workflow, &play.snapshot.task).unwrap();
        play.run(then);
        assert_eq!(bound.compare(&play.workflow, &play.snapshot.task), *state, "{words} | {before} | {then}");
    }
}

fn reach(kind: LinkKind, party: Party, escalation: Option<u64>) -> Reach {
    let play = Play::open(&definition("a"));
    let bound = BoundTo::of(&play.workflow, &play.snapshot.task).map(|bound| BoundTo { escalation, ..bound });
    let task_id = Some(play.snapshot.task.id());
    Reach { kind, party, task_id, bound_to: bound.filter(|_| kind == LinkKind::Decide), manage: true }
}

#[test]
fn each_kind_allows_its_commands_to_each_party() {
    let votes = "stage_approved stage_rejected stage_escalated";
    let buyer = "stage_approved stage_rejected stage_escalated escalation_resolved question_answered question_withdrawn cancellation_requested";
    let all = CommandType::ALL.map(CommandType::as_str).join(" ");
    for party in Party::ALL {
        let of_a_task = if party == Party::Buyer { buyer } else { "" };
        for (kind, escalation, allowed) in [
            (LinkKind::Decide, None, votes),
            (LinkKind::Decide, Some(4), "escalation_resolved"),
            (LinkKind::Task, None, of_a_task),
            (LinkKind::Inbox, None, &all),
            (LinkKind::Console, None, "reviewers_changed"),
        ] {
            let reach = reach(kind, party, escalation);
            let found = CommandType::ALL.into_iter().filter(|command| reach.allows_type(*command));
            let found: Vec<_> = found.map(CommandType::as_str).collect();
            assert_eq!(found.join(" "), allowed, "{kind:?} {party:?}");
        }
        let reads = Reach { manage: false, ..reach(LinkKind::Console, party, None) };
        assert!(!CommandType::ALL.into_iter().any(|command| reads.allows_type(command)), "{party:?}");
    }
}

#[test]
fn a_link_for_one_decision_refuses_every_other() {
    let play = Play::of(&definition("a to=platform"), "submit partner");
    let bound = BoundTo::of(&play.workflow, &play.snapshot.task);
    let reach = Reach { bound_to: bound, ..reach(LinkKind::Decide, Party::Partner, None) };
    let check = |step: &str| reach.check(&play.command(step));
    for step in ["approve bo", "reject bo", "escalate bo platform"] {
        assert_eq!(check(step), Ok(()), "{step}");
    }
    for step in ["approve bo .2", "approve bo ~0", "approve bo @b", "reject bo ~2", "submit partner", "hold partner"] {
        assert!(matches!(check(step), Err(Refusal::KeyScope(_))), "{step}");
    }
    let mut play = play;
    play.run("escalate bo platform");
    let bound = BoundTo::of(&play.workflow, &play.snapshot.task);
    let reach = Reach { bound_to: bound, ..reach };
    assert_eq!(reach.check(&play.command("resolve platform approve")), Ok(()));
    assert!(reach.check(&play.command("resolve platform approve #1")).is_err());
    assert!(reach.check(&play.command("approve bo")).is_err());
}

#[test]
fn a_link_to_a_task_shows_no_other() {
    let other = TaskId(uuid::Uuid::from_u128(8));
    for (kind, sees_other) in
        [(LinkKind::Decide, false), (LinkKind::Task, false), (LinkKind::Inbox, true), (LinkKind::Console, true)]
    {
        let reach = reach(kind, Party::Partner, None);
        assert!(reach.sees(reach.task_id.unwrap()));
        assert_eq!(reach.sees(other), sees_other, "{kind:?}");
    }
}
