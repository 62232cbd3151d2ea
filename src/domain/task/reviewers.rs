//! The people who may vote in a group of a running task, once they are no longer those of the
//! definition.

use serde::{Deserialize, Serialize};

use crate::domain::values::id::{ActorId, PanelKey};
use crate::domain::workflow::Group;

use super::Record;
use super::event::ReviewersChanged;

/// The people of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewers {
    /// The panel; none in a stage without panels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    panel: Option<PanelKey>,
    named: Vec<ActorId>,
}

impl Record {
    /// The group of the definition, with the people who may vote in it now.
    pub(super) fn with_people<'a>(&'a self, group: Group<'a>) -> Group<'a> {
        let own = self.reviewers.iter().find(|own| own.panel.as_ref() == group.key());
        Group { named: own.map_or(group.named, |own| Some(&own.named)), ..group }
    }

    /// Replaces the people of `group`, which is one of this record's stage.
    pub(super) fn change_people(&mut self, group: Group<'_>, changed: &ReviewersChanged) {
        let named = changed.apply(self.with_people(group).named.unwrap_or_default());
        self.reviewers.retain(|own| own.panel.as_ref() != group.key());
        self.reviewers.push(Reviewers { panel: group.key().cloned(), named });
        self.reviewers.sort_unstable_by(|one, other| one.panel.cmp(&other.panel));
    }
}

impl ReviewersChanged {
    /// The people after the change, in the order in which they came.
    pub(super) fn apply(&self, named: &[ActorId]) -> Vec<ActorId> {
        let (added, removed) = (self.added.iter().flatten(), self.removed.iter().flatten());
        let stays = |id: &&ActorId| !removed.clone().any(|removed| removed == *id);
        named.iter().filter(stays).chain(added).cloned().collect()
    }
}
