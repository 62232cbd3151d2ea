//! Forged exports of many trails.

use uuid::Uuid;

use crate::domain::audit::partner_view::tests as partner;
use crate::domain::audit::{PartnerOrigin, Sealed};
use crate::domain::values::id::{PartnerId, WorkflowKey};

use super::super::forgeries::hide;
use super::*;

/// The number of entries per trail in these tests.
const ENTRIES: usize = 6;
/// The lines of a trail: header, entries and end.
const LINES: usize = ENTRIES + 2;

fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + n)
}

/// The n-th task.
fn task(n: u128) -> Origin {
    Origin { task_id: TaskId(id(100 + n)), ..origin() }
}

fn wanted() -> Selection {
    Selection {
        partner: Some(origin().partner_id),
        workflow: WorkflowKey::parse("secret-workflow").ok(),
        from: Some(Time::from_micros(1_795_341_600_000_000)),
        until: None,
    }
}

/// The export of these tasks, in one log that `signer` signs.
fn export(tasks: &[Origin], signer: &SignerKey) -> Vec<String> {
    let rows: Vec<Vec<Sealed>> = tasks.iter().map(|task| sealed_as(task, &trail()[..ENTRIES])).collect();
    let head = |rows: &[Sealed]| rows[ENTRIES - 1].hash;
    let leaf = |(task, rows): (&Origin, &Vec<Sealed>)| Leaf {
        subject: Logged::Task(task.task_id),
        seq: ENTRIES as u64,
        head: head(rows),
    };
    let leaves: Vec<Leaf> = tasks.iter().zip(&rows).map(leaf).collect();
    let proofs = if leaves.is_empty() { Vec::new() } else { inclusions(&leaves, signer) };
    let mut writer = Writer::default();
    let mut lines = vec![writer.opening(&wanted())];
    for ((task, rows), proof) in tasks.iter().zip(&rows).zip(proofs) {
        lines.push(writer.header((*task).into(), Party::Platform));
        lines.extend(rows.iter().map(|row| writer.entry::<Origin>(row, Party::Platform).unwrap()));
        lines.push(writer.end(Head { seq: ENTRIES as u64, hash: head(rows) }, Some(proof)));
    }
    lines.push(writer.closing());
    lines
}

/// The lines of the n-th trail.
fn trail_at(n: usize) -> std::ops::Range<usize> {
    1 + n * LINES..1 + (n + 1) * LINES
}

/// The last line of a file with this many trails.
fn totals(trails: usize) -> String {
    format!("{{\"trails\":{trails},\"entries\":{},\"sha256\":\"\"}}\n", trails * ENTRIES)
}

/// Missing, repeated, moved and foreign trails, each with matching totals.
fn of_trails(good: &[String]) -> Vec<(&'static str, String, Outcome)> {
    let pick = |order: &[usize]| {
        let trails = order.iter().flat_map(|n| good[trail_at(*n)].to_vec());
        closed(&std::iter::once(good[0].clone()).chain(trails).chain([totals(order.len())]).collect::<Vec<_>>())
    };
    let partner_of = partner::sealed(&partner::trail());
    let mut writer = Writer::default();
    let mut of_partner = vec![writer.header(partner::origin().into(), Party::Platform)];
    of_partner.extend(partner_of.iter().map(|row| writer.entry::<PartnerOrigin>(row, Party::Buyer).unwrap()));
    let stranger = Origin { partner_id: PartnerId(id(77)), ..task(9) };
    let strangers = export(&[stranger], &signer());
    let appended = |lines: &[String]| [&good[..good.len() - 1], lines, &[totals(4)]].concat();
    let swapped = |one: usize, other: usize| edited(good, |lines| lines.swap(one, other));
    vec![
        ("as it was made", good.concat(), Verified),
        // Nothing in a file can show that there was more, so the verifier accepts it.
        ("a trail is left out, with the totals", pick(&[0, 2]), Verified),
        ("no trail is left", pick(&[]), Consistent),
        ("a trail twice", pick(&[0, 1, 1, 2]), Refused),
        ("a trail twice, apart", pick(&[0, 1, 2, 0]), Refused),
        ("trails in another order", pick(&[1, 0, 2]), Refused),
        ("a trail of another partner", closed(&appended(&strangers[1..=LINES])), Refused),
        ("a trail of a partner that never ends", closed(&appended(&of_partner)), Refused),
        ("headers of two trails are swapped", swapped(1, 1 + LINES), Refused),
        ("ends of two trails are swapped", swapped(LINES, 2 * LINES), Refused),
        ("entries of two trails are swapped", swapped(4, 4 + LINES), Refused),
        ("a trail without its header", edited(good, |lines| drop(lines.remove(1 + LINES))), Refused),
        ("a trail without its end", edited(good, |lines| drop(lines.remove(LINES))), Refused),
        ("a trail without an entry", edited(good, |lines| drop(lines.remove(4))), Refused),
        ("a trail without any entry", edited(good, |lines| drop(lines.drain(2..LINES))), Refused),
        ("an entry twice", edited(good, |lines| lines.insert(4, good[4].clone())), Refused),
        ("an entry behind an end", edited(good, |lines| lines.insert(LINES + 1, good[4].clone())), Refused),
        ("entries in another order", swapped(3, 4), Refused),
    ]
}

/// Values, views and proofs within a trail.
fn within(good: &[String]) -> Vec<(&'static str, String, Outcome)> {
    let (header, first, end) = (1 + LINES, 2 + LINES, 2 * LINES);
    let others = export(&[task(1), task(2), task(4)], &signer());
    let foreign = export(&[task(1), task(2), task(3)], &other_key());
    let with_ends = |lines: &[String], ends: &[usize]| {
        edited(good, |file| ends.iter().for_each(|end| file[*end].clone_from(&lines[*end])))
    };
    let unproven = |line: &mut String| {
        let (head, rest) = line.split_once("\"inclusion\":{").unwrap();
        let digest = rest.rsplit_once(DIGEST).unwrap().1;
        *line = format!("{head}\"inclusion\":null{DIGEST}{digest}");
    };
    vec![
        ("a value is another", replaced(good, first, "Brand campaign", "Brand campaigns"), Refused),
        ("a letter that looks alike", replaced(good, first, "Brand", "Br\u{430}nd"), Refused),
        ("a view is the partner's", replaced(good, header, "\"platform\"}", "\"partner\"}"), Refused),
        ("a view is the buyer's", replaced(good, header, "\"platform\"}", "\"buyer\"}"), Refused),
        ("a field is hidden", entry(good, first, |entry| hide(entry, "data.title", false)), Refused),
        (
            "a field is erased, and nothing says so",
            entry(good, first, |entry| hide(entry, "data.title", true)),
            Refused,
        ),
        (
            "what is never erased is marked as erased",
            entry(good, first, |entry| hide(entry, "recorded_at", true)),
            Refused,
        ),
        ("an entry is hidden", entry(good, first, |entry| entry.fields = None), Refused),
        ("a buyer is another", replaced(good, header, "0003\"", "0004\""), Refused),
        ("a member is doubled", replaced(good, first, "{", "{\"seq\":1,"), Refused),
        ("an index of another", replaced(good, end, "\"index\":2", "\"index\":3"), Refused),
        ("an inclusion that ends early", replaced(good, end, "\"hashes\":[", "\"hashes\":[],\"x\":["), Refused),
        ("no trail is proven", edited(good, |file| (1..=3).for_each(|n| unproven(&mut file[n * LINES]))), Consistent),
        ("a trail is not proven", edited(good, |file| unproven(&mut file[end])), Consistent),
        ("a checkpoint of another log of ours", with_ends(&others, &[end]), Refused),
        ("a foreign checkpoint", with_ends(&foreign, &[end]), Refused),
        ("foreign checkpoints alone", with_ends(&foreign, &[LINES, end, 3 * LINES]), Consistent),
        ("a trail by itself", good[trail_at(1)].concat(), Verified),
        ("two trails without an opening", good[1..=end].concat(), Refused),
    ]
}

/// The first line and the last.
fn frame(good: &[String]) -> Vec<(&'static str, String, Outcome)> {
    let last = good.len() - 1;
    let (whole, partner) = (good.concat(), origin().partner_id.to_string());
    let opening = |from: &str, to: &str| replaced(good, 0, from, to);
    let ends = |from: &str, to: &str| replaced(good, last, from, to);
    vec![
        // The request is a claim of the file; only the tasks' partner can be checked against it.
        ("another workflow was asked for", opening("secret-workflow", "other-workflow"), Verified),
        ("another time was asked for", opening("2026-11-22", "2026-11-21"), Verified),
        ("everything was asked for", opening(&format!("\"{partner}\""), "null"), Verified),
        ("another partner was asked for", opening("0002\"", "0005\""), Refused),
        ("a time that is none", opening("2026-11-22", "yesterday"), Refused),
        ("an opening with a member less", opening(",\"until\":null", ""), Refused),
        ("an opening with a member more", opening("{\"partner\"", "{\"buyer\":null,\"partner\""), Refused),
        ("an opening with a member twice", opening("{\"partner\"", "{\"partner\":null,\"partner\""), Refused),
        ("an opening with a statement beside it", opening("}}", "},\"complete\":true}"), Refused),
        ("an opening with white space", opening(":{", ": {"), Refused),
        ("an opening twice", edited(good, |lines| lines.insert(0, good[0].clone())), Refused),
        ("an opening in the middle", edited(good, |lines| lines.insert(1 + LINES, good[0].clone())), Refused),
        ("no opening", edited(good, |lines| drop(lines.remove(0))), Refused),
        ("no last line", good[..last].concat(), Refused),
        ("half a last line", whole[..whole.len() - 20].to_owned(), Refused),
        ("a last line without its line feed", whole.trim_end().to_owned(), Refused),
        ("a last line twice", format!("{whole}{}", good[last]), Refused),
        (
            "a last line of another file",
            [&good[..last], &export(&[task(1)], &signer())[1 + LINES..]].concat().concat(),
            Refused,
        ),
        ("more trails than there are", ends("\"trails\":3", "\"trails\":4"), Refused),
        ("fewer entries than there are", ends("\"entries\":18", "\"entries\":17"), Refused),
        ("trails as a fraction", ends("\"trails\":3", "\"trails\":3.0"), Refused),
        ("trails as a text", ends("\"trails\":3", "\"trails\":\"3\""), Refused),
        ("another digest", format!("{}00\"}}\n", &whole[..whole.len() - 5]), Refused),
        ("an empty line between trails", edited(good, |lines| lines.insert(1 + LINES, "\n".to_owned())), Refused),
        ("a line behind the end", format!("{whole}\n"), Refused),
        ("two files", format!("{whole}{whole}"), Refused),
    ]
}

#[test]
fn both_verifiers_say_of_every_forged_export_of_many_what_was_proven() {
    let (good, ours) = (export(&[task(1), task(2), task(3)], &signer()), [signer()]);
    let tables = of_trails(&good).into_iter().chain(within(&good)).chain(frame(&good));
    let mut cases: Vec<Case> =
        tables.map(|(name, file, expected)| Case::new(name.to_owned(), file, &ours, expected)).collect();
    cases.push(Case::new("without a key".to_owned(), good.concat(), &[], Consistent));
    cases.push(Case::new("with the key of somebody else".to_owned(), good.concat(), &[other_key()], Consistent));
    let end: End = serde_json::from_str(&good[LINES]).unwrap();
    let kept = |name: &str, file: String, note: String, expected| {
        let case = Case::new(format!("a kept checkpoint: {name}"), file, &ours, expected);
        Case { kept: Some(note), ..case }
    };
    let checkpoint = end.inclusion.unwrap().checkpoint;
    let another = Checkpoint::sign(&signer(), 5, Hash::from_bytes([9; 32]));
    cases.push(kept("the same", good.concat(), checkpoint.clone(), Verified));
    cases.push(kept("another history", good.concat(), another, Refused));
    cases.push(kept("none in the file", export(&[task(1)], &signer()).concat(), checkpoint, Refused));
    assert!(cases.len() > 65, "{}", cases.len());
    assert_both_say(&cases);
}
