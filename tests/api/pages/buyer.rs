//! The buyer's view, hosted and as a fragment: what it says in every state, what its forms do, and what it hides.

use scraper::Selector;
use serde_json::{Value, json};
use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;

use crate::harness::commands::{approve, at, cancel, escalate, reject, submit, with};
use crate::harness::parties::Parties;
use crate::harness::visitor::{Page, Visitor};

mod element;
mod forms;
mod hidden;
mod states;

const KEY: &str = "logo";

/// Where a task can be when its buyer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    Preparing,
    InReview,
    Returned,
    Updated,
    PlatformDecides,
    PartnerDecides,
    OnHold,
    Cancelling,
    BuyerDecides,
    BuyerReviews,
    BuyerReviewsLast,
    BuyerAnswers,
    BuyerAnswersAndReviews,
    Cancelled,
    Delivery,
    Failed,
    Overdue,
    Expired,
}

impl Scene {
    pub const ALL: [Self; 18] = [
        Self::Preparing,
        Self::InReview,
        Self::Returned,
        Self::Updated,
        Self::PlatformDecides,
        Self::PartnerDecides,
        Self::OnHold,
        Self::Cancelling,
        Self::BuyerDecides,
        Self::BuyerReviews,
        Self::BuyerReviewsLast,
        Self::BuyerAnswers,
        Self::BuyerAnswersAndReviews,
        Self::Cancelled,
        Self::Delivery,
        Self::Failed,
        Self::Overdue,
        Self::Expired,
    ];

    /// Those in which the buyer is asked something.
    pub const ASKING: [Self; 5] = [
        Self::BuyerDecides,
        Self::BuyerReviews,
        Self::BuyerReviewsLast,
        Self::BuyerAnswers,
        Self::BuyerAnswersAndReviews,
    ];
}

/// A service with a workflow in which all of that can happen.
pub async fn start() -> Parties {
    let parties = Parties::start().await;
    let definition = json!({ "name": "Logo", "deadline": { "within": "P14D" }, "stages": [
        { "key": "draft", "name": "Draft review", "buyer_label": "Draft is being reviewed", "submission": "required",
          "on_reject": { "return_to": ["draft"], "max_rounds": 2, "on_exhausted": { "action": "fail" } },
          "escalation": { "to": ["platform", "buyer", "partner"], "respond_within": "PT24H", "on_timeout": { "action": "escalate", "to": "platform" } },
          "questions": { "respond_within": "PT5H" },
          "deadline": { "within": "PT48H", "on_timeout": { "action": "none" } },
          "cancellation": { "in_flight": "let_finish", "grace": "PT2H" } },
        { "key": "look", "name": "Your look", "buyer_label": "Ready for your look", "reviewer": "buyer",
          "on_reject": { "return_to": ["draft"], "max_rounds": 3, "on_exhausted": { "action": "fail" } },
          "escalation": { "to": ["platform", "partner"] }, "questions": { "respond_within": "PT5H" },
          "deadline": { "within": "PT48H", "on_timeout": { "action": "approve" } } },
        { "key": "last", "name": "Last look", "buyer_label": "Ready for your last look", "reviewer": "buyer" } ] });
    parties.register(KEY, &definition).await;
    parties
}

/// Opens a task and brings it where the scene is.
pub async fn play(parties: &Parties, scene: Scene) -> String {
    let id = parties.open(KEY).await;
    let (partner, buyer, platform) = (&parties.partner, &parties.buyer, &parties.platform);
    let draft = at("draft", 1, 1);
    if !matches!(scene, Scene::Preparing | Scene::Cancelled | Scene::Expired) {
        partner.done(&id, &work()).await;
    }
    if is_after_draft(scene) {
        partner.done(&id, &approve(draft, "u-bo")).await;
    }
    let (to_buyer, to_platform, to_partner) = (
        escalate(draft, "u-bo", "buyer"),
        escalate(at("look", 1, 1), "", "platform"),
        escalate(at("look", 1, 1), "", "partner"),
    );
    match scene {
        Scene::Preparing | Scene::InReview | Scene::BuyerReviews => {}
        Scene::Returned => drop(partner.done(&id, &reject(draft, "u-bo")).await),
        Scene::Updated => {
            let update = json!({ "type": "status_updated", "message": "Our editor is on page two.", "percent": 40, "eta": "2027-01-16T08:00:00Z" });
            partner.done(&id, &update).await;
        }
        Scene::PlatformDecides => drop(buyer.done(&id, &to_platform).await),
        Scene::PartnerDecides => drop(buyer.done(&id, &to_partner).await),
        Scene::OnHold => drop(platform.done(&id, &json!({ "type": "held", "reason": "The office is closed." })).await),
        Scene::Cancelling | Scene::Cancelled => drop(buyer.done(&id, &cancel()).await),
        Scene::BuyerDecides => drop(partner.done(&id, &to_buyer).await),
        Scene::BuyerReviewsLast => drop(buyer.done(&id, &approve(at("look", 1, 1), "")).await),
        Scene::BuyerAnswers => drop(partner.done(&id, &question(draft)).await),
        Scene::BuyerAnswersAndReviews => drop(partner.done(&id, &question(at("look", 1, 1))).await),
        Scene::Delivery => {
            buyer.done(&id, &approve(at("look", 1, 1), "")).await;
            buyer.done(&id, &approve(at("last", 1, 1), "")).await;
        }
        Scene::Failed => {
            partner.done(&id, &reject(draft, "u-bo")).await;
            partner.done(&id, &work()).await;
            partner.done(&id, &reject(at("draft", 2, 2), "u-bo")).await;
        }
        Scene::Overdue => pass(parties, &id, 49).await,
        Scene::Expired => pass(parties, &id, 15 * 24).await,
    }
    id
}

async fn pass(parties: &Parties, id: &str, hours: i64) {
    parties.pass(hours);
    parties.tick(id).await;
}

fn is_after_draft(scene: Scene) -> bool {
    matches!(
        scene,
        Scene::PlatformDecides
            | Scene::PartnerDecides
            | Scene::BuyerReviews
            | Scene::BuyerReviewsLast
            | Scene::BuyerAnswersAndReviews
            | Scene::Delivery
    )
}

fn work() -> Value {
    let artifact = json!({ "name": "logo.svg", "url": "https://files.example/logo.svg", "size": 12_345, "media_type": "image/svg+xml",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" });
    with(submit("agent"), &json!({ "artifacts": [artifact] }))
}

fn question(place: crate::harness::commands::At<'_>) -> Value {
    json!({ "type": "question_asked", "stage": place.stage, "round": place.round, "revision": place.revision,
        "actor": { "id": "u-1" }, "to": "buyer", "question": "Which logo?", "options": ["The round one", "The square one"] })
}

/// The buyer's browser, after a link to the task.
pub async fn buyer(parties: &Parties, task: &str) -> Visitor {
    parties.visitor(Party::Buyer, LinkKind::Task, Some(task), "").await
}

/// Where a task's page is, and where its forms go.
pub fn paths(task: &str) -> (String, String) {
    (format!("/tasks/{task}"), format!("/tasks/{task}/commands"))
}

/// The view of a task as the element gets it, in English.
pub async fn fragment(parties: &Parties, task: &str) -> Page {
    let path = format!("/embed/v1/tasks/{task}");
    Visitor::new(&parties.buyer.router).send("GET", &path, &[("authorization", &bearer(parties))], String::new()).await
}

/// The buyer's credential as a header.
pub fn bearer(parties: &Parties) -> String {
    format!("Bearer {}", parties.buyer.credential)
}

/// The values of the choices of a page with their consequences.
pub fn choices(page: &Page) -> Vec<(String, String)> {
    let (option, input, hint) = (selector(".option"), selector("input[type=radio]"), selector(".hint"));
    let tree = page.tree();
    let found = tree.select(&option).filter_map(|option| {
        let value = option.select(&input).next()?.attr("value")?.to_owned();
        Some((value, option.select(&hint).next()?.text().collect::<String>()))
    });
    found.collect()
}

/// The hidden fields of the form that the selector finds.
pub fn hidden(page: &Page, form: &str) -> Vec<(String, String)> {
    let fields = selector(&format!("{form} input[type=hidden]"));
    let tree = page.tree();
    let pairs = tree
        .select(&fields)
        .map(|field| (field.attr("name").unwrap().to_owned(), field.attr("value").unwrap_or_default().to_owned()));
    pairs.collect()
}

/// Sends a form of a page with these fields beside its hidden ones.
pub async fn submit_form(
    visitor: &mut Visitor,
    (page, form): (&Page, &str),
    path: &str,
    fields: &[(&str, &str)],
) -> Page {
    let hidden = hidden(page, form);
    assert!(!hidden.is_empty(), "no {form} in {}", page.html);
    let own: Vec<_> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    visitor.post(path, &[&own, fields].concat()).await
}

pub fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}
