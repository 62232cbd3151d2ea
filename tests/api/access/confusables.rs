//! Pairs of ids that a reader cannot tell apart: at every door the second is refused by its field, or is the same
//! person as the first.

use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::app::App;
use stagegate::worker::erasures::Erasures;

use crate::harness::commands::{approve, at, cancel, submit, with};
use crate::harness::parties::{Parties, code, events, new_id, text};
use crate::harness::service::Answer;

/// An id, and another way to write it.
struct Pair {
    id: String,
    other: String,
    /// Whether a reader sees that it is another one, by a box or a glyph of their own. Nobody gets such an id any
    /// more, but there are older ones, so what looks somebody up takes it for another person's.
    shows: bool,
}

/// Blanks of every kind, beside the space.
const BLANKS: &str =
    "\t\n\r\u{B}\u{85}\u{A0}\u{1680}\u{2000}\u{2003}\u{2009}\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}";

/// What nobody sees: joiners, marks of direction, fillers, tags, selectors, controls, noncharacters.
const INVISIBLE: &str = "\u{200B}\u{200C}\u{200D}\u{2060}\u{2061}\u{FEFF}\u{AD}\u{34F}\u{180E}\u{115F}\u{3164}\u{FFA0}\u{2800}\
    \u{E0001}\u{E0041}\u{FE00}\u{FE0F}\u{E0100}\u{202E}\u{200E}\u{200F}\u{61C}\u{2066}\u{2069}\0\u{1}\u{1B}\u{7F}\u{90}\
    \u{FDD0}\u{FFFE}\u{FFFF}\u{1FFFE}\u{10FFFF}";

/// What shows a box or what a font of one's own has: private use and unassigned.
const BOXES: &str = "\u{E000}\u{F8FF}\u{F0000}\u{378}";

/// Texts that are canonically equal; the first is composed.
const EQUIVALENT: [[&str; 2]; 12] = [
    ["zo\u{EB}", "zoe\u{308}"],
    ["\u{C5}sa", "\u{212B}sa"],
    ["\u{C5}sa", "A\u{30A}sa"],
    ["\u{3A9}", "\u{2126}"],
    ["K", "\u{212A}"],
    ["\u{1E0D}\u{307}", "\u{1E0B}\u{323}"],
    ["\u{1E0D}\u{307}", "d\u{307}\u{323}"],
    ["\u{D55C}", "\u{1112}\u{1161}\u{11AB}"],
    ["\u{3AC}", "\u{1F71}"],
    ["\u{8C48}", "\u{F900}"],
    ["\u{915}\u{93C}", "\u{958}"],
    [";", "\u{37E}"],
];

/// All pairs; no two have an id in common.
fn pairs() -> Vec<Pair> {
    let plain = |n: usize| format!("u dora {n}");
    let mut others: Vec<Box<dyn Fn(usize) -> [String; 2]>> = vec![
        Box::new(move |n| [plain(n), format!(" {}", plain(n))]),
        Box::new(move |n| [plain(n), format!("{} ", plain(n))]),
        Box::new(move |n| [plain(n), plain(n).replacen(' ', "  ", 1)]),
    ];
    for blank in BLANKS.chars() {
        others.push(Box::new(move |n| [plain(n), plain(n).replacen(' ', &blank.to_string(), 1)]));
    }
    for unseen in INVISIBLE.chars().chain(BOXES.chars()) {
        // In the middle or at the end, by turns.
        others.push(Box::new(move |n| {
            let middle = plain(n).replacen('o', &format!("o{unseen}"), 1);
            [plain(n), if n.is_multiple_of(2) { middle } else { format!("{}{unseen}", plain(n)) }]
        }));
    }
    for [composed, other] in EQUIVALENT {
        others.push(Box::new(move |n| [format!("{composed} {n}"), format!("{other} {n}")]));
    }
    let uuid = |n: usize| format!("0199aabb-0000-7000-8000-{n:08}abcd");
    others.push(Box::new(move |n| [uuid(n), uuid(n).to_uppercase()]));
    others.push(Box::new(move |n| [uuid(n), uuid(n).replacen('a', "A", 1)]));
    others.push(Box::new(move |n| [uuid(n).to_uppercase(), uuid(n)]));
    others.push(Box::new(move |n| [uuid(n), format!("{} ", uuid(n).to_uppercase())]));
    others.push(Box::new(move |n| [uuid(n), format!("{}\u{200B}", uuid(n))]));
    others
        .iter()
        .enumerate()
        .map(|(n, make)| make(n))
        .map(|[id, other]| Pair { shows: other.contains(|c| BOXES.contains(c)), id, other })
        .collect()
}

/// What a door made of the other spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// Refused, and the field was named.
    Refused,
    /// As the same person.
    Same,
    /// Neither.
    Otherwise,
}

/// What came of it: `same` is the answer to the same person.
fn taken(answer: &Answer, pointer: &str, same: (u16, &str)) -> Taken {
    let names = |error: &Value| error["pointer"] == pointer;
    if (answer.status, code(answer)) == same {
        Taken::Same
    } else if answer.status == 422 && answer.body["errors"].as_array().is_some_and(|errors| errors.iter().all(names)) {
        Taken::Refused
    } else {
        Taken::Otherwise
    }
}

/// What was found at one door.
struct Door {
    name: &'static str,
    found: Vec<Taken>,
}

impl Door {
    /// Fails where a pair was two people and should not be; so many must be the same person.
    fn assert(&self, pairs: &[Pair], looks_up: bool, at_least: usize) {
        let apart: Vec<String> = self
            .found
            .iter()
            .zip(pairs)
            .filter(|(taken, pair)| (**taken == Taken::Otherwise) != (looks_up && pair.shows))
            .map(|(_, pair)| format!("{:?} and {:?}", pair.id, pair.other))
            .collect();
        assert_eq!(self.found.len(), pairs.len());
        assert!(apart.is_empty(), "{}: two people are, or are not, {apart:#?}", self.name);
        let same = self.found.iter().filter(|taken| **taken == Taken::Same).count();
        assert!(same >= at_least, "{}: {same} are the same", self.name);
    }
}

struct Case {
    parties: Parties,
    pairs: Vec<Pair>,
}

impl Case {
    /// A command of the partner's that is only tried.
    async fn tried(&self, task: &str, command: &Value) -> Answer {
        self.parties.partner.call("POST", &format!("{}?dry_run=true", events(task)), command).await
    }

    /// Everybody hands in work; the same again from the other spelling is a replay, and its approval is barred.
    async fn submissions(&self) -> (String, [Door; 2]) {
        let parties = &self.parties;
        let task = parties.open("all").await;
        let (mut replay, mut approval) = (Vec::new(), Vec::new());
        for Pair { id, other, .. } in &self.pairs {
            let command = with(submit(id), &json!({ "id": new_id() }));
            parties.partner.done(&task, &command).await;
            let again = parties.partner.send(&task, &with(command, &json!({ "actor": { "id": other } }))).await;
            replay.push(taken(&again, "/actor/id", (200, "")));
        }
        let command = with(submit("u-1"), &json!({ "id": new_id() }));
        parties.partner.done(&task, &command).await;
        parties.partner.refused(&task, &with(command, &submit("u-stranger")), (422, "event_id_reused")).await;
        let revision = u32::try_from(self.pairs.len() + 1).unwrap();
        for Pair { other, .. } in &self.pairs {
            let tried = self.tried(&task, &approve(at("a", 1, revision), other)).await;
            approval.push(taken(&tried, "/actor/id", (403, "self_approval")));
        }
        assert_eq!(self.tried(&task, &approve(at("a", 1, revision), "u-stranger")).await.status, 200);
        (task, [Door { name: "replay", found: replay }, Door { name: "self-approval", found: approval }])
    }

    /// Everybody is a named reviewer of the first stage and approves; the second wants others.
    async fn votes(&self) -> [Door; 2] {
        let parties = &self.parties;
        let task = parties.open("named").await;
        let (mut named, mut distinct) = (Vec::new(), Vec::new());
        parties.partner.refused(&task, &approve(at("a", 1, 0), "u-stranger"), (403, "not_a_reviewer")).await;
        for Pair { id, other, .. } in &self.pairs {
            let tried = self.tried(&task, &approve(at("a", 1, 0), other)).await;
            named.push(taken(&tried, "/actor/id", (200, "")));
            parties.partner.done(&task, &approve(at("a", 1, 0), id)).await;
        }
        for Pair { other, .. } in &self.pairs {
            let tried = self.tried(&task, &approve(at("b", 1, 0), other)).await;
            distinct.push(taken(&tried, "/actor/id", (403, "not_distinct")));
        }
        assert_eq!(self.tried(&task, &approve(at("b", 1, 0), "u-stranger")).await.status, 200);
        [Door { name: "named reviewers", found: named }, Door { name: "distinct_from", found: distinct }]
    }

    /// A definition that names both.
    async fn definitions(&self) -> Door {
        let mut found = Vec::new();
        for Pair { id, other, .. } in &self.pairs {
            let definition = named(&[id, other]);
            let path = "/api/v1/workflows/two?dry_run=true";
            let answer = self.parties.partner.call("PUT", path, &definition).await;
            found.push(taken(&answer, "/stages/0/reviewers/1", (0, "")));
        }
        let different =
            self.parties.partner.call("PUT", "/api/v1/workflows/two?dry_run=true", &named(&["u-1", "u-2"])).await;
        assert_eq!(different.status, 200, "{}", different.text);
        Door { name: "definition", found }
    }

    /// Erasures by the other spelling, and the same body again in the first one.
    async fn erasures(&self) -> [Door; 2] {
        let ask = async |actor: &str, id: &str| {
            let body = json!({ "id": id, "party": "partner", "partner_id": self.parties.partner_id, "actor_id": actor, "reason": "x" });
            self.parties.platform.call("POST", "/api/v1/erasures", &body).await
        };
        let (mut asked, mut again) = (Vec::new(), Vec::new());
        for Pair { id, other, .. } in &self.pairs {
            let erasure = new_id();
            let answer = ask(other, &erasure).await;
            again.push(match answer.status {
                202 => taken(&ask(id, &erasure).await, "/actor_id", (200, "")),
                _ => taken(&answer, "/actor_id", (202, "")),
            });
            asked.push((answer, erasure));
        }
        let stranger = ask("u-stranger", &new_id()).await;
        self.parties.pass(1);
        let service = &self.parties.service;
        let app = App::new(service.db.pool.clone(), service.clock.clone());
        Erasures::with_window(Arc::new(app), 500).run_due().await.unwrap();
        let mut found = Vec::new();
        for (answer, erasure) in &asked {
            let taken = taken(answer, "/actor_id", (202, ""));
            let is_in_vain = taken == Taken::Same && self.erased(erasure).await == 0;
            found.push(if is_in_vain { Taken::Otherwise } else { taken });
        }
        assert_eq!(self.erased(&text(&stranger.body["id"])).await, 0);
        [Door { name: "erasure", found }, Door { name: "erasure again", found: again }]
    }

    /// How many fields an erasure took out.
    async fn erased(&self, erasure: &str) -> u64 {
        let done = self.parties.platform.read(&format!("/api/v1/erasures/{erasure}")).await;
        assert_eq!(done["state"], "done", "{done}");
        done["progress"]["fields_erased"].as_u64().unwrap()
    }
}

/// A workflow of these reviewers, all of whom must approve; then somebody else must.
fn named(reviewers: &[&str]) -> Value {
    json!({ "name": "Named", "stages": [
        { "key": "a", "name": "A", "buyer_label": "In A", "reviewers": reviewers, "quorum": { "approvals": reviewers.len() } },
        { "key": "b", "name": "B", "buyer_label": "In B", "distinct_from": ["a"] } ] })
}

#[tokio::test]
async fn ids_that_nobody_can_tell_apart_are_refused_or_one_person_at_every_door() {
    let case = Case { parties: Parties::start().await, pairs: pairs() };
    let (parties, pairs) = (&case.parties, &case.pairs);
    assert!((60..=100).contains(&pairs.len()), "{}", pairs.len());
    parties
        .register("all", &json!({ "name": "All", "stages": [{ "key": "a", "name": "A", "buyer_label": "In A" }] }))
        .await;
    let ids: Vec<&str> = pairs.iter().map(|pair| pair.id.as_str()).collect();
    parties.register("named", &named(&ids)).await;
    case.definitions().await.assert(pairs, false, 0);
    // UUIDs in another case are taken as they come.
    let (task, submissions) = case.submissions().await;
    for door in &submissions {
        door.assert(pairs, false, 3);
    }
    parties.platform.done(&task, &with(cancel(), &json!({ "immediate": true }))).await;
    // What looks somebody up takes every spelling that can be the text of an id at all.
    for door in case.erasures().await {
        door.assert(pairs, true, pairs.len() / 2);
    }
    for door in case.votes().await {
        door.assert(pairs, false, 3);
    }
}
