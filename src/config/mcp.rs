//! Settings of `stagegate mcp`.

use clap::Args;

use super::secret::Secret;

/// Settings of `stagegate mcp`.
#[derive(Clone, Debug, Args)]
pub struct Mcp {
    /// URL of the service.
    #[arg(long, env = "STAGEGATE_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub url: String,
    /// The partner's key that the agent works with. Its scopes decide which tools there are; an agent
    /// that does work needs `work` and nothing more. Better given in the environment than as an
    /// argument, which other people on the machine can see.
    #[arg(
        long,
        env = "STAGEGATE_KEY",
        default_value = "",
        hide_default_value = true,
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub key: Secret,
    /// Also offer the tools `approve` and `reject`. They need a key with the scope `review` that is
    /// bound to one person, who is then responsible for what the agent decides.
    #[arg(long)]
    pub reviewer: bool,
}
