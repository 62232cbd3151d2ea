//! The credentials of a trial on the private database: created once, stored next to it, and shown
//! at every start.
//!
//! Only the owner can read the file. A production service never has one.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jsonwebtoken::{EncodingKey, Header};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::app::partners::Wanted;
use crate::app::{self, App, Caller, workflows};
use crate::config::Secret;
use crate::domain::audit::signed_note::{KeyName, SignerKey};
use crate::domain::partner::api_key::ApiKey;
use crate::domain::values::id::{CredentialId, WorkflowKey};
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;
use crate::ids;
use crate::terminal::{escaped, say};

/// The key of the trial's workflow.
pub const WORKFLOW: &str = "brand-campaign";

/// The definition of the trial's workflow.
pub const DEFINITION: &str = crate::domain::workflow::EXAMPLE;

/// Lifetime of the buyer's token. A new token is created at every start.
const TOKEN_LIFE_SECONDS: i64 = 365 * 24 * 60 * 60;

/// One credential for each party, and the secret that signs buyers' tokens.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Credentials {
    platform_key: String,
    buyer_jwt_secret: String,
    buyer_id: Uuid,
    buyer_token: String,
    partner: Option<Partner>,
}

#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
struct Partner {
    id: Uuid,
    key: String,
}

/// Why there are no trial credentials.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The credentials' file cannot be read or written.
    #[error("cannot read or write the trial credentials in {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The file has other contents. The error does not quote them, because they may be secret.
    #[error("{} does not contain trial credentials: remove it to get new ones", path.display())]
    Content {
        /// The file.
        path: PathBuf,
    },
    /// The audit key's file has other contents. The error does not quote them, because they may be
    /// secret.
    #[error("{} does not contain an audit key. Earlier signatures do not verify with another key, so restore the file; or, if you need no earlier checkpoints, remove it and the trial's database", path.display())]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// The trial's partner or workflow cannot be created.
    #[error("cannot create the trial's partner and workflow")]
    App(#[from] app::Error),
    /// The buyer's token cannot be signed.
    #[error("cannot sign the buyer's token")]
    Token(#[from] jsonwebtoken::errors::Error),
}

/// Creates everything that a trial starts with and that does not exist yet: credentials of all
/// three parties, and a workflow.
///
/// # Errors
///
/// When the credentials' file or the database fails.
pub async fn prepare(app: &Arc<App>, data_dir: &Path) -> Result<Credentials, Error> {
    let mut credentials = Credentials::load_or_create(data_dir, app.clock().now())?;
    if !credentials.has_partner(app).await? {
        let caller = Caller::Platform {
            credential_id: CredentialId::parse("trial").expect("a short word"),
            person: None,
            through: None,
        };
        let name = Name::parse("Trial partner").expect("a short name");
        let (partner, _) = app.partners.create_partner(&caller, None, name).await?;
        let key = app.partners.create_partner_key(&caller, partner.id, Wanted::default()).await?;
        let workflow = WorkflowKey::parse(WORKFLOW).expect("a sound key");
        let definition = serde_json::from_str(DEFINITION).expect("the trial's definition is JSON");
        let wanted = workflows::Wanted { dry_run: false, may_follow: &|_| true };
        app.workflows.register_workflow(&caller, (partner.id, &workflow), &definition, wanted).await?;
        credentials.keep_partner(data_dir, partner.id.0, key.secret.reveal().to_owned())?;
    }
    Ok(credentials)
}

impl Credentials {
    /// Whether the stored partner exists in the database, which may have been created anew.
    async fn has_partner(&self, app: &App) -> Result<bool, Error> {
        let Some(partner) = &self.partner else { return Ok(false) };
        match ApiKey::parse(&partner.key) {
            Some(key) => Ok(app.partners.resolve_key(&key).await?.is_some()),
            None => Ok(false),
        }
    }

    /// Loads the credentials from `data_dir`, or creates and stores new ones. The buyer's token is
    /// always new.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written.
    pub fn load_or_create(data_dir: &Path, now: Time) -> Result<Self, Error> {
        let mut credentials = match Self::load(data_dir)? {
            Some(credentials) => credentials,
            None => Self {
                platform_key: new_platform_key(),
                buyer_jwt_secret: new_jwt_secret(),
                buyer_id: ids::new(),
                buyer_token: String::new(),
                partner: None,
            },
        };
        credentials.buyer_token = buyer_token(&credentials.buyer_jwt_secret, credentials.buyer_id, now)?;
        credentials.save(data_dir)?;
        Ok(credentials)
    }

    /// Loads the credentials from `data_dir`, if there are any.
    ///
    /// # Errors
    ///
    /// When the file exists and cannot be read.
    pub fn load(data_dir: &Path) -> Result<Option<Self>, Error> {
        let path = file(data_dir);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::File { path, source }),
        };
        serde_json::from_str(&text).map(Some).map_err(|_| Error::Content { path })
    }

    /// Stores the partner that the service created for the trial.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn keep_partner(&mut self, data_dir: &Path, id: Uuid, key: String) -> Result<(), Error> {
        self.partner = Some(Partner { id, key });
        self.save(data_dir)
    }

    /// The platform's key.
    pub fn platform_key(&self) -> Secret {
        Secret::new(&self.platform_key)
    }

    /// The secret that signs buyers' tokens.
    pub fn buyer_jwt_secret(&self) -> Secret {
        Secret::new(&self.buyer_jwt_secret)
    }

    /// The buyer.
    pub fn buyer_id(&self) -> Uuid {
        self.buyer_id
    }

    /// The buyer's token.
    pub fn buyer_token(&self) -> Secret {
        Secret::new(&self.buyer_token)
    }

    /// The partner's id and key, once it exists.
    pub fn partner(&self) -> Option<(Uuid, Secret)> {
        self.partner.as_ref().map(|partner| (partner.id, Secret::new(&partner.key)))
    }

    /// Prints addresses, credentials and three calls to try, for the person who started the
    /// service.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn announce(&self, out: &mut impl Write, address: SocketAddr) -> io::Result<()> {
        let [platform_key, buyer_token] = [&self.platform_key, &self.buyer_token].map(|text| escaped(text));
        let buyer_id = self.buyer_id;
        writeln!(out, "\n  contract     http://{address}/docs\n  health       http://{address}/ready")?;
        writeln!(out, "  pages        `./run open` in a second terminal prints links for each party\n")?;
        writeln!(out, "This is a trial on a private database; in production, set DATABASE_URL. Its credentials:\n")?;
        writeln!(out, "  URL=http://{address}")?;
        writeln!(out, "  PLATFORM={platform_key}")?;
        let Some(Partner { id, key }) = &self.partner else {
            return writeln!(out, "  BUYER={buyer_token}  # buyer {buyer_id}\n");
        };
        let (task, key) = (ids::new(), escaped(key));
        writeln!(out, "  PARTNER={key}\n  BUYER={buyer_token}\n  TASK={task}\n")?;
        writeln!(
            out,
            "Paste them into a shell. Then the platform opens a task, the partner submits work and the buyer reads the status:\n"
        )?;
        writeln!(
            out,
            "  curl -sH \"Authorization: Bearer $PLATFORM\" -H 'Content-Type: application/json' $URL/api/v1/tasks \\\n    \
             -d '{{\"id\":\"'$TASK'\",\"partner_id\":\"{id}\",\"buyer_id\":\"{buyer_id}\",\
             \"workflow\":{{\"key\":\"{WORKFLOW}\"}},\"title\":\"Autumn campaign\"}}'"
        )?;
        writeln!(
            out,
            "  curl -sH \"X-AITasker-Key: $PARTNER\" -H 'Content-Type: application/json' $URL/api/v1/tasks/$TASK/events \\\n    \
             -d '{{\"type\":\"work_submitted\",\"actor\":{{\"id\":\"u-dora\"}},\"summary\":\"First draft\"}}'"
        )?;
        writeln!(out, "  curl -sH \"Authorization: Bearer $BUYER\" $URL/api/v1/tasks/$TASK/status\n")
    }

    /// Prints only the credentials, as shell variables.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        say!(out, "PLATFORM={}", self.platform_key)?;
        if let Some(Partner { id, key }) = &self.partner {
            say!(out, "PARTNER={key}")?;
            say!(out, "PARTNER_ID={id}")?;
        }
        say!(out, "BUYER={}", self.buyer_token)?;
        say!(out, "BUYER_ID={}", self.buyer_id)
    }

    /// Writes to a temporary file and renames it, so that concurrent readers see a complete file.
    fn save(&self, data_dir: &Path) -> Result<(), Error> {
        let path = file(data_dir);
        let unfinished = data_dir.join(format!("trial.{}.new", hex::encode(ids::random::<6>())));
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            fs::rename(&unfinished, &path)
        };
        write().map_err(|source| Error::File { path: path.clone(), source })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("buyer_id", &self.buyer_id).finish_non_exhaustive()
    }
}

/// The key of a trial's checkpoints and receipts: loaded from `data_dir`, or created.
///
/// # Errors
///
/// When its file cannot be read or written, or has other contents.
pub fn audit_key(data_dir: &Path) -> Result<SignerKey, Error> {
    let path = data_dir.join("audit.key");
    let failed = |source| Error::File { path: path.clone(), source };
    if !path.try_exists().map_err(failed)? {
        let name = KeyName::parse(format!("stagegate.invalid/trial/{}", hex::encode(ids::random::<6>())));
        let key = SignerKey::new(name.expect("a sound name"), ids::random());
        let unfinished = data_dir.join(format!("audit.{}.new", hex::encode(ids::random::<6>())));
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
            writeln!(file, "{}", key.reveal())?;
            // Unlike a rename, this does not replace a key that another service has just created.
            let linked = fs::hard_link(&unfinished, &path);
            fs::remove_file(&unfinished)?;
            linked.or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
        };
        write().map_err(failed)?;
    }
    let text = fs::read_to_string(&path).map_err(failed)?;
    SignerKey::parse(text.trim_end()).map_err(|_| Error::Key { path })
}

/// Creates a platform key for `STAGEGATE_PLATFORM_KEYS`.
pub fn new_platform_key() -> String {
    format!("platform_{}", hex::encode(ids::random::<24>()))
}

/// Creates a secret for buyers' tokens, for `STAGEGATE_BUYER_JWT_SECRET`.
pub fn new_jwt_secret() -> String {
    hex::encode(ids::random::<32>())
}

fn buyer_token(secret: &str, buyer: Uuid, now: Time) -> Result<String, jsonwebtoken::errors::Error> {
    let claims = serde_json::json!({
        "sub": buyer,
        "aud": "authenticated",
        "role": "authenticated",
        "iat": now.utc().timestamp(),
        "exp": now.utc().timestamp() + TOKEN_LIFE_SECONDS,
    });
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes()))
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("trial.json")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::{Credentials, Error};
    use crate::clock::Clock;
    use crate::ids;

    #[test]
    fn credentials_are_made_once_and_kept_from_others() {
        let dir = std::env::temp_dir().join(format!("stagegate-test_{}", ids::new()));
        fs::create_dir(&dir).unwrap();
        let now = Clock::system().now();
        let mut first = Credentials::load_or_create(&dir, now).unwrap();
        first.keep_partner(&dir, ids::new(), "ait_key".to_owned()).unwrap();
        let again = Credentials::load_or_create(&dir, now).unwrap();
        assert!(first == again);
        let files: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);

        fs::write(files[0].path(), "{\"platform_key\": \"planted\"}").unwrap();
        let error = Credentials::load(&dir).unwrap_err();
        assert!(matches!(error, Error::Content { .. }));
        assert!(!format!("{error} {error:?}").contains("planted"));
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn the_audit_key_is_made_once_and_kept_from_others() {
        let dir = std::env::temp_dir().join(format!("stagegate-test_{}", ids::new()));
        fs::create_dir(&dir).unwrap();
        // Several services start on one directory at once.
        let start = || {
            std::thread::scope(|scope| {
                let starting: Vec<_> = (0..8).map(|_| scope.spawn(|| super::audit_key(&dir).unwrap())).collect();
                starting.into_iter().map(|started| started.join().unwrap().reveal()).collect::<Vec<_>>()
            })
        };
        let keys = [start(), start()].concat();
        assert!(keys.iter().all(|key| *key == keys[0]));
        let files: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);

        fs::write(files[0].path(), "PRIVATE+KEY+planted").unwrap();
        let error = super::audit_key(&dir).unwrap_err();
        assert!(matches!(error, Error::Key { .. }) && !format!("{error} {error:?}").contains("planted"));
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn the_announcement_holds_what_its_calls_need() {
        let dir = std::env::temp_dir().join(format!("stagegate-test_{}", ids::new()));
        fs::create_dir(&dir).unwrap();
        let mut credentials = Credentials::load_or_create(&dir, Clock::system().now()).unwrap();
        credentials.keep_partner(&dir, ids::new(), "ait_key".to_owned()).unwrap();
        let mut out = Vec::new();
        credentials.announce(&mut out, "127.0.0.1:4711".parse().unwrap()).unwrap();
        let text = String::from_utf8(out).unwrap();
        for variable in ["URL", "PLATFORM", "PARTNER", "BUYER", "TASK"] {
            assert!(text.contains(&format!("  {variable}=")), "{variable} is set");
            assert!(text.contains(&format!("${variable}")), "{variable} is used");
        }
        fs::remove_dir_all(&dir).unwrap();
    }
}
