//! Laws of definitions: a definition that is read back can be registered again, and a stored one
//! always loads.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};

use super::{EXAMPLE, MistakeCode, WarningCode, Workflow, definition};

fn parse(definition: &Value) -> Workflow {
    Workflow::parse(definition).unwrap_or_else(|mistakes| panic!("{definition:#}: {mistakes:#?}")).workflow
}

/// The contract's example, and its stored form with the defaults filled in.
const STORED: &str = include_str!("../../../tests/golden/definition.json");

#[test]
fn the_example_is_read_with_its_defaults_filled_in_and_the_stored_shape_stands() {
    let parsed = Workflow::parse(&serde_json::from_str(EXAMPLE).unwrap()).unwrap();
    assert_eq!(serde_json::to_string_pretty(&parsed.workflow).unwrap(), STORED.trim_end());
    assert_eq!(serde_json::from_str::<Workflow>(STORED).unwrap(), parsed.workflow);
    assert_eq!(parsed.worst_case, Some(14 * 86_400));
    assert_eq!(
        hex::encode(parsed.workflow.digest()),
        "0c2de2ffd2a9f45afc36871e7853fc042fcf007d8a7a8ab4919f481e5739cb61"
    );
}

#[test]
fn a_stored_panel_is_whole_and_stands_where_the_partner_reviews() {
    let panel = ["quorum", "reviewers", "self_approval", "distinct_from"];
    let without = |stage: usize, fields: &[&str]| {
        let mut stored: Value = serde_json::from_str(STORED).unwrap();
        stored["stages"][stage].as_object_mut().unwrap().retain(|name, _| !fields.contains(&name.as_str()));
        serde_json::from_value::<Workflow>(stored)
    };
    for field in panel {
        let error = without(1, &[field]).unwrap_err().to_string();
        assert!(error.contains("given together or not at all"), "{field}: {error}");
    }
    assert!(without(1, &panel).unwrap_err().to_string().contains("stage `legal`"));
    assert!(without(2, &panel).is_ok());
    let mut both: Value = serde_json::from_str(STORED).unwrap();
    both["stages"][1]["panels"] =
        json!([{"key": "x", "name": "X", "reviewers": ["u-1"], "approvals": "all", "rejections": 1}]);
    assert!(serde_json::from_value::<Workflow>(both.clone()).unwrap_err().to_string().contains("or not at all"));
    let legal = both["stages"][1].as_object_mut().unwrap();
    legal.retain(|name, _| name != "quorum" && name != "reviewers");
    let stored = serde_json::from_value::<Workflow>(both.clone()).unwrap();
    assert_eq!((stored.stages[1].panels().len(), serde_json::to_value(&stored).unwrap()), (1, both.clone()));
    both["stages"][1]["panels"] = json!([]);
    assert!(serde_json::from_value::<Workflow>(both).unwrap_err().to_string().contains("or not at all"));

    let mut stored: Value = serde_json::from_str(STORED).unwrap();
    for field in panel {
        stored["stages"][2][field] = stored["stages"][0][field].clone();
    }
    assert!(serde_json::from_value::<Workflow>(stored).unwrap_err().to_string().contains("stage `signoff`"));
}

#[test]
fn a_stored_workflow_has_a_stage() {
    assert!(serde_json::from_value::<Workflow>(json!({"name": "W", "stages": []})).is_err());
}

#[test]
fn two_spellings_of_one_definition_are_the_same_and_a_change_is_not() {
    let short = json!({"name": "W", "stages": [{"key": "a", "name": "A", "buyer_label": "In A"}]});
    let long = json!({"stages": [{"buyer_label": "In A", "reviewer": "partner", "name": "A", "key": "a",
        "on_reject": {"return_to": ["a"]}, "quorum": {"rejections": 1}, "cancellation": {}}], "name": "W"});
    let mut other = short.clone();
    other["stages"][0]["self_approval"] = json!(true);
    assert_eq!(parse(&short).digest(), parse(&long).digest());
    assert_ne!(parse(&short).digest(), parse(&other).digest());
}

/// The warnings about a definition with these fields in its stages, as `pointer code` lines. It has
/// a calendar if one of its words needs one. By default a stage belongs to the partner, requires no
/// work, and has a limit of rounds and clocks that end every wait.
fn doubts(stages: &Value, deadline: Option<&str>) -> Vec<String> {
    let stages = stages.as_array().unwrap().iter().enumerate().map(|(index, fields)| {
        let mut stage = json!({"key": format!("s-{index}"), "name": "S", "buyer_label": "In S",
            "on_reject": {"max_rounds": 2},
            "escalation": {"respond_within": "PT1H", "on_timeout": {"action": "fail"}},
            "deadline": {"within": "P2D", "on_timeout": {"action": "reject"}}});
        for (name, value) in fields.as_object().unwrap() {
            stage[name] = value.clone();
        }
        stage.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        stage
    });
    let mut definition = json!({"name": "W", "stages": stages.collect::<Vec<_>>()});
    if let Some(within) = deadline {
        let (within, business) = within.split_once(' ').map_or((within, false), |(within, _)| (within, true));
        definition["deadline"] = json!({"within": within, "clock": if business { "business" } else { "wall" }});
    }
    if definition.to_string().contains("business") || definition.to_string().contains("calendar") {
        // 40 hours a week, without clock changes.
        let hours = json!([{"from": "09:00", "to": "17:00"}]);
        definition["calendar"] = json!({"time_zone": "UTC", "hours":
            {"monday": hours, "tuesday": hours, "wednesday": hours, "thursday": hours, "friday": hours}});
    }
    let parsed = Workflow::parse(&definition).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    parsed.warnings.iter().map(|warning| format!("{} {}", warning.pointer, warning.code.as_str())).collect()
}

#[expect(clippy::too_many_lines, reason = "a table")]
/// Stages, the task's deadline, and the expected warnings.
fn cases() -> Vec<(Value, Option<&'static str>, Vec<&'static str>)> {
    let task = Some("P14D");
    let work = |within: &str| json!({"within": within, "on_timeout": {"action": "reject"}, "clock": "business"});
    let named = |count: usize| (0..count).map(|index| format!("u-{index}")).collect::<Vec<_>>();
    let panel = |key: &str, people: std::ops::Range<usize>, approvals: &Value| {
        let people: Vec<_> = people.map(|index| format!("u-{index}")).collect();
        json!({"key": key, "name": "A panel", "reviewers": people, "approvals": approvals})
    };
    vec![
        (json!([{}]), task, vec![]),
        // Timeouts.
        (
            json!([{"escalation": {"to": ["buyer"]}, "deadline": {"within": "P1D", "on_timeout": {"action": "approve"}}}]),
            task,
            vec!["/stages/0/deadline/on_timeout timeout_approves"],
        ),
        // Waits without a deadline of the task: work submitted after a return, and a hold, have no
        // other limit.
        (json!([{}]), None, vec!["/stages/0 unbounded_wait", " unbounded_wait"]),
        (
            json!([{"on_reject": {"return_to": ["s-0"], "max_rounds": 2}}, {"on_reject": {"return_to": ["s-0"], "max_rounds": 2}}]),
            None,
            vec!["/stages/0 unbounded_wait", " unbounded_wait"],
        ),
        (
            json!([{}, {"submission": "required", "on_reject": {"return_to": ["s-0"], "max_rounds": 2}}]),
            None,
            vec!["/stages/0 unbounded_wait", "/stages/1 unbounded_wait", " unbounded_wait"],
        ),
        (
            json!([{"deadline": null}]),
            None,
            vec!["/stages/0 unbounded_wait", "/stages/0 unbounded_wait", " unbounded_wait"],
        ),
        (
            json!([{"deadline": {"within": "PT1H"}, "escalation": {"respond_within": "PT1H"}}]),
            None,
            vec![
                "/stages/0 unbounded_wait",
                "/stages/0/deadline/on_timeout unbounded_wait",
                "/stages/0/escalation/on_timeout unbounded_wait",
                " unbounded_wait",
            ],
        ),
        (
            json!([{"escalation": null}]),
            None,
            vec!["/stages/0 unbounded_wait", "/stages/0/escalation unbounded_wait", " unbounded_wait"],
        ),
        (
            json!([{"escalation": {"respond_within": "PT1H", "on_timeout": {"action": "escalate", "to": "platform"}}}]),
            None,
            vec!["/stages/0 unbounded_wait", "/stages/0/escalation/on_timeout unbounded_wait", " unbounded_wait"],
        ),
        (json!([{"deadline": null, "escalation": null, "submission": "required"}]), task, vec![]),
        // Rounds.
        (json!([{}, {"on_reject": {}}]), task, vec!["/stages/1/on_reject unbounded_rounds"]),
        // Reasons.
        (
            json!([{"on_reject": {"max_rounds": 2, "reasons": [{"key": "a", "name": "A"}, {"key": "b", "name": "B"}]}}]),
            task,
            vec![],
        ),
        (
            json!([{"on_reject": {"max_rounds": 2, "reasons": [{"key": "a", "name": "A"}]}}]),
            task,
            vec!["/stages/0/on_reject/reasons single_reason"],
        ),
        // Sums: each stage has two days here.
        (json!([{}, {}]), Some("P4D"), vec![]),
        (json!([{}, {}]), Some("P3DT23H"), vec!["/deadline/within deadlines_exceed_task"]),
        // The same in working time: two stages of 40 hours can take two weeks, or all 80 hours of the task.
        (json!([{"deadline": work("PT40H")}, {"deadline": work("PT40H")}]), Some("PT80H business"), vec![]),
        (
            json!([{"deadline": work("PT40H")}, {"deadline": work("PT40H")}]),
            Some("PT79H business"),
            vec!["/deadline/within deadlines_exceed_task"],
        ),
        (json!([{"deadline": work("PT40H")}, {"deadline": work("PT40H")}]), Some("P14D"), vec![]),
        (
            json!([{"deadline": work("PT40H")}, {"deadline": work("PT40H")}]),
            Some("P13D"),
            vec!["/deadline/within deadlines_exceed_task"],
        ),
        // Two elapsed days contain 16 working hours each.
        (json!([{}, {}]), Some("PT32H business"), vec![]),
        (json!([{}, {}]), Some("PT31H business"), vec!["/deadline/within deadlines_exceed_task"]),
        // Calendars.
        (json!([{"name": "calendar"}]), task, vec!["/calendar unused_calendar"]),
        (json!([{"deadline": work("P1D")}]), task, vec!["/stages/0/deadline/within business_days"]),
        (
            json!([{"escalation": {"respond_within": "P1W", "on_timeout": {"action": "fail"}, "clock": "business"}}]),
            Some("P20D business"),
            vec!["/deadline/within business_days", "/stages/0/escalation/respond_within business_days"],
        ),
        // Pools: the submitter, and approvers of earlier stages, as many as possible.
        (json!([{"reviewers": named(1)}]), task, vec!["/stages/0/reviewers pool_may_run_dry"]),
        (json!([{"reviewers": named(1), "self_approval": true}]), task, vec![]),
        (json!([{"reviewers": named(2)}]), task, vec![]),
        (
            json!([{}, {"reviewers": named(2), "distinct_from": ["s-0"]}]),
            task,
            vec!["/stages/1/reviewers pool_may_run_dry"],
        ),
        (json!([{}, {"reviewers": named(3), "distinct_from": ["s-0"]}]), task, vec![]),
        (
            json!([{"quorum": {"approvals": 2}}, {"reviewers": named(3), "distinct_from": ["s-0"]}]),
            task,
            vec!["/stages/1/reviewers pool_may_run_dry"],
        ),
        (json!([{"reviewers": ["x", "y"]}, {"reviewers": named(2), "distinct_from": ["s-0"]}]), task, vec![]),
        (
            json!([{"reviewers": ["x", "y"], "escalation": {"to": ["partner"]}}, {"reviewers": named(2), "distinct_from": ["s-0"]}]),
            task,
            vec!["/stages/1/reviewers pool_may_run_dry"],
        ),
        (json!([{"reviewer": "buyer"}, {"reviewers": named(2), "distinct_from": ["s-0"]}]), task, vec![]),
        (
            json!([{"reviewers": ["u-0", "x"]}, {"reviewers": ["u-0", "x"]}, {"reviewers": named(3), "distinct_from": ["s-0", "s-1"]}]),
            task,
            vec![],
        ),
        // `all` means those who may approve; panels are counted apart.
        (json!([{"reviewers": named(2), "quorum": {"approvals": "all"}, "self_approval": true}]), task, vec![]),
        (
            json!([{"reviewers": named(2), "quorum": {"approvals": "all"}}]),
            task,
            vec!["/stages/0/quorum/approvals all_may_be_fewer"],
        ),
        (
            json!([{"reviewers": named(1), "quorum": {"approvals": "all"}}]),
            task,
            vec!["/stages/0/reviewers pool_may_run_dry"],
        ),
        (
            json!([{"panels": [panel("x", 0..3, &json!("all")), panel("y", 3..4, &json!(1)), panel("z", 4..6, &json!(2))]}]),
            task,
            vec![
                "/stages/0/panels/0/approvals all_may_be_fewer",
                "/stages/0/panels/1/reviewers pool_may_run_dry",
                "/stages/0/panels/2/reviewers pool_may_run_dry",
            ],
        ),
        (
            json!([{"panels": [panel("x", 0..2, &json!("all")), panel("y", 2..3, &json!(1))], "self_approval": true}]),
            task,
            vec![],
        ),
        // In a panel that has approved others can approve as well, so all of them can be barred later.
        (
            json!([
                {"panels": [panel("x", 0..3, &json!(1)), panel("y", 3..6, &json!(1))]},
                {"reviewers": named(3), "self_approval": true, "distinct_from": ["s-0"]},
            ]),
            task,
            vec!["/stages/1/reviewers pool_may_run_dry"],
        ),
        (
            json!([{"panels": [{"key": "x", "name": "AITasker’s lawyers", "reviewers": named(2)}]}]),
            task,
            vec!["/stages/0/panels/0/name label_of_the_service"],
        ),
        // Labels that imitate the service's own.
        (json!([{"buyer_label": "Approved"}]), task, vec!["/stages/0/buyer_label label_of_the_service"]),
        (json!([{"buyer_label": " on\u{a0}HOLD! "}]), task, vec!["/stages/0/buyer_label label_of_the_service"]),
        (json!([{"name": "AITasker is deciding"}]), task, vec!["/stages/0/name label_of_the_service"]),
        (json!([{"buyer_label": "With AITasker’s lawyers"}]), task, vec!["/stages/0/buyer_label label_of_the_service"]),
        (json!([{"buyer_label": "Approved by legal?"}]), task, vec![]),
        // Decisions that a buyer would notice.
        (json!([{"self_approval": true}]), task, vec!["/stages no_visible_decision"]),
        (json!([{"self_approval": true}, {}]), task, vec![]),
        (json!([{"self_approval": true}, {"reviewer": "buyer"}]), task, vec![]),
        (json!([{"self_approval": true}, {"reviewer": "platform"}]), task, vec![]),
        (json!([{"self_approval": true, "quorum": {"approvals": 2}}]), task, vec![]),
        (json!([{"self_approval": true, "escalation": {"to": ["platform", "buyer"]}}]), task, vec![]),
        (
            json!([{"self_approval": true}, {"deadline": {"within": "P1D", "on_timeout": {"action": "approve"}}}]),
            task,
            vec!["/stages/1/deadline/on_timeout timeout_approves", "/stages no_visible_decision"],
        ),
    ]
}

#[test]
fn what_is_doubtful_is_said_and_nothing_else() {
    for (stages, deadline, expected) in cases() {
        assert_eq!(doubts(&stages, deadline), expected, "{stages} {deadline:?}");
    }
    let produced: BTreeSet<_> =
        cases().iter().flat_map(|(_, _, expected)| expected).filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(produced, WarningCode::ALL.iter().map(|code| code.as_str()).collect());
}

#[test]
fn codes_are_written_as_they_are_named() {
    for code in MistakeCode::ALL {
        assert_eq!(json!(code), json!(code.as_str()));
        assert!(code.meaning().ends_with('.'), "{code:?}");
    }
    for code in WarningCode::ALL {
        assert_eq!(json!(code), json!(code.as_str()));
        assert!(code.meaning().ends_with('.'), "{code:?}");
    }
}

proptest! {
    #[test]
    fn a_definition_read_back_is_the_same_when_put_or_loaded_again(definition in definition(6)) {
        let workflow = parse(&definition);
        let stored = serde_json::to_value(&workflow).unwrap();
        prop_assert_eq!(&parse(&stored), &workflow);
        prop_assert_eq!(&serde_json::from_value::<Workflow>(stored).unwrap(), &workflow);
        let canonical = workflow.canonical_json();
        let reread: Workflow = serde_json::from_str(&canonical).unwrap();
        prop_assert_eq!(reread.canonical_json(), canonical);
        prop_assert_eq!(reread.digest(), workflow.digest());
    }

    #[test]
    fn warnings_lead_somewhere_and_no_two_are_the_same(definition in definition(6)) {
        let parsed = Workflow::parse(&definition).unwrap();
        let filled_in = serde_json::to_value(&parsed.workflow).unwrap();
        for (index, warning) in parsed.warnings.iter().enumerate() {
            prop_assert!(filled_in.pointer(&warning.pointer).is_some(), "{:?}", warning);
            prop_assert!(!parsed.warnings[..index].contains(warning), "{:?}", warning);
        }
        let waits = parsed.warnings.iter().any(|warning| warning.code == WarningCode::UnboundedWait);
        prop_assert_eq!(waits, parsed.worst_case.is_none());
    }
}

/// The contract's schema of a definition, its references resolved within one document.
fn schema() -> Value {
    #[derive(utoipa::OpenApi)]
    #[openapi(components(schemas(Workflow)))]
    struct Contract;
    let contract = serde_json::to_value(<Contract as utoipa::OpenApi>::openapi()).unwrap();
    json!({"$ref": "#/components/schemas/WorkflowDefinition", "components": contract["components"]})
}

#[test]
fn the_contract_takes_a_definition_as_it_is_sent_and_as_it_is_stored() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let sent = (0..64).map(|_| definition(4).new_tree(&mut runner).unwrap().current());
    for definition in sent.chain([serde_json::from_str(EXAMPLE).unwrap()]) {
        let stored = serde_json::to_value(parse(&definition)).unwrap();
        for definition in [definition, stored] {
            let errors: Vec<_> = validator.iter_errors(&definition).map(|error| error.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new(), "{definition:#}");
        }
    }
    assert!(!validator.is_valid(&json!({"name": "W", "stages": []})));
    assert!(
        !validator.is_valid(
            &json!({"name": "W", "stages": [{"key": "a", "name": "A", "buyer_label": "A", "deadline": null}]})
        )
    );
}
