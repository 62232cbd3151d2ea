//! Receipts: one entry of a trail, as one party may see it, signed. The holder can prove with only
//! the public key what was recorded, without the service and without the rest of the trail.
//!
//! A receipt is a compact JWS (RFC 7515): `<header>.<payload>.<signature>`, each base64url without
//! padding. The header is `{"alg":"EdDSA","kid":"<name>+<id>","typ":"stagegate-receipt+jwt"}`, byte
//! for byte, where `kid` is the beginning of the verifier key line ([`super::signed_note`]); the payload
//! is [`Receipt`] as RFC 8785 text; the signature (RFC 8032) is over `<header>.<payload>`. It has
//! no randomness and no time of issue: the same entry gives the same party the same receipt, as
//! long as the key is the same and nothing in the entry was erased. A payload in another form, or
//! one that names a revision without its digest, is refused even if it is signed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::{Deserialize, Serialize};

use crate::domain::task::Verdict;
use crate::domain::task::command::CommandType;
use crate::domain::task::event::{Event, Fact, Resolution};
use crate::domain::trail::Hash;
use crate::domain::values::id::{StageKey, TaskId};
use crate::domain::values::party::{Party, Source};
use crate::domain::values::time::Time;

use super::signed_note::{KeyName, SignerKey, VerifierKey};
use super::view::{ActorView, view};

/// The content of a receipt. Null where there is no value, or where the party may not see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The person or program, as far as the party may see it.
    pub actor: Option<ActorView>,
    /// The decision, if the entry is one.
    pub decision: Option<Ruling>,
    /// The hash of the entry, which covers everything before it.
    pub head: Hash,
    /// The name of the signing key, which is the origin of the log.
    pub iss: String,
    /// The party, or the service, that the entry is from.
    pub party: Source,
    /// When it was recorded.
    pub recorded_at: Time,
    /// The revision of the work that it is about; for an entry that names none, the latest at that
    /// time. 0: no work was submitted.
    pub revision: u32,
    /// The hash of the entry that recorded that submission, which covers every artifact; null for
    /// revision 0.
    pub revision_digest: Option<Hash>,
    /// The round of the stage.
    pub round: Option<u32>,
    /// The entry's position in the task's trail.
    pub seq: u64,
    /// The key of the stage.
    pub stage: Option<StageKey>,
    /// The task.
    pub task: TaskId,
    /// What happened, such as `task.stage_approved`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// The stage was approved.
    Approved,
    /// The stage was rejected.
    Rejected,
    /// A party was asked to decide.
    Escalated,
    /// That party returned it to the reviewers with advice.
    Returned,
    /// That party passed the decision on to another.
    Redirected,
}

/// Why a receipt is not trustworthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It does not have the form of a receipt.
    #[error("it is not a receipt")]
    Form,
    /// It names a key that is not one of those given.
    #[error("it is signed by none of the keys given")]
    Unknown,
    /// The key that it names did not sign this content.
    #[error("its signature does not fit what it says")]
    Signature,
    /// It names another issuer than its key does.
    #[error("it names another issuer than its key does")]
    Issuer,
}

/// The data of an entry that a receipt needs.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The task.
    pub task_id: TaskId,
    /// What happened.
    pub event: &'a Event,
    /// The hash of the entry.
    pub hash: Hash,
    /// The hashes of the entries that recorded the submissions up to this one, in order: revision n
    /// has the n-th.
    pub submissions: &'a [Hash],
}

#[derive(Serialize)]
struct Header {
    alg: &'static str,
    kid: String,
    typ: &'static str,
}

impl Receipt {
    /// The receipt of an entry for `viewer`; `None` if it may not see the entry, or the entry names
    /// a revision that does not exist.
    pub fn new(issuer: &KeyName, row: Row<'_>, viewer: Party) -> Option<Self> {
        let seen = view(row.event, Some(&row.hash), viewer);
        let revision = match revision(&row.event.fact) {
            Some(revision) => revision,
            None => u32::try_from(row.submissions.len()).ok()?,
        };
        let revision_digest = match revision.checked_sub(1) {
            Some(before) => Some(*row.submissions.get(usize::try_from(before).ok()?)?),
            None => None,
        };
        Some(Self {
            actor: seen.actor,
            decision: ruling(&row.event.fact),
            head: row.hash,
            iss: issuer.as_str().to_owned(),
            party: seen.party?,
            recorded_at: seen.recorded_at?,
            revision,
            revision_digest,
            round: seen.round,
            seq: seen.seq,
            stage: seen.stage,
            task: row.task_id,
            kind: seen.kind?.to_owned(),
        })
    }

    /// The signed receipt.
    pub fn sign(&self, signer: &SignerKey) -> String {
        let payload = serde_json_canonicalizer::to_vec(self).expect("a receipt has no number that JSON cannot say");
        let said = format!("{}.{}", header(signer.verifier()), BASE64URL.encode(payload));
        let signature = BASE64URL.encode(signer.sign(said.as_bytes()));
        format!("{said}.{signature}")
    }

    /// Checks a receipt with nothing but public keys and returns its content.
    pub fn verify(receipt: &str, keys: &[VerifierKey]) -> Result<Self, Error> {
        let mut parts = receipt.split('.');
        let (Some(head), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::Form);
        };
        // The header is compared, not parsed, so that its content cannot choose how it is checked.
        if BASE64URL.decode(head).is_err() {
            return Err(Error::Form);
        }
        let key = keys.iter().find(|key| header(key) == head).ok_or(Error::Unknown)?;
        let signature = BASE64URL.decode(signature).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(Error::Form)?;
        if !key.verifies(&receipt.as_bytes()[..=head.len() + payload.len()], &signature) {
            return Err(Error::Signature);
        }
        let said = Self::parse(&BASE64URL.decode(payload).map_err(|_| Error::Form)?)?;
        if said.iss == key.name().as_str() { Ok(said) } else { Err(Error::Issuer) }
    }

    /// Reads a receipt's content without proving anything: only its form is checked.
    pub fn read(receipt: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Named {
            kid: String,
        }
        let parts: Vec<_> = receipt.split('.').collect();
        let [head, payload, signature] = parts[..] else { return Err(Error::Form) };
        let bytes = |part: &str| BASE64URL.decode(part).map_err(|_| Error::Form);
        let Named { kid } = serde_json::from_slice(&bytes(head)?).map_err(|_| Error::Form)?;
        let said = Self::parse(&bytes(payload)?)?;
        let issuer = kid.rsplit_once('+').ok_or(Error::Form)?.0.to_owned();
        KeyName::parse(issuer.as_str()).map_err(|_| Error::Form)?;
        if header_of(kid) != head || bytes(signature)?.len() != 64 {
            return Err(Error::Form);
        }
        if said.iss == issuer { Ok(said) } else { Err(Error::Issuer) }
    }

    /// Parses a payload, which must be the exact text that [`Receipt::sign`] writes for its
    /// content.
    fn parse(payload: &[u8]) -> Result<Self, Error> {
        let said: Self = serde_json::from_slice(payload).map_err(|_| Error::Form)?;
        let written = serde_json_canonicalizer::to_vec(&said).map_err(|_| Error::Form)?;
        let has_work = said.revision > 0;
        if written == payload && said.seq > 0 && has_work == said.revision_digest.is_some() {
            Ok(said)
        } else {
            Err(Error::Form)
        }
    }
}

fn header(key: &VerifierKey) -> String {
    header_of(key.id())
}

fn header_of(kid: String) -> String {
    let header = Header { alg: "EdDSA", kid, typ: "stagegate-receipt+jwt" };
    BASE64URL.encode(serde_json::to_string(&header).expect("three texts"))
}

/// The revision that an entry names.
fn revision(fact: &Fact) -> Option<u32> {
    match fact {
        Fact::WorkSubmitted { revision, .. } | Fact::StageApproved { revision, .. } => Some(*revision),
        Fact::VoteRecorded(vote) => Some(vote.revision),
        Fact::StageRejected(rejected) => Some(rejected.revision),
        Fact::StageEscalated(escalated) => Some(escalated.revision),
        Fact::QuestionAsked(asked) => Some(asked.revision),
        Fact::EscalationResolved(resolved) => Some(resolved.revision),
        Fact::LateDecisionRecorded(late) => late.revision,
        Fact::Opened(_)
        | Fact::StageEntered { .. }
        | Fact::StatusUpdated { .. }
        | Fact::QuestionAnswered(_)
        | Fact::QuestionClosed { .. }
        | Fact::ReviewersChanged(_)
        | Fact::DeadlineReminded { .. }
        | Fact::DeadlinePassed { .. }
        | Fact::Held { .. }
        | Fact::Resumed { .. }
        | Fact::CancellationRequested { .. }
        | Fact::ReviewWithdrawn {}
        | Fact::CancellationAcknowledged { .. }
        | Fact::WorkflowCompleted {}
        | Fact::WorkflowCancelled {}
        | Fact::WorkflowExpired {}
        | Fact::WorkflowFailed { .. }
        | Fact::PersonalDataErased(_) => None,
    }
}

fn ruling(fact: &Fact) -> Option<Ruling> {
    match fact {
        Fact::StageApproved { .. } => Some(Ruling::Approved),
        Fact::StageRejected(_) => Some(Ruling::Rejected),
        Fact::StageEscalated(_) => Some(Ruling::Escalated),
        Fact::EscalationResolved(resolved) => Some(resolved.resolution.into()),
        Fact::VoteRecorded(vote) => Some(match vote.decision {
            Verdict::Approved => Ruling::Approved,
            Verdict::Rejected => Ruling::Rejected,
        }),
        Fact::LateDecisionRecorded(late) => match late.command {
            CommandType::StageApproved => Some(Ruling::Approved),
            CommandType::StageRejected => Some(Ruling::Rejected),
            CommandType::WorkSubmitted
            | CommandType::StatusUpdated
            | CommandType::StageEscalated
            | CommandType::EscalationResolved
            | CommandType::QuestionAsked
            | CommandType::QuestionAnswered
            | CommandType::QuestionWithdrawn
            | CommandType::ReviewersChanged
            | CommandType::Held
            | CommandType::Resumed
            | CommandType::CancellationRequested
            | CommandType::CancellationAcknowledged => late.resolution.map(Ruling::from),
        },
        Fact::Opened(_)
        | Fact::StageEntered { .. }
        | Fact::WorkSubmitted { .. }
        | Fact::StatusUpdated { .. }
        | Fact::QuestionAsked(_)
        | Fact::QuestionAnswered(_)
        | Fact::QuestionClosed { .. }
        | Fact::ReviewersChanged(_)
        | Fact::DeadlineReminded { .. }
        | Fact::DeadlinePassed { .. }
        | Fact::Held { .. }
        | Fact::Resumed { .. }
        | Fact::CancellationRequested { .. }
        | Fact::ReviewWithdrawn {}
        | Fact::CancellationAcknowledged { .. }
        | Fact::WorkflowCompleted {}
        | Fact::WorkflowCancelled {}
        | Fact::WorkflowExpired {}
        | Fact::WorkflowFailed { .. }
        | Fact::PersonalDataErased(_) => None,
    }
}

impl From<Resolution> for Ruling {
    fn from(resolution: Resolution) -> Self {
        match resolution {
            Resolution::Approve => Self::Approved,
            Resolution::Reject => Self::Rejected,
            Resolution::Return => Self::Returned,
            Resolution::Redirect => Self::Redirected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> Receipt {
        Receipt {
            actor: Some(ActorView { id: Some("u-anna".to_owned().try_into().unwrap()), ..ActorView::default() }),
            decision: Some(Ruling::Approved),
            head: Hash::from_bytes([1; 32]),
            iss: "audit.example.com/stagegate".to_owned(),
            party: Source::Partner,
            recorded_at: Time::from_micros(1_800_000_000_000_000),
            revision: 1,
            revision_digest: Some(Hash::from_bytes([2; 32])),
            round: Some(1),
            seq: 7,
            stage: Some("legal".to_owned().try_into().unwrap()),
            task: TaskId(uuid::Uuid::nil()),
            kind: "task.stage_approved".to_owned(),
        }
    }

    fn signer(name: &str, seed: u8) -> SignerKey {
        SignerKey::new(KeyName::parse(name).unwrap(), [seed; 32])
    }

    /// Made once and kept, since receipts issued years ago must verify.
    const KEPT: &str = include_str!("receipt.jws");

    #[test]
    fn a_receipt_is_the_same_every_time_and_for_ever() {
        let signer = signer("audit.example.com/stagegate", 3);
        let text = receipt().sign(&signer);
        assert_eq!(text, KEPT.trim_end());
        assert_eq!(Receipt::verify(&text, &[signer.verifier().clone()]), Ok(receipt()));
        let part = |at: usize| String::from_utf8(BASE64URL.decode(text.split('.').nth(at).unwrap()).unwrap()).unwrap();
        let kid = signer.verifier().id();
        assert_eq!(part(0), format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"stagegate-receipt+jwt"}}"#));
        assert!(part(1).starts_with(r#"{"actor":{"id":"u-anna"},"decision":"approved","head":"0101"#), "{}", part(1));
    }

    #[test]
    fn any_change_is_noticed() {
        let signer = signer("audit.example.com/stagegate", 3);
        let (text, keys) = (receipt().sign(&signer), [signer.verifier().clone()]);
        for at in 0..text.len() {
            for bit in [0, 1, 4] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let forged = String::from_utf8(bytes).unwrap();
                assert!(Receipt::verify(&forged, &keys).is_err(), "bit {bit} of byte {at}");
            }
            assert!(Receipt::verify(&text[..at], &keys).is_err(), "cut at {at}");
        }
        for forged in [format!("{text}="), format!("{text}."), format!(" {text}"), format!("{text}\n")] {
            assert!(Receipt::verify(&forged, &keys).is_err(), "{forged}");
        }
    }

    #[test]
    fn a_header_cannot_choose_how_it_is_checked() {
        let signer = signer("audit.example.com/stagegate", 3);
        let (text, keys) = (receipt().sign(&signer), [signer.verifier().clone()]);
        let payload = text.split('.').nth(1).unwrap();
        let kid = signer.verifier().id();
        for header in [
            r#"{"alg":"none"}"#.to_owned(),
            format!(r#"{{"alg":"none","kid":"{kid}","typ":"stagegate-receipt+jwt"}}"#),
            format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"stagegate-receipt+jwt"}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"JWT"}}"#),
        ] {
            let text = format!("{}.{payload}", BASE64URL.encode(&header));
            let signature = BASE64URL.encode(signer.sign(text.as_bytes()));
            assert_eq!(Receipt::verify(&format!("{text}.{signature}"), &keys), Err(Error::Unknown), "{header}");
            assert_eq!(Receipt::verify(&format!("{text}."), &keys), Err(Error::Unknown), "{header}");
        }
    }

    #[test]
    fn it_counts_only_with_the_key_of_its_issuer() {
        let (ours, other) = (signer("audit.example.com/stagegate", 3), signer("audit.example.com/stagegate", 4));
        let keys = [ours.verifier().clone()];
        assert_eq!(Receipt::verify(&receipt().sign(&other), &keys), Err(Error::Unknown));
        assert_eq!(Receipt::verify(&receipt().sign(&ours), &[]), Err(Error::Unknown));
        let both = [other.verifier().clone(), ours.verifier().clone()];
        assert!(Receipt::verify(&receipt().sign(&ours), &both).is_ok(), "an older key, after a rotation");
        let foreign = Receipt { iss: "elsewhere".to_owned(), ..receipt() };
        assert_eq!(Receipt::verify(&foreign.sign(&ours), &keys), Err(Error::Issuer));
    }
}
