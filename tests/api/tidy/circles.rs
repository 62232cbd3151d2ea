//! Circles of imports between rooms.
//!
//! A room is a file with the folder of its children: `src/store/feed.rs` and `src/store/feed/`. Rooms
//! are compared among siblings, at every level: those of `src`, those of `src/domain`, those of
//! `src/domain/task`, and so on. A room uses another if a file in it names a path into the other, in
//! a `use` line or in the code. A name that a file re-exports counts for the room that defines it.
//!
//! A parent may use its children, and children may use what their parent defines: they are one room.
//! Code for tests may use anything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::{is_word, shipped};

/// Finds the circles in these files, each described by its rooms and one line of code per arrow.
pub fn circles(files: &[(PathBuf, String)]) -> Vec<String> {
    let rooms = Modules::of(files);
    rooms.levels().into_iter().flat_map(|(level, arrows)| describe_circles(&level, &arrows)).collect()
}

/// The path of a module from the root of the crate.
type ModulePath = Vec<String>;

/// The arrows between the rooms of a level: from, to, and a line of code that is one.
type Arrows = BTreeMap<String, BTreeMap<String, String>>;

struct Module {
    path: ModulePath,
    file: PathBuf,
    /// Every path that the code mentions, with its line.
    mentions: Vec<(String, String)>,
    /// The absolute path of each name that a `use` brings in.
    names: BTreeMap<String, ModulePath>,
    /// Those of the names that others may import from here.
    exports: BTreeSet<String>,
}

struct Modules(BTreeMap<ModulePath, Module>);

impl Modules {
    fn of(files: &[(PathBuf, String)]) -> Self {
        let tests: BTreeSet<ModulePath> = files.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
        let code = files.iter().filter_map(|(path, text)| Some((module_path(path)?, path, shipped(path, text))));
        let code: Vec<_> = code.filter(|(module, ..)| !tests.iter().any(|test| module.starts_with(test))).collect();
        let paths: BTreeSet<ModulePath> = code.iter().map(|(module, ..)| module.clone()).collect();
        let modules = code.into_iter().map(|(path, file, code)| (path.clone(), Module::of(path, file, &code, &paths)));
        Self(modules.collect())
    }

    /// The arrows between siblings, by the folder that they are in.
    fn levels(&self) -> BTreeMap<String, Arrows> {
        let mut levels: BTreeMap<String, Arrows> = BTreeMap::new();
        for module in self.0.values() {
            for (mention, line) in &module.mentions {
                let Some(target) = module.absolute(mention).and_then(|path| self.definition(&path, 0)) else {
                    continue;
                };
                let shared = module.path.iter().zip(&target).take_while(|(one, other)| one == other).count();
                let (Some(from), Some(to)) = (module.path.get(shared), target.get(shared)) else { continue };
                let level = format!("src/{}", target[..shared].join("/"));
                let arrows = levels.entry(level.trim_end_matches('/').to_owned()).or_default();
                let shown = || format!("{}: {line}", module.file.display());
                arrows.entry(from.clone()).or_default().entry(to.clone()).or_insert_with(shown);
            }
        }
        levels
    }

    /// The module that defines what a path names, following re-exports.
    fn definition(&self, path: &[String], depth: usize) -> Option<ModulePath> {
        let length = (0..=path.len()).rev().find(|length| self.0.contains_key(&path[..*length]))?;
        let module = &self.0[&path[..length]];
        let exported = path.get(length).filter(|name| module.exports.contains(*name) && depth < 8);
        match exported.and_then(|name| module.names.get(name)) {
            Some(target) => self.definition(&[target, &path[length + 1..]].concat(), depth + 1),
            None => Some(module.path.clone()),
        }
    }
}

impl Module {
    fn of(path: ModulePath, file: &Path, code: &str, modules: &BTreeSet<ModulePath>) -> Self {
        let mut module = Self {
            path,
            file: file.to_owned(),
            mentions: Vec::new(),
            names: BTreeMap::new(),
            exports: BTreeSet::new(),
        };
        let children =
            modules.iter().filter(|other| other.split_last().is_some_and(|(_, parent)| parent == module.path));
        module.names = children.map(|child| (child[child.len() - 1].clone(), child.clone())).collect();
        let (uses, rest) = split_uses(code);
        for (line, is_public, tree) in uses {
            for path in expand(&tree) {
                let (path, name) = match path.split_once(" as ") {
                    Some((path, name)) => (path.trim().to_owned(), name.trim().to_owned()),
                    None => (path.clone(), path.rsplit("::").next().unwrap_or_default().to_owned()),
                };
                if let Some(absolute) = module.absolute(&path) {
                    module.exports.extend(is_public.then(|| name.clone()));
                    module.names.insert(name, absolute);
                }
                module.mentions.push((path, line.clone()));
            }
        }
        let in_code = rest.lines().flat_map(|line| paths(line).map(|path| (path, line.trim().to_owned())));
        module.mentions.extend(in_code);
        module
    }

    /// The path from the root of the crate; `None` for another crate's.
    fn absolute(&self, path: &str) -> Option<ModulePath> {
        let mut steps = path.trim_start_matches('$').split("::").map(str::to_owned);
        let first = steps.next()?;
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            "self" => self.path.clone(),
            "super" => self.path.split_last()?.1.to_vec(),
            name => self.names.get(name)?.clone(),
        };
        for step in steps {
            if step == "super" {
                base.pop();
            } else if step != "self" {
                base.push(step);
            }
        }
        Some(base)
    }
}

/// The module that a file of the library is.
fn module_path(file: &Path) -> Option<ModulePath> {
    let inside = file.strip_prefix("src").ok()?.with_extension("");
    let steps: ModulePath = inside.iter().map(|step| step.to_string_lossy().into_owned()).collect();
    match steps.last()?.as_str() {
        "main" => None,
        "lib" => Some(Vec::new()),
        _ => Some(steps),
    }
}

/// The modules that a file declares for tests only.
fn test_modules(file: &Path, text: &str) -> Vec<ModulePath> {
    let Some(parent) = module_path(file) else { return Vec::new() };
    let declared = text.split("#[cfg(test)]").skip(1).filter_map(|rest| rest.trim_start().lines().next());
    let names =
        declared.filter_map(|line| line.strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name.to_owned()));
    names.map(|name| [parent.as_slice(), &[name]].concat()).collect()
}

/// The `use` items of a file (a line to show, whether others may import from it, and the tree), and
/// the other code.
fn split_uses(code: &str) -> (Vec<(String, bool, String)>, String) {
    let (mut uses, mut rest) = (Vec::new(), String::new());
    let mut lines = code.lines();
    let mut for_tests = false;
    while let Some(line) = lines.next() {
        let item = line.trim_start();
        let visibility = item.split("use ").next().unwrap_or_default().trim();
        let is_use = item.contains("use ")
            && (visibility.is_empty()
                || visibility == "pub"
                || visibility.starts_with("pub(") && visibility.ends_with(')'));
        if !is_use {
            rest.push_str(line);
            rest.push('\n');
            for_tests = item == "#[cfg(test)]";
            continue;
        }
        let mut tree = item[item.find("use ").unwrap_or_default() + 4..].to_owned();
        while !tree.contains(';') {
            let Some(next) = lines.next() else { break };
            tree.push(' ');
            tree.push_str(next.trim());
        }
        let tree = tree.trim_end_matches(';').to_owned();
        if !for_tests {
            uses.push((format!("use {tree};"), !visibility.is_empty(), tree));
        }
        for_tests = false;
    }
    (uses, rest)
}

/// The paths of a `use` tree: `a::{b, c::d}` gives `a::b` and `a::c::d`.
fn expand(tree: &str) -> Vec<String> {
    let Some((before, inner)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let inner = inner.trim().strip_suffix('}').unwrap_or(inner);
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in inner.chars() {
        match c {
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        parts.last_mut().expect("it begins with one").push(c);
    }
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    parts.flat_map(|part| expand(&format!("{before}{part}"))).collect()
}

/// The paths of at least two names in a line of code, outside of texts.
fn paths(line: &str) -> impl Iterator<Item = String> {
    let code = line.split('"').step_by(2);
    let words = code.flat_map(|code| code.split(|c| !is_word(c) && c != ':' && c != '$'));
    let paths = words.map(|word| word.trim_matches(':').to_owned());
    paths.filter(|path| path.contains("::"))
}

fn describe_circles(level: &str, arrows: &Arrows) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let circles = arrows.keys().filter_map(|room| {
        let circle = find_circle(room, arrows).filter(|_| !seen.contains(room))?;
        seen.extend(circle.iter().cloned());
        Some(circle)
    });
    let described = circles.map(|circle| {
        let lines = circle.windows(2).map(|pair| format!("\n    {}", arrows[&pair[0]][&pair[1]]));
        format!("a circle in {level}: {}{}", circle.join(" -> "), lines.collect::<String>())
    });
    described.collect()
}

/// The shortest circle through a room, which is its first and its last.
fn find_circle(room: &str, arrows: &Arrows) -> Option<Vec<String>> {
    let mut queue = VecDeque::from([vec![room.to_owned()]]);
    let mut reached = BTreeSet::new();
    while let Some(way) = queue.pop_front() {
        for next in arrows.get(way.last()?).into_iter().flat_map(BTreeMap::keys) {
            let longer = [way.as_slice(), std::slice::from_ref(next)].concat();
            if next == room {
                return Some(longer);
            }
            if reached.insert(next.clone()) {
                queue.push_back(longer);
            }
        }
    }
    None
}
