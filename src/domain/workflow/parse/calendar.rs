//! Reads a calendar; every invalid interval and date is a mistake of its own.

use std::collections::BTreeSet;

use crate::domain::calendar::{Calendar, Day, Hours, Interval, MAX_HOLIDAYS, MAX_INTERVALS, TimeOfDay, TimeZone};

use super::Code;
use super::node::{Node, Read};

pub(super) fn calendar(node: &Node) -> Read<Calendar> {
    let fields = node.object(&["time_zone", "hours", "holidays"])?;
    let time_zone = fields.required("time_zone", |node| {
        let name = node.string("a time zone such as \"Europe/Berlin\"")?;
        TimeZone::parse(name).map_err(|error| node.report(Code::UnknownTimeZone, error))
    });
    let hours = fields.required("hours", hours);
    let holidays = fields.or("holidays", Vec::new(), holidays);
    Calendar::new(time_zone?, hours?, holidays?).map_err(|error| node.report(Code::InvalidHours, error))
}

fn hours(node: &Node) -> Read<Hours> {
    let fields = node.object(&Hours::WEEKDAYS)?;
    let mut hours = Hours::default();
    let mut sound = Ok(());
    for (name, day) in Hours::WEEKDAYS.into_iter().zip(hours.days_mut()) {
        match fields.or(name, Vec::new(), intervals) {
            Ok(intervals) => *day = intervals,
            Err(reported) => sound = Err(reported),
        }
    }
    sound?;
    if hours.days_mut().iter().all(|day| day.is_empty()) {
        return Err(node.report(Code::NoWorkingHours, "must have working hours on at least one weekday"));
    }
    Ok(hours)
}

/// The intervals of a weekday, in any order.
fn intervals(node: &Node) -> Read<Vec<Interval>> {
    let (nodes, mut sound) = node.elements(0..=MAX_INTERVALS)?;
    let mut intervals: Vec<Interval> = Vec::with_capacity(nodes.len());
    for node in nodes {
        match interval(&node) {
            Ok(one) => match intervals.iter().find(|other| one.from < other.to && other.from < one.to) {
                Some(other) => {
                    let rule = format!("overlaps the hours from {} to {} of the same day", other.from, other.to);
                    sound = Err(node.report(Code::InvalidHours, rule));
                }
                None => intervals.push(one),
            },
            Err(reported) => sound = Err(reported),
        }
    }
    sound.map(|()| intervals)
}

fn interval(node: &Node) -> Read<Interval> {
    let fields = node.object(&["from", "to"])?;
    let time = |node: &Node| {
        let text = node.string("a time of day such as \"09:00\"")?;
        TimeOfDay::parse(text).map_err(|error| node.report(Code::InvalidTime, error))
    };
    let (from, to) = (fields.required("from", time), fields.required("to", time));
    let (from, to) = (from?, to?);
    if from >= to {
        let rule = "must have `from` before `to`; write hours over midnight as two intervals, to 24:00 and from 00:00";
        return Err(node.report(Code::InvalidHours, rule));
    }
    Ok(Interval { from, to })
}

fn holidays(node: &Node) -> Read<Vec<Day>> {
    let (nodes, mut sound) = node.elements(0..=MAX_HOLIDAYS)?;
    let mut days = BTreeSet::new();
    for node in nodes {
        let day = node
            .string("a date such as \"2026-12-25\"")
            .and_then(|text| Day::parse(text).map_err(|error| node.report(Code::InvalidDate, error)));
        match day {
            Ok(day) if !days.insert(day) => {
                sound = Err(node.report(Code::Duplicate, "is already in the list"));
            }
            Ok(_) => {}
            Err(reported) => sound = Err(reported),
        }
    }
    sound.map(|()| days.into_iter().collect())
}
