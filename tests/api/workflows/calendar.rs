//! Working time from the outside: what a partner registers, what everybody reads, and when timers fire.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use stagegate::app::App;
use stagegate::domain::values::time::Time;
use stagegate::worker::timers::Timers;

use crate::harness::parties::{Parties, code};
use crate::workflows::simulations::with_statuses;

const PATH: &str = "/api/v1/workflows/office";

fn time(text: &str) -> Time {
    text.parse::<DateTime<Utc>>().unwrap().into()
}

/// Ten working hours in Berlin, with a lunch break, a reminder eight before, and an answer to an escalation within
/// an hour.
fn office() -> Value {
    let day = json!([{ "from": "09:00", "to": "12:00" }, { "from": "13:00", "to": "17:00" }]);
    json!({
        "name": "Office hours",
        "stages": [{
            "key": "copy", "name": "Copy review", "buyer_label": "Copy is being reviewed", "on_reject": { "max_rounds": 2 },
            "deadline": {
                "within": "PT10H", "remind_before": ["PT8H"], "clock": "business",
                "on_timeout": { "action": "escalate", "to": "platform" }
            },
            "escalation": { "respond_within": "PT1H", "clock": "business", "on_timeout": { "action": "fail" } },
            "cancellation": { "in_flight": "let_finish", "grace": "PT2H", "clock": "business" }
        }],
        "deadline": { "within": "PT70H", "clock": "business" },
        "calendar": {
            "time_zone": "Europe/Berlin", "holidays": ["2027-01-01"],
            "hours": { "monday": day, "tuesday": day, "wednesday": day, "thursday": day, "friday": day }
        }
    })
}

/// What happens to a task that is opened on Friday, 2027-01-15, at 11:00 in Berlin, if nobody does anything.
const STORY: [(&str, &str); 3] = [
    ("2027-01-15T13:00:00Z", "task.deadline_reminded"),
    ("2027-01-18T14:00:00Z", "task.deadline_passed"),
    ("2027-01-18T15:00:00Z", "task.deadline_passed"),
];

#[tokio::test]
async fn working_time_is_registered_shown_and_kept() {
    let parties = Parties::start().await;
    let answer = parties.partner.call("PUT", PATH, &office()).await;
    assert_eq!((answer.status, &answer.body["warnings"]), (201, &json!([])));
    assert_eq!(answer.body["definition"]["calendar"], office()["calendar"]);
    assert_eq!(answer.body["definition"]["stages"][0]["deadline"]["clock"], "business");
    let longest = answer.body["worst_case_seconds"].as_i64().unwrap();
    // Ten working days and a holiday, weekends among them.
    assert!((14 * 86_400..=19 * 86_400).contains(&longest), "{longest}");
    let diagram = answer.body["diagram"].as_str().unwrap();
    for words in [
        "not finished within 70 working hours",
        "no decision within 10 working hours",
        "no answer within 1 working hour",
    ] {
        assert!(diagram.contains(words), "{words}: {diagram}");
    }
    assert_eq!(parties.partner.read(PATH).await["definition"], answer.body["definition"]);

    let clock = parties.service.clock.clone();
    clock.set(time("2027-01-15T10:00:00Z"));
    let task = parties.open("office").await;
    let path = format!("/api/v1/tasks/{task}");
    assert_eq!(parties.partner.read(&path).await["due_at"], STORY[1].0);
    assert_eq!(parties.buyer.read(&format!("{path}/status")).await["due_at"], STORY[1].0);
    assert_eq!(parties.partner.read(&path).await["deadline_at"], "2027-01-29T10:00:00Z");
    let trail = parties.buyer.read(&format!("{path}/audit")).await;
    assert!(
        trail.to_string().contains(r#""clock":{"due_at":"2027-01-18T14:00:00Z","remind_at":["2027-01-15T13:00:00Z"]}"#),
        "{trail}"
    );

    let timers = Timers::new(Arc::new(App::new(parties.service.db.pool.clone(), clock.clone())));
    for (at, kind) in STORY {
        clock.set(time(at) - chrono::TimeDelta::microseconds(1));
        assert_eq!(timers.run_due().await.unwrap(), 0, "not before {at}");
        clock.set(time(at));
        assert_eq!(timers.run_due().await.unwrap(), 1, "{at}");
        let trail = parties.platform.read(&format!("{path}/audit")).await.to_string();
        assert!(trail.contains(&format!("\"recorded_at\":\"{at}\"")) && trail.contains(kind), "{at} {kind}: {trail}");
    }
    assert_eq!(parties.partner.read(&path).await["phase"], "failed");
}

#[tokio::test]
async fn a_simulation_keeps_the_same_hours() {
    let parties = Parties::start().await;
    parties.register("office", &office()).await;
    let simulate = async |plan: Value| {
        let answer = parties.partner.call("POST", &format!("{PATH}/simulate"), &plan).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        with_statuses(answer.body["steps"].as_array().unwrap())
    };
    let steps = simulate(json!({ "opened_at": "2027-01-15T10:00:00Z", "until": "2027-02-15T10:00:00Z" })).await;
    let story: Vec<_> =
        steps.iter().map(|step| (step["at"].as_str().unwrap(), step["events"][0]["type"].as_str().unwrap())).collect();
    assert_eq!(story[1..], STORY);
    assert_eq!(steps[0]["status"]["due_at"], STORY[1].0);

    // A hold from Friday's closing time to Tuesday noon leaves as much as there was; a cancellation lets
    // Wednesday's two hours pass.
    let platform =
        |at: &str, kind: &str| json!({ "at": at, "party": "platform", "type": kind, "reason": "The client is away" });
    let mut resumed = platform("2027-01-19T11:00:00Z", "resumed");
    resumed.as_object_mut().unwrap().remove("reason");
    let commands =
        [platform("2027-01-15T16:30:00Z", "held"), resumed, platform("2027-01-19T15:30:00Z", "cancellation_requested")];
    let steps =
        simulate(json!({ "opened_at": "2027-01-15T10:00:00Z", "commands": commands, "until": "2027-02-01T00:00:00Z" }))
            .await;
    let due: Vec<_> =
        steps.iter().map(|step| (step["at"].as_str().unwrap(), step["status"]["due_at"].as_str())).collect();
    assert_eq!(
        due,
        [
            ("2027-01-15T10:00:00Z", Some("2027-01-18T14:00:00Z")),
            ("2027-01-15T13:00:00Z", Some("2027-01-18T14:00:00Z")),
            ("2027-01-15T16:30:00Z", None),
            ("2027-01-19T11:00:00Z", Some("2027-01-20T09:00:00Z")),
            ("2027-01-19T15:30:00Z", Some("2027-01-20T09:30:00Z")),
            ("2027-01-20T09:30:00Z", None),
        ]
    );
}

#[tokio::test]
async fn a_calendar_that_is_wrong_is_refused_with_its_places() {
    let parties = Parties::start().await;
    let mut wrong = office();
    wrong["calendar"]["time_zone"] = json!("Europe/Atlantis");
    wrong["calendar"]["holidays"] = json!(["2027-02-29"]);
    wrong["calendar"]["hours"]["monday"][1]["from"] = json!("11:00");
    let answer = parties.partner.call("PUT", PATH, &wrong).await;
    assert_eq!((answer.status, code(&answer)), (422, "invalid_body"));
    let errors = answer.body["errors"].as_array().unwrap();
    let places: Vec<_> = errors
        .iter()
        .map(|error| format!("{} {}", error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    assert_eq!(
        places,
        [
            "/calendar/time_zone unknown_time_zone",
            "/calendar/hours/monday/1 invalid_hours",
            "/calendar/holidays/0 invalid_date",
        ]
    );
}
