//! The house rules that a compiler does not know: which folder may mention what, which may import from each other, and
//! how a file begins.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

mod circles;
mod pages;

use circles::circles;

/// Columns of a line with a comment; `rustfmt` does not wrap those.
const COMMENT_WIDTH: usize = 120;

/// What a folder may never mention. A folder of ours is written `crate::x`; everything else is another crate.
const ARROWS: [(&str, &[&str]); 13] = [
    (
        "domain",
        &[
            "axum",
            "hyper",
            "reqwest",
            "sqlx",
            "tokio",
            "tower_http",
            "tracing",
            "crate::app",
            "crate::config",
            "crate::dev",
            "crate::embedded",
            "crate::http",
            "crate::store",
            "crate::webhook",
            "crate::worker",
            "crate::clock",
            "crate::ids",
        ],
    ),
    ("store", &["axum", "crate::app", "crate::dev", "crate::http", "crate::worker"]),
    (
        "webhook",
        &[
            "axum",
            "sqlx",
            "crate::app",
            "crate::config",
            "crate::dev",
            "crate::embedded",
            "crate::http",
            "crate::store",
            "crate::worker",
            "crate::clock",
            "crate::ids",
        ],
    ),
    ("app", &["axum", "crate::dev", "crate::http", "crate::worker"]),
    ("http", &["sqlx", "crate::dev", "crate::store", "crate::webhook", "crate::worker", "crate::pages", "crate::mcp"]),
    (
        "mcp",
        &[
            "sqlx",
            "crate::dev",
            "crate::embedded",
            "crate::pages",
            "crate::store",
            "crate::trial",
            "crate::webhook",
            "crate::worker",
        ],
    ),
    (
        "pages",
        &["sqlx", "crate::dev", "crate::mcp", "crate::store", "crate::webhook", "crate::worker", "crate::config"],
    ),
    ("worker", &["sqlx", "axum", "crate::dev", "crate::store", "crate::http"]),
    ("dev", &["sqlx", "crate::store", "crate::pages", "crate::embedded"]),
    (
        "client",
        &[
            "axum",
            "hyper",
            "sqlx",
            "crate::app",
            "crate::config",
            "crate::dev",
            "crate::embedded",
            "crate::http",
            "crate::pages",
            "crate::store",
            "crate::webhook",
            "crate::worker",
        ],
    ),
    (
        "command_line",
        &[
            "axum",
            "hyper",
            "sqlx",
            "crate::app",
            "crate::dev",
            "crate::embedded",
            "crate::http",
            "crate::pages",
            "crate::store",
            "crate::webhook",
            "crate::worker",
        ],
    ),
    ("json", &["axum", "sqlx", "tokio", "crate::app", "crate::http", "crate::store", "crate::worker"]),
    ("embedded", &["axum", "crate::app", "crate::config", "crate::http", "crate::store", "crate::worker"]),
];

#[test]
fn every_file_keeps_the_house_rules() {
    let files = rust_files();
    assert!(files.len() > 20, "only {} files found", files.len());
    let complaints: Vec<String> = files.iter().flat_map(|(path, text)| complaints(path, text)).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// Whoever holds a connection of sqlx's can wait for it without a limit, so one file does, with what is below it.
#[test]
fn statements_go_through_the_one_place_that_limits_them() {
    let files = rust_files();
    let holders = files.iter().filter(|(path, text)| {
        path.starts_with("src")
            && !path.starts_with("src/embedded")
            && path != Path::new("src/embedded.rs")
            && ["PgConnection", "PgPool", "PgListener", "PoolConnection", "sqlx::Transaction", "AnyConnection"]
                .iter()
                .any(|kind| mentions_word(&shipped(path, text), kind))
    });
    let mut holders: Vec<String> = holders.map(|(path, _)| path.display().to_string()).collect();
    holders.sort();
    assert_eq!(
        holders,
        ["src/store/db/session.rs", "src/store/db/session/migration.rs", "src/store/db/session/subscription.rs"]
    );
    let text = &files.iter().find(|(path, _)| path == Path::new("src/store/db/session.rs")).unwrap().1;
    let unlimited = text.lines().filter(|line| {
        line.contains("self.connection.") && !line.contains("within(") || line.contains("PgConnection::connect_with")
    });
    // Inside of `connect`, which is called within a limit.
    assert_eq!(unlimited.map(str::trim).collect::<Vec<_>>(), ["match PgConnection::connect_with(options).await {"]);
}

fn mentions_word(code: &str, word: &str) -> bool {
    starts(code, word).next().is_some() || code.contains(&format!("::{word}"))
}

#[test]
fn breaking_a_house_rule_is_noticed() {
    for (path, text, expected) in [
        ("src/domain/task.rs", "//! T.\nuse sqlx::PgPool;", 1),
        ("src/domain/task.rs", "//! T.\nuse crate::{store::tasks, ids};", 2),
        ("src/domain/task.rs", "//! T.\nlet now = tokio::time::Instant::now();", 1),
        ("src/domain/task.rs", "//! Not for sqlx.\n/// Nor for axum::Router.\nlet tokio_like = 1; // sqlx::x", 0),
        ("src/http/routes/tasks.rs", "//! T.\nuse crate::store;", 1),
        ("src/http/routes/tasks.rs", "//! T.\nuse crate::app;", 0),
        ("src/http/routes/tasks.rs", "//! T.\nuse crate::webhook::client;", 1),
        ("src/app/tasks.rs", "//! T.\nuse super::{App, Error};", 1),
        ("src/app/tasks.rs", "//! T. For `App`.\nuse super::AppError;", 0),
        ("src/app.rs", "//! T.\npub struct App;", 0),
        ("src/webhook/sign.rs", "//! T.\nuse crate::domain::values::time::Time;", 0),
        ("src/webhook/sign.rs", "//! T.\nuse crate::clock::Clock;", 1),
        ("src/store/tasks.rs", "//! T.\nuse sqlx::PgPool;", 0),
        ("src/worker.rs", "//! T.\nuse sqlx::PgPool;", 1),
        ("src/mcp/tools.rs", "//! T.\nuse crate::store::Pool;", 1),
        ("src/mcp/tools.rs", "//! T.\nuse crate::http::AppState;", 0),
        ("src/http/serve.rs", "//! T.\nuse crate::mcp;", 1),
        ("src/http/tests.rs", "//! T.\nuse crate::store;", 0),
        ("src/http/routes/tasks.rs", "//! T.\n#[cfg(test)]\nmod tests {\n    use crate::store;\n}", 0),
        ("src/main.rs", "use std::fs;", 1),
        ("src/main.rs", concat!("//! M.\n// TO", "DO: later"), 1),
        ("tests/api/x.rs", "//! M.\nuse crate::store;", 0),
        ("src/demo.rs", "//! D.\nwriteln!(out, \"{x}\")", 1),
        ("src/main.rs", &format!("//! M.\n    // {}", "x".repeat(120)), 1),
        ("src/main.rs", &format!("//! M.\n//! | {} |", "x".repeat(120)), 0),
    ] {
        let complaints = complaints(Path::new(path), text);
        assert_eq!(complaints.len(), expected, "{path} {text:?}: {complaints:?}");
    }
}

#[test]
fn no_rooms_use_each_other_in_a_circle() {
    let circles = circles(&rust_files());
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn a_circle_of_rooms_is_noticed() {
    let found = |files: &[(&str, &str)]| {
        let files: Vec<_> = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
        circles(&files)
    };
    let lib = ("src/lib.rs", "pub mod a;\npub mod b;\npub mod c;");
    let circle = [
        lib,
        ("src/a.rs", "use crate::b::{self, x::X};"),
        ("src/b/x.rs", "fn x() {\n    super::super::c::y();\n}"),
        ("src/b.rs", "pub mod x;"),
        ("src/c.rs", "pub fn y(_: &crate::a::A) {}"),
    ];
    let expected = "a circle in src: a -> b -> c -> a
    src/a.rs: use crate::b::{self, x::X};
    src/b/x.rs: super::super::c::y();
    src/c.rs: pub fn y(_: &crate::a::A) {}";
    assert_eq!(found(&circle), [expected]);
    // Deeper, through a name that the parent re-exports, and through one that was imported.
    let deeper = [
        lib,
        ("src/a.rs", "mod p;\nmod q;\npub(crate) use p::P;"),
        ("src/a/p.rs", "use crate::a;\npub fn p() {\n    a::q::q();\n}"),
        ("src/a/q.rs", "use super::P;"),
    ];
    let expected = "a circle in src/a: p -> q -> p
    src/a/p.rs: a::q::q();
    src/a/q.rs: use super::P;";
    assert_eq!(found(&deeper), [expected]);
    let fine = [
        lib,
        // A parent and its children are one room, and tests may use anything.
        ("src/a.rs", "mod p;\n#[cfg(test)]\nmod support;\npub use p::P;\npub struct A;\nuse crate::b::B;"),
        ("src/a/p.rs", "use super::A;\n#[cfg(test)]\nmod tests {\n    use crate::c::C;\n}"),
        ("src/a/support.rs", "use crate::c::C;"),
        ("src/b.rs", "use crate::c::C; // and not crate::a::A"),
        ("src/b/tests.rs", "use crate::a::A;"),
        ("src/c.rs", "use std::a::A;\nuse serde::a;\nfn f() { x.a::<A>(); }"),
    ];
    assert_eq!(found(&fine), Vec::<String>::new());
}

fn complaints(path: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let name = path.display();
    if !text.starts_with("//!") {
        complaints.push(format!("{name}: does not open with what lives here (//!)"));
    }
    for (number, line) in text.lines().enumerate() {
        let comment = line.trim_start();
        // The rows of a table have one line each.
        let is_table = comment.starts_with("//! |") || comment.starts_with("/// |");
        if comment.starts_with("//") && !is_table && line.chars().count() > COMMENT_WIDTH {
            complaints.push(format!("{name}:{}: a comment over {COMMENT_WIDTH} columns", number + 1));
        }
    }
    if text.contains(concat!("TO", "DO")) {
        complaints.push(format!("{name}: leaves something to do"));
    }
    let code = shipped(path, text);
    // What these say comes from files and answers, which may hold what a terminal obeys.
    let repeats = ["src/check.rs", "src/check/audit.rs", "src/demo.rs"].iter().any(|file| path == Path::new(file));
    if repeats && ["writeln!", "println!", "print!(", "write!(out"].iter().any(|word| code.contains(word)) {
        complaints.push(format!("{name}: says something without crate::terminal"));
    }
    if path.starts_with("src/app") && code.split(|c| !is_word(c)).any(|word| word == "App") {
        complaints.push(format!("{name}: a capability never mentions the whole app"));
    }
    for (folder, forbidden) in ARROWS {
        let inside = path.starts_with(format!("src/{folder}")) || path == Path::new(&format!("src/{folder}.rs"));
        for word in forbidden.iter().filter(|word| inside && mentions(&code, word)) {
            complaints.push(format!("{name}: {folder} never mentions {word}"));
        }
    }
    complaints
}

/// Whether the code names this crate or this module of ours.
fn mentions(code: &str, word: &str) -> bool {
    let Some(module) = word.strip_prefix("crate::") else {
        return starts(code, word)
            .any(|rest| rest.starts_with("::") || rest.starts_with(';') || rest.starts_with(" as "));
    };
    let direct = starts(code, word).any(|rest| !rest.starts_with(is_word));
    // `use crate::{a, b::c};`
    let grouped = code.split("crate::{").skip(1).filter_map(|group| group.split(';').next());
    direct || grouped.into_iter().any(|group| starts(group, module).any(|rest| !rest.starts_with(is_word)))
}

/// What follows every place where `word` begins a path.
fn starts<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(word).filter_map(move |(at, _)| {
        let before = code[..at].chars().next_back();
        (!before.is_some_and(|c| is_word(c) || c == ':')).then(|| &code[at + word.len()..])
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The code that is not for tests, which may build what they need. Line comments go too; that a `//` in a string
/// takes the rest of its line with it does no harm here.
fn shipped(path: &Path, text: &str) -> String {
    if path.file_stem().is_some_and(|stem| stem == "tests") {
        return String::new();
    }
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Every file of ours with its text, by its path from the root of the repository.
fn rust_files() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = ["src", "tests", "benches"].iter().map(|folder| root.join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    files
}

#[test]
fn the_image_is_built_with_every_folder_that_the_sources_include() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let let_through = fs::read_to_string(root.join(".dockerignore")).unwrap();
    let mut included = BTreeSet::new();
    for (path, text) in rust_files().iter().filter(|(path, _)| path.starts_with("src")) {
        for rest in text.split("\"../").skip(1) {
            let Some((folder, _)) = rest.trim_start_matches("../").split_once('/') else { continue };
            if root.join(folder).is_dir() {
                assert!(
                    let_through.lines().any(|line| line == format!("!{folder}")),
                    ".dockerignore leaves out {folder}, which {} includes",
                    path.display()
                );
                included.insert(folder.to_owned());
            }
        }
    }
    assert!(included.contains("docs"), "{included:?}");
}
