//! The names of types of events, written once: beside the variant that has the type's data.

/// An enum with one variant for each type of event, tagged with the type's name when it is stored.
/// The names come from the variants' `serde` attributes.
macro_rules! event_types {
    (
        $(#[$attribute:meta])*
        pub enum $enum:ident {
            $(
                $(#[doc = $doc:literal])*
                #[serde(rename = $name:literal)]
                $variant:ident $(($content:ty))? $({ $($fields:tt)* })?,
            )*
        }
    ) => {
        $(#[$attribute])*
        #[serde(tag = "type", content = "data")]
        pub enum $enum {
            $(
                $(#[doc = $doc])*
                #[serde(rename = $name)]
                $variant $(($content))? $({ $($fields)* })?,
            )*
        }

        impl $enum {
            /// The name of every type, in the order of the variants.
            pub const TYPES: [&'static str; [$($name),*].len()] = [$($name),*];

            /// The name of the event's type.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name,)*
                }
            }
        }
    };
}
pub(crate) use event_types;
