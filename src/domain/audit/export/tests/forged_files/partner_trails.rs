//! Forged exports of a partner's trail, as the partner and the platform have them.

use crate::domain::audit::partner_view::tests::{origin, sealed, trail};
use crate::domain::audit::{FieldProof, PartnerOrigin, sample};
use crate::domain::values::id::TaskId;

use super::super::forgeries::hide;
use super::*;

fn export(rows: &[Sealed], viewer: Party, logged: Option<usize>, signer: &SignerKey) -> Vec<String> {
    let mut writer = Writer::default();
    let mut lines = vec![writer.header(origin().into(), viewer)];
    lines.extend(rows.iter().map(|row| writer.entry::<PartnerOrigin>(row, viewer).unwrap()));
    let head = Head { seq: rows.len() as u64, hash: rows.last().unwrap().hash };
    let subject = Logged::Partner(origin().partner_id);
    lines.push(writer.end(head, logged.map(|seq| inclusion(subject, seq, rows[seq - 1].hash, signer))));
    lines
}

/// Rows and their order. Entry 2 creates a key; 3 and 4 are the partner's own.
fn rows(good: &[String], theirs: &[String]) -> Vec<(&'static str, String)> {
    let last = good.len() - 2;
    let task = sample::sealed(&sample::trail()[..4]);
    let foreign = Writer::default().entry::<Origin>(&task[3], Party::Platform).unwrap();
    vec![
        ("a row is cut", edited(good, |lines| drop(lines.remove(3)))),
        ("the last row is cut", edited(good, |lines| drop(lines.remove(last)))),
        ("the first row is cut", edited(good, |lines| drop(lines.remove(1)))),
        ("rows are swapped", edited(good, |lines| lines.swap(3, 4))),
        ("a row is doubled", edited(good, |lines| lines.insert(3, good[3].clone()))),
        ("a row of an invention", edited(good, |lines| lines[3].clone_from(&theirs[3]))),
        ("a row of a task's trail", edited(good, |lines| lines[4].clone_from(&foreign))),
        (
            "a row is damaged",
            edited(good, |lines| lines[3] = "{\"damaged\":{\"seq\":3,\"what\":\"\u{7}\"}}\n".to_owned()),
        ),
        ("a key's hint is another", replaced(good, 2, "ait_7Gq2", "ait_7Gq3")),
        ("a version is another", replaced(good, 3, "\"value\":\"3\"", "\"value\":\"4\"")),
        ("a type is another", replaced(good, 4, "workflow_retired", "workflow_restored")),
        ("a type is a task's", replaced(good, 4, "partner.workflow_retired", "task.held")),
        ("a member is doubled", replaced(good, 4, "{", "{\"seq\":4,")),
        ("a member is new", replaced(good, 4, "{", "{\"x\":4,")),
        ("a place as a fraction", replaced(good, 4, "\"seq\":4", "\"seq\":4.0")),
        ("a place of another entry", replaced(good, 4, "\\\"seq\\\":4", "\\\"seq\\\":5")),
        ("another format of an entry", replaced(good, 4, "\\\"v\\\":1", "\\\"v\\\":2")),
        ("a field less", entry(good, 4, |entry| drop(entry.fields.as_mut().unwrap().pop()))),
        ("fields are swapped", entry(good, 4, |entry| entry.fields.as_mut().unwrap().swap(0, 1))),
        ("a field is hidden", entry(good, 2, |entry| hide(entry, "data.hint", false))),
        ("a time is hidden", entry(good, 2, |entry| hide(entry, "recorded_at", false))),
        ("what is never erased is marked as erased", entry(good, 2, |entry| hide(entry, "data.hint", true))),
        ("a row is hidden", entry(good, 4, |entry| entry.fields = None)),
    ]
}

/// The row of a key after an erasure, which took the people and the label out of entry 2; entry 7 accounts for it.
fn of_an_erased_key(good: &[String]) -> Vec<(&'static str, String)> {
    let erased: Vec<String> = after_an_erasure(good).split_inclusive('\n').map(str::to_owned).collect();
    let change = |path: &'static str, change: &dyn Fn(&mut FieldProof)| {
        entry(&erased, 2, |entry| {
            change(entry.fields.as_mut().unwrap().iter_mut().find(|field| field.path == path).unwrap());
        })
    };
    let put_back = |field: &mut FieldProof| {
        let value = Some("[\"u-anna\"]".to_owned());
        *field = FieldProof { path: field.path.clone(), salt: Some("5a".repeat(16)), value, leaf: None, erased: false };
    };
    let people = |line: &str| line.replacen("\"erased\":true", "\"erased\":false", 1);
    let numbered = |line: &str, from: usize, to: usize| {
        let (plain, quoted) = (format!("\"seq\":{from}"), format!("\\\"seq\\\":{from}"));
        line.replace(&plain, &format!("\"seq\":{to}")).replace(&quoted, &format!("\\\"seq\\\":{to}"))
    };
    vec![
        ("another person in place of the erased one", change("data.actors", &put_back)),
        ("the person's mark is taken away", change("data.actors", &|field| field.erased = false)),
        ("the person's mark says false", edited(&erased, |lines| lines[2] = people(&lines[2]))),
        (
            "the scopes are others",
            change("data.scopes", &|field| field.value = Some("[\"review\",\"define\"]".to_owned())),
        ),
        ("the scopes are marked as erased, too", entry(&erased, 2, |entry| hide(entry, "data.scopes", true))),
        (
            "the expiry is later",
            change("data.expires_at", &|field| field.value = Some("\"2030-01-01T00:00:00Z\"".to_owned())),
        ),
        ("the expiry is marked as erased, too", entry(&erased, 2, |entry| hide(entry, "data.expires_at", true))),
        ("the key's row is dropped", edited(&erased, |lines| drop(lines.remove(2)))),
        ("the key's row is swapped with the next", edited(&erased, |lines| lines.swap(2, 3))),
        (
            "the two rows are swapped and numbered anew",
            edited(&erased, |lines| {
                let (second, third) = (numbered(&lines[3], 3, 2), numbered(&lines[2], 2, 3));
                (lines[2], lines[3]) = (second, third);
            }),
        ),
        (
            "the erasure accounts for another row",
            entry(&erased, 7, |entry| {
                let fields = entry.fields.as_mut().unwrap();
                let entries = fields.iter_mut().find(|field| field.path == "data.entries").unwrap();
                entries.value = Some("[3]".to_owned());
            }),
        ),
        ("the erasure's own row is dropped", edited(&erased, |lines| drop(lines.remove(7)))),
    ]
}

fn after_an_erasure(good: &[String]) -> String {
    entry(good, 2, |entry| {
        hide(entry, "data.actors", true);
        hide(entry, "data.label", true);
    })
}

/// Changes to header and end.
fn frame(good: &[String], theirs: &[String], viewer: Party) -> Vec<(&'static str, String)> {
    let end = good.len() - 1;
    let id = origin().partner_id.to_string();
    let of_task = good[end].replacen("\"partner\":", "\"task\":", 1);
    let other = Party::ALL.into_iter().find(|other| ![viewer, Party::Buyer].contains(other)).unwrap();
    let with_viewer =
        |other: Party| replaced(good, 0, &format!("\"viewer\":\"{viewer}\""), &format!("\"viewer\":\"{other}\""));
    let rest = &good[end];
    let hashes = rest.find("\"hashes\":[\"").unwrap() + "\"hashes\":[\"".len();
    let first = rest[hashes..hashes + 64].to_owned();
    let second = rest[hashes + 67..hashes + 131].to_owned();
    vec![
        ("relabelled as the buyer's", with_viewer(Party::Buyer)),
        ("relabelled as another party's", with_viewer(other)),
        ("relabelled as nobody's", replaced(good, 0, &format!("\"{viewer}\"}}"), "\"service\"}")),
        ("another partner in the header", replaced(good, 0, "0002\"", "0003\"")),
        ("a task in the header", replaced(good, 0, "{\"partner\":", "{\"task\":")),
        ("a buyer in the header", replaced(good, 0, "{\"partner\":", &format!("{{\"buyer\":\"{id}\",\"partner\":"))),
        ("an invention under the truth's inclusion", edited(theirs, |lines| lines[end].clone_from(&good[end]))),
        ("the truth under an invention's inclusion", edited(good, |lines| lines[end].clone_from(&theirs[end]))),
        ("the inclusion of a task of this id", edited(good, |lines| lines[end].clone_from(&of_task))),
        (
            "the inclusion of another partner",
            replaced(
                good,
                end,
                &format!("\"partner\":\"{id}\""),
                &format!("\"partner\":\"{}\"", TaskId(uuid::Uuid::nil())),
            ),
        ),
        ("the inclusion of another entry", replaced(good, end, "\"seq\":16,\"partner\"", "\"seq\":9,\"partner\"")),
        ("another index", replaced(good, end, "\"index\":1", "\"index\":2")),
        ("another size", replaced(good, end, "\"size\":5", "\"size\":6")),
        (
            "an inclusion path in another order",
            edited(good, |lines| {
                lines[end] =
                    lines[end].replacen(&first, "first", 1).replacen(&second, &first, 1).replacen("first", &second, 1);
            }),
        ),
        ("an inclusion path that is shorter", replaced(good, end, &format!("\"{first}\","), "")),
        (
            "an inclusion path that is longer",
            replaced(good, end, &format!("\"{first}\","), &format!("\"{first}\",\"{first}\",")),
        ),
        ("a checkpoint of another size", replaced(good, end, "stagegate\\n5\\n", "stagegate\\n6\\n")),
        ("a head of another place", replaced(good, end, "{\"head\":{\"seq\":16", "{\"head\":{\"seq\":9")),
        ("no end", good[..end].concat()),
        ("two ends", format!("{}{}", good.concat(), good[end])),
    ]
}

/// The known facts about who sees what.
fn of_one_viewer() -> Vec<(&'static str, String)> {
    let rows = sealed(&trail());
    let file = |viewer| export(&rows, viewer, Some(rows.len()), &signer());
    let (partner, platform) = (file(Party::Partner), file(Party::Platform));
    vec![
        (
            "the partner's own credential is hidden from it",
            entry(&partner, 3, |entry| hide(entry, "credential_id", false)),
        ),
        (
            "its own credential is marked as erased, and nothing says so",
            entry(&partner, 3, |entry| hide(entry, "credential_id", true)),
        ),
        (
            "the platform's credential is shown to the partner",
            edited(&partner, |lines| lines[2].clone_from(&platform[2])),
        ),
        ("a credential is hidden from the platform", edited(&platform, |lines| lines[2].clone_from(&partner[2]))),
    ]
}

#[test]
fn both_verifiers_say_of_every_forged_trail_of_a_partner_what_was_proven() {
    let (rows_of, ours) = (sealed(&trail()), [signer()]);
    let mut invented = trail();
    invented[2].recorded_at = Time::from_micros(1_795_341_600_000_002);
    let invented = sealed(&invented);
    let last = rows_of.len();
    let mut cases = Vec::new();
    for viewer in [Party::Partner, Party::Platform] {
        let file = |rows: &[Sealed], logged, key: &SignerKey| export(rows, viewer, logged, key);
        let (good, theirs) = (file(&rows_of, Some(last), &ours[0]), file(&invented, Some(last), &ours[0]));
        let mut case = |name: &str, file: String, keys: &[SignerKey], expected| {
            cases.push(Case::new(format!("{viewer}: {name}"), file, keys, expected));
        };
        case("as it was made", good.concat(), &ours, Verified);
        case("without the people of a key, who were erased", after_an_erasure(&good), &ours, Verified);
        case("without a key", good.concat(), &[], Consistent);
        case("with the key of somebody else", good.concat(), &[other_key()], Consistent);
        case("without inclusion", file(&rows_of, None, &ours[0]).concat(), &ours, Consistent);
        case("an older checkpoint", file(&rows_of, Some(last - 1), &ours[0]).concat(), &ours, Consistent);
        case("a foreign checkpoint", file(&rows_of, Some(last), &other_key()).concat(), &ours, Consistent);
        case("an invention", file(&invented, Some(last), &other_key()).concat(), &ours, Consistent);
        case("another format", replaced(&good, 0, "\"format\":1", "\"format\":2"), &ours, Unreadable);
        for (name, file) in
            rows(&good, &theirs).into_iter().chain(frame(&good, &theirs, viewer)).chain(of_an_erased_key(&good))
        {
            case(name, file, &ours, Refused);
        }
    }
    cases.extend(of_one_viewer().into_iter().map(|(name, file)| Case::new(name.to_owned(), file, &ours, Refused)));
    assert!(cases.len() > 120, "{}", cases.len());
    assert_both_say(&cases);
}
