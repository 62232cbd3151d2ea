//! Signatures against published values, and secrets read and written.

use uuid::Uuid;

use super::*;

/// The example from the tests of the Standard Webhooks libraries.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[test]
fn a_secret_has_24_to_64_bytes_and_one_text() {
    let encoded = |length: usize| format!("whsec_{}", STANDARD.encode(vec![7; length]));
    for length in 0..100 {
        let secret = Secret::parse(&encoded(length));
        assert_eq!(secret.is_ok(), (24..=64).contains(&length), "{length}");
        assert!(secret.is_err() || secret.unwrap().reveal() == encoded(length));
    }
    let text = encoded(32);
    for other in
        [&text[6..], text.trim_end_matches('='), &text.replace("whsec_", "WHSEC_"), &format!("{text} "), "", "whsec_"]
    {
        assert_eq!(Secret::parse(other), Err(InvalidSecret), "{other:?}");
    }
    // The same bytes, with other bits where base64 leaves some unused.
    assert_eq!(Secret::parse(&text.replace("c=", "d=")), Err(InvalidSecret));
}

#[test]
fn a_random_secret_survives_a_round_trip_and_does_not_show() {
    let secret = Secret::from_random(&[0x5a; 32]);
    assert_eq!(Secret::parse(secret.reveal()).as_ref(), Ok(&secret));
    assert_eq!(format!("{secret:?}"), "Secret(…)");
}

fn value<'a>(headers: &'a Headers, name: &str) -> &'a str {
    headers.iter().find(|(known, _)| *known == name).unwrap().1.to_str().unwrap()
}

#[test]
fn both_signatures_are_what_openssl_makes_of_the_same() {
    let secret = Secret::parse(SECRET).unwrap();
    let id = MessageId(Uuid::from_u128(0x0199_0000_0000_8000_8000_0000_0000_0001));
    let at = Time::from_micros(1_614_265_330_999_999);
    let headers = headers(id, at, br#"{"test": 2432232314}"#, Secrets { current: &secret, pending: None });
    for (name, expected) in [
        ("x-aitasker-signature", "80ec8a89ce3cd22133a1066caecb4d04fea7467657c8514d717ec42c38a5c94c"),
        ("x-aitasker-timestamp", "1614265330"),
        ("x-aitasker-delivery-id", "01990000-0000-8000-8000-000000000001"),
        ("webhook-signature", "v1,7i/zyQ0/wsxH9ZJZSAPsE5zUHr59XvumgBF/uf4iv00="),
        ("webhook-timestamp", "1614265330"),
        ("webhook-id", "01990000-0000-8000-8000-000000000001"),
    ] {
        assert_eq!(value(&headers, name), expected, "{name}");
    }
}

#[test]
fn during_a_rotation_one_family_has_both_signatures_and_the_other_the_old_one() {
    let (old, new) = (Secret::from_random(&[1; 32]), Secret::from_random(&[2; 32]));
    let (id, at) = (MessageId(Uuid::from_u128(1)), Time::from_micros(0));
    let signed = |current, pending| headers(id, at, b"{}", Secrets { current, pending });
    let (before, during, after) = (signed(&old, None), signed(&old, Some(&new)), signed(&new, None));
    let both = format!("{} {}", value(&before, "webhook-signature"), value(&after, "webhook-signature"));
    assert_eq!(value(&during, "webhook-signature"), both);
    let aitasker = |headers| value(headers, "x-aitasker-signature").to_owned();
    assert_eq!(aitasker(&during), aitasker(&before));
    assert_ne!(aitasker(&during), aitasker(&after));
}
