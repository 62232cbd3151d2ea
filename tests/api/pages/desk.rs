//! The reviewer's desk: what a page offers to whom, what its forms do, and what it keeps and hides.

use serde_json::{Value, json};
use stagegate::domain::link::LinkKind;
use stagegate::domain::task::command::CommandType;
use stagegate::domain::values::id::{ActorId, TaskId};
use stagegate::domain::values::party::Party;

use crate::harness::commands::{approve, at, cancel, escalate, submit, with};
use crate::harness::parties::Parties;
use crate::harness::visitor::{Page, Visitor};

mod claims;
mod conflicts;
mod forms;
mod hidden;
mod inbox;
mod reviewers;

/// Where a task can be when somebody looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    Preparing,
    InReview,
    OwnWork,
    Voted,
    PlatformDecides,
    PlatformAskedItself,
    PartnerAnswers,
    BuyerDecides,
    BuyerReviews,
    OnHold,
    Cancelling,
    Cancelled,
}

impl Scene {
    pub const ALL: [Self; 12] = [
        Self::Preparing,
        Self::InReview,
        Self::OwnWork,
        Self::Voted,
        Self::PlatformDecides,
        Self::PlatformAskedItself,
        Self::PartnerAnswers,
        Self::BuyerDecides,
        Self::BuyerReviews,
        Self::OnHold,
        Self::Cancelling,
        Self::Cancelled,
    ];

    /// Opens a task and brings it here.
    pub async fn play(self, parties: &Parties) -> String {
        let legal = at("legal", 1, 1);
        match self {
            Self::Preparing => parties.open("brand-campaign").await,
            Self::InReview => parties.open_in_legal().await,
            Self::OwnWork => {
                let task = parties.open("brand-campaign").await;
                parties.partner.done(&task, &submit("u-anna")).await;
                parties.partner.done(&task, &approve(at("copy", 1, 1), "u-copy")).await;
                task
            }
            Self::Voted => after(parties, Party::Partner, &approve(legal, "u-bo")).await,
            Self::PlatformDecides => after(parties, Party::Partner, &escalate(legal, "u-anna", "platform")).await,
            Self::PlatformAskedItself => {
                after(parties, Party::Platform, &escalate(legal, "ops-olga", "platform")).await
            }
            Self::PartnerAnswers => after(parties, Party::Platform, &question("ops-olga", "partner")).await,
            Self::BuyerDecides => after(parties, Party::Partner, &escalate(legal, "u-anna", "buyer")).await,
            Self::BuyerReviews => {
                let task = after(parties, Party::Partner, &approve(legal, "u-anna")).await;
                parties.partner.done(&task, &approve(legal, "u-bo")).await;
                task
            }
            Self::OnHold => {
                let hold = json!({ "type": "held", "reason": "The client is away." });
                after(parties, Party::Platform, &hold).await
            }
            Self::Cancelling => after(parties, Party::Platform, &cancel()).await,
            Self::Cancelled => {
                let at_once = with(cancel(), &json!({ "immediate": true }));
                after(parties, Party::Platform, &at_once).await
            }
        }
    }
}

async fn after(parties: &Parties, party: Party, command: &Value) -> String {
    let task = parties.open_in_legal().await;
    let sender = if party == Party::Platform { &parties.platform } else { &parties.partner };
    sender.done(&task, command).await;
    task
}

/// A question in legal review.
pub fn question(actor: &str, to: &str) -> Value {
    json!({
        "type": "question_asked", "stage": "legal", "round": 1, "revision": 1, "actor": { "id": actor }, "to": to,
        "question": "Which logo?", "options": ["The round one", "The square one"],
    })
}

/// The page of a task.
pub fn page_of(task: &str) -> String {
    format!("/tasks/{task}")
}

/// Where its forms go.
pub fn commands_of(task: &str) -> String {
    format!("/tasks/{task}/commands")
}

/// Somebody with an inbox.
pub async fn reviewer(parties: &Parties, actor: &str) -> Visitor {
    parties.visitor(Party::Partner, LinkKind::Inbox, None, actor).await
}

/// The hidden fields of the form with this choice: of the decision, or one of its own.
pub fn form_of(page: &Page, choice: &str) -> Vec<(String, String)> {
    let tree = page.tree();
    let select = |text: &str| scraper::Selector::parse(text).unwrap();
    let (forms, fields) = (select("form[action$='/commands']"), select("input[type=hidden]"));
    let chosen = select(&format!("input[name=choice][value='{choice}']"));
    let form = tree.select(&forms).find(|form| form.select(&chosen).next().is_some());
    let form = form.unwrap_or_else(|| panic!("nothing offers {choice}: {}", page.html));
    let pair = |field: scraper::ElementRef<'_>| {
        (field.attr("name").unwrap().to_owned(), field.attr("value").unwrap_or_default().to_owned())
    };
    form.select(&fields).map(pair).filter(|(name, _)| name != "choice").collect()
}

/// Sends the form with this choice, with these fields.
pub async fn send(visitor: &mut Visitor, page: &Page, (task, choice): (&str, &str), fields: &[(&str, &str)]) -> Page {
    let hidden = form_of(page, choice);
    let hidden: Vec<_> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let all = [&hidden[..], &[("choice", choice)], fields].concat();
    visitor.post(&commands_of(task), &all).await
}

/// The choices that a page offers.
pub fn offered(page: &Page) -> Vec<String> {
    let tree = page.tree();
    let choices = scraper::Selector::parse("input[name=choice]").unwrap();
    let mut found: Vec<String> =
        tree.select(&choices).map(|field| field.attr("value").unwrap_or_default().to_owned()).collect();
    found.sort();
    found
}

/// The choices that `why` allows to the visitor, by the names that forms give them.
async fn allowed(parties: &Parties, visitor: &Visitor, task: &str) -> Vec<String> {
    let app = &parties.service.app;
    let visit = app.links.visit(visitor.session().unwrap()).await.unwrap().unwrap();
    let actor: ActorId = visit.actor.clone().unwrap().id;
    let why = app.tasks.get_why(&visit.caller, TaskId(task.parse().unwrap()), Some(actor)).await.unwrap();
    let open = why.you.into_iter().filter(|ability| ability.refusal.is_none());
    let mut names: Vec<String> = open
        .filter_map(|ability| {
            let name = match ability.command {
                CommandType::StageApproved => "approve".to_owned(),
                CommandType::StageRejected => "send-back".to_owned(),
                CommandType::StageEscalated => "escalate".to_owned(),
                CommandType::EscalationResolved => format!("resolve-{}", ability.resolution?.as_str()),
                CommandType::QuestionAsked => "ask".to_owned(),
                CommandType::QuestionAnswered => "answer".to_owned(),
                CommandType::QuestionWithdrawn => "withdraw".to_owned(),
                CommandType::WorkSubmitted => "hand-in".to_owned(),
                CommandType::StatusUpdated => "inform".to_owned(),
                CommandType::ReviewersChanged => "reviewers".to_owned(),
                CommandType::Held => "hold".to_owned(),
                CommandType::Resumed => "resume".to_owned(),
                CommandType::CancellationRequested => "cancel".to_owned(),
                CommandType::CancellationAcknowledged => "acknowledge".to_owned(),
            };
            Some(name)
        })
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_page_offers_exactly_what_why_allows_to_the_person() {
    let parties = Parties::start().await;
    let people = [
        (Party::Partner, "u-anna"),
        (Party::Partner, "u-bo"),
        (Party::Partner, "u-copy"),
        (Party::Partner, "u-dora"),
        (Party::Platform, "ops-olga"),
        (Party::Platform, "ops-pia"),
    ];
    let mut visitors = Vec::new();
    for (party, actor) in people {
        visitors.push((actor, parties.visitor(party, LinkKind::Inbox, None, actor).await));
    }
    for (who, party) in [("the partner's developer", Party::Partner), ("the operator", Party::Platform)] {
        visitors.push((who, parties.console(party, true).await));
    }
    let mut seen = Vec::new();
    for scene in Scene::ALL {
        let task = scene.play(&parties).await;
        for (actor, visitor) in &mut visitors {
            let page = visitor.read(&page_of(&task)).await;
            let expected = allowed(&parties, visitor, &task).await;
            assert_eq!(offered(&page), expected, "{scene:?}, {actor}: {}", page.text());
            page.keeps_the_rules("the desk");
            seen.extend(expected);
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(
        seen,
        [
            "acknowledge",
            "answer",
            "approve",
            "ask",
            "cancel",
            "escalate",
            "hand-in",
            "hold",
            "inform",
            "resolve-approve",
            "resolve-redirect",
            "resolve-reject",
            "resolve-return",
            "resume",
            "reviewers",
            "send-back",
            "withdraw"
        ],
        "every choice was offered somewhere"
    );
}

#[tokio::test]
async fn what_a_person_may_not_do_stands_there_with_its_reason() {
    let parties = Parties::start().await;
    let own = Scene::OwnWork.play(&parties).await;
    let review = Scene::InReview.play(&parties).await;
    let itself = Scene::PlatformAskedItself.play(&parties).await;
    for (party, actor, task, reason) in [
        (Party::Partner, "u-anna", &own, "You handed in this revision, so somebody else must approve it."),
        (Party::Partner, "u-dora", &review, "You are not one of this stage's reviewers."),
        (Party::Platform, "ops-olga", &itself, "another person must approve or reject"),
    ] {
        let mut visitor = parties.visitor(party, LinkKind::Inbox, None, actor).await;
        let page = visitor.read(&page_of(task)).await;
        assert!(page.text().contains(reason), "{actor}: {}", page.text());
    }
}

#[tokio::test]
async fn only_links_that_are_for_decisions_have_forms() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut decide = parties.visitor(Party::Partner, LinkKind::Decide, Some(&task), "u-anna").await;
    let page = decide.read(&page_of(&task)).await;
    assert_eq!(offered(&page), ["approve", "escalate", "send-back"]);
    assert!(!page.html.contains("/inbox"), "a link to one decision leads nowhere else");
    let mut looks = parties.visitor(Party::Partner, LinkKind::Task, Some(&task), "u-anna").await;
    assert!(offered(&looks.read(&page_of(&task)).await).is_empty());
    let mut console = parties.visitor(Party::Partner, LinkKind::Console, None, "u-dev").await;
    let page = console.read(&page_of(&task)).await;
    assert_eq!(offered(&page), ["reviewers"], "who may change a workflow may change who reviews, and decides nothing");
    let trail: Value = serde_json::from_str(&page.one("#trail-json pre")).unwrap();
    assert_eq!(trail[0]["type"], "task.opened");
    assert!(page.text().contains("stage_escalated"), "what the party can send");
    assert_eq!(looks.get("/inbox").await.status, 403);
}
