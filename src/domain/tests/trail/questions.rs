//! The reader's account of questions.

use crate::domain::task::event::{Event, QuestionAsked, QuestionEnd};
use crate::domain::values::party::{Party, Source};
use crate::domain::values::time::Time;
use crate::domain::workflow::{ClockKind, Workflow};

use super::Reader;
use super::stopwatch::Stopwatch;

#[derive(Clone)]
pub(super) struct Asked {
    pub(super) seq: u64,
    pub(super) from: Source,
    pub(super) to: Party,
    pub(super) stopwatch: Stopwatch,
}

impl Reader {
    pub(super) fn asked(&mut self, workflow: &Workflow, event: &Event, asked: &QuestionAsked, place: &str) {
        let (rule, at) = (&workflow.stages[self.stage].questions, event.recorded_at);
        assert!(self.question.is_none() && !self.paused(), "{place}: one at a time");
        assert!(rule.to.contains(&asked.to) && event.party != asked.to.into(), "{place}: an allowed party");
        let reviewing = Source::from(workflow.stages[self.stage].reviewer);
        let may = [Source::Partner, Source::Platform].contains(&event.party);
        assert!(may || self.reviewing && event.party == reviewing, "{place}: a party that may ask");
        let due = match rule.clock {
            ClockKind::Wall => at + rule.respond_within.delta(),
            ClockKind::Business => workflow.calendar.as_ref().unwrap().add(at, rule.respond_within.delta()),
        };
        assert_eq!((asked.respond_by, asked.revision), (due, self.revision), "{place}");
        self.asked += 1;
        assert!(self.asked <= rule.max_per_round, "{place}: as often as the stage allows");
        self.stopwatch.stop(at);
        let (seq, from, to) = (event.seq, event.party, asked.to);
        self.question = Some(Asked { seq, from, to, stopwatch: Stopwatch::start(at) });
    }

    /// Ends the open question, which must be the named one.
    pub(super) fn question_ends(&mut self, at: Time, named: u64, place: &str) -> Asked {
        let question = self.question.take().unwrap_or_else(|| panic!("{place}: no question is open"));
        assert_eq!(question.seq, named, "{place}");
        if self.reviewing && !self.paused() {
            self.stopwatch.go_on(at);
        }
        question
    }

    pub(super) fn question_closed(
        &mut self,
        workflow: &Workflow,
        event: &Event,
        what: (u64, QuestionEnd),
        place: &str,
    ) {
        let (named, why) = what;
        let question = self.question_ends(event.recorded_at, named, place);
        match why {
            QuestionEnd::Withdrawn => assert_eq!(event.party, question.from, "{place}"),
            QuestionEnd::Overtaken => {
                assert_eq!(event.party, Source::Service, "{place}");
                self.overtakes = false;
            }
            QuestionEnd::Lapsed => {
                let rule = &workflow.stages[self.stage].questions;
                let waited = question.stopwatch.at(workflow, rule.clock, event.recorded_at);
                assert!(waited >= rule.respond_within.delta(), "{place}: it had its whole time");
                assert_eq!(event.party, Source::Service, "{place}");
            }
        }
    }
}
