//! The service as production runs it: a process of its own with default settings, and a task to
//! copy.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use stagegate::ids;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use uuid::Uuid;

use crate::{By, Failure, Options};

/// A running service with a partner, a buyer and a task of theirs.
#[derive(Debug)]
pub struct Service {
    child: Child,
    /// The address that it listens on.
    pub address: String,
    /// The task.
    pub template: Uuid,
    /// The version of its status.
    pub version: u64,
    partner_key: String,
    buyer_token: String,
}

impl Service {
    /// Starts the service on this database and opens the task.
    pub async fn start(database_url: &str, options: &Options) -> Result<Self, Failure> {
        let (platform, secret) = (hex::encode(ids::random::<24>()), hex::encode(ids::random::<24>()));
        let mut child = Command::new(&options.program)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("DATABASE_URL", database_url)
            .env("STAGEGATE_PLATFORM_KEYS", &platform)
            .env("STAGEGATE_BUYER_JWT_SECRET", &secret)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(if options.log { Stdio::inherit() } else { Stdio::null() })
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("its output is read here")?).lines();
        let address = loop {
            let line = lines.next_line().await?.ok_or("the service did not start; --log shows why")?;
            if let Some((_, address)) = line.split_once("listens on http://") {
                break address.to_owned();
            }
        };
        let buyer = ids::new();
        let mut service = Self {
            child,
            address,
            template: ids::new(),
            version: 0,
            partner_key: String::new(),
            buyer_token: token(buyer, &secret)?,
        };
        service.prepare(&platform, buyer).await?;
        Ok(service)
    }

    /// The credential of a caller of this kind.
    pub fn credential(&self, by: By) -> &str {
        match by {
            By::Partner => &self.partner_key,
            By::Buyer => &self.buyer_token,
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs until it is stopped")
    }

    /// The resident memory in KiB.
    pub fn memory(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Stops the service and waits until it has ended.
    pub async fn stop(mut self) -> Result<(), Failure> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).ok_or("no process")?;
        kill_process(pid, Signal::TERM)?;
        self.child.wait().await?;
        Ok(())
    }

    /// Creates a partner with a workflow of five stages, like those of real partners, and a task in
    /// the third.
    async fn prepare(&mut self, platform: &str, buyer: Uuid) -> Result<(), Failure> {
        let partner = self.call("POST", "/api/v1/partners", platform, &json!({ "name": "Partner" })).await?;
        let partner = partner["id"].as_str().ok_or("no id")?;
        let key = self.call("POST", &format!("/api/v1/partners/{partner}/keys"), platform, &Value::Null).await?;
        key["key"].as_str().ok_or("no key")?.clone_into(&mut self.partner_key);
        let stage = |key: &str| json!({ "key": key, "name": key, "buyer_label": format!("In {key} review") });
        let stages: Vec<Value> = ["copy", "brand", "legal", "media", "sign-off"].map(stage).into();
        let workflow = json!({ "name": "Measured", "stages": stages });
        self.call("PUT", "/api/v1/workflows/measured", &self.partner_key, &workflow).await?;
        let opening = json!({ "id": self.template, "partner_id": partner, "buyer_id": buyer,
            "workflow": { "key": "measured" }, "title": "Spring campaign", "metadata": { "order": "A-1024" } });
        self.call("POST", "/api/v1/tasks", platform, &opening).await?;
        for stage in ["copy", "brand"] {
            let approval = json!({ "type": "stage_approved", "stage": stage, "round": 1, "revision": 0, "actor": { "id": "u-1" } });
            self.call("POST", &format!("/api/v1/tasks/{}/events", self.template), &self.partner_key, &approval).await?;
        }
        let status = format!("/api/v1/tasks/{}/status", self.template);
        let status = self.call("GET", &status, &self.partner_key, &Value::Null).await?;
        self.version = status["version"].as_u64().ok_or("no version")?;
        Ok(())
    }

    async fn call(&self, method: &str, path: &str, credential: &str, body: &Value) -> Result<Value, Failure> {
        let method = reqwest::Method::from_bytes(method.as_bytes())?;
        let request = client().request(method, format!("http://{}{path}", self.address)).bearer_auth(credential);
        let request = if body.is_null() { request } else { request.json(body) };
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}

fn client() -> reqwest::Client {
    // Only the first installed provider counts, and all of ours are ring.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

fn token(buyer: Uuid, secret: &str) -> Result<String, Failure> {
    // It expires in the year 2100; otherwise it is like a token of Supabase.
    let claims = json!({ "iss": "https://project.supabase.example/auth/v1", "sub": buyer, "aud": "authenticated", "exp": 4_102_444_800_u64,
        "role": "authenticated", "aal": "aal1", "session_id": ids::new(), "email": "buyer@example.com", "is_anonymous": false });
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    Ok(jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key)?)
}
