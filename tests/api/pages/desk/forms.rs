//! What the forms of the desk do: what they said before, once, and in the name of the link's person.

use futures_util::future::join_all;
use serde_json::{Value, json};
use stagegate::domain::link::LinkKind;
use stagegate::domain::values::party::Party;

use super::{Scene, commands_of, form_of, offered, page_of, reviewer, send};
use crate::harness::parties::Parties;
use crate::harness::visitor::Page;

/// The title afterwards for what a choice says before.
fn outcome_of(promise: &str) -> String {
    let rest = |start: &str| promise.strip_prefix(start).map(|rest| rest.trim_end_matches('.').to_owned());
    if let Some(stage) = rest("Completes this stage. The next one is ") {
        return format!("Approved: next is {stage}");
    }
    if let Some(stage) = rest("Goes back to ") {
        return format!("Sent back to {stage}");
    }
    if let Some(party) = rest("Asks ") {
        let (party, what) = party.split_once(['.', ' ']).unwrap();
        let whole =
            if party == "the" { format!("the {}", what.split([' ', '.']).next().unwrap()) } else { party.to_owned() };
        return if promise.contains("to decide") { format!("Passed on to {whole}") } else { format!("Asked {whole}") };
    }
    match promise {
        "Completes the last stage. The work goes on to delivery." => "Approved: goes on to delivery",
        "Counts as one approval. More are needed." => "Your approval counts",
        "Counts as one rejection. More are needed before it goes back." => "Your rejection counts",
        "The review goes on as it was, with your advice." => "Your advice was given",
        "The work goes on with your answer." => "Your answer was sent",
        "The work goes on without an answer." => "The question was taken back",
        "Goes to the reviewers as a new revision." => "Your work was handed in",
        "The buyer reads it on the page of the task." => "The buyer reads it now",
        "Stops the clock of this stage. The final date of the task stays." => "The task is on hold",
        "The clock of this stage goes on where it stopped." => "The task goes on",
        "The task is cancelled as soon as what is under way has ended." => "The task is being cancelled",
        "The task ends without delivery." => "The task ended",
        other => panic!("no outcome is known for {other:?}"),
    }
    .to_owned()
}

/// The first party that a choice can name, and the fields that it needs.
fn fields(page: &Page, choice: &str) -> Vec<(&'static str, String)> {
    let first = |select: &str| {
        let tree = page.tree();
        let options = scraper::Selector::parse(&format!("#{choice}-{select} option")).unwrap();
        tree.select(&options).next().unwrap().attr("value").unwrap().to_owned()
    };
    match choice {
        "send-back" | "resolve-reject" => vec![("return-to", first("return-to")), ("summary", "No.".to_owned())],
        "escalate" => vec![("to", first("to")), ("reason", "May we?".to_owned())],
        "resolve-redirect" => vec![("to", first("to")), ("message", "Yours.".to_owned())],
        "resolve-return" => vec![("advice", "Go on.".to_owned())],
        "ask" => vec![("ask-to", first("ask-to")), ("question", "Which?".to_owned())],
        "answer" => vec![("answer", "This one.".to_owned())],
        "hand-in" => vec![("work-summary", "A draft.".to_owned())],
        "inform" => vec![("progress", "Half of it is done.".to_owned()), ("percent", "50".to_owned())],
        "hold" => vec![("hold", "The client is away.".to_owned())],
        "cancel" => vec![("cancel", "No longer needed.".to_owned())],
        "acknowledge" => vec![("in-flight", "discarded".to_owned())],
        _ => Vec::new(),
    }
}

fn promise(page: &Page, choice: &str) -> String {
    let own = format!("#form-{choice} form > p.hint");
    if page.all(&own).is_empty() { page.one(&format!("#then-{choice}")) } else { page.one(&own) }
}

#[tokio::test]
async fn a_choice_does_what_its_page_said() {
    let parties = Parties::start().await;
    let mut done = 0;
    for scene in [
        Scene::InReview,
        Scene::Voted,
        Scene::PlatformDecides,
        Scene::PlatformAskedItself,
        Scene::PartnerAnswers,
        Scene::Preparing,
        Scene::OnHold,
        Scene::Cancelling,
    ] {
        for (party, actor) in [(Party::Partner, "u-anna"), (Party::Platform, "ops-pia"), (Party::Platform, "ops-olga")]
        {
            let mut visitor = parties.visitor(party, LinkKind::Inbox, None, actor).await;
            let first = scene.play(&parties).await;
            for choice in offered(&visitor.read(&page_of(&first)).await) {
                let task = scene.play(&parties).await;
                let page = visitor.read(&page_of(&task)).await;
                let fields = fields(&page, &choice);
                let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let answer = send(&mut visitor, &page, (&task, &choice), &fields).await;
                let after = visitor.follow(answer).await;
                let expected = outcome_of(&promise(&page, &choice)).replace(['\u{2068}', '\u{2069}'], "");
                let found = after.one("h1").replace(['\u{2068}', '\u{2069}'], "");
                assert_eq!(found, expected, "{scene:?}, {actor}, {choice}");
                after.keeps_the_rules("the desk");
                done += 1;
            }
        }
    }
    assert!(done > 60, "only {done} choices were made");
}

#[tokio::test]
async fn work_is_handed_in_by_reference_and_mistakes_are_named_at_their_field() {
    let parties = Parties::start().await;
    let task = Scene::Preparing.play(&parties).await;
    let mut dora = reviewer(&parties, "u-dora").await;
    let page = dora.read(&page_of(&task)).await;
    let is_open = |page: &Page, form: &str| {
        let open = scraper::Selector::parse(&format!("#form-{form}[open]")).unwrap();
        page.tree().select(&open).next().is_some()
    };
    assert!(is_open(&page, "hand-in") && !is_open(&page, "cancel"), "what the task waits for is unfolded");
    let digest = "a".repeat(64);
    let pieces = |name: &'static str, url: &'static str, digest: &'static str| {
        [("piece-name", name), ("piece-url", url), ("piece-digest", digest)]
    };
    let wrong = [
        &[("work-summary", "A draft.")][..],
        &pieces("logo.svg", "http://files.example/logo.svg", "abc"),
        &pieces("", "https://files.example/terms.pdf", ""),
    ]
    .concat();
    let again = send(&mut dora, &page, (&task, "hand-in"), &wrong).await;
    assert_eq!(again.status, 422);
    again.keeps_the_rules("the desk");
    let targets = |page: &Page| {
        let link = scraper::Selector::parse(".summary a").unwrap();
        let tree = page.tree();
        tree.select(&link).filter_map(|link| link.attr("href")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(targets(&again), ["#piece-name-1", "#piece-digest-1"]);
    assert!(is_open(&again, "hand-in"));
    let wrong =
        [&[("work-summary", "A draft.")][..], &pieces("logo.svg", "http://files.example/logo.svg", "abc")].concat();
    let again = send(&mut dora, &again, (&task, "hand-in"), &wrong).await;
    assert_eq!((again.status, again.one("#work-summary")), (422, "A draft.".to_owned()));
    assert!(targets(&again).iter().all(|target| ["#piece-url-0", "#piece-digest-0"].contains(&&**target)));
    let empty = send(&mut dora, &again, (&task, "hand-in"), &[]).await;
    assert_eq!((empty.status, targets(&empty)), (422, vec!["#work-summary".to_owned()]));
    let more = send(&mut dora, &empty, (&task, "hand-in"), &[("piece-name", "logo.svg"), ("more", "pieces")]).await;
    assert_eq!((more.status, more.all("#form-hand-in .point").len()), (200, 4));
    let pieces = [("piece-name", "logo.svg"), ("piece-url", ""), ("piece-digest", &digest)];
    let sent = send(&mut dora, &more, (&task, "hand-in"), &pieces).await;
    assert_eq!(sent.status, 303, "{}", sent.text());
    let trail = parties.trail(&task).await;
    let work = trail.iter().rfind(|entry| entry["type"] == "task.work_submitted").unwrap();
    assert_eq!(work["data"]["artifacts"], json!([{ "name": "logo.svg", "sha256": digest }]));
    assert_eq!(work["actor"]["id"], "u-dora");
}

#[tokio::test]
async fn only_the_platform_cancels_at_once() {
    let parties = Parties::start().await;
    for (party, phase) in [(Party::Partner, "cancelling"), (Party::Platform, "cancelled")] {
        let task = Scene::InReview.play(&parties).await;
        let mut visitor = parties.visitor(party, LinkKind::Inbox, None, "u-olga").await;
        let page = visitor.read(&page_of(&task)).await;
        assert_eq!(page.html.contains("name=\"at-once\""), party == Party::Platform);
        let fields = [("cancel", "No longer needed."), ("at-once", "yes")];
        let answer = send(&mut visitor, &page, (&task, "cancel"), &fields).await;
        if party == Party::Partner {
            assert_eq!(answer.status, 422, "the service refuses what the page does not offer");
            let sent = send(&mut visitor, &page, (&task, "cancel"), &fields[..1]).await;
            assert_eq!(sent.status, 303, "{}", sent.text());
        }
        assert_eq!(parties.task(&task).await["phase"], phase);
    }
}

#[tokio::test]
async fn a_decision_is_the_links_persons_and_bound() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    for (kind, actor) in [(LinkKind::Inbox, "u-anna"), (LinkKind::Decide, "u-bo")] {
        let mut visitor = parties.visitor(Party::Partner, kind, Some(&task), actor).await;
        let page = visitor.read(&page_of(&task)).await;
        let forged = [
            ("actor", "u-chi"),
            ("actor.id", "u-chi"),
            ("actor_id", "u-chi"),
            ("party", "platform"),
            ("task", "0199aaaa-0000-7000-8000-000000000000"),
            ("type", "cancellation_requested"),
            ("id", "0199aaaa-0000-7000-8000-000000000000"),
            ("bound", "no"),
            ("note", "For us."),
        ];
        let answer = send(&mut visitor, &page, (&task, "approve"), &forged).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let trail = parties.trail(&task).await;
        let vote = trail.iter().rfind(|entry| entry["type"] == "task.vote_recorded").unwrap();
        assert_eq!((&vote["actor"]["id"], &vote["data"]["bound"]), (&json!(actor), &json!(true)));
        assert_eq!((&vote["party"], &vote["note"]), (&json!("partner"), &json!("For us.")));
        let credential = vote["credential_id"].as_str().unwrap();
        assert!(credential.starts_with("link:") && credential.contains("/1@"), "{credential}");
    }
}

#[tokio::test]
async fn a_form_for_another_place_is_refused_and_changes_nothing() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let before = parties.trail(&task).await.len();
    for kind in [LinkKind::Inbox, LinkKind::Decide] {
        let mut anna = parties.visitor(Party::Partner, kind, Some(&task), "u-anna").await;
        for (name, value) in
            [("stage", "copy"), ("stage", "signoff"), ("round", "2"), ("revision", "7"), ("round", "x")]
        {
            let page = anna.read(&page_of(&task)).await;
            let mut hidden = form_of(&page, "approve");
            hidden.iter_mut().filter(|(field, _)| field == name).for_each(|(_, old)| value.clone_into(old));
            hidden.push(("choice".to_owned(), "approve".to_owned()));
            let fields: Vec<_> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let answer = anna.post(&commands_of(&task), &fields).await;
            assert!([403, 409, 412, 422].contains(&answer.status), "{kind:?}, {name}={value}: {}", answer.status);
            answer.keeps_the_rules("the desk");
        }
        let other = Scene::InReview.play(&parties).await;
        let page = anna.read(&page_of(&task)).await;
        let foreign = send(&mut anna, &page, (&other, "approve"), &[]).await;
        assert!([403, 404].contains(&foreign.status), "a form of another task: {}", foreign.status);
    }
    assert_eq!(parties.trail(&task).await.len(), before);
}

#[tokio::test]
async fn the_same_form_fifty_times_is_one_decision() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let page = anna.read(&page_of(&task)).await;
    let before = parties.trail(&task).await.len();
    let turns = (0..25).map(|_| {
        let (mut anna, page, task) = (anna.clone(), page.clone(), task.clone());
        async move { send(&mut anna, &page, (&task, "approve"), &[]).await }
    });
    let answers = join_all(turns).await;
    let again = send(&mut anna, &page, (&task, "approve"), &[]).await;
    let place = |page: &Page| page.headers["location"].to_str().unwrap().to_owned();
    for answer in answers.iter().chain([&again]) {
        assert_eq!((answer.status, place(answer)), (303, place(&again)), "{}", answer.text());
    }
    assert_eq!(parties.trail(&task).await.len(), before + 1);
    let other = send(&mut anna, &page, (&task, "send-back"), &[("summary", "Other words.")]).await;
    assert_eq!(other.status, 422);
    assert!(other.text().contains("Other words.") && other.text().contains("This form was sent before"));
}

#[tokio::test]
async fn the_receipt_of_a_decision_is_a_file_that_verifies() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let page = anna.read(&page_of(&task)).await;
    let sent = send(&mut anna, &page, (&task, "approve"), &[]).await;
    let done = anna.follow(sent).await;
    let link = scraper::Selector::parse("a[download]").unwrap();
    let address = done.tree().select(&link).next().unwrap().attr("href").unwrap().to_owned();
    let file = anna.read(&address).await;
    assert_eq!(file.headers["content-type"], "application/jose");
    let seq = address.rsplit('/').next().unwrap();
    let name = format!("attachment; filename=\"receipt-{task}-{seq}.jws\"");
    assert_eq!(file.headers["content-disposition"].to_str().unwrap(), name);
    let same = parties.partner.get(&format!("/api/v1/tasks/{task}/audit/{seq}/receipt")).await;
    assert_eq!(file.html, same.text, "the receipt that the API gives");
    let other = reviewer(&parties, "u-bo").await.get(&format!("{}/receipts/99", page_of(&task))).await;
    assert_eq!(other.status, 404);
}

#[tokio::test]
async fn too_many_forms_are_refused_with_everything_that_was_typed() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let page = anna.read(&page_of(&task)).await;
    let before = parties.trail(&task).await.len();
    let typed = [("summary", ""), ("point-text", "Cut it.")];
    for _ in 0..30 {
        let mistaken = send(&mut anna, &page, (&task, "send-back"), &typed).await;
        assert_eq!(mistaken.status, 422);
    }
    let refused = send(&mut anna, &page, (&task, "send-back"), &[("summary", "Too long."), typed[1]]).await;
    assert_eq!(refused.status, 429);
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!((refused.one("#summary"), refused.one("#point-text-0")), ("Too long.".to_owned(), "Cut it.".to_owned()));
    refused.keeps_the_rules("the desk");
    assert_eq!(parties.trail(&task).await.len(), before, "nothing was sent");
}

#[tokio::test]
async fn mistakes_come_back_with_everything_that_was_typed() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let page = anna.read(&page_of(&task)).await;
    let typed = [
        ("summary", ""),
        ("return-to", "legal"),
        ("point-severity", "must"),
        ("point-where", "contract.pdf#page=3"),
        ("point-text", "Remove the last sentence.\nAll of it."),
        ("point-severity", "wish"),
        ("point-where", ""),
        ("point-text", ""),
        ("share", "yes"),
        ("note", "Mind the client."),
    ];
    let again = send(&mut anna, &page, (&task, "send-back"), &typed).await;
    assert_eq!(again.status, 422);
    again.keeps_the_rules("the desk");
    assert!(again.one("title").starts_with("Error – "), "{}", again.one("title"));
    let tree = again.tree();
    let select = |text: &str| scraper::Selector::parse(text).unwrap();
    let links: Vec<_> = tree.select(&select(".summary a")).filter_map(|link| link.attr("href")).collect();
    assert_eq!(links, ["#summary", "#point-text-1"]);
    for link in links {
        assert!(tree.select(&select(link)).next().is_some_and(|field| field.attr("aria-invalid") == Some("true")));
    }
    assert_eq!(again.one("#point-text-0"), "Remove the last sentence. All of it.");
    let value = |id: &str| tree.select(&select(id)).next().unwrap().attr("value").unwrap().to_owned();
    assert_eq!((value("#point-where-0"), value("#point-severity-1")), ("contract.pdf#page=3".into(), "wish".into()));
    assert_eq!(again.one("#note"), "Mind the client.");
    assert!(tree.select(&select("#share[checked], #choose-send-back[checked]")).count() == 2);
    assert!(tree.select(&select("#send-back-return-to option[value=legal][selected]")).next().is_some());
    let nothing = form_of(&page, "approve");
    let nothing: Vec<_> = nothing.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let unchosen = anna.post(&commands_of(&task), &nothing).await;
    assert_eq!(unchosen.status, 422);
    assert!(unchosen.text().contains("Choose what you decide."));
    let sent =
        send(&mut anna, &again, (&task, "send-back"), &[("summary", "Please."), ("point-text", "Shorter.")]).await;
    assert_eq!(sent.status, 303, "{}", sent.text());
}

#[tokio::test]
async fn without_script_a_form_grows_and_shows_what_the_buyer_would_read() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let page = anna.read(&page_of(&task)).await;
    assert_eq!(page.all("#decide .point").len(), 3);
    let typed = [
        ("summary", "Too long."),
        ("point-severity", "must"),
        ("point-where", "p. 3"),
        ("point-text", "Cut."),
        ("more", "points"),
    ];
    let more = send(&mut anna, &page, (&task, "send-back"), &typed).await;
    assert_eq!((more.status, more.all("#decide .point").len()), (200, 6));
    assert_eq!((more.one("#summary"), more.one("#point-text-0")), ("Too long.".to_owned(), "Cut.".to_owned()));
    let typed = [("summary", "Too long."), ("point-text", "Cut."), ("note", "Not for buyers."), ("preview", "yes")];
    let shown = send(&mut anna, &more, (&task, "send-back"), &typed).await;
    assert_eq!(shown.status, 200);
    let preview = shown.one("#preview");
    assert!(preview.contains("Too long.") && preview.contains("Cut.") && !preview.contains("buyers."), "{preview}");
    assert_eq!(parties.task(&task).await["review"]["votes"], json!([]), "looking sends nothing");
}

#[tokio::test]
async fn a_shared_rejection_reaches_the_buyer_and_the_next_reviewer() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let page = anna.read(&page_of(&task)).await;
    let points = [
        ("summary", "Two things."),
        ("return-to", "copy"),
        ("point-severity", "could"),
        ("point-where", "logo.svg"),
        ("point-text", "Larger margin."),
        ("point-severity", "must"),
        ("point-where", "contract.pdf#page=3"),
        ("point-text", "Remove it."),
        ("share", "yes"),
    ];
    let sent = send(&mut anna, &page, (&task, "send-back"), &points).await;
    let done = anna.follow(sent).await;
    assert_eq!(done.one("h1").replace(['\u{2068}', '\u{2069}'], ""), "Sent back to Copy review");
    let trail = parties.trail(&task).await;
    let vote = trail.iter().rfind(|entry| entry["type"] == "task.vote_recorded").unwrap();
    assert_eq!(
        vote["data"]["feedback"],
        json!({ "summary": "Two things.", "share_with_buyer": true, "items": [
            { "id": "7.1", "severity": "could", "anchor": "logo.svg", "text": "Larger margin.", "blocking": false },
            { "id": "7.2", "severity": "must", "anchor": "contract.pdf#page=3", "text": "Remove it.", "blocking": true } ] })
    );
    let page = anna.read(&page_of(&task)).await;
    let todo = page.all("[aria-labelledby=came-back] li");
    assert_eq!(todo, ["7.2 must contract.pdf#page=3 Remove it.", "7.1 could logo.svg Larger margin."]);
}

#[tokio::test]
async fn revisions_are_compared_by_name_and_digest() {
    let parties = Parties::start().await;
    let task = parties.open("brand-campaign").await;
    let artifact = |name: &str, digest: char, size: u32| json!({ "name": name, "sha256": digest.to_string().repeat(64), "size": size, "url": format!("https://files.example/{name}") });
    let work = |artifacts: Value| json!({ "type": "work_submitted", "actor": { "id": "agent" }, "summary": "A draft.", "artifacts": artifacts });
    let first =
        json!([artifact("contract.pdf", 'a', 210_000), artifact("logo.svg", 'b', 12_000), artifact("old.txt", 'c', 1)]);
    let second = json!([
        artifact("contract.pdf", 'd', 212_000),
        artifact("logo.svg", 'b', 12_000),
        artifact("terms.pdf", 'e', 80)
    ]);
    parties.partner.done(&task, &work(first)).await;
    parties.partner.done(&task, &work(second)).await;
    let mut dora = reviewer(&parties, "u-dora").await;
    let plain = dora.read(&page_of(&task)).await;
    assert!(!plain.one("#work").contains("same"), "nothing was decided, so nothing is compared by itself");
    let page = dora.read(&format!("{}?compare=1", page_of(&task))).await;
    let words: Vec<String> =
        page.all("#work li").into_iter().map(|row| row.split(" Open at").next().unwrap().to_owned()).collect();
    assert_eq!(words[0], "changed contract.pdf 212 KB (+2 KB)");
    assert_eq!(words[1], "same logo.svg 12 KB");
    assert_eq!(words[2], "new terms.pdf 80 B");
    assert!(words[3].starts_with("gone old.txt"), "{words:?}");
    let links = page.tree();
    let link = scraper::Selector::parse("#work li a").unwrap();
    let link = links.select(&link).next().unwrap();
    assert_eq!((link.attr("rel"), link.attr("target")), (Some("noopener noreferrer external"), Some("_blank")));
    assert_eq!(dora.get(&format!("{}?compare=7", page_of(&task))).await.status, 200);
}

#[tokio::test]
async fn feedback_is_answered_and_raised_again_point_by_point() {
    let parties = Parties::start().await;
    let reasons = json!([{ "key": "text", "name": "The text" }, { "key": "design", "name": "The design" }]);
    let definition = json!({ "name": "Poster", "stages": [{ "key": "check", "name": "Check", "buyer_label": "In check",
        "submission": "required", "on_reject": { "answers": "required", "reasons": reasons } }] });
    parties.register("poster", &definition).await;
    let task = parties.open("poster").await;
    parties.partner.done(&task, &crate::harness::commands::submit("u-dora")).await;
    let targets = |page: &Page| {
        let link = scraper::Selector::parse(".summary a").unwrap();
        page.tree().select(&link).filter_map(|link| link.attr("href").map(str::to_owned)).collect::<Vec<_>>()
    };
    let (mut eli, mut dora) = (reviewer(&parties, "u-eli").await, reviewer(&parties, "u-dora").await);
    let page = eli.read(&page_of(&task)).await;
    let points = [
        ("return-to", "check"),
        ("summary", "Nearly."),
        ("point-severity", ""),
        ("point-where", "poster.pdf"),
        ("point-text", "The date is missing."),
        ("point-severity", "could"),
        ("point-where", ""),
        ("point-text", "The red could be warmer."),
    ];
    let again = send(&mut eli, &page, (&task, "send-back"), &[&points[..], &[("cause", "")]].concat()).await;
    assert_eq!((again.status, targets(&again)), (422, vec!["#cause".to_owned()]));
    again.keeps_the_rules("the desk");
    let sent = send(&mut eli, &again, (&task, "send-back"), &[&points[..], &[("cause", "text")]].concat()).await;
    eli.follow(sent).await;
    let items = parties.task(&task).await["feedback"]["feedback"][0]["items"].clone();
    let ids = [0, 1].map(|index: usize| items[index]["id"].as_str().unwrap().to_owned());
    assert_eq!((&items[0]["blocking"], &items[1]["blocking"]), (&json!(true), &json!(false)));

    let page = dora.read(&page_of(&task)).await;
    assert!(page.one("#form-hand-in").contains("The date is missing.") && page.text().contains("needs an answer"));
    let work = ("work-summary", "A second draft.");
    let again = send(&mut dora, &page, (&task, "hand-in"), &[work]).await;
    let field = |part: &str, id: &str| format!("#{part}-{}", id.replace('.', "-"));
    assert_eq!((again.status, targets(&again)), (422, vec![field("how", &ids[0])]));
    again.keeps_the_rules("the desk");
    let (how, why) = (format!("how-{}", ids[0]), format!("why-{}", ids[0]));
    let again = send(&mut dora, &again, (&task, "hand-in"), &[work, (&*how, "declined")]).await;
    assert_eq!((again.status, targets(&again)), (422, vec![field("why", &ids[0])]));
    let reply = [work, (&*how, "declined"), (&*why, "The fair has no date yet.")];
    let sent = send(&mut dora, &again, (&task, "hand-in"), &reply).await;
    assert_eq!(dora.follow(sent).await.one("h1"), "Your work was handed in");
    let answers = json!([{ "item": ids[0], "how": "declined", "text": "The fair has no date yet." }]);
    assert_eq!(parties.task(&task).await["feedback"]["answers"], answers);

    let page = eli.read(&page_of(&task)).await;
    page.keeps_the_rules("the desk");
    let answered = page.one("section[aria-labelledby=came-back]");
    for words in ["The date is missing.", "Declined", "The fair has no date yet."] {
        assert!(answered.contains(words), "{words}: {answered}");
    }
    let raised =
        [("return-to", "check"), ("summary", "No."), ("cause", "text"), ("point-severity", ""), ("point-where", "")];
    let raised = [&raised[..], &[("point-text", "It has one: May 4."), ("point-reopens", &*ids[0])]].concat();
    let sent = send(&mut eli, &page, (&task, "send-back"), &raised).await;
    eli.follow(sent).await;
    assert_eq!(parties.task(&task).await["feedback"]["feedback"][0]["items"][0]["reopens"], json!(ids[0]));
}

#[tokio::test]
async fn an_approval_can_have_remarks_for_the_buyer() {
    let parties = Parties::start().await;
    let task = Scene::InReview.play(&parties).await;
    let mut anna = reviewer(&parties, "u-anna").await;
    let page = anna.read(&page_of(&task)).await;
    let remarks = [("praise", "Mind the margin."), ("praise-share", "yes")];
    let sent = send(&mut anna, &page, (&task, "approve"), &remarks).await;
    let done = anna.follow(sent).await;
    assert_eq!(done.one("h1"), "Your approval counts");
    let trail = parties.trail(&task).await;
    let feedback = json!({ "summary": "Mind the margin.", "share_with_buyer": true });
    assert_eq!(trail.last().unwrap()["data"]["feedback"], feedback);
    assert!(anna.read(&page_of(&task)).await.text().contains("Mind the margin."));
}
