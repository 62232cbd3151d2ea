//! `stagegate dev check`: plays ten stories at a partner's endpoint for webhooks, and tells which it
//! survived.
//!
//! The deliveries are made and signed by the service's own code, about tasks that exist nowhere else.
//! Only answers can be seen from outside, so each story says what its verdict is based on, and what
//! its author must check inside.

use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use crate::config::DevCheck;
use crate::terminal::say;

use self::endpoint::Endpoint;
use self::stories::Story;

mod endpoint;
mod stories;
mod tale;

pub use self::endpoint::Unusable;

/// Why no story was played.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments name no endpoint.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// Output failed.
    #[error("cannot write the output")]
    Out(#[from] io::Error),
}

/// The result of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The name of the story.
    pub story: &'static str,
    /// Whether the endpoint survived it.
    pub survived: bool,
    /// What the endpoint met.
    pub played: &'static str,
    /// What it had to do.
    pub expected: &'static str,
    /// What it did instead; none if it survived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// What cannot be seen from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_checked: Option<&'static str>,
}

/// Plays the stories, prints the verdicts, and returns the exit code: 0 if the endpoint survived all,
/// 1 if not, 2 if it never answered.
///
/// # Errors
///
/// If the URL or the secret is malformed, or `out` cannot be written.
pub async fn run(settings: &DevCheck, out: &mut impl Write) -> Result<ExitCode, Error> {
    let endpoint = Endpoint::new(&settings.webhook, settings.secret.expose(), settings.within)?;
    let mut verdicts = Vec::with_capacity(Story::ALL.len());
    for story in Story::ALL {
        let verdict = story.play(&endpoint).await;
        if !settings.json {
            print(&verdict, out)?;
        }
        verdicts.push(verdict);
    }
    let survived = verdicts.iter().filter(|verdict| verdict.survived).count();
    let has_answered = endpoint.has_answered();
    if settings.json {
        let whole =
            json!({ "webhook": settings.webhook, "answered": has_answered, "survived": survived, "stories": verdicts });
        writeln!(out, "{whole}")?;
    } else {
        say!(out)?;
        say!(out, "survived {survived} of {}", verdicts.len())?;
        if !has_answered {
            say!(out, "the endpoint never answered: is it running, and is the address right?")?;
        }
    }
    Ok(match (has_answered, survived == verdicts.len()) {
        (false, _) => ExitCode::from(2),
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::FAILURE,
    })
}

fn print(verdict: &Verdict, out: &mut impl Write) -> io::Result<()> {
    let word = if verdict.survived { "survived" } else { "FAILED" };
    say!(out, "{word:<9} {:<16} {}", verdict.story, verdict.played)?;
    if let Some(seen) = &verdict.seen {
        say!(out, "{:<26} expected: {}", "", verdict.expected)?;
        say!(out, "{:<26} seen: {seen}", "")?;
    }
    if let Some(not_checked) = verdict.not_checked {
        say!(out, "{:<26} not checked: {not_checked}", "")?;
    }
    Ok(())
}
