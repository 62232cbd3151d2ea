//! Credentials of callers, and the keys that sign checkpoints and receipts.

use clap::Args;

use super::secret::Secret;

/// Credentials of callers.
#[derive(Clone, Debug, Args)]
pub struct Credentials {
    /// The platform's keys, comma-separated; several may be valid at the same time. `NAME=KEY`
    /// binds a key to the person NAME.
    #[arg(long, env = "STAGEGATE_PLATFORM_KEYS", hide_env_values = true, value_delimiter = ',', value_name = "KEY")]
    platform_keys: Vec<Secret>,
    /// The HS256 secret of buyers' tokens.
    #[arg(long, env = "STAGEGATE_BUYER_JWT_SECRET", hide_env_values = true, value_name = "SECRET")]
    buyer_jwt_secret: Option<Secret>,
    /// The public keys of buyers' tokens (ES256, RS256, `EdDSA`): file or URL of a JWKS. HS256
    /// tokens are then refused.
    #[arg(long, env = "STAGEGATE_BUYER_JWKS", value_name = "FILE|URL")]
    buyer_jwks: Option<String>,
    /// The required `aud` of buyers' tokens. Empty: not checked.
    #[arg(long, env = "STAGEGATE_BUYER_JWT_AUDIENCE", default_value = "authenticated", value_name = "AUDIENCE")]
    buyer_jwt_audience: String,
    /// The required `iss` of buyers' tokens. Unset: not checked.
    #[arg(long, env = "STAGEGATE_BUYER_JWT_ISSUER", value_name = "ISSUER")]
    buyer_jwt_issuer: Option<String>,
}

/// The keys for checkpoints and receipts.
#[derive(Clone, Debug, Args)]
pub struct AuditKeys {
    /// The private key that signs checkpoints and receipts, the same in every replica.
    /// `stagegate keys --new` creates one. Unset: there are no checkpoints and receipts.
    #[arg(long, env = "STAGEGATE_AUDIT_KEY", hide_env_values = true, value_name = "KEY")]
    audit_key: Option<Secret>,
    /// Earlier public keys of checkpoints and receipts, as /.well-known/stagegate-audit-key served
    /// them, comma-separated.
    #[arg(long, env = "STAGEGATE_AUDIT_OLD_KEYS", value_delimiter = ',', value_name = "KEY")]
    audit_old_keys: Vec<String>,
}

impl Credentials {
    /// The platform's keys.
    pub fn platform_keys(&self) -> impl Iterator<Item = &Secret> {
        self.platform_keys.iter().filter(|key| !key.expose().is_empty())
    }

    /// The HS256 secret of buyers' tokens.
    pub fn buyer_jwt_secret(&self) -> Option<&Secret> {
        self.buyer_jwt_secret.as_ref().filter(|secret| !secret.expose().is_empty())
    }

    /// File or URL of a JWKS.
    pub fn buyer_jwks(&self) -> Option<&str> {
        self.buyer_jwks.as_deref().filter(|jwks| !jwks.is_empty())
    }

    /// The required `aud` of buyers' tokens; `None`: not checked.
    pub fn buyer_jwt_audience(&self) -> Option<&str> {
        Some(self.buyer_jwt_audience.as_str()).filter(|audience| !audience.is_empty())
    }

    /// The required `iss` of buyers' tokens; `None`: not checked.
    pub fn buyer_jwt_issuer(&self) -> Option<&str> {
        self.buyer_jwt_issuer.as_deref().filter(|issuer| !issuer.is_empty())
    }
}

impl AuditKeys {
    /// The private key.
    pub fn audit_key(&self) -> Option<&Secret> {
        self.audit_key.as_ref().filter(|key| !key.expose().is_empty())
    }

    /// The earlier public keys.
    pub fn audit_old_keys(&self) -> impl Iterator<Item = &str> {
        self.audit_old_keys.iter().map(|key| key.trim()).filter(|key| !key.is_empty())
    }
}
