//! Checks an export line by line, with nothing but the file itself and what the reader already
//! trusts.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::domain::audit::chain::{Chain, FORMAT};
use crate::domain::audit::origin::TrailOrigin;
use crate::domain::partner::event::PartnerEvent;
use crate::domain::task::event::Event;
use crate::domain::trail::Recorded as _;

use self::form::{damaged, digest, parse, parse_closed, unreadable};
use self::trail::{Following, Trail};
use super::{DAMAGED, ENTRY, HEADER, Header, OPENING, Opening, Selection, TOTALS, Totals};

mod approval;
mod flaw;
mod form;
mod line;
mod trail;
mod trusted;
mod verified;

pub use approval::Approval;
pub use flaw::{Flaw, What};
pub use line::Line;
pub use trusted::Trusted;
pub use verified::{Logged, Verified};

/// Checks an export line by line. It keeps 32 bytes for each entry of the current trail, and
/// nothing of earlier trails.
#[derive(Clone, Debug)]
pub struct Verifier<'t> {
    trusted: &'t Trusted,
    line: u64,
    whole: Sha256,
    selection: Option<Selection>,
    /// The id of the previous trail.
    last: Option<Uuid>,
    /// The signed checkpoint of the trails so far.
    checkpoint: Option<String>,
    trail: Option<Trail>,
    counted: (u64, u64),
    is_flawed: bool,
    is_over: bool,
    buffer: Vec<u8>,
}

impl<'t> Verifier<'t> {
    /// The start of a file.
    pub fn new(trusted: &'t Trusted) -> Self {
        Self {
            trusted,
            line: 0,
            whole: Sha256::new(),
            selection: None,
            last: None,
            checkpoint: None,
            trail: None,
            counted: (0, 0),
            is_flawed: false,
            is_over: false,
            buffer: Vec::new(),
        }
    }

    /// The number of trails and entries so far.
    pub fn counted(&self) -> (u64, u64) {
        self.counted
    }

    /// Reads the next line; returns the trail that ends with it and is sound. After a flaw in a
    /// trail the rest of it is skipped.
    pub fn read(&mut self, line: Line<'_>) -> Result<Option<Verified>, Flaw> {
        self.line += 1;
        let bytes = line.bytes;
        let step = self.step(line).map_err(|what| self.flaw(what));
        if bytes.starts_with(super::END) && self.trail.take().is_some() {
            self.is_over = self.selection.is_none();
        }
        if self.selection.is_some() {
            self.whole.update(bytes);
        }
        step
    }

    /// Reports the end of the file.
    pub fn finish(&mut self) -> Result<(), Flaw> {
        if self.is_over {
            return Ok(());
        }
        self.line += 1;
        Err(self.flaw(What::Cut))
    }

    fn flaw(&mut self, what: What) -> Flaw {
        self.is_flawed = true;
        let trail = self.trail.as_mut();
        let seq = trail.as_ref().and_then(|trail| what.seq(trail.chain.head().seq));
        let trail = trail.map(|trail| {
            trail.is_flawed = true;
            trail.header.origin
        });
        Flaw { line: self.line, trail, seq, what }
    }

    fn step(&mut self, Line { bytes: line, entry }: Line<'_>) -> Result<Option<Verified>, What> {
        let text = line.strip_suffix(b"\n").ok_or(What::Form)?;
        let is_entry = text.starts_with(ENTRY) || text.starts_with(DAMAGED);
        let is_known = [HEADER, super::END, OPENING, TOTALS].iter().any(|start| text.starts_with(start));
        if self.is_over {
            return Err(What::Place);
        }
        if !is_known && !is_entry {
            return match &self.trail {
                Some(trail) if trail.is_flawed => Ok(None),
                Some(_) | None => Err(unreadable(text)),
            };
        }
        if is_entry {
            self.counted.1 += 1;
        }
        if let Some(trail) = &mut self.trail {
            if is_entry {
                return if trail.is_flawed {
                    Ok(None)
                } else {
                    trail.entry(line, entry.unwrap_or_else(|| Err(damaged(text, &mut self.buffer)))).map(|()| None)
                };
            }
            if text.starts_with(super::END) {
                return if trail.is_flawed {
                    Ok(None)
                } else {
                    trail.end(text, self.trusted, &mut self.checkpoint, &mut self.buffer).map(Some)
                };
            }
            if !trail.is_flawed {
                // The next trail or the end of the file comes before the end of this one.
                return Err(What::Place);
            }
        }
        self.trail = None;
        if text.starts_with(HEADER) {
            self.header(line, text)
        } else if text.starts_with(OPENING) && self.line == 1 {
            self.selection = Some(parse::<Opening>(text, &mut self.buffer)?.export);
            Ok(None)
        } else if text.starts_with(TOTALS) && self.selection.is_some() {
            self.totals(text)
        } else {
            Err(What::Place)
        }
    }

    fn header(&mut self, line: &[u8], text: &[u8]) -> Result<Option<Verified>, What> {
        let header: Header = parse(text, &mut self.buffer)?;
        self.counted.0 += 1;
        let (chain, kinds, partner, id) = match &header.origin {
            TrailOrigin::Task(origin) => {
                (Following::Task(Chain::new(origin)), Event::KINDS, origin.partner_id, origin.task_id.0)
            }
            TrailOrigin::Partner(origin) => {
                (Following::Partner(Chain::new(origin)), PartnerEvent::KINDS, origin.partner_id, origin.partner_id.0)
            }
        };
        let before = self.last.replace(id);
        let format = header.format;
        self.trail = Some(Trail::new(header, line, (chain, kinds)));
        if format != FORMAT {
            return Err(What::Format(format));
        }
        let wanted = self.selection.as_ref().and_then(|selection| selection.partner);
        if wanted.is_some_and(|wanted| wanted != partner) {
            return Err(What::Foreign);
        }
        if before.is_some_and(|before| before >= id) { Err(What::Unordered) } else { Ok(None) }
    }

    fn totals(&mut self, text: &[u8]) -> Result<Option<Verified>, What> {
        self.is_over = true;
        let totals: Totals = parse_closed(text, &mut self.buffer)?;
        if (totals.trails, totals.entries) != self.counted {
            return Err(What::Totals);
        }
        // A flaw that was already reported is not reported again.
        if self.is_flawed || totals.sha256 == Some(digest(&self.whole, text)) { Ok(None) } else { Err(What::Digest) }
    }
}
