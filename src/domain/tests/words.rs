//! Definitions in words, so that a case can contain its own: stages joined by `;`, each a key and
//! its differences from the defaults, and after `|` the deadline of the task:
//! `draft required; legal panel distinct=draft deadline=approve | P3D`. Panels are written as
//! `panels=legal:anna+bo:2:1/brand:chi:all`: people, approvals, rejections. A `business` at the end of
//! a stage, or of the whole, counts its durations in working time: mornings and afternoons in
//! Berlin, Monday to Friday.

use serde_json::{Map, Value, json};

/// The definition for the words.
pub(super) fn definition(words: &str) -> Value {
    let (stages, within) =
        words.split_once('|').map_or((words, None), |(stages, within)| (stages, Some(within.trim())));
    let stages: Vec<Value> = stages.split(';').map(stage).collect();
    let mut definition = json!({"name": "Under test", "stages": stages});
    if let Some(within) = within {
        let (within, business) = within.split_once(' ').map_or((within, false), |(within, _)| (within, true));
        definition["deadline"] = json!({"within": within, "clock": if business { "business" } else { "wall" }});
    }
    if words.contains("business") {
        definition["calendar"] = office();
    }
    definition
}

/// Mornings and afternoons in Berlin, Monday to Friday, and Christmas.
pub(super) fn office() -> Value {
    let hours = json!([{"from": "09:00", "to": "12:00"}, {"from": "13:00", "to": "17:00"}]);
    json!({"time_zone": "Europe/Berlin", "holidays": ["2026-12-25", "2027-01-01"], "hours": {
        "monday": hours, "tuesday": hours, "wednesday": hours, "thursday": hours, "friday": hours,
    }})
}

fn stage(words: &str) -> Value {
    let mut words = words.split_whitespace();
    let key = words.next().unwrap();
    let mut stage = json!({"key": key, "name": key, "buyer_label": format!("In {key}")});
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let list = || value.split(',').collect::<Vec<_>>();
        match name {
            "bound" => stage["assurance"] = json!("bound"),
            "required" => stage["submission"] = json!("required"),
            "buyer" | "platform" => stage["reviewer"] = json!(name),
            // Two named reviewers who must agree.
            "panel" => {
                stage["reviewers"] = json!(["u-anna", "u-bo"]);
                stage["quorum"] = json!({"approvals": 2, "rejections": 1});
            }
            "quorum" => {
                let count: Vec<Value> = list().into_iter().map(votes).collect();
                stage["quorum"] = json!({"approvals": count[0], "rejections": count[1]});
            }
            "named" => stage["reviewers"] = list().into_iter().map(|name| json!(format!("u-{name}"))).collect(),
            "panels" => stage["panels"] = value.split('/').map(panel).collect(),
            "fixed" => stage["reviewers_fixed"] = json!(true),
            "own" => stage["substitutes"] = json!(false),
            "self" => stage["self_approval"] = json!(true),
            "distinct" => stage["distinct_from"] = json!(list()),
            "back" => stage["on_reject"]["return_to"] = json!(list()),
            "answers" => stage["on_reject"]["answers"] = json!("required"),
            "reasons" => {
                let reason = |key: &str| json!({"key": key, "name": format!("The {key}")});
                stage["on_reject"]["reasons"] = list().into_iter().map(reason).collect();
            }
            "rounds" => stage["on_reject"]["max_rounds"] = json!(value.parse::<u32>().unwrap()),
            "exhausted" => stage["on_reject"]["on_exhausted"] = action(value),
            "to" => stage["escalation"]["to"] = json!(list()),
            "respond" => {
                stage["escalation"]["respond_within"] = json!("PT1H");
                stage["escalation"]["on_timeout"] = action(value);
            }
            "ask" => stage["questions"]["to"] = json!(list()),
            "asks" => stage["questions"]["max_per_round"] = json!(value.parse::<u32>().unwrap()),
            "answer" => stage["questions"]["respond_within"] = json!(value),
            "deadline" => stage["deadline"] = json!({"within": "PT24H", "on_timeout": action(value)}),
            "remind" => stage["deadline"]["remind_before"] = json!(list()),
            "finish" => stage["cancellation"] = json!({"in_flight": "let_finish", "grace": "PT2H"}),
            "within" => stage["deadline"]["within"] = json!(value),
            "business" => {
                for holder in ["deadline", "escalation", "questions", "cancellation"] {
                    if stage[holder]["within"].is_string()
                        || stage[holder].get("respond_within").or(stage[holder].get("grace")).is_some()
                    {
                        stage[holder]["clock"] = json!("business");
                    }
                }
            }
            other => panic!("no such word: {other}"),
        }
    }
    stage
}

fn panel(words: &str) -> Value {
    let mut words = words.split(':');
    let (key, people) = (words.next().unwrap(), words.next().unwrap());
    let people: Vec<String> = people.split('+').map(|name| format!("u-{name}")).collect();
    let mut panel = json!({"key": key, "name": format!("Panel {key}"), "reviewers": people});
    for (field, word) in ["approvals", "rejections"].into_iter().zip(words) {
        panel[field] = votes(word);
    }
    panel
}

/// A number of votes, or `all`.
fn votes(word: &str) -> Value {
    word.parse::<u32>().map_or_else(|_| json!(word), |number| json!(number))
}

/// `escalate` is written by naming the party.
fn action(word: &str) -> Value {
    let mut action = Map::new();
    let party = matches!(word, "partner" | "buyer" | "platform");
    action.insert("action".to_owned(), json!(if party { "escalate" } else { word }));
    if party {
        action.insert("to".to_owned(), json!(word));
    }
    Value::Object(action)
}
