//! The names of links on the wire. What links allow is tested with the other rules.

use super::*;

#[test]
fn names_are_read_back() {
    for kind in LinkKind::ALL {
        assert_eq!(LinkKind::parse(kind.as_str()), Some(kind));
    }
    for mode in OpenMode::ALL {
        assert_eq!(OpenMode::parse(mode.as_str()), Some(mode));
    }
}
