//! Upper bounds, for any start time: how long working time can take, and how much of it fits into a
//! period. They assume holidays as close together as the list has them, and a clock change in every
//! half year of zones that have any.

use super::{Calendar, DAY, Day, WEEK};

const HOUR: i64 = 3_600;
/// The longest duration that a definition may ask for: ten years.
pub(in crate::domain) const MAX_SECONDS: i64 = 3_653 * DAY;

impl Calendar {
    /// The longest that `work` seconds of working time can take, in seconds, from any start. If
    /// that exceeds ten years, the result is some number above ten years.
    pub fn longest(&self, work: i64) -> i64 {
        let hour = if self.changes_clocks() { HOUR } else { 0 };
        let lost = hour.min(self.hours.total());
        let mut span = self.longest_week_by_week(work);
        while span <= MAX_SECONDS {
            let changes = 1 + span / (26 * WEEK);
            let next = self.longest_week_by_week(work + changes * lost + self.most_free_within(span)) + changes * hour;
            if next <= span {
                break;
            }
            span = next;
        }
        span
    }

    /// The most working time in a period of this many seconds.
    pub fn most_work_in(&self, span: i64) -> i64 {
        let pieces = self.week();
        let rest = span % WEEK;
        let next_week = pieces.iter().map(|(from, to)| (from + WEEK, to + WEEK));
        let both: Vec<(i64, i64)> = pieces.iter().copied().chain(next_week).collect();
        let from = |start: i64| -> i64 {
            both.iter().map(|(from, to)| ((*to).min(start + rest) - (*from).max(start)).max(0)).sum()
        };
        let hour = if self.changes_clocks() { HOUR } else { 0 };
        let most = span / WEEK * self.hours.total() + pieces.iter().map(|(start, _)| from(*start)).max().unwrap_or(0);
        (most + hour * (1 + span / (26 * WEEK))).min(span)
    }

    /// The longest that `work` takes without holidays and clock changes: it starts when one of the
    /// week's intervals has just ended.
    fn longest_week_by_week(&self, work: i64) -> i64 {
        let (pieces, total) = (self.week(), self.hours.total());
        let weeks = (work - 1).max(0) / total;
        let rest = work - weeks * total;
        let starts = pieces.iter().enumerate().map(|(index, (_, start))| {
            let mut left = rest;
            let later = pieces.iter().skip(index + 1).copied();
            let next_week = pieces.iter().take(index + 1).map(|(from, to)| (from + WEEK, to + WEEK));
            for (from, to) in later.chain(next_week) {
                if left <= to - from {
                    return from + left - start;
                }
                left -= to - from;
            }
            WEEK
        });
        weeks * WEEK + starts.max().unwrap_or(WEEK)
    }

    /// The most working time that holidays can remove from this many seconds.
    fn most_free_within(&self, span: i64) -> i64 {
        let days = span / DAY + 2;
        let work = |day: &Day| self.hours.work_on(day.number());
        let (mut most, mut sum, mut first) = (0, 0, self.holidays.iter().peekable());
        for holiday in &self.holidays {
            sum += work(holiday);
            while let Some(gone) = first.next_if(|first| first.number() + days < holiday.number()) {
                sum -= work(gone);
            }
            most = most.max(sum);
        }
        most
    }

    /// The intervals of a week, in seconds from its start.
    fn week(&self) -> Vec<(i64, i64)> {
        let days = self.hours.days().into_iter().zip(0..);
        days.flat_map(|(hours, day)| {
            hours.iter().map(move |one| (day * DAY + one.from.seconds(), day * DAY + one.to.seconds()))
        })
        .collect()
    }

    /// Whether the zone's UTC offset changes in the twenty years from 2025 on, sampled every four
    /// weeks.
    fn changes_clocks(&self) -> bool {
        const START: i64 = 1_735_689_600;
        let first = self.offset(START);
        (1..260).any(|step| self.offset(START + step * 4 * WEEK) != first)
    }
}
