//! Settings of `stagegate link`.

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::remote::Remote;

/// Settings of `stagegate link`.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = false, subcommand_negates_reqs = true)]
pub struct Link {
    /// What to do; without a command: make a link and print its address.
    #[command(subcommand)]
    pub command: Option<LinkCommand>,
    /// The link to make.
    #[command(flatten)]
    pub new: NewLinkArguments,
    /// The service.
    #[command(flatten)]
    pub remote: Remote,
}

/// What to do with links.
#[derive(Clone, Debug, Subcommand)]
pub enum LinkCommand {
    /// End links and their sessions: one, or those of a person or about a task.
    Revoke(RevokeArguments),
}

/// The link to make.
#[derive(Clone, Debug, Args)]
pub struct NewLinkArguments {
    /// Where it leads: decide, task, inbox or console.
    #[arg(long, required = true, value_name = "WHERE")]
    pub to: Option<String>,
    /// The task.
    #[arg(long, value_name = "ID")]
    pub task: Option<String>,
    /// The id of the person, as the party names it.
    #[arg(long, value_name = "ID")]
    pub actor: Option<String>,
    /// The person's name.
    #[arg(long, requires = "actor", value_name = "NAME")]
    pub name: Option<String>,
    /// The person's role.
    #[arg(long, requires = "actor", value_name = "ROLE")]
    pub role: Option<String>,
    /// `buyer`: for the task's buyer; from the platform only.
    #[arg(long, value_name = "PARTY")]
    pub party: Option<String>,
    /// How it is opened: `click` or `at_once`.
    #[arg(long, value_name = "HOW")]
    pub open: Option<String>,
    /// How long it lives, such as PT72H.
    #[arg(long, value_name = "DURATION")]
    pub expires_in: Option<String>,
    /// How long each session lives, such as PT1H.
    #[arg(long, value_name = "DURATION")]
    pub session_for: Option<String>,
    /// A console that may change webhooks, workflows and links.
    #[arg(long)]
    pub manage: bool,
    /// The language of the pages, such as de.
    #[arg(long, value_name = "TAG")]
    pub language: Option<String>,
    /// The time zone of the pages, such as Europe/Berlin.
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
}

/// Whose links to end.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct RevokeArguments {
    /// One link, by its id.
    #[arg(long = "link", value_name = "ID")]
    pub link: Option<Uuid>,
    /// Those of a person.
    #[arg(long = "actor", value_name = "ID")]
    pub actor: Option<String>,
    /// Those about a task.
    #[arg(long = "task", value_name = "ID")]
    pub task: Option<String>,
}
