//! The differences between two contracts that break a client of the older one, a line each.

use std::collections::BTreeSet;

use serde_json::Value;

/// Who reads what a schema describes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Direction {
    /// The service: it must go on taking what it took.
    Request,
    /// The client: it must go on understanding what it gets.
    Answer,
}

/// The breaking differences, in the order of the older contract.
pub fn differences(old: &Value, new: &Value) -> Vec<String> {
    let mut comparison = Comparison { old, new, seen: BTreeSet::new(), found: Vec::new() };
    for (path, item) in members(&old["paths"]) {
        for (method, operation) in members(item) {
            comparison.operation(&format!("{} {path}", method.to_uppercase()), operation, &new["paths"][path][method]);
        }
    }
    comparison.found
}

struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
    /// The pairs of schemas that were compared, so that recursive ones end.
    seen: BTreeSet<(String, String, Direction)>,
    found: Vec<String>,
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn words(value: &Value) -> BTreeSet<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value["$ref"].as_str().and_then(|address| document.pointer(address.trim_start_matches('#')));
    target.unwrap_or(value)
}

/// The schema without null, and whether it had it.
fn without_null(schema: &Value) -> (&Value, bool) {
    match schema["oneOf"].as_array().map(Vec::as_slice) {
        Some([one, null]) if null["type"] == "null" => (one, true),
        _ => (schema, words(&schema["type"]).contains("null")),
    }
}

/// Whether two alternatives are the same one: by name, or by type if they have none.
fn same_alternative(old: &Value, new: &Value) -> bool {
    old["$ref"] == new["$ref"] && (old["$ref"].is_string() || old["type"] == new["type"])
}

/// The type without null.
fn kind(schema: &Value) -> Option<&str> {
    schema["type"].as_str().or_else(|| words(&schema["type"]).into_iter().find(|kind| *kind != "null"))
}

impl<'a> Comparison<'a> {
    fn note(&mut self, place: &str, what: &str) {
        let line = format!("{place} {what}");
        if !self.found.contains(&line) {
            self.found.push(line);
        }
    }

    fn operation(&mut self, place: &str, old: &'a Value, new: &'a Value) {
        if new.is_null() {
            return self.note(place, "is gone");
        }
        for (word, party) in [("x-parties", "party"), ("x-scopes", "scope")] {
            for gone in words(&old[word]).difference(&words(&new[word])) {
                self.note(place, &format!("is not open to the {party} {gone}"));
            }
        }
        self.parameters(place, old, new);
        let body = |operation: &'a Value| &operation["requestBody"]["content"]["application/json"]["schema"];
        if body(old).is_null() && new["requestBody"]["required"] == true {
            self.note(place, "needs a body");
        }
        self.schema(&format!("{place} body"), body(old), body(new), Direction::Request);
        let successes = members(&old["responses"]).filter(|(status, _)| status.starts_with(['2', '3']));
        for (status, response) in successes {
            let place = format!("{place} {status}");
            let now = &new["responses"][status];
            if now.is_null() {
                self.note(&place, "is gone");
                continue;
            }
            for (media, content) in members(&response["content"]) {
                let (place, now) = (format!("{place} {media}"), &now["content"][media]);
                self.schema(&place, &content["schema"], &now["schema"], Direction::Answer);
            }
        }
    }

    fn parameters(&mut self, place: &str, old: &'a Value, new: &'a Value) {
        let list = |operation: &'a Value| operation["parameters"].as_array().into_iter().flatten();
        let same = |one: &Value, other: &Value| one["name"] == other["name"] && one["in"] == other["in"];
        for parameter in list(old) {
            let place = format!("{place} {}", parameter["name"].as_str().unwrap_or_default());
            match list(new).find(|other| same(parameter, other)) {
                None => self.note(&place, "is gone"),
                Some(now) => {
                    if now["required"] == true && parameter["required"] != true {
                        self.note(&place, "is required");
                    }
                    self.schema(&place, &parameter["schema"], &now["schema"], Direction::Request);
                }
            }
        }
        for parameter in list(new).filter(|parameter| parameter["required"] == true) {
            if !list(old).any(|other| same(parameter, other)) {
                self.note(place, &format!("needs the parameter {}", parameter["name"]));
            }
        }
    }

    fn schema(&mut self, place: &str, old: &'a Value, new: &'a Value, direction: Direction) {
        if old.is_null() {
            return;
        }
        if new.is_null() {
            return self.note(place, "is gone");
        }
        let ((old, was_null), (new, is_null)) = (without_null(old), without_null(new));
        match direction {
            Direction::Answer if is_null && !was_null => self.note(place, "can be null"),
            Direction::Request if was_null && !is_null => self.note(place, "cannot be null"),
            Direction::Answer | Direction::Request => {}
        }
        let mut place = place.to_owned();
        if let (Some(one), Some(other)) = (old["$ref"].as_str(), new["$ref"].as_str()) {
            if !self.seen.insert((one.to_owned(), other.to_owned(), direction)) {
                return;
            }
            // A schema with a name is compared once, whatever leads to it.
            one.rsplit('/').next().unwrap_or_default().clone_into(&mut place);
        }
        let (old, new) = (resolve(self.old, old), resolve(self.new, new));
        if kind(old) != kind(new) || old["format"] != new["format"] {
            self.note(&place, "has another type");
        }
        self.words(&place, old, new, direction);
        self.object(&place, old, new, direction);
        self.schema(&format!("{place}[]"), &old["items"], &new["items"], direction);
        if direction == Direction::Request {
            self.limits(&place, old, new);
        }
        self.alternatives(&place, old, new, direction);
    }

    fn words(&mut self, place: &str, old: &'a Value, new: &'a Value, direction: Direction) {
        if old["const"] != new["const"] {
            self.note(place, "has another word");
        }
        for list in ["enum", "x-extensible-enum"] {
            let (before, now) = (words(&old[list]), words(&new[list]));
            for word in before.difference(&now) {
                self.note(place, &format!("lacks the word {word}"));
            }
            if direction == Direction::Answer && list == "enum" && !before.is_empty() {
                for word in now.difference(&before) {
                    self.note(place, &format!("has the word {word}"));
                }
            }
        }
    }

    fn object(&mut self, place: &str, old: &'a Value, new: &'a Value, direction: Direction) {
        let (was, is) = (words(&old["required"]), words(&new["required"]));
        for (name, property) in members(&old["properties"]) {
            self.schema(&format!("{place}.{name}"), property, &new["properties"][name], direction);
            let still = !new["properties"][name].is_null();
            if direction == Direction::Answer && still && was.contains(name) && !is.contains(name) {
                self.note(&format!("{place}.{name}"), "is not always there");
            }
        }
        if direction == Direction::Request {
            for name in is.difference(&was) {
                self.note(&format!("{place}.{name}"), "is required");
            }
        }
    }

    fn limits(&mut self, place: &str, old: &Value, new: &Value) {
        let number = |schema: &Value, word: &str| schema[word].as_f64();
        for word in ["maxLength", "maxItems", "maximum"] {
            if number(new, word).is_some_and(|now| number(old, word).is_none_or(|before| now < before)) {
                self.note(place, &format!("takes less: {word}"));
            }
        }
        for word in ["minLength", "minItems", "minimum"] {
            if number(new, word).is_some_and(|now| number(old, word).unwrap_or_default() < now) {
                self.note(place, &format!("takes less: {word}"));
            }
        }
        if !new["pattern"].is_null() && old["pattern"] != new["pattern"] {
            self.note(place, "has another pattern");
        }
    }

    fn alternatives(&mut self, place: &str, old: &'a Value, new: &'a Value, direction: Direction) {
        let (before, now) = (&old["discriminator"]["mapping"], &new["discriminator"]["mapping"]);
        let (was, is): (BTreeSet<_>, BTreeSet<_>) =
            (members(before).map(|(word, _)| word).collect(), members(now).map(|(word, _)| word).collect());
        for word in was.difference(&is) {
            self.note(place, &format!("lacks the alternative {word}"));
        }
        if direction == Direction::Answer && !was.is_empty() {
            for word in is.difference(&was) {
                self.note(place, &format!("has the alternative {word}"));
            }
        }
        for alternative in old["oneOf"].as_array().into_iter().flatten() {
            let others = new["oneOf"].as_array().into_iter().flatten();
            if let Some(other) = others.into_iter().find(|other| same_alternative(alternative, other)) {
                self.schema(place, alternative, other, direction);
            }
        }
    }
}
