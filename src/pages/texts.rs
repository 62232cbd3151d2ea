//! The words of the pages, by language. `src/pages/texts` has a folder for each. A test compares
//! their ids and variables, and those that templates and code use.

use std::borrow::Cow;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

/// A language that the pages have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Language {
    /// English.
    #[default]
    English,
    /// German.
    German,
    /// English in letters that English does not have: it shows which words of a page come from nowhere
    /// else. Only in debug builds, for those who ask for `en-XA`, as CLDR calls it.
    #[cfg(debug_assertions)]
    Pseudo,
}

impl Language {
    /// All languages.
    pub(super) const ALL: [Self; 2] = [Self::English, Self::German];

    /// The tag of BCP 47, as in `<html lang>`.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            #[cfg(debug_assertions)]
            Self::Pseudo => "en-XA",
        }
    }

    /// The name of the language in itself.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
            #[cfg(debug_assertions)]
            Self::Pseudo => "Pseudo",
        }
    }

    /// The texts, in a file for each part of the pages.
    fn sources(self) -> &'static [&'static str] {
        match self {
            Self::English => ENGLISH_TEXTS,
            #[cfg(debug_assertions)]
            Self::Pseudo => ENGLISH_TEXTS,
            Self::German => &[
                include_str!("texts/de/common.ftl"),
                include_str!("texts/de/links.ftl"),
                include_str!("texts/de/buyer.ftl"),
                include_str!("texts/de/review.ftl"),
                include_str!("texts/de/console.ftl"),
            ],
        }
    }

    /// The language of a tag such as `de-AT`, if the pages have it.
    pub(super) fn parse(tag: &str) -> Option<Self> {
        #[cfg(debug_assertions)]
        if tag.eq_ignore_ascii_case(Self::Pseudo.tag()) {
            return Some(Self::Pseudo);
        }
        let primary = tag.split(['-', '_']).next()?;
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The first language of an `Accept-Language` header that the pages have.
    pub(super) fn accepted(header: &str) -> Option<Self> {
        accept_language::parse(header).iter().find_map(|tag| Self::parse(tag))
    }

    fn bundle(self) -> &'static Bundle {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            #[cfg(debug_assertions)]
            Self::Pseudo => &PSEUDO,
        }
    }
}

/// The English texts.
const ENGLISH_TEXTS: &[&str] = &[
    include_str!("texts/en/common.ftl"),
    include_str!("texts/en/links.ftl"),
    include_str!("texts/en/buyer.ftl"),
    include_str!("texts/en/review.ftl"),
    include_str!("texts/en/console.ftl"),
];

type Bundle = FluentBundle<FluentResource>;

static ENGLISH: LazyLock<Bundle> = LazyLock::new(|| bundle(Language::English));
static GERMAN: LazyLock<Bundle> = LazyLock::new(|| bundle(Language::German));
#[cfg(debug_assertions)]
static PSEUDO: LazyLock<Bundle> = LazyLock::new(|| {
    let mut bundle = bundle(Language::Pseudo);
    bundle.set_transform(Some(pseudo));
    bundle
});

/// A text in full-width letters.
#[cfg(debug_assertions)]
fn pseudo(text: &str) -> Cow<'_, str> {
    let wide = |letter: char| {
        let is_letter = letter.is_ascii_alphabetic();
        if is_letter { char::from_u32(u32::from(letter) - 0x21 + 0xFF01).unwrap_or(letter) } else { letter }
    };
    text.chars().map(wide).collect()
}

fn bundle(language: Language) -> Bundle {
    let tag: LanguageIdentifier = language.tag().parse().expect("the tags are well-formed");
    let mut bundle = FluentBundle::new_concurrent(vec![tag]);
    // Only what people wrote is isolated, by `Value::from_person`.
    bundle.set_use_isolating(false);
    for source in language.sources() {
        let resource = FluentResource::try_new((*source).to_owned());
        let resource = resource.unwrap_or_else(|(_, errors)| panic!("{}: {errors:?}", language.tag()));
        bundle.add_resource(resource).unwrap_or_else(|errors| panic!("{}: {errors:?}", language.tag()));
    }
    bundle
}

/// The value of a variable in a text.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// A number, by which a text may choose its plural.
    Number(u64),
    /// Words of ours: a time, a label, the word of a state.
    Ours(Cow<'a, str>),
    /// What somebody wrote. It is isolated, so that its direction does not change the sentence's.
    Written(&'a str),
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Value<'_> {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl From<&u32> for Value<'_> {
    fn from(number: &u32) -> Self {
        Self::from(*number)
    }
}

impl From<&u64> for Value<'_> {
    fn from(number: &u64) -> Self {
        Self::from(*number)
    }
}

impl From<&usize> for Value<'_> {
    fn from(number: &usize) -> Self {
        Self::from(*number)
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Ours(Cow::Owned(text))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Ours(Cow::Borrowed(text))
    }
}

/// A value that somebody wrote, for a place in a sentence of ours.
pub(super) fn written(text: &str) -> Value<'_> {
    Value::Written(text)
}

/// The words of one language, as templates use them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Texts {
    /// The language.
    pub(super) language: Language,
}

impl Texts {
    /// The text with this id.
    pub(super) fn text(self, id: &str) -> Cow<'static, str> {
        self.format(id, None)
    }

    /// The text with this id and one variable.
    pub(super) fn with<'a>(self, id: &str, name: &'a str, value: impl Into<Value<'a>>) -> Cow<'static, str> {
        self.with_all(id, [(name, value.into())])
    }

    /// The text with this id and these variables.
    pub(super) fn with_all<'a>(
        self,
        id: &str,
        variables: impl IntoIterator<Item = (&'a str, Value<'a>)>,
    ) -> Cow<'static, str> {
        let args: FluentArgs<'a> = variables.into_iter().map(|(name, value)| (name, fluent(value))).collect();
        self.format(id, Some(&args))
    }

    /// The id itself stands for a text that is missing, which no test lets happen.
    fn format(self, id: &str, args: Option<&FluentArgs<'_>>) -> Cow<'static, str> {
        let bundle = self.language.bundle();
        let Some(pattern) = bundle.get_message(id).and_then(|message| message.value()) else {
            tracing::error!(id, language = self.language.tag(), "a text of the pages is missing");
            return Cow::Owned(id.to_owned());
        };
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, args, &mut errors).into_owned();
        if !errors.is_empty() {
            tracing::error!(id, language = self.language.tag(), ?errors, "a text of the pages lacks a variable");
        }
        Cow::Owned(text)
    }
}

fn fluent(value: Value<'_>) -> FluentValue<'_> {
    match value {
        Value::Number(number) => FluentValue::from(number),
        Value::Ours(text) => FluentValue::String(text),
        Value::Written(text) => FluentValue::String(Cow::Owned(format!("\u{2068}{text}\u{2069}"))),
    }
}
