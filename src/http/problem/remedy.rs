//! What a caller, or an operator, can do about each problem.

use super::Code;

impl Code {
    /// What to do about it, in one or two sentences.
    #[rustfmt::skip]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::InvalidJson | Self::InvalidParameter | Self::InvalidBody | Self::UnsupportedMediaType | Self::UnsupportedTransferEncoding =>
                "Correct the request. `errors`, where present, says where. The same request again gets the same answer.",
            Self::TwoCredentials => "Send one credential, in `Authorization` or in `X-AITasker-Key`.",
            Self::Unauthorized => "Send a valid credential. If it has expired or was revoked, get another one.",
            Self::Forbidden => "Use the credential of a party that the operation is open to; `x-parties` in the contract names them.",
            Self::KeyScope => "Use a key with the scope. A key with the scope `define` can make one that reaches no further than itself.",
            Self::WrongParty => "Wait until it is your turn: `GET /tasks/{id}/why` says whom the task waits on.",
            Self::KeyActor => "Name an actor whom the key is bound to, or use a key of that actor.",
            Self::KeyUnbound => "Use a key that is bound to the actor, or let the person decide by a link.",
            Self::NotAReviewer | Self::SelfApproval | Self::NotDistinct | Self::SecondPerson =>
                "Let another person decide. `GET /tasks/{id}/why?actor=…` says what an actor can do.",
            Self::ReviewersFixed => "Register a version of the workflow with other reviewers; new tasks get it.",
            Self::HeldByOther => "Ask the party that holds the task, or the platform, to resume it.",
            Self::ResolutionNotAllowed => "Choose another resolution, or let the platform decide.",
            Self::NotFound => "Check the path and the id, and that the credential belongs to the party that the resource belongs to.",
            Self::NoCheckpoint | Self::NotLogged => "Wait a minute and try again. If you kept such a checkpoint, tell the auditor.",
            Self::MethodNotAllowed => "Use one of the methods in `Allow`.",
            Self::SlowBody => "Send the request again, faster.",
            Self::WrongCell => "Send the request to the cell that the header names, or correct the header.",
            Self::PartnerExists => "Choose another id, or send the name that the partner was added with.",
            Self::TaskExists | Self::EventIdReused | Self::ErasureIdReused =>
                "Send a new command under a new id. To repeat the old one, send it unchanged.",
            Self::Claimed => "Choose another task, or send `take_over`. A claim blocks no vote.",
            Self::AlreadyVoted => "Nothing: the vote counts.",
            Self::AlreadyDecided | Self::RoundMismatch | Self::StaleRevision | Self::StageMismatch | Self::WrongPhase | Self::StaleEscalation | Self::StaleQuestion
            | Self::PreconditionFailed => "Read the task again, and decide anew on what you find.",
            Self::AlreadyCancelling | Self::Cancelling | Self::TaskClosed => "Stop: nothing more has an effect on this task.",
            Self::SubmissionNotOpen => "Wait for the decision. If the task returns, submit then.",
            Self::UnansweredFeedback => "Add an answer for each item that `errors` names, and send the submission again.",
            Self::QuestionOpen => "Wait for the answer, or withdraw the open question.",
            Self::NothingToReturnTo | Self::RedirectLimit => "Resolve the escalation another way.",
            Self::LimitReached => "Remove what is not needed any more, where that is possible, or ask the platform.",
            Self::NothingToDecide => "Make the link later, when the actor has something to decide, or for another actor.",
            Self::TaskArchived => "Ask the platform for the file, and compare its SHA-256. `stagegate audit verify` proves what is in it.",
            Self::CursorExpired | Self::FeedRestored => "Read the feed from the start, and skip events whose `id` you have.",
            Self::PayloadTooLarge | Self::TargetTooLong | Self::HeaderTooLarge | Self::AnswerTooLarge => "Send or ask for less at a time.",
            Self::WorkflowUnavailable => "Name a workflow and a version that the partner has registered and not retired.",
            Self::TooManyAtOnce | Self::TooManyRequests | Self::Overloaded | Self::Timeout | Self::Unavailable =>
                "Wait for `Retry-After` seconds, then send the same request again, with the same `id`.",
            Self::Behind => "Wait for `Retry-After` seconds, then send the same request again, or send it to a replica on the primary.",
            Self::ReadOnly => "Send the request to a replica on the primary. Behind a balancer, its operator must send what writes there.",
            Self::Internal => "Send the same request again later, with the same `id`. If it goes on, tell the operator the `request_id`.",
            Self::TrailDamaged => "Tell the operator. Keep the exports and checkpoints that you have.",
            Self::NoAuditKey | Self::NoPublicUrl => "Ask the operator to configure it.",
            Self::Draining | Self::DatabaseUnreachable | Self::DatabaseReadOnly | Self::DatabaseNotMigrated | Self::DatabaseNotConfined | Self::DatabaseOfOtherCell | Self::WorkerStill
            | Self::ClockWrong => "For operators: balancers send nothing to this replica until `/ready` answers with 200 again.",
        }
    }
}
