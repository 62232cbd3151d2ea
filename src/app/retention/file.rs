//! Writes the export of a task to the archive, and verifies what is on the disk.

use std::io::{self, BufRead as _, BufReader};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use crate::app::audit::export::Exports;
use crate::app::audit::transparency_log::TransparencyLog;
use crate::app::error::Error;
use crate::archive::{Archive, Draft, Written};
use crate::domain::audit::export::{Flaw, Line, Trusted, Verified, Verifier};
use crate::domain::audit::{Hash, Head, TrailOrigin};
use crate::domain::values::id::TaskId;
use crate::store::retention::{Due, Filed};

/// How much of a file is in memory at most, but for a piece.
const BUFFER: usize = 1 << 20;

/// Writes files.
#[derive(Debug)]
pub(super) struct Files {
    archive: Archive,
    exports: Arc<Exports>,
    trusted: Arc<Trusted>,
}

/// Why a task has no file.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The system cannot write or read it.
    #[error("the archive's file {0} cannot be written")]
    File(String, #[source] io::Error),
    /// The export has a flaw: its trail is damaged.
    #[error("the export {0} does not verify: line {line}: {what}", line = .1.line, what = .1.what)]
    Flawed(String, Flaw),
    /// It is sound and something else than was written.
    #[error("the export {0} is not what was to be written")]
    Other(String),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Internal(Arc::new(failure))
    }
}

impl Files {
    pub(super) fn new(archive: Archive, exports: Arc<Exports>, log: &TransparencyLog) -> Self {
        Self { archive, exports, trusted: Arc::new(log.trusted()) }
    }

    /// Writes the file of a task and verifies it. The directories are not flushed yet.
    pub(super) async fn write(&self, due: &Due) -> Result<Filed, Error> {
        let name = Archive::name(due.task_id, due.closed_at);
        let (mut draft, mut buffer) = (None, Vec::new());
        let mut export = self.exports.export_to_archive(due.task_id, due.size).await?;
        while let Some(piece) = export.next().await? {
            buffer.extend_from_slice(piece.as_bytes());
            if buffer.len() >= BUFFER {
                draft = Some(self.blocking(&name, (draft, std::mem::take(&mut buffer)), add).await?);
            }
        }
        let finish = |archive: &Archive, name: &str, state| add(archive, name, state)?.finish();
        let written = self.blocking(&name, (draft, buffer), finish).await?;
        self.verify(&name, due, written).await?;
        let Due { task_id, head, .. } = *due;
        Ok(Filed { task_id, head, file: name, sha256: written.sha256, size: written.size, actors: Vec::new() })
    }

    /// Reads a file back: it must be what was written, the whole trail of the task, and signed.
    async fn verify(&self, name: &str, due: &Due, written: Written) -> Result<(), Error> {
        let trusted = Arc::clone(&self.trusted);
        let read = move |archive: &Archive, name: &str, ()| read(archive, name, &trusted);
        let (digest, found) = self.blocking(name, (), read).await?;
        let trail = found.map_err(|flaw| Failure::Flawed(name.to_owned(), flaw))?;
        if digest != written.sha256 || !trail.is_some_and(|trail| is_whole(&trail, (due.task_id, due.head))) {
            return Err(Failure::Other(name.to_owned()).into());
        }
        Ok(())
    }

    /// Flushes the directories of these files.
    pub(super) async fn flush(&self, files: Vec<String>) -> Result<(), Error> {
        let flush = |archive: &Archive, _: &str, files: Vec<String>| archive.flush(files.iter().map(String::as_str));
        self.blocking("", files, flush).await
    }

    /// Removes these files.
    pub(super) async fn remove(&self, files: Vec<String>) -> Result<(), Error> {
        let remove =
            |archive: &Archive, _: &str, files: Vec<String>| files.iter().try_for_each(|file| archive.remove(file));
        self.blocking("", files, remove).await
    }

    /// Does what blocks on another thread.
    async fn blocking<S, T>(
        &self,
        name: &str,
        state: S,
        work: impl FnOnce(&Archive, &str, S) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error>
    where
        S: Send + 'static,
        T: Send + 'static,
    {
        let (archive, file) = (self.archive.clone(), name.to_owned());
        let done = spawn_blocking(move || work(&archive, &file, state)).await;
        let done = done.map_err(|fault| Error::Internal(Arc::new(fault)))?;
        Ok(done.map_err(|error| Failure::File(name.to_owned(), error))?)
    }
}

/// Adds to a file, which begins with its first piece.
fn add(archive: &Archive, name: &str, (draft, piece): (Option<Draft>, Vec<u8>)) -> io::Result<Draft> {
    let mut draft = draft.map_or_else(|| archive.begin(name), Ok)?;
    draft.add(&piece)?;
    Ok(draft)
}

/// The digest of a file, and the trail in it as `stagegate audit verify` finds it.
fn read(archive: &Archive, name: &str, trusted: &Trusted) -> io::Result<(Hash, Result<Option<Verified>, Flaw>)> {
    let mut input = BufReader::with_capacity(1 << 16, archive.read(name)?);
    let (mut verifier, mut digest) = (Verifier::new(trusted), Sha256::new());
    let (mut line, mut found) = (Vec::new(), Ok(None));
    while input.read_until(b'\n', &mut line)? > 0 {
        digest.update(&line);
        if let Ok(trail) = &mut found {
            match verifier.read(Line::new(&line)) {
                Ok(None) => {}
                Ok(end) => *trail = end,
                Err(flaw) => found = Err(flaw),
            }
        }
        line.clear();
    }
    let found = found.and_then(|trail| verifier.finish().map(|()| trail));
    Ok((Hash::from_bytes(digest.finalize().into()), found))
}

/// Whether a trail is that of this task up to this end, signed by a key of the service.
fn is_whole(trail: &Verified, (task, head): (TaskId, Head)) -> bool {
    let is_its_own = matches!(trail.origin, TrailOrigin::Task(origin) if origin.task_id == task);
    is_its_own && trail.head == head && trail.is_signed()
}
