//! Forged receipts: changed text, header, signature, and content that only unsigned ones can have.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD as BASE64URL};

use crate::domain::audit::receipt::{Receipt, Row};

use super::*;

fn receipt(seq: usize) -> Receipt {
    let (events, rows) = (trail(), sealed(&trail()));
    let submissions = [rows[2].hash, rows[2].hash];
    let row =
        Row { task_id: origin().task_id, event: &events[seq - 1], hash: rows[seq - 1].hash, submissions: &submissions };
    Receipt::new(signer().verifier().name(), row, Party::Partner).unwrap()
}

fn encode(text: &str) -> String {
    BASE64URL.encode(text)
}

/// A receipt with this header and payload, signed by `key`.
fn signed(header: &str, payload: &str, key: &SignerKey) -> String {
    let said = format!("{}.{}", encode(header), encode(payload));
    let signature = BASE64URL.encode(key.sign(said.as_bytes()));
    format!("{said}.{signature}")
}

fn header(key: &SignerKey) -> String {
    format!(r#"{{"alg":"EdDSA","kid":"{}","typ":"stagegate-receipt+jwt"}}"#, key.verifier().id())
}

/// A vote, entry 5 of the sample.
fn payload() -> String {
    serde_json_canonicalizer::to_string(&receipt(5)).unwrap()
}

/// Payloads whose form shows that the service did not write them, signed or not.
fn malformed() -> Vec<(&'static str, String)> {
    let good = payload();
    let change = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} is not in {good}");
        good.replacen(from, to, 1)
    };
    let digest = format!(r#""revision_digest":"{}""#, receipt(5).revision_digest.unwrap());
    vec![
        ("a member less", change(r#""round":2,"#, "")),
        ("a member more", change(r#""round":2,"#, r#""round":2,"salt":1,"#)),
        ("a member twice", change(r#""round":2,"#, r#""round":2,"round":2,"#)),
        ("members in another order", change(r#""round":2,"seq":5"#, r#""seq":5,"round":2"#)),
        ("white space", change(":2,", ": 2,")),
        ("an escape", change("legal", "\\u006cegal")),
        ("a place as a text", change(r#""seq":5"#, r#""seq":"5""#)),
        ("a place as a fraction", change(r#""seq":5"#, r#""seq":5.0"#)),
        ("no place", change(r#""seq":5"#, r#""seq":0"#)),
        ("a revision below none", change(r#""revision":2"#, r#""revision":-2"#)),
        ("a revision without a digest", change(&digest, r#""revision_digest":null"#)),
        ("a digest of no revision", change(r#""revision":2"#, r#""revision":0"#)),
        ("a head that is none", change(r#""head":""#, r#""head":"00"#)),
        ("a party that is none", change(r#""party":"partner""#, r#""party":"nobody""#)),
        ("a decision that is none", change(r#""decision":"rejected""#, r#""decision":"blessed""#)),
        ("a list", format!("[{good}]")),
        ("nothing", String::new()),
    ]
}

/// Files around a valid receipt, and changes of it.
fn around() -> Vec<(&'static str, String, Outcome)> {
    let (ours, good) = (signer(), receipt(5).sign(&signer()));
    let parts: Vec<&str> = good.split('.').collect();
    let other: String = receipt(6).sign(&ours);
    let others: Vec<&str> = other.split('.').collect();
    let with = |header: &str, payload: &str, signature: &str| format!("{header}.{payload}.{signature}");
    let changed = encode(&payload().replacen("rejected", "approved", 1));
    let padded = URL_SAFE.encode(ours.sign(format!("{}.{}", parts[0], parts[1]).as_bytes()));
    let head = |from: &str, to: &str| signed(&header(&ours).replacen(from, to, 1), &payload(), &ours);
    let mut cases = vec![
        ("as it was made", good.clone(), Verified),
        ("as it was made, with a line feed", format!("{good}\n"), Verified),
        ("another decision under the signature", with(parts[0], &changed, parts[2]), Refused),
        ("another receipt's text", with(parts[0], others[1], parts[2]), Refused),
        ("another receipt's signature", with(parts[0], parts[1], others[2]), Refused),
        (
            "another decision, signed by somebody else in our name",
            signed(&header(&ours), &payload(), &other_key()),
            Refused,
        ),
        ("no signature", with(parts[0], parts[1], ""), Refused),
        ("half a signature", with(parts[0], parts[1], &parts[2][..43]), Refused),
        ("a signature with padding", with(parts[0], parts[1], &padded), Refused),
        ("a signature with other last bits", with(parts[0], parts[1], &format!("{}_", &parts[2][..85])), Refused),
        ("no algorithm", head("EdDSA", "none"), Refused),
        ("another algorithm", head("EdDSA", "HS256"), Refused),
        ("another type", head("stagegate-receipt+jwt", "JWT"), Refused),
        ("a header that brings its key", head("{", r#"{"jwk":{},"#), Refused),
        ("a header with a member twice", head("{", r#"{"alg":"EdDSA","#), Refused),
        ("a header with white space", head(",", ", "), Refused),
        ("two of them", format!("{good}\n{good}\n"), Unreadable),
        ("a part more", format!("{good}."), Unreadable),
        ("a part less", with(parts[0], parts[1], "").trim_end_matches('.').to_owned(), Unreadable),
        ("white space before it", format!(" {good}"), Unreadable),
        ("line feeds of another system", format!("{good}\r\n"), Unreadable),
        ("a mark of byte order", format!("\u{feff}{good}"), Refused),
        ("dots alone", "..".to_owned(), Refused),
    ];
    cases.extend(malformed().into_iter().map(|(name, text)| (name, signed(&header(&ours), &text, &ours), Refused)));
    let elsewhere = payload().replacen("audit.example.com", "audit.example.org", 1);
    cases.push(("another issuer than the key's", signed(&header(&ours), &elsewhere, &ours), Refused));
    cases
}

/// Receipts that no known key signed: they prove nothing, and must at least have the form of a
/// receipt.
fn by_nobody() -> Vec<(String, String, Outcome)> {
    let theirs = other_key();
    let sign = |payload: &str| signed(&header(&theirs), payload, &theirs);
    let approved = payload().replacen("rejected", "approved", 1);
    let nameless = payload().replacen("audit.example.com/stagegate", "", 1);
    let kid = |kid: &str, payload: &str| {
        signed(&format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"stagegate-receipt+jwt"}}"#), payload, &theirs)
    };
    let mut cases = vec![
        ("true, by another key of our name", sign(&payload()), Consistent),
        ("invented, by another key of our name", sign(&approved), Consistent),
        ("a key without a name", kid("+00000000", &nameless), Refused),
        ("a key without an id", kid("audit.example.com/stagegate", &payload()), Refused),
        ("a key of another name", kid("audit.example.org/stagegate+00000000", &payload()), Refused),
    ];
    cases.extend(malformed().into_iter().map(|(name, text)| (name, sign(&text), Refused)));
    cases.into_iter().map(|(name, file, expected)| (format!("by nobody: {name}"), file, expected)).collect()
}

#[test]
fn both_verifiers_say_of_every_forged_receipt_what_was_proven() {
    let ours = [signer()];
    let around = around().into_iter().map(|(name, file, expected)| (name.to_owned(), file, expected));
    let with_key = around.chain(by_nobody()).map(|(name, file, expected)| Case::new(name, file, &ours, expected));
    let good = receipt(5).sign(&signer());
    let others = [
        Case::new("without a key".to_owned(), good.clone(), &[], Consistent),
        Case::new("with a key that signed nothing".to_owned(), good.clone(), &[other_key()], Consistent),
        Case::new("one of two keys".to_owned(), good, &[other_key(), signer()], Verified),
    ];
    let cases: Vec<Case> = with_key.chain(others).collect();
    assert!(cases.len() > 60, "{}", cases.len());
    assert_both_say(&cases);
}
