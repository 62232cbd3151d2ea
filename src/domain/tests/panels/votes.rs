//! Every order of votes in two panels of three people, against a plain model of the rules.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::task::PanelState;
use crate::domain::task::decide::{Input, decide};
use crate::domain::task::event::Fact;
use crate::domain::task::snapshot::Snapshot;
use crate::domain::values::id::StageKey;

use crate::domain::tests::test_support::{Play, outcome};
use crate::domain::tests::words::definition;

/// Two panels of three, and the stage that each of them names in a rejection.
const PEOPLE: [(&str, &str); 6] = [("anna", "c"), ("bo", "b"), ("chi", "c"), ("dora", "c"), ("eli", "a"), ("fay", "b")];

/// How many approvals and rejections each panel needs, as a definition says it; none: all who may.
type Needs = [(Option<usize>, usize); 2];

/// The rules again, as plainly as they can be written.
#[derive(Clone)]
struct Model {
    needs: Needs,
    /// Who may not approve.
    barred: Option<usize>,
    votes: BTreeMap<usize, bool>,
}

#[derive(Debug, PartialEq, Eq)]
enum Says {
    Refused(&'static str),
    Open,
    Approved,
    Rejected { target: &'static str, by: BTreeSet<String> },
}

impl Model {
    fn count(&self, panel: usize, approves: bool) -> usize {
        self.votes.iter().filter(|(person, vote)| *person / 3 == panel && **vote == approves).count()
    }

    fn is_approved(&self, panel: usize) -> bool {
        let eligible = (3 * panel..3 * panel + 3).filter(|person| Some(*person) != self.barred).count();
        self.count(panel, true) >= self.needs[panel].0.unwrap_or(eligible)
    }

    fn vote(&mut self, person: usize, approves: bool) -> Says {
        if approves && self.barred == Some(person) {
            return Says::Refused("self_approval");
        }
        if self.votes.insert(person, approves) == Some(approves) {
            return Says::Refused("already_voted");
        }
        let panel = person / 3;
        if self.count(panel, false) >= self.needs[panel].1 {
            let against = self.votes.iter().filter(|(person, vote)| *person / 3 == panel && !**vote);
            let by: Vec<usize> = against.map(|(person, _)| *person).collect();
            let target = by.iter().map(|person| PEOPLE[*person].1).min().unwrap();
            return Says::Rejected { target, by: by.iter().map(|person| format!("u-{}", PEOPLE[*person].0)).collect() };
        }
        if self.is_approved(0) && self.is_approved(1) { Says::Approved } else { Says::Open }
    }
}

/// A play whose third stage has the panels, under review.
fn play_of(needs: Needs, barred: Option<usize>) -> Play {
    let votes = |(approvals, rejections): (Option<usize>, usize)| {
        format!("{}:{rejections}", approvals.map_or("all".to_owned(), |count| count.to_string()))
    };
    let [first, second] = needs.map(votes);
    let words = format!("a required; b; c back=c,b,a panels=legal:anna+bo+chi:{first}/brand:dora+eli+fay:{second}");
    let submitter = barred.map_or("worker", |person| PEOPLE[person].0);
    let mut play = Play::open(&definition(&words));
    assert_eq!(
        play.run(&format!("submit {submitter}; approve zoe; approve zoe")),
        "vote_recorded stage_approved stage_entered > in_review"
    );
    play
}

/// The decision as the trail records it from `from` on.
fn said(play: &Play, from: usize, outcome: &str) -> Says {
    let person = |seq: u64| {
        let event = play.trail.iter().find(|event| event.seq == seq).unwrap();
        event.actor.as_ref().unwrap().id.to_string()
    };
    let found = play.trail[from..].iter().find_map(|event| {
        if let Fact::StageRejected(rejected) = &event.fact {
            let target = rejected.return_to.as_ref().map(StageKey::as_str).unwrap();
            let target = ["a", "b", "c"].into_iter().find(|key| *key == target).unwrap();
            return Some(Says::Rejected { target, by: rejected.votes.iter().map(|seq| person(*seq)).collect() });
        }
        matches!(event.fact, Fact::StageApproved { .. }).then_some(Says::Approved)
    });
    let refusals = ["already_voted", "self_approval"];
    match refusals.into_iter().find(|refusal| *refusal == outcome) {
        Some(refusal) => Says::Refused(refusal),
        None => found.unwrap_or(Says::Open),
    }
}

/// Every vote of every person in every state that votes can lead to, so every change of mind as well.
#[test]
fn panels_decide_as_a_plain_model_says_through_every_change_of_mind() {
    let cases: [(Needs, Option<usize>); 4] = [
        ([(Some(2), 2), (None, 1)], None),
        ([(Some(1), 3), (Some(3), 1)], None),
        ([(Some(2), 2), (Some(2), 2)], None),
        ([(None, 1), (Some(1), 2)], Some(0)),
    ];
    for (needs, barred) in cases {
        let first = (Model { needs, barred, votes: BTreeMap::new() }, play_of(needs, barred));
        let mut known = BTreeSet::from([first.0.votes.clone()]);
        let (mut edge, mut decided) = (vec![first], [0, 0]);
        while let Some((model, play)) = edge.pop() {
            for (person, (who, back)) in PEOPLE.iter().enumerate() {
                for step in [format!("approve {who}"), format!("reject {who} {back}")] {
                    let (mut model, mut play, from) = (model.clone(), play.clone(), play.trail.len());
                    let expected = model.vote(person, step.starts_with("approve"));
                    let outcome = play.run(&step);
                    assert_eq!(said(&play, from, &outcome), expected, "{:?}: {step}", model.votes);
                    match expected {
                        Says::Open => {
                            let shown: Vec<_> =
                                play.snapshot.status.stages[2].panels.iter().map(|it| it.state).collect();
                            let counted = [0, 1].map(|panel| model.is_approved(panel));
                            assert_eq!(
                                shown,
                                counted.map(|done| if done { PanelState::Approved } else { PanelState::Open })
                            );
                            if known.insert(model.votes.clone()) {
                                edge.push((model, play));
                            }
                        }
                        Says::Approved => decided[0] += 1,
                        Says::Rejected { .. } => decided[1] += 1,
                        Says::Refused(_) => {}
                    }
                }
            }
        }
        assert!(known.len() > 60 && decided[0] > 0 && decided[1] > 0, "{needs:?}: {} {decided:?}", known.len());
    }
}

/// Every order in which six people can vote once, without merging what looks the same.
#[test]
fn panels_decide_as_a_plain_model_says_in_every_order() {
    fn go_on(play: &Play, task: &Snapshot, model: &Model, left: &[usize]) -> usize {
        let mut ends = 0;
        for person in left {
            for approves in [true, false] {
                let (who, back) = PEOPLE[*person];
                let step = if approves { format!("approve {who}") } else { format!("reject {who} {back}") };
                let mut model = model.clone();
                let expected = model.vote(*person, approves);
                let command = play.command(&step);
                let result = decide(&play.workflow, task, Input::Party(&command), play.moment());
                let events = match &expected {
                    Says::Open => "vote_recorded > in_review",
                    Says::Approved => "vote_recorded stage_approved workflow_completed > delivery",
                    Says::Rejected { .. } => "vote_recorded stage_rejected stage_entered > preparing",
                    Says::Refused(refusal) => refusal,
                };
                assert_eq!(outcome(&result), events, "{:?}", model.votes);
                if expected == Says::Open {
                    let left: Vec<usize> = left.iter().copied().filter(|other| other != person).collect();
                    ends += go_on(play, result.unwrap().snapshot(), &model, &left);
                } else {
                    ends += 1;
                }
            }
        }
        ends
    }
    let needs = [(Some(2), 2), (None, 1)];
    let (play, model) = (play_of(needs, None), Model { needs, barred: None, votes: BTreeMap::new() });
    let ends = go_on(&play, &play.snapshot, &model, &[0, 1, 2, 3, 4, 5]);
    assert!(ends > 5_000, "{ends}");
}
