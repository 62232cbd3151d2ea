//! `stagegate open`: a task in review, and links to look at it as each party, in a browser.

use std::io::Write;

use reqwest::Method;
use serde_json::{Value, json};

use crate::domain::values::party::Party;
use crate::terminal::say;
use crate::trial::Credentials;

use super::stage::Stage;
use super::{Error, copy, make_key, open, revoke_key};

/// A link to print: as whom, made by whom, and what for.
struct Wanted {
    who: &'static str,
    by: Party,
    body: Value,
}

/// Opens the demo's task, brings it into legal review, and prints links for the buyer, a reviewer, the
/// partner and the platform.
///
/// # Errors
///
/// As [`super::play`].
pub async fn links(url: &str, credentials: &Credentials, out: &mut impl Write) -> Result<(), Error> {
    // The steps are the demo's; here they are only the way to a task that is worth looking at.
    let mut quiet = std::io::sink();
    let mut stage = Stage::new(url, credentials, &mut quiet)?;
    open(&mut stage).await?;
    let eli = make_key(&mut stage).await?;
    copy(&mut stage, &eli).await?;
    revoke_key(&mut stage, &eli).await?;
    let anna = json!({ "id": "u-anna", "name": "Anna K.", "role": "counsel" });
    let vote = json!({ "type": "stage_approved", "stage": "legal", "round": 1, "revision": 2, "actor": anna });
    stage.send("", Party::Partner, vote).await?;
    say!(out)?;
    say!(out, "The task `Autumn campaign` is in legal review, with one of two approvals. Look at it in a browser:")?;
    say!(out)?;
    for Wanted { who, by, body } in wanted(&stage.task.to_string()) {
        let link = stage.ask(by, Method::POST, "/links", Some(&body)).await?;
        say!(out, "  {who:<22} {}", link["url"].as_str().unwrap_or_default())?;
    }
    say!(out)?;
    say!(out, "Each link makes one browser one person; another link in the same browser asks first. Use private")?;
    say!(out, "windows to be several people at once.")?;
    say!(out)?;
    Ok(())
}

fn wanted(task: &str) -> [Wanted; 5] {
    let bo = json!({ "id": "u-bo", "name": "Bo S.", "role": "counsel" });
    let dora = json!({ "id": "u-dora", "name": "Dora" });
    let operator = json!({ "id": "ops-olga", "name": "Olga" });
    [
        Wanted {
            who: "the buyer",
            by: Party::Platform,
            body: json!({ "to": "task", "task_id": task, "party": "buyer" }),
        },
        Wanted {
            who: "a reviewer, one review",
            by: Party::Partner,
            body: json!({ "to": "decide", "task_id": task, "actor": bo }),
        },
        Wanted { who: "a reviewer's inbox", by: Party::Partner, body: json!({ "to": "inbox", "actor": bo }) },
        Wanted {
            who: "the partner's console",
            by: Party::Partner,
            body: json!({ "to": "console", "actor": dora, "manage": true }),
        },
        Wanted {
            who: "the platform's console",
            by: Party::Platform,
            body: json!({ "to": "console", "actor": operator, "manage": true }),
        },
    ]
}
