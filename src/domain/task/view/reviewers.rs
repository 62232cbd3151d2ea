//! Who may vote in a stage of a running task, where that is no longer whom the definition names.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::task::Task;
use crate::domain::task::seats;
use crate::domain::values::id::{ActorId, PanelKey};
use crate::domain::workflow::{Group, Workflow};

use super::StageView;

/// Those who may vote in a stage, or in one of its panels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = StageReviewers)]
pub struct ReviewersView {
    /// The panel; absent in a stage without panels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = PanelKey, required = false)]
    pub panel: Option<PanelKey>,
    /// Who may vote.
    pub named: Vec<ActorId>,
}

impl StageView {
    /// The people of a group of this stage's definition as they are now; none: anyone of the party.
    pub fn people<'a>(&'a self, group: &Group<'a>) -> Option<&'a [ActorId]> {
        let changed = self.reviewers.iter().find(|changed| changed.panel.as_ref() == group.key());
        changed.map_or(group.named, |changed| Some(&changed.named))
    }
}

/// The groups of the stage with this index whose people differ from the definition's, in its order.
pub(super) fn changed(workflow: &Workflow, task: &Task, stage: usize) -> Vec<ReviewersView> {
    let Some((definition, record)) = workflow.stages.get(stage).zip(task.stages.get(stage)) else { return Vec::new() };
    if record.reviewers.is_empty() {
        return Vec::new();
    }
    let groups = definition.groups().zip(seats::groups_of(workflow, task, stage));
    let differing = groups.filter_map(|(before, now)| {
        let named = now.named.filter(|named| !is_same(before.named.unwrap_or_default(), named))?;
        Some(ReviewersView { panel: now.key().cloned(), named: named.to_vec() })
    });
    differing.collect()
}

/// Whether both lists, which name nobody twice, name the same people.
fn is_same(some: &[ActorId], others: &[ActorId]) -> bool {
    some.len() == others.len() && some.iter().all(|id| others.contains(id))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::super::{Identity, Reader, TaskView};
    use crate::domain::absence::Moment;
    use crate::domain::task::TagSecret;
    use crate::domain::task::command::{Action, Command, Meta};
    use crate::domain::task::decide::{Input, Opening, decide, open};
    use crate::domain::task::event::WorkflowRef;
    use crate::domain::task::snapshot::Snapshot;
    use crate::domain::values::id::{ActorId, BuyerId, CredentialId, PartnerId, StageKey, TaskId, WorkflowKey};
    use crate::domain::values::party::{Actor, Party, Sender};
    use crate::domain::values::text::Name;
    use crate::domain::values::time::Time;
    use crate::domain::workflow::Workflow;

    const NOBODY_AWAY: Moment<'_> = Moment::without_absences(Time::from_micros(1_795_341_600_000_000));

    fn sender(party: Party) -> Sender {
        let actor = Some(Actor::from(ActorId::parse("u-lead").unwrap()));
        Sender { party, actor, credential_id: CredentialId::parse("key").unwrap(), bound: false, admitted: true }
    }

    fn workflow() -> Workflow {
        let definition = json!({ "name": "W", "stages": [
            { "key": "a", "name": "A", "buyer_label": "A", "reviewers": ["u-anna", "u-bo"] },
            { "key": "b", "name": "B", "buyer_label": "B", "panels": [
                { "key": "x", "name": "X", "reviewers": ["u-chi"] }, { "key": "y", "name": "Y", "reviewers": ["u-dan"] } ] },
            { "key": "c", "name": "C", "buyer_label": "C", "reviewer": "buyer" } ] });
        Workflow::parse(&definition).unwrap().workflow
    }

    fn reference() -> WorkflowRef {
        WorkflowRef { key: WorkflowKey::parse("w").unwrap(), version: 1 }
    }

    fn opened(workflow: &Workflow) -> Snapshot {
        let opening = Opening {
            task_id: TaskId(Uuid::from_u128(7)),
            sender: sender(Party::Platform),
            workflow: reference(),
            definition: [0; 32],
            title: Name::parse("A campaign").unwrap(),
            metadata: None,
            deadline_at: None,
            tag_secret: TagSecret::from_random([7; 16]),
        };
        open(workflow, opening, NOBODY_AWAY).unwrap().snapshot().clone()
    }

    fn change(workflow: &Workflow, task: &Snapshot, stage: &str, body: Value) -> Snapshot {
        let meta = Meta { stage: Some(StageKey::parse(stage).unwrap()), ..Meta::new(sender(Party::Partner)) };
        let command = Command::new(meta, Action::ReviewersChanged(serde_json::from_value(body).unwrap())).unwrap();
        decide(workflow, task, Input::Party(&command), NOBODY_AWAY).unwrap().snapshot().clone()
    }

    fn view(workflow: &Workflow, snapshot: &Snapshot) -> TaskView {
        let id = Uuid::from_u128(7);
        let identity = Identity {
            partner_id: PartnerId(id),
            buyer_id: BuyerId(id),
            workflow: reference(),
            title: None,
            metadata: None,
        };
        TaskView::new(workflow, &identity, snapshot, None, Reader { party: Party::Partner, moment: NOBODY_AWAY })
    }

    fn shown(workflow: &Workflow, snapshot: &Snapshot) -> Value {
        let stages = view(workflow, snapshot).stages.into_iter();
        stages.map(|stage| serde_json::to_value(stage).unwrap().get("reviewers").cloned().unwrap_or_default()).collect()
    }

    #[test]
    fn a_stage_shows_its_people_where_they_are_others_than_the_definition_names() {
        let workflow = workflow();
        let task = opened(&workflow);
        assert_eq!(shown(&workflow, &task), json!([null, null, null]));
        let task = change(&workflow, &task, "a", json!({ "add": ["u-eve"], "remove": ["u-anna"], "reason": "Leave." }));
        let task = change(&workflow, &task, "b", json!({ "panel": "y", "add": ["u-eve"], "reason": "More eyes." }));
        let own = json!([{ "named": ["u-bo", "u-eve"] }]);
        assert_eq!(shown(&workflow, &task), json!([own, [{ "panel": "y", "named": ["u-dan", "u-eve"] }], null]));
        let stages = view(&workflow, &task).stages;
        let named = |stage: usize| -> Vec<Vec<&str>> {
            let groups: Vec<_> = workflow.stages[stage].groups().collect();
            let people = groups.iter().filter_map(|group| stages[stage].people(group));
            people.map(|people| people.iter().map(ActorId::as_str).collect()).collect()
        };
        assert_eq!(named(0), [["u-bo", "u-eve"]]);
        assert_eq!(named(1), [vec!["u-chi"], vec!["u-dan", "u-eve"]]);
        assert!(named(2).is_empty(), "anyone of the party");
    }

    #[test]
    fn people_who_come_back_are_no_difference() {
        let workflow = workflow();
        let task = change(&workflow, &opened(&workflow), "a", json!({ "remove": ["u-anna"], "reason": "Leave." }));
        assert_eq!(shown(&workflow, &task)[0], json!([{ "named": ["u-bo"] }]));
        let task = change(&workflow, &task, "a", json!({ "add": ["u-anna"], "reason": "Back." }));
        assert_eq!(shown(&workflow, &task), json!([null, null, null]), "in whatever order");
    }
}
