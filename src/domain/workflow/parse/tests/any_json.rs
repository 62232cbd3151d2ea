//! Any JSON is read or refused, and never makes the parser panic.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::domain::workflow::{MistakeCode as Code, Workflow, definition};

/// JSON of any shape, built from the field names of a definition so that it passes the first check.
#[expect(clippy::too_many_lines, reason = "a list of words")]
fn anything() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "key",
        "name",
        "a",
        "b",
        "stages",
        "buyer_label",
        "reviewer",
        "partner",
        "buyer",
        "platform",
        "quorum",
        "approvals",
        "all",
        "panels",
        "reviewers",
        "on_reject",
        "return_to",
        "max_rounds",
        "on_exhausted",
        "action",
        "escalate",
        "approve",
        "to",
        "escalation",
        "respond_within",
        "on_timeout",
        "deadline",
        "within",
        "remind_before",
        "PT1H",
        "P1D",
        "cancellation",
        "in_flight",
        "let_finish",
        "grace",
        "clock",
        "business",
        "calendar",
        "time_zone",
        "hours",
        "monday",
        "holidays",
        "UTC",
        "09:00",
        "2026-12-25",
        "",
        "~/",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 120, 10, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((words.clone(), inner), 0..10)
                .prop_map(|fields| fields.into_iter().collect::<Value>()),
        ]
    })
}

/// Every place in a JSON value.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| places(value, &format!("{at}/{index}"), into));
        }
        Value::Object(map) => {
            map.iter().for_each(|(name, value)| places(value, &format!("{at}/{}", escape(name)), into));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A refusal is never empty, no mistake is listed twice, and its pointers exist.
fn check_refusal(definition: &Value) -> Result<(), TestCaseError> {
    let Err(mistakes) = Workflow::parse(definition) else { return Ok(()) };
    prop_assert!(!mistakes.is_empty());
    for (index, mistake) in mistakes.iter().enumerate() {
        prop_assert!(!mistakes[..index].contains(mistake), "twice: {mistake:?}");
        let (parent, _) = mistake.pointer.rsplit_once('/').unwrap_or_default();
        let missing = mistake.code == Code::Required && definition.pointer(&mistake.pointer).is_none();
        let place = if missing { parent } else { &mistake.pointer };
        prop_assert!(definition.pointer(place).is_some(), "leads nowhere: {mistake:?}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(definition in anything(), stage in anything()) {
        check_refusal(&definition)?;
        check_refusal(&json!({"name": "x", "stages": [stage, definition], "deadline": null}))?;
    }

    #[test]
    fn a_sound_definition_with_one_place_spoilt_is_refused_or_sound_but_never_a_panic(
        mut definition in definition(4), junk in anything(), pick in any::<prop::sample::Index>()
    ) {
        let mut all = Vec::new();
        places(&definition, "", &mut all);
        *definition.pointer_mut(&all[pick.index(all.len())]).unwrap() = junk;
        check_refusal(&definition)?;
    }
}
