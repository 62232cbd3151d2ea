//! The tools that send a command. Its members go through the parser and the use case of
//! `POST …/events`.

use serde_json::Value;

use crate::domain::task::command::CommandType;
use crate::http::input::body::from_value;
use crate::http::problem::{FieldError, Problem};
use crate::http::routes::command_body;
use crate::http::routes::events::EventAnswer;
use crate::mcp::call::Call;
use crate::mcp::results::members;

use super::Arguments;
use super::tasks::OneTask;

/// Sends a command of this type. Without an `id` of the caller's the command gets one here, before
/// the first attempt to record it.
pub(super) async fn send(call: &Call, command: CommandType, mut arguments: Arguments) -> Result<Arguments, Problem> {
    let OneTask { task_id } = from_value(Value::Object(arguments.remove_entry("task_id").into_iter().collect()))?;
    if arguments.insert("type".to_owned(), command.as_str().into()).is_some() {
        let error = FieldError::new("/type", "unknown_field", "is unknown: the tool gives the type");
        return Err(Problem::invalid_body(vec![error]));
    }
    let (caller, commands) = (call.caller(), &call.state.app.tasks.commands);
    let target = commands.find_target(caller, task_id).await?;
    let request = command_body::parse(arguments, caller, None, call.state.app.clock().now())?;
    let answer = commands.post_event(caller, target, request).await?;
    members(&EventAnswer::new(answer, None)?)
}
