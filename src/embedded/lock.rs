//! File locks between processes. The system drops them with the process, so a killed one never blocks the next.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Error;

/// A lock, held as long as this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits up to `patience` to hold it alone.
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

    /// Holds it alone if nobody else does.
    fn try_exclusive(path: &Path) -> Result<Option<Self>, Error> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::File { action: "locking", path: path.to_owned(), source }),
        }
    }

    /// Holds it together with others. The caller makes sure that nobody holds it alone.
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
    // Nobody else may open it, since whoever can may lock it.
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    opened.map_err(|source| Error::File { action: "opening", path: path.to_owned(), source })
}
