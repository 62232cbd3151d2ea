//! The folder of a development service: its credentials, where its clock is, and a lock, since two
//! clocks on one database would contradict each other.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::domain::values::id::TaskId;

/// The folder. The lock ends with this value.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

/// What is remembered from one start to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// How far the clock is ahead of the machine's, in microseconds.
    pub ahead: i64,
    /// The task that the pages show.
    pub task: Option<TaskId>,
}

/// Why there is no folder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or the folder fails.
    #[error("cannot use {}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// Another one runs.
    #[error("another `stagegate dev` uses {}: end it, or choose another --data-dir", .0.display())]
    InUse(PathBuf),
}

impl Folder {
    /// Opens the folder `dev` in a data directory and locks it. Creates what is missing.
    ///
    /// # Errors
    ///
    /// If it cannot be created, or another process uses it.
    pub fn open(data_dir: &Path) -> Result<Self, Error> {
        let path = data_dir.join("dev");
        let failed = |source| Error::File { path: path.clone(), source };
        // As root, the user of the private Postgres must be able to pass through the data directory.
        DirBuilder::new().recursive(true).mode(0o711).create(data_dir).map_err(failed)?;
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed)?;
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path.join("lock"));
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse(path)),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is remembered; nothing if that cannot be read.
    pub fn load(&self) -> Memory {
        let text = fs::read_to_string(self.memory()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Forgets everything but the credentials.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn forget(&self) -> Result<(), Error> {
        self.save(Memory::default())
    }

    /// Remembers how far the clock is ahead.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save_ahead(&self, ahead: TimeDelta) -> Result<(), Error> {
        self.save(Memory { ahead: ahead.num_microseconds().unwrap_or_default(), ..self.load() })
    }

    /// Remembers the task that the pages show.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save_task(&self, task: TaskId) -> Result<(), Error> {
        self.save(Memory { task: Some(task), ..self.load() })
    }

    fn save(&self, memory: Memory) -> Result<(), Error> {
        let text = serde_json::to_string(&memory).expect("numbers and an id are JSON");
        let unfinished = self.path.join("memory.new");
        let write = fs::write(&unfinished, text).and_then(|()| fs::rename(&unfinished, self.memory()));
        write.map_err(|source| Error::File { path: self.memory(), source })
    }

    fn memory(&self) -> PathBuf {
        self.path.join("memory.json")
    }
}
