//! Plays a workflow through: from what somebody chooses for each stage, the commands that the
//! parties send in a simulation. Who can send one is not decided here: a command of each possible
//! actor goes through `decide`, and the first that is accepted is sent.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use uuid::Uuid;

use crate::domain::absence::Moment;
use crate::domain::values::id::{ActorId, CredentialId, StageKey};
use crate::domain::values::party::{Actor, Party, Sender};
use crate::domain::values::text::Prose;
use crate::domain::values::time::Time;
use crate::domain::workflow::{Stage, Workflow};

use super::Phase;
use super::command::{Action, Command, EscalationResolved, Meta, StageApproved, StageRejected, WorkSubmitted};
use super::decide::{Input, decide};
use super::event::{Feedback, Resolution};
use super::simulate::{Script, Sent};
use super::snapshot::Snapshot;

/// The most commands of one play. The simulation endpoint takes as many and more.
pub const MAX_COMMANDS: usize = 100;

/// What a party does when it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Does {
    /// It approves.
    #[default]
    Approve,
    /// It sends the work back in the first round and approves in the second.
    SendBackOnce,
    /// It sends the work back in every round.
    SendBack,
    /// It says nothing.
    Nothing,
}

/// What a party does, and how long after it was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// What.
    pub does: Does,
    /// After this time.
    pub after: TimeDelta,
}

/// What happens in a play.
#[derive(Clone, Debug)]
pub struct Play {
    /// The definition.
    pub workflow: Arc<Workflow>,
    /// How long the partner takes to submit work.
    pub work_after: TimeDelta,
    /// What the reviewers of each stage do. One that is missing approves at once.
    pub stages: BTreeMap<StageKey, Choice>,
    /// What a party does that a review is escalated to.
    pub escalations: Choice,
    /// The time of the last command that was sent.
    pub last: Time,
}

impl Script for Play {
    fn next(&mut self, index: usize, snapshot: &Snapshot) -> Option<Cow<'_, Sent>> {
        if index >= MAX_COMMANDS {
            return None;
        }
        let (choice, party) = self.asked(snapshot)?;
        // Votes of one review are sent at the same time, one after the other.
        let at = (snapshot.task.since() + choice.after).max(snapshot.task.recorded_at()).max(self.last);
        let stage = snapshot.task.stage_in(&self.workflow);
        let action = action(choice.does, snapshot, stage)?;
        let mut candidates = senders(party, stage, &action).into_iter().filter_map(|sender| {
            let command = Command::new(meta(sender, snapshot, stage), action.clone()).ok()?;
            decide(&self.workflow, snapshot, Input::Party(&command), Moment::without_absences(at)).ok().map(|_| command)
        });
        let command = candidates.next()?;
        Some(Cow::Owned(Sent { at, command, digest: None }))
    }
}

impl Play {
    /// What the party that the task waits for does.
    fn asked(&self, snapshot: &Snapshot) -> Option<(Choice, Party)> {
        let stage = snapshot.task.stage_in(&self.workflow);
        match &snapshot.task.phase {
            Phase::Preparing => Some((Choice { does: Does::Approve, after: self.work_after }, Party::Partner)),
            Phase::InReview(_) => Some((self.stages.get(&stage.key).copied().unwrap_or_default(), stage.reviewer)),
            Phase::Escalated(escalation) => Some((self.escalations, escalation.to)),
            Phase::OnHold(_) | Phase::Cancelling(_) | Phase::Closed(_) => None,
        }
    }
}

fn action(does: Does, snapshot: &Snapshot, stage: &Stage) -> Option<Action> {
    let approves = match does {
        Does::Approve => true,
        Does::SendBackOnce => snapshot.task.round() > 1,
        Does::SendBack => false,
        Does::Nothing => return None,
    };
    let reason = stage.on_reject.reasons.first().map(|reason| reason.key.clone());
    let feedback = || Some(Feedback { reason, share_with_buyer: true, ..Feedback::new(prose("Please change this.")) });
    Some(match &snapshot.task.phase {
        Phase::Preparing => {
            let summary = format!("Revision {}.", snapshot.task.revision() + 1);
            Action::WorkSubmitted(WorkSubmitted {
                summary: Some(prose(&summary)),
                artifacts: Vec::new(),
                answers: Vec::new(),
            })
        }
        Phase::InReview(_) if approves => Action::StageApproved(StageApproved::default()),
        Phase::InReview(_) => Action::StageRejected(StageRejected { feedback: feedback(), return_to: None }),
        Phase::Escalated(escalation) => Action::EscalationResolved(EscalationResolved {
            escalation: escalation.seq,
            resolution: if approves { Resolution::Approve } else { Resolution::Reject },
            feedback: if approves { None } else { feedback() },
            return_to: None,
            advice: None,
            to: None,
        }),
        Phase::OnHold(_) | Phase::Cancelling(_) | Phase::Closed(_) => return None,
    })
}

fn prose(text: &str) -> Prose {
    Prose::parse(text).expect("a short text")
}

fn meta(sender: Sender, snapshot: &Snapshot, stage: &Stage) -> Meta {
    Meta {
        stage: Some(stage.key.clone()),
        round: Some(snapshot.task.round()),
        revision: Some(snapshot.task.revision()),
        ..Meta::new(sender)
    }
}

/// Who might send the action for the party, in the order in which they are tried. A simulation has
/// the same credentials.
fn senders(party: Party, stage: &Stage, action: &Action) -> Vec<Sender> {
    let people: Vec<ActorId> = match (party, action) {
        (Party::Buyer, _) => return vec![sender(party, &Uuid::nil().to_string(), "simulated")],
        (Party::Partner, Action::WorkSubmitted(_)) => vec![id("worker")],
        (Party::Partner, _) if stage.names_reviewers() => stage.reviewers().cloned().collect(),
        (Party::Partner, _) => {
            // Enough for the quorum, beside those who approved the earlier stages.
            let barred = stage.distinct_from().len() * 100;
            let wanted = stage.most_votes() as usize + barred;
            (1..=wanted.min(500)).map(|number| id(&format!("reviewer-{number}"))).collect()
        }
        (Party::Platform, _) => (1..=2).map(|number| id(&format!("operator-{number}"))).collect(),
    };
    let credential = |number: usize| match party {
        Party::Partner | Party::Buyer => Uuid::nil().to_string(),
        Party::Platform => format!("simulated-{number}"),
    };
    people.iter().enumerate().map(|(number, person)| sender(party, person.as_str(), &credential(number))).collect()
}

fn sender(party: Party, person: &str, credential: &str) -> Sender {
    let credential_id = CredentialId::parse(credential).expect("a short word");
    Sender { party, actor: Some(Actor::from(id(person))), credential_id, bound: true, admitted: true }
}

fn id(text: &str) -> ActorId {
    ActorId::parse(text).expect("an id of a definition, or a short word")
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::domain::task::TagSecret;
    use crate::domain::task::decide::Opening;
    use crate::domain::task::event::WorkflowRef;
    use crate::domain::task::simulate::{Outcome, simulate};
    use crate::domain::values::id::{TaskId, WorkflowKey};
    use crate::domain::values::text::Name;

    const START: Time = Time::from_micros(1_800_000_000_000_000);

    /// The phases and stages that a play goes through, with the round.
    fn run(choose: impl Fn(&mut Play)) -> Vec<(String, String, u32)> {
        let definition = serde_json::from_str(crate::domain::workflow::EXAMPLE).unwrap();
        let workflow = Workflow::parse(&definition).unwrap().workflow;
        let mut play = Play {
            workflow: Arc::new(workflow.clone()),
            work_after: TimeDelta::hours(1),
            stages: BTreeMap::new(),
            escalations: Choice::default(),
            last: START,
        };
        choose(&mut play);
        let opening = Opening {
            task_id: TaskId(Uuid::nil()),
            sender: sender(Party::Platform, "operator-1", "simulated"),
            workflow: WorkflowRef { key: WorkflowKey::parse("example").unwrap(), version: 1 },
            definition: workflow.digest(),
            title: Name::parse("Example").unwrap(),
            metadata: None,
            deadline_at: None,
            tag_secret: TagSecret::SIMULATED,
        };
        let mut seen = Vec::new();
        simulate(&workflow, (opening, START), (&mut play, true), START + TimeDelta::days(366), |step| {
            assert_eq!(*step.outcome, Outcome::Done);
            let task = &step.snapshot.task;
            let place = (task.phase().as_str().to_owned(), task.stage_in(&workflow).key.to_string(), task.round());
            if seen.last() != Some(&place) {
                seen.push(place);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        seen
    }

    fn choice(play: &mut Play, stage: &str, does: Does) {
        play.stages.insert(StageKey::parse(stage).unwrap(), Choice { does, after: TimeDelta::hours(1) });
    }

    fn places(of: &[(&str, &str, u32)]) -> Vec<(String, String, u32)> {
        of.iter().map(|(phase, stage, round)| ((*phase).to_owned(), (*stage).to_owned(), *round)).collect()
    }

    #[test]
    fn everybody_approves() {
        let expected = [
            ("preparing", "copy", 1),
            ("in_review", "copy", 1),
            ("in_review", "legal", 1),
            ("in_review", "signoff", 1),
            ("delivery", "signoff", 1),
        ];
        assert_eq!(run(|_| {}), places(&expected));
    }

    #[test]
    fn one_round_is_sent_back() {
        let seen = run(|play| choice(play, "legal", Does::SendBackOnce));
        assert!(seen.contains(&places(&[("preparing", "copy", 2)])[0]), "{seen:?}");
        assert_eq!(seen.last(), places(&[("delivery", "signoff", 1)]).last());
    }

    #[test]
    fn silence_escalates_and_the_platform_decides() {
        let seen = run(|play| choice(play, "legal", Does::Nothing));
        assert!(seen.contains(&places(&[("escalated", "legal", 1)])[0]), "{seen:?}");
        assert_eq!(seen.last(), places(&[("delivery", "signoff", 1)]).last());
    }

    #[test]
    fn silence_everywhere_expires() {
        let seen = run(|play| {
            for stage in ["copy", "legal", "signoff"] {
                choice(play, stage, Does::Nothing);
            }
            play.escalations.does = Does::Nothing;
        });
        assert_eq!(seen.last(), places(&[("expired", "copy", 1)]).last());
    }
}
