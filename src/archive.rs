//! The archive: the directory of the exports of tasks that were put away.
//!
//! A file is written under another name, flushed to the disk, and renamed. The directories are
//! flushed before anybody relies on a file ([`Archive::flush`]). All functions block; callers that
//! must not do so run them on another thread.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::domain::audit::Hash;
use crate::domain::values::id::TaskId;
use crate::domain::values::time::Time;

/// What follows the name of a file that is not complete.
const UNFINISHED: &str = ".unfinished";

/// The directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    dir: PathBuf,
}

/// A file that is being written.
#[derive(Debug)]
pub struct Draft {
    file: File,
    path: PathBuf,
    digest: Sha256,
    size: u64,
}

/// What a complete file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The SHA-256 of the file.
    pub sha256: Hash,
    /// Its length in bytes.
    pub size: u64,
}

impl Archive {
    /// Opens an archive. The directory must exist: one that is made here could be on another disk
    /// than the one that the operator forgot to mount.
    ///
    /// # Errors
    ///
    /// When it is not a directory, or this process cannot write there.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let archive = Self { dir: fs::canonicalize(dir)? };
        let probe = archive.dir.join(format!("probe{UNFINISHED}"));
        create(&probe)?.sync_all()?;
        fs::remove_file(&probe)?;
        Ok(archive)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The name of the file of a task that closed at this time, below the directory. It depends on
    /// nothing else, so that another attempt replaces the file. Days can be moved to other storage,
    /// and the last digits of the id keep the number of files in a directory small.
    pub fn name(task: TaskId, closed_at: Time) -> String {
        let (day, id) = (closed_at.utc().format("%Y/%m/%d"), task.to_string());
        format!("{day}/{}/{id}.jsonl", &id[id.len() - 2..])
    }

    /// Begins a file, and its directory if it is the first one there.
    ///
    /// # Errors
    ///
    /// When it cannot be created.
    pub fn begin(&self, name: &str) -> io::Result<Draft> {
        let path = self.path(name);
        if let Some(dir) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        Ok(Draft { file: create(&unfinished(&path))?, path, digest: Sha256::new(), size: 0 })
    }

    /// Flushes the directories of these files to the disk, up to the archive's own.
    ///
    /// # Errors
    ///
    /// When one cannot be flushed: the files may be gone after a crash of the machine.
    pub fn flush<'n>(&self, names: impl Iterator<Item = &'n str>) -> io::Result<()> {
        let above = names.flat_map(|name| Path::new(name).ancestors().skip(1));
        let dirs: BTreeSet<&Path> = above.collect();
        // The deepest first, so that no name leads to something that is not there.
        dirs.into_iter().rev().try_for_each(|dir| File::open(self.dir.join(dir))?.sync_all())
    }

    /// Opens a file to read it.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn read(&self, name: &str) -> io::Result<File> {
        File::open(self.path(name))
    }

    /// Removes a file, complete or not; one that is not there is no error.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path(name);
        for path in [unfinished(&path), path] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

impl Draft {
    /// Adds to the file.
    ///
    /// # Errors
    ///
    /// When the system cannot write it, as when the disk is full.
    pub fn add(&mut self, piece: &[u8]) -> io::Result<()> {
        self.digest.update(piece);
        self.size += piece.len() as u64;
        self.file.write_all(piece)
    }

    /// Flushes the file to the disk and gives it its name, in place of an earlier one.
    ///
    /// # Errors
    ///
    /// When one of the two fails. A file of this name is then the earlier one.
    pub fn finish(self) -> io::Result<Written> {
        self.file.sync_all()?;
        fs::rename(unfinished(&self.path), &self.path)?;
        Ok(Written { sha256: Hash::from_bytes(self.digest.finalize().into()), size: self.size })
    }
}

/// Creates or empties a file that nobody else can read: it holds personal data.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> PathBuf {
        let dir = std::env::temp_dir().join(format!("stagegate-archive-{}", crate::ids::new()));
        fs::create_dir(&dir).unwrap();
        dir
    }

    #[test]
    fn a_file_has_its_name_only_once_it_is_complete() {
        let dir = scratch();
        let archive = Archive::open(&dir).unwrap();
        let task = TaskId("0199aa00-0000-7000-8000-0000000000f7".parse().unwrap());
        let name = Archive::name(task, Time::from_micros(1_800_000_000_000_000));
        assert_eq!(name, "2027/01/15/f7/0199aa00-0000-7000-8000-0000000000f7.jsonl");
        for content in ["first", "second"] {
            let mut draft = archive.begin(&name).unwrap();
            draft.add(content.as_bytes()).unwrap();
            assert_ne!(fs::read_to_string(dir.join(&name)).ok().as_deref(), Some(content));
            let written = draft.finish().unwrap();
            archive.flush([name.as_str()].into_iter()).unwrap();
            assert_eq!(fs::read_to_string(dir.join(&name)).unwrap(), content);
            assert_eq!(
                (written.size, written.sha256.as_bytes()[..].to_vec()),
                (content.len() as u64, Sha256::digest(content).to_vec())
            );
        }
        archive.begin(&name).unwrap();
        archive.remove(&name).unwrap();
        archive.remove(&name).unwrap();
        assert_eq!(fs::read_dir(dir.join(&name).parent().unwrap()).unwrap().count(), 0);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn an_archive_is_a_directory_that_is_there() {
        let dir = scratch();
        assert!(Archive::open(&dir.join("missing")).is_err());
        fs::write(dir.join("file"), "").unwrap();
        assert!(Archive::open(&dir.join("file")).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
