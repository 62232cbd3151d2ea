//! Attempts at receivers of every kind, over real sockets on loopback.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use crate::domain::values::id::MessageId;
use crate::domain::values::time::Time;
use crate::webhook::address::Lookup;
use crate::webhook::sign::{self, Secret, Secrets};
use crate::webhook::test_support::{self, Certificate, Names, receiver, silence, until_dropped};

use super::*;

/// In these tests 127.0.0.1 stands for the public internet, and everything else is private.
const RULES: Rules =
    Rules { plain: true, admits_port: |_| true, forbids: |address| (address != PUBLIC).then_some("private here") };
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Limits that are too short for a receiver that waits to be dropped.
const HASTY: Limits = Limits { connect: LIMITS.connect, whole: Duration::from_millis(500) };
const BODY: &str = r#"{"type":"task.opened","seq":1}"#;

fn client(lookup: Arc<Lookup>, limits: Limits) -> Client {
    Client::with(Guard::with_lookup(RULES, lookup), RootCertStore::empty(), limits)
}

/// A client for literal addresses.
fn plain(limits: Limits) -> Client {
    client(Names::new(&[]).lookup(), limits)
}

fn headers() -> Headers {
    let secret = Secret::from_random(&[7; 32]);
    sign::headers(
        MessageId(Uuid::from_u128(1)),
        Time::from_micros(0),
        BODY.as_bytes(),
        Secrets { current: &secret, pending: None },
    )
}

async fn post(client: &Client, url: &str) -> Outcome {
    let target = Target::parse(url, Reach::Anywhere).unwrap();
    client.post(&target, (&headers(), None), Bytes::from_static(BODY.as_bytes())).await.outcome
}

/// Makes an attempt at a receiver that sends these bytes and closes the connection.
async fn answered_with(bytes: impl Into<Vec<u8>>) -> Outcome {
    let bytes = bytes.into();
    let (address, task) = receiver(|mut stream, _| async move { stream.write_all(&bytes).await }).await;
    let outcome = post(&plain(LIMITS), &format!("http://{address}/hook")).await;
    // A receiver that sends too much is cut off.
    let _ = task.await.unwrap();
    outcome
}

/// Makes an attempt at a receiver that sends `first`, then repeats `then` for ever or waits, until
/// it is dropped.
async fn kept_waiting(first: &'static str, then: &'static str, limits: Limits) -> Outcome {
    let (address, task) = receiver(move |mut stream, _| async move {
        stream.write_all(first.as_bytes()).await.unwrap();
        while !then.is_empty() && stream.write_all(then.as_bytes()).await.is_ok() {}
        until_dropped(&mut stream).await;
    })
    .await;
    let outcome = post(&plain(limits), &format!("http://{address}/hook")).await;
    task.await.unwrap();
    outcome
}

fn answered(status: u16, answer: &str) -> Outcome {
    Outcome::Answered { status, retry_after: None, answer: answer.to_owned() }
}

#[tokio::test]
async fn a_delivery_arrives_as_it_was_signed_and_says_no_more() {
    let (address, task) = receiver(|mut stream, request| async move {
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        request
    })
    .await;
    let outcome = post(&plain(LIMITS), &format!("http://{address}/hook?a=b")).await;
    assert_eq!(outcome, answered(204, ""));
    let request = task.await.unwrap();
    assert_eq!(request.body, BODY.as_bytes());
    let mut lines: Vec<&str> = request.head.lines().collect();
    assert_eq!(lines.remove(0), "POST /hook?a=b HTTP/1.1");
    lines.sort_unstable();
    let mut expected: Vec<String> =
        headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    expected.extend(["content-type: application/json".to_owned(), format!("host: {address}")]);
    expected.extend([format!("content-length: {}", BODY.len()), format!("user-agent: {NAME}")]);
    expected.sort_unstable();
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn the_status_decides_and_the_answer_is_kept_for_the_owner_to_read() {
    for (head, status, delivered) in [
        ("200 OK", 200, true),
        ("299 Whatever", 299, true),
        ("304 Not Modified", 304, false),
        ("410 Gone", 410, false),
        ("500 Internal Server Error", 500, false),
        ("999 Beyond", 999, false),
    ] {
        let outcome = answered_with(format!("HTTP/1.1 {head}\r\ncontent-length: 2\r\n\r\nhm")).await;
        assert_eq!(outcome, answered(status, if status == 304 { "" } else { "hm" }));
        assert_eq!(outcome.is_delivered(), delivered, "{status}");
    }
}

#[tokio::test]
async fn a_receiver_can_ask_for_time() {
    for (value, expected) in [("120", Some(RetryAfter::In(Duration::from_mins(2)))), ("\u{e9}", None), ("x", None)] {
        let outcome =
            answered_with(format!("HTTP/1.1 429 Busy\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n")).await;
        let asked = Outcome::Answered { status: 429, retry_after: expected, answer: String::new() };
        assert_eq!(outcome, asked, "{value}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_leads_nowhere() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = elsewhere.local_addr().unwrap();
        let outcome =
            answered_with(format!("HTTP/1.1 {status} Moved\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n"))
                .await;
        assert_eq!(outcome, answered(status, ""));
        assert!(!outcome.is_delivered());
        assert_nobody_came(&elsewhere);
    }
}

fn assert_nobody_came(listener: &TcpListener) {
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn of_an_answer_the_beginning_is_kept_as_text_that_a_database_takes() {
    let long = "é".repeat(2000);
    for (body, expected) in [
        (b"a\0b\xff\xfec".to_vec(), "a\u{fffd}b\u{fffd}\u{fffd}c".to_owned()),
        (long.clone().into_bytes(), long[..2048].to_owned()),
        // Cut within a character.
        ([b"x", long.as_bytes()].concat(), format!("x{}\u{fffd}", &long[..2046])),
        // The head of a gzip file. Nothing is decompressed, so a decompression bomb has no effect.
        (b"\x1f\x8b\x08\x00".to_vec(), "\u{1f}\u{fffd}\u{8}\u{fffd}".to_owned()),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
        let outcome = answered_with([head.into_bytes(), body].concat()).await;
        assert_eq!(outcome, answered(200, &expected));
    }
}

#[tokio::test]
async fn ten_gigabytes_are_not_read() {
    const PIECE: usize = 16 * 1024;
    for head in ["content-length: 10000000000\r\n\r\n", "\r\n"] {
        let (address, task) = receiver(move |mut stream, _| async move {
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}").as_bytes()).await.unwrap();
            let mut sent = 0;
            while sent < 10_000_000_000 && stream.write_all(&[b'x'; PIECE]).await.is_ok() {
                sent += PIECE;
            }
            sent
        })
        .await;
        let outcome = post(&plain(LIMITS), &format!("http://{address}/")).await;
        assert_eq!(outcome, answered(200, &"x".repeat(KEPT)));
        // The client cannot limit what is in the system's own buffers.
        let sent = task.await.unwrap();
        assert!(sent < 32 * 1024 * 1024, "{sent} bytes were taken");
    }
}

#[tokio::test]
async fn a_receiver_that_keeps_us_waiting_is_dropped() {
    for (first, then) in
        [("", ""), ("HTTP/1.1 200 OK\r\nx-slow: ", ""), ("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", "")]
    {
        assert_eq!(kept_waiting(first, then, HASTY).await, Outcome::Failed(Failure::TimedOut), "{first}{then}");
    }
}

#[tokio::test]
async fn interim_answers_are_read_up_to_a_bound() {
    for interim in ["HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"] {
        let some = format!("{}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhm", interim.repeat(1000));
        assert_eq!(answered_with(some).await, answered(200, "hm"));
        assert_eq!(kept_waiting("", interim, LIMITS).await, Outcome::Failed(Failure::Closed));
    }
}

#[tokio::test]
async fn an_answer_that_never_ends_counts_by_its_status() {
    let limits = Limits { whole: Duration::from_secs(2), ..LIMITS };
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n";
    assert_eq!(kept_waiting(chunked, "", limits).await, answered(200, "a"));
    let sized = "HTTP/1.1 500 Oh\r\ncontent-length: 1000\r\n\r\nb";
    assert_eq!(kept_waiting(sized, "", limits).await, answered(500, "b"));
    let endless = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(kept_waiting(endless, "1\r\nc\r\n", LIMITS).await, answered(200, &"c".repeat(KEPT)));
}

#[tokio::test]
async fn what_is_no_answer_is_told_from_none() {
    for (bytes, expected) in [
        ("", Failure::Closed),
        ("HTTP/1.1 200", Failure::Closed),
        ("HTTP/1.1 200 OK\r\nserver: x\r\n", Failure::Closed),
        ("hello\r\n\r\n", Failure::NotHttp),
        ("HTTP/3.0 200 OK\r\n\r\n", Failure::NotHttp),
        ("HTTP/1.1 two OK\r\n\r\n", Failure::NotHttp),
        ("\0\0\0\0", Failure::NotHttp),
        ("SSH-2.0-OpenSSH_9.2\r\n", Failure::NotHttp),
    ] {
        assert_eq!(answered_with(bytes).await, Outcome::Failed(expected), "{bytes:?}");
    }
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(1000));
    assert_eq!(answered_with(many).await, Outcome::Failed(Failure::NotHttp));
    let endless = kept_waiting("HTTP/1.1 200 OK\r\nx: ", "0123456789abcdef0123456789abcdef", LIMITS).await;
    assert_eq!(endless, Outcome::Failed(Failure::NotHttp));
}

#[tokio::test]
async fn an_answer_that_breaks_off_counts_by_its_status() {
    let sized = answered_with("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\npart").await;
    assert_eq!(sized, answered(200, "part"));
    let chunked = answered_with("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\nzz\r\n").await;
    assert_eq!(chunked, answered(200, "part"));
}

#[tokio::test]
async fn no_connection_is_told_by_its_reason() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = post(&plain(LIMITS), &format!("http://{free}/")).await;
    assert_eq!(outcome, Outcome::Failed(Failure::ConnectionRefused));

    let hasty = Limits { connect: Duration::from_millis(200), ..LIMITS };
    let outcome = post(&client(silence(), hasty), "http://slow.example/").await;
    assert_eq!(outcome, Outcome::Failed(Failure::ConnectTimedOut), "a name server that does not answer");

    // Accepts the connection and sends nothing, so that the TLS handshake cannot finish.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let outcome = post(&plain(hasty), &format!("https://{}/", mute.local_addr().unwrap())).await;
    assert_eq!(outcome, Outcome::Failed(Failure::ConnectTimedOut));

    let unknown = client(Names::new(&[&[]]).lookup(), LIMITS);
    let Outcome::Failed(failure) = post(&unknown, "http://gone.example/").await else { panic!("connected") };
    assert_eq!((failure.code(), &*failure.to_string()), ("unresolved", "gone.example does not resolve to an address"));
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_for_the_name() {
    let certificate = Certificate::new("hooks.example");
    let trusting = || certificate.roots();
    for (name, roots, expected) in [
        ("hooks.example", trusting(), None),
        ("hooks.example.", trusting(), None),
        ("other.example", trusting(), Some("not valid for name")),
        ("hooks.example", RootCertStore::empty(), Some("UnknownIssuer")),
        ("hooks.example", RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }, Some("UnknownIssuer")),
    ] {
        let address = tls_receiver(&certificate).await;
        let guard = Guard::with_lookup(RULES, Names::new(&[&["127.0.0.1"]]).lookup());
        let client = Client::with(guard, roots, LIMITS);
        let outcome = post(&client, &format!("https://{name}:{}/", address.port())).await;
        match (outcome, expected) {
            (Outcome::Failed(Failure::Tls(said)), Some(expected)) => assert!(said.contains(expected), "{said}"),
            (outcome, _) => assert_eq!((outcome, expected), (answered(200, "safe"), None), "{name}"),
        }
    }
}

async fn tls_receiver(certificate: &Certificate) -> SocketAddr {
    let acceptor = certificate.acceptor();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        test_support::Request::read(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nsafe").await.unwrap();
        stream.shutdown().await.unwrap();
    });
    address
}

#[tokio::test]
async fn a_receiver_without_tls_is_not_spoken_to_in_the_clear() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let mut heard = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut heard).await;
        heard
    });
    let outcome = post(&plain(LIMITS), &format!("https://{address}/")).await;
    assert!(matches!(outcome, Outcome::Failed(Failure::Tls(_))), "{outcome:?}");
    let heard = task.await.unwrap();
    assert!(!heard.windows(4).any(|bytes| bytes == b"POST"), "{heard:?}");
}

#[test]
fn the_public_authorities_are_built_in() {
    assert!(webpki_roots::TLS_SERVER_ROOTS.len() > 100, "{}", webpki_roots::TLS_SERVER_ROOTS.len());
    drop(Client::new(Reach::PublicOnly));
}

#[tokio::test]
async fn a_literal_address_that_may_not_be_called_is_not_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let public_only = Client::new(Reach::PublicOnly);
    for (url, code) in [
        (format!("http://127.0.0.1:{port}/"), "not_https"),
        (format!("https://127.0.0.1:{port}/"), "private_address"),
        (format!("https://2130706433:{port}/"), "private_address"),
        (format!("https://0x7f.1:{port}/"), "private_address"),
        (format!("https://[::ffff:127.0.0.1]:{port}/"), "private_address"),
        (format!("https://localhost:{port}/"), "private_name"),
    ] {
        let Outcome::Failed(failure) = post(&public_only, &url).await else { panic!("{url} was called") };
        assert_eq!(failure.code(), code, "{url}");
    }
    assert_nobody_came(&listener);
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_connected_to() {
    let (address, task) = receiver(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        stream
    })
    .await;
    let private = TcpListener::bind(("127.0.0.2", address.port())).unwrap();
    // A name that changes to a private address after its first look-up.
    let names = Names::new(&[&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.1", "127.0.0.2"]]);
    let client = client(names.lookup(), LIMITS);
    let url = format!("http://turns.example:{}/", address.port());

    assert_eq!(post(&client, &url).await, answered(200, ""));
    // Kept open. Reusing it would be an attempt without a look-up.
    let _kept = task.await.unwrap();
    assert_eq!(names.left(), 2, "one look-up for an attempt");
    for left in [1, 0] {
        let Outcome::Failed(failure) = post(&client, &url).await else { panic!("called a private address") };
        assert_eq!((failure.code(), names.left()), ("private_name", left), "the next attempt looks again");
    }
    assert_nobody_came(&private);
}
