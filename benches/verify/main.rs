//! How long it takes to verify an export of 100,000 entries: `cargo bench --bench verify`. Nothing
//! is asserted.
//!
//! The trail of one task repeats the demo's events, sealed as the service seals them. It is
//! exported as the platform sees it (the most to verify) and as the buyer does, written to a file
//! and verified from there.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on stops there")]

use std::fs;
use std::io::Write as _;
use std::time::Instant;

use serde_json::{Value, json};
use stagegate::domain::audit::export::{Trusted, Writer};
use stagegate::domain::audit::{Head, Origin, Subject as _, seal};
use stagegate::domain::task::event::Event;
use stagegate::domain::values::id::{BuyerId, PartnerId, TaskId};
use stagegate::domain::values::party::Party;
use stagegate::{check, ids};

/// The allocator of the program.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ENTRIES: u64 = 100_000;
const ROUNDS: u32 = 7;

fn main() {
    let mut out = std::io::stdout();
    let origin =
        Origin { task_id: TaskId(ids::new()), partner_id: PartnerId(ids::new()), buyer_id: BuyerId(ids::new()) };
    for viewer in [Party::Platform, Party::Buyer] {
        let file = std::env::temp_dir().join(format!("stagegate-verify-{}.jsonl", ids::new()));
        write(&origin, viewer, &file);
        let mut took: Vec<f64> = Vec::new();
        for _ in 0..ROUNDS {
            let started = Instant::now();
            let mut said = Vec::new();
            let verdict = check::verify(&file, &Trusted::default(), &mut said).unwrap();
            took.push(started.elapsed().as_secs_f64());
            assert_eq!(verdict, check::Verdict::Unsigned, "{}", String::from_utf8_lossy(&said));
        }
        took.sort_by(f64::total_cmp);
        let size = fs::metadata(&file).unwrap().len() / 1_000_000;
        let (least, middle, most) = (took[0], took[took.len() / 2], took[took.len() - 1]);
        writeln!(
            out,
            "{ENTRIES} entries as the {} sees them, {size} MB: {middle:.2} s ({least:.2} to {most:.2})",
            viewer.as_str()
        )
        .unwrap();
        fs::remove_file(&file).unwrap();
    }
}

fn write(origin: &Origin, viewer: Party, file: &std::path::Path) {
    let mut file = std::io::BufWriter::new(fs::File::create(file).unwrap());
    let mut writer = Writer::default();
    file.write_all(writer.header((*origin).into(), viewer).as_bytes()).unwrap();
    let mut prev = origin.hash();
    for seq in 1..=ENTRIES {
        let row = seal(&prev, origin.task_id, &event(origin, seq), ids::random());
        prev = row.hash;
        file.write_all(writer.entry::<Origin>(&row, viewer).unwrap().as_bytes()).unwrap();
    }
    file.write_all(writer.end(Head { seq: ENTRIES, hash: prev }, None).as_bytes()).unwrap();
    file.flush().unwrap();
}

/// The first event opens the task; submissions, votes and rejections follow in turn.
fn event(origin: &Origin, seq: u64) -> Event {
    let fact = match seq {
        1 => json!({ "type": "task.opened", "data": { "task_id": origin.task_id, "title": "Autumn campaign",
            "workflow": { "key": "brand-campaign", "version": 1 }, "definition": "5e".repeat(32) } }),
        _ if seq.is_multiple_of(3) => {
            json!({ "type": "task.work_submitted", "data": { "revision": 1, "summary": "A draft for the autumn." } })
        }
        _ if seq % 3 == 1 => json!({ "type": "task.vote_recorded", "data": { "decision": "approved", "revision": 1 } }),
        _ => json!({ "type": "task.stage_approved", "data": { "revision": 1, "votes": [2, 3] } }),
    };
    let row: Value = json!({ "seq": seq, "cause_seq": seq, "stage": "legal", "round": 1, "party": "partner",
        "actor": { "id": "u-anna", "name": "Anna K.", "role": "counsel" }, "credential_id": "0199aa00-0000-7000-8000-0000000000aa",
        "command_id": ids::new(), "recorded_at": "2027-01-15T08:00:00.123456Z", "note": "for our own people", "fact": fact });
    serde_json::from_value(row).unwrap()
}
