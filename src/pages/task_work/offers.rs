//! What a person may choose, and why not: from `why`, with the consequence of each choice from a dry
//! run. No rule of the workflow is repeated here.

use crate::app::tasks::Desk;
use crate::app::tasks::commands::{Request, Target as CommandTarget};
use crate::domain::link::LinkState;
use crate::domain::task::PhaseName;
use crate::domain::task::refusal::Refusal;
use crate::domain::values::party::Party;
use crate::http::AppState;
use crate::http::problem::{Code, Problem, refused};
use crate::http::routes::command_body;
use crate::pages::session::Visitor;

use super::choice::Choice;
use super::consequence::Consequence;
use super::typed::{self, Typed};

/// How many targets of a rejection are tried out.
const MAX_TARGETS: usize = 10;

/// A choice that the person can make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// The choice.
    pub(super) choice: Choice,
    /// What it does: for a choice that names a party or a stage, with the first of them.
    pub(super) consequence: Consequence,
    /// The parties that it can name.
    pub(super) parties: Vec<Party>,
    /// The stages that it can return to, each with what that does.
    pub(super) targets: Vec<(String, Option<Consequence>)>,
}

/// What a person can choose, and why not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    /// The choices.
    pub(super) open: Vec<Offer>,
    /// The choices that are not for this person, with the code of the refusal.
    pub(super) barred: Vec<(Choice, Code)>,
}

impl Offers {
    /// What the visitor can choose on this desk.
    pub(super) async fn find(state: &AppState, visitor: &Visitor, desk: &Desk) -> Result<Self, Problem> {
        let mut offers = Self::default();
        if desk.link != LinkState::Open {
            return Ok(offers);
        }
        let open: Vec<Choice> = Choice::ALL.into_iter().filter(|choice| refusal(desk, *choice).is_none()).collect();
        offers.barred = Choice::ALL.into_iter().filter_map(|choice| barred(desk, choice)).collect();
        if open.is_empty() {
            return Ok(offers);
        }
        let target = state.app.tasks.commands.find_target(&visitor.caller, desk.task.id).await?;
        let trial = Trial { state, visitor, desk, target };
        for choice in open {
            offers.open.extend(trial.offer(choice).await?);
        }
        Ok(offers)
    }

    /// The offer of a choice, if it is open.
    pub(super) fn get(&self, choice: Choice) -> Option<&Offer> {
        self.open.iter().find(|offer| offer.choice == choice)
    }
}

/// Why `why` refuses a choice; none if it is open.
pub(super) fn refusal(desk: &Desk, choice: Choice) -> Option<&Refusal> {
    let ability = desk.why.you.iter().find(|ability| choice.is_of(ability));
    ability.map_or(Some(&Refusal::WrongPhase), |ability| ability.refusal.as_ref())
}

/// A choice that belongs to the phase but not to this person.
fn barred(desk: &Desk, choice: Choice) -> Option<(Choice, Code)> {
    let refusal = refusal(desk, choice)?;
    let belongs = match desk.task.phase {
        PhaseName::InReview => matches!(choice, Choice::Approve | Choice::SendBack | Choice::Escalate),
        PhaseName::Escalated => matches!(choice, Choice::Resolve(_)),
        PhaseName::Preparing
        | PhaseName::OnHold
        | PhaseName::Cancelling
        | PhaseName::Delivery
        | PhaseName::Cancelled
        | PhaseName::Expired
        | PhaseName::Failed => false,
    };
    let (code, _) = refused::explain(refusal);
    // What the link is not for is not said of each choice.
    (belongs && code != Code::KeyScope).then_some((choice, code))
}

/// Commands that are tried out on one state of a task.
struct Trial<'a> {
    state: &'a AppState,
    visitor: &'a Visitor,
    desk: &'a Desk,
    target: CommandTarget,
}

impl Trial<'_> {
    /// The offer of a choice; none if no party can be named.
    async fn offer(&self, choice: Choice) -> Result<Option<Offer>, Problem> {
        let (mut parties, mut targets, mut first) = (Vec::new(), Vec::new(), None);
        if choice.names_a_party() {
            for party in self.parties(choice) {
                if let Some(found) = self.try_out(choice, Some(party), None).await? {
                    first.get_or_insert(found);
                    parties.push(party);
                }
            }
        } else if choice.returns() {
            let keys = &self.desk.workflow.stages[self.desk.task.stage.position - 1].on_reject.return_to;
            for (index, key) in keys.iter().enumerate() {
                let key = key.as_str();
                let found = if index < MAX_TARGETS { self.try_out(choice, None, Some(key)).await? } else { None };
                first = first.or_else(|| found.clone());
                targets.push((key.to_owned(), found));
            }
        } else if choice == Choice::Reviewers {
            // What it does depends on who comes and goes, so there is nothing to try out yet.
            first = Some(Consequence::Staffs);
        } else {
            first = self.try_out(choice, None, None).await?;
        }
        Ok(first.map(|consequence| Offer { choice, consequence, parties, targets }))
    }

    /// The parties that a choice may name, the usual ones of the stage first.
    fn parties(&self, choice: Choice) -> Vec<Party> {
        let stage = &self.desk.workflow.stages[self.desk.task.stage.position - 1];
        let usual = if choice == Choice::Ask { &stage.questions.to } else { &stage.escalation.to };
        let others = Party::ALL.into_iter().filter(|party| !usual.contains(party));
        usual.iter().copied().chain(others).collect()
    }

    /// What a choice would do; none if it is refused.
    async fn try_out(
        &self,
        choice: Choice,
        to: Option<Party>,
        return_to: Option<&str>,
    ) -> Result<Option<Consequence>, Problem> {
        let (app, caller) = (&self.state.app, &self.visitor.caller);
        let target = typed::target(&self.desk.task, seq_of(self.desk, choice));
        let stage = &self.desk.workflow.stages[self.desk.task.stage.position - 1];
        let reason = stage.on_reject.reasons.first().map(|reason| reason.key.as_str());
        let least = Typed::least(to, return_to).with_demands(reason, &self.desk.task.unanswered);
        let mut members = choice.members(&least, &target);
        if let Some(actor) = &self.visitor.actor {
            members.insert("actor".to_owned(), serde_json::json!(actor));
        }
        // Without an id nothing looks for an earlier command, so a trial reads nothing.
        let tried = match command_body::parse(members, caller, None, app.clock().now()) {
            Ok(request) => {
                let request = Request { dry_run: true, ..request };
                let tried = app.tasks.commands.post_event(caller, self.target.clone(), request).await;
                tried.map_err(Problem::from)
            }
            Err(problem) => Err(problem),
        };
        match tried {
            Ok(answer) => Ok(Some(Consequence::of(&answer.events, &self.desk.workflow))),
            Err(problem) if problem.code().status().is_server_error() => Err(problem),
            Err(_) => Ok(None),
        }
    }
}

/// The escalation or question that a choice is about.
pub(super) fn seq_of(desk: &Desk, choice: Choice) -> Option<u64> {
    match choice {
        Choice::Resolve(_) => desk.task.escalation.as_ref().map(|escalation| escalation.seq),
        Choice::Answer | Choice::Withdraw => desk.task.question.as_ref().map(|question| question.seq),
        Choice::Approve
        | Choice::SendBack
        | Choice::Escalate
        | Choice::Ask
        | Choice::HandIn
        | Choice::Inform
        | Choice::Reviewers
        | Choice::Hold
        | Choice::Resume
        | Choice::Cancel
        | Choice::Acknowledge => None,
    }
}
