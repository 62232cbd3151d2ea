//! The service as production runs it: a process of its own with default settings, and a task to
//! copy.

use serde_json::{Value, json};
use stagegate::ids;
use uuid::Uuid;

use crate::shared::Failure;
use crate::shared::connection::{Connection, text};
use crate::shared::pages::{Makers, Pages};
use crate::shared::process::{self, Process};
use crate::{By, Options};

/// Open pages on each task.
const PAGES_EACH: usize = 32;

/// A running service with a partner, a buyer and a task of theirs.
#[derive(Debug)]
pub struct Service {
    /// Its process.
    pub process: Process,
    /// The task.
    pub template: Uuid,
    /// The version of its status.
    pub version: u64,
    platform_key: String,
    partner: String,
    partner_key: String,
    buyer_token: String,
}

impl Service {
    /// Starts the service on this database and opens the task.
    pub async fn start(database_url: &str, options: &Options) -> Result<Self, Failure> {
        let (platform, secret) = (hex::encode(ids::random::<24>()), hex::encode(ids::random::<24>()));
        let mut command = process::command(&options.program, database_url, &platform);
        command.env("STAGEGATE_BUYER_JWT_SECRET", &secret);
        let buyer = ids::new();
        let mut service = Self {
            process: Process::start(command).await?,
            template: ids::new(),
            version: 0,
            platform_key: platform.clone(),
            partner: String::new(),
            partner_key: String::new(),
            buyer_token: token(buyer, &secret)?,
        };
        service.prepare(&platform, buyer).await?;
        Ok(service)
    }

    /// Opens pages about tasks of the partner that have buyers of their own, since one buyer may not wait on so many.
    pub async fn pages(&self, count: usize) -> Result<Pages, Failure> {
        let mut connection = Connection::open(&self.process.address).await?;
        let mut tasks = Vec::new();
        for _ in 0..count.div_ceil(PAGES_EACH) {
            let task = ids::new();
            let opening = self.opening(task, ids::new());
            connection.call("POST", "/api/v1/tasks", &self.platform_key, &opening).await?;
            tasks.push(task);
        }
        let makers = Makers { platform: self.platform_key.clone(), partner: self.partner_key.clone() };
        Pages::open(&self.process.address, &makers, &tasks, count).await
    }

    fn opening(&self, task: Uuid, buyer: Uuid) -> Value {
        json!({ "id": task, "partner_id": self.partner, "buyer_id": buyer, "workflow": { "key": "measured" },
            "title": "Spring campaign", "metadata": { "order": "A-1024" } })
    }

    /// The credential of a caller of this kind.
    pub fn credential(&self, by: By) -> &str {
        match by {
            By::Partner => &self.partner_key,
            By::Buyer => &self.buyer_token,
        }
    }

    /// Creates a partner with a workflow of five stages, like those of real partners, and a task in
    /// the third.
    async fn prepare(&mut self, platform: &str, buyer: Uuid) -> Result<(), Failure> {
        let mut connection = Connection::open(&self.process.address).await?;
        let partner = connection.call("POST", "/api/v1/partners", platform, &json!({ "name": "Partner" })).await?;
        let partner = text(&partner, "id")?;
        let key = connection.call("POST", &format!("/api/v1/partners/{partner}/keys"), platform, &Value::Null).await?;
        self.partner_key = text(&key, "key")?;
        let stage = |key: &str| json!({ "key": key, "name": key, "buyer_label": format!("In {key} review") });
        let stages: Vec<Value> = ["copy", "brand", "legal", "media", "sign-off"].map(stage).into();
        let workflow = json!({ "name": "Measured", "stages": stages });
        connection.call("PUT", "/api/v1/workflows/measured", &self.partner_key, &workflow).await?;
        self.partner = partner;
        connection.call("POST", "/api/v1/tasks", platform, &self.opening(self.template, buyer)).await?;
        for stage in ["copy", "brand"] {
            let approval = json!({ "type": "stage_approved", "stage": stage, "round": 1, "revision": 0, "actor": { "id": "u-1" } });
            connection
                .call("POST", &format!("/api/v1/tasks/{}/events", self.template), &self.partner_key, &approval)
                .await?;
        }
        let status = format!("/api/v1/tasks/{}/status", self.template);
        let status = connection.call("GET", &status, &self.partner_key, &Value::Null).await?;
        self.version = status["version"].as_u64().ok_or("no version")?;
        Ok(())
    }
}

fn token(buyer: Uuid, secret: &str) -> Result<String, Failure> {
    // It expires in the year 2100; otherwise it is like a token of Supabase.
    let claims = json!({ "iss": "https://project.supabase.example/auth/v1", "sub": buyer, "aud": "authenticated", "exp": 4_102_444_800_u64,
        "role": "authenticated", "aal": "aal1", "session_id": ids::new(), "email": "buyer@example.com", "is_anonymous": false });
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    Ok(jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key)?)
}
