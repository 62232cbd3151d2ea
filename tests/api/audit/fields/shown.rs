//! What the doors show that do not show events, and what no event has.

/// Fields whose values can be searched for as they are.
pub const BY_VALUE: [&str; 4] = ["command_id", "credential_id", "data.definition", "data.workflow"];

/// The open questions.
const QUESTIONS: &[&str] = &[
    "question to the buyer",
    "question to the platform",
    "shared question",
    "question taken back",
    "question of the buyer",
];

/// The marks that stand at a door at all: the door, the field of a step, and the steps. For whom, the table says.
/// Problems show none.
pub const SHOWN: &[(&str, &str, &[&str])] = &[
    ("inbox", "data.workflow", &[]),
    ("inbox", "title", TASKS),
    ("status", "message", &["update"]),
    // A hold's reason; and the question, where the buyer is asked. One that is handed over is asked in the words of
    // the advice.
    ("status", "reason", &["hold", "hold a question", "ask the buyer"]),
    ("status", "question", &["question to the buyer"]),
    ("status", "option", &["question to the buyer"]),
    ("status", "advice", &["hand over", "advise the buyer"]),
    // The work that the buyer is asked about.
    ("status", "summary", WORKS),
    ("status", "artifact", WORKS),
    ("task", "data.workflow", &[]),
    ("task", "title", TASKS),
    ("task", "metadata", TASKS),
    ("task", "message", &["update"]),
    ("task", "reason", &["hold a question"]),
    ("task", "question", QUESTIONS),
    ("task", "option", QUESTIONS),
    ("task", "id", QUESTIONS),
    ("task", "name", QUESTIONS),
    ("task", "role", QUESTIONS),
    ("task", "reason", &["hold", "cancel", "cancel for the buyer", "take over"]),
    ("task", "reason", &["ask the buyer", "ask the platform", "ask the partner", "ask both"]),
    ("task", "reason", &["ask in silence", "ask once more", "ask at last", "last question"]),
    ("task", "advice", &["hand over", "hand on", "advise the partner", "advise again", "advise the buyer"]),
    ("task", "advice", &["advise after silence"]),
    ("task", "summary", WORKS),
    ("task", "summary", &["cancelled work"]),
    ("task", "artifact", WORKS),
    ("task", "artifact", &["cancelled work"]),
    // The question of the open escalation.
    ("why", "reason", &["ask the buyer", "ask the platform", "ask the partner", "ask both", "take over"]),
    ("why", "reason", &["ask in silence", "ask once more", "ask at last", "last question"]),
    ("why", "question", QUESTIONS),
    ("why", "advice", &["hand over", "hand on"]),
    // Who sits in a panel, and may approve.
    ("task", "id", &["seated"]),
    ("why", "id", &["seated"]),
    // Who sat in one, came, went, is away or stands in.
    ("task", "for", &["stand-in", "again"]),
    ("why", "for", &["stand-in", "again"]),
    ("task", "removed", &["staff"]),
    ("why", "removed", &["staff"]),
    ("task", "id", &["staff", "again", "call"]),
    ("why", "id", &["staff", "again", "call"]),
    ("task", "name", &["staff", "again"]),
    ("task", "role", &["staff", "again"]),
    ("task", "reason", &["raise"]),
    ("why", "reason", &["raise"]),
    // Who handed in work, and whose vote stands while others are waited for.
    ("task", "id", WORKS),
    ("task", "id", VOTES),
    ("task", "name", WORKS),
    ("task", "name", VOTES),
    ("task", "role", WORKS),
    ("task", "role", VOTES),
    // Answers, and to the buyer those to its own items, with the items.
    ("task", "reply", &["second work", "fourth work"]),
    ("status", "reply", &["fourth work"]),
    ("status", "anchor", &["reject for the buyer", "the buyer's vote"]),
    ("status", "text", &["reject for the buyer", "the buyer's vote"]),
    ("task", "feedback", REJECTIONS),
    ("task", "severity", REJECTIONS),
    ("task", "anchor", REJECTIONS),
    ("task", "text", REJECTIONS),
];

/// What a party does not read although the door shows it to others: the inbox has tasks that wait on the party.
pub const LESS: &[(&str, &str, &str, &[&str])] = &[
    (
        "inbox",
        "buyer",
        "title",
        &["cancelled", "withdrawn", "timed", "short", "panelled", "staffed", "erased", "alone"],
    ),
    ("inbox", "platform", "title", &["late", "withdrawn", "timed", "short", "signed", "panelled", "staffed", "erased"]),
    ("inbox", "partner", "title", &["signed"]),
];

const TASKS: &[&str] = &[
    "opening",
    "cancelled",
    "late",
    "withdrawn",
    "timed",
    "short",
    "signed",
    "panelled",
    "staffed",
    "erased",
    "alone",
];
const WORKS: &[&str] = &["first work", "second work", "third work", "fourth work", "fifth work"];
const VOTES: &[&str] = &["cancelled work", "shared vote", "first yes", "late first yes", "stays"];
const REJECTIONS: &[&str] =
    &["shared vote", "own vote", "reject for the buyer", "the buyer's vote", "reject for the platform", "stays"];

/// What a party reads at a door beside what the table lets it read in the trail: the buyer, the work that it is
/// asked about.
pub const MORE: &[(&str, &str, &str, &[&str])] =
    &[("status", "buyer", "summary", WORKS), ("status", "buyer", "artifact", WORKS)];

/// Fields that events of these types never have.
pub const ABSENT: &[(&[&str], &[&str])] = &[
    // What the service does by itself nobody sent.
    (
        &[
            "task.deadline_passed",
            "task.deadline_reminded",
            "task.review_withdrawn",
            "task.stage_entered",
            "task.workflow_cancelled",
            "task.workflow_completed",
            "task.workflow_expired",
            "task.workflow_failed",
        ],
        &["actor.id", "actor.name", "actor.role", "actor_tag", "command_id", "credential_id", "note", "occurred_at"],
    ),
    // These bodies have no actor, and are no commands.
    (
        &["task.opened", "task.personal_data_erased"],
        &["actor.id", "actor.name", "actor.role", "actor_tag", "command_id", "note", "occurred_at"],
    ),
    (&["task.opened"], &["round", "stage"]),
    // A decision follows the vote or the call that was sent, which has these.
    (&["task.stage_approved", "task.stage_rejected"], &["command_id", "note", "occurred_at"]),
];
