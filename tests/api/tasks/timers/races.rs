//! What people do at the last moment, against the timer whose moment it is: one of the two takes effect, and the
//! other leaves no trace.

use chrono::TimeDelta;
use serde_json::{Value, json};
use stagegate::clock::Clock;
use stagegate::domain::values::id::TaskId;
use stagegate::domain::values::time::Time;

use crate::harness::commands::{approve, at, cancel, escalate, resolve, with};
use crate::harness::service::{Answer, PLATFORM_KEY};

use super::world::{World, fail, hour, minute};

const TASKS: usize = 12;

/// A command a millisecond before a timer is due, by a replica whose clock says so, while another one's says that
/// it is due.
struct Race {
    what: &'static str,
    on_timeout: Value,
    /// A command of the platform at minute 10.
    before: Option<Value>,
    /// The minute of the timer.
    due: i64,
    /// The command, and whether it is the partner's; else the platform's.
    command: (Value, bool),
    /// What is left where the command came first: phase, trail, the next timer.
    first: (&'static str, &'static str, Option<Time>),
    /// The same where the timer came first, and how the command is refused.
    second: (&'static str, &'static str, Option<Time>, &'static str),
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn races() -> Vec<Race> {
    let just_before = |due| Some(minute(due) - TimeDelta::milliseconds(1));
    let vote = (approve(at("copy", 1, 0), "u-anna"), true);
    let asked = Some(escalate(at("copy", 1, 0), "ops", "platform"));
    let missed = ("escalated", "stage_escalated deadline_passed stage_escalated", Some(minute(130)), "403 wrong_party");
    let withdrawn =
        ("cancelled", "cancellation_requested review_withdrawn workflow_cancelled", None, "409 task_closed");
    let to_desk = || json!({ "action": "escalate", "to": "platform" });
    vec![
        Race {
            what: "a vote and the stage's deadline",
            on_timeout: fail(),
            before: None,
            due: 60,
            command: vote.clone(),
            first: ("delivery", "deadline_reminded vote_recorded stage_approved workflow_completed", None),
            second: (
                "failed",
                // What the reviewer did is kept all the same.
                "deadline_reminded deadline_passed review_withdrawn workflow_failed late_decision_recorded",
                None,
                "409 task_closed",
            ),
        },
        Race {
            what: "a hold and the stage's deadline",
            on_timeout: fail(),
            before: None,
            due: 60,
            command: (json!({ "type": "held", "reason": "The client is away" }), false),
            first: ("on_hold", "deadline_reminded held", Some(minute(1440))),
            second: (
                "failed",
                "deadline_reminded deadline_passed review_withdrawn workflow_failed",
                None,
                "409 task_closed",
            ),
        },
        Race {
            what: "a resumption and the task's deadline, which comes either way",
            on_timeout: fail(),
            before: Some(json!({ "type": "held", "reason": "The client is away" })),
            due: 1440,
            command: (json!({ "type": "resumed" }), false),
            first: ("expired", "held resumed review_withdrawn workflow_expired", None),
            second: ("expired", "held review_withdrawn workflow_expired", None, "409 task_closed"),
        },
        Race {
            what: "an acknowledgement and the end of the grace",
            on_timeout: fail(),
            before: Some(cancel()),
            due: 40,
            command: (json!({ "type": "cancellation_acknowledged", "in_flight": "discarded" }), true),
            first: ("cancelled", "cancellation_requested cancellation_acknowledged workflow_cancelled", None),
            second: withdrawn,
        },
        Race {
            what: "a cancellation at once and the end of the grace",
            on_timeout: fail(),
            before: Some(cancel()),
            due: 40,
            command: (with(cancel(), &json!({ "immediate": true })), false),
            first: (
                "cancelled",
                "cancellation_requested cancellation_requested review_withdrawn workflow_cancelled",
                None,
            ),
            second: withdrawn,
        },
        Race {
            what: "advice and the end of patience",
            on_timeout: to_desk(),
            before: asked.clone(),
            due: 70,
            command: (resolve(3, "return", "ops"), false),
            // The review goes on with what was left of it: 35 minutes to the reminder.
            first: ("in_review", "stage_escalated escalation_resolved", just_before(105)),
            second: missed,
        },
        Race {
            what: "an escalation handed on and the end of patience",
            on_timeout: to_desk(),
            before: asked,
            due: 70,
            command: (with(resolve(3, "redirect", "ops"), &json!({ "to": "buyer" })), false),
            first: ("escalated", "stage_escalated escalation_resolved stage_escalated", just_before(130)),
            second: missed,
        },
        Race {
            what: "the last approval and the task's deadline",
            on_timeout: json!({ "action": "none" }),
            before: None,
            due: 1440,
            command: vote,
            first: (
                "delivery",
                "deadline_reminded deadline_passed vote_recorded stage_approved workflow_completed",
                None,
            ),
            second: (
                "expired",
                "deadline_reminded deadline_passed review_withdrawn workflow_expired late_decision_recorded",
                None,
                "409 task_closed",
            ),
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_timer_and_what_came_a_millisecond_before_one_takes_effect() {
    let (mut first, mut second) = (0, 0);
    for race in races() {
        let (world, tasks) = Box::pin(race.prepare()).await;
        let worker = world.replica(&Clock::fixed(minute(race.due)), 4).await;
        world.service.clock.set(minute(race.due) - TimeDelta::milliseconds(1));
        let (answers, fired) = tokio::join!(race.send(&world, &tasks), worker.run_due());
        fired.unwrap();
        let mut over = Vec::new();
        for (task, answer) in tasks.iter().zip(&answers) {
            let won = answer.status == 201;
            let (phase, trail, wake_at, refusal) = race.second;
            let (phase, trail, wake_at) = if won { race.first } else { (phase, trail, wake_at) };
            let seen = race.outcome(&world, task).await;
            assert_eq!(seen, (phase.to_owned(), trail.to_owned(), wake_at), "{}: {}", race.what, answer.text);
            if !won {
                let code = answer.body["code"].as_str().unwrap_or_default();
                assert_eq!(format!("{} {code}", answer.status), refusal, "{}", race.what);
            }
            *(if won { &mut first } else { &mut second }) += 1;
            over.extend(wake_at.is_none().then_some((task, trail)));
        }
        world.fired_at(1_000_000).await;
        for (task, trail) in over {
            assert_eq!(race.outcome(&world, task).await.1, trail, "{}: something was left to fire", race.what);
        }
    }
    assert!(first > 0 && second > 0, "no race: {first} commands and {second} timers came first");
}

impl Race {
    async fn prepare(&self) -> (World, Vec<String>) {
        let world = World::new(&hour(&self.on_timeout)).await;
        let mut tasks = Vec::with_capacity(TASKS);
        for _ in 0..TASKS {
            tasks.push(world.open().await);
        }
        world.at(10);
        for task in tasks.iter().filter(|_| self.before.is_some()) {
            world.command(task, self.before.as_ref().unwrap()).await;
        }
        world.fired_at(self.due - 1).await;
        (world, tasks)
    }

    /// The command for every task, a few at a time.
    async fn send(&self, world: &World, tasks: &[String]) -> Vec<Answer> {
        let (command, partner) = &self.command;
        let credential = if *partner { world.key.as_str() } else { PLATFORM_KEY };
        let lane = async |tasks: &[String]| {
            let mut answers = Vec::with_capacity(tasks.len());
            for task in tasks {
                let path = format!("/api/v1/tasks/{task}/events");
                answers.push(world.service.call("POST", &path, credential, command).await);
            }
            answers
        };
        let (one, two) = tasks.split_at(tasks.len() / 2);
        let (one, two) = tokio::join!(lane(one), lane(two));
        one.into_iter().chain(two).collect()
    }

    /// Phase, trail after the opening and next timer of a task whose chain holds.
    async fn outcome(&self, world: &World, task: &str) -> (String, String, Option<Time>) {
        let events = world.events(task).await;
        let trail: Vec<&str> = events[2..].iter().map(|event| event.fact.kind().trim_start_matches("task.")).collect();
        let wake_at = "select wake_at from tasks where task_id::text = $1";
        let wake_at: Option<chrono::DateTime<chrono::Utc>> =
            sqlx::query_scalar(wake_at).bind(task).fetch_one(&world.service.db.pool).await.unwrap();
        (world.phase(task).await, trail.join(" "), wake_at.map(Time::from))
    }
}

#[tokio::test]
async fn a_timer_that_was_claimed_for_a_state_that_has_moved_on_does_nothing() {
    let world = World::new(&hour(&fail())).await;
    let (voted, held, cancelled) = (world.open().await, world.open().await, world.open().await);
    world.fired_at(59).await;
    let ids = [&voted, &held, &cancelled].map(|task| TaskId(task.parse().unwrap()));
    let claimed = world.app.tasks.timers.load(&ids).await.unwrap();
    assert_eq!(claimed.len(), 3);
    let (path, vote) = (format!("/api/v1/tasks/{voted}/events"), approve(at("copy", 1, 0), "u-anna"));
    assert_eq!(world.service.call("POST", &path, &world.key, &vote).await.status, 201);
    world.command(&held, &json!({ "type": "held", "reason": "The client is away" })).await;
    world.command(&cancelled, &cancel()).await;
    world.at(60);
    let before = world.trails().await;
    for (_, task) in claimed {
        assert_eq!(world.app.tasks.commands.run_due_timers(task.unwrap(), 64).await.unwrap(), 0);
    }
    assert_eq!(world.trails().await, before);
}
