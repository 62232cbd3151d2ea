//! A task in legal review, and links to look at it as each party in a browser: for `stagegate open`,
//! and for the welcome of `stagegate dev`.

use std::io::{self, Write};

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Stagegate;
use crate::domain::values::party::Party;
use crate::terminal::say;
use crate::trial::Credentials;

use super::stage::{Parties, Stage};
use super::{Error, begin, revoke_key};

/// A task, and links to look at it.
#[derive(Debug)]
pub struct Shown {
    /// The task.
    pub task: Uuid,
    /// A link for each kind of page.
    pub links: Vec<Link>,
}

/// A link to a page.
#[derive(Debug)]
pub struct Link {
    /// Whose page it is.
    pub who: &'static str,
    /// Its address.
    pub url: String,
    /// Whether it is one of the first three pages to look at, one of each party.
    pub is_first: bool,
}

/// Opens the demo's task and brings it into legal review, with one of two approvals, unless `known` is
/// still open. Then makes links for the buyer, a reviewer, the partner and the platform; none for a
/// reviewer who has nothing to decide.
///
/// # Errors
///
/// As [`super::play`].
pub async fn prepare(url: &str, credentials: &Credentials, known: Option<Uuid>) -> Result<Shown, Error> {
    let parties = Parties::new(url, credentials)?;
    let task = match known {
        Some(task) if is_open(parties.of(Party::Platform), task).await? => task,
        Some(_) | None => into_legal_review(&parties).await?,
    };
    let mut links = Vec::new();
    for Wanted { who, by, body, is_first } in wanted(task) {
        match parties.of(by).request(Method::POST, "/api/v1/links", Some(&body)).await {
            Ok(made) => {
                let url = made["url"].as_str().unwrap_or_default().to_owned();
                links.push(Link { who, url, is_first });
            }
            // The known task is no longer in review.
            Err(error) if error.problem().is_some_and(|problem| problem.code == "nothing_to_decide") => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Shown { task, links })
}

async fn is_open(platform: &Stagegate, task: Uuid) -> Result<bool, Error> {
    match platform.task(task).await {
        Ok(task) => Ok(task.waiting_on.is_some()),
        Err(error) if error.problem().is_some_and(|problem| problem.status == 404) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn into_legal_review(parties: &Parties) -> Result<Uuid, Error> {
    // The steps are the demo's; here they are only the way to a task that is worth looking at.
    let mut quiet = io::sink();
    let mut stage = Stage::new(parties, &mut quiet);
    let eli = begin(&mut stage).await?;
    revoke_key(&mut stage, &eli).await?;
    let anna = json!({ "id": "u-anna", "name": "Anna K.", "role": "counsel" });
    let vote = json!({ "type": "stage_approved", "stage": "legal", "round": 1, "revision": 2, "actor": anna });
    stage.send("", Party::Partner, vote).await?;
    Ok(stage.task)
}

/// A link to make: as whom, by whom, and what for.
struct Wanted {
    who: &'static str,
    by: Party,
    body: Value,
    is_first: bool,
}

fn wanted(task: Uuid) -> [Wanted; 5] {
    let bo = json!({ "id": "u-bo", "name": "Bo S.", "role": "counsel" });
    let dora = json!({ "id": "u-dora", "name": "Dora" });
    let olga = json!({ "id": "ops-olga", "name": "Olga" });
    let (partner, platform) = (Party::Partner, Party::Platform);
    let link = |who, by, body, is_first| Wanted { who, by, body, is_first };
    [
        link("the buyer's task", platform, json!({ "to": "task", "task_id": task, "party": "buyer" }), true),
        link("a reviewer's decision", partner, json!({ "to": "decide", "task_id": task, "actor": bo }), false),
        link("the partner's desk", partner, json!({ "to": "inbox", "actor": bo }), true),
        link("the partner's console", partner, json!({ "to": "console", "actor": dora, "manage": true }), false),
        link("the platform's console", platform, json!({ "to": "console", "actor": olga, "manage": true }), true),
    ]
}

impl Shown {
    /// Prints the links, one a line.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn print_links(&self, out: &mut impl Write) -> io::Result<()> {
        for Link { who, url, .. } in &self.links {
            say!(out, "  {who:<22} {url}")?;
        }
        Ok(())
    }

    /// Prints what `stagegate open` says.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        say!(out)?;
        say!(
            out,
            "The task `Autumn campaign` is in legal review, with one of two approvals. Look at it in a browser:"
        )?;
        say!(out)?;
        self.print_links(out)?;
        say!(out)?;
        say!(out, "Each link makes one browser one person; another link in the same browser asks first. Use private")?;
        say!(out, "windows to be several people at once.")?;
        say!(out)
    }
}
