//! What a request must be before anything is done for it: the bounds of its first line and its header, and the
//! parts of HTTP's framing that hyper leaves to us (RFC 9112, sections 3.2 and 6.1).
//!
//! [`check`] runs once for every request, before it is routed and before a credential is looked at. Its cost is
//! linear in what it reads, which is bounded; the bytes of the whole header are bounded in [`super::server`].

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, Version, header};

use crate::http::problem::{Code, FieldError, Problem};

/// Path and query in bytes.
pub const MAX_TARGET_BYTES: usize = 8 << 10;
/// Parameters in a query: no operation has half as many.
pub const MAX_QUERY_NAMES: usize = 32;
/// Header fields. hyper has the same bound for HTTP/1 and none for HTTP/2.
pub const MAX_HEADER_FIELDS: usize = 100;

/// Whether the request may come in.
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
        return Err(Problem::new(Code::TargetTooLong, "The path and the query are longer than 8 KiB (8,192 bytes)."));
    }
    let Some(query) = uri.query() else { return Ok(()) };
    if query.bytes().filter(|byte| *byte == b'&').count() >= MAX_QUERY_NAMES {
        let error = FieldError::new("/query", "too_many", "must not have more than 32 parameters");
        return Err(Problem::invalid_parameter(error));
    }
    Ok(())
}

/// hyper reads whatever ends with `chunked` as if nothing else had been done to the body.
fn check_transfer_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let mut values = headers.get_all(header::TRANSFER_ENCODING).into_iter();
    let Some(first) = values.next() else { return Ok(()) };
    if values.next().is_none() && first.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let detail = "Send the body as it is, or with `Transfer-Encoding: chunked` and no other encoding.";
    // The rest of the connection cannot be trusted to be what it seems.
    Err(Problem::new(Code::UnsupportedTransferEncoding, detail)
        .header(header::CONNECTION, HeaderValue::from_static("close")))
}

/// One `Host` that is valid: required of HTTP/1.1, allowed of HTTP/1.0 and HTTP/2, where `:authority` has its place.
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
        return refused("duplicate_key", "is there twice");
    }
    if !is_host(host.as_bytes()) {
        return refused("invalid_value", "must be a host name or address, with a port or without");
    }
    if version > Version::HTTP_11
        && uri.authority().is_some_and(|one| !one.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()))
    {
        return refused("not_equal", "must be the same as `:authority`");
    }
    Ok(())
}

/// `uri-host [ ":" port ]` of RFC 9110, section 7.2, not empty.
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

/// What is rare: addresses of IPv6, and names with other characters than letters, digits and `.-_`.
fn is_other_host(name: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(name) else { return false };
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    !text.contains(['@', ':', '[', ']']) && text.parse::<Authority>().is_ok()
}

#[cfg(test)]
mod tests;
