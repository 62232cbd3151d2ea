//! Test support: names with made-up answers, receivers that do one thing to one connection, and
//! certificates.

use std::collections::VecDeque;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::address::Lookup;

/// Answers every look-up with the given addresses, one answer after the other.
#[derive(Clone)]
pub(super) struct Names(Arc<Mutex<VecDeque<Vec<IpAddr>>>>);

impl Names {
    pub(super) fn new(answers: &[&[&str]]) -> Self {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        Self(Arc::new(Mutex::new(answers.iter().map(parse).collect())))
    }

    /// The number of answers that were not asked for.
    pub(super) fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(super) fn lookup(&self) -> Arc<Lookup> {
        let names = self.0.clone();
        Arc::new(move |_| {
            let answer = names.lock().unwrap().pop_front().expect("asked too often");
            Box::pin(async { Ok(answer) })
        })
    }
}

/// A name server that never answers.
pub(super) fn silence() -> Arc<Lookup> {
    Arc::new(|_| Box::pin(std::future::pending()))
}

/// A request as it was received.
pub(super) struct Request {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Self {
        let mut bytes = Vec::new();
        loop {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the request is whole");
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if bytes.len() == end + 4 + length.parse::<usize>().unwrap() {
                return Self { head, body: bytes.split_off(end + 4) };
            }
        }
    }
}

/// Accepts one connection, reads the request and passes the rest to `serve`, whose result the task
/// returns.
pub(super) async fn receiver<F, R>(serve: F) -> (SocketAddr, JoinHandle<R::Output>)
where
    F: FnOnce(TcpStream, Request) -> R + Send + 'static,
    R: Future<Output: Send + 'static> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = Request::read(&mut stream).await;
        serve(stream, request).await
    });
    (address, task)
}

/// Reads until the other side closes.
pub(super) async fn until_dropped(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is an error, and ends the connection too.
    let _ = stream.read_to_end(&mut rest).await;
}

/// A certificate for this name, trusted only by clients that trust it explicitly.
pub(super) struct Certificate {
    chain: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Certificate {
    pub(super) fn new(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        Self { chain: made.cert.der().clone(), key: made.signing_key.serialize_der() }
    }

    /// The root store of a client that trusts it.
    pub(super) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.chain.clone()).unwrap();
        roots
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::try_from(self.key.clone()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.chain.clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}
