//! File locks between processes. The system releases them when a process ends, so a killed one
//! never blocks the next.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Error;

/// A lock, held until this is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits up to `patience` for the exclusive lock.
    pub async fn exclusive(path: &Path, patience: Duration) -> Result<Self, Error> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(lock) = Self::try_exclusive(path)? {
                return Ok(lock);
            }
            if Instant::now() >= deadline {
                return Err(Error::Locked { path: path.to_owned() });
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Takes the exclusive lock if nobody holds the file.
    fn try_exclusive(path: &Path) -> Result<Option<Self>, Error> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::File { action: "locking", path: path.to_owned(), source }),
        }
    }

    /// Takes a shared lock. The caller makes sure that nobody holds it exclusively.
    pub fn shared(path: &Path) -> Result<Self, Error> {
        let file = open(path)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(Error::File { action: "locking", path: path.to_owned(), source }),
        }
    }
}

fn open(path: &Path) -> Result<File, Error> {
    // Only the owner may open it, since everybody who can open it can lock it.
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    opened.map_err(|source| Error::File { action: "opening", path: path.to_owned(), source })
}
