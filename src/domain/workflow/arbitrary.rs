//! Valid definitions for property tests. Builds plain JSON and uses nothing of this crate, so that
//! the integration tests can include the same file by `#[path]`.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A valid definition of 1 to `max_stages` stages, with any combination of given and omitted
/// fields. Its reviewers are some of `u-0` to `u-5`; the stages are `s-0`, `s-1` and so on. Shrinks
/// to one stage with only the required fields. Half of the definitions have a calendar, and half of
/// the durations of those are working time.
pub(crate) fn definition(max_stages: usize) -> impl Strategy<Value = Value> {
    let stages = prop::collection::vec(prop::collection::vec(any::<u8>(), 64), 1..=max_stages);
    let whole = prop::collection::vec(any::<u8>(), 24);
    (stages, any::<bool>(), 0..SPANS.len(), whole).prop_map(|(rolls, bounded, within, whole)| {
        let dice = &mut Dice(&whole);
        let calendar = dice.flip().then(|| calendar(dice));
        let stages = rolls.iter().enumerate().map(|(index, rolls)| {
            let dice = &mut Dice(rolls);
            let mut stage = stage(index, dice);
            for (holder, duration) in [
                ("deadline", "within"),
                ("escalation", "respond_within"),
                ("cancellation", "grace"),
                ("questions", "respond_within"),
            ] {
                if stage.get(holder).is_some_and(|rule| rule.get(duration).is_some()) {
                    clock(&mut stage[holder], calendar.is_some(), dice);
                }
            }
            stage
        });
        let mut definition = json!({"name": "A <workflow> & \"more\"", "stages": stages.collect::<Vec<_>>()});
        if bounded {
            definition["deadline"] = json!({"within": SPANS[within]});
            clock(&mut definition["deadline"], calendar.is_some(), dice);
        }
        if let Some(calendar) = calendar {
            definition["calendar"] = calendar;
        }
        definition
    })
}

const SPANS: [&str; 6] = ["PT1H", "PT30M", "PT24H", "P2D", "P1W", "PT90S"];
const PARTIES: [&str; 3] = ["platform", "partner", "buyer"];

/// A working week of at least one interval, in any order; the task under test is opened on
/// 2026-11-22.
fn calendar(dice: &mut Dice) -> Value {
    const ZONES: [&str; 6] =
        ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"];
    const HOLIDAYS: [&str; 4] = ["2026-11-27", "2026-11-23", "2026-12-25", "2027-01-01"];
    let interval = |(from, to): &(&str, &str)| json!({"from": from, "to": to});
    let days: [&[(&str, &str)]; 5] = [
        &[("09:00", "17:00")],
        &[("13:00", "17:00"), ("09:00", "12:00")],
        &[("00:00", "24:00")],
        &[("22:00", "24:00"), ("00:00", "02:30"), ("02:30", "02:31")],
        &[],
    ];
    let mut hours = Map::new();
    for day in ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] {
        let day_hours = days[dice.below(days.len())];
        if day == "monday" || dice.flip() {
            let day_hours = if day == "monday" { days[dice.below(4)] } else { day_hours };
            hours.insert(day.to_owned(), day_hours.iter().map(interval).collect());
        }
    }
    let mut calendar = json!({"time_zone": dice.one(&ZONES), "hours": hours});
    if dice.flip() {
        calendar["holidays"] = json!(dice.some(0, &HOLIDAYS.map(ToOwned::to_owned)));
    }
    calendar
}

/// Sometimes sets the clock of the rule's durations.
fn clock(rule: &mut Value, calendar: bool, dice: &mut Dice) {
    match dice.below(4) {
        0 | 1 if calendar => rule["clock"] = json!("business"),
        2 => rule["clock"] = json!("wall"),
        _ => {}
    }
}

/// A sequence of choices; all zeros once it is used up.
struct Dice<'a>(&'a [u8]);

impl Dice<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(*first) % bound
    }

    fn flip(&mut self) -> bool {
        self.below(2) == 1
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    /// At least `least` of `all`, from a random position on, wrapping around: order and membership
    /// both vary.
    fn some(&mut self, least: usize, all: &[String]) -> Vec<String> {
        let count = least + self.below(all.len() + 1 - least);
        let start = self.below(all.len().max(1));
        all.iter().cycle().skip(start).take(count).cloned().collect()
    }
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("s-{index}")).collect()
}

fn stage(index: usize, dice: &mut Dice) -> Value {
    let mut stage = Map::new();
    let mut put = |name: &str, value: Value| stage.insert(name.to_owned(), value);
    put("key", json!(format!("s-{index}")));
    put("name", json!(dice.one(&["Review", "Ünïcode 審査", "a --> b; \"end\"", "<script>&"])));
    put("buyer_label", json!("In review"));
    if dice.flip() {
        put("submission", json!(dice.one(&["none", "required"])));
    }
    let reviewer = dice.one(&["partner", "partner", "partner", "buyer", "platform"]);
    if reviewer != "partner" || dice.flip() {
        put("reviewer", json!(reviewer));
    }
    match dice.below(4) {
        1 => put("assurance", json!("bound")),
        2 => put("assurance", json!("any")),
        _ => None,
    };
    if reviewer == "partner" {
        reviewers(index, dice, &mut put);
    }
    let allowed: Vec<_> =
        PARTIES.iter().filter(|party| reviewer != "buyer" || **party != "buyer").map(ToString::to_string).collect();
    let to = if dice.flip() { Some(dice.some(1, &allowed)) } else { None };
    let parties = to.clone().unwrap_or_else(|| vec!["platform".to_owned()]);
    if to.is_some() || dice.flip() {
        put("escalation", escalation(dice, to.as_deref(), &parties));
    }
    if dice.flip() {
        put("on_reject", on_reject(index, dice, &parties));
    }
    if dice.flip() {
        put("deadline", deadline(reviewer, dice, &parties));
    }
    if dice.flip() {
        let rule = match dice.below(4) {
            0 => json!({}),
            1 => json!({"in_flight": "withdraw"}),
            2 => json!({"in_flight": "let_finish"}),
            _ => json!({"in_flight": "let_finish", "grace": dice.one(&SPANS)}),
        };
        put("cancellation", rule);
    }
    if dice.flip() {
        put("questions", questions(dice));
    }
    Value::Object(stage)
}

fn questions(dice: &mut Dice) -> Value {
    let mut rule = json!({});
    if dice.flip() {
        rule["to"] = json!(dice.some(1, &PARTIES.map(ToOwned::to_owned)));
    }
    if dice.flip() {
        rule["respond_within"] = json!(dice.one(&SPANS));
    }
    if dice.flip() {
        rule["max_per_round"] = json!(dice.below(5));
    }
    rule
}

fn reviewers(index: usize, dice: &mut Dice, put: &mut impl FnMut(&str, Value) -> Option<Value>) {
    let people: Vec<_> = (0..6).map(|person| format!("u-{person}")).collect();
    let named = dice.some(0, &people);
    if named.len() > 1 && dice.below(3) == 1 {
        put("panels", panels(&named, dice));
    } else {
        if dice.flip() {
            put("quorum", votes(named.len(), dice));
        }
        if !named.is_empty() || dice.flip() {
            put("reviewers", json!(named));
        }
    }
    if dice.flip() {
        put("self_approval", json!(dice.flip()));
    }
    if dice.flip() {
        put("distinct_from", json!(dice.some(0, &keys(index))));
    }
    if !named.is_empty() && dice.below(6) == 0 {
        put("reviewers_fixed", json!(dice.flip()));
    }
}

/// These people in two panels, or in three.
fn panels(named: &[String], dice: &mut Dice) -> Value {
    let size = if named.len() > 2 && dice.flip() { named.len().div_ceil(3) } else { named.len().div_ceil(2) };
    let panel = |(index, people): (usize, &[String])| {
        let mut panel = json!({"key": format!("p-{index}"), "name": "Pänel <&>", "reviewers": people});
        if dice.flip() {
            let votes = votes(people.len(), dice);
            panel["approvals"] = votes["approvals"].clone();
            panel["rejections"] = votes["rejections"].clone();
        }
        panel
    };
    named.chunks(size).enumerate().map(panel).collect()
}

/// A quorum that so many named people can reach, or anybody if none is named.
fn votes(named: usize, dice: &mut Dice) -> Value {
    if named > 0 && dice.below(3) == 1 {
        return json!({"approvals": "all", "rejections": 1});
    }
    let most = if named == 0 { 4 } else { named };
    let approvals = 1 + dice.below(most);
    json!({"approvals": approvals, "rejections": 1 + dice.below(most + 1 - approvals)})
}

fn action(dice: &mut Dice, actions: &[&str], parties: &[String]) -> Value {
    match dice.one(actions) {
        "escalate" => json!({"action": "escalate", "to": parties[dice.below(parties.len())]}),
        action => json!({"action": action}),
    }
}

fn on_reject(index: usize, dice: &mut Dice, parties: &[String]) -> Value {
    let mut rule = json!({});
    if dice.flip() {
        rule["return_to"] = json!(dice.some(1, &keys(index + 1)));
    }
    if dice.flip() {
        rule["max_rounds"] = json!(1 + dice.below(4));
    }
    if dice.flip() {
        rule["on_exhausted"] = action(dice, &["escalate", "fail"], parties);
    }
    if dice.below(4) == 1 {
        let keys = dice.some(0, &["price", "tone", "law"].map(ToOwned::to_owned));
        let reason = |key: &String| json!({"key": key, "name": format!("The {key}")});
        rule["reasons"] = keys.iter().map(reason).collect();
    }
    match dice.below(4) {
        1 | 2 => rule["answers"] = json!("required"),
        3 => rule["answers"] = json!("optional"),
        _ => {}
    }
    rule
}

fn escalation(dice: &mut Dice, to: Option<&[String]>, parties: &[String]) -> Value {
    let mut rule = json!({});
    if let Some(to) = to {
        rule["to"] = json!(to);
    }
    if dice.flip() {
        rule["respond_within"] = json!(dice.one(&SPANS));
        if dice.flip() {
            rule["on_timeout"] = action(dice, &["escalate", "reject", "fail", "none"], parties);
        }
    }
    rule
}

fn deadline(reviewer: &str, dice: &mut Dice, parties: &[String]) -> Value {
    let silence = reviewer != "platform" && dice.flip();
    let mut rule = json!({"within": if silence { dice.one(&["PT24H", "P2D"]) } else { dice.one(&SPANS) }});
    if dice.flip() {
        let reminders: Vec<_> = ["PT90S", "PT1M", "PT1S"].iter().map(ToString::to_string).collect();
        rule["remind_before"] = json!(dice.some(0, &reminders));
    }
    if silence {
        rule["on_timeout"] = json!({"action": "approve"});
    } else if dice.flip() {
        rule["on_timeout"] = action(dice, &["escalate", "reject", "fail", "none"], parties);
    }
    rule
}
