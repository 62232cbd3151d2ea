//! The full grid: in each of the nine phases, each command by each of the three parties, and a tick.
//! Every command is complete and about the present stage, round, revision and escalation. `allowed` must agree with
//! every cell.

use crate::domain::task::PhaseName;
use crate::domain::task::command::CommandType;
use crate::domain::task::decide::allowed;

use super::test_support::{Play, party};
use super::words::definition;

/// A phase, how a task gets there, and a line per command: the cells of partner, buyer and platform; one for the tick.
struct Block {
    phase: PhaseName,
    words: &'static str,
    script: &'static str,
    lines: Lines,
    tick: &'static str,
}

/// A line for each type of command, in their order.
type Lines = [(&'static str, [&'static str; 3]); CommandType::ALL.len()];

/// The result of a command that is not for this party, here or now.
const P: &str = "wrong_party";
const F: &str = "wrong_phase";
const C: &str = "task_closed";
const LATE: &str = "late";
/// A stage without named reviewers has none to change.
const FIXED: &str = "reviewers_fixed";

/// Reviewed by the partner; the review may finish when the task is cancelled.
const PARTNER: &str = "a required finish deadline=platform respond=reject | P3D";

const GRID: &[Block] = &[
    Block {
        phase: PhaseName::Preparing,
        words: PARTNER,
        script: "",
        lines: [
            ("submit", ["> in_review", P, P]),
            ("status", ["> preparing", P, P]),
            ("approve", [F, P, P]),
            ("reject", [F, P, P]),
            ("escalate", [F, P, F]),
            ("resolve", [F, F, F]),
            ("ask", ["> preparing", P, "> preparing"]),
            ("answer", ["stale_question"; 3]),
            ("withdraw", ["stale_question"; 3]),
            ("staff", [FIXED, P, P]),
            ("hold", ["> on_hold", P, "> on_hold"]),
            ("resume", [F, P, F]),
            ("cancel", ["> cancelled", "> cancelled", "> cancelled"]),
            ("ack", [F, P, P]),
        ],
        tick: "> expired",
    },
    Block {
        phase: PhaseName::InReview,
        words: PARTNER,
        script: "submit anna",
        lines: [
            ("submit", ["> in_review", P, P]),
            ("status", ["> in_review", P, P]),
            ("approve", ["> delivery", P, P]),
            ("reject", ["> preparing", P, P]),
            ("escalate", ["> escalated", P, "> escalated"]),
            ("resolve", [F, F, F]),
            ("ask", ["> in_review", P, "> in_review"]),
            ("answer", ["stale_question"; 3]),
            ("withdraw", ["stale_question"; 3]),
            ("staff", [FIXED, P, P]),
            ("hold", ["> on_hold", P, "> on_hold"]),
            ("resume", [F, P, F]),
            ("cancel", ["> cancelling", "> cancelling", "> cancelled"]),
            ("ack", [F, P, P]),
        ],
        tick: "> escalated",
    },
    Block {
        phase: PhaseName::InReview,
        words: "a; b buyer",
        script: "approve bo",
        lines: [
            ("submit", ["submission_not_open", P, P]),
            ("status", ["> in_review", P, P]),
            ("approve", [P, "> delivery", P]),
            ("reject", [P, "> preparing", P]),
            ("escalate", ["> escalated", "> escalated", "> escalated"]),
            ("resolve", [F, F, F]),
            ("ask", ["> in_review", "> in_review", "> in_review"]),
            ("answer", ["stale_question"; 3]),
            ("withdraw", ["stale_question"; 3]),
            ("staff", [FIXED, P, P]),
            ("hold", ["> on_hold", P, "> on_hold"]),
            ("resume", [F, P, F]),
            ("cancel", ["> cancelled", "> cancelled", "> cancelled"]),
            ("ack", [F, P, P]),
        ],
        tick: "nothing_due",
    },
    Block {
        phase: PhaseName::InReview,
        words: "a platform",
        script: "",
        lines: [
            ("submit", ["> in_review", P, P]),
            ("status", ["> in_review", P, P]),
            ("approve", [P, P, "> delivery"]),
            ("reject", [P, P, "> preparing"]),
            ("escalate", ["> escalated", P, "> escalated"]),
            ("resolve", [F, F, F]),
            ("ask", ["> in_review", P, "> in_review"]),
            ("answer", ["stale_question"; 3]),
            ("withdraw", ["stale_question"; 3]),
            ("staff", [FIXED, P, P]),
            ("hold", ["> on_hold", P, "> on_hold"]),
            ("resume", [F, P, F]),
            ("cancel", ["> cancelled", "> cancelled", "> cancelled"]),
            ("ack", [F, P, P]),
        ],
        tick: "nothing_due",
    },
    Block {
        phase: PhaseName::InReview,
        words: "a named=bo,chi quorum=2,1",
        script: "",
        lines: [
            ("submit", ["> escalated", P, P]),
            ("status", ["> in_review", P, P]),
            ("approve", ["> in_review", P, P]),
            ("reject", ["> preparing", P, P]),
            ("escalate", ["> escalated", P, "> escalated"]),
            ("resolve", [F, F, F]),
            ("ask", ["> in_review", P, "> in_review"]),
            ("answer", ["stale_question"; 3]),
            ("withdraw", ["stale_question"; 3]),
            ("staff", ["> in_review", P, P]),
            ("hold", ["> on_hold", P, "> on_hold"]),
            ("resume", [F, P, F]),
            ("cancel", ["> cancelled", "> cancelled", "> cancelled"]),
            ("ack", [F, P, P]),
        ],
        tick: "nothing_due",
    },
    Block {
        phase: PhaseName::Preparing,
        words: PARTNER,
        script: "ask bo buyer",
        lines: [
            ("submit", ["> in_review", P, P]),
            ("status", ["> preparing", P, P]),
            ("approve", [F, P, P]),
            ("reject", [F, P, P]),
            ("escalate", [F, P, F]),
            ("resolve", [F, F, F]),
            ("ask", ["question_open", P, "question_open"]),
            ("answer", [P, "> preparing", P]),
            ("withdraw", ["> preparing", P, P]),
            ("staff", [FIXED, P, P]),
            ("hold", ["> on_hold", P, "> on_hold"]),
            ("resume", [F, P, F]),
            ("cancel", ["> cancelled", "> cancelled", "> cancelled"]),
            ("ack", [F, P, P]),
        ],
        tick: "> expired",
    },
    Block {
        phase: PhaseName::InReview,
        words: "a buyer finish deadline=platform",
        script: "ask platform buyer",
        lines: [
            ("submit", ["> in_review", P, P]),
            ("status", ["> in_review", P, P]),
            ("approve", [P, "> delivery", P]),
            ("reject", [P, "> preparing", P]),
            ("escalate", ["> escalated", "> escalated", "> escalated"]),
            ("resolve", [F, F, F]),
            ("ask", ["question_open"; 3]),
            ("answer", [P, "> in_review", P]),
            ("withdraw", [P, P, "> in_review"]),
            ("staff", [FIXED, P, P]),
            ("hold", ["> on_hold", P, "> on_hold"]),
            ("resume", [F, P, F]),
            ("cancel", ["> cancelling", "> cancelling", "> cancelled"]),
            ("ack", [F, P, P]),
        ],
        tick: "> in_review",
    },
    Block {
        phase: PhaseName::OnHold,
        words: PARTNER,
        script: "ask bo buyer; hold bo",
        lines: [
            ("submit", [F, P, P]),
            ("status", ["> on_hold", P, P]),
            ("approve", [F, P, P]),
            ("reject", [F, P, P]),
            ("escalate", [F, P, F]),
            ("resolve", [F, F, F]),
            ("ask", [F, P, F]),
            ("answer", [P, F, P]),
            ("withdraw", [F, P, P]),
            ("staff", [FIXED, P, P]),
            ("hold", [F, P, F]),
            ("resume", ["> preparing", P, "> preparing"]),
            ("cancel", ["> cancelled", "> cancelled", "> cancelled"]),
            ("ack", [F, P, P]),
        ],
        tick: "> expired",
    },
    Block {
        phase: PhaseName::Escalated,
        words: PARTNER,
        script: "submit anna; escalate bo platform",
        lines: [
            ("submit", [F, P, P]),
            ("status", ["> escalated", P, P]),
            ("approve", [F, P, P]),
            ("reject", [F, P, P]),
            ("escalate", [F, P, F]),
            ("resolve", [P, P, "> preparing"]),
            ("ask", [F, P, F]),
            ("answer", [F, F, F]),
            ("withdraw", [F, F, F]),
            ("staff", [FIXED, P, P]),
            ("hold", [F, P, F]),
            ("resume", [F, P, F]),
            ("cancel", ["> cancelling", "> cancelling", "> cancelled"]),
            ("ack", [F, P, P]),
        ],
        tick: "> preparing",
    },
    Block {
        phase: PhaseName::OnHold,
        words: PARTNER,
        script: "submit anna; hold bo",
        lines: [
            ("submit", [F, P, P]),
            ("status", ["> on_hold", P, P]),
            ("approve", [F, P, P]),
            ("reject", [F, P, P]),
            ("escalate", [F, P, F]),
            ("resolve", [F, F, F]),
            ("ask", [F, P, F]),
            ("answer", [F, F, F]),
            ("withdraw", [F, F, F]),
            ("staff", [FIXED, P, P]),
            ("hold", [F, P, F]),
            ("resume", ["> in_review", P, "> in_review"]),
            ("cancel", ["> cancelled", "> cancelled", "> cancelled"]),
            ("ack", [F, P, P]),
        ],
        tick: "> expired",
    },
    Block {
        phase: PhaseName::OnHold,
        words: "a required",
        script: "hold platform",
        lines: [
            ("submit", [F, P, P]),
            ("status", ["> on_hold", P, P]),
            ("approve", [F, P, P]),
            ("reject", [F, P, P]),
            ("escalate", [F, P, F]),
            ("resolve", [F, F, F]),
            ("ask", [F, P, F]),
            ("answer", [F, F, F]),
            ("withdraw", [F, F, F]),
            ("staff", [FIXED, P, P]),
            ("hold", [F, P, F]),
            ("resume", ["held_by_other", P, "> preparing"]),
            ("cancel", ["> cancelled", "> cancelled", "> cancelled"]),
            ("ack", [F, P, P]),
        ],
        tick: "nothing_due",
    },
    Block {
        phase: PhaseName::Cancelling,
        words: PARTNER,
        script: "submit anna; escalate bo platform; cancel buyer",
        lines: [
            ("submit", [F, P, P]),
            ("status", ["> cancelling", P, P]),
            ("approve", [LATE, P, P]),
            ("reject", [LATE, P, P]),
            ("escalate", [F, P, F]),
            ("resolve", [F, F, LATE]),
            ("ask", [F, P, F]),
            ("answer", [F, F, F]),
            ("withdraw", [F, F, F]),
            ("staff", [F, P, P]),
            ("hold", [F, P, F]),
            ("resume", [F, P, F]),
            ("cancel", ["already_cancelling", "already_cancelling", "> cancelled"]),
            ("ack", ["> cancelled", P, P]),
        ],
        tick: "> cancelled",
    },
    Block {
        phase: PhaseName::Delivery,
        words: PARTNER,
        script: "submit anna; escalate bo platform; resolve platform approve",
        lines: closed([LATE, C, C], [C, C, LATE]),
        tick: "nothing_due",
    },
    Block {
        phase: PhaseName::Cancelled,
        words: PARTNER,
        script: "submit anna; escalate bo platform; cancel platform now",
        lines: closed([LATE, C, C], [C, C, LATE]),
        tick: "nothing_due",
    },
    Block {
        phase: PhaseName::Cancelled,
        words: PARTNER,
        script: "cancel buyer",
        lines: closed([C, C, C], [C, C, C]),
        tick: "nothing_due",
    },
    Block {
        phase: PhaseName::Expired,
        words: PARTNER,
        script: "submit anna; hold bo; tick",
        lines: closed([LATE, C, C], [C, C, C]),
        tick: "nothing_due",
    },
    Block {
        phase: PhaseName::Failed,
        words: "a buyer deadline=fail",
        script: "tick",
        lines: closed([C, LATE, C], [C, C, C]),
        tick: "nothing_due",
    },
];

/// A closed task: nothing but late decisions.
const fn closed(votes: [&'static str; 3], calls: [&'static str; 3]) -> Lines {
    let no = [C, C, C];
    [
        ("submit", no),
        ("status", no),
        ("approve", votes),
        ("reject", votes),
        ("escalate", no),
        ("resolve", calls),
        ("ask", no),
        ("answer", no),
        ("withdraw", no),
        ("staff", no),
        ("hold", no),
        ("resume", no),
        ("cancel", no),
        ("ack", no),
    ]
}

/// A complete command. The platform's cancellation is immediate, for that is what it alone can send.
fn step(verb: &str, who: &str) -> String {
    let argument = match (verb, who) {
        ("escalate", _) => "platform",
        ("resolve", _) => "reject",
        ("ask", "bo") => "buyer",
        ("ask", _) => "partner",
        ("cancel", "platform") => "now",
        ("staff", _) => "+dora",
        ("ack", _) => "discarded",
        _ => "",
    };
    format!("{verb} {who} {argument}")
}

fn cell(play: &Play, step: &str) -> String {
    let outcome = play.clone().run(step);
    match outcome.split_once('>') {
        Some((events, _)) if events.trim() == "late_decision_recorded" => LATE.to_owned(),
        Some((_, phase)) => format!(">{phase}"),
        None => outcome,
    }
}

#[test]
fn every_phase_meets_every_command_of_every_party() {
    let mut wrong = Vec::new();
    for block in GRID {
        let play = Play::of(&definition(block.words), block.script);
        assert_eq!(play.snapshot.task.phase(), block.phase, "{}", block.script);
        for ((verb, cells), kind) in block.lines.iter().zip(CommandType::ALL) {
            for (who, expected) in ["bo", "buyer", "platform"].into_iter().zip(cells) {
                let step = step(verb, who);
                let found = cell(&play, &step);
                assert_eq!(
                    play.command(&step).action().command_type(),
                    kind,
                    "the lines are in the order of the command types"
                );
                let open = allowed(&play.workflow, &play.snapshot.task, party(who)).contains(&kind);
                if found != *expected || open != found.starts_with('>') {
                    wrong.push(format!(
                        "{:?} ({}): {step}: {found}, not {expected}; allowed: {open}",
                        block.phase, block.words
                    ));
                }
            }
        }
        let found = cell(&play, "tick");
        if found != block.tick {
            wrong.push(format!("{:?} ({}): tick: {found}, not {}", block.phase, block.words, block.tick));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for phase in PhaseName::ALL {
        assert!(GRID.iter().any(|block| block.phase == phase), "{phase:?} is in the grid");
    }
}
