//! What changed between two versions of a workflow, stage by stage.

use serde_json::{Map, Value};

use crate::domain::workflow::{Stage, Workflow};
use crate::pages::texts::{Texts, written};

/// A change from one version to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Members of the workflow itself.
    Workflow(Vec<String>),
    /// A stage is new.
    Added(String),
    /// A stage is gone.
    Removed(String),
    /// The stages have another order.
    Order,
    /// Members of a stage.
    Stage(String, Vec<String>),
}

/// The changes from `older` to `newer`. A stage is the same if its key is.
pub(super) fn changes(older: &Workflow, newer: &Workflow) -> Vec<Change> {
    let mut changes = Vec::new();
    let own = |workflow: &Workflow| {
        let mut members = members(workflow);
        members.remove("stages");
        members
    };
    let differing = differing(&own(older), &own(newer));
    if !differing.is_empty() {
        changes.push(Change::Workflow(differing));
    }
    let missing = |from: &Workflow, stage: &Stage| from.find(&stage.key).is_none();
    let removed = older.stages.iter().filter(|stage| missing(newer, stage));
    changes.extend(removed.map(|stage| Change::Removed(stage.name.to_string())));
    let kept = |workflow: &Workflow, other: &Workflow| {
        let keys = workflow.stages.iter().map(|stage| stage.key.clone());
        keys.filter(|key| other.find(key).is_some()).collect::<Vec<_>>()
    };
    if kept(older, newer) != kept(newer, older) {
        changes.push(Change::Order);
    }
    for stage in &newer.stages {
        match older.find(&stage.key) {
            None => changes.push(Change::Added(stage.name.to_string())),
            Some((_, before)) if before != stage => {
                let differing = self::differing(&members(before), &members(stage));
                changes.push(Change::Stage(stage.name.to_string(), differing));
            }
            Some(_) => {}
        }
    }
    changes
}

fn members(value: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        Ok(_) | Err(_) => Map::new(),
    }
}

/// The names of members that differ, in alphabetical order.
fn differing(older: &Map<String, Value>, newer: &Map<String, Value>) -> Vec<String> {
    let mut names: Vec<&String> = older.keys().chain(newer.keys()).collect();
    names.sort();
    names.dedup();
    names.into_iter().filter(|name| older.get(*name) != newer.get(*name)).cloned().collect()
}

impl Change {
    /// The change as a sentence.
    pub(super) fn text(&self, t: Texts) -> String {
        match self {
            Self::Workflow(members) => t.with("console-change-workflow", "members", members.join(", ")),
            Self::Added(stage) => t.with("console-change-added", "stage", written(stage)),
            Self::Removed(stage) => t.with("console-change-removed", "stage", written(stage)),
            Self::Order => t.text("console-change-order"),
            Self::Stage(stage, members) => {
                let members = members.join(", ");
                t.with_all("console-change-stage", [("stage", written(stage)), ("members", members.into())])
            }
        }
        .into_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: &Value) -> Workflow {
        Workflow::parse(value).unwrap().workflow
    }

    #[test]
    fn versions_are_compared_stage_by_stage() {
        let stage = |key: &str| json!({ "key": key, "name": key.to_uppercase(), "buyer_label": "Working" });
        let older = parse(&json!({ "name": "One", "stages": [stage("a"), stage("b"), stage("c")] }));
        assert_eq!(changes(&older, &older), []);
        let mut b = stage("b");
        b["reviewer"] = json!("buyer");
        let newer =
            parse(&json!({ "name": "Two", "stages": [stage("c"), b, stage("d")], "deadline": { "within": "P9D" } }));
        let found = changes(&older, &newer);
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            found[..4],
            [
                Change::Workflow(names(&["deadline", "name"])),
                Change::Removed("A".to_owned()),
                Change::Order,
                // The stage that a rejection returns to is the previous one.
                Change::Stage("C".to_owned(), names(&["on_reject"])),
            ]
        );
        assert!(
            matches!(&found[4], Change::Stage(name, members) if name == "B" && members.contains(&"reviewer".to_owned()))
        );
        assert_eq!(found[5..], [Change::Added("D".to_owned())]);
    }
}
