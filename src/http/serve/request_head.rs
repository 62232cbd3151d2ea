//! Validation of a request's first line and header before routing, and of those parts of HTTP
//! framing that hyper does not check (RFC 9112, sections 3.2 and 6.1).
//!
//! [`check`] runs once for every request, before routing and authentication. Its cost is linear in
//! its input, which is bounded; [`super::server`] bounds the size of the whole header.

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, Version, header};

use crate::http::problem::{Code, FieldError, Problem};

/// Longest path and query together, in bytes.
pub const MAX_TARGET_BYTES: usize = 8 << 10;
/// Most parameters in a query. No operation has half as many.
pub const MAX_QUERY_NAMES: usize = 32;
/// Most header fields. hyper has the same limit for HTTP/1 and none for HTTP/2.
pub const MAX_HEADER_FIELDS: usize = 100;

/// Checks the request; the error is the response to send.
pub fn check<B>(request: &Request<B>) -> Result<(), Problem> {
    check_target(request.uri())?;
    if request.headers().len() > MAX_HEADER_FIELDS {
        return Err(Problem::new(Code::HeaderTooLarge, "The request has more than 100 header fields."));
    }
    check_transfer_encoding(request.headers())?;
    check_host(request.version(), request.uri(), request.headers())
}

fn check_target(uri: &Uri) -> Result<(), Problem> {
    if uri.path_and_query().is_some_and(|target| target.as_str().len() > MAX_TARGET_BYTES) {
        return Err(Problem::new(
            Code::TargetTooLong,
            "The path and query together are longer than 8 KiB (8,192 bytes).",
        ));
    }
    let Some(query) = uri.query() else { return Ok(()) };
    if query.bytes().filter(|byte| *byte == b'&').count() >= MAX_QUERY_NAMES {
        let error = FieldError::new("/query", "too_many", "must not have more than 32 parameters");
        return Err(Problem::invalid_parameter(error));
    }
    Ok(())
}

/// Accepts only `chunked`. hyper reads any value that ends with `chunked` and ignores the other
/// codings.
fn check_transfer_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let mut values = headers.get_all(header::TRANSFER_ENCODING).into_iter();
    let Some(first) = values.next() else { return Ok(()) };
    if values.next().is_none() && first.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let detail = "Send the body without a transfer encoding or with `Transfer-Encoding: chunked` only.";
    // Where the body ends is unclear, so the connection cannot be reused.
    Err(Problem::new(Code::UnsupportedTransferEncoding, detail)
        .header(header::CONNECTION, HeaderValue::from_static("close")))
}

/// Requires exactly one valid `Host` in HTTP/1.1. HTTP/1.0 may omit it, as may HTTP/2 if it has
/// `:authority`.
fn check_host(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let mut values = headers.get_all(header::HOST).into_iter();
    let refused = |code, message: &str| {
        let problem = Problem::invalid_parameter(FieldError::new("/header/Host", code, message));
        Err(problem.header(header::CONNECTION, HeaderValue::from_static("close")))
    };
    let Some(host) = values.next() else {
        let is_named = version == Version::HTTP_10
            || version > Version::HTTP_11
                && uri.authority().is_some_and(|authority| is_host(authority.as_str().as_bytes()));
        return if is_named { Ok(()) } else { refused("required", "is required") };
    };
    if values.next().is_some() {
        return refused("duplicate_key", "must appear only once");
    }
    if !is_host(host.as_bytes()) {
        return refused("invalid_value", "must be a host name or an IP address, optionally with a port");
    }
    if version > Version::HTTP_11
        && uri.authority().is_some_and(|one| !one.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()))
    {
        return refused("not_equal", "must be the same as `:authority`");
    }
    Ok(())
}

/// Whether `value` is a non-empty `uri-host [ ":" port ]` (RFC 9110, section 7.2).
fn is_host(value: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
    let (name, port) = match value.iter().rposition(|byte| *byte == b':') {
        Some(at) if !value.ends_with(b"]") => (&value[..at], &value[at + 1..]),
        Some(_) | None => (value, &b""[..]),
    };
    let is_port = port.len() <= 5 && port.iter().all(u8::is_ascii_digit);
    if !name.is_empty() && name.iter().all(plain) {
        return is_port;
    }
    is_port && is_other_host(name)
}

/// The rare forms: IPv6 addresses, and names with characters other than letters, digits and `.-_`.
fn is_other_host(name: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(name) else { return false };
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    !text.contains(['@', ':', '[', ']']) && text.parse::<Authority>().is_ok()
}

#[cfg(test)]
mod tests;
