//! What is shown, and where the time goes.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::values::party::Party;

const HOUR: i64 = 3_600_000_000;

fn workflow() -> Workflow {
    let text = r#"{"name": "W", "stages": [{"key": "a", "name": "A", "buyer_label": "In A"},
        {"key": "legal", "name": "Legal review", "buyer_label": "In legal", "reviewer": "buyer"}]}"#;
    Workflow::parse(&serde_json::from_str(text).unwrap()).unwrap().workflow
}

fn durations(mean: i64) -> Durations {
    let mean = Seconds::from_micros(mean);
    Durations { p50: mean, p90: mean, mean }
}

fn figures(tasks: u64, [partner, buyer, platform, revising]: [i64; 4]) -> StageFigures {
    let seconds = StageSeconds {
        all: durations(partner + buyer + platform),
        partner: durations(partner),
        buyer: durations(buyer),
        platform: durations(platform),
        revising: durations(revising),
    };
    StageFigures { tasks, entered: tasks, first_pass_tasks: tasks, seconds, ..StageFigures::default() }
}

fn analytics(tasks: u64, stages: [(u64, [i64; 4]); 2]) -> Analytics {
    let key = |text| StageKey::parse(text).unwrap();
    let [a, legal] = stages.map(|(tasks, hours)| figures(tasks, hours.map(|hours| hours * HOUR)));
    let figures = Figures {
        tasks,
        ends: Ends { delivery: tasks.saturating_sub(2), cancelled: tasks.min(2), ..Ends::default() },
        stages: [(key("a"), a), (key("legal"), legal)].into(),
        ..Figures::default()
    };
    let workflow_ref = WorkflowRef { key: WorkflowKey::parse("w").unwrap(), version: 3 };
    let (from, until) = (Time::from_micros(0), Time::from_micros(HOUR));
    let subject = Subject { partner_id: PartnerId(Uuid::nil()), workflow: workflow_ref, from, until };
    Analytics::new(subject, &workflow(), figures)
}

#[test]
fn a_figure_of_fewer_than_five_tasks_is_withheld() {
    let shown = analytics(5, [(5, [1, 0, 0, 0]), (4, [1, 0, 0, 0])]);
    assert!(shown.ends.is_some() && shown.delivery_seconds.is_none(), "3 were delivered");
    assert_eq!((shown.stages[0].entered, shown.stages[0].first_pass_share), (Some(5), Some(1.0)));
    assert_eq!(shown.stages[1].tasks, 4, "the number is always there");
    let few = serde_json::to_value(&shown.stages[1]).unwrap();
    let told: Vec<&String> =
        few.as_object().unwrap().iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name).collect();
    assert_eq!(told, ["key", "name", "tasks"]);
    assert_eq!(analytics(4, [(4, [0; 4]), (0, [0; 4])]).ends, None);
}

#[test]
fn the_bottleneck_is_the_stage_that_takes_the_most_time_of_all_tasks() {
    let told = |stages| {
        let analytics = analytics(100, stages);
        let found = analytics.bottleneck();
        found.map(|found| (found.stage.key.to_string(), found.percent, found.mostly, found.of_stage))
    };
    let party = Mostly::Party;
    let table = [
        ([(100, [39, 0, 0, 0]), (100, [31, 30, 0, 31])], Some(("legal", 61, Mostly::Revisions, 51))),
        ([(100, [39, 0, 0, 0]), (100, [31, 32, 0, 31])], Some(("legal", 62, party(Party::Buyer), 51))),
        ([(100, [39, 0, 0, 0]), (50, [60, 0, 0, 0])], Some(("a", 57, party(Party::Partner), 100))),
        ([(100, [10, 0, 30, 10]), (100, [10, 0, 0, 0])], Some(("a", 80, party(Party::Platform), 75))),
        ([(100, [10, 0, 0, 4]), (100, [10, 0, 0, 0])], Some(("a", 50, party(Party::Partner), 100))),
        ([(100, [0; 4]), (100, [0; 4])], None),
        ([(4, [1, 0, 0, 0]), (0, [0; 4])], None),
    ];
    for (stages, expected) in table {
        let expected = expected.map(|(key, percent, mostly, of_stage)| (key.to_owned(), percent, mostly, of_stage));
        assert_eq!(told(stages), expected, "{stages:?}");
    }
}

proptest! {
    #[test]
    fn a_share_is_the_nearest_of_four_decimals(part in 0..10_000_u32, more in 0..10_000_u32) {
        let whole = part + more;
        let exact = if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) };
        let told = share(part.into(), whole.into());
        prop_assert!((0.0..=1.0).contains(&told) && (told - exact).abs() <= 0.000_050_000_1, "{} {}", told, exact);
    }
}
