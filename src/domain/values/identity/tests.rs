//! The rules of ids, one per line, and which ids are equal.

use super::*;

fn refused(id: &str) -> Option<InvalidId> {
    ActorId::parse(id).err()
}

/// The rules of `identity`'s page, one per line, and the text unchanged where it is accepted.
#[test]
fn an_id_holds_what_everybody_can_see_and_tell_apart() {
    use InvalidId::{Blanks, Erased, NotNormalized, Reserved, Unassigned};
    let upper = "0199AA00-0000-7000-8000-0000000000BB";
    for id in [
        "u-dora",
        "Dora",
        "agent 7",
        "zoë",
        "李雷",
        "dora@example.com",
        "😀",
        "erased-",
        "erased-7a",
        "services",
        upper,
    ] {
        assert_eq!(ActorId::parse(id).unwrap().as_str(), id);
    }
    let invisible = |c| text::Error::Invisible(c).into();
    let table = [
        ("", text::Error::Blank.into()),
        (" ", text::Error::Blank.into()),
        ("a\0", text::Error::Control.into()),
        ("u-dora ", Blanks),
        (" u-dora", Blanks),
        ("u  dora", Blanks),
        ("u\u{A0}dora", Blanks),
        ("u\u{3000}dora", Blanks),
        ("u\tdora", Blanks),
        ("u\ndora", Blanks),
        ("u\u{2800}dora", Blanks),
        ("u-dora\u{200B}", invisible('\u{200B}')),
        ("u\u{200D}dora", invisible('\u{200D}')),
        ("u-dora\u{FE0F}", invisible('\u{FE0F}')),
        ("u\u{AD}dora", invisible('\u{AD}')),
        ("u\u{202E}arod", invisible('\u{202E}')),
        ("\u{3164}", invisible('\u{3164}')),
        ("u-\u{E000}", Unassigned('\u{E000}')),
        ("u-\u{378}", Unassigned('\u{378}')),
        ("u-\u{10FFFF}", invisible('\u{10FFFF}')),
        ("\u{301}", text::Error::Blank.into()),
        ("zoe\u{308}", NotNormalized),
        ("\u{212B}ngström", NotNormalized),
        ("service", Reserved),
        ("System", Reserved),
        ("STAGEGATE", Reserved),
        ("erased-7", Erased),
        ("erased-007", Erased),
    ];
    for (id, error) in table {
        assert_eq!(refused(id), Some(error), "{id:?}");
    }
    assert_eq!(refused(&"x".repeat(201)), Some(text::Error::TooLong(200).into()));
}

#[test]
fn ids_that_look_alike_have_one_key() {
    let upper = "0199AA00-0000-7000-8000-0000000000BB";
    let table = [
        ("u-dora", "u-dora", true),
        ("u-dora ", "u-dora", true),
        ("u-dora\u{200B}", "u-dora", true),
        ("u-dora\u{FFFE}", "u-dora", true),
        ("u \u{A0} dora", "u dora", true),
        ("u\u{2800}dora", "u dora", true),
        ("zoe\u{308}", "zoë", true),
        ("zoe\u{200B}\u{308}", "zoë", true),
        (upper, "0199aa00-0000-7000-8000-0000000000bb", true),
        ("0199AA00-0000-7000-8000-0000000000BB\u{FEFF}", upper, true),
        ("Dora", "dora", false),
        ("u-dora", "u_dora", false),
        ("udora", "u dora", false),
        ("0199aa00000070008000000000000000", "0199aa00-0000-7000-8000-000000000000", false),
    ];
    for (one, other, same) in table {
        let [one, other] = [one, other].map(|id| ActorId::stored(id).unwrap());
        assert_eq!(one == other, same, "{one:?} {other:?}");
        assert_eq!(one.cmp(&other).is_eq(), same);
    }
}

#[test]
fn what_is_stored_loads_and_is_written_as_it_was() {
    for id in ["u-dora ", "\u{200B}", "service", "erased-7", "zoe\u{308}", "a\nb"] {
        let text = serde_json::to_string(id).unwrap();
        let stored: ActorId = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&stored).unwrap(), text);
    }
    assert_eq!(ActorId::erased(7).as_str(), "erased-7");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let feedback: crate::domain::task::event::Feedback = serde_json::from_value(serde_json::json!({
        "summary": "fine", "items": [{ "text": "fine" }, { "text": "\u{202E}", "severity": "two\nlines" }],
    }))
    .unwrap();
    let found = Faults::of(&feedback);
    let places: Vec<_> = found.iter().map(|fault| (fault.pointer.as_str(), fault.rule.as_str())).collect();
    let unseen = "must not contain invisible characters, such as U+202E";
    assert_eq!(places, [("/items/1/severity", "must be a single line"), ("/items/1/text", unseen)]);
}
