//! The house rules of the pages: what templates may not contain, and that every word exists in every language.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of script that all pages together may have. Past it, think again about how they are built.
const SCRIPT_BUDGET: usize = 700;

#[test]
fn templates_have_no_markup_that_a_policy_would_refuse() {
    let templates = files("src/pages/templates", "html");
    assert!(templates.len() > 3, "only {} templates found", templates.len());
    let complaints: Vec<String> = templates
        .iter()
        .flat_map(|(path, text)| markup(text).into_iter().map(move |what| format!("{path}: {what}")))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    for (text, expected) in [
        ("{{ name|safe }}", 1),
        ("{% filter safe %}", 1),
        ("<script>alert(1)</script>", 1),
        ("<script type=\"module\" src=\"{{ frame.asset(\"page.js\") }}\"></script>", 0),
        ("<p style=\"color:red\">{{ x }}</p>", 1),
        ("<p onclick=\"x()\">{{ x }}</p>", 1),
        ("<p data-on=\"x\">{{ x }}</p>", 0),
        ("<p>Plain words</p>", 1),
        ("<p>{{ t.text(\"id\") }}: 1 · “{{ x }}”</p>", 0),
        ("<p title=\"Words\">{{ x }}</p>", 1),
        ("<a href=\"javascript:x()\">{{ x }}</a>", 1),
    ] {
        assert_eq!(markup(text).len(), expected, "{text}: {:?}", markup(text));
    }
}

#[test]
fn every_word_exists_in_every_language() {
    let english = texts("en");
    let german = texts("de");
    let ids: BTreeSet<_> = english.keys().chain(german.keys()).collect();
    let differ = ids.into_iter().filter(|id| english.get(*id) != german.get(*id));
    let differences: Vec<String> =
        differ.map(|id| format!("{id}: en {:?}, de {:?}", english.get(id), german.get(id))).collect();
    assert!(differences.is_empty(), "missing, or with other variables: {differences:#?}");
    let sources: Vec<_> = files("src/pages", "rs").into_iter().chain(files("src/pages/templates", "html")).collect();
    let asked: BTreeSet<String> = sources.iter().flat_map(|(_, text)| asked_for(text)).collect();
    let missing: Vec<_> = asked.iter().filter(|id| !english.contains_key(*id)).collect();
    assert!(missing.is_empty(), "no text has these ids: {missing:?}");
    let quoted: BTreeSet<&str> = sources.iter().flat_map(|(_, text)| text.split('"')).collect();
    let unused: Vec<_> = english.keys().filter(|id| !quoted.contains(id.as_str())).collect();
    assert!(unused.is_empty(), "nothing says these: {unused:?}");
}

#[test]
fn the_scripts_stay_small() {
    let scripts = files("src/pages/assets", "js");
    let lines: usize = scripts.iter().map(|(_, text)| text.lines().filter(|line| is_code(line)).count()).sum();
    assert!(lines <= SCRIPT_BUDGET, "{lines} lines of script, more than {SCRIPT_BUDGET}");
}

/// Whether the line is more than a comment.
fn is_code(line: &str) -> bool {
    let line = line.trim();
    !(line.is_empty() || line.starts_with("//") || line.starts_with('*') || line.starts_with("/**"))
}

/// What a template may not contain.
fn markup(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in ["|safe", "| safe", "filter safe", "escape = \"none\"", "escape=\"none\"", "javascript:"] {
        if text.contains(word) {
            found.push(format!("has `{word}`"));
        }
    }
    let plain = without_code(&with_attributes(text));
    for tag in plain.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
        let attributes = tag.split_whitespace().skip(1).filter_map(|pair| pair.split_once('='));
        for (name, value) in attributes {
            if name == "style" || name.starts_with("on") {
                found.push(format!("has the attribute `{name}`"));
            }
            let is_shown = ["title", "alt", "aria-label", "placeholder"].contains(&name);
            if is_shown && value.chars().any(char::is_alphabetic) {
                found.push(format!("has words in the attribute `{name}`"));
            }
        }
    }
    for (at, _) in plain.match_indices("<script") {
        let body =
            plain[at..].split_once('>').map_or("", |(_, rest)| rest).split("</script").next().unwrap_or_default();
        if !body.trim().is_empty() {
            found.push("has a script in the page".to_owned());
            return found;
        }
    }
    let shown: String = plain.split('<').map(|rest| rest.split_once('>').map_or(rest, |(_, text)| text)).collect();
    if shown.replace("Stagegate", "").chars().any(char::is_alphabetic) {
        found.push(format!("has words outside of the languages' files: {}", shown.trim()));
    }
    found
}

/// A template whose block `live` stands in a tag, as it does in the frame: it has only attributes.
fn with_attributes(text: &str) -> String {
    let of_child = text.split_once("{% block live %}").filter(|_| text.contains("{% extends "));
    let parts = of_child.and_then(|(before, rest)| {
        let (attributes, after) = rest.split_once("{% endblock %}")?;
        Some(format!("{before}<main {attributes}>{after}"))
    });
    parts.unwrap_or_else(|| text.to_owned())
}

/// A template without what the compiler fills in, and without character references.
fn without_code(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::new();
    while let Some(at) = rest.find('{') {
        plain.push_str(&rest[..at]);
        let end = match rest.as_bytes().get(at + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => "#}",
            _ => "{",
        };
        rest = rest[at + 1..].split_once(end).map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    let mut parts = plain.split('&');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once(';').map_or(part, |(_, rest)| rest))
}

/// The ids of a language's texts, each with its variables.
fn texts(language: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut texts = BTreeMap::new();
    for (path, text) in files(&format!("src/pages/texts/{language}"), "ftl") {
        let mut current: Option<String> = None;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((id, _)) = line.split_once(" =").filter(|_| !line.starts_with(' ')) {
                assert!(!texts.contains_key(id), "{path}: {id} is there twice");
                texts.insert(id.to_owned(), BTreeSet::new());
                current = Some(id.to_owned());
            }
            let variables = line.split('$').skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next());
            if let Some(of) = current.as_ref().and_then(|id| texts.get_mut(id)) {
                of.extend(variables.flatten().map(str::to_owned));
            }
        }
    }
    assert!(texts.len() > 20, "only {} texts in {language}", texts.len());
    texts
}

/// The ids that code or a template asks for by name.
fn asked_for(text: &str) -> Vec<String> {
    let calls = ["text(\"", "with(\"", "with_all(\"", "with_all(\n"];
    let ids = calls.iter().flat_map(|call| text.split(call).skip(1)).filter_map(|rest| rest.split('"').next());
    let is_id =
        |id: &&str| !id.is_empty() && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    ids.filter(is_id).map(str::to_owned).collect()
}

/// The files below a folder with this extension, with their text.
fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(root).unwrap().display().to_string(), text));
            }
        }
    }
    files
}
