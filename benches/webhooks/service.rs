//! The service as production runs it, except that it may send webhooks to this machine: a process
//! of its own, and partners with endpoints.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use stagegate::ids;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::client::{Connection, message};
use crate::receiver::Receiver;
use crate::{Failure, Options};

/// The endpoints of one partner, which is the limit.
const EACH: usize = 20;

/// A running service.
#[derive(Debug)]
pub struct Service {
    child: Child,
    /// The address that it listens on.
    pub address: String,
    /// A platform key.
    pub platform_key: String,
}

/// A partner with a workflow and endpoints.
#[derive(Debug)]
pub struct Partner {
    /// Its id.
    pub id: String,
    /// A key of the partner.
    pub key: String,
    /// How many of its endpoints work.
    pub live: usize,
}

impl Service {
    /// Starts the service on this database.
    pub async fn start(database_url: &str, options: &Options) -> Result<Self, Failure> {
        let platform_key = hex::encode(ids::random::<24>());
        let mut child = Command::new(&options.program)
            .args(["serve", "--listen", "127.0.0.1:0", "--webhook-allow-private", "true"])
            .env("DATABASE_URL", database_url)
            .env("STAGEGATE_PLATFORM_KEYS", &platform_key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(if options.log { Stdio::inherit() } else { Stdio::null() })
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("its output is read here")?).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, address)) = line.split_once("listens on http://") {
                return Ok(Self { child, address: address.to_owned(), platform_key });
            }
        }
        Err("the service did not start; --log shows why".into())
    }

    /// Creates partners with all endpoints, the dead ones spread evenly.
    pub async fn prepare(&self, options: &Options, receiver: &Receiver) -> Result<Vec<Partner>, Failure> {
        let (mut partners, mut connection) = (Vec::new(), Connection::open(&self.address).await?);
        for first in (0..options.endpoints).step_by(EACH) {
            let mut partner = self.partner(&mut connection).await?;
            for endpoint in first..options.endpoints.min(first + EACH) {
                // This many of a hundred.
                let dead = usize::from(options.dead);
                let is_live = endpoint * dead % 100 >= dead;
                let url = if is_live { receiver.live(endpoint) } else { receiver.dead(endpoint * dead / 100) };
                partner.live += usize::from(is_live);
                let path = format!("/api/v1/webhooks/e-{endpoint}");
                call(&mut connection, "PUT", &path, &partner.key, &json!({ "url": url })).await?;
            }
            partners.push(partner);
        }
        Ok(partners)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs until it is stopped")
    }

    /// Reads a value of its memory from `/proc`, in KiB.
    pub fn memory(&self, what: &str) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what)).ok_or_else(|| format!("no {what}"))?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Stops the service and waits until it has ended.
    pub async fn stop(mut self) -> Result<(), Failure> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).ok_or("no process")?;
        kill_process(pid, Signal::TERM)?;
        self.child.wait().await?;
        Ok(())
    }

    async fn partner(&self, connection: &mut Connection) -> Result<Partner, Failure> {
        let platform = &self.platform_key;
        let partner = call(connection, "POST", "/api/v1/partners", platform, &json!({ "name": "Partner" })).await?;
        let id = partner["id"].as_str().ok_or("no id")?.to_owned();
        let key = call(connection, "POST", &format!("/api/v1/partners/{id}/keys"), platform, &Value::Null).await?;
        let key = key["key"].as_str().ok_or("no key")?.to_owned();
        let stage = |number: u8| {
            json!({ "key": format!("stage-{number}"), "name": format!("Stage {number}"), "buyer_label": format!("In stage {number}"),
                "quorum": { "approvals": 3, "rejections": 1 }, "self_approval": true })
        };
        let workflow = json!({ "name": "Measured", "stages": [stage(1), stage(2), stage(3)] });
        call(connection, "PUT", "/api/v1/workflows/measured", &key, &workflow).await?;
        Ok(Partner { id, key, live: 0 })
    }
}

async fn call(
    connection: &mut Connection,
    method: &str,
    path: &str,
    credential: &str,
    body: &Value,
) -> Result<Value, Failure> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = connection.send(&message(method, path, credential, &body)).await?;
    answer.expect(201)?;
    Ok(serde_json::from_slice(answer.body)?)
}
