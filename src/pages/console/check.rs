//! Checking a definition before it is registered: all its mistakes with their lines, or what the
//! service makes of it. Nothing is stored, until somebody who may do so registers it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::app::workflows::Wanted;
use crate::domain::values::id::WorkflowKey;
use crate::domain::workflow::{Mistake, Parsed, Workflow};
use crate::http::AppState;
use crate::json::lines::Lines;
use crate::json::strict::{self, Fault};
use crate::pages::forms::Form;
use crate::pages::frame::{Frame, render};
use crate::pages::links::go_to;
use crate::pages::session::Visitor;

use super::drawing::Drawing;
use super::slips;
use super::stages::{self, StageItem, WarningItem};
use super::{Answer, check_manage, enter_as_partner, words, workflows};
use crate::pages::query::Query;

const PATH: &str = "/workflows/check";
const REGISTER: &str = "/workflows/register";
/// The lines of a definition that are shown with numbers.
const LINES: usize = 2_000;

#[derive(Template)]
#[template(path = "console/check.html", config = "src/pages/askama.toml")]
struct CheckPage {
    frame: Frame,
    /// The text that was pasted.
    text: String,
    /// Its lines, if there is something to say about them.
    lines: Vec<String>,
    mistakes: Vec<MistakeItem>,
    sound: Option<Sound>,
    /// The key that the form for registering has.
    key: String,
    form: String,
    /// The token of the form for registering; none for those who may not.
    register: Option<String>,
}

/// A mistake, where and which.
#[derive(Debug)]
struct MistakeItem {
    pointer: String,
    line: Option<usize>,
    code: &'static str,
    message: String,
}

/// What the service makes of a definition without mistakes.
struct Sound {
    name: String,
    worst_case: String,
    drawing: Drawing,
    stages: Vec<StageItem>,
    warnings: Vec<WarningItem>,
}

/// The form, empty or with a registered definition.
pub(super) async fn get_check(visitor: Visitor, State(state): State<AppState>, mut query: Query) -> Answer {
    enter_as_partner(&visitor)?;
    let from = query.value("from").to_owned();
    let text = if from.is_empty() {
        String::new()
    } else {
        workflows::json(&workflows::find(&visitor, &state, (&from, &mut query)).await?)
    };
    let frame = visitor.frame(visitor.untitled().t.text("console-check"));
    Ok(render(StatusCode::OK, &page(&visitor, frame, (text, from))))
}

fn page(visitor: &Visitor, frame: Frame, (text, key): (String, String)) -> CheckPage {
    let register = visitor.reach.manage.then(|| visitor.form_token(REGISTER));
    let form = visitor.form_token(PATH);
    CheckPage { frame, text, lines: Vec::new(), mistakes: Vec::new(), sound: None, key, form, register }
}

/// Checks the definition in the form.
pub(super) async fn post_check(form: Form) -> Answer {
    let visitor = &form.visitor;
    enter_as_partner(visitor)?;
    Ok(checked(visitor, (form.fields.get("definition"), form.fields.get("key")), Vec::new()))
}

/// The page about a definition, with mistakes that were found elsewhere.
fn checked(visitor: &Visitor, (text, key): (&str, &str), others: Vec<MistakeItem>) -> Response {
    let t = visitor.untitled().t;
    let found = read(text);
    let is_sound = found.is_ok() && others.is_empty();
    let title = if is_sound { t.text("console-checked") } else { t.text("console-checked-mistakes") };
    let mut page = page(visitor, visitor.frame(title), (text.to_owned(), key.to_owned()));
    let lines = Lines::of(text);
    match found {
        Ok(parsed) => {
            page.sound = Some(Sound {
                name: parsed.workflow.name.to_string(),
                worst_case: words::worst_case(t, parsed.worst_case),
                drawing: Drawing::of(&parsed.workflow),
                stages: stages::of(&parsed.workflow, t),
                warnings: stages::warnings(parsed.warnings, |pointer| lines.at(pointer)),
            });
        }
        Err(mistakes) => page.mistakes = mistakes,
    }
    page.mistakes.extend(others);
    page.lines = text.lines().take(LINES).map(ToOwned::to_owned).collect();
    let status = if is_sound { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    render(status, &page)
}

/// The definition, or every mistake in it.
fn read(text: &str) -> Result<Parsed, Vec<MistakeItem>> {
    let value = strict::parse(text.as_bytes()).map_err(|fault| vec![MistakeItem::of_fault(fault, text)])?;
    let lines = Lines::of(text);
    Workflow::parse(&value).map_err(|mistakes| {
        let item =
            |mistake: Mistake| MistakeItem::new(mistake.pointer, &lines, (mistake.code.as_str(), mistake.message));
        mistakes.into_iter().map(item).collect()
    })
}

impl MistakeItem {
    fn new(pointer: String, lines: &Lines, (code, message): (&'static str, String)) -> Self {
        Self { line: lines.at(&pointer), pointer, code, message }
    }

    fn of_fault(fault: Fault, text: &str) -> Self {
        match fault {
            Fault::Malformed { message } => {
                // The parser names the line: "… at line 3 column 7".
                let line = message.split_once(" at line ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
                Self { pointer: String::new(), line, code: "invalid_json", message }
            }
            Fault::Refused { pointer, code, message } => {
                Self::new(pointer, &Lines::of(text), (code, message.to_owned()))
            }
        }
    }
}

/// Registers the definition in the form.
pub(super) async fn post_register(State(state): State<AppState>, form: Form) -> Answer {
    let visitor = &form.visitor;
    let partner = enter_as_partner(visitor)?;
    check_manage(visitor)?;
    let (text, key) = (form.fields.get("definition"), form.fields.get("key").trim());
    let Ok(workflow) = WorkflowKey::parse(key) else {
        let message = visitor.untitled().t.text("console-wrong-workflow").into_owned();
        return Ok(checked(visitor, (text, key), vec![of_key(message)]));
    };
    let Ok(definition) = strict::parse(text.as_bytes()) else {
        return Ok(checked(visitor, (text, key), Vec::new()));
    };
    let wanted = Wanted { dry_run: false, may_follow: &|_| true };
    let done = state.app.workflows.register_workflow(&visitor.caller, (partner, &workflow), &definition, wanted).await;
    match done {
        Ok(_) => Ok(go_to(&format!("/workflows/{workflow}?done=registered"))),
        Err(crate::app::Error::Definition(_)) => Ok(checked(visitor, (text, key), Vec::new())),
        Err(error) => {
            let slip = slips::refused(error, visitor.untitled(), |_| "key")?;
            Ok(checked(visitor, (text, key), vec![of_key(slip.text)]))
        }
    }
}

/// A mistake that is not in the definition.
fn of_key(message: String) -> MistakeItem {
    MistakeItem { pointer: String::new(), line: None, code: "key", message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_has_its_line() {
        let text = "{\n\"name\": \"\",\n\"stages\": [\n{ \"key\": \"A B\" }\n]\n}";
        let mistakes = read(text).unwrap_err();
        let line = |pointer: &str| mistakes.iter().find(|item| item.pointer == pointer).and_then(|item| item.line);
        assert_eq!((line("/name"), line("/stages/0/key"), line("/stages/0/buyer_label")), (Some(2), Some(4), Some(4)));
        let broken = read("{\n\"name\": ,\n}").unwrap_err();
        assert_eq!((broken.len(), broken[0].line, broken[0].code), (1, Some(2), "invalid_json"));
        assert_eq!(read("{\n\"a\": 1,\n\"a\": 2 }").unwrap_err()[0].pointer, "/a");
        assert!(read(crate::domain::workflow::EXAMPLE).is_ok());
    }
}
