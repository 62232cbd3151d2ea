//! The folders of the private Postgres: their owners, and a socket path that is short enough.

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

/// The longest path that is used. The kernel allows 104 (macOS) to 108 (Linux) bytes for a socket.
const LONGEST_SOCKET_PATH: usize = 99;

/// The paths and the user of the server.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The configured folder, owned by the user of this process.
    pub root: PathBuf,
    /// The folder that the server's user owns. It holds the next two.
    pub home: PathBuf,
    /// `PGDATA`.
    pub cluster: PathBuf,
    /// The server's log.
    pub log: PathBuf,
    /// The folder of the socket. Only its owner and root can enter it.
    pub socket_dir: PathBuf,
    /// Held by a process that starts or stops the server.
    pub start_lock: PathBuf,
    /// Held by every process that uses the server.
    pub users_lock: PathBuf,
    /// The user that runs the server; `None` for the user of this process.
    pub user: Option<User>,
}

impl Layout {
    /// Creates the missing folders in `root`. The caller holds the start lock.
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

    /// The major version that created the data; `None` before the first start.
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

/// Creates the data directory, which holds the locks.
pub fn make_root(data_dir: &Path) -> Result<PathBuf, Error> {
    let root = std::path::absolute(data_dir).map_err(|source| file_error("resolving", data_dir, source))?;
    // As root, the server's user must be able to pass through.
    make_dir(&root, if program::runs_as_root() { 0o711 } else { 0o700 }, None)?;
    Ok(root)
}

/// The file that a process locks to start or stop the server.
pub fn start_lock(root: &Path) -> PathBuf {
    root.join("start.lock")
}

/// As root: the user who already owns the data, else `postgres`, else `nobody`.
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

/// Places the socket beside the data. If that path is too long for a socket, uses a short one
/// derived from the data's path.
fn socket_dir(root: &Path, home: &Path) -> PathBuf {
    let near = home.join("socket");
    let path = near.join(format!(".s.PGSQL.{PORT}.lock"));
    if path.as_os_str().len() <= LONGEST_SOCKET_PATH {
        return near;
    }
    let digest = hex::encode(&Sha256::digest(root.as_os_str().as_bytes())[..8]);
    PathBuf::from("/tmp").join(format!("stagegate-{digest}"))
}

/// Creates a folder. An existing one is left as it is: [`Layout::check`] looks at what matters.
fn make_dir(path: &Path, mode: u32, owner: Option<User>) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|source| file_error("making", parent, source))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        // Another process created it first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(source) => return Err(file_error("making", path, source)),
    }
    if let Some(User { uid, gid }) = owner {
        chown(path, Some(uid), Some(gid)).map_err(|source| file_error("giving away", path, source))?;
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|source| file_error("protecting", path, source))
}

/// Creates an error that names the file.
pub fn file_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::File { action, path: path.to_owned(), source }
}
