//! Forms: where they come from, who sent them, and what is in them.

use axum::extract::{FromRequest, FromRequestParts as _, Request};

use crate::app;
use crate::domain::values::id::CommandId;
use crate::http::AppState;
use crate::http::input::body::FormBody;
use crate::http::problem::Problem;

use super::frame::Frame;
use super::origin;
use super::problem::{Kind, PageError};
use super::session::Visitor;

/// A form that a page of this visitor's session rendered.
#[derive(Debug)]
pub(super) struct Form {
    /// Who sent it.
    pub(super) visitor: Visitor,
    /// The id of the command: the same however often the form is sent.
    pub(super) id: CommandId,
    /// What is in it.
    pub(super) fields: Fields,
}

/// The fields of a form, without its token.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The fields of a form as they were sent. Browsers end lines with CR LF; JSON texts of the API
    /// have LF.
    pub(super) fn new(fields: Vec<(String, String)>) -> Self {
        Self(fields.into_iter().map(|(name, value)| (name, value.replace("\r\n", "\n"))).collect())
    }

    /// Every field, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a field: empty if it is missing. Line ends are those of texts in JSON.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The value without blanks around it, or nothing if only blanks were sent.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        Some(self.get(name).trim()).filter(|value| !value.is_empty())
    }

    /// Every value of a field that occurs several times.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the form has the field at all, as a checked box or a pressed button.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }
}

impl FromRequest<AppState> for Form {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let anonymous = Frame::of(&parts.headers);
        check_origin(&parts.headers, state, &anonymous)?;
        let visitor = Visitor::from_request_parts(&mut parts, state).await?;
        let path = parts.uri.path().to_owned();
        let fields = read(Request::from_parts(parts, body), state, visitor.untitled()).await?;
        let id = visitor.form_id(fields.get("form"), &path);
        let id = id.ok_or_else(|| PageError::new(Kind::Forged, visitor.untitled()))?;
        Ok(Self { visitor, id, fields })
    }
}

/// A form of a visitor without a session: only its origin can be checked.
#[derive(Debug)]
pub(super) struct OpenForm(pub(super) Fields);

impl FromRequest<AppState> for OpenForm {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, PageError> {
        let frame = Frame::of(request.headers());
        check_origin(request.headers(), state, &frame)?;
        Ok(Self(read(request, state, &frame).await?))
    }
}

fn check_origin(headers: &axum::http::HeaderMap, state: &AppState, frame: &Frame) -> Result<(), PageError> {
    let is_own = state.app.links.public_origin().is_some_and(|own| origin::is_own(headers, own));
    if is_own { Ok(()) } else { Err(PageError::new(Kind::Forged, frame)) }
}

async fn read(request: Request, state: &AppState, frame: &Frame) -> Result<Fields, PageError> {
    let Ok(body) = FormBody::from_request(request, state).await;
    let fields = body.fields().map_err(|problem| PageError::of_form(&problem, frame))?;
    Ok(Fields::new(fields))
}

/// What became of a command that a form sent.
pub(super) type Sent = Result<app::tasks::commands::Answer, Problem>;
