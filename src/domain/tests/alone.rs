//! `alone` of a registration says exactly who can have a stage approved alone: compared with every
//! sequence of one party's commands and of time.

use std::collections::BTreeSet;

use crate::domain::task::event::Fact;
use crate::domain::values::party::Party;
use crate::domain::workflow::{Alone, Means};

use super::exhaustive::essence;
use super::test_support::{Play, parse};
use super::words::definition;

/// The length of the longest sequence.
const DEPTH: usize = 5;

/// Definitions whose first stage is under review from the start, without a deadline of the task.
const STAGES: &[&str] = &[
    "a",
    "a to=partner",
    "a to=buyer",
    "a to=partner,buyer,platform",
    "a quorum=2,1 to=partner",
    "a panel to=partner",
    "a panel to=buyer,platform",
    "a buyer",
    "a buyer to=partner",
    "a buyer to=partner,platform respond=platform",
    "a buyer to=partner respond=partner",
    "a platform",
    "a platform to=buyer",
    "a platform to=partner respond=partner",
    "a deadline=buyer to=buyer",
    "a deadline=partner to=partner",
    "a deadline=platform respond=fail",
    "a deadline=approve to=buyer",
    "a buyer deadline=platform",
    "a to=partner,buyer respond=buyer",
    "a to=platform,buyer deadline=platform respond=buyer",
    "a buyer to=partner,platform rounds=1 exhausted=partner",
    "a platform to=buyer rounds=1 exhausted=buyer",
    "a to=buyer,partner rounds=1 exhausted=buyer",
    "a to=buyer rounds=1 exhausted=buyer deadline=reject",
    "a quorum=2,1 to=partner rounds=1 exhausted=partner",
    "a to=platform rounds=1 exhausted=fail",
    "a to=partner panels=l:anna/b:bo",
    "a to=partner rounds=1 exhausted=partner panels=l:anna/b:bo",
    "a to=partner rounds=1 exhausted=partner panels=l:anna+bo",
    "a to=buyer deadline=buyer panels=l:anna/b:bo+chi:all",
    "a to=partner named=anna,bo quorum=all,1",
    "a to=partner rounds=1 exhausted=partner named=anna,bo quorum=all,1",
    "a to=partner rounds=1 exhausted=partner named=anna,bo quorum=all,1 self",
    "a to=partner rounds=1 exhausted=partner panels=l:anna+bo:all",
];

/// What the people of a party can send.
fn alphabet(party: Party) -> Vec<String> {
    let people: &[&str] = match party {
        Party::Partner => &["anna", "bo", "chi"],
        Party::Buyer => &["buyer"],
        Party::Platform => &["platform", "platform-olga^2"],
    };
    let own = people.iter().flat_map(|who| {
        ["approve", "reject"].map(|verb| format!("{verb} {who}")).into_iter().chain([format!("resolve {who} approve")])
    });
    let first = people[0];
    let raised = Party::ALL.map(|to| format!("escalate {first} {to}"));
    let work = (party == Party::Partner).then(|| format!("submit {first}"));
    own.chain(raised).chain(work).chain(["tick".to_owned()]).collect()
}

/// How a party got the first stage approved, over all sequences.
fn explored(words: &str, party: Party) -> BTreeSet<Alone> {
    let first = Play::open(&definition(words));
    let mut known = BTreeSet::from([essence(&first)]);
    let (mut edge, mut found) = (vec![first], BTreeSet::new());
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for play in &edge {
            for step in alphabet(party) {
                let mut play = play.clone();
                let from = play.trail.len();
                if !play.run(&step).contains('>') {
                    continue;
                }
                let added = &play.trail[from..];
                if added.iter().any(|event| matches!(event.fact, Fact::StageApproved { .. })) {
                    if matches!(added[0].fact, Fact::VoteRecorded(_)) {
                        found.insert(Alone { party, by: Means::Vote });
                    } else if matches!(added[0].fact, Fact::EscalationResolved(_)) {
                        found.insert(Alone { party, by: Means::Escalation });
                    }
                } else if known.insert(essence(&play)) {
                    next.push(play);
                }
            }
        }
        edge = next;
    }
    found
}

#[test]
fn a_registration_says_who_can_have_a_stage_approved_alone() {
    for words in STAGES {
        let workflow = parse(&definition(words));
        let said: BTreeSet<Alone> = workflow.alone()[0].alone.iter().copied().collect();
        let found: BTreeSet<Alone> = Party::ALL.into_iter().flat_map(|party| explored(words, party)).collect();
        assert_eq!(said, found, "{words}");
    }
}
