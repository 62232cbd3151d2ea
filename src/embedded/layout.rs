//! The folders of the private Postgres: whose they are, and where the socket fits.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::Error;
use super::program::{self, User};

/// The number in the socket's name. Nothing listens on a network port.
pub const PORT: u16 = 5432;

/// The kernel allows 104 (macOS) to 108 (Linux) bytes for a socket's path.
const LONGEST_SOCKET_PATH: usize = 99;

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The folder given to us; ours.
    pub root: PathBuf,
    /// The folder that the server's user owns; holds the next two.
    pub home: PathBuf,
    /// `PGDATA`.
    pub cluster: PathBuf,
    /// The server's log.
    pub log: PathBuf,
    /// The folder of the socket, entered by its owner (and root) alone.
    pub socket_dir: PathBuf,
    /// Held by whoever starts or stops the server.
    pub start_lock: PathBuf,
    /// Held by everybody who uses the server.
    pub users_lock: PathBuf,
    /// Whom the server runs as; `None`: as ourselves.
    pub user: Option<User>,
}

impl Layout {
    /// Makes the folders in `root` that are missing. The caller holds the start lock.
    pub async fn prepare(root: PathBuf) -> Result<Self, Error> {
        let home = root.join("postgres");
        let user = server_user(&home)?;
        make_dir(&home, 0o700, user)?;
        let socket_dir = socket_dir(&root, &home);
        make_dir(&socket_dir, 0o700, user)?;
        let layout = Self {
            cluster: home.join("data"),
            log: home.join("log"),
            start_lock: start_lock(&root),
            users_lock: root.join("users.lock"),
            root,
            home,
            socket_dir,
            user,
        };
        layout.check().await?;
        Ok(layout)
    }

    /// The major version that made the data; `None` before the first start.
    pub fn major(&self) -> Option<u32> {
        fs::read_to_string(self.cluster.join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    async fn check(&self) -> Result<(), Error> {
        let owner = fs::metadata(&self.home).map_err(|source| file_error("reading", &self.home, source))?.uid();
        let socket = fs::symlink_metadata(&self.socket_dir);
        let socket = socket.map_err(|source| file_error("reading", &self.socket_dir, source))?;
        if !socket.is_dir() || socket.uid() != owner || socket.mode() & 0o077 != 0 {
            return Err(Error::ForeignSocket { path: self.socket_dir.clone() });
        }
        let Some(user) = self.user else { return Ok(()) };
        let mut test = program::command("test", self.user);
        let entered = program::output(test.arg("-w").arg(&self.home)).await;
        entered.map(drop).map_err(|_| Error::Unreachable { path: self.home.clone(), uid: user.uid })
    }
}

/// Makes the data directory itself, which the locks live in.
pub fn make_root(data_dir: &Path) -> Result<PathBuf, Error> {
    let root = std::path::absolute(data_dir).map_err(|source| file_error("resolving", data_dir, source))?;
    // As root, the server's user has to pass through.
    make_dir(&root, if program::runs_as_root() { 0o711 } else { 0o700 }, None)?;
    Ok(root)
}

/// The file that whoever starts or stops the server holds.
pub fn start_lock(root: &Path) -> PathBuf {
    root.join("start.lock")
}

/// As root: whoever owns the data already, else `postgres`, else `nobody`.
fn server_user(home: &Path) -> Result<Option<User>, Error> {
    if !program::runs_as_root() {
        if program::user_has_a_name() {
            return Ok(None);
        }
        return Err(Error::NamelessUser { uid: program::id(&["-u"]).unwrap_or_default() });
    }
    if let Ok(owner) = fs::metadata(home)
        && owner.uid() != 0
    {
        return Ok(Some(User { uid: owner.uid(), gid: owner.gid() }));
    }
    let named = |name: &str| Some(User { uid: program::id(&["-u", name])?, gid: program::id(&["-g", name])? });
    let user = named("postgres").or_else(|| named("nobody"));
    user.map(Some).ok_or(Error::NamelessUser { uid: 0 })
}

/// Beside the data, or, where that path is too long for a socket, a short one that the data's path determines.
fn socket_dir(root: &Path, home: &Path) -> PathBuf {
    let near = home.join("socket");
    let path = near.join(format!(".s.PGSQL.{PORT}.lock"));
    if path.as_os_str().len() <= LONGEST_SOCKET_PATH {
        return near;
    }
    let digest = hex::encode(&Sha256::digest(root.as_os_str().as_bytes())[..8]);
    PathBuf::from("/tmp").join(format!("stagegate-{digest}"))
}

/// An existing folder is left as it is: [`Layout::check`] looks at what matters.
fn make_dir(path: &Path, mode: u32, owner: Option<User>) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|source| file_error("making", parent, source))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(source) => return Err(file_error("making", path, source)),
    }
    if let Some(User { uid, gid }) = owner {
        chown(path, Some(uid), Some(gid)).map_err(|source| file_error("giving away", path, source))?;
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|source| file_error("protecting", path, source))
}

/// An error that names the file.
pub fn file_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::File { action, path: path.to_owned(), source }
}
