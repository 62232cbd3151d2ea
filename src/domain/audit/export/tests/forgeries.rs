//! Forged exports of a task's trail, over the views of all three parties.

use crate::domain::audit::signed_note::SignerKey;

use super::both::Outcome::{Consistent, Refused, Unreadable, Verified};
use super::both::{Case, assert_both_say};
use super::*;

/// An export whose entry `logged` is in a log that `signer` signs.
fn export(rows: &[Sealed], viewer: Party, logged: Option<usize>, signer: &SignerKey) -> Vec<String> {
    let mut writer = Writer::default();
    let mut lines = vec![writer.header(origin().into(), viewer)];
    lines.extend(rows.iter().map(|row| writer.entry::<Origin>(row, viewer).unwrap()));
    let last = rows.last().unwrap();
    let inclusion = logged.map(|seq| {
        let leaf = Leaf { subject: Logged::Task(origin().task_id), seq: seq as u64, head: rows[seq - 1].hash };
        let mut tree = Tree::empty();
        tree.append(leaf.hash());
        InclusionProof { leaf, index: 0, size: 1, hashes: vec![], checkpoint: Checkpoint::sign(signer, 1, tree.root()) }
    });
    lines.push(writer.end(Head { seq: rows.len() as u64, hash: last.hash }, inclusion));
    lines
}

/// The file with its digest recomputed, as a forger would.
fn closed(lines: &[String]) -> String {
    let mut bytes: Vec<Vec<u8>> = lines.iter().map(|line| line.clone().into_bytes()).collect();
    close_again(&mut bytes);
    String::from_utf8(bytes.concat()).unwrap()
}

/// The lines with one entry changed as JSON; the order of its members stays as in the format.
fn entry(lines: &[String], seq: usize, change: impl Fn(&mut EntryProof)) -> String {
    let mut lines = lines.to_vec();
    let mut proof: EntryProof = serde_json::from_str(&lines[seq]).unwrap();
    change(&mut proof);
    lines[seq] = serde_json::to_string(&proof).unwrap() + "\n";
    closed(&lines)
}

/// A field reduced to its leaf, as for hidden or erased fields.
pub(super) fn hide(entry: &mut EntryProof, path: &str, erased: bool) {
    let fields = entry.fields.as_mut().unwrap();
    let field = fields.iter_mut().find(|field| field.path == path).unwrap();
    let (salt, value) = (field.salt.take().unwrap(), field.value.take());
    let salt = crate::domain::trail::Salt::parse(&salt).unwrap();
    (field.leaf, field.erased) = (Some(Hash::of_field(&salt, path, value.as_deref())), erased);
}

pub(super) fn other_key() -> SignerKey {
    SignerKey::new(KeyName::parse("audit.example.com/stagegate").unwrap(), [8; 32])
}

#[expect(clippy::too_many_lines, reason = "a table: a forgery each")]
fn of_viewer(viewer: Party) -> Vec<Case> {
    let (rows, ours) = (sealed(&trail()), signer());
    let last = rows.len();
    let good = export(&rows, viewer, Some(last), &ours);
    let whole = good.concat();
    let mut invented = trail();
    invented[0].recorded_at = Time::from_micros(1);
    let invented = sealed(&invented);
    let mut cases = Vec::new();
    let mut case = |name: &str, file: String, keys: &[SignerKey], expected| {
        cases.push(Case::new(format!("{viewer}: {name}"), file, keys, expected));
    };
    let key = std::slice::from_ref(&ours);
    // Signatures.
    case("as it was made", whole.clone(), key, Verified);
    case("one of two keys", whole.clone(), &[other_key(), ours.clone()], Verified);
    case("without a key", whole.clone(), &[], Consistent);
    case("with a key that signed nothing", whole.clone(), &[other_key()], Consistent);
    case("without inclusion", export(&rows, viewer, None, &ours).concat(), key, Consistent);
    case("an older checkpoint", export(&rows, viewer, Some(last - 1), &ours).concat(), key, Consistent);
    case("invented, without inclusion", export(&invented, viewer, None, &ours).concat(), key, Consistent);
    case(
        "invented, signed by its maker",
        export(&invented, viewer, Some(last), &other_key()).concat(),
        key,
        Consistent,
    );
    // Inclusion proofs that do not match.
    let end = |from: &str, to: &str| {
        let mut lines = good.clone();
        assert!(lines[last + 1].contains(from), "{from}");
        lines[last + 1] = lines[last + 1].replacen(from, to, 1);
        closed(&lines)
    };
    let theirs = export(&invented, viewer, Some(last), &ours);
    let task = origin().task_id.to_string();
    for (name, file) in [
        ("the inclusion of an invention", closed(&[&good[..=last], &theirs[last + 1..]].concat())),
        ("an invention under the inclusion of the truth", closed(&[&theirs[..=last], &good[last + 1..]].concat())),
        (
            "the inclusion of another task",
            end(&format!("\"task\":\"{task}\""), &format!("\"task\":\"{}\"", origin().buyer_id)),
        ),
        ("another index", end("\"index\":0", "\"index\":1")),
        ("an index that is no number", end("\"index\":0", "\"index\":\"0\"")),
        ("an index as a fraction", end("\"index\":0", "\"index\":0.0")),
        ("another size", end("\"size\":1", "\"size\":2")),
        ("a checkpoint of another size", end("stagegate\\n1\\n", "stagegate\\n2\\n")),
        ("a checkpoint of another log", end("\"checkpoint\":\"audit", "\"checkpoint\":\"tidua")),
        ("an inclusion of nothing", end("\"inclusion\":{", "\"inclusion\":{\"x\":1,")),
        (
            "another head",
            end(&format!("\"head\":{{\"seq\":{}", rows.len()), &format!("\"head\":{{\"seq\":{}", rows.len() - 1)),
        ),
    ] {
        case(name, file, key, Refused);
    }
    // Lines.
    let edited = |edit: &dyn Fn(&mut Vec<String>)| {
        let mut lines = good.clone();
        edit(&mut lines);
        closed(&lines)
    };
    for (name, file) in [
        ("cut behind an entry", good[..5].concat()),
        ("cut in a line", whole[..whole.len() / 2].to_owned()),
        ("without its last line feed", whole.trim_end().to_owned()),
        ("without its last entry", edited(&|lines| drop(lines.remove(last)))),
        ("without an entry", edited(&|lines| drop(lines.remove(4)))),
        ("an entry twice", edited(&|lines| lines.insert(4, good[4].clone()))),
        ("entries in another order", edited(&|lines| lines.swap(4, 5))),
        ("an end twice", format!("{whole}{}", good[last + 1])),
        ("a line behind the end", format!("{whole}\n")),
        ("line feeds of another system", whole.replace('\n', "\r\n")),
        ("white space", edited(&|lines| lines[4].insert(1, ' '))),
        ("a further member", edited(&|lines| lines[4].insert_str(1, "\"x\":1,"))),
        ("a member twice", edited(&|lines| lines[4].insert_str(1, "\"seq\":4,"))),
        ("a place as a fraction", edited(&|lines| lines[4] = lines[4].replacen("\"seq\":4", "\"seq\":4.0", 1))),
        ("a place as a text", edited(&|lines| lines[4] = lines[4].replacen("\"seq\":4", "\"seq\":\"4\"", 1))),
        ("a letter as an escape", edited(&|lines| lines[0] = lines[0].replace("buyer\":", "\\u0062uyer\":"))),
        ("a digest in capitals", whole.replacen("\"hash\":\"", "\"hash\":\"A", 1)),
        ("a viewer that is none", edited(&|lines| lines[0] = lines[0].replace("\"viewer\":\"", "\"viewer\":\"x"))),
        ("another partner", edited(&|lines| lines[0] = lines[0].replacen("0002\"", "0005\"", 1))),
        ("a damaged line", edited(&|lines| lines[4] = "{\"damaged\":{\"seq\":4,\"what\":\"\u{1b}[2K\"}}\n".to_owned())),
    ] {
        case(name, file, key, Refused);
    }
    for (name, file) in [
        ("without its header", edited(&|lines| drop(lines.remove(0)))),
        ("a mark of byte order", format!("\u{feff}{whole}")),
        ("another format", edited(&|lines| lines[0] = lines[0].replacen("\"format\":1", "\"format\":2", 1))),
    ] {
        case(name, file, key, Unreadable);
    }
    // Visibility. Entry 1 opens the task, 3 is work, 4 a message, 5 a vote of the partner, 6 a vote
    // of the buyer.
    for (name, expected, file) in [
        ("another value", Refused, edited(&|lines| lines[1] = lines[1].replace("Brand campaign", "Brand campaigns"))),
        ("a letter that looks alike", Refused, edited(&|lines| lines[1] = lines[1].replace("Brand", "Br\u{430}nd"))),
        ("a hidden field", Refused, entry(&good, 1, |entry| hide(entry, "data.title", false))),
        ("a hidden type", Refused, entry(&good, 4, |entry| hide(entry, "type", false))),
        ("a hidden party", Refused, entry(&good, 4, |entry| hide(entry, "party", false))),
        ("an erasure that is recorded", Verified, entry(&good, 4, |entry| hide(entry, "data.message", true))),
        ("an erasure of what stays", Refused, entry(&good, 4, |entry| hide(entry, "data.percent", true))),
        ("an erasure that nothing records", Refused, entry(&good, last, |entry| hide(entry, "data.restated", true))),
        ("a field less", Refused, entry(&good, 1, |entry| drop(entry.fields.as_mut().unwrap().pop()))),
        (
            "a field twice",
            Refused,
            entry(&good, 1, |entry| {
                let fields = entry.fields.as_mut().unwrap();
                fields.push(fields[0].clone());
            }),
        ),
        (
            "a type of the other trail",
            Refused,
            entry(&good, 4, |entry| {
                let fields = entry.fields.as_mut().unwrap();
                let field = fields.iter_mut().find(|field| field.path == "type").unwrap();
                field.value = Some("\"partner.created\"".to_owned());
            }),
        ),
        (
            "an opening without fields",
            if viewer == Party::Buyer { Verified } else { Refused },
            entry(&good, 1, |entry| entry.fields = None),
        ),
    ] {
        case(name, file, key, expected);
    }
    for other in Party::ALL.into_iter().filter(|other| *other != viewer) {
        let file = edited(&|lines| {
            lines[0] = lines[0]
                .replace(viewer.as_str().to_owned().as_str(), "x")
                .replace("\"x\":", &format!("\"{viewer}\":"))
                .replace("\"viewer\":\"x\"", &format!("\"viewer\":\"{other}\""));
        });
        case(&format!("relabelled as the {other}'s"), file, key, Refused);
    }
    cases
}

/// Cases that only some views have.
fn of_one_viewer() -> Vec<Case> {
    let rows = sealed(&trail());
    let file = |viewer| export(&rows, viewer, Some(rows.len()), &signer());
    let (partner, platform, buyer) = (file(Party::Partner), file(Party::Platform), file(Party::Buyer));
    let cut = |entry: &mut EntryProof| entry.fields = None;
    let cases = [
        ("a vote is cut from the partner's view", entry(&partner, 5, cut), Refused),
        ("the buyer's vote is cut from the partner's view", entry(&partner, 6, cut), Refused),
        ("an entry is cut from the platform's view", entry(&platform, 28, cut), Refused),
        (
            "a verdict is hidden from the partner",
            entry(&partner, 5, |entry| hide(entry, "data.decision", false)),
            Refused,
        ),
        (
            "the feedback is hidden from the partner",
            entry(&partner, 5, |entry| hide(entry, "data.feedback", false)),
            Refused,
        ),
        ("its own note is hidden from the partner", entry(&partner, 5, |entry| hide(entry, "note", false)), Refused),
        (
            "a question to it is hidden from the buyer",
            entry(&buyer, 11, |entry| hide(entry, "data.reason", false)),
            Refused,
        ),
        (
            "its own feedback is hidden from the buyer",
            entry(&buyer, 6, |entry| hide(entry, "data.feedback", false)),
            Refused,
        ),
        (
            "unshared feedback from another view",
            closed(&[&buyer[..13], &platform[13..14], &buyer[14..]].concat()),
            Refused,
        ),
        (
            "a late decision from another view",
            closed(&[&buyer[..26], &platform[26..27], &buyer[27..]].concat()),
            Refused,
        ),
    ];
    let signer = [signer()];
    cases.into_iter().map(|(name, file, expected)| Case::new(name.to_owned(), file, &signer, expected)).collect()
}

#[test]
fn both_verifiers_say_of_every_forged_trail_what_was_proven() {
    let cases: Vec<Case> = Party::ALL.into_iter().flat_map(of_viewer).chain(of_one_viewer()).collect();
    assert!(cases.len() > 150, "{}", cases.len());
    assert_both_say(&cases);
}
