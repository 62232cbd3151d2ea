//! The tools, with the descriptions that clients read.

use crate::domain::task::command::CommandType;

use super::tools::ToolName;

#[test]
fn only_two_tools_decide_about_work() {
    let deciding: Vec<&str> = ToolName::ALL.iter().filter(|tool| tool.decides()).map(|tool| tool.as_str()).collect();
    assert_eq!(deciding, ["approve", "reject"]);
    for tool in ToolName::ALL {
        let decides = tool.command().is_some_and(|command| match command {
            CommandType::StageApproved
            | CommandType::StageRejected
            | CommandType::StageEscalated
            | CommandType::EscalationResolved => true,
            CommandType::WorkSubmitted
            | CommandType::StatusUpdated
            | CommandType::QuestionAsked
            | CommandType::QuestionAnswered
            | CommandType::QuestionWithdrawn
            | CommandType::ReviewersChanged
            | CommandType::Held
            | CommandType::Resumed
            | CommandType::CancellationRequested
            | CommandType::CancellationAcknowledged => false,
        });
        assert_eq!(tool.decides(), decides, "{tool:?}");
        assert_eq!(ToolName::parse(tool.as_str()), Some(*tool));
    }
    assert_eq!(ToolName::parse("Approve"), None);
}
