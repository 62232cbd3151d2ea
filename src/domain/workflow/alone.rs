//! Who can approve a stage without any other party, computed from the definition alone.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::values::id::StageKey;
use crate::domain::values::party::Party;

use super::{Approvals, EscalationTimeout, Group, OnExhausted, Stage, StageTimeout, Workflow};

/// The parties that can have a stage approved alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageAlone {
    /// The stage's key.
    pub key: StageKey,
    /// The parties that can have a running review of it end in an approval while no other party
    /// does anything, and how. The service does not know how many people a party has: several of
    /// its people may be needed, for the quorum or as the platform's second person. A deadline with
    /// `on_timeout` `approve` approves without any party and is not listed.
    pub alone: Vec<Alone>,
}

/// A party that needs no other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Alone {
    /// The party.
    pub party: Party,
    /// How.
    pub by: Means,
}

/// How a party decides a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// It reviews the stage.
    Vote,
    /// It approves an escalation, which it raised itself or which the silence of others brought.
    Escalation,
}

impl fmt::Display for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            Means::Vote => "vote",
            Means::Escalation => "escalation",
        };
        write!(f, "{} ({by})", self.party)
    }
}

impl Workflow {
    /// For each stage, the parties that can have it approved alone.
    pub fn alone(&self) -> Vec<StageAlone> {
        self.stages.iter().map(|stage| StageAlone { key: stage.key.clone(), alone: stage.alone() }).collect()
    }
}

/// An escalation without a further act of another party: who holds it, and whether the votes of the
/// interrupted review stand.
type Held = (Party, bool);

impl Stage {
    fn alone(&self) -> Vec<Alone> {
        let means = |party| {
            let vote = (party == self.reviewer).then_some(Alone { party, by: Means::Vote });
            let escalation = self.decides_by_escalation(party).then_some(Alone { party, by: Means::Escalation });
            vote.into_iter().chain(escalation)
        };
        Party::ALL.into_iter().flat_map(means).collect()
    }

    fn decides_by_escalation(&self, party: Party) -> bool {
        // The partner's approval is a vote, so the others of the quorum must stand.
        let needs_votes = party == Party::Partner && self.fewest_approvals() > 1;
        let may_approve = party != Party::Partner || self.reviewer == Party::Partner;
        let holds = |(holder, votes): &Held| *holder == party && (*votes || !needs_votes);
        may_approve && self.escalations(party).iter().any(holds)
    }

    /// The fewest approvals that can be enough. Of `all`, those who are barred are not waited for.
    fn fewest_approvals(&self) -> usize {
        let can_bar = self.bars_submitter() || !self.distinct_from().is_empty();
        let fewest = |group: Group<'_>| match (group.approvals, group.named) {
            (Approvals::Votes(number), _) => number as usize,
            (Approvals::All, Some(named)) if !can_bar => named.len(),
            (Approvals::All, _) => 1,
        };
        self.groups().map(fewest).sum()
    }

    /// The escalations that `party` alone can bring about.
    fn escalations(&self, party: Party) -> BTreeSet<Held> {
        let mut found: BTreeSet<Held> = BTreeSet::new();
        if party != Party::Buyer || self.reviewer == Party::Buyer {
            found.extend(self.escalation.to.iter().map(|to| (*to, true)));
        }
        if party == Party::Platform {
            found.insert((Party::Platform, true));
        }
        let silence = self.deadline.as_ref().map(|deadline| deadline.on_timeout);
        if let Some(StageTimeout::Escalate { to }) = silence {
            found.insert((to, true));
        }
        let rejects = self.reviewer == party || silence == Some(StageTimeout::Reject);
        if let (true, Some(_), OnExhausted::Escalate { to }) =
            (rejects, self.on_reject.max_rounds, self.on_reject.on_exhausted)
        {
            found.insert((to, false));
        }
        self.add_handovers(party, &mut found);
        found
    }

    /// Adds those to whom an unanswered escalation goes on.
    fn add_handovers(&self, party: Party, found: &mut BTreeSet<Held>) {
        let Some(EscalationTimeout::Escalate { to }) = self.escalation.on_timeout else { return };
        let silent: Vec<Held> = found.iter().copied().filter(|(holder, _)| *holder != party).collect();
        for (holder, votes) in silent {
            // From the party named, and after too many changes of hands, it goes to the platform.
            found.insert((if holder == to { Party::Platform } else { to }, votes));
            found.insert((Party::Platform, votes));
        }
    }
}
