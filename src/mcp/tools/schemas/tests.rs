//! What clients and models can rely on in the schemas.

use std::collections::BTreeSet;

use super::*;

fn each() -> impl Iterator<Item = (ToolName, bool)> {
    ToolName::ALL.iter().flat_map(|tool| [(*tool, true), (*tool, false)])
}

/// Every schema in a schema.
fn visit(schema: &Value, each: &mut impl FnMut(&Map<String, Value>)) {
    match schema {
        Value::Object(members) => {
            each(members);
            members.values().for_each(|value| visit(value, each));
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, each)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn schemas_are_objects_that_refer_to_nothing() {
    for (tool, bound) in each() {
        for schema in [input(tool, bound), output(tool)] {
            assert_eq!(schema["type"], "object", "{tool:?}");
            for outside in ["oneOf", "anyOf", "allOf"] {
                assert!(schema.get(outside).is_none(), "{tool:?}: models refuse {outside} there");
            }
            visit(&schema, &mut |members| {
                for dropped in ["$ref", "discriminator", "x-extensible-enum", "example"] {
                    assert!(!members.contains_key(dropped), "{tool:?} has {dropped}");
                }
            });
            assert!(jsonschema::meta::is_valid(&schema), "{tool:?}");
            let properties: BTreeSet<&str> =
                schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            let required = schema["required"].as_array().into_iter().flatten();
            assert!(required.map(|name| name.as_str().unwrap()).all(|name| properties.contains(name)), "{tool:?}");
        }
    }
}

#[test]
fn arguments_are_closed_and_described() {
    for (tool, bound) in each() {
        let schema = input(tool, bound);
        assert_eq!(schema["additionalProperties"], false, "{tool:?}");
        for (name, property) in schema["properties"].as_object().unwrap() {
            let about = property["description"].as_str().unwrap_or_default();
            assert!(!about.is_empty() && !about.contains('\n'), "{tool:?}: {name}: {about}");
        }
    }
}

#[test]
fn commands_have_the_members_of_the_contract_and_a_task() {
    for tool in ToolName::ALL {
        let Some(command) = tool.command() else { continue };
        let declared = of_command(command);
        let mut expected: BTreeSet<&str> =
            declared["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        expected.remove("type");
        expected.insert("task_id");
        for bound in [false, true] {
            let schema = input(*tool, bound);
            let known: BTreeSet<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            let required = schema["required"].as_array().unwrap();
            assert!(required.contains(&json!("task_id")) && !required.contains(&json!("type")), "{tool:?}");
            assert!(schema["properties"]["id"]["description"].as_str().unwrap().contains("before the first try"));
            if bound {
                assert_eq!(expected.difference(&known).copied().collect::<Vec<_>>(), ["actor"], "{tool:?}");
            } else {
                assert_eq!(known, expected, "{tool:?}");
            }
        }
    }
}

#[test]
fn the_actor_is_required_where_the_domain_requires_it() {
    for tool in ToolName::ALL {
        let Some(command) = tool.command() else { continue };
        let expected = !matches!(command, CommandType::StatusUpdated | CommandType::CancellationAcknowledged);
        let required = input(*tool, false)["required"].as_array().unwrap().contains(&json!("actor"));
        assert_eq!(required, expected, "{tool:?}");
        assert!(!input(*tool, true)["required"].as_array().unwrap().contains(&json!("actor")));
    }
}

#[test]
fn claims_have_the_members_of_the_contract_and_a_task() {
    for bound in [false, true] {
        let actor = if bound { &[][..] } else { &["actor"] };
        for (tool, others) in [(ToolName::ClaimTask, &["lease", "take_over"][..]), (ToolName::ReleaseClaim, &[])] {
            let schema = input(tool, bound);
            let known: BTreeSet<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            let required: BTreeSet<&str> =
                schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            assert_eq!(required, [&["task_id"], actor].concat().into_iter().collect(), "{tool:?}");
            assert_eq!(known, [&["task_id"], actor, others].concat().into_iter().collect(), "{tool:?}");
        }
    }
}

#[test]
fn every_result_that_can_hold_what_people_wrote_is_marked() {
    for tool in ToolName::ALL {
        let marked = output(*tool)["required"].as_array().unwrap().contains(&json!(MARK));
        assert_eq!(marked, *tool != ToolName::Wait, "{tool:?}");
    }
}

/// A model pays for what it must read before the first call.
#[test]
fn the_tools_of_an_agent_that_works_are_short() {
    let tools = ToolName::ALL.iter().filter(|tool| {
        tool.command().is_some_and(|command| command.scopes().include(crate::domain::values::scope::Scope::Work))
            || matches!(
                tool,
                ToolName::ListTasks | ToolName::ListReviews | ToolName::GetTask | ToolName::Why | ToolName::Wait
            )
    });
    let size: usize = tools.map(|tool| input(*tool, true).to_string().len()).sum();
    assert!((5_000..30_000).contains(&size), "{size} bytes");
    let all: usize = ToolName::ALL.iter().map(|tool| output(*tool).to_string().len()).sum();
    assert!(all < 150_000, "{all} bytes of results");
}
