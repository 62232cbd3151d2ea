//! Which URLs and addresses pass: by table, by random addresses in every notation, and by names
//! with made-up answers.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use crate::webhook::test_support::Names;

use super::*;

fn parsed(text: &str) -> Result<String, &'static str> {
    Target::parse(text, Reach::PublicOnly).map(|target| target.as_str().to_owned()).map_err(|refused| refused.code())
}

#[test]
fn a_url_must_be_https_and_say_no_more_than_where() {
    for (text, expected) in [
        ("https://example.com", Ok("https://example.com/")),
        ("https://example.com:8443/a/b?c=d", Ok("https://example.com:8443/a/b?c=d")),
        ("HTTPS://EXAMPLE.com./x", Ok("https://example.com./x")),
        ("https://bücher.example/", Ok("https://xn--bcher-kva.example/")),
        ("https://8.8.8.8/", Ok("https://8.8.8.8/")),
        ("https://[2606:4700::1111]/", Ok("https://[2606:4700::1111]/")),
        ("http://example.com/", Err("not_https")),
        ("ftp://example.com/", Err("not_https")),
        ("file:///etc/passwd", Err("not_https")),
        ("mailto:a@example.com", Err("not_https")),
        ("example.com", Err("not_a_url")),
        ("", Err("not_a_url")),
        ("https://", Err("not_a_url")),
        ("https://example.com:99999/", Err("not_a_url")),
        ("https://exa mple.com/", Err("not_a_url")),
        ("https://1.2.3.4.5/", Err("not_a_url")),
        ("https://0x100000000/", Err("not_a_url")),
        ("https://[fe80::1%25eth0]/", Err("not_a_url")),
        ("https://user@example.com/", Err("userinfo")),
        ("https://user:pass@example.com/", Err("userinfo")),
        ("https://:pass@example.com/", Err("userinfo")),
        ("https://8.8.8.8@127.0.0.1/", Err("userinfo")),
        ("https://example.com:443/", Ok("https://example.com/")),
        ("https://example.com:1024/", Ok("https://example.com:1024/")),
        ("https://example.com:65535/", Ok("https://example.com:65535/")),
        ("https://example.com:1023/", Err("port")),
        ("https://example.com:0/", Err("port")),
        ("https://example.com:25/", Err("port")),
        ("https://example.com:80/", Err("port")),
        ("https://example.com:2049/", Err("port")),
        ("https://example.com:10080/", Err("port")),
        ("https://127.0.0.1:22/", Err("port")),
        ("https://example.com/#part", Err("fragment")),
        ("https://example.com/#", Err("fragment")),
    ] {
        assert_eq!(parsed(text), expected.map(str::to_owned), "{text:?}");
    }
}

#[test]
fn the_limit_counts_what_is_sent() {
    let longest = format!("https://example.com/{}", "a".repeat(1980));
    assert_eq!(parsed(&longest), Ok(longest.clone()));
    assert_eq!(parsed(&format!("{longest}a")), Err("too_long"));
    // Each of these is sent as %C3%A4.
    assert_eq!(parsed(&format!("https://example.com/{}", "ä".repeat(340))), Err("too_long"));
}

#[test]
fn plain_http_and_private_addresses_are_for_trials() {
    for text in ["http://127.0.0.1:9000/", "https://[::1]/", "http://localhost/"] {
        let target = Target::parse(text, Reach::Anywhere).unwrap();
        assert_eq!(target.as_str(), text);
        assert!(Target::parse(text, Reach::PublicOnly).is_err() || target.host() == "localhost", "{text}");
    }
    for text in ["ftp://127.0.0.1/", "http://u@127.0.0.1/", "http://127.0.0.1/#a"] {
        assert!(Target::parse(text, Reach::Anywhere).is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_target_is_judged_by_the_rules_of_the_attempt() {
    let trial = Target::parse("http://example.com/", Reach::Anywhere).unwrap();
    assert_eq!(guard(&[]).addresses(&trial).await, Err(Refused::NotHttps));
    let trial = Target::parse("https://10.0.0.1/", Reach::Anywhere).unwrap();
    let refused = guard(&[]).addresses(&trial).await.unwrap_err();
    assert_eq!(refused.to_string(), "10.0.0.1 is not a public address (private network)");
}

#[test]
fn one_address_has_one_meaning_in_all_its_notations() {
    for text in [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "127.0.1",
        "0x7F.0x0.0X0.0x1",
        "127.0.0.1.",
        "127.0.0.0x1",
        "%31%32%37.0.0.1",
        "１２７.０.０.１",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
    ] {
        let refused = Target::parse(&format!("https://{text}:8443/x"), Reach::PublicOnly).unwrap_err();
        let address = Ipv4Addr::LOCALHOST.into();
        assert_eq!(refused, Refused::PrivateAddress { address, range: "loopback" }, "{text}");
    }
}

#[test]
fn addresses_that_are_not_public_are_refused_at_both_ends_of_their_range() {
    for (first, last) in [
        ("0.0.0.0", "0.255.255.255"),
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("168.63.129.16", "168.63.129.16"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.88.99.0", "192.88.99.255"),
        ("192.168.0.0", "192.168.255.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        ("224.0.0.0", "255.255.255.255"),
    ] {
        let (first, last): (Ipv4Addr, Ipv4Addr) = (first.parse().unwrap(), last.parse().unwrap());
        assert!(ranges::not_public(first.into()).is_some() && ranges::not_public(last.into()).is_some(), "{first}");
        let before = first.to_bits().checked_sub(1).map(Ipv4Addr::from_bits);
        let after = last.to_bits().checked_add(1).map(Ipv4Addr::from_bits);
        for neighbour in [before, after].into_iter().flatten() {
            assert_eq!(ranges::not_public(neighbour.into()), None, "{neighbour}");
        }
    }
}

#[test]
fn ipv6_is_public_only_where_it_is_given_out_and_does_not_lead_back_into_ipv4() {
    for (text, expected) in [
        ("2000::1", None),
        ("2606:4700:4700::1111", None),
        ("2a00:1450:4001:81b::200e", None),
        ("3ffe:ffff::1", None),
        ("64:ff9b::8.8.8.8", None),
        ("::", Some("IPv4 written as IPv6")),
        ("::1", Some("loopback")),
        ("::127.0.0.1", Some("IPv4 written as IPv6")),
        ("::8.8.8.8", Some("IPv4 written as IPv6")),
        ("::ffff:127.0.0.1", Some("IPv4 written as IPv6")),
        ("::ffff:8.8.8.8", Some("IPv4 written as IPv6")),
        ("::ffff:0:127.0.0.1", Some("reserved")),
        ("64:ff9b::127.0.0.1", Some("loopback")),
        ("64:ff9b::169.254.169.254", Some("link-local")),
        ("64:ff9b:1::8.8.8.8", Some("reserved")),
        ("100::1", Some("reserved")),
        ("2001::1", Some("reserved for protocols")),
        ("2001:0:7f00:1::", Some("reserved for protocols")),
        ("2001:10::1", Some("reserved for protocols")),
        ("2001:db8::1", Some("documentation")),
        ("2002:7f00:1::1", Some("6to4")),
        ("2002:808:808::1", Some("6to4")),
        ("3fff::1", Some("documentation")),
        ("2606:4700::5efe:127.0.0.1", Some("ISATAP")),
        ("2606:4700::200:5efe:127.0.0.1", Some("ISATAP")),
        ("4000::1", Some("reserved")),
        ("5f00::1", Some("reserved")),
        ("fc00::1", Some("private network")),
        ("fd00:ec2::254", Some("private network")),
        ("fe80::1", Some("link-local")),
        ("febf::1", Some("link-local")),
        ("fec0::1", Some("reserved")),
        ("ff02::1", Some("multicast")),
    ] {
        let address: Ipv6Addr = text.parse().unwrap();
        assert_eq!(ranges::not_public(address.into()), expected, "{text}");
        let literal = Target::parse(&format!("https://[{text}]/"), Reach::PublicOnly);
        assert_eq!(literal.is_err(), expected.is_some(), "{text}");
    }
}

fn guard(answers: &[&[&str]]) -> Guard {
    Guard::with_lookup(Rules::of(Reach::PublicOnly), Names::new(answers).lookup())
}

async fn addresses(answer: &[&str]) -> Result<Vec<IpAddr>, Refused> {
    guard(&[answer]).addresses(&Target::parse("https://a.example/", Reach::PublicOnly)?).await
}

#[tokio::test]
async fn a_name_is_refused_if_any_of_its_addresses_is_not_public() {
    let private = |range| Err(Refused::PrivateName { name: "a.example".to_owned(), range });
    for (answer, expected) in [
        (&["8.8.8.8", "2606:4700::1111"][..], Ok(2)),
        (&["8.8.8.8", "127.0.0.1"], private("loopback")),
        (&["10.0.0.1", "8.8.8.8"], private("private network")),
        (&["8.8.8.8", "::1"], private("loopback")),
        (&["::ffff:8.8.8.8"], private("IPv4 written as IPv6")),
        (&["169.254.169.254"], private("link-local")),
        (&[], Err(Refused::Unresolved { name: "a.example".to_owned() })),
    ] {
        let addresses = addresses(answer).await;
        assert_eq!(addresses.map(|found| found.len()), expected, "{answer:?}");
    }
}

#[tokio::test]
async fn a_refusal_does_not_tell_which_private_address_a_name_has() {
    let refused = addresses(&["10.1.2.3"]).await.unwrap_err();
    assert_eq!(refused.to_string(), "a.example resolves to an address that is not public (private network)");
}

#[tokio::test]
async fn the_names_of_this_machine_are_refused_at_registration() {
    for (text, expected) in [
        ("https://localhost/", Err("private_name")),
        ("https://no-such-host.invalid/", Err("unresolved")),
        ("https://8.8.8.8/", Ok(())),
    ] {
        let target = Target::parse(text, Reach::PublicOnly).unwrap();
        assert_eq!(check(&target, Reach::PublicOnly).await.map_err(|refused| refused.code()), expected, "{text}");
    }
    let target = Target::parse("http://localhost/", Reach::Anywhere).unwrap();
    assert_eq!(check(&target, Reach::Anywhere).await, Ok(()));
    assert_eq!(check(&target, Reach::PublicOnly).await, Err(Refused::NotHttps), "allowed before, not any more");
}

/// Uses the standard library, which shares no code with the ranges.
fn is_private(address: Ipv4Addr) -> bool {
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || address.octets()[0] == 0
        || address.octets()[0] >= 240
        || (address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64)
}

fn any_address() -> impl Strategy<Value = Ipv4Addr> {
    let private =
        prop_oneof![Just(10u8), Just(100), Just(127), Just(169), Just(172), Just(192), Just(198), Just(203), Just(0)];
    prop_oneof![
        any::<u32>().prop_map(Ipv4Addr::from_bits),
        (private, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d)),
        (any::<u8>(), any::<u8>()).prop_map(|(c, d)| Ipv4Addr::new(192, 168, c, d)),
        (any::<u8>(), any::<u8>()).prop_map(|(c, d)| Ipv4Addr::new(169, 254, c, d)),
    ]
}

/// A number in a notation that URLs allow: decimal, octal or hexadecimal.
fn number(value: u32, base: u8) -> String {
    match base % 4 {
        0 => value.to_string(),
        1 => format!("0{value:o}"),
        2 => format!("0x{value:x}"),
        _ => format!("0X{value:08X}"),
    }
}

/// The address in 1 to 4 numbers, the last of which holds the remaining bytes.
fn notation(address: Ipv4Addr, parts: usize, bases: [u8; 4]) -> String {
    let octets = address.octets();
    let mut numbers: Vec<String> =
        octets[..parts - 1].iter().zip(bases).map(|(octet, base)| number((*octet).into(), base)).collect();
    let rest = octets[parts - 1..].iter().fold(0, |rest, octet| rest << 8 | u32::from(*octet));
    numbers.push(number(rest, bases[3]));
    numbers.join(".")
}

/// IPv6 addresses that lead to an IPv4 address.
fn carriers(address: Ipv4Addr) -> [Ipv6Addr; 8] {
    let bits = u128::from(address.to_bits());
    let at =
        |prefix: &str, shift: u32| Ipv6Addr::from_bits(prefix.parse::<Ipv6Addr>().unwrap().to_bits() | bits << shift);
    [
        address.to_ipv6_mapped(),
        at("::", 0),
        at("64:ff9b::", 0),
        at("64:ff9b:1::", 0),
        at("2002::", 80),
        at("2001::", 64),
        at("2606:4700::5efe:0:0", 0),
        at("2606:4700::200:5efe:0:0", 0),
    ]
}

proptest! {
    #[test]
    fn no_notation_hides_a_private_address(address in any_address(), parts in 1..=4_usize, bases: [u8; 4], dot: bool, port in 11_000..=65_535_u16) {
        let host = notation(address, parts, bases) + if dot { "." } else { "" };
        let target = Target::parse(&format!("https://{host}:{port}/hook"), Reach::PublicOnly);
        match target {
            Ok(target) => {
                prop_assert_eq!(target.host(), address.to_string(), "{}", host);
                prop_assert!(!is_private(address), "{}", host);
                prop_assert!(target.as_str().parse::<hyper::Uri>().is_ok());
            }
            Err(refused) => {
                let meant = matches!(&refused, Refused::PrivateAddress { address: found, .. } if *found == IpAddr::V4(address));
                prop_assert!(meant && ranges::not_public(address.into()).is_some(), "{host}: {refused}");
            }
        }
    }

    #[test]
    fn no_form_of_ipv6_hides_a_private_address(address in any_address()) {
        for carrier in carriers(address) {
            let admitted = Target::parse(&format!("https://[{carrier}]/"), Reach::PublicOnly).is_ok();
            prop_assert!(!(admitted && is_private(address)), "{}", carrier);
        }
    }

    #[test]
    fn whatever_ipv6_address_passes_is_given_out_to_the_public(bits: u128) {
        let address = Ipv6Addr::from_bits(bits);
        if Target::parse(&format!("https://[{address}]/"), Reach::PublicOnly).is_ok() {
            prop_assert_eq!(address.segments()[0] >> 13, 1);
            prop_assert!(!matches!(address.segments()[0], 0x2002));
        }
    }

    #[test]
    fn a_name_passes_only_with_public_addresses(answer in prop::collection::vec(any_address(), 1..6)) {
        let texts: Vec<String> = answer.iter().map(ToString::to_string).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        if let Ok(found) = runtime.block_on(addresses(&texts)) {
            prop_assert_eq!(found, answer.iter().map(|a| IpAddr::V4(*a)).collect::<Vec<_>>());
            prop_assert!(!answer.into_iter().any(is_private));
        }
    }

    #[test]
    fn what_parses_is_stable_and_can_be_sent(text in "https?://[ -~]{1,40}") {
        if let Ok(target) = Target::parse(&text, Reach::PublicOnly) {
            prop_assert_eq!(Target::parse(target.as_str(), Reach::PublicOnly), Ok(target.clone()));
            prop_assert!(target.as_str().parse::<hyper::Uri>().is_ok());
        }
    }
}
