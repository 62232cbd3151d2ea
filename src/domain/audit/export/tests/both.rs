//! Tables of forgeries for both verifiers: this one, and the one in Python, which runs once per
//! table.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::check::{self, Verdict};
use crate::domain::audit::signed_note::SignerKey;

use super::*;

/// The expected result for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Verified,
    Consistent,
    Refused,
    /// Unreadable for this verifier. The one in Python has no separate result for that: it refuses.
    Unreadable,
}

/// A file, what it is checked with, and the expected result.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) keys: Vec<SignerKey>,
    /// A kept checkpoint.
    pub(super) kept: Option<String>,
    pub(super) expected: Outcome,
}

impl Case {
    pub(super) fn new(name: String, file: String, keys: &[SignerKey], expected: Outcome) -> Self {
        Self { name, file, keys: keys.to_vec(), kept: None, expected }
    }

    fn judge(&self) -> (Outcome, String) {
        let keys: Vec<_> = self.keys.iter().map(|key| key.verifier().clone()).collect();
        let kept = self.kept.iter().map(|note| Checkpoint::open(note, &keys).unwrap()).collect();
        let trusted = Trusted { keys, kept, ..Trusted::default() };
        let mut said = Vec::new();
        let outcome = match check::verify_from(self.file.as_bytes(), &trusted, &mut said).unwrap() {
            Verdict::Sound => Outcome::Verified,
            Verdict::Unsigned => Outcome::Consistent,
            Verdict::Unsound => Outcome::Refused,
            Verdict::Unreadable => Outcome::Unreadable,
        };
        (outcome, String::from_utf8(said).unwrap())
    }
}

/// Checks that both verifiers prove the same for every case, and that this one's output moves no
/// cursor.
pub(super) fn assert_both_say(cases: &[Case]) {
    let independently = in_python(cases);
    assert_eq!(independently.len(), cases.len());
    let mut wrong = Vec::new();
    for (case, code) in cases.iter().zip(independently) {
        let Case { name, expected, .. } = case;
        let (found, said) = case.judge();
        if found != *expected {
            wrong.push(format!("{name}: {found:?}, not {expected:?}: {said}"));
        }
        if said.chars().any(|char| char != '\n' && char.is_control()) {
            wrong.push(format!("{name}: {said:?}"));
        }
        let wanted = match expected {
            Outcome::Verified => 0,
            Outcome::Consistent => 3,
            Outcome::Refused | Outcome::Unreadable => 1,
        };
        if code != wanted {
            wrong.push(format!("{name}, in Python: {code}, not {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The exit codes of `tests/verify.py`, which is imported once.
fn in_python(cases: &[Case]) -> Vec<i64> {
    const SCRIPT: &str = "import json, sys; sys.path.insert(0, sys.argv[1]); import verify\n\
        kinds = verify.parse(open(sys.argv[2], 'rb').read())\n\
        cases = json.load(sys.stdin)\n\
        print(json.dumps([verify.verify(kinds, verify.read_keys(keys), file.encode(), kept)[0] for keys, file, kept in cases]))";
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    let keys = |case: &Case| case.keys.iter().map(|key| format!("{}\n", key.verifier())).collect::<Vec<_>>().concat();
    let all: Vec<Value> = cases.iter().map(|case| json!([keys(case), case.file, case.kept])).collect();
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests, which ./test makes")]
    let python = std::env::var("STAGEGATE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(&python);
    command.args(["-B", "-c", SCRIPT, tests, &format!("{tests}/golden/audit-fields.json")]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let written = child.stdin.take().unwrap().write_all(serde_json::to_string(&all).unwrap().as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{python} with `cryptography` is needed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    written.unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}
