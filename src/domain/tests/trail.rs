//! An independent check: reads a trail with only the definition, keeps its own state, and rejects
//! any event that the rules do not allow there. It shares no code with `decide` and `evolve`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::domain::task::event::{
    DeadlineKind, EscalationResolved, Event, Fact, QuestionEnd, Resolution, StageEscalated, StageRejected,
    TimeoutAction, VoteRecorded,
};
use crate::domain::task::{ActorTag, Cause, Verdict};
use crate::domain::values::id::{ActorId, PanelKey, StageKey};
use crate::domain::values::party::{Party, Source};
use crate::domain::values::time::Time;
use crate::domain::workflow::{ClockKind, EscalationTimeout, OnExhausted, Stage, StageTimeout, Workflow};

use self::feedback::Feedbacks;
use self::questions::Asked;
use self::stopwatch::Stopwatch;
use super::test_support::short;

mod feedback;
mod panels;
mod questions;
mod stopwatch;

type Who = (Source, Option<String>);

/// The state of one task, computed from its events alone.
#[derive(Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "an account that trusts no phase keeps each of them apart")]
pub(super) struct Reader {
    stage: usize,
    rounds: Vec<u32>,
    /// Whether the stage was approved since it was last entered, on the latest revision at that
    /// time; and by whom.
    approved: Vec<Option<BTreeSet<Who>>>,
    decided: BTreeMap<(usize, u32), bool>,
    revision: u32,
    /// Everybody who submitted work in the round of the latest revision.
    submitters: BTreeSet<Who>,
    /// The vote of each seat, by the person who holds it.
    votes: BTreeMap<Who, (Verdict, u64, Option<String>)>,
    /// Who cast each vote.
    voters: BTreeMap<u64, Who>,
    /// The people of each group that are no longer those of the definition.
    changed: BTreeMap<(usize, Option<PanelKey>), Vec<ActorId>>,
    /// The actor's tag of every vote.
    tags: BTreeMap<u64, ActorTag>,
    reviewing: bool,
    stopwatch: Stopwatch,
    passed: bool,
    open: Option<Escalated>,
    /// Who escalated for the platform in this round, with the key.
    raisers: Vec<(Who, Option<String>)>,
    held: bool,
    cancelling: bool,
    closed: bool,
    late: BTreeSet<(Who, usize, u32)>,
    feedbacks: Feedbacks,
    question: Option<Asked>,
    /// How many questions were asked in this round.
    asked: u32,
    /// Whether this transition must still close a question.
    overtakes: bool,
    last: Option<Event>,
    /// The last event but the end of an overtaken question.
    led: Option<Event>,
}

#[derive(Clone)]
struct Escalated {
    seq: u64,
    to: Party,
    cause: Cause,
    changes: u32,
    bounded: bool,
}

fn who(event: &Event) -> Who {
    (event.party, event.actor.as_ref().map(|actor| actor.id.as_str().to_owned()))
}

/// Somebody else of the same party.
fn named(event: &Event, id: &ActorId) -> Who {
    (event.party, Some(id.as_str().to_owned()))
}

/// Who holds the seat of a vote.
fn seat(event: &Event, vote: &VoteRecorded) -> Who {
    vote.stands_for.as_ref().map_or_else(|| who(event), |holder| named(event, holder))
}

fn key(event: &Event) -> Option<String> {
    event.credential_id.as_ref().map(|key| key.as_str().to_owned())
}

impl Reader {
    pub(super) fn read(&mut self, workflow: &Workflow, event: &Event) {
        let place = format!("{} {:?}", event.seq, event.fact);
        self.check_row(event, &place);
        let transition = self.led.clone().filter(|last| last.cause_seq == event.cause_seq);
        self.feedback(workflow, event, transition.as_ref(), &place);
        self.read_fact(workflow, event, transition.as_ref(), &place);
        self.last = Some(event.clone());
        if !matches!(event.fact, Fact::QuestionClosed { why: QuestionEnd::Overtaken, .. }) {
            self.led = Some(event.clone());
        }
    }

    fn check_row(&self, event: &Event, place: &str) {
        if let Some(last) = &self.last {
            assert_eq!(event.seq, last.seq + 1, "{place}: no gaps");
            assert!(event.recorded_at >= last.recorded_at, "{place}: time does not go backwards");
            assert!(event.cause_seq == last.cause_seq || event.cause_seq == event.seq, "{place}: one cause");
        }
        assert!(event.seq != event.cause_seq || !self.overtakes, "{place}: an overtaken question was closed");
        let late = matches!(event.fact, Fact::LateDecisionRecorded(_) | Fact::PersonalDataErased(_));
        assert!(!self.closed || late, "{place}: nothing follows the end but late decisions and erasures");
    }

    fn read_fact(&mut self, workflow: &Workflow, event: &Event, earlier: Option<&Event>, place: &str) {
        let at = event.recorded_at;
        match &event.fact {
            Fact::Opened(_) => {
                let count = workflow.stages.len();
                (self.rounds, self.approved) = (vec![0; count], vec![None; count]);
            }
            Fact::StageEntered { returned, .. } => self.entered(workflow, event, *returned, earlier),
            Fact::WorkSubmitted { revision, .. } => {
                assert_eq!(*revision, self.revision + 1, "{place}");
                assert!(!self.paused(), "{place}");
                self.overtakes = self.question.is_some();
                self.handed_in(*revision, event);
            }
            Fact::VoteRecorded(vote) => self.voted(workflow, event, vote, place),
            Fact::StageApproved { revision, votes, voters, .. } => {
                assert_eq!(*revision, self.revision, "{place}: on the latest revision");
                assert!(self.question.is_none(), "{place}: the question was closed first");
                assert!(votes.iter().map(|seq| self.tags[seq]).eq(voters.iter().copied()), "{place}: the votes' tags");
                self.check_approvals(event, votes, earlier, place);
                self.approved_now(workflow, event, earlier, place);
            }
            Fact::StageRejected(rejected) => self.rejected(workflow, event, rejected, earlier),
            Fact::StageEscalated(escalated) => self.escalated(workflow, event, escalated, place),
            Fact::EscalationResolved(resolved) => {
                self.tags.extend(event.actor_tag.map(|tag| (event.seq, tag)));
                self.resolved(workflow, event, resolved, place);
            }
            Fact::QuestionAsked(asked) => self.asked(workflow, event, asked, place),
            Fact::QuestionAnswered(answered) => {
                let question = self.question_ends(at, answered.question, place);
                assert_eq!((event.party, Source::from(answered.to)), (question.to.into(), question.from), "{place}");
            }
            Fact::QuestionClosed { question, why, .. } => {
                self.question_closed(workflow, event, (*question, *why), place);
            }
            Fact::ReviewersChanged(changed) => self.people_changed(workflow, event, changed, place),
            Fact::DeadlineReminded { due_at } => self.check_due(workflow, at, *due_at, place),
            Fact::DeadlinePassed { deadline, due_at, action } => {
                self.passed_by(workflow, at, (*deadline, *due_at, *action), place);
            }
            Fact::Held { .. } => self.held_now(at, place),
            Fact::Resumed { .. } => self.resumed(at, place),
            Fact::StatusUpdated { .. } => {}
            // An erased actor counts as an unknown one from then on.
            Fact::PersonalDataErased(_) => self.late.clear(),
            Fact::CancellationRequested { .. }
            | Fact::ReviewWithdrawn {}
            | Fact::CancellationAcknowledged { .. }
            | Fact::LateDecisionRecorded(_)
            | Fact::WorkflowCompleted {}
            | Fact::WorkflowCancelled {}
            | Fact::WorkflowExpired {}
            | Fact::WorkflowFailed { .. } => self.ends(event, earlier, place),
        }
    }

    fn voted(&mut self, workflow: &Workflow, event: &Event, vote: &VoteRecorded, place: &str) {
        self.check_vote(workflow, event, vote, place);
        assert_eq!(vote.revision, self.revision, "{place}");
        let target = vote.return_to.as_ref().map(|key| key.as_str().to_owned());
        let approved_before = self.approved_panels(workflow);
        self.votes.retain(|_, earlier| self.voters.get(&earlier.1) != Some(&who(event)));
        self.votes.insert(seat(event, vote), (vote.decision, event.seq, target));
        self.voters.insert(event.seq, who(event));
        self.check_reopened(workflow, approved_before, vote, place);
        self.tags.extend(event.actor_tag.map(|tag| (event.seq, tag)));
        self.check_panel(workflow, event, vote, place);
    }

    /// Events of a task's end; the name suffices to tell apart what closes a task.
    fn ends(&mut self, event: &Event, earlier: Option<&Event>, place: &str) {
        match short(&event.fact) {
            "cancellation_requested" => {
                self.overtakes = self.question.is_some();
                self.cancelling |= matches!(&event.fact, Fact::CancellationRequested { grace_until: Some(_), .. });
            }
            "review_withdrawn" => assert!(std::mem::take(&mut self.reviewing), "{place}: a review was undecided"),
            "cancellation_acknowledged" => {
                assert!(self.cancelling, "{place}");
                self.reviewing = false;
            }
            "late_decision_recorded" => {
                assert!(self.cancelling || self.closed, "{place}: late");
                let key = (who(event), self.stage, event.round.unwrap());
                assert!(self.late.insert(key), "{place}: once per actor, stage and round");
            }
            "workflow_completed" => {
                assert_eq!(earlier.map(|earlier| short(&earlier.fact)), Some("stage_approved"), "{place}");
                let approved = self.approved.iter().all(Option::is_some);
                assert!(approved, "{place}: every stage was approved after it was last entered");
                self.closed = true;
            }
            _ => {
                assert!(self.question.is_none(), "{place}: the question was closed first");
                assert!(!self.reviewing, "{place}: an open review is withdrawn first");
                self.closed = true;
            }
        }
    }

    fn paused(&self) -> bool {
        self.open.is_some() || self.held || self.cancelling
    }

    fn escalated(&mut self, workflow: &Workflow, event: &Event, escalated: &StageEscalated, place: &str) {
        let (stage, at) = (&workflow.stages[self.stage], event.recorded_at);
        let own = event.party == Source::Platform && escalated.to == Party::Platform;
        let kept = event.party == Source::Service && escalated.to == Party::Platform && self.open.is_some();
        assert!(own || kept || stage.escalation.to.contains(&escalated.to), "{place}: an allowed party");
        let changes = self.open.as_ref().map_or(0, |open| open.changes + 1);
        let spent = changes > 3 || (self.open.as_ref().is_some_and(|open| open.to == escalated.to));
        assert!(!spent || kept && escalated.respond_by.is_none(), "{place}: at most 3 changes of hands");
        let cause = self.open.as_ref().map_or(escalated.cause, |open| open.cause);
        assert_eq!(cause, escalated.cause, "{place}: a change of hands keeps the cause");
        let due = stage.escalation.respond_within.as_ref().map(|within| match stage.escalation.clock {
            ClockKind::Wall => at + within.delta(),
            ClockKind::Business => workflow.calendar.as_ref().unwrap().add(at, within.delta()),
        });
        assert!(kept && escalated.respond_by.is_none() || escalated.respond_by == due, "{place}");
        if self.open.is_none() && event.party == Source::Platform {
            self.raisers.push((who(event), key(event)));
        }
        self.stopwatch.stop(at);
        self.overtakes = self.question.is_some();
        let (seq, to, bounded) = (event.seq, escalated.to, escalated.respond_by.is_some());
        self.open = Some(Escalated { seq, to, cause, changes, bounded });
    }

    fn resolved(&mut self, workflow: &Workflow, event: &Event, resolved: &EscalationResolved, place: &str) {
        self.check_decider(&workflow.stages[self.stage], event, resolved, place);
        let open = self.open.clone().unwrap_or_else(|| panic!("{place}: nothing is escalated"));
        assert_eq!((resolved.escalation, event.party), (open.seq, open.to.into()), "{place}");
        if resolved.resolution == Resolution::Return {
            assert!(self.reviewing, "{place}: there is a review to return to");
            self.open = None;
            if open.cause == Cause::Deadline {
                (self.stopwatch, self.passed) = (Stopwatch::start(event.recorded_at), false);
            } else {
                self.stopwatch.go_on(event.recorded_at);
            }
        }
    }

    /// Nobody decides what the same person or key escalated for the platform, and a decision of
    /// another party than the reviewing one is marked.
    fn check_decider(&self, stage: &Stage, event: &Event, resolved: &EscalationResolved, place: &str) {
        let decides = matches!(resolved.resolution, Resolution::Approve | Resolution::Reject);
        let (person, key) = (who(event), key(event));
        let mut raisers = self.raisers.iter();
        let same = event.party == Source::Platform && raisers.any(|raiser| raiser.0 == person || raiser.1 == key);
        assert_eq!(resolved.overrides, decides && event.party != stage.reviewer.into(), "{place}: overrides");
        assert_eq!(resolved.single_person, decides && same, "{place}: a second person, or a mark");
    }

    fn held_now(&mut self, at: Time, place: &str) {
        assert!(!self.paused(), "{place}");
        self.held = true;
        self.stopwatch.stop(at);
        if let Some(question) = &mut self.question {
            question.stopwatch.stop(at);
        }
    }

    fn resumed(&mut self, at: Time, place: &str) {
        assert!(std::mem::take(&mut self.held), "{place}");
        match &mut self.question {
            Some(question) => question.stopwatch.go_on(at),
            None if self.reviewing => self.stopwatch.go_on(at),
            None => {}
        }
    }

    fn handed_in(&mut self, revision: u32, event: &Event) {
        if !self.reviewing || self.revision == 0 {
            self.submitters.clear();
        }
        self.revision = revision;
        self.submitters.insert(who(event));
        self.start(event.recorded_at);
    }

    fn start(&mut self, at: Time) {
        self.votes.clear();
        (self.reviewing, self.stopwatch, self.passed) = (true, Stopwatch::start(at), false);
    }

    fn entered(&mut self, workflow: &Workflow, event: &Event, returned: bool, earlier: Option<&Event>) {
        let target = workflow.index_of(event.stage.as_ref().unwrap());
        match earlier.map(|earlier| &earlier.fact) {
            Some(Fact::Opened(_)) => assert_eq!((target, returned), (0, false)),
            Some(Fact::StageApproved { .. }) => {
                assert_eq!((target, returned), (self.stage + 1, false), "forward is one step");
            }
            Some(Fact::StageRejected(rejected)) => {
                assert!(returned && target <= self.stage, "a return never goes forward");
                assert_eq!(rejected.return_to, event.stage);
            }
            other => panic!("entered after {other:?}"),
        }
        self.asked = 0;
        self.stage = target;
        self.rounds[target] += 1;
        assert_eq!(event.round, Some(self.rounds[target]));
        self.approved[target..].fill(None);
        self.open = None;
        self.raisers.clear();
        self.votes.clear();
        self.reviewing = false;
        self.stopwatch = Stopwatch::default();
        let waits = returned || workflow.stages[target].submission == crate::domain::workflow::Submission::Required;
        if !waits {
            self.start(event.recorded_at);
        }
    }

    fn check_vote(&self, workflow: &Workflow, event: &Event, vote: &VoteRecorded, place: &str) {
        let stage = &workflow.stages[self.stage];
        assert!(self.reviewing && !self.paused(), "{place}: a review runs");
        assert_eq!(event.party, Source::from(stage.reviewer), "{place}");
        self.check_named(workflow, event, vote.stands_for.as_ref(), place);
        if vote.decision == Verdict::Approved {
            self.check_not_barred(workflow, stage, &who(event), place);
            self.check_not_barred(workflow, stage, &seat(event, vote), place);
        }
    }

    /// The actor has a seat, or none while standing in for somebody who has.
    fn check_named(&self, workflow: &Workflow, event: &Event, stands_for: Option<&ActorId>, place: &str) {
        let seats = self.seats(workflow, self.stage);
        let has_seat = |who: &Who| seats.iter().any(|seats| seats.admit(who));
        let Some(holder) = stands_for else {
            return assert!(has_seat(&who(event)), "{place}: a named reviewer");
        };
        assert!(workflow.stages[self.stage].allows_substitutes(), "{place}: the stage lets people stand in");
        assert!(has_seat(&named(event, holder)), "{place}: for a named reviewer");
        assert!(!has_seat(&who(event)), "{place}: nobody fills two seats");
    }

    fn check_not_barred(&self, workflow: &Workflow, stage: &Stage, who: &Who, place: &str) {
        assert!(!self.is_barred(workflow, stage, who), "{place}: nobody approves their own work, or twice");
    }

    fn of(&self, verdict: Verdict) -> Vec<(&Who, u64, Option<&String>)> {
        let votes = self.votes.iter().filter(|(_, vote)| vote.0 == verdict);
        votes.map(|(who, (_, seq, target))| (who, *seq, target.as_ref())).collect()
    }

    fn check_counted(&self, verdict: Verdict, votes: &[u64], place: &str) {
        Self::check_list(self.of(verdict), votes, place);
    }

    fn check_list(standing: Vec<(&Who, u64, Option<&String>)>, votes: &[u64], place: &str) {
        let mut standing: Vec<u64> = standing.into_iter().map(|(_, seq, _)| seq).collect();
        let mut counted = votes.to_vec();
        standing.sort_unstable();
        counted.sort_unstable();
        assert_eq!(standing, counted, "{place}: the votes that stand are those that count");
    }

    /// The approvals that stand are those that count; a partner's resolution stands for the vote of
    /// its actor.
    fn check_approvals(&self, event: &Event, votes: &[u64], earlier: Option<&Event>, place: &str) {
        let by_partner = |earlier: &&Event| {
            matches!(earlier.fact, Fact::EscalationResolved(_))
                && event.party == Source::Partner
                && event.actor.is_some()
        };
        let Some(resolved) = earlier.filter(by_partner) else {
            return self.check_counted(Verdict::Approved, votes, place);
        };
        let Fact::EscalationResolved(resolution) = &resolved.fact else { unreachable!() };
        let own = resolution.stands_for.as_ref().map_or_else(|| who(event), |holder| named(event, holder));
        let stays = |seat: &Who, seq: u64| *seat != own && self.voters.get(&seq) != Some(&who(event));
        let others = self.of(Verdict::Approved).into_iter().filter(|(seat, seq, _)| stays(seat, *seq));
        let expected: Vec<u64> = others.map(|(_, seq, _)| seq).chain([resolved.seq]).collect();
        let (mut expected, mut votes) = (expected, votes.to_vec());
        expected.sort_unstable();
        votes.sort_unstable();
        assert_eq!(votes, expected, "{place}: the resolution is one vote");
    }

    fn approved_now(&mut self, workflow: &Workflow, event: &Event, earlier: Option<&Event>, place: &str) {
        let stage = &workflow.stages[self.stage];
        let mut represented = None;
        match earlier.map(|earlier| &earlier.fact) {
            Some(Fact::VoteRecorded(vote)) => {
                assert_eq!(vote.decision, Verdict::Approved, "{place}");
                self.check_quorum(workflow, None, place);
            }
            // By the votes that are left, now that others may vote.
            Some(Fact::ReviewersChanged(_) | Fact::Resumed { .. }) => self.check_left(workflow, event, place),
            Some(Fact::EscalationResolved(resolved)) if resolved.resolution == Resolution::Return => {
                self.check_left(workflow, event, place);
            }
            Some(Fact::EscalationResolved(resolved)) => {
                assert_eq!(resolved.resolution, Resolution::Approve, "{place}");
                if event.party == Source::Partner {
                    assert_eq!(stage.reviewer, Party::Partner, "{place}");
                    let holder = resolved.stands_for.as_ref();
                    let own = holder.map_or_else(|| who(event), |holder| named(event, holder));
                    self.check_named(workflow, event, holder, place);
                    // The call takes the place of what the same person voted in another seat.
                    self.votes.retain(|_, vote| self.voters.get(&vote.1) != Some(&who(event)));
                    self.votes.remove(&own);
                    self.check_quorum(workflow, Some(&own), place);
                    self.check_not_barred(workflow, stage, &who(event), place);
                    self.check_not_barred(workflow, stage, &own, place);
                    represented = Some(own);
                }
            }
            Some(Fact::DeadlinePassed { deadline: DeadlineKind::Stage, action: TimeoutAction::Approve, .. }) => {
                let deadline = stage.deadline.as_ref().unwrap();
                assert_eq!((deadline.on_timeout, event.party), (StageTimeout::Approve, Source::Service), "{place}");
                assert!(self.of(Verdict::Rejected).is_empty(), "{place}: silence does not approve over a rejection");
                let waited = self.stopwatch.at(workflow, deadline.clock, event.recorded_at);
                assert!(waited >= deadline.within.delta(), "{place}: the revision waited the whole time");
            }
            other => panic!("{place}: approved after {other:?}"),
        }
        self.decide(false, place);
        let approved = self.of(Verdict::Approved);
        let voters = approved.iter().map(|(_, seq, _)| self.voters[seq].clone());
        let mut approvers: BTreeSet<Who> = voters.chain(approved.iter().map(|(seat, ..)| (*seat).clone())).collect();
        approvers.extend(represented);
        approvers.extend(Some(who(event)).filter(|_| event.party != Source::Service));
        self.approved[self.stage] = Some(approvers);
        self.reviewing = false;
    }

    fn check_left(&self, workflow: &Workflow, event: &Event, place: &str) {
        let reviewer = Source::from(workflow.stages[self.stage].reviewer);
        assert_eq!(
            (event.party, &event.actor, &event.credential_id),
            (reviewer, &None, &None),
            "{place}: by nobody alone"
        );
        assert!(!self.changed.is_empty(), "{place}: people have changed");
        self.check_quorum(workflow, None, place);
    }

    /// One decision per stage and round; one that exhausted the rounds may be followed by the
    /// resolution of its escalation.
    fn decide(&mut self, exhausted: bool, place: &str) {
        let key = (self.stage, self.rounds[self.stage]);
        let earlier = self.decided.insert(key, exhausted);
        assert!(earlier.is_none_or(|earlier| earlier && !exhausted), "{place}: decided twice");
    }

    fn rejected(&mut self, workflow: &Workflow, event: &Event, rejected: &StageRejected, earlier: Option<&Event>) {
        let (stage, place) = (&workflow.stages[self.stage], format!("{} {rejected:?}", event.seq));
        assert_eq!(rejected.revision, self.revision, "{place}");
        assert!(self.question.is_none(), "{place}: the question was closed first");
        // Of panels only the one counts whose votes reject.
        let by_vote = matches!(earlier.map(|earlier| &earlier.fact), Some(Fact::VoteRecorded(_)));
        let own = self.votes.iter().find(|(_, vote)| self.voters.get(&vote.1) == Some(&who(event)));
        let panel = own.and_then(|(seat, _)| self.panel_of(workflow, seat)).filter(|_| by_vote);
        let mut votes = self.of(Verdict::Rejected);
        votes.retain(|(voter, ..)| panel.as_ref().is_none_or(|panel| panel.admit(voter)));
        if self.reviewing {
            Self::check_list(votes.clone(), &rejected.votes, &place);
        }
        let spent = stage.on_reject.max_rounds.is_some_and(|max| self.rounds[self.stage] >= max);
        let default = stage.on_reject.return_to.first();
        let (ordinary, target) = match earlier.map(|earlier| &earlier.fact) {
            Some(Fact::VoteRecorded(_)) => {
                let mut groups = stage.groups();
                let group = groups.find(|group| group.key() == panel.as_ref().and_then(|panel| panel.key.as_ref()));
                assert!(votes.len() >= group.unwrap().rejections as usize, "{place}: quorum");
                let named = votes.iter().filter_map(|(_, _, target)| *target);
                let earliest =
                    named.min_by_key(|key| workflow.stages.iter().position(|stage| stage.key.as_str() == **key));
                (true, earliest.map(String::as_str))
            }
            Some(Fact::DeadlinePassed { deadline: DeadlineKind::Stage, .. }) => (true, default.map(StageKey::as_str)),
            Some(Fact::DeadlinePassed { deadline: DeadlineKind::Escalation, .. }) => {
                (false, default.map(StageKey::as_str))
            }
            Some(Fact::EscalationResolved(resolved)) => (false, resolved.return_to.as_ref().map(StageKey::as_str)),
            other => panic!("{place}: rejected after {other:?}"),
        };
        assert_eq!(
            rejected.exhausted,
            ordinary && spent,
            "{place}: max_rounds binds reviews and their deadlines, nobody else"
        );
        let expected = target.filter(|_| !rejected.exhausted);
        assert_eq!(rejected.return_to.as_ref().map(StageKey::as_str), expected, "{place}");
        self.decide(rejected.exhausted, &place);
        self.reviewing = false;
        if rejected.exhausted {
            assert!(matches!(stage.on_reject.on_exhausted, OnExhausted::Escalate { .. } | OnExhausted::Fail));
            self.votes.clear();
        }
    }

    fn check_due(&self, workflow: &Workflow, now: Time, due_at: Time, place: &str) {
        let deadline = workflow.stages[self.stage].deadline.as_ref().unwrap();
        let within = deadline.within.delta();
        match deadline.clock {
            ClockKind::Wall => {
                let left = within - self.stopwatch.at(workflow, ClockKind::Wall, now);
                assert_eq!(due_at, now + left, "{place}: pauses move the deadline by their length, exactly");
            }
            ClockKind::Business => {
                let since = self.stopwatch.since.unwrap();
                let by = |time: Time| self.stopwatch.at(workflow, ClockKind::Business, time);
                if by(since) < within {
                    assert_eq!(by(due_at), within, "{place}: pauses take no working time");
                    assert!(by(due_at - TimeDelta::microseconds(1)) < within, "{place}: due as soon as it is used up");
                } else {
                    assert!(due_at <= since, "{place}: it was used up when the clock went on");
                }
            }
        }
        let stands = self.open.is_some() || self.held || self.question.is_some();
        assert!(self.reviewing && !stands && !self.passed, "{place}: a clock runs");
    }

    fn passed_by(&mut self, workflow: &Workflow, now: Time, what: (DeadlineKind, Time, TimeoutAction), place: &str) {
        let (kind, due_at, action) = what;
        let stage = &workflow.stages[self.stage];
        assert!(due_at <= now, "{place}: not before its time");
        match kind {
            DeadlineKind::Stage => {
                self.check_due(workflow, now, due_at, place);
                assert_eq!(action, stage.deadline.as_ref().unwrap().on_timeout.into(), "{place}");
                self.passed = true;
            }
            DeadlineKind::Escalation => {
                let rule = stage.escalation.on_timeout.unwrap_or(EscalationTimeout::None);
                assert_eq!(action, rule.into(), "{place}");
                let open = self.open.as_mut().unwrap_or_else(|| panic!("{place}: nothing is escalated"));
                assert!(std::mem::take(&mut open.bounded), "{place}: once");
            }
        }
    }
}
