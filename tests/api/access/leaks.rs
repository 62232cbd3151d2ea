//! Secrets planted wherever somebody can write something: each is found by those who may read it, and in no answer
//! to anybody else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};

use crate::harness::commands::{approve, at, cancel, escalate, reject, resolve, submit, update, with};
use crate::harness::parties::{Client, Parties, new_id};
use crate::harness::streams::Stream;

const EVERYBODY: &[&str] = &["partner", "buyer", "platform"];
const WORKERS: &[&str] = &["partner", "platform"];
const CUSTOMER: &[&str] = &["buyer", "platform"];
const HOUSE: &[&str] = &["platform"];

#[tokio::test]
async fn a_secret_is_found_by_nobody_whom_it_is_not_for() {
    let parties = Parties::start().await;
    let id = new_id();
    let mut snoop = Snoop { parties: &parties, id: id.clone(), secrets: Vec::new(), found: Vec::new() };
    open(&mut snoop).await;
    review(&mut snoop).await;
    ask(&mut snoop).await;
    close(&mut snoop).await;
    snoop.look().await;
    snoop.look_at_receipts().await;
    snoop.assert_each_was_for_somebody();
}

async fn open(snoop: &mut Snoop<'_>) {
    let metadata = snoop.plant("metadata", WORKERS);
    let opening = with(snoop.parties.opening(&snoop.id, "brand-campaign"), &json!({ "metadata": { "k": metadata } }));
    let answer = snoop.parties.platform.call("POST", "/api/v1/tasks", &opening).await;
    assert_eq!(answer.status, 201);
    let keys = format!("/api/v1/partners/{}/keys", snoop.parties.partner_id);
    let key = snoop.parties.platform.read(&keys).await["items"][0]["id"].as_str().unwrap().to_owned();
    snoop.secrets.push((key, WORKERS));
    let credential = snoop.parties.trail(&snoop.id).await[0]["credential_id"].as_str().unwrap().to_owned();
    assert!(credential.starts_with("platform-"));
    snoop.secrets.push((credential, HOUSE));
    // The keys themselves: shown once, and then to nobody.
    let more = snoop.parties.platform.call("POST", &keys, &Value::Null).await;
    let (id, key) = (more.body["id"].as_str().unwrap(), more.body["key"].as_str().unwrap());
    for secret in [snoop.parties.partner.credential.as_str(), key] {
        snoop.secrets.push((secret.to_owned(), &[]));
        snoop.secrets.push((secret["ait_0000".len()..].to_owned(), &[]));
    }
    snoop.secrets.push((id.to_owned(), WORKERS));
    let revoked = snoop.parties.platform.call("DELETE", &format!("{keys}/{id}"), &Value::Null).await;
    assert_eq!(revoked.status, 204);
    snoop.look().await;
}

async fn review(snoop: &mut Snoop<'_>) {
    let partner = &snoop.parties.partner;
    let (note, summary, url) =
        (snoop.plant("note", WORKERS), snoop.plant("summary", WORKERS), snoop.plant("url", WORKERS));
    let (name, role) = (snoop.plant("name", WORKERS), snoop.plant("role", WORKERS));
    let submitter = snoop.plant("submitter", WORKERS);
    let artifact = json!({ "name": snoop.plant("artifact", WORKERS), "url": format!("https://files.example/{url}"),
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" });
    let actor = json!({ "id": submitter, "name": name, "role": role });
    let work = json!({ "note": note, "summary": summary, "artifacts": [artifact], "actor": actor });
    snoop.send(partner, with(submit("x"), &work)).await;
    let approver = snoop.plant("approver", WORKERS);
    snoop.send(partner, approve(at("copy", 1, 1), &approver)).await;
    let message = snoop.plant("message", EVERYBODY);
    snoop.send(partner, update(&message)).await;
    // The buyer's guesses are refused and tell nothing.
    for guess in [approve(at("legal", 1, 1), ""), reject(at("copy", 1, 1), ""), resolve(3, "approve", ""), update("x")]
    {
        snoop.try_as_buyer(&guess).await;
    }
    let (hidden, item) = (snoop.plant("feedback", WORKERS), snoop.plant("item", WORKERS));
    let feedback = json!({ "summary": hidden, "items": [{ "severity": "minor", "text": item, "anchor": item }] });
    let refusal = json!({ "feedback": feedback, "return_to": "legal", "actor": { "id": "u-anna", "name": snoop.plant("reviewer", WORKERS) } });
    snoop.send(partner, with(reject(at("legal", 1, 1), "u-anna"), &refusal)).await;
    let redraft = snoop.plant("second summary", WORKERS);
    snoop.send(partner, with(submit("agent"), &json!({ "summary": redraft }))).await;
    let shared = snoop.plant("shared feedback", EVERYBODY);
    let feedback = json!({ "feedback": { "summary": shared, "share_with_buyer": true }, "return_to": "legal" });
    snoop.send(partner, with(reject(at("legal", 2, 2), "u-bo"), &feedback)).await;
}

async fn ask(snoop: &mut Snoop<'_>) {
    let (partner, buyer, platform) = (&snoop.parties.partner, &snoop.parties.buyer, &snoop.parties.platform);
    let unshown = snoop.plant("third summary", EVERYBODY);
    let revision = with(submit("agent"), &json!({ "summary": unshown }));
    snoop.send_without_looking(partner, revision).await;
    assert!(!snoop.buyer_reads().await.contains(&unshown), "not while the partner reviews");
    let reason = snoop.plant("reason for the platform", WORKERS);
    let asked = snoop
        .send(partner, with(escalate(at("legal", 3, 3), "u-anna", "platform"), &json!({ "reason": reason })))
        .await;
    let (advice, note) = (snoop.plant("advice", WORKERS), snoop.plant("platform's note", HOUSE));
    let back = with(resolve(asked, "return", "ops"), &json!({ "advice": advice, "note": note }));
    snoop.send(platform, back).await;
    let question = snoop.plant("question", EVERYBODY);
    let asked = with(escalate(at("legal", 3, 3), "u-anna", "buyer"), &json!({ "reason": question }));
    let asked = snoop.send_without_looking(partner, asked).await;
    assert!(snoop.buyer_reads().await.contains(&unshown), "while the buyer is asked about it");
    snoop.look().await;
    let (answer, note) = (snoop.plant("buyer's advice", EVERYBODY), snoop.plant("buyer's note", CUSTOMER));
    let back = with(resolve(asked, "return", ""), &json!({ "advice": answer, "note": note }));
    snoop.send(buyer, back).await;
    assert!(!snoop.buyer_reads().await.contains(&unshown), "nor afterwards");
    let held = snoop.plant("hold", EVERYBODY);
    snoop.send(platform, json!({ "type": "held", "reason": held })).await;
    let operator = snoop.plant("operator", WORKERS);
    snoop.send(platform, json!({ "type": "resumed", "actor": { "id": operator } })).await;
}

async fn close(snoop: &mut Snoop<'_>) {
    let (partner, buyer) = (&snoop.parties.partner, &snoop.parties.buyer);
    let called_off = snoop.plant("cancellation", EVERYBODY);
    snoop.send(buyer, with(cancel(), &json!({ "reason": called_off }))).await;
    let trail = snoop.parties.trail(&snoop.id).await;
    let session =
        trail.iter().find(|row| row["party"] == "buyer").unwrap()["credential_id"].as_str().unwrap().to_owned();
    snoop.secrets.push((session, CUSTOMER));
    let (late, note) = (snoop.plant("late feedback", WORKERS), snoop.plant("late note", WORKERS));
    let late = json!({ "feedback": { "summary": late, "share_with_buyer": false }, "note": note });
    snoop.send(partner, with(reject(at("legal", 3, 3), "u-bo"), &late)).await;
    let (notes, salvaged) = (snoop.plant("remarks", WORKERS), snoop.plant("salvaged", WORKERS));
    let artifacts =
        json!([{ "name": salvaged, "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }]);
    let body =
        json!({ "type": "cancellation_acknowledged", "in_flight": "salvaged", "notes": notes, "artifacts": artifacts });
    snoop.send(partner, body).await;
    for guess in [approve(at("signoff", 1, 3), ""), reject(at("legal", 3, 3), ""), cancel()] {
        snoop.try_as_buyer(&guess).await;
    }
}

#[tokio::test]
async fn a_buyers_late_decision_is_not_for_the_partner() {
    let parties = Parties::start().await;
    let stage = json!({ "key": "a", "name": "A", "buyer_label": "In A", "reviewer": "buyer" });
    parties.register("signoff", &json!({ "name": "Sign-off", "stages": [stage] })).await;
    let id = parties.open("signoff").await;
    let mut snoop = Snoop { parties: &parties, id: id.clone(), secrets: Vec::new(), found: Vec::new() };
    snoop.send(&parties.platform, with(cancel(), &json!({ "immediate": true }))).await;
    let (feedback, note) = (snoop.plant("late feedback", CUSTOMER), snoop.plant("note", CUSTOMER));
    let late = with(reject(at("a", 1, 0), ""), &json!({ "feedback": { "summary": feedback }, "note": note }));
    snoop.send(&parties.buyer, late).await;
    snoop.assert_each_was_for_somebody();
}

/// Plants secrets and looks for them in everything that can be read.
struct Snoop<'a> {
    parties: &'a Parties,
    id: String,
    secrets: Vec<(String, &'static [&'static str])>,
    found: Vec<(String, &'static str)>,
}

impl Snoop<'_> {
    /// A text that occurs nowhere else, for those who may read it.
    fn plant(&mut self, what: &str, readers: &'static [&'static str]) -> String {
        let secret = format!("{}-{}", what.replace(' ', "-").replace('\'', ""), self.secrets.len());
        self.secrets.push((format!("{secret}-planted"), readers));
        format!("{secret}-planted")
    }

    /// Sends a command with an id, looks at the answers of everybody, and gives the `seq` of its row.
    async fn send(&mut self, client: &Client, command: Value) -> u64 {
        let seq = self.send_without_looking(client, command).await;
        self.look().await;
        seq
    }

    async fn send_without_looking(&mut self, client: &Client, command: Value) -> u64 {
        let command_id = new_id();
        let who = self.name(client);
        let readers = match who {
            "partner" => WORKERS,
            "buyer" => CUSTOMER,
            _ => HOUSE,
        };
        self.secrets.push((command_id.clone(), readers));
        let command = with(command, &json!({ "id": command_id }));
        let answer = client.send(&self.id, &command).await;
        assert!(answer.status == 201 || answer.body["recorded"].is_object(), "{command}: {}", answer.text);
        self.inspect(who, &answer.text, "the answer to a command");
        let replayed = client.send(&self.id, &command).await;
        self.inspect(who, &replayed.text, "the replay of a command");
        answer.body["event"]["seq"].as_u64().or(answer.body["recorded"]["seq"].as_u64()).unwrap()
    }

    async fn try_as_buyer(&mut self, command: &Value) {
        for query in ["", "?dry_run=true"] {
            let path = format!("/api/v1/tasks/{}/events{query}", self.id);
            let answer = self.parties.buyer.call("POST", &path, command).await;
            assert!(answer.status >= 400, "{command}: {}", answer.text);
            self.inspect("buyer", &answer.text, "a refusal");
        }
    }

    /// Reads everything that each party can read.
    async fn look(&mut self) {
        for client in [&self.parties.partner, &self.parties.buyer, &self.parties.platform] {
            let who = self.name(client);
            let paths = [
                format!("/api/v1/tasks/{}", self.id),
                format!("/api/v1/tasks/{}/status", self.id),
                format!("/api/v1/tasks/{}/audit", self.id),
                format!("/api/v1/tasks/{}/audit/proof", self.id),
                format!("/api/v1/tasks/{}/audit/export", self.id),
                format!("/api/v1/partners/{}/audit", self.parties.partner_id),
                format!("/api/v1/partners/{}/audit/export", self.parties.partner_id),
                format!("/api/v1/audit/export?partner_id={}", self.parties.partner_id),
                format!("/api/v1/partners/{}/audit/proof", self.parties.partner_id),
                "/api/v1/events?limit=100".to_owned(),
                "/api/v1/tasks".to_owned(),
                "/api/v1/statuses".to_owned(),
                "/api/v1/reviews".to_owned(),
            ];
            for path in &paths {
                let answer = client.get(path).await;
                assert!(matches!(answer.status, 200 | 403), "{path}");
                self.inspect(who, &answer.text, path);
            }
            let path = format!("/api/v1/tasks/{}/status/stream", self.id);
            let event = Stream::open(client, &path, "").await.next().await.unwrap();
            self.inspect(who, &event, &path);
        }
    }

    async fn look_at_receipts(&mut self) {
        let rows = self.parties.trail(&self.id).await.len();
        let mut seen = 0;
        for client in [&self.parties.partner, &self.parties.buyer, &self.parties.platform] {
            let who = self.name(client);
            for seq in 1..=rows {
                let path = format!("/api/v1/tasks/{}/audit/{seq}/receipt", self.id);
                let answer = client.get(&path).await;
                let Some(payload) = answer.text.split('.').nth(1).filter(|_| answer.status == 200) else {
                    assert_eq!(answer.status, 404, "{path}");
                    continue;
                };
                let payload = String::from_utf8(BASE64URL.decode(payload).unwrap()).unwrap();
                self.inspect(who, &payload, &path);
                seen += 1;
            }
        }
        assert!(seen > rows, "{seen} receipts of {rows} rows");
    }

    async fn buyer_reads(&self) -> String {
        let status = self.parties.status(&self.id).await.to_string();
        let trail = self.parties.buyer.read(&format!("/api/v1/tasks/{}/audit", self.id)).await.to_string();
        let proof = self.parties.buyer.read(&format!("/api/v1/tasks/{}/audit/proof", self.id)).await.to_string();
        [status, trail, proof].concat()
    }

    fn inspect(&mut self, who: &'static str, text: &str, place: &str) {
        for (secret, readers) in &self.secrets {
            if text.contains(secret) {
                assert!(readers.contains(&who), "{secret} is not for the {who}, but in {place}: {text}");
                self.found.push((secret.clone(), who));
            }
        }
    }

    /// A secret that those do not find whom it is for was not planted where it should be.
    fn assert_each_was_for_somebody(&self) {
        for (secret, readers) in &self.secrets {
            for reader in *readers {
                assert!(self.found.contains(&(secret.clone(), reader)), "the {reader} finds no {secret}");
            }
        }
    }

    fn name(&self, client: &Client) -> &'static str {
        match &client.credential {
            credential if *credential == self.parties.partner.credential => "partner",
            credential if *credential == self.parties.buyer.credential => "buyer",
            _ => "platform",
        }
    }
}
