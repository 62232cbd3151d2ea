//! No definition can break a drawing.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Workflow, definition};
use super::{mermaid, one_line, svg};

fn parse(definition: &Value) -> Workflow {
    Workflow::parse(definition).unwrap_or_else(|mistakes| panic!("{mistakes:#?}")).workflow
}

fn example() -> Workflow {
    parse(&serde_json::from_str(crate::domain::workflow::EXAMPLE).unwrap())
}

/// A stored definition with these names: older versions accepted names that are refused today.
fn named(name: &str) -> Workflow {
    let plain = parse(&json!({"name": "w", "stages": [{"key": "a", "name": "a", "buyer_label": "a"}]}));
    let mut stored = serde_json::to_value(plain).unwrap();
    for place in ["/name", "/stages/0/name", "/stages/0/buyer_label"] {
        *stored.pointer_mut(place).unwrap() = json!(name);
    }
    serde_json::from_value(stored).unwrap()
}

#[test]
fn the_example_as_mermaid() {
    insta::assert_snapshot!(mermaid(&example()));
}

const HOSTILE: [&str; 6] = [
    "\"] --> x; end\n    s0 --> s9",
    "<script>alert(1)</script><!-- --> ]]> &amp; 'x'",
    "%%{init: {\"theme\": \"dark\"}}%% --- `code` **b** [x](javascript:y)",
    "style s0 fill:#f00; classDef a fill:#0f0; #quot; click s0 call f()",
    "\u{202e}evil\u{2069}\u{ffff}\u{fffe}\u{feff}x",
    "審査 🎉 é\u{301}",
];

/// The trusted part of a line: everything outside quotes. The quoted parts are passed to `label`.
fn skeleton(chart: &str, mut label: impl FnMut(&str)) -> String {
    let mut outside = String::new();
    for (index, part) in chart.split('"').enumerate() {
        if index % 2 == 0 { outside.push_str(part) } else { label(part) }
    }
    outside
}

#[test]
fn no_name_breaks_the_chart() {
    let plain = skeleton(&mermaid(&named("plain")), |_| {});
    for name in HOSTILE {
        let chart = mermaid(&named(name));
        let outside = skeleton(&chart, |label| {
            let text = label.replace("<br/>", "").replace("<b>", "").replace("</b>", "");
            for (index, part) in text.split('#').enumerate() {
                let rest = if index == 0 { part } else { part.split_once(';').expect("an entity").1 };
                assert!(rest.chars().all(|c| c.is_alphanumeric() || " .,-()".contains(c)), "{name:?}: {label}");
            }
        });
        assert_eq!(outside, plain, "{name:?}");
    }
    assert!(mermaid(&named("a:b")).contains("<b>1. a#58;b</b>"));
}

/// Checks that the drawing is XML with only shapes and text, all inside its frame; returns its
/// text.
fn shown(workflow: &Workflow) -> String {
    let drawing = svg(workflow);
    let document = roxmltree::Document::parse(&drawing).unwrap_or_else(|error| panic!("{error}: {drawing}"));
    let number = |node: &roxmltree::Node, name| node.attribute(name).and_then(|value: &str| value.parse::<u32>().ok());
    let (width, height) =
        (number(&document.root_element(), "width").unwrap(), number(&document.root_element(), "height").unwrap());
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let known = ["svg", "title", "desc", "rect", "text", "polyline", "polygon", "circle"];
        assert!(known.contains(&node.tag_name().name()), "{}", node.tag_name().name());
        assert!(
            node.attributes()
                .all(|attribute| !attribute.name().starts_with("on") && !attribute.name().contains("href"))
        );
        let end = |at, size| number(&node, at).unwrap_or(0) + number(&node, size).unwrap_or(0);
        assert!(end("x", "width") <= width && end("y", "height") <= height, "{node:?}");
        for point in node.attribute("points").unwrap_or_default().split_whitespace() {
            let (x, y) = point.split_once(',').unwrap();
            assert!(x.parse::<u32>().unwrap() <= width && y.parse::<u32>().unwrap() <= height, "{node:?}");
        }
    }
    let texts = document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")));
    texts.filter_map(|node| node.text()).collect::<Vec<_>>().join("\n")
}

#[test]
fn no_name_breaks_the_drawing_and_long_ones_are_cut() {
    for name in HOSTILE {
        let text = shown(&named(name));
        let first_word = one_line(name).split(' ').next().unwrap().to_owned();
        assert!(text.contains(&format!("1. {first_word}")), "{name:?}: {text}");
    }
    for name in ["W".repeat(200), "審".repeat(200), "word ".repeat(40)] {
        let text = shown(&named(&name));
        let longest = text.lines().map(|line| line.chars().filter(|c| "W審wordBuyerreads".contains(*c)).count()).max();
        assert!(text.contains('…') && longest < Some(70), "{text}");
    }
}

#[test]
fn the_drawing_says_what_the_stages_do() {
    let text = shown(&example()).replace('\n', " ");
    for line in [
        "Brand campaign",
        "3 stages · a task expires after 14 days",
        "2. Legal review",
        "Buyer reads “In legal review”",
        "Deadline 2 days, then escalated to AITasker; reminder 8 hours before",
        "Rejection returns to copy or legal; in round 3 it escalates to AITasker",
        "Delivery",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_definition_can_be_drawn(definition in definition(8)) {
        let workflow = parse(&definition);
        shown(&workflow);
        let chart = mermaid(&workflow);
        let nodes: Vec<_> = skeleton(&chart, |_| {}).lines().skip(1).map(|line| line.trim().to_owned()).collect();
        let defined = |id: &str| nodes.iter().any(|line| line.split("-.->").chain(line.split("-->")).any(|end| {
            end.trim_start_matches(['|', ' ']).strip_prefix(id).is_some_and(|rest| rest.starts_with(['[', '{', '(']))
        }));
        for line in &nodes {
            if let Some((from, to)) = line.split_once("||") {
                let from = from.split(' ').next().unwrap();
                let to = to.trim().split('(').next().unwrap();
                prop_assert!(defined(from) && defined(to), "{}: {}", line, chart);
            }
        }
    }
}
