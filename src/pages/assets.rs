//! Styles, scripts and the icon: the files of `src/pages/assets`, served as they are.
//!
//! Their address contains a digest of all of them, so that browsers may keep them for a year and
//! modules find each other by relative addresses.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

/// The files.
#[derive(RustEmbed)]
#[folder = "src/pages/assets"]
struct Files;

/// One file, ready to be sent.
struct Asset {
    content_type: &'static str,
    plain: Bytes,
    gzip: Bytes,
}

/// All files, and the digest of them.
struct Assets {
    build: String,
    by_name: HashMap<String, Asset>,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    let mut by_name = HashMap::new();
    let mut names: Vec<_> = Files::iter().collect();
    names.sort();
    for name in names {
        let Some(file) = Files::get(&name) else { continue };
        digest.update(file.metadata.sha256_hash());
        let plain = Bytes::from(file.data.into_owned());
        let asset = Asset { content_type: content_type(&name), gzip: compress(&plain), plain };
        by_name.insert(name.into_owned(), asset);
    }
    Assets { build: hex::encode(&digest.finalize()[..8]), by_name }
});

/// A digest of all files: part of their addresses, and of the tags of pages.
pub(super) fn build() -> &'static str {
    &ASSETS.build
}

/// Serves a file of this build. A page of an older build asks for its own; it gets the present one
/// without leave to keep it.
pub(super) async fn get_asset(Path((build, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let caching = if build == ASSETS.build { "public, max-age=31536000, immutable" } else { "no-cache" };
    send(&name, &headers, caching)
}

/// Serves the element, which pages of other origins include, at an address that stays.
pub(super) async fn get_element(headers: HeaderMap) -> Response {
    let mut response = send("embed/status.js", &headers, "public, max-age=300");
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}

/// Serves the icon, which browsers ask for by themselves.
pub(super) async fn get_icon(headers: HeaderMap) -> Response {
    send("icon.svg", &headers, "public, max-age=86400")
}

fn send(name: &str, headers: &HeaderMap, caching: &'static str) -> Response {
    let Some(asset) = ASSETS.by_name.get(name) else { return StatusCode::NOT_FOUND.into_response() };
    let accepts_gzip = headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("gzip"));
    let body = if accepts_gzip { asset.gzip.clone() } else { asset.plain.clone() };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if accepts_gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

fn compress(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(plain).and_then(|()| encoder.finish());
    written.expect("a vector takes all that is written").into()
}
