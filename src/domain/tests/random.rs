//! The laws over random definitions and random sequences of commands and ticks. Most commands fit
//! the current state, so that deep states are reached; some are nonsense. A test measures which
//! states are reached, so that the generator stays effective.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use crate::domain::task::{Phase, PhaseName, Timer, seats};
use crate::domain::values::id::ActorId;
use crate::domain::values::party::Party;
use crate::domain::workflow::{Approvals, Assurance, definition};

use super::laws::{self, EDGES};
use super::test_support::{Play, VERBS};

/// Steps of one sequence.
const STEPS: usize = 40;
/// The sequences that the coverage is measured over.
const CASES: usize = 800;
/// The choices that one step can consume.
const ROLLS: usize = 10;

/// The platform's people and keys: two of each.
pub(super) const PLATFORM: [&str; 4] = ["platform", "platform^2", "platform-olga", "platform-olga^2"];

/// A sequence of choices; all zeros once it is used up.
pub(super) struct Dice<'a>(pub(super) &'a [u8]);

impl Dice<'_> {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(*first) % bound.max(1)
    }

    pub(super) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// One of the words, with a probability according to its weight.
    fn weighted(&mut self, of: &[(usize, &'static str)]) -> &'static str {
        let mut roll = self.below(of.iter().map(|(weight, _)| weight).sum());
        for (weight, word) in of {
            match roll.checked_sub(*weight) {
                None => return word,
                Some(rest) => roll = rest,
            }
        }
        of[0].1
    }
}

pub(super) fn sequences() -> impl Strategy<Value = (Value, Vec<Vec<u8>>)> {
    (definition(3), prop::collection::vec(prop::collection::vec(any::<u8>(), ROLLS), 1..=STEPS))
}

/// Runs a sequence; calls `seen` with every state. A task that has ended gets a few more commands;
/// then another begins.
pub(super) fn play(definition: &Value, rolls: &[Vec<u8>], seen: impl FnMut(&Play)) {
    play_by(definition, rolls, |play, step| drop(play.run(step)), seen);
}

/// The same, with `act` performing each step.
pub(super) fn play_by(
    definition: &Value,
    rolls: &[Vec<u8>],
    mut act: impl FnMut(&mut Play, &str),
    mut seen: impl FnMut(&Play),
) {
    let mut play = Play::open(definition);
    let mut over = 0;
    seen(&play);
    for rolls in rolls {
        let step = next(&play, &mut Dice(rolls));
        // A command that no task could accept does not reach `decide`.
        if ["wait", "back", "erase", "tick", "away", "there"].iter().any(|verb| step.starts_with(verb))
            || play.try_command(&step).is_ok()
        {
            act(&mut play, &step);
            seen(&play);
        }
        over += usize::from(play.snapshot.task.phase().is_terminal());
        if over > 3 {
            (play, over) = (Play::open_with(definition, play.absences.clone()), 0);
        }
    }
    laws::check_ticks_end(&play);
}

/// The next step of a script, which usually fits the current state.
pub(super) fn next(play: &Play, dice: &mut Dice) -> String {
    match dice.below(16) {
        0 => nonsense(play, dice),
        2 if dice.below(3) == 0 => format!("erase {}", dice.one(&["0", "1", "2", "3", "4", "5", "platform", "buyer"])),
        3 if dice.below(2) == 0 => absence(play, dice),
        1 => dice.one(&["wait PT1S", "wait PT20M", "wait P2D", "back PT1H", "tick now"]).to_owned(),
        _ => sensible(play, dice),
    }
}

/// An absence begins, now or later, or ends.
fn absence(play: &Play, dice: &mut Dice) -> String {
    let named = seats::named(&play.workflow, &play.snapshot.task).unwrap_or_default();
    let named: Vec<&str> = named.into_iter().map(|id| id.as_str().trim_start_matches("u-")).collect();
    let anybody = dice.one(&["0", "1", "2", "3", "4", "5", "6", "7"]);
    let who = if named.is_empty() || dice.below(4) == 0 { anybody } else { dice.one(&named) };
    if dice.below(4) == 0 {
        return format!("there {who}");
    }
    let substitute = dice.one(&["6", "7", "0", "1", "2", "6", "7", ""]);
    let substitute = if substitute == who { "" } else { substitute };
    format!("away {who} {} {substitute} {}", dice.one(&["PT10M", "PT6H", "P3D"]), dice.one(&["", "", "", "+PT15M"]))
}

fn sensible(play: &Play, dice: &mut Dice) -> String {
    let task = &play.snapshot.task;
    // The deadline of the whole task ends the story, so it is taken only now and then.
    let tick = match task.next_timer() {
        Some((_, Timer::Task)) => 1,
        Some(_) => 4,
        None => 0,
    };
    let verb = match &task.phase {
        _ if task.waiting_question().is_some() && dice.below(2) == 0 => {
            dice.weighted(&[(6, "answer"), (2, "withdraw"), (2 * tick, "tick"), (1, "ask")])
        }
        // Where all must approve, the votes that are left decide.
        _ if waits_for_all(play) && dice.below(3) == 0 => "staff",
        Phase::Preparing => dice.weighted(&[
            (20, "submit"),
            (4, "ask"),
            (1, "status"),
            (2, "hold"),
            (1, "cancel"),
            (1, "staff"),
            (tick, "tick"),
        ]),
        Phase::InReview(_) => {
            let quick = [(12, "approve"), (7, "reject"), (4, "escalate"), (2, "submit"), (3, "hold"), (4, "ask")];
            dice.weighted(&[&quick[..], &[(1, "status"), (2, "cancel"), (7, "staff"), (2 * tick, "tick")]].concat())
        }
        Phase::Escalated(_) => {
            dice.weighted(&[(14, "resolve"), (1, "status"), (2, "cancel"), (3, "staff"), (2 * tick, "tick")])
        }
        Phase::OnHold(_) => {
            dice.weighted(&[(10, "resume"), (1, "status"), (1, "cancel"), (6, "staff"), (tick, "tick")])
        }
        Phase::Cancelling(_) => dice.weighted(&[
            (2, "ack"),
            (4, "approve"),
            (4, "reject"),
            (4, "resolve"),
            (1, "cancel"),
            (1, "status"),
            (tick, "tick"),
        ]),
        Phase::Closed(_) => {
            dice.weighted(&[(3, "approve"), (3, "reject"), (3, "resolve"), (1, "cancel"), (1, "submit"), (1, "tick")])
        }
    };
    let who = likely(play, dice, verb) + key(play, dice);
    format!("{verb} {who} {}", argument(play, dice, verb))
}

/// Whether somebody has voted where everybody must approve.
fn waits_for_all(play: &Play) -> bool {
    let task = &play.snapshot.task;
    let some_voted = task.phase.votes().is_some_and(|votes| !votes.is_empty());
    some_voted && seats::groups(&play.workflow, task).all(|group| group.approvals == Approvals::All)
}

/// The key that an actor uses: mostly a bound one where the stage requires it, seldom that of
/// somebody else.
fn key(play: &Play, dice: &mut Dice) -> &'static str {
    let bound = play.snapshot.task.stage_in(&play.workflow).assurance == Assurance::Bound;
    match dice.below(16) {
        1 => "-",
        2 => "*",
        3 => "",
        _ if bound => "*",
        _ => "",
    }
}

/// An actor of the party that the verb belongs to.
fn likely(play: &Play, dice: &mut Dice, verb: &str) -> String {
    let task = &play.snapshot.task;
    let stage = task.stage_in(&play.workflow);
    let partner = dice.below(6).to_string();
    let of = |party: Party, dice: &mut Dice| match party {
        Party::Partner => partner.clone(),
        Party::Buyer => "buyer".to_owned(),
        Party::Platform => dice.one(&PLATFORM).to_owned(),
    };
    match (verb, &task.phase) {
        ("approve" | "reject", _) if stage.names_reviewers() => {
            let named = seats::named(&play.workflow, task).unwrap_or_default();
            let named = dice.one(&named);
            let substitute = play.moment().substitute(named).filter(|_| dice.below(3) > 0);
            substitute.unwrap_or(named).as_str().trim_start_matches("u-").to_owned()
        }
        ("approve" | "reject", _) => of(stage.reviewer, dice),
        ("resolve", Phase::Escalated(escalation)) => of(escalation.to, dice),
        ("resolve", Phase::Cancelling(wind_down)) => {
            of(wind_down.open.escalation.map_or(Party::Partner, |asked| asked.to), dice)
        }
        ("resolve", Phase::Closed(closed)) => of(closed.open.escalation.map_or(Party::Partner, |asked| asked.to), dice),
        ("resume", Phase::OnHold(hold)) => of(hold.by, dice),
        ("answer", _) => of(task.question.map_or(Party::Partner, |question| question.to), dice),
        ("withdraw", _) => of(task.question.map_or(Party::Partner, |question| question.from), dice),
        ("ask", _) => {
            let asks = of(stage.reviewer, dice);
            dice.one(&[partner.clone(), "platform".to_owned(), asks])
        }
        ("escalate" | "hold" | "cancel", _) => dice.one(&[partner, "platform".to_owned(), "buyer".to_owned()]),
        _ => partner,
    }
}

fn argument(play: &Play, dice: &mut Dice, verb: &str) -> String {
    let stage = play.snapshot.task.stage_in(&play.workflow);
    let mut party = || dice.one(&stage.escalation.to).as_str();
    match verb {
        "escalate" => party().to_owned(),
        "ask" => format!(
            "{} {}",
            dice.one(&stage.questions.to).as_str(),
            dice.one(&["", "options", "shared", "options shared"])
        ),
        "answer" => dice.one(&["", "1", "2", "full", "bare 1"]).to_owned(),
        "reject" => format!("{} {}", dice.one(&stage.on_reject.return_to), content(play, dice)),
        "resolve" => match dice.below(8) {
            0 | 1 => "approve".to_owned(),
            2 => format!("reject {} {}", dice.one(&stage.on_reject.return_to), content(play, dice)),
            3 | 4 => "return".to_owned(),
            _ => format!("redirect {}", dice.one(&stage.escalation.to)),
        },
        "submit" => answers(play, dice),
        "approve" => dice.one(&["", "", "remarks", "remarks shared"]).to_owned(),
        "staff" => staff(play, dice),
        "cancel" => dice.one(&["", "", "now"]).to_owned(),
        "ack" => dice.one(&["discarded", "salvaged"]).to_owned(),
        _ => String::new(),
    }
}

/// Who comes and goes: of the current stage, or of one that is still to come.
fn staff(play: &Play, dice: &mut Dice) -> String {
    let task = &play.snapshot.task;
    let left = play.workflow.stages.len() - task.stage;
    let index = task.stage + if dice.below(3) == 0 { dice.below(left) } else { 0 };
    let groups: Vec<_> = seats::groups_of(&play.workflow, task, index).collect();
    let group = dice.one(&groups);
    let panel = group.key().map_or_else(String::new, |key| format!("panel={key}"));
    let voted = |id: &ActorId| task.phase.votes().unwrap_or_default().iter().any(|vote| vote.actor.id == *id);
    let named = group.named.unwrap_or_default();
    // Often everybody leaves who has not voted, so that the votes that are left decide.
    let leaves: Vec<ActorId> = match dice.below(4) {
        0 => Vec::new(),
        1 | 2 if named.iter().any(voted) => named.iter().filter(|id| !voted(id)).cloned().collect(),
        _ => named.first().map(|_| dice.one(named)).into_iter().collect(),
    };
    let leaves: Vec<_> = leaves.iter().map(|id| format!("-{}", id.as_str().trim_start_matches("u-"))).collect();
    let leaves = leaves.join(" ");
    let comes = if dice.below(3) == 0 || leaves.is_empty() { format!("+{}", dice.below(6)) } else { String::new() };
    format!("{panel} {leaves} {comes} @{}", play.workflow.stages[index].key)
}

/// What a rejection says: mostly one of the stage's reasons.
fn content(play: &Play, dice: &mut Dice) -> String {
    let task = &play.snapshot.task;
    let reasons = &play.workflow.stages[task.stage].on_reject.reasons;
    let reason = match dice.below(16) {
        1 => String::new(),
        roll => {
            reasons.get(roll % reasons.len().max(1)).map_or_else(String::new, |reason| format!("reason={}", reason.key))
        }
    };
    let known: Vec<_> = task.items().map(|item| item.id).collect();
    let items = match dice.below(6) {
        0 => "full".to_owned(),
        1 | 2 => "points".to_owned(),
        3 if !known.is_empty() => format!("reopens={}", dice.one(&known)),
        _ => String::new(),
    };
    format!("{reason} {items} {}", dice.one(&["", "", "shared"]))
}

/// The answers of a submission: mostly all that must be given.
fn answers(play: &Play, dice: &mut Dice) -> String {
    let known: Vec<_> = play.snapshot.task.items().map(|item| item.id).collect();
    match dice.below(8) {
        0 => String::new(),
        1 | 2 if !known.is_empty() => {
            let declined = dice.below(known.len());
            let sign = |index: usize| if index == declined { "-" } else { "" };
            let answers = known.iter().enumerate().map(|(index, id)| format!("{}{id}", sign(index)));
            answers.collect::<Vec<_>>().join(" ")
        }
        3 if !known.is_empty() => dice.one(&known).to_string(),
        _ => "all".to_owned(),
    }
}

/// Any command.
fn nonsense(play: &Play, dice: &mut Dice) -> String {
    let verb = dice.one(&VERBS);
    let who = dice.one(&["0", "1", "5", "partner", "buyer", "platform"]);
    let argument = match verb {
        "escalate" | "ask" => dice.one(&["buyer", "platform", "partner"]),
        "answer" => dice.one(&["", "bare", "3"]),
        "resolve" => dice.one(&[
            "approve",
            "reject",
            "reject bare",
            "return",
            "redirect buyer",
            "redirect bare",
            "approve mixed",
        ]),
        "submit" => dice.one(&["", "bare", "9.9"]),
        "reject" => dice.one(&["", "bare", "reopens=9.9"]),
        "approve" => dice.one(&["", "blocks", "because"]),
        "ack" => dice.one(&["discarded", "empty"]),
        "cancel" => dice.one(&["", "now"]),
        "staff" => dice.one(&["", "+0", "-1", "+1 -1", "panel=p-0 -0", "panel=p-9 +7"]),
        _ => "",
    };
    let (stages, task) = (play.workflow.stages.len() + 1, &play.snapshot.task);
    let marks = dice.below(8);
    let mut step = format!("{verb} {who} {argument}");
    let number = dice.below(4);
    if marks & 1 > 0 {
        write!(step, " @s-{}", number % stages).unwrap();
    }
    if marks & 2 > 0 {
        write!(step, " .{number}").unwrap();
    }
    if marks & 4 > 0 {
        write!(
            step,
            " ~{} #{}",
            (task.revision() + 1).saturating_sub(u32::try_from(number).unwrap()),
            play.escalation() + 1
        )
        .unwrap();
    }
    step
}

proptest! {
    #![proptest_config(Config { cases: Config::default().cases / 2, ..Config::default() })]

    #[test]
    fn the_laws_hold_over_random_definitions_and_sequences((definition, rolls) in sequences()) {
        play(&definition, &rolls, laws::check_way_out);
    }
}

#[test]
fn the_generator_reaches_every_phase_and_most_of_the_table() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut phases: BTreeMap<PhaseName, usize> = BTreeMap::new();
    let mut crossed = BTreeSet::new();
    for _ in 0..CASES {
        let (definition, rolls) = sequences().new_tree(&mut runner).unwrap().current();
        play(&definition, &rolls, |play| *phases.entry(play.snapshot.task.phase()).or_default() += 1);
        crossed.extend(laws::take_crossed());
    }
    let missed: Vec<String> = EDGES.difference(&crossed).map(laws::describe).collect();
    println!("{phases:?}; {} of {} edges; missed {missed:#?}", crossed.len(), EDGES.len());
    for phase in PhaseName::ALL {
        assert!(phases.get(&phase).copied().unwrap_or_default() >= 10, "{phase:?} is rare: {phases:?}");
    }
    assert!(crossed.len() * 10 >= EDGES.len() * 8, "{} of {} edges; missed {missed:#?}", crossed.len(), EDGES.len());
}
