//! Answers that come piece by piece.

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use tokio::time::timeout;
use tower::ServiceExt as _;

use super::parties::Client;
use super::waiting::PATIENCE;

/// An open stream.
pub struct Stream {
    /// The answer's headers.
    pub headers: HeaderMap,
    body: Body,
}

impl Stream {
    /// Opens a stream, which must be one of events; with a `Last-Event-ID` unless it is empty.
    pub async fn open(client: &Client, path: &str, last: &str) -> Self {
        let mut request =
            Request::get(path).header("host", "x").header("authorization", format!("Bearer {}", client.credential));
        if !last.is_empty() {
            request = request.header("last-event-id", last);
        }
        let answer = client.router.clone().oneshot(request.body(Body::empty()).unwrap());
        let (head, body) = timeout(PATIENCE, answer).await.unwrap().unwrap().into_parts();
        assert_eq!((head.status.as_u16(), &head.headers["content-type"]), (200, &"text/event-stream".parse().unwrap()));
        Self { headers: head.headers, body }
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<String> {
        let frame = timeout(PATIENCE, self.body.frame()).await.expect("nothing comes");
        let bytes = frame?.unwrap().into_data().unwrap();
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// The next piece that is more than a sign of life.
    pub async fn event(&mut self) -> Option<String> {
        loop {
            let piece = self.next().await?;
            if piece != ":\n\n" {
                return Some(piece);
            }
        }
    }
}
