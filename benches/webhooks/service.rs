//! The service as production runs it, except that it may send webhooks to this machine: a process
//! of its own, and partners with endpoints.

use serde_json::{Value, json};
use stagegate::ids;

use crate::Options;
use crate::receiver::Receiver;
use crate::shared::Failure;
use crate::shared::connection::{Connection, text};
use crate::shared::process::{self, Process};

/// The endpoints of one partner, which is the limit.
const EACH: usize = 20;

/// A running service.
#[derive(Debug)]
pub struct Service {
    /// Its process.
    pub process: Process,
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
        let mut command = process::command(&options.program, database_url, &platform_key);
        command.args(["--webhook-allow-private", "true"]);
        Ok(Self { process: Process::start(command).await?, platform_key })
    }

    /// Creates partners with all endpoints, the dead ones spread evenly.
    pub async fn prepare(&self, options: &Options, receiver: &Receiver) -> Result<Vec<Partner>, Failure> {
        let (mut partners, mut connection) = (Vec::new(), Connection::open(&self.process.address).await?);
        for first in (0..options.endpoints).step_by(EACH) {
            let mut partner = self.partner(&mut connection).await?;
            for endpoint in first..options.endpoints.min(first + EACH) {
                // This many of a hundred.
                let dead = usize::from(options.dead);
                let is_live = endpoint * dead % 100 >= dead;
                let url = if is_live { receiver.live(endpoint) } else { receiver.dead(endpoint * dead / 100) };
                partner.live += usize::from(is_live);
                let path = format!("/api/v1/webhooks/e-{endpoint}");
                connection.call("PUT", &path, &partner.key, &json!({ "url": url })).await?;
            }
            partners.push(partner);
        }
        Ok(partners)
    }

    async fn partner(&self, connection: &mut Connection) -> Result<Partner, Failure> {
        let platform = &self.platform_key;
        let partner = connection.call("POST", "/api/v1/partners", platform, &json!({ "name": "Partner" })).await?;
        let id = text(&partner, "id")?;
        let key = connection.call("POST", &format!("/api/v1/partners/{id}/keys"), platform, &Value::Null).await?;
        let key = text(&key, "key")?;
        let stage = |number: u8| {
            json!({ "key": format!("stage-{number}"), "name": format!("Stage {number}"), "buyer_label": format!("In stage {number}"),
                "quorum": { "approvals": 3, "rejections": 1 }, "self_approval": true })
        };
        let workflow = json!({ "name": "Measured", "stages": [stage(1), stage(2), stage(3)] });
        connection.call("PUT", "/api/v1/workflows/measured", &key, &workflow).await?;
        Ok(Partner { id, key, live: 0 })
    }
}
