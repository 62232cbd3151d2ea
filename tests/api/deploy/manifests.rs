//! Compose, Kubernetes, the Dockerfile and the workflows, by their schemas and by what they refer to.

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use serde_json::Value;
use stagegate::config::Cli;

use super::{accepts, is_setting, read, root, string, yaml};

/// Connections of a replica beyond `STAGEGATE_POOL_SIZE`, as docs/operations.md says.
const MORE_CONNECTIONS: u64 = 6;

fn tool(program: &'static str) -> (&'static str, &'static str) {
    ("STAGEGATE_TEST_MANIFESTS", program)
}

#[tokio::test]
async fn manifests_and_workflows_follow_their_schemas() {
    let check = tool("check-jsonschema");
    accepts(check, &["--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml"]).await;
    let workflows = [".github/workflows/ci.yml", ".github/workflows/release.yml"];
    accepts(check, &[&["--builtin-schema", "vendor.github-workflows"][..], &workflows].concat()).await;
    accepts(tool("kubernetes-validate"), &["--strict", "deploy/kubernetes.yaml"]).await;
    // DL3008: the versions of Debian's packages change. DL3064: STAGEGATE_PRIVATE_DATABASE is no secret.
    accepts(tool("hadolint"), &["--no-color", "--ignore", "DL3008", "--ignore", "DL3064", "Dockerfile"]).await;
}

/// The variables and values of a service of compose.yaml.
fn environment(service: &Value) -> Vec<(String, String)> {
    let own = service["environment"].as_object().into_iter().flatten();
    let mut found: Vec<_> = own.map(|(name, value)| (name.clone(), string(value).to_owned())).collect();
    if let Some(file) = service["env_file"].as_str() {
        let text = read(&format!("deploy/{file}"));
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        found.extend(lines.filter_map(|line| line.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())));
    }
    found
}

#[test]
fn compose_refers_to_settings_files_ports_and_services_that_there_are() {
    let compose = &yaml("deploy/compose.yaml")[0];
    let services = compose["services"].as_object().unwrap();
    for (name, service) in services {
        let image = string(&service["image"]);
        let (_, tag) = image.split_once(':').unwrap_or_else(|| panic!("{image} has no tag"));
        assert!(image == "stagegate:trial" || tag.contains(|c: char| c.is_ascii_digit()), "{image} may be any version");
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let source = string(volume).split(':').next().unwrap();
            let is_there = match source.strip_prefix("./") {
                Some(path) => root().join("deploy").join(path).exists(),
                None => compose["volumes"].as_object().unwrap().contains_key(source),
            };
            assert!(is_there, "{name}: {source} is not there");
        }
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(string(port).starts_with("127.0.0.1:"), "{name}: {port} is open to others");
        }
        for needed in service["depends_on"].as_object().into_iter().flatten() {
            assert!(services.contains_key(needed.0), "{name}: {} is no service", needed.0);
        }
        let healthy = |(_, how): (&String, &Value)| how["condition"] == "service_healthy";
        for (needed, _) in service["depends_on"].as_object().into_iter().flatten().filter(|(n, how)| healthy((n, how)))
        {
            // The image of the service brings its own.
            let is_checked = needed == "stagegate" || services[needed]["healthcheck"].is_object();
            assert!(is_checked, "{name} waits for {needed}, whose health nobody checks");
        }
        if image == "stagegate:trial" {
            let command = string(&service["command"][0]);
            for (variable, value) in environment(service) {
                assert!(is_setting(command, &variable), "{variable} is no setting of {command}");
                let is_secret = ["KEY", "SECRET"].iter().any(|word| variable.contains(word));
                assert!(!is_secret || value.contains("trial"), "{variable} does not say that it is for trials");
            }
        }
    }
    let listens = environment(&services["stagegate"]);
    let metrics = &listens.iter().find(|(name, _)| name == "STAGEGATE_METRICS_LISTEN").unwrap().1;
    let target = &yaml("deploy/prometheus/prometheus.yaml")[0]["scrape_configs"][0]["static_configs"][0]["targets"][0];
    assert_eq!(string(target), format!("stagegate:{}", metrics.rsplit_once(':').unwrap().1));
    let grafana = &yaml("deploy/grafana/provisioning/datasources/prometheus.yaml")[0]["datasources"][0];
    assert_eq!(string(&grafana["url"]), "http://prometheus:9090");
    assert!(read("deploy/prometheus/alerts.yaml").contains("job=\"stagegate\""), "the job of prometheus.yaml");
}

#[test]
fn kubernetes_refers_to_settings_paths_and_labels_that_there_are() {
    let documents = yaml("deploy/kubernetes.yaml");
    let of_kind =
        |kind: &str| documents.iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"));
    let (deployment, scaler, budget) =
        (of_kind("Deployment"), of_kind("HorizontalPodAutoscaler"), of_kind("PodDisruptionBudget"));
    let pod = &deployment["spec"]["template"];
    let container = &pod["spec"]["containers"][0];
    assert_eq!(string(&of_kind("Job")["spec"]["template"]["spec"]["containers"][0]["args"][0]), "migrate");
    assert_eq!(string(&container["args"][0]), "serve");
    let settings: Vec<(&str, &str)> =
        container["env"].as_array().unwrap().iter().map(|set| (string(&set["name"]), string(&set["value"]))).collect();
    let value = |name: &str| settings.iter().find(|(known, _)| *known == name).unwrap().1;
    for (name, _) in &settings {
        assert!(is_setting("serve", name), "{name} is no setting");
    }
    assert_eq!(value("STAGEGATE_MIGRATE"), "false", "the Job does it");

    // Each probe asks a path that the port has.
    let ports: Vec<(&str, u64)> = container["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| (string(&port["name"]), port["containerPort"].as_u64().unwrap()))
        .collect();
    let expected =
        |name: &str, setting: &str| (name.to_owned(), value(setting).rsplit_once(':').unwrap().1.parse().unwrap());
    let named: Vec<(String, u64)> = ports.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
    assert_eq!(named, [expected("http", "STAGEGATE_LISTEN"), expected("metrics", "STAGEGATE_METRICS_LISTEN")]);
    for (probe, path) in [("startupProbe", "/health"), ("livenessProbe", "/health"), ("readinessProbe", "/ready")] {
        let get = &container[probe]["httpGet"];
        assert_eq!((string(&get["path"]), string(&get["port"])), (path, "metrics"), "{probe}");
    }

    // What selects pods selects those of the Deployment, and not those of the Job.
    let labels = &pod["metadata"]["labels"];
    for selector in [
        &deployment["spec"]["selector"]["matchLabels"],
        &budget["spec"]["selector"]["matchLabels"],
        &of_kind("Service")["spec"]["selector"],
        &pod["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ] {
        assert_eq!(selector, labels);
    }
    assert_ne!(&of_kind("Job")["spec"]["template"]["metadata"]["labels"], labels);
    assert_eq!(scaler["spec"]["scaleTargetRef"]["name"], deployment["metadata"]["name"]);

    // Postgres takes 100 connections by default, of which it keeps 3.
    let surge = deployment["spec"]["strategy"]["rollingUpdate"]["maxSurge"].as_u64().unwrap();
    let replicas = scaler["spec"]["maxReplicas"].as_u64().unwrap() + surge;
    let each = value("STAGEGATE_POOL_SIZE").parse::<u64>().unwrap() + MORE_CONNECTIONS;
    assert!(replicas * each <= 97, "{replicas} replicas take {each} connections each");
    // The default of STAGEGATE_DRAIN_TIMEOUT is 20 s.
    let grace = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace >= value("STAGEGATE_DRAIN_DELAY").parse::<u64>().unwrap() + 20 + 10, "{grace}");
}

#[test]
fn the_image_is_made_of_what_there_is() {
    let dockerfile = read("Dockerfile");
    let line = |start: &str| {
        dockerfile.lines().find(|line| line.trim_start().starts_with(start)).unwrap_or_else(|| panic!("no {start}"))
    };
    let manifest = read("Cargo.toml");
    let oldest = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(line("FROM rust:").contains(&format!("rust:{oldest}-")), "the oldest Rust is {oldest}");
    assert!(manifest.contains("\n[profile.dist]\n") && dockerfile.contains("--profile dist"));
    // What it sets are settings, and what it calls are commands.
    let environment: BTreeSet<&str> = dockerfile
        .split_whitespace()
        .filter_map(|word| word.split_once('='))
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("STAGEGATE_"))
        .collect();
    assert!(environment.len() >= 3, "{environment:?}");
    for name in environment {
        assert!(is_setting("serve", name), "{name} is no setting");
    }
    let program = Cli::command();
    for (start, command) in [("HEALTHCHECK", "health"), ("CMD [\"serve", "serve")] {
        assert!(
            line(start).contains(&format!("\"{command}\"]")) && program.find_subcommand(command).is_some(),
            "{start}"
        );
    }
    assert!(is_setting("health", "STAGEGATE_LISTEN"));
    let port = line("ENV STAGEGATE_LISTEN").trim_end_matches([' ', '\\']).rsplit_once(':').unwrap().1;
    assert_eq!(line("EXPOSE"), format!("EXPOSE {port}"));
    // The builder gets each script that it runs.
    let let_through = read(".dockerignore");
    let scripts = dockerfile.split_whitespace().filter(|word| word.starts_with("scripts/"));
    let scripts: Vec<&str> = scripts.collect();
    assert!(!scripts.is_empty());
    for script in scripts {
        assert!(
            root().join(script).exists() && let_through.lines().any(|line| line == format!("!{script}")),
            "{script}"
        );
    }
}
