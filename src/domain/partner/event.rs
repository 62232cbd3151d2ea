//! Events of a partner outside its tasks: keys, workflows, links, absences, erasures and exports. They
//! form a trail of the partner's own, built like a task's; the stored shape is a contract.
//! `trail.rs` declares who may see what.

use serde::{Deserialize, Serialize};

use crate::domain::link::LinkKind;
use crate::domain::task::refusal::Refusal;
use crate::domain::values::event_type::event_types;
use crate::domain::values::id::{ActorId, CredentialId, ErasureId, KeyId, LinkId, TaskId, WorkflowKey};
use crate::domain::values::party::{Party, Source};
use crate::domain::values::scope::{Scope, Scopes};
use crate::domain::values::text::Name;
use crate::domain::values::time::Time;

/// One row of a partner's trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerEvent {
    /// Consecutive number per partner, from 1, without gaps.
    pub seq: u64,
    /// Who did it.
    pub party: Source,
    /// The credential that was used; none for the service.
    pub credential_id: Option<CredentialId>,
    /// When it was recorded; never goes backwards within a partner.
    pub recorded_at: Time,
    /// What happened.
    pub fact: PartnerFact,
}

/// The author of an entry in a partner's trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The party, or the service itself.
    pub party: Source,
    /// The party's credential.
    pub credential_id: Option<CredentialId>,
}

/// The end of a partner's trail, as far as the next event depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest {
    /// The `seq` of the last event.
    pub seq: u64,
    /// When it was recorded.
    pub recorded_at: Time,
}

event_types! {
    /// What happened, by type, with the fields of that type.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum PartnerFact {
        /// The platform added the partner. Always the first event.
        #[serde(rename = "partner.created")]
        Created {},
        /// A key was created.
        #[serde(rename = "partner.key_created")]
        KeyCreated {
            /// The key.
            key_id: KeyId,
            /// Its first characters.
            hint: String,
            /// What it is for, in the words of whoever made it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            label: Option<Name>,
            /// What it may do.
            #[serde(default = "every_scope")]
            scopes: Vec<Scope>,
            /// The people that it is bound to; absent: none.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            actors: Option<Vec<ActorId>>,
            /// When it expires; absent: never. Its expiry is not recorded as an event.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            expires_at: Option<Time>,
        },
        /// A key was revoked.
        #[serde(rename = "partner.key_revoked")]
        KeyRevoked {
            /// The key.
            key_id: KeyId,
        },
        /// A version of a workflow was registered.
        #[serde(rename = "partner.workflow_registered")]
        WorkflowRegistered {
            /// The workflow.
            key: WorkflowKey,
            /// The version.
            version: u32,
            /// SHA-256 of the canonical definition, in hex.
            digest: String,
        },
        /// A workflow was retired: it takes no new tasks.
        #[serde(rename = "partner.workflow_retired")]
        WorkflowRetired {
            /// The workflow.
            key: WorkflowKey,
        },
        /// A retired workflow was registered again and takes tasks.
        #[serde(rename = "partner.workflow_restored")]
        WorkflowRestored {
            /// The workflow.
            key: WorkflowKey,
        },
        /// The erasure of a person's data was requested. No trail says whose data it is.
        #[serde(rename = "partner.erasure_requested")]
        ErasureRequested {
            /// The erasure.
            erasure_id: ErasureId,
            /// The party whose actor it is.
            party: Party,
        },
        /// The erasure is complete.
        #[serde(rename = "partner.erasure_completed")]
        ErasureCompleted {
            /// The erasure.
            erasure_id: ErasureId,
            /// The party whose actor it was.
            party: Party,
            /// The number of the partner's tasks in which something was removed.
            tasks: u64,
            /// The number of fields removed there.
            fields: u64,
            /// The `seq` of every entry of this trail that lost a field, in order; absent: none did.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            entries: Vec<u64>,
        },
        /// The partner's trails were exported. The event's party and credential say by whom.
        #[serde(rename = "partner.exported")]
        Exported {
            /// The workflow whose tasks were exported; absent: all workflows.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            workflow: Option<WorkflowKey>,
            /// The start of the exported period, inclusive; absent: from the first task.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            from: Option<Time>,
            /// The end of the exported period, exclusive; absent: to the last task.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            until: Option<Time>,
            /// The number of tasks.
            tasks: u64,
            /// The number of entries in their trails.
            entries: u64,
        },
        /// Tasks that were closed for long were put away: their trails are files of the operator's
        /// archive, and the service has nothing else of them.
        #[serde(rename = "partner.tasks_archived")]
        TasksArchived {
            /// The tasks, in the order of their ids.
            archived: Vec<ArchivedTrail>,
        },
        /// A link to an inbox or a console was made. Links to one task are not recorded here: what
        /// is done through them is in the task's trail.
        #[serde(rename = "partner.link_created")]
        LinkCreated {
            /// The link.
            link_id: LinkId,
            /// Where it leads.
            to: LinkKind,
            /// The person whose link it is; absent once erased.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            actor: Option<ActorId>,
            /// Whether the console may change something.
            manage: bool,
            /// From when on it does not open. Its expiry is not recorded as an event.
            expires_at: Time,
        },
        /// Such a link was ended, with its sessions.
        #[serde(rename = "partner.link_ended")]
        LinkEnded {
            /// The link.
            link_id: LinkId,
        },
        /// The links of a person, or those about a task, were ended, of every kind.
        #[serde(rename = "partner.links_revoked")]
        LinksRevoked {
            /// The person; absent for a task.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            actor: Option<ActorId>,
            /// The task; absent for a person.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            task_id: Option<TaskId>,
            /// The number of links.
            links: u64,
        },
        /// The absence of a person was set, in place of an earlier one. Its end is not recorded as an
        /// event.
        #[serde(rename = "partner.absence_set")]
        AbsenceSet {
            /// Who is absent; absent once erased.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            actor: Option<ActorId>,
            /// From when on.
            from: Time,
            /// Until when.
            until: Time,
            /// Who stands in; absent: nobody does.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            substitute: Option<ActorId>,
        },
        /// The absence of a person was removed before its end.
        #[serde(rename = "partner.absence_removed")]
        AbsenceRemoved {
            /// Who was absent; absent once erased.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            actor: Option<ActorId>,
        },
    }
}

/// The trail of a task that was put away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedTrail {
    /// The task.
    pub task_id: TaskId,
    /// The `seq` of the last entry. The leaf of the log for this entry has its hash.
    pub seq: u64,
    /// The SHA-256 of the file that has the trail, in hex.
    pub sha256: String,
}

fn every_scope() -> Vec<Scope> {
    Scopes::all().into()
}

/// The events that record `facts` after `latest` (none for a new partner). All get one time: `now`,
/// or the time of the last event if that is later.
pub fn record(latest: Option<Latest>, author: &Author, facts: Vec<PartnerFact>, now: Time) -> Vec<PartnerEvent> {
    let (last, recorded_at) = latest.map_or((0, now), |latest| (latest.seq, now.max(latest.recorded_at)));
    let event = |(fact, seq)| PartnerEvent {
        seq,
        party: author.party,
        credential_id: author.credential_id.clone(),
        recorded_at,
        fact,
    };
    facts.into_iter().zip(last + 1..).map(event).collect()
}

/// The latest registration under a workflow's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The latest version.
    pub version: u32,
    /// Its digest.
    pub digest: [u8; 32],
    /// Whether the workflow is retired.
    pub is_retired: bool,
}

/// Maximum number of workflows of a partner, including retired ones.
pub const MAX_WORKFLOWS: u32 = 500;
/// Maximum number of versions of a workflow.
pub const MAX_VERSIONS: u32 = 1_000;
/// Maximum number of valid keys that a partner can have at a time.
pub const MAX_VALID_KEYS: u32 = 20;
/// Maximum number of keys that a partner can ever create. Revoked keys count because the trail still names
/// them.
pub const MAX_KEYS: u32 = 1_000;

/// Registers a definition with this digest for a partner that has `workflows` workflows. Returns
/// its version and the fact to record, if any: none if the latest version is identical and not
/// retired.
///
/// # Errors
///
/// When the limit of workflows, or of versions of this workflow, is reached.
pub fn register(
    known: Option<Registered>,
    workflows: u32,
    key: &WorkflowKey,
    digest: [u8; 32],
) -> Result<(u32, Vec<PartnerFact>), Refusal> {
    let same = known.filter(|known| known.digest == digest);
    let version = same.map_or_else(|| known.map_or(1, |known| known.version + 1), |same| same.version);
    if known.is_none() && workflows >= MAX_WORKFLOWS {
        return Err(Refusal::LimitReached("a partner can have at most 500 workflows, including retired ones"));
    }
    if same.is_none() && version > MAX_VERSIONS {
        return Err(Refusal::LimitReached("a workflow can have at most 1,000 versions"));
    }
    let registered = PartnerFact::WorkflowRegistered { key: key.clone(), version, digest: hex::encode(digest) };
    let restored = PartnerFact::WorkflowRestored { key: key.clone() };
    let facts = [same.is_none().then_some(registered), known.is_some_and(|known| known.is_retired).then_some(restored)];
    Ok((version, facts.into_iter().flatten().collect()))
}

/// Whether a partner with this number of keys, `valid` ones and `all`, may create another.
///
/// # Errors
///
/// When one of the two limits is reached.
pub fn may_have_another_key(valid: u32, all: u32) -> Result<(), Refusal> {
    if valid >= MAX_VALID_KEYS {
        return Err(Refusal::LimitReached("a partner can have at most 20 valid keys; revoke one that is unused"));
    }
    if all >= MAX_KEYS {
        return Err(Refusal::LimitReached("a partner can create at most 1,000 keys in total, including revoked ones"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_partner_has_is_limited() {
        let key = WorkflowKey::parse("k").unwrap();
        let known = |version, byte| Some(Registered { version, digest: [byte; 32], is_retired: true });
        let table = [
            (None, MAX_WORKFLOWS - 1, true),
            (None, MAX_WORKFLOWS, false),
            (known(MAX_VERSIONS - 1, 8), MAX_WORKFLOWS, true),
            (known(MAX_VERSIONS, 8), 1, false),
            // Registering the same definition again restores it.
            (known(MAX_VERSIONS, 7), MAX_WORKFLOWS, true),
        ];
        for (known, workflows, may) in table {
            let registered = register(known, workflows, &key, [7; 32]);
            assert_eq!(registered.is_ok(), may, "{known:?} of {workflows}: {registered:?}");
        }
        for (valid, all, may) in [(0, 0, true), (19, 999, true), (20, 20, false), (0, 1_000, false)] {
            assert_eq!(may_have_another_key(valid, all).is_ok(), may, "{valid} of {all}");
        }
    }

    #[test]
    fn only_what_a_registration_changes_is_recorded() {
        let key = WorkflowKey::parse("k").unwrap();
        let known = |version, byte, is_retired| Some(Registered { version, digest: [byte; 32], is_retired });
        let table = [
            (None, 1, &["partner.workflow_registered"][..]),
            (known(3, 7, false), 3, &[]),
            (known(3, 7, true), 3, &["partner.workflow_restored"]),
            (known(3, 8, false), 4, &["partner.workflow_registered"]),
            (known(3, 8, true), 4, &["partner.workflow_registered", "partner.workflow_restored"]),
        ];
        for (known, version, recorded) in table {
            let (now, facts) = register(known, MAX_WORKFLOWS - 1, &key, [7; 32]).unwrap();
            assert_eq!((now, facts.iter().map(PartnerFact::kind).collect::<Vec<_>>()), (version, recorded.to_vec()));
        }
    }

    #[test]
    fn the_times_of_a_trail_never_go_backwards() {
        let author = Author { party: Source::Service, credential_id: None };
        let times = |latest, now| {
            let latest = Some(Latest { seq: 4, recorded_at: Time::from_micros(latest) });
            let facts = vec![PartnerFact::Created {}, PartnerFact::Created {}];
            let events = record(latest, &author, facts, Time::from_micros(now));
            events.iter().map(|event| (event.seq, event.recorded_at.micros())).collect::<Vec<_>>()
        };
        assert_eq!(times(100, 99), [(5, 100), (6, 100)]);
        assert_eq!(times(100, 101), [(5, 101), (6, 101)]);
    }
}
