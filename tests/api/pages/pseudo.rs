//! No page has words that come from nowhere: in the pseudo-language of debug builds, all words of the service are in
//! letters that English does not have.

use std::collections::BTreeSet;

use axum::http::Method;
use scraper::{ElementRef, Html, Node};

use super::console::reach::furnished;
use super::desk::Scene;
use super::matrix::{Examples, visitors};
use crate::harness::visitor::Visitor;

/// Elements with what people or programs wrote, or whose texts are marked otherwise.
const FOREIGN: [&str; 10] = ["bdi", "code", "pre", "time", "svg", "script", "style", "textarea", "title", "option"];

/// Words that are the same in every language: names, a key, and words of the API that a developer sees as they are.
const NAMES: [&str; 19] = [
    "Stagegate",
    "English",
    "Deutsch",
    "UTC",
    "Enter",
    "hook",
    "other",
    "work",
    "review",
    "define",
    "read",
    "preparing",
    "escalated",
    "cancelling",
    "cancelled",
    "delivery",
    "held",
    "resumed",
    "copy",
];

/// What people wrote inside a sentence is between these.
const ISOLATED: [char; 2] = ['\u{2068}', '\u{2069}'];

#[tokio::test]
async fn every_word_of_a_page_is_one_that_a_language_file_has() {
    let (parties, key, [event, _]) = furnished().await;
    let task = Scene::PartnerAnswers.play(&parties).await;
    let mut visitors = visitors(&parties, &task).await;
    let mut addresses: BTreeSet<String> = BTreeSet::new();
    for scene in Scene::ALL {
        addresses.insert(super::desk::page_of(&scene.play(&parties).await));
    }
    let examples = Examples::find(&parties, task, (key, event)).await;
    let pages = stagegate::pages::mount().routes.into_iter().filter(|route| route.method == Method::GET);
    addresses.extend(pages.map(|route| examples.address(route.path)));
    let mut faults = BTreeSet::new();
    let mut read = 0;
    for (name, visitor) in &mut visitors {
        visitor.set_cookie("stagegate-language", "en-XA");
        for address in &addresses {
            let page = visitor.get(address).await;
            if page.is_html() {
                read += 1;
                faults.extend(untranslated(&page.html).into_iter().map(|words| format!("{name}, {address}: {words}")));
            }
        }
    }
    assert!(read > 200, "only {read} pages");
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test]
async fn the_pseudo_language_is_one_and_others_are_not() {
    let router = crate::harness::service::Service::start().await.router;
    let mut visitor = Visitor::new(&router);
    assert!(!untranslated(&visitor.read("/").await.html).is_empty(), "the test sees English");
    visitor.set_cookie("stagegate-language", "en-XA");
    let page = visitor.read("/").await;
    assert!(page.html.contains("lang=\"en-XA\""), "{}", page.html);
}

/// The words of a page that no language file has.
fn untranslated(html: &str) -> Vec<String> {
    let tree = Html::parse_document(html);
    let is_foreign = |element: ElementRef<'_>| {
        let is_marked = element.attr("lang").is_some_and(|language| language != "en-XA");
        FOREIGN.contains(&element.value().name()) || (is_marked && element.value().name() != "html")
    };
    let ours = || {
        let nodes = tree.root_element().descendants();
        nodes.filter(|node| !node.ancestors().chain([*node]).filter_map(ElementRef::wrap).any(is_foreign))
    };
    let texts = ours().filter_map(|node| {
        let Node::Text(text) = node.value() else { return None };
        Some(text.to_string())
    });
    let attributes = ours().filter_map(ElementRef::wrap).flat_map(|element| {
        ["title", "alt", "aria-label", "placeholder"].into_iter().filter_map(move |name| element.attr(name))
    });
    let all: Vec<String> = texts.chain(attributes.map(str::to_owned)).collect();
    all.iter().map(|text| own_words(text)).filter(|words| !words.is_empty()).collect()
}

/// The English words of a text, without what somebody wrote.
fn own_words(text: &str) -> String {
    let mut is_written = false;
    let ours: String = text
        .chars()
        .filter(|letter| {
            is_written = if ISOLATED.contains(letter) { *letter == ISOLATED[0] } else { is_written };
            !is_written
        })
        .collect();
    // Ids, addresses and types of events are no words.
    let is_word = |word: &&str| !word.contains(|letter: char| letter.is_ascii_digit() || "_./:@-".contains(letter));
    let words = ours.split(|letter: char| letter.is_whitespace() || ",;()·–“”".contains(letter));
    let words = words.map(|word| word.trim_end_matches(['.', ':', '?', '!', '…'])).filter(is_word);
    let is_english = |word: &&str| word.chars().filter(char::is_ascii_alphabetic).count() > 1 && !NAMES.contains(word);
    words.filter(is_english).collect::<Vec<_>>().join(" ")
}
