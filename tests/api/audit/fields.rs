//! Every field of every event, for every party, at every door: it is shown exactly if the table of
//! `stagegate audit fields` says so.
//!
//! The table is read here as its words say, by code of its own. Doors that show events (trail, feed, webhook,
//! answer of a command) are compared field by field. Those that show what stands (status, task, inbox) and problems
//! are searched for the marks that were planted; [`SHOWN`] says which of the texts each of them shows at all.

mod scenes;
mod shown;
mod story;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use shown::{ABSENT, BY_VALUE, LESS, MORE, SHOWN};
use story::{PARTIES, Rows, Story};

use crate::audit::partner_trail;
use crate::retention::world::World;

/// The fields of a row, by the paths of the table.
fn fields_of(row: &Value) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    for (name, value) in row.as_object().unwrap() {
        let (prefix, members) = match (name.as_str(), value) {
            ("seq" | "hash" | "erased", _) => continue,
            ("actor" | "data", Value::Object(members)) => (format!("{name}."), members.clone()),
            ("id", _) => (String::new(), Map::from_iter([("command_id".to_owned(), value.clone())])),
            _ => (String::new(), Map::from_iter([(name.clone(), value.clone())])),
        };
        // What a buyer reads in the place of another party's people.
        let members = members.into_iter().filter(|(member, _)| (name.as_str(), member.as_str()) != ("actor", "as"));
        fields.extend(
            members.filter(|(_, value)| !value.is_null()).map(|(member, value)| (prefix.clone() + &member, value)),
        );
    }
    fields
}

/// Whether a party sees the field at `path` of an event, of which this is everything, by the table's word.
fn sees(word: &str, path: &str, event: &BTreeMap<String, Value>, party: &str) -> bool {
    let is = |path: &str, text: &str| event.get(path).is_some_and(|value| value == text);
    let own = is("party", party);
    match word {
        "always" => true,
        "own" => own,
        "asked" => own || is("data.to", party),
        "answered" => own || is("data.resolution", "return") && is("data.to", party),
        "shared" => own || event.get(path).is_some_and(|value| value["share_with_buyer"] == true),
        "involved" => {
            own || is("data.to", party) || event.get("data.share_with_buyer").is_some_and(|value| value == true)
        }
        "never" => false,
        _ => panic!("{word} is no word of the table"),
    }
}

/// The table of one kind of trail.
struct Table(Value);

impl Table {
    fn read(trail: &str) -> Self {
        let all: Value = serde_json::from_str(include_str!("../../golden/audit-fields.json")).unwrap();
        Self(all[trail].clone())
    }

    /// Every field of every type.
    fn fields(&self) -> BTreeSet<(String, String)> {
        let paths = |(kind, of): (&String, &Value)| {
            of["fields"].as_object().unwrap().keys().map(|path| (kind.clone(), path.clone())).collect::<Vec<_>>()
        };
        self.0.as_object().unwrap().iter().flat_map(paths).collect()
    }

    fn is_erasable(&self, kind: &str, path: &str) -> bool {
        self.0[kind]["fields"][path]["erasable"] == true
    }

    /// The word for when a party sees a field, or the row.
    fn word(&self, kind: &str, path: Option<&str>, party: &str) -> String {
        let of = path.map_or(&self.0[kind], |path| &self.0[kind]["fields"][path]);
        // The platform sees everything.
        if party == "platform" { "always".to_owned() } else { of[party].as_str().unwrap().to_owned() }
    }

    fn shows(&self, path: &str, event: &BTreeMap<String, Value>, party: &str) -> bool {
        let kind = event["type"].as_str().unwrap();
        let row = sees(&self.word(kind, None, party), "", event, party);
        row && sees(&self.word(kind, Some(path), party), path, event, party)
    }

    /// What a party is to read of an event.
    fn cut(&self, event: &BTreeMap<String, Value>, party: &str) -> BTreeMap<String, Value> {
        let shown = event.iter().filter(|(path, _)| self.shows(path, event, party));
        shown.map(|(path, value)| (path.clone(), value.clone())).collect()
    }
}

/// Where a door does not show a party of an event what the table says.
fn rows_that_differ(table: &Table, (door, party): (&str, &str), rows: &Rows, all: &Rows) -> Vec<String> {
    let mut differences = Vec::new();
    for (place, row) in rows {
        let event = fields_of(&all[place]);
        let (found, expected) = (fields_of(row), table.cut(&event, party));
        let paths: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
        for path in paths.into_iter().filter(|path| found.get(*path) != expected.get(*path)) {
            let verb = if expected.contains_key(path) { "does not show" } else { "shows" };
            differences.push(format!("{door} {verb} the {party} {path} of {}", event["type"]));
        }
    }
    differences
}

/// The marks that were planted, by name: what to search for, and the events and paths where it is.
type Marks = BTreeMap<String, Mark>;

#[derive(Default)]
struct Mark {
    needles: BTreeSet<String>,
    places: Vec<(BTreeMap<String, Value>, String)>,
}

/// The texts like `<step/field>` in a value.
fn marks_in(value: &Value) -> BTreeSet<String> {
    let text = value.to_string();
    text.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0.to_owned())).collect()
}

/// What of a value can be searched for where it is no text of a sender's: ids, digests and keys, by the path.
fn needle(path: &str, value: &Value) -> Option<String> {
    let value = if path == "data.workflow" { &value["key"] } else { value };
    value.as_str().filter(|_| BY_VALUE.contains(&path)).map(str::to_owned)
}

fn marks(all: &Rows) -> Marks {
    let mut marks = Marks::new();
    for event in all.values().map(fields_of) {
        for (path, value) in &event {
            let planted = marks_in(value).into_iter().map(|name| (name.clone(), format!("<{name}>")));
            let named = needle(path, value).map(|needle| (path.clone(), needle));
            for (name, needle) in planted.chain(named) {
                let mark = marks.entry(name).or_default();
                mark.needles.insert(needle);
                mark.places.push((event.clone(), path.clone()));
            }
        }
    }
    marks
}

/// Whether a mark is to stand at a door for a party: the door shows it, and the party may read it.
fn stands(table: &Table, (door, party): (&str, &str), name: &str, mark: &Mark) -> bool {
    let (step, field) = name.rsplit_once('/').unwrap_or(("", name));
    let is_of = |steps: &[&str], of: &str| of == field && (step.is_empty() || steps.contains(&step));
    let is_in = |rows: &[(&str, &str, &str, &[&str])]| {
        rows.iter().any(|(at, who, of, steps)| (*at, *who) == (door, party) && is_of(steps, of))
    };
    let may_read = mark.places.iter().any(|(event, path)| table.shows(path, event, party));
    let is_shown = SHOWN.iter().any(|(at, of, steps)| *at == door && is_of(steps, of));
    is_shown && !is_in(LESS) && (may_read || is_in(MORE))
}

/// What a door shows a party of the marks and should not, or does not and should.
fn marks_that_differ(table: &Table, (door, party): (&str, &str), answers: &str, marks: &Marks) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, mark) in marks {
        let is_found = mark.needles.iter().any(|needle| answers.contains(needle));
        if is_found != stands(table, (door, party), name, mark) {
            let verb = if is_found { "shows" } else { "does not show" };
            differences.push(format!("{door} {verb} the {party} {name}"));
        }
    }
    differences
}

/// Fails unless every field of the table was there, and every one that can be erased was marked.
fn assert_complete(table: &Table, all: &Rows, marks: &Marks) {
    let kind = |event: &BTreeMap<String, Value>| event["type"].as_str().unwrap().to_owned();
    let present: BTreeSet<_> = all
        .values()
        .map(fields_of)
        .flat_map(|event| event.keys().map(|path| (kind(&event), path.clone())).collect::<Vec<_>>())
        .collect();
    let absent: BTreeSet<_> = ABSENT
        .iter()
        .flat_map(|(kinds, paths)| {
            kinds.iter().flat_map(|kind| paths.iter().map(|path| ((*kind).to_owned(), (*path).to_owned())))
        })
        .collect();
    let listed = table.fields();
    let missing: Vec<_> = listed.difference(&present).filter(|field| !absent.contains(field)).collect();
    assert!(missing.is_empty(), "fields without a case: {missing:#?}");
    let stale: Vec<_> = absent.iter().filter(|field| present.contains(field) || !listed.contains(field)).collect();
    assert!(stale.is_empty(), "fields that are there after all, or nowhere: {stale:#?}");
    let marked: BTreeSet<_> =
        marks.values().flat_map(|mark| mark.places.iter().map(|(event, path)| (kind(event), path.clone()))).collect();
    let unmarked: Vec<_> =
        present.iter().filter(|field| table.is_erasable(&field.0, &field.1) && !marked.contains(field)).collect();
    assert!(unmarked.is_empty(), "texts without a mark: {unmarked:#?}");
}

/// Fails unless each word of the table has shown something to a party and hidden something from it.
fn assert_both_ways(table: &Table, all: &Rows) {
    let mut outcomes = BTreeMap::<(String, &str), BTreeSet<bool>>::new();
    for event in all.values().map(fields_of) {
        for party in ["partner", "buyer"] {
            for path in event.keys() {
                let word = table.word(event["type"].as_str().unwrap(), Some(path), party);
                outcomes.entry((word, party)).or_default().insert(table.shows(path, &event, party));
            }
        }
    }
    for word in ["own", "shared", "asked", "answered", "involved"] {
        assert_eq!(outcomes[&(word.to_owned(), "buyer")].len(), 2, "{word}");
    }
    assert_eq!(outcomes[&("own".to_owned(), "partner")].len(), 2);
}

#[tokio::test]
async fn every_field_is_shown_to_every_party_at_every_door_as_the_table_says() {
    let mut story = Story::start().await;
    scenes::play(&mut story).await;
    let table = Table::read("task");
    let all = story.trails("platform").await;
    let marks = marks(&all);
    assert_complete(&table, &all, &marks);
    assert_both_ways(&table, &all);
    let mut wrong = Vec::new();
    for party in PARTIES {
        let rows = story.trails(party).await;
        assert_eq!(rows.len(), all.len());
        wrong.extend(rows_that_differ(&table, ("trail", party), &rows, &all));
    }
    for party in ["partner", "platform"] {
        let (feed, received) = (story.feed(party).await, story.deliveries(party, all.len()).await);
        assert_eq!((feed.len(), received.len()), (all.len(), all.len()));
        wrong.extend(rows_that_differ(&table, ("feed", party), &feed, &all));
        wrong.extend(rows_that_differ(&table, ("webhook", party), &received, &all));
    }
    // What was erased since is in no trail any more, so answers are compared without that task.
    let erased = story.tasks.last().unwrap();
    for (party, told) in &story.told {
        let told = told.iter().filter(|((task, _), _)| task != erased).map(|(place, row)| (place.clone(), row.clone()));
        wrong.extend(rows_that_differ(&table, ("answer", party), &told.collect(), &all));
    }
    for (door, answers) in &story.answers {
        wrong.extend(marks_that_differ(&table, *door, answers, &marks));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn every_field_of_a_partners_trail_is_shown_as_the_table_says() {
    let world = World::start().await;
    let parties = &world.parties;
    world.cancel().await;
    partner_trail::play(parties).await;
    partner_trail::links(parties).await;
    partner_trail::absences(parties).await;
    world.log().await;
    world.pass(31);
    assert!(world.run().await > 0);
    let table = Table::read("partner");
    let path = format!("/api/v1/partners/{}/audit?limit=100", parties.partner_id);
    let (all, own) = (parties.platform.read(&path).await, parties.partner.read(&path).await);
    assert_eq!(parties.buyer.get(&path).await.status, 403);
    let mut present = BTreeSet::new();
    for (all, own) in all["items"].as_array().unwrap().iter().zip(own["items"].as_array().unwrap()) {
        let (event, own) = (fields_of(all), fields_of(own));
        assert_eq!(own, table.cut(&event, "partner"), "{event:?}");
        present.extend(event.keys().map(|path| (event["type"].as_str().unwrap().to_owned(), path.clone())));
    }
    // The tests of retention put tasks away.
    let is_played = |(kind, _): &(String, String)| kind != "partner.tasks_archived";
    let fields = table.fields().into_iter().filter(is_played);
    let missing: Vec<_> = fields.filter(|field| !present.contains(field)).collect();
    assert_eq!(
        json!(missing),
        json!([["partner.erasure_completed", "credential_id"], ["partner.exported", "data.until"]])
    );
}
