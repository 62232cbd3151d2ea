//! The reader's account of feedback: which items block, who may read them, and what is answered.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::task::Verdict;
use crate::domain::task::event::{Answer, Event, Fact, Feedback, StageRejected};
use crate::domain::values::party::Source;
use crate::domain::workflow::{Answers, Workflow};

use super::Reader;

/// The items that were given, and those that must be answered.
#[derive(Clone, Default)]
pub(super) struct Feedbacks {
    /// Of every item, whether it blocks and whether the buyer may read it.
    given: BTreeMap<String, (bool, bool)>,
    /// The blocking items of the latest return, if its stage requires answers.
    due: BTreeSet<String>,
    /// The latest resolution's items.
    resolved: Vec<String>,
    erased: BTreeSet<u64>,
}

fn ids(seq: u64, feedback: Option<&Feedback>) -> Vec<String> {
    let count = feedback.map_or(0, |feedback| feedback.items.len());
    (1..=count).map(|index| format!("{seq}.{index}")).collect()
}

impl Feedbacks {
    /// Reads the feedback of a vote or of a resolution.
    pub(super) fn said(&mut self, event: &Event, feedback: Option<&Feedback>, verdict: Verdict, place: &str) {
        let ids = ids(event.seq, feedback);
        let items = feedback.iter().flat_map(|feedback| &feedback.items);
        assert!(items.clone().map(|item| item.id.unwrap().to_string()).eq(ids.iter().cloned()), "{place}: ids");
        let shared = event.party == Source::Buyer || feedback.is_some_and(|feedback| feedback.share_with_buyer);
        for (id, item) in ids.iter().zip(items) {
            let blocking = item.blocking.expect("written explicitly");
            assert!(verdict == Verdict::Rejected || !blocking, "{place}: remarks do not block");
            self.given.insert(id.clone(), (blocking, shared));
            if let Some(earlier) = item.reopens {
                assert!(
                    verdict == Verdict::Rejected && self.given.contains_key(&earlier.to_string()),
                    "{place}: an earlier item"
                );
                let (_, readable) = self.given[&earlier.to_string()];
                assert!(readable || event.party != Source::Buyer, "{place}: an item that the author may read");
            }
        }
        self.resolved = ids;
    }

    /// Reads a rejection: the votes and the resolution that counted have been read.
    pub(super) fn rejected(&mut self, rejected: &StageRejected, resolved: bool, required: bool, place: &str) {
        let counted = |id: &&String| {
            let seq: u64 = id.split('.').next().unwrap().parse().unwrap();
            (rejected.votes.contains(&seq) || resolved && self.resolved.contains(id)) && !self.erased.contains(&seq)
        };
        let ids: BTreeSet<String> = self.given.keys().filter(counted).cloned().collect();
        let listed: BTreeSet<String> = rejected.items.iter().map(|item| item.id.to_string()).collect();
        assert_eq!(listed, ids, "{place}: the items that counted");
        for item in &rejected.items {
            assert_eq!((item.blocking, item.shared), self.given[&item.id.to_string()], "{place}: {}", item.id);
        }
        if required {
            self.due.extend(ids.into_iter().filter(|id| self.given[id].0));
        }
    }

    /// The stage was approved although its rounds were exhausted: nothing returns.
    pub(super) fn approved(&mut self) {
        self.due.clear();
    }

    pub(super) fn submitted(&mut self, shared: Option<&Vec<Answer>>, internal: Option<&Vec<Answer>>, place: &str) {
        let list = |answers: Option<&Vec<Answer>>, readable: bool| -> Vec<String> {
            let ids = answers.into_iter().flatten().map(|answer| answer.item.to_string()).collect::<Vec<_>>();
            assert!(ids.iter().all(|id| self.given[id].1 == readable), "{place}: answers go to the items' readers");
            ids
        };
        let answered: BTreeSet<String> = [list(shared, true), list(internal, false)].concat().into_iter().collect();
        let left: Vec<_> = self.due.difference(&answered).collect();
        assert!(left.is_empty(), "{place}: in review again with {left:?} unanswered");
        self.due.clear();
    }

    pub(super) fn erased(&mut self, entries: &[u64]) {
        self.erased.extend(entries);
        self.due.retain(|id| !entries.contains(&id.split('.').next().unwrap().parse().unwrap()));
    }
}

impl Reader {
    /// Reads what an event says about feedback.
    pub(super) fn feedback(&mut self, workflow: &Workflow, event: &Event, earlier: Option<&Event>, place: &str) {
        let stage = workflow.stages.get(self.stage);
        let required = stage.is_some_and(|stage| stage.on_reject.answers == Answers::Required);
        if let Fact::VoteRecorded(vote) = &event.fact {
            self.check_reason(workflow, vote.decision, vote.feedback.as_ref(), place);
            self.feedbacks.said(event, vote.feedback.as_ref(), vote.decision, place);
        } else if let Fact::EscalationResolved(resolved) = &event.fact {
            if resolved.feedback.is_some() {
                self.check_reason(workflow, Verdict::Rejected, resolved.feedback.as_ref(), place);
            }
            self.feedbacks.said(event, resolved.feedback.as_ref(), Verdict::Rejected, place);
        } else if let Fact::StageRejected(rejected) = &event.fact {
            let resolved = earlier.is_some_and(|earlier| matches!(earlier.fact, Fact::EscalationResolved(_)));
            self.feedbacks.rejected(rejected, resolved, required, place);
        } else if let Fact::StageApproved { .. } = &event.fact {
            self.feedbacks.approved();
        } else if let Fact::WorkSubmitted { shared_answers, internal_answers, .. } = &event.fact {
            self.feedbacks.submitted(shared_answers.as_ref(), internal_answers.as_ref(), place);
        } else if let Fact::PersonalDataErased(erased) = &event.fact {
            self.feedbacks.erased(&erased.entries);
        }
    }

    fn check_reason(&self, workflow: &Workflow, verdict: Verdict, feedback: Option<&Feedback>, place: &str) {
        let keys: Vec<_> = workflow.stages[self.stage].on_reject.reasons.iter().map(|reason| &reason.key).collect();
        let reason = feedback.and_then(|feedback| feedback.reason.as_ref());
        let fits = match verdict {
            Verdict::Approved => reason.is_none(),
            Verdict::Rejected => reason.map_or(keys.is_empty(), |reason| keys.contains(&reason)),
        };
        assert!(fits, "{place}: one of the stage's reasons");
    }
}
