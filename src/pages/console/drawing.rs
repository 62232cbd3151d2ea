//! Drawings of the service inside a page.

use std::fmt;

use askama::filters::HtmlSafe;
use askama::{FastWritable, Values};

use crate::domain::workflow::{Workflow, diagram};

/// The drawing of a workflow. The service draws it and escapes every name in it, so it is markup and
/// not text.
#[derive(Clone, Debug)]
pub(super) struct Drawing(String);

impl Drawing {
    /// Draws a workflow.
    pub(super) fn of(workflow: &Workflow) -> Self {
        Self(diagram::svg(workflow))
    }
}

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Drawing {}

impl FastWritable for Drawing {
    fn write_into(&self, to: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        Ok(to.write_str(&self.0)?)
    }
}
