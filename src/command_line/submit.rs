//! `stagegate submit`: hands in work. Files are hashed here and stay here.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::Stagegate;
use crate::config::Submit;

use super::failure::Failure;
use super::output::Output;
use super::sending::{Members, send};

pub(super) async fn run(settings: &Submit, client: &Stagegate, out: &mut Output) -> Result<(), Failure> {
    let mut command = Members::new();
    command.insert("type".to_owned(), "work_submitted".into());
    if let Some(summary) = &settings.summary {
        command.insert("summary".to_owned(), summary.as_str().into());
    }
    let mut artifacts = Vec::new();
    for file in &settings.files {
        out.progress(format_args!("hashing {file}"));
        artifacts.push(artifact(file)?);
    }
    if !artifacts.is_empty() {
        command.insert("artifacts".to_owned(), artifacts.into());
    }
    let answers = answers(settings)?;
    if !answers.is_empty() {
        command.insert("answers".to_owned(), answers.into());
    }
    send((client, settings.task), ("submitted work", command), &settings.sending, out).await
}

/// The answers to items of feedback.
fn answers(settings: &Submit) -> Result<Vec<Value>, Failure> {
    let done = settings.done.iter().map(|item| Ok(json!({ "item": item, "how": "done" })));
    let declined = settings.declined.iter().map(|given| {
        let (item, text) = given
            .split_once('=')
            .ok_or_else(|| Failure::Usage(format!("--declined: {given}: must be ITEM=TEXT, with the reason")))?;
        Ok(json!({ "item": item, "how": "declined", "text": text }))
    });
    done.chain(declined).collect()
}

/// The reference to a file, given as `FILE` or `FILE=URL`.
fn artifact(given: &str) -> Result<Value, Failure> {
    let (path, url) = match given.split_once("=https://") {
        Some((path, rest)) => (path, Some(format!("https://{rest}"))),
        None => (given, None),
    };
    let path = Path::new(path);
    let unreadable = |error: io::Error| Failure::Usage(format!("--file: {}: {error}", path.display()));
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| unreadable(io::Error::other("its name is not a text")))?;
    let (sha256, size) = hash(path).map_err(unreadable)?;
    let mut artifact = json!({ "name": name, "sha256": sha256, "size": size });
    if let Some(url) = url {
        artifact["url"] = url.into();
    }
    Ok(artifact)
}

/// The SHA-256 of a file, and its size.
fn hash(path: &Path) -> io::Result<(String, u64)> {
    let (mut file, mut hash, mut size) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok((hex::encode(hash.finalize()), size));
        }
        hash.update(&buffer[..length]);
        size += length as u64;
    }
}
