//! The service as production runs it: a process of its own with default settings.

use std::sync::Arc;

use serde_json::{Value, json};
use stagegate::ids;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::Options;
use crate::client::{Clients, Kind, STAGES};
use crate::shared::Failure;
use crate::shared::connection::{Connection, message, text};
use crate::shared::pages::{Makers, Pages};
use crate::shared::process::{self, Process};

/// The tasks that each client has when a turn of votes begins.
const TASKS_FOR_VOTES: usize = 20;

/// The number of clients for which tasks are opened at a time.
const OPENING: usize = 32;

/// The tasks of a turn must be enough for this many decisions a second.
const FASTEST: usize = 12_000;

/// A running service with a partner and two workflows.
#[derive(Debug)]
pub struct Service {
    /// Its process.
    pub process: Process,
    /// A platform key.
    pub platform_key: String,
    /// The partner.
    pub partner_id: String,
    partner_key: String,
    tasks_to_advance: usize,
    clients: usize,
}

impl Service {
    /// Starts the service on this database and registers what the clients need.
    pub async fn start(database_url: &str, options: &Options) -> Result<Self, Failure> {
        let platform_key = hex::encode(ids::random::<24>());
        let mut command = process::command(&options.program, database_url, &platform_key);
        command.args(["--metrics-listen", "127.0.0.1:0"]);
        if let Some(size) = options.pool_size {
            command.args(["--pool-size", &size.to_string()]);
        }
        let seconds = usize::try_from(options.seconds)?;
        let mut service = Self {
            process: Process::start(command).await?,
            platform_key,
            partner_id: String::new(),
            partner_key: String::new(),
            clients: options.clients,
            tasks_to_advance: (FASTEST * seconds).div_ceil(options.clients * Kind::Advance.per_task()),
        };
        service.prepare().await?;
        Ok(service)
    }

    /// Creates clients without tasks.
    pub fn clients(&self, kind: Kind, count: usize) -> Clients {
        Clients::new(&self.process.address, &self.partner_key, kind, count)
    }

    /// Opens pages about the tasks of these clients.
    #[allow(dead_code, reason = "the benchmark of timers, which shares this file, opens none")]
    pub async fn pages(&self, clients: &Clients, count: usize) -> Result<Pages, Failure> {
        let makers = Makers { platform: self.platform_key.clone(), partner: self.partner_key.clone() };
        Pages::open(&self.process.address, &makers, &clients.tasks(), count).await
    }

    /// Opens as many tasks as the clients may need in a turn.
    pub async fn top_up(&self, clients: &mut Clients) -> Result<(), Failure> {
        let wanted = match clients.kind {
            // More clients share the same number of tasks.
            Kind::Vote => (TASKS_FOR_VOTES * self.clients).div_ceil(clients.count()),
            Kind::Advance => self.tasks_to_advance,
        };
        self.open_tasks(clients, wanted).await
    }

    /// Opens tasks until each client has as many as `wanted`.
    pub async fn open_tasks(&self, clients: &mut Clients, wanted: usize) -> Result<(), Failure> {
        let lacking = clients.lacking(wanted);
        // Few at a time, also for many clients: opening is not what is measured.
        let few = Arc::new(Semaphore::new(OPENING));
        let mut opening = tokio::task::JoinSet::new();
        for (client, count) in lacking.into_iter().enumerate() {
            let (address, key) = (self.process.address.clone(), self.platform_key.clone());
            let bodies: Vec<(Uuid, String)> = (0..count).map(|_| self.task(clients.kind)).collect();
            let few = Arc::clone(&few);
            opening.spawn(async move {
                let _turn = few.acquire().await?;
                let mut connection = Connection::open(&address).await?;
                let mut opened = Vec::with_capacity(bodies.len());
                for (task, body) in bodies {
                    connection.send(&message("POST", "/api/v1/tasks", &key, &body)).await?.expect(201)?;
                    opened.push((client, task));
                }
                Ok::<_, Failure>(opened)
            });
        }
        while let Some(opened) = opening.join_next().await {
            for (client, task) in opened?? {
                clients.give(client, task);
            }
        }
        Ok(())
    }

    fn task(&self, kind: Kind) -> (Uuid, String) {
        let task = ids::new();
        let body = json!({
            "id": task, "partner_id": self.partner_id, "buyer_id": ids::new(), "workflow": { "key": workflow(kind) },
            "title": "Spring campaign", "metadata": { "order": "A-1024" },
        });
        (task, body.to_string())
    }

    async fn prepare(&mut self) -> Result<(), Failure> {
        let mut connection = Connection::open(&self.process.address).await?;
        let platform = self.platform_key.clone();
        let partner = connection.call("POST", "/api/v1/partners", &platform, &json!({ "name": "Partner" })).await?;
        self.partner_id = text(&partner, "id")?;
        let path = format!("/api/v1/partners/{}/keys", self.partner_id);
        self.partner_key = text(&connection.call("POST", &path, &platform, &Value::Null).await?, "key")?;
        for kind in Kind::ALL {
            let path = format!("/api/v1/workflows/{}", workflow(kind));
            connection.call("PUT", &path, &self.partner_key, &definition(kind)).await?;
        }
        Ok(())
    }
}

fn workflow(kind: Kind) -> &'static str {
    match kind {
        Kind::Vote => "votes",
        Kind::Advance => "stages",
    }
}

fn definition(kind: Kind) -> Value {
    let (stages, approvals) = match kind {
        Kind::Vote => (3, 3),
        Kind::Advance => (STAGES, 1),
    };
    let stage = |number: usize| {
        json!({
            "key": format!("stage-{number}"), "name": format!("Stage {number}"), "buyer_label": format!("In stage {number}"),
            "reviewer": "partner", "quorum": { "approvals": approvals, "rejections": 1 }, "self_approval": true,
            "deadline": { "within": "PT48H", "remind_before": ["PT8H"], "on_timeout": { "action": "escalate", "to": "platform" } },
        })
    };
    json!({ "name": "Measured", "stages": (1..=stages).map(stage).collect::<Vec<_>>() })
}
