//! A partner with a workflow, and tasks on it that are moved by the real `decide`.

use chrono::TimeDelta;
use serde_json::{Value, json};
use stagegate::domain::absence::Moment;
use stagegate::domain::partner::event::{Author, PartnerFact, record, register};
use stagegate::domain::task::TagSecret;
use stagegate::domain::task::command::{Action, Command, Meta, StageApproved, StageEscalated, WorkSubmitted};
use stagegate::domain::task::decide::{Input, Opening, Transition, decide, open};
use stagegate::domain::task::event::WorkflowRef;
use stagegate::domain::task::snapshot::Snapshot;
use stagegate::domain::values::id::{ActorId, BuyerId, CommandId, CredentialId, PartnerId, TaskId, WorkflowKey};
use stagegate::domain::values::party::{Actor, Party, Sender, Source};
use stagegate::domain::values::text::{Name, Prose};
use stagegate::domain::values::time::Time;
use stagegate::domain::workflow::Workflow;
use stagegate::ids;
use stagegate::store::audit::partner_events::{self, Append};
use stagegate::store::partners::{self, Partner};
use stagegate::store::tasks::transitions::{self, Open, Outcome, Prepared, Save};
use stagegate::store::tasks::{self, Record};
use stagegate::store::{Writer, workflows};

use crate::harness::database::TestDb;

/// The workflow's key.
pub const KEY: &str = "campaign";

pub struct World {
    pub db: TestDb,
    pub writer: Writer,
    pub partner: PartnerId,
    pub buyer: BuyerId,
    pub workflow: Workflow,
}

/// One stage that can end in every way there is.
pub fn definition() -> Value {
    json!({
        "name": "Campaign",
        "stages": [{
            "key": "copy", "name": "Copy review", "buyer_label": "Copy is being reviewed", "submission": "required",
            "escalation": {"to": ["platform", "buyer"], "respond_within": "PT24H"},
            "deadline": {"within": "PT48H", "remind_before": ["PT8H"], "on_timeout": {"action": "fail"}},
            "cancellation": {"in_flight": "let_finish", "grace": "PT2H"}
        }],
        "deadline": {"within": "P14D"}
    })
}

/// So many minutes after the beginning of the tests' time.
pub fn minute(minutes: i64) -> Time {
    Time::from_micros(1_800_000_000_000_000) + TimeDelta::minutes(minutes)
}

pub fn key(key: &str) -> WorkflowKey {
    WorkflowKey::parse(key).unwrap()
}

pub fn parse(definition: &Value) -> Workflow {
    Workflow::parse(definition).unwrap().workflow
}

impl World {
    pub async fn new() -> Self {
        let db = TestDb::new().await;
        let workflow = parse(&definition());
        let writer = Writer::beside(&db.pool);
        let world = Self { db, writer, partner: PartnerId(ids::new()), buyer: BuyerId(ids::new()), workflow };
        world.add_partner(world.partner).await;
        assert_eq!(world.register(world.partner, KEY, &world.workflow, 0).await, (1, true));
        world
    }

    pub async fn add_partner(&self, id: PartnerId) {
        let partner = Partner { id, name: Name::parse("Writers").unwrap(), created_at: minute(0) };
        let events = record(None, &platform(), vec![PartnerFact::Created {}], minute(0));
        partners::insert(&self.db.pool, &partner, &Append::new(id, None, &events, ids::random)).await.unwrap();
    }

    /// Registers a definition in the given minute: the version, and whether something was written.
    pub async fn register(&self, partner: PartnerId, name: &str, workflow: &Workflow, minutes: i64) -> (u32, bool) {
        let (pool, key) = (&self.db.pool, key(name));
        let workflows::Registry { known, workflows, end } =
            workflows::find_registered(pool, partner, &key).await.unwrap().unwrap();
        let (version, facts) = register(known, workflows, &key, workflow.digest()).unwrap();
        if facts.is_empty() {
            return (version, false);
        }
        let events = record(Some(end.latest), &platform(), facts, minute(minutes));
        let append = Append::new(partner, Some(&end), &events, ids::random);
        assert!(workflows::save(pool, (&key, version), workflow, &append).await.unwrap());
        (version, true)
    }

    /// Retires a workflow in the given minute.
    pub async fn retire(&self, name: &str, minutes: i64) {
        let end = partner_events::find_end(&self.db.pool, self.partner).await.unwrap().unwrap();
        let fact = PartnerFact::WorkflowRetired { key: key(name) };
        let events = record(Some(end.latest), &platform(), vec![fact], minute(minutes));
        let append = Append::new(self.partner, Some(&end), &events, ids::random);
        assert!(workflows::retire(&self.db.pool, &key(name), &append).await.unwrap());
    }

    /// Opens a task in the given minute.
    pub async fn open(&self, minutes: i64) -> TaskId {
        let task_id = TaskId(ids::new());
        assert!(matches!(self.try_open(task_id, minutes).await, Outcome::Saved(_)));
        task_id
    }

    pub async fn try_open(&self, task_id: TaskId, minutes: i64) -> Outcome {
        let sender = Sender {
            party: Party::Platform,
            actor: None,
            credential_id: CredentialId::parse("platform").unwrap(),
            bound: false,
            admitted: true,
        };
        let opening = Opening {
            task_id,
            sender,
            workflow: WorkflowRef { key: key(KEY), version: 1 },
            definition: self.workflow.digest(),
            title: Name::parse("A title").unwrap(),
            metadata: json!({"b": 1, "a": ["ä", 2]}).as_object().cloned(),
            deadline_at: None,
            tag_secret: TagSecret::from_random([9; 16]),
        };
        let transition = open(&self.workflow, opening, Moment::without_absences(minute(minutes))).unwrap();
        let (partner_id, buyer_id) = (self.partner, self.buyer);
        let opened = Open {
            transition: &transition,
            partner_id,
            buyer_id,
            absences_version: 0,
            digest: [7; 32],
            seed: ids::random,
            traceparent: None,
        };
        transitions::insert_opened(&self.db.pool, &opened).await.unwrap()
    }

    pub async fn load(&self, task_id: TaskId) -> Record {
        tasks::find(&self.db.pool, task_id).await.unwrap().unwrap()
    }

    /// Decides on what is stored; writes nothing.
    pub fn decide<'a>(&self, snapshot: &Snapshot, input: impl Into<Input<'a>>, minutes: i64) -> Transition {
        decide(&self.workflow, snapshot, input.into(), Moment::without_absences(minute(minutes))).unwrap()
    }

    pub async fn save(&self, record: &Record, transition: &Transition) -> Outcome {
        let digest = Some([9; 32]);
        let (head, absences_version) = (record.head, record.absences_version);
        let save =
            Save { transition, head, absences_version, command_digest: digest, seed: ids::random, traceparent: None };
        self.writer.write(Prepared::new(&save)).await.unwrap()
    }

    /// Moves a task on; the transition that was written.
    pub async fn play<'a>(&self, task_id: TaskId, input: impl Into<Input<'a>>, minutes: i64) -> Transition {
        let record = self.load(task_id).await;
        let transition = self.decide(&record.snapshot, input, minutes);
        assert!(matches!(self.save(&record, &transition).await, Outcome::Saved(_)));
        transition
    }
}

/// The platform, as a partner's trail names it.
pub fn platform() -> Author {
    Author { party: Source::Platform, credential_id: CredentialId::parse("platform").ok() }
}

/// A command of the only stage's first round on the first revision.
pub fn command(party: Party, actor: &str, action: Action) -> Command {
    let actor = Actor { id: ActorId::parse(actor).unwrap(), name: Name::parse("Anna K.").ok(), role: None };
    let credential_id = CredentialId::parse("a-key").unwrap();
    let meta = Meta {
        id: Some(CommandId(ids::new())),
        note: Prose::parse("for our own people").ok(),
        stage: Some("copy".to_owned().try_into().unwrap()),
        round: Some(1),
        revision: Some(1),
        ..Meta::new(Sender { party, actor: Some(actor), credential_id, bound: false, admitted: true })
    };
    Command::new(meta, action).unwrap()
}

/// The same command under another id.
pub fn with_id(command: &Command, id: CommandId) -> Command {
    let meta = Meta { id: Some(id), ..command.meta().clone() };
    Command::new(meta, command.action().clone()).unwrap()
}

pub fn submit() -> Command {
    let summary = Prose::parse("The work, \"quoted\", \u{1f600}").ok();
    let submit = command(
        Party::Partner,
        "u-writer",
        Action::WorkSubmitted(WorkSubmitted { summary, artifacts: vec![], answers: vec![] }),
    );
    let meta = Meta { revision: None, ..submit.meta().clone() };
    Command::new(meta, submit.action().clone()).unwrap()
}

pub fn approve(actor: &str) -> Command {
    command(Party::Partner, actor, Action::StageApproved(StageApproved::default()))
}

pub fn escalate() -> Command {
    let reason = Prose::parse("Who decides?").unwrap();
    command(Party::Partner, "u-anna", Action::StageEscalated(StageEscalated { to: Party::Buyer, reason }))
}
