//! Which characters a reader can see and tell apart, by the Unicode Character Database.

use icu_properties::props::{
    BidiControl, DefaultIgnorableCodePoint, EmojiModifier, ExtendedPictographic, GeneralCategory, GeneralCategoryGroup,
    NoncharacterCodePoint, VariationSelector,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Symbols with an empty glyph: the blank Braille pattern and the null note head.
const EMPTY_SYMBOLS: [char; 2] = ['\u{2800}', '\u{1D159}'];

/// Characters that allow or forbid a line break. Ordinary text contains them: Thai, and text copied
/// from a web page.
const BREAK_HINTS: [char; 4] = ['\u{AD}', '\u{200B}', '\u{2060}', '\u{FEFF}'];

const JOINERS: [char; 2] = ['\u{200C}', '\u{200D}'];

/// The base of flags encoded with tags, such as that of Scotland.
const BLACK_FLAG: char = '\u{1F3F4}';

/// Whether it looks like a space: white space and symbols without a glyph.
pub(in crate::domain) fn is_blank(c: char) -> bool {
    c.is_whitespace() || EMPTY_SYMBOLS.contains(&c)
}

/// Whether it takes no space on the page: control characters, joiners, direction marks, fillers,
/// tags. Noncharacters count too, since no font has them.
pub(in crate::domain) fn is_invisible(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || CodePointSetData::new::<NoncharacterCodePoint>().contains(c)
        || is_bidi_control(c)
}

/// Whether it changes the direction of its neighbours.
pub(in crate::domain) fn is_bidi_control(c: char) -> bool {
    !c.is_ascii() && CodePointSetData::new::<BidiControl>().contains(c)
}

/// Whether it is an invisible hint about line breaks.
pub(in crate::domain) fn is_break_hint(c: char) -> bool {
    BREAK_HINTS.contains(&c)
}

/// Whether Unicode gives it a meaning shared by all readers: it is neither unassigned nor for
/// private use.
pub(in crate::domain) fn is_assigned(c: char) -> bool {
    !matches!(category(c), GeneralCategory::Unassigned | GeneralCategory::PrivateUse)
}

/// Whether it is visible by itself, unlike white space, marks and invisible characters.
pub(in crate::domain) fn is_visible(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_graphic();
    }
    let showing = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Number)
        .union(GeneralCategoryGroup::Punctuation)
        .union(GeneralCategoryGroup::Symbol)
        .union(GeneralCategoryGroup::PrivateUse)
        .union(GeneralCategoryGroup::Unassigned);
    showing.contains(category(c)) && !is_blank(c) && !is_invisible(c)
}

/// Context in which an invisible character is legitimate: a joiner between letters or emoji, a
/// variation selector after its base, the tags of a flag.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::domain) struct Neighbours {
    before: Option<char>,
    in_flag: bool,
}

impl Neighbours {
    /// Advances to `c`, which `after` follows, and returns whether an invisible `c` is legitimate
    /// here.
    pub(in crate::domain) fn step(&mut self, c: char, after: Option<char>) -> bool {
        let before = self.before.replace(c);
        let is_tag = ('\u{E0020}'..='\u{E007F}').contains(&c);
        self.in_flag = c == BLACK_FLAG || self.in_flag && is_tag;
        if c.is_ascii() {
            return false;
        }
        if JOINERS.contains(&c) {
            return before.is_some_and(is_joinable) && after.is_some_and(is_joinable);
        }
        if CodePointSetData::new::<VariationSelector>().contains(c) {
            return before.is_some_and(is_visible);
        }
        is_tag && self.in_flag
    }
}

/// Letters, their marks, and emoji.
fn is_joinable(c: char) -> bool {
    let letters = GeneralCategoryGroup::Letter.union(GeneralCategoryGroup::Mark);
    letters.contains(category(c)) && !is_blank(c) && !JOINERS.contains(&c)
        || CodePointSetData::new::<ExtendedPictographic>().contains(c)
        || CodePointSetData::new::<EmojiModifier>().contains(c)
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_nothing_is_not_visible() {
        for c in ['a', 'Ü', '中', '7', '!', '€', '😀', '\u{E000}', '\u{378}'] {
            assert!(is_visible(c), "{c:?}");
        }
        let blank = [' ', '\t', '\n', '\u{A0}', '\u{2003}', '\u{3000}', '\u{2028}', '\u{2800}', '\u{1D159}'];
        let invisible = ['\0', '\u{7F}', '\u{85}', '\u{AD}', '\u{34F}', '\u{115F}', '\u{17B4}', '\u{180E}', '\u{200B}'];
        let more = ['\u{200D}', '\u{202E}', '\u{2066}', '\u{3164}', '\u{FE0F}', '\u{FEFF}', '\u{FFA0}', '\u{E0041}'];
        let none = ['\u{FDD0}', '\u{FFFE}', '\u{1FFFF}', '\u{10FFFF}'];
        for c in blank {
            assert!(is_blank(c) && !is_visible(c), "{c:?}");
        }
        for c in invisible.into_iter().chain(more).chain(none) {
            assert!(is_invisible(c) && !is_visible(c), "{c:?}");
        }
        assert!(!is_visible('\u{301}') && !is_invisible('\u{301}'), "a mark needs a letter");
    }
}
