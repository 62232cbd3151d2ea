//! A task of the example workflow that is played by the rules of the domain, and the deliveries about
//! it as a partner's endpoint gets them.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::Clock;
use crate::domain::absence::Moment;
use crate::domain::audit::{Hash, Origin, Subject as _, seal};
use crate::domain::feed::RenderedEvent;
use crate::domain::task::TagSecret;
use crate::domain::task::command::{
    Action, CancellationAcknowledged, CancellationRequested, Command, Meta, StageApproved, WorkSubmitted,
};
use crate::domain::task::decide::{Input, Opening, Transition, decide, open};
use crate::domain::task::event::{InFlight, WorkflowRef};
use crate::domain::task::forecast::{Forecast, StatusView, Timeline};
use crate::domain::task::snapshot::Snapshot;
use crate::domain::values::id::{ActorId, BuyerId, CommandId, CredentialId, PartnerId, TaskId, WorkflowKey};
use crate::domain::values::party::{Actor, Party, Sender};
use crate::domain::values::text::{Message, Name, Prose};
use crate::domain::workflow::{EXAMPLE, Workflow};
use crate::ids;

/// A delivery about one event.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    /// The event's id.
    pub(super) id: Uuid,
    /// The body.
    pub(super) body: Vec<u8>,
}

/// A task.
pub(super) struct Tale {
    workflow: Workflow,
    origin: Origin,
    snapshot: Snapshot,
    head: Hash,
    deliveries: Vec<Delivery>,
}

impl Tale {
    /// Opens a task. Its first events are recorded.
    pub(super) fn begin() -> Self {
        let definition = serde_json::from_str(EXAMPLE).expect("the example is JSON");
        let workflow = Workflow::parse(&definition).expect("the example is sound").workflow;
        let [task, partner, buyer] = [ids::new(), ids::new(), ids::new()];
        let origin = Origin { task_id: TaskId(task), partner_id: PartnerId(partner), buyer_id: BuyerId(buyer) };
        let opening = Opening {
            task_id: origin.task_id,
            sender: sender(Party::Platform, "ops-olga"),
            workflow: WorkflowRef { key: WorkflowKey::parse("brand-campaign").expect("a sound key"), version: 1 },
            definition: workflow.digest(),
            title: Name::parse("Autumn campaign").expect("a short text"),
            metadata: None,
            deadline_at: None,
            tag_secret: TagSecret::from_random(ids::random()),
        };
        let opened =
            open(&workflow, opening, Moment::without_absences(Clock::system().now())).expect("the opening is sound");
        let (snapshot, head) = (opened.snapshot().clone(), origin.hash());
        let mut tale = Self { workflow, origin, snapshot, head, deliveries: Vec::new() };
        tale.record(opened);
        tale
    }

    /// Dora submits work.
    pub(super) fn submit(mut self) -> Self {
        let summary = Some(Prose::parse("First draft of the copy.").expect("a short text"));
        let work = WorkSubmitted { summary, artifacts: Vec::new(), answers: Vec::new() };
        self.play((Party::Partner, "u-dora"), Action::WorkSubmitted(work));
        self
    }

    /// Eli approves the stage.
    pub(super) fn approve(mut self) -> Self {
        self.play((Party::Partner, "u-eli"), Action::StageApproved(StageApproved::default()));
        self
    }

    /// The platform cancels the task, and the partner winds it down.
    pub(super) fn cancel(mut self) -> Self {
        let reason = Message::parse("The campaign is called off.").expect("a short text");
        let request = CancellationRequested { reason, immediate: false };
        self.play((Party::Platform, "ops-olga"), Action::CancellationRequested(request));
        let what = CancellationAcknowledged { in_flight: InFlight::Discarded, notes: None, artifacts: Vec::new() };
        self.play((Party::Partner, "u-dora"), Action::CancellationAcknowledged(what));
        self
    }

    /// The deliveries so far, in order.
    pub(super) fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    fn play(&mut self, (party, actor): (Party, &str), action: Action) {
        let task = &self.snapshot.task;
        let meta = Meta {
            id: Some(CommandId(ids::new())),
            stage: Some(task.stage_in(&self.workflow).key.clone()),
            round: Some(task.round()),
            revision: Some(task.revision()),
            ..Meta::new(sender(party, actor))
        };
        let command = Command::new(meta, action).expect("the command is sound");
        let decided = decide(
            &self.workflow,
            &self.snapshot,
            Input::Party(&command),
            Moment::without_absences(Clock::system().now()),
        );
        self.record(decided.expect("the command is allowed here"));
    }

    /// Seals the events of a transition and renders each for the partner.
    fn record(&mut self, transition: Transition) {
        let (events, snapshot) = transition.into_parts();
        for event in &events {
            let sealed = seal(&self.head, self.origin.task_id, event, ids::random());
            self.head = sealed.hash;
            let forecast = Forecast::new(&Timeline::of(&snapshot.task), event.recorded_at, None);
            let status = StatusView { status: snapshot.status.clone(), pace: forecast };
            let of = (self.origin.task_id, self.origin.partner_id);
            let rendered = RenderedEvent::new(of, (event, &sealed), status, Party::Partner);
            let body = serde_json::to_vec(&rendered).expect("an event is plain JSON");
            self.deliveries.push(Delivery { id: rendered.id.0, body });
        }
        self.snapshot = snapshot;
    }
}

impl Delivery {
    /// An event of a type that a later version may add, with a member that it may add.
    pub(super) fn of_a_later_version(&self) -> Self {
        let mut body: Value = serde_json::from_slice(&self.body).expect("an event is plain JSON");
        let (id, kind) = (ids::new(), json!("task.announced_later"));
        (body["id"], body["type"], body["event"]["type"]) = (json!(id), kind.clone(), kind);
        body["event"]["announced"] = json!({ "by": "a later version" });
        Self { id, body: body.to_string().into_bytes() }
    }
}

fn sender(party: Party, actor: &str) -> Sender {
    Sender {
        party,
        actor: Some(Actor::from(ActorId::parse(actor).expect("a short plain text"))),
        credential_id: CredentialId::parse("dev").expect("a short word"),
        bound: false,
        admitted: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tale_is_about_one_task_and_numbered_without_gaps() {
        let tale = Tale::begin().submit().approve().cancel();
        let bodies: Vec<Value> =
            tale.deliveries().iter().map(|delivery| serde_json::from_slice(&delivery.body).unwrap()).collect();
        let seqs: Vec<_> = bodies.iter().map(|body| body["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
        let types: Vec<_> = bodies.iter().map(|body| body["type"].as_str().unwrap()).collect();
        for kind in ["task.opened", "task.work_submitted", "task.stage_approved", "task.cancellation_requested"] {
            assert!(types.contains(&kind), "{types:?}");
        }
        assert_eq!(bodies.last().unwrap()["status"]["phase"], "cancelled");
        let later: Value = serde_json::from_slice(&tale.deliveries()[0].of_a_later_version().body).unwrap();
        assert_eq!((&later["type"], &later["task_id"]), (&json!("task.announced_later"), &bodies[0]["task_id"]));
    }
}
