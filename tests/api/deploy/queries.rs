//! The alerts and the dashboard: their queries parse, and name metrics and labels that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::{accepts, read, string, yaml};
use crate::harness::database::scratch_dir;
use crate::operations::metrics::scrape;

const PROMTOOL: (&str, &str) = ("STAGEGATE_TEST_PROMTOOL", "promtool");

/// The names of metrics as they are asked for, each with its labels.
type Known = BTreeMap<String, BTreeSet<String>>;

/// What a scrape shows, and what Prometheus adds to each series.
fn known(scraped: &str) -> Known {
    let mut known = Known::new();
    for line in scraped.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = line.split_once('{').map_or_else(
            || (line.split(' ').next().unwrap_or_default(), ""),
            |(name, rest)| (name, rest.rsplit_once('}').map_or("", |(labels, _)| labels)),
        );
        let labels = outside_of_strings(labels);
        let labels = labels.split(',').filter_map(|label| label.split_once('=')).map(|(label, _)| label.to_owned());
        known.entry(name.to_owned()).or_default().extend(labels);
    }
    known.insert("up".to_owned(), BTreeSet::new());
    for labels in known.values_mut() {
        labels.extend(["job".to_owned(), "instance".to_owned()]);
    }
    known
}

/// A query without what stands in its strings.
fn outside_of_strings(query: &str) -> String {
    query.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// What a query names: its metrics, and the labels of all of them.
fn named(query: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    const GROUPING: [&str; 7] = ["by", "without", "on", "ignoring", "group_left", "group_right", "le"];
    const WORDS: [&str; 4] = ["and", "or", "unless", "bool"];
    let code = outside_of_strings(query);
    let (mut metrics, mut labels, mut grouping, mut braces) = (BTreeSet::new(), BTreeSet::new(), false, false);
    let mut rest = code.as_str();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_:$".contains(c);
        if !is_word(first) {
            match first {
                '{' | '[' => braces = true,
                '}' | ']' => braces = false,
                ')' => grouping = false,
                _ => {}
            }
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
        rest = after;
        let is_call = rest.trim_start().starts_with('(');
        if GROUPING.contains(&word) && is_call {
            grouping = true;
        } else if braces && rest.trim_start().starts_with(['=', '!']) || grouping {
            labels.insert(word.to_owned());
        } else if !braces && !is_call && !WORDS.contains(&word) && !word.starts_with(|c: char| c.is_ascii_digit()) {
            // `sum by (x) (…)`: the word before a grouping is a function, too.
            if !GROUPING.iter().any(|grouping| rest.trim_start().starts_with(&format!("{grouping} ("))) {
                metrics.insert(word.to_owned());
            }
        }
    }
    (metrics, labels)
}

/// What a query names that there is not.
fn unknown(query: &str, known: &Known) -> Vec<String> {
    let (metrics, labels) = named(query);
    let mut unknown: Vec<String> = metrics.iter().filter(|name| !known.contains_key(*name)).cloned().collect();
    let has = |label: &String| metrics.iter().any(|name| known.get(name).is_some_and(|known| known.contains(label)));
    unknown.extend(labels.into_iter().filter(|label| !has(label)));
    unknown
}

#[test]
fn a_name_that_is_not_there_is_noticed() {
    let known = known("a_total{x=\"1,y=2\",z=\"2\"} 1\nb 2\n# c 3");
    for (query, expected) in [
        ("sum by (x, job) (rate(a_total{z=~\"b|c\"}[5m])) > 0.5", &[][..]),
        ("a_total / on (instance) b", &[]),
        ("c", &["c"]),
        ("max(a_total{y=\"\"})", &["y"]),
        ("sum by (q) (a_total)", &["q"]),
        ("time() - b > 3 and up == 0", &[]),
    ] {
        assert_eq!(unknown(query, &known), expected, "{query}");
    }
}

/// The queries of the alerts and, with values for its variables, of the dashboard.
fn queries() -> Vec<(String, String)> {
    let alerts = &yaml("deploy/prometheus/alerts.yaml")[0]["groups"][0]["rules"];
    let alerts = alerts.as_array().unwrap().iter();
    let mut queries: Vec<_> =
        alerts.map(|rule| (string(&rule["alert"]).to_owned(), string(&rule["expr"]).to_owned())).collect();
    assert!(queries.len() > 15, "{queries:?}");
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/dashboards/stagegate.json")).unwrap();
    let annotations = dashboard["annotations"]["list"].as_array().unwrap().iter();
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(|target| (string(&panel["title"]).to_owned(), target))
    });
    let asked = targets.chain(annotations.map(|annotation| ("annotation".to_owned(), annotation)));
    queries.extend(asked.map(|(title, target)| (title, string(&target["expr"]).replace("$__rate_interval", "5m"))));
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(query) = variable["query"]["query"].as_str() {
            let inner = query.strip_prefix("label_values(").and_then(|rest| rest.rsplit_once(", ")).unwrap();
            let name = string(&variable["name"]).to_owned();
            queries.push((name, inner.0.to_owned()));
        }
    }
    queries
}

#[tokio::test]
async fn alerts_and_dashboard_name_metrics_and_labels_that_there_are() {
    let known = known(&scrape().await);
    for (title, query) in queries() {
        assert_eq!(unknown(&query, &known), Vec::<String>::new(), "{title}: {query}");
    }
}

#[tokio::test]
async fn prometheus_can_read_the_alerts_and_every_query() {
    accepts(PROMTOOL, &["check", "config", "deploy/prometheus/prometheus.yaml"]).await;
    let rules = queries().into_iter().enumerate().map(|(number, (_, query))| {
        serde_json::json!({ "record": format!("query:{number}"), "expr": query.replace('$', "") })
    });
    let rules = serde_json::json!({ "groups": [{ "name": "all", "rules": rules.collect::<Vec<_>>() }] });
    let file = scratch_dir().with_extension("yaml");
    fs::write(&file, rules.to_string()).unwrap();
    accepts(PROMTOOL, &["check", "rules", file.to_str().unwrap()]).await;
    fs::remove_file(file).unwrap();
}

#[test]
fn the_dashboard_has_no_data_source_of_its_own_and_no_panel_over_another() {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/dashboards/stagegate.json")).unwrap();
    let mut cells = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = string(&panel["title"]);
        let is_row = panel["type"] == "row";
        assert!(is_row || panel["datasource"]["uid"] == "${datasource}", "{title}");
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{title} is too wide");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(cells.insert((x, y)), "{title} covers another panel");
            }
        }
    }
}
