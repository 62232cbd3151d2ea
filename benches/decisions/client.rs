//! The clients: plain sockets and prepared requests, so that the benchmark measures the service and
//! not its callers.

use std::time::{Duration, Instant};

use stagegate::ids;
use uuid::Uuid;

use crate::shared::Failure;
use crate::shared::connection::{Connection, message};

/// The `Retry-After` of a refusal under load.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The stages of the workflow in which every vote decides.
pub const STAGES: usize = 10;

/// The kind of decision that a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// An approval short of the quorum: one row of the trail.
    Vote,
    /// An approval that moves the task on to the next stage: three rows of the trail.
    Advance,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Vote, Self::Advance];

    /// How many of these one task can take. A vote can be replaced without limit.
    pub fn per_task(self) -> usize {
        match self {
            Self::Vote => usize::MAX,
            Self::Advance => STAGES - 1,
        }
    }
}

/// A task and the number of its decisions.
#[derive(Debug)]
struct Target {
    task: Uuid,
    decided: usize,
}

/// One client and its own tasks.
#[derive(Debug, Default)]
struct Client {
    /// Tasks with decisions left, used in turn.
    tasks: std::collections::VecDeque<Target>,
    /// How many of a hundred commands are sent twice.
    repeated: u8,
    /// Hundredths of a command that are due to be sent twice.
    owed: u8,
}

/// The result of all clients in a turn.
#[derive(Debug)]
pub struct Load {
    /// From the first request to the last answer.
    pub took: Duration,
    /// The latency of each decision, sorted.
    pub latencies: Vec<Duration>,
    /// The latency of each refusal, sorted.
    pub refusals: Vec<Duration>,
}

/// All clients of one kind.
#[derive(Debug)]
pub struct Clients {
    /// The kind of decision that they send.
    pub kind: Kind,
    address: String,
    key: String,
    all: Vec<Client>,
    last: Option<Uuid>,
}

impl Clients {
    /// Creates `count` clients without tasks. All use the partner's key.
    pub fn new(address: &str, key: &str, kind: Kind, count: usize) -> Self {
        let all = (0..count).map(|_| Client::default()).collect();
        Self { kind, address: address.to_owned(), key: key.to_owned(), all, last: None }
    }

    /// Makes the clients send this many of a hundred commands twice.
    pub fn repeating(mut self, percent: u8) -> Self {
        self.all.iter_mut().for_each(|client| client.repeated = percent);
        self
    }

    /// The number of clients.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The tasks that all clients have.
    pub fn tasks(&self) -> Vec<Uuid> {
        self.all.iter().flat_map(|client| client.tasks.iter().map(|target| target.task)).collect()
    }

    /// How many tasks each client lacks of `wanted`. Tasks in use have fewer decisions left and
    /// count less.
    pub fn lacking(&self, wanted: usize) -> Vec<usize> {
        let all = self.kind.per_task();
        let used = |client: &Client| client.tasks.iter().map(|target| target.decided).sum::<usize>().div_ceil(all);
        self.all.iter().map(|client| (wanted + used(client)).saturating_sub(client.tasks.len())).collect()
    }

    /// Gives a client another task.
    pub fn give(&mut self, client: usize, task: Uuid) {
        self.all[client].tasks.push_back(Target { task, decided: 0 });
    }

    /// Sends one decision after the other with this pause, over a connection that stays open, without end.
    #[allow(dead_code, reason = "the benchmark of timers, which shares this file, has no pages")]
    pub async fn decide_slowly(mut self, pause: Duration) -> Result<(), Failure> {
        let mut connection = Connection::open(&self.address).await?;
        let mut client = self.all.pop().ok_or("a client is needed")?;
        let mut ticks = tokio::time::interval(pause);
        loop {
            ticks.tick().await;
            let Some(mut target) = client.tasks.pop_front() else { return Err("a client ran out of tasks".into()) };
            connection.send(&request(self.kind, &self.key, &target)).await?.expect(201)?;
            target.decided += 1;
            client.tasks.push_back(target);
        }
    }

    /// A task whose last event is a decision.
    pub fn decided_task(&self) -> Uuid {
        self.last.expect("a turn has at least one decision")
    }

    /// Lets all clients send decisions for this long, over connections of this turn, since the
    /// service closes connections that are idle for long.
    pub async fn decide(&mut self, length: Duration) -> Result<Load, Failure> {
        let mut connections = Vec::with_capacity(self.all.len());
        for _ in 0..self.all.len() {
            connections.push(Connection::open(&self.address).await?);
        }
        let begun = Instant::now();
        let mut running = tokio::task::JoinSet::new();
        for (client, connection) in self.all.drain(..).zip(connections) {
            let (kind, key) = (self.kind, self.key.clone());
            running.spawn(async move { client.decide((kind, &key), connection, begun + length).await });
        }
        let (mut latencies, mut refusals) = (Vec::new(), Vec::new());
        while let Some(done) = running.join_next().await {
            let (client, last, own) = done??;
            self.all.push(client);
            self.last = last.or(self.last);
            latencies.extend(own.latencies);
            refusals.extend(own.refusals);
        }
        let took = begun.elapsed();
        latencies.sort_unstable();
        refusals.sort_unstable();
        Ok(Load { took, latencies, refusals })
    }
}

/// The result of one client in a turn.
#[derive(Debug, Default)]
struct Own {
    latencies: Vec<Duration>,
    refusals: Vec<Duration>,
}

impl Client {
    /// Sends the next decision when the last is answered. After a refusal for load it waits as long
    /// as `Retry-After` says, as the real callers do.
    async fn decide(
        mut self,
        (kind, key): (Kind, &str),
        mut connection: Connection,
        until: Instant,
    ) -> Result<(Self, Option<Uuid>, Own), Failure> {
        let (mut last, mut own) = (None, Own::default());
        while Instant::now() < until {
            let Some(mut target) = self.tasks.pop_front() else { return Err("a client ran out of tasks".into()) };
            let request = request(kind, key, &target);
            let sent = Instant::now();
            let answer = connection.send(&request).await?;
            if answer.status == 503 {
                own.refusals.push(sent.elapsed());
                self.tasks.push_front(target);
                tokio::time::sleep_until((Instant::now() + RETRY_AFTER).min(until).into()).await;
                continue;
            }
            own.latencies.push(sent.elapsed());
            answer.expect(201)?;
            if self.repeats() {
                let sent = Instant::now();
                connection.send(&request).await?.expect(200)?;
                own.latencies.push(sent.elapsed());
            }
            target.decided += 1;
            last = Some(target.task);
            if target.decided < kind.per_task() {
                self.tasks.push_back(target);
            }
        }
        Ok((self, last, own))
    }

    /// Whether the command that was just answered is sent again.
    fn repeats(&mut self) -> bool {
        self.owed += self.repeated;
        let repeats = self.owed >= 100;
        self.owed %= 100;
        repeats
    }
}

fn request(kind: Kind, key: &str, target: &Target) -> String {
    let (stage, reviewer) = match kind {
        Kind::Vote => (1, target.decided % 2),
        Kind::Advance => (target.decided + 1, 0),
    };
    let body = format!(
        r#"{{"id":"{}","type":"stage_approved","stage":"stage-{stage}","round":1,"revision":0,"actor":{{"id":"u-{reviewer}","name":"Anna K.","role":"counsel"}},"note":"Read twice."}}"#,
        ids::new()
    );
    message("POST", &format!("/api/v1/tasks/{}/events", target.task), key, &body)
}
