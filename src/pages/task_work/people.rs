//! The form with which other people review a stage: which stages that can be, who reviews them now, and
//! what was typed.

use serde_json::{Map, Value, json};

use crate::app::tasks::Desk;
use crate::domain::task::view::StageView;
use crate::domain::values::id::ActorId;
use crate::domain::workflow::{Group, Stage};
use crate::pages::forms::Fields;

use super::words;

/// The most ticks that are read. A stage names at most 100 people.
const MAX_TICKS: usize = 1_000;

/// What was typed into the form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct People {
    /// The place: see [`Place::value`].
    pub(super) place: String,
    /// The ids of those who come, one a line.
    pub(super) come: String,
    /// Those who go: each a place, and the id.
    leave: Vec<String>,
    /// The reason.
    pub(super) reason: String,
}

/// A stage, or a panel of one, whose people can change.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Names it in the form: the keys of stage and panel with a colon, which no key has.
    pub(super) value: String,
    /// What it is called.
    pub(super) name: String,
    /// Who may vote there now: value of the box, id, whether it is ticked.
    pub(super) people: Vec<(String, String, bool)>,
}

impl People {
    /// What was typed.
    pub(super) fn of(fields: &Fields) -> Self {
        let get = |name: &str| fields.get(name).to_owned();
        let leave = fields.all("leave").take(MAX_TICKS).map(str::to_owned).collect();
        Self { place: get("place"), come: get("come"), leave, reason: get("people-reason") }
    }

    /// The key of the chosen stage.
    pub(super) fn stage(&self) -> &str {
        self.place.split_once(':').map_or(&*self.place, |(stage, _)| stage)
    }

    /// What the command says beside the stage, as the API takes it.
    pub(super) fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        if let Some(panel) = self.place.split_once(':').map(|(_, panel)| panel).filter(|panel| !panel.is_empty()) {
            members.insert("panel".to_owned(), panel.into());
        }
        members.insert("add".to_owned(), json!(self.coming().collect::<Vec<_>>()));
        members.insert("remove".to_owned(), json!(self.leaving().collect::<Vec<_>>()));
        members.insert("reason".to_owned(), self.reason.trim().into());
        members
    }

    /// Who goes from the chosen place.
    fn leaving(&self) -> impl Iterator<Item = &str> {
        self.leave.iter().filter_map(|value| value.strip_prefix(&*self.place)?.strip_prefix(':'))
    }

    fn coming(&self) -> impl Iterator<Item = &str> {
        self.come.lines().map(str::trim).filter(|line| !line.is_empty())
    }

    /// What does not fit together, before the service is asked: field and id of a text.
    pub(super) fn mistakes(&self) -> Vec<(&'static str, &'static str)> {
        let nobody = self.leave.is_empty() && self.coming().next().is_none();
        let elsewhere = self.leaving().count() < self.leave.len();
        let found = [(nobody, ("come", "review-mistake-nobody")), (elsewhere, ("leave", "review-mistake-elsewhere"))];
        found.into_iter().filter_map(|(is_wrong, mistake)| is_wrong.then_some(mistake)).collect()
    }

    /// Who goes, in words; nothing if nobody does.
    pub(super) fn leaving_in_words(&self) -> String {
        let ids = self.leave.iter().filter_map(|value| value.splitn(3, ':').nth(2));
        ids.collect::<Vec<_>>().join("\n")
    }
}

/// The field for a place in the command.
pub(super) fn field(pointer: &str) -> &'static str {
    match pointer {
        "/stage" | "/panel" => "place",
        "/reason" => "people-reason",
        _ if pointer.starts_with("/add") => "come",
        _ if pointer.starts_with("/remove") => "leave",
        _ => "decide",
    }
}

/// The text for a mistake that the service found, where this form has one of its own.
pub(super) fn mistake(code: &str, field: &str) -> Option<&'static str> {
    Some(match (code, field) {
        ("quorum_unreachable", _) => "review-mistake-quorum",
        ("duplicate" | "two_panels", "come") => "review-mistake-come",
        ("unknown_reviewer", _) => "review-mistake-leave",
        (_, "place") => "review-mistake-select",
        _ => return None,
    })
}

/// Where people can change: the current stage and later ones.
pub(super) fn places(desk: &Desk, typed: &People) -> Vec<Place> {
    let stages = desk.workflow.stages.iter().zip(&desk.task.stages).skip(desk.task.stage.position - 1);
    let open = stages.filter(|(stage, _)| stage.names_reviewers() && !stage.fixes_reviewers());
    open.flat_map(|(stage, now)| stage.groups().map(move |group| place((stage, now), group, typed))).collect()
}

fn place((stage, now): (&Stage, &StageView), group: Group<'_>, typed: &People) -> Place {
    let value = format!("{}:{}", stage.key, group.key().map_or("", |key| key.as_str()));
    let person = |id: &ActorId| {
        let of_box = format!("{value}:{id}");
        (of_box.clone(), id.to_string(), typed.leave.contains(&of_box))
    };
    let people = now.people(&group).unwrap_or_default().iter().map(person).collect();
    Place { name: words::place(stage.name.as_str(), group.panel.map(|panel| panel.name.as_str())), people, value }
}
