//! Valid and invalid requests, by the grammar of each part.

use super::*;

fn request(uri: &str, fields: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

fn code(request: &Request<()>) -> Option<Code> {
    check(request).err().map(|problem| problem.code())
}

const HOST: (&str, &str) = ("host", "x");

#[test]
fn a_target_has_8_kib_and_a_query_32_names() {
    let path = |length: usize| format!("/{}", "a".repeat(length - 1));
    assert_eq!(code(&request(&path(MAX_TARGET_BYTES), &[HOST])), None);
    assert_eq!(code(&request(&path(MAX_TARGET_BYTES + 1), &[HOST])), Some(Code::TargetTooLong));
    assert_eq!(code(&request(&format!("/?{}", path(MAX_TARGET_BYTES)), &[HOST])), Some(Code::TargetTooLong));
    let names = |count: usize| format!("/?{}", vec!["a=1"; count].join("&"));
    assert_eq!(code(&request(&names(32), &[HOST])), None);
    assert_eq!(code(&request(&names(33), &[HOST])), Some(Code::InvalidParameter));
}

#[test]
fn a_header_has_100_fields() {
    let fields = |count: usize| [&[HOST][..], &vec![("a", "b"); count - 1]].concat();
    assert_eq!(code(&request("/", &fields(100))), None);
    assert_eq!(code(&request("/", &fields(101))), Some(Code::HeaderTooLarge));
}

#[test]
fn rfc_9112_section_3_2_host() {
    let table = [
        ("x", true),
        ("x:80", true),
        ("x:", true),
        ("api.example.com", true),
        ("API.example.com:443", true),
        ("127.0.0.1:8080", true),
        ("[::1]", true),
        ("[::1]:8080", true),
        ("a_b", true),
        // The grammar allows it, but host names never contain it.
        ("a%20b", false),
        ("a!$&'()*+,;=~b", true),
        ("", false),
        (":80", false),
        ("x:y", false),
        ("x:123456", false),
        ("x:80:80", false),
        ("::1", false),
        ("[::1", false),
        ("[]", false),
        ("[x]", false),
        ("[::1]x", false),
        ("a b", false),
        ("a/b", false),
        ("a?b", false),
        ("a@b", false),
        ("a,b", true),
        ("http://x", false),
        ("a\\b", false),
        ("a\"b", false),
    ];
    for (host, good) in table {
        let expected = (!good).then_some(Code::InvalidParameter);
        assert_eq!(code(&request("/", &[("host", host)])), expected, "{host:?}");
    }
    let mut latin = request("/", &[]);
    latin.headers_mut().insert("host", HeaderValue::from_bytes(b"\xe4").unwrap());
    assert_eq!(code(&latin), Some(Code::InvalidParameter));
    assert_eq!(code(&request("/", &[])), Some(Code::InvalidParameter), "none");
    assert_eq!(code(&request("/", &[HOST, HOST])), Some(Code::InvalidParameter), "two");
    assert_eq!(code(&request("http://x/", &[])), Some(Code::InvalidParameter), "HTTP/1.1 needs it even so");
    assert_eq!(code(&request("http://y/", &[HOST])), None, "what the target says counts");
}

#[test]
fn rfc_9113_section_8_3_1_authority() {
    type Row = (Version, &'static str, &'static [(&'static str, &'static str)], bool);
    let table: [Row; 7] = [
        (Version::HTTP_2, "http://x/", &[], true),
        (Version::HTTP_2, "http://x/", &[HOST], true),
        (Version::HTTP_2, "http://y/", &[HOST], false),
        (Version::HTTP_2, "/", &[HOST], true),
        (Version::HTTP_2, "/", &[], false),
        (Version::HTTP_10, "/", &[], true),
        (Version::HTTP_10, "/", &[HOST, HOST], false),
    ];
    for (version, uri, fields, good) in table {
        let mut request = request(uri, fields);
        *request.version_mut() = version;
        assert_eq!(check(&request).is_ok(), good, "{version:?} {uri} {fields:?}");
    }
}

#[test]
fn rfc_9112_section_6_1_transfer_encoding() {
    let table: [(&[&str], bool); 10] = [
        (&[], true),
        (&["chunked"], true),
        (&["Chunked"], true),
        (&[" chunked "], true),
        (&["gzip, chunked"], false),
        (&["gzip", "chunked"], false),
        (&["chunked, chunked"], false),
        (&["identity"], false),
        (&["chunked;a=b"], false),
        (&[""], false),
    ];
    for (values, good) in table {
        let mut request = request("/", &[HOST]);
        for value in values {
            request.headers_mut().append("transfer-encoding", HeaderValue::from_str(value).unwrap());
        }
        let expected = (!good).then_some(Code::UnsupportedTransferEncoding);
        assert_eq!(code(&request), expected, "{values:?}");
    }
}
