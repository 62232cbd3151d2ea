//! Requirements of the contract beyond the table's rows.

use crate::domain::values::text::Text;

use super::test_support::{Play, brand};

#[test]
fn the_phase_is_checked_before_the_revision() {
    let mut play = Play::of(&brand(), "submit anna; escalate anna platform");
    for step in ["hold anna ~0", "hold platform ~0", "resume anna ~0", "ack anna ~0"] {
        assert_eq!(play.run(step), "wrong_phase", "{step}");
    }
    play.run("resolve platform return; hold platform");
    assert_eq!(play.run("resume anna ~0"), "held_by_other");
    assert_eq!(play.run("resume platform ~0"), "stale_revision");
}

#[test]
fn what_is_not_in_the_table_is_the_wrong_phase_also_while_a_cancellation_winds_down() {
    let mut play = Play::of(&brand(), "submit anna; approve bo; escalate anna platform; cancel buyer");
    for step in ["submit anna", "hold anna", "resume anna", "escalate anna platform", "resolve platform approve #1"] {
        assert_eq!(play.run(step), "wrong_phase", "{step}");
    }
}

#[test]
fn the_buyer_reads_why_a_task_is_on_hold_whatever_the_partner_says_meanwhile() {
    let mut play = Play::of(&brand(), "hold platform; status anna");
    let status = &play.snapshot.status;
    assert_eq!(status.message.as_ref().map(Text::as_str), Some("Waiting for the logo"));
    assert_eq!(status.percent, Some(50));
    play.run("resume platform");
    assert_eq!((&play.snapshot.status.message, play.snapshot.status.percent), (&None, None));
}
