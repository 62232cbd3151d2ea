//! The names of credentials. A person who comes through a link acts under a credential that names
//! the link, the opening and the credential that made the link.

use super::id::{CredentialId, LinkId};

const LINK: &str = "link:";
const PLATFORM: &str = "platform-";

/// The name under which a session of a link acts: `link:<link>/<opening>@<credential>`.
///
/// The name has at most 100 characters, since no credential that can make a link has a longer name
/// than a UUID.
///
/// # Errors
///
/// When `made_by` is too long for that.
pub fn of_session(link: LinkId, ordinal: u16, made_by: &CredentialId) -> Result<CredentialId, super::text::Error> {
    CredentialId::stored(format!("{LINK}{link}/{ordinal}@{made_by}"))
}

/// The name of a platform key, by the hex digits of its hash.
///
/// # Errors
///
/// When the digits are too many.
pub fn of_platform(digits: &str) -> Result<CredentialId, super::text::Error> {
    CredentialId::stored(format!("{PLATFORM}{digits}"))
}

/// Whether it names a platform key. Names of other credentials begin otherwise.
pub fn is_of_platform(credential: &CredentialId) -> bool {
    credential.as_str().starts_with(PLATFORM)
}

/// The credential that vouches for the person: the one that made the link, or the credential itself.
pub fn vouching(credential: &CredentialId) -> &str {
    let name = credential.as_str();
    name.strip_prefix(LINK).and_then(|rest| rest.split_once('@')).map_or(name, |(_, made_by)| made_by)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_longest_name_of_a_session_fits_and_names_who_vouches() {
        for made_by in ["platform-0123456789ab", "01990000-0000-7000-8000-000000000000", "token-0123456789abcdef"] {
            let made_by = CredentialId::parse(made_by).unwrap();
            let name = of_session(LinkId(Uuid::max()), u16::MAX, &made_by).unwrap();
            assert!(name.as_str().len() <= 100, "{name}");
            assert_eq!(vouching(&name), made_by.as_str());
            assert_eq!(vouching(&made_by), made_by.as_str());
            assert_eq!(is_of_platform(&made_by), made_by.as_str().starts_with('p'));
        }
    }
}
