//! The inbox of people who came and went: each is asked for what is theirs now, whatever the definition names.

use serde_json::{Value, json};

use super::change;
use crate::harness::commands::{approve, at, submit};
use crate::harness::parties::{Client, DEMO, Parties, text};
use crate::tasks::inbox::copy;

/// Every page of an inbox.
async fn walk(reader: &Client, query: &str) -> Vec<String> {
    let (mut seen, mut path) = (Vec::new(), format!("/api/v1/reviews?{query}"));
    for _ in 0..100 {
        let page = reader.read(&path).await;
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| text(&item["task_id"])));
        let Some(next) = page["next"].as_str() else { return seen };
        path = format!("/api/v1/reviews?{query}&cursor={next}");
    }
    panic!("pages without end");
}

#[tokio::test]
async fn who_came_finds_the_task_and_who_left_does_not() {
    let parties = Parties::start().await;
    let mut tasks = Vec::new();
    for _ in 0..9 {
        tasks.push(parties.open_in_legal().await);
        parties.pass(1);
    }
    let changed: Vec<&String> = tasks.iter().step_by(2).collect();
    for task in &changed {
        parties.partner.done(task, &change("legal", &["u-dan"], &["u-bo"])).await;
    }
    let kept: Vec<&String> = tasks.iter().filter(|task| !changed.contains(task)).collect();
    for limit in [1, 2, 3, 100] {
        for filter in ["reviewer", "actor"] {
            let of = async |person: &str| {
                walk(&parties.partner, &format!("limit={limit}&stage=legal&{filter}={person}")).await
            };
            assert_eq!(of("u-dan").await.iter().collect::<Vec<_>>(), changed, "{filter}, {limit} on a page");
            assert_eq!(of("u-bo").await.iter().collect::<Vec<_>>(), kept, "{filter}, {limit} on a page");
            assert_eq!(of("u-anna").await, tasks, "{filter}, {limit} on a page");
            assert_eq!(of("u-zoe").await, Vec::<String>::new());
        }
    }
    // Once he has voted, he is still one whom the stage names; the person's desk has both filters.
    parties.partner.done(changed[0], &approve(at("legal", 1, 1), "u-dan")).await;
    let desk = walk(&parties.partner, "limit=2&reviewer=u-dan&actor=u-dan").await;
    assert_eq!(desk.iter().collect::<Vec<_>>(), changed);
}

#[tokio::test]
async fn a_stage_that_is_still_to_come_names_its_new_people_once_it_is_there() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    parties.partner.done(&task, &change("legal", &["u-dan"], &[])).await;
    assert!(walk(&parties.partner, "reviewer=u-dan").await.is_empty(), "it is not the stage that waits");
    parties.partner.done(&task, &submit("agent")).await;
    parties.partner.done(&task, &approve(at("copy", 1, 1), "u-copy")).await;
    assert_eq!(walk(&parties.partner, "reviewer=u-dan").await, [task]);
}

/// Of stages that nobody can change, only those that name the person are read: with a page full of others before it,
/// the first page has the task.
#[tokio::test]
async fn stages_that_keep_their_people_are_not_read_for_others() {
    let parties = Parties::start().await;
    let mut fixed: Value = DEMO.clone();
    fixed["stages"][1]["reviewers_fixed"] = json!(true);
    parties.register("fixed", &fixed).await;
    let bring = async |workflow: &str| {
        let id = parties.open(workflow).await;
        parties.partner.done(&id, &submit("agent")).await;
        parties.partner.done(&id, &approve(at("copy", 1, 1), "u-copy")).await;
        id
    };
    let of_fixed = bring("fixed").await;
    copy(&parties, &of_fixed, 600).await;
    parties.pass(1);
    let open = bring("brand-campaign").await;
    parties.partner.done(&open, &change("legal", &["u-dan"], &[])).await;
    let page = parties.partner.read("/api/v1/reviews?reviewer=u-dan").await;
    let ids: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| text(&item["task_id"])).collect();
    assert_eq!((ids, &page["next"]), (vec![open], &Value::Null), "no task of the fixed stage was looked at");
    let annas = parties.partner.read("/api/v1/reviews?reviewer=u-anna&limit=100").await;
    assert_eq!(annas["items"].as_array().unwrap().len(), 100);
    parties.partner.refused(&of_fixed, &change("legal", &["u-dan"], &[]), (403, "reviewers_fixed")).await;
}

/// Of stages whose people can change each task is looked at: a page looks at so many, and says that more follow.
#[tokio::test]
async fn a_page_looks_at_so_many_tasks_and_says_that_more_follow() {
    let parties = Parties::start().await;
    let other = parties.open_in_legal().await;
    copy(&parties, &other, 599).await;
    parties.pass(1);
    let task = parties.open_in_legal().await;
    parties.partner.done(&task, &change("legal", &["u-dan"], &[])).await;
    let first = parties.partner.read("/api/v1/reviews?reviewer=u-dan").await;
    assert_eq!(first["items"], json!([]), "500 were looked at, and none names him");
    let next = text(&first["next"]);
    let second = parties.partner.read(&format!("/api/v1/reviews?reviewer=u-dan&cursor={next}")).await;
    assert_eq!((&second["items"][0]["task_id"], &second["next"]), (&json!(task), &Value::Null));
}
