//! The SVG drawing: the stages as boxes in one column, and arrows for returns in lanes to their
//! right. It is self-contained, without styles, scripts or ids, so that it can be embedded in any
//! page under any content security policy.

use std::fmt::Write as _;

use crate::domain::values::party::Party;

use super::super::{Stage, Workflow};
use super::{counted, duration, facts, one_line, party_name};

const MARGIN: u32 = 24;
const BOX_WIDTH: u32 = 520;
const PADDING: u32 = 18;
/// The x offset of a fact's text from the box's left edge.
const FACT_INDENT: u32 = 112;
const BADGE_WIDTH: u32 = 84;
/// The gap between two boxes, for the arrow.
const GAP: u32 = 36;
const LANE: u32 = 16;
const LINE: u32 = 18;
const PILL_HEIGHT: u32 = 34;
/// The distance of incoming returns from a box's top edge, and of outgoing ones from its bottom
/// edge.
const PORT: u32 = 20;

const INK: &str = "#1f2933";
const MUTED: &str = "#5b6770";
const RETURN: &str = "#b4443c";

/// The definition as a drawing: an accessible, self-contained SVG document.
pub fn svg(workflow: &Workflow) -> String {
    let heading = wrap(workflow.name.as_str(), BOX_WIDTH, HEADING, 2);
    let mut y = MARGIN + u32::try_from(heading.len()).unwrap_or(2) * 26;
    let subtitle_y = y + 2;
    y += 20;
    let opened_y = y;
    y += PILL_HEIGHT + GAP;
    let mut boxes = Vec::with_capacity(workflow.stages.len());
    for (index, stage) in workflow.stages.iter().enumerate() {
        let drawn = StageBox::new(index, stage, y);
        y += drawn.height + GAP;
        boxes.push(drawn);
    }
    let delivery_y = y;
    let buses = buses(workflow, &boxes);
    let lanes = buses.iter().map(|bus| bus.lane + 1).max().unwrap_or(0);
    let width = MARGIN + BOX_WIDTH + LANE * (lanes + 1) + MARGIN;
    let height = delivery_y + PILL_HEIGHT + 34 + MARGIN;

    let mut out = opening(workflow, width, height);
    for (line, y) in heading.iter().zip((MARGIN + 18..).step_by(26)) {
        out.text(MARGIN, y, line, &format!("font-size=\"20\" font-weight=\"600\" fill=\"{INK}\""));
    }
    out.text(MARGIN, subtitle_y + 8, &subtitle(workflow), &format!("font-size=\"13\" fill=\"{MUTED}\""));
    out.pill(opened_y + 8, "Task opened");
    let mut from = opened_y + 8 + PILL_HEIGHT;
    for drawn in &boxes {
        out.down(from, drawn.y, if drawn.index == 0 { "" } else { "approved" });
        out.stage(drawn);
        from = drawn.y + drawn.height;
    }
    out.down(from, delivery_y, "approved");
    out.pill(delivery_y, "Delivery");
    for bus in &buses {
        out.bus(bus);
    }
    let legend = "Red: where a rejection returns to; dashed: only if a person says so";
    out.text(MARGIN, delivery_y + PILL_HEIGHT + 30, legend, &format!("font-size=\"12\" fill=\"{MUTED}\""));
    out.0.push_str("</svg>\n");
    out.0
}

fn subtitle(workflow: &Workflow) -> String {
    let stages = counted(u32::try_from(workflow.stages.len()).unwrap_or(u32::MAX), "stage");
    match &workflow.deadline {
        Some(deadline) => format!("{stages} · a task expires after {}", duration(deadline.clock, &deadline.within)),
        None => format!("{stages} · no deadline for the task as a whole"),
    }
}

fn opening(workflow: &Workflow, width: u32, height: u32) -> Drawing {
    let name = escape(&one_line(workflow.name.as_str()));
    let mut description = String::new();
    for (index, stage) in workflow.stages.iter().enumerate() {
        let _ = write!(description, "Stage {}, {}. ", index + 1, one_line(stage.name.as_str()));
        for fact in facts(stage) {
            let _ = write!(description, "{} {}. ", fact.about, fact.text);
        }
    }
    Drawing(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"Workflow {name}\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\">\n\
         <title>Workflow {name}</title>\n<desc>{}. {}</desc>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        escape(&subtitle(workflow)),
        escape(description.trim_end()),
    ))
}

/// A stage with its text laid out.
struct StageBox {
    index: usize,
    y: u32,
    height: u32,
    reviewer: Party,
    full_name: String,
    name: Vec<String>,
    label: Vec<String>,
    facts: Vec<(&'static str, Vec<String>)>,
}

impl StageBox {
    fn new(index: usize, stage: &Stage, y: u32) -> Self {
        let width = |taken: u32| BOX_WIDTH - 2 * PADDING - taken;
        let name = wrap(&format!("{}. {}", index + 1, stage.name), width(BADGE_WIDTH + 12), NAME, 2);
        let label = wrap(&format!("Buyer reads “{}”", stage.buyer_label), width(0), BODY, 2);
        let facts: Vec<_> = facts(stage)
            .into_iter()
            .map(|fact| (fact.about, wrap(&fact.text, width(FACT_INDENT - PADDING), BODY, 4)))
            .collect();
        let lines = label.len() + facts.iter().map(|(_, lines)| lines.len()).sum::<usize>();
        let height = PADDING + rows(name.len(), 20) + rows(lines, LINE) + 8 + PADDING - 6;
        let full_name = one_line(&format!("{} ({})", stage.name, stage.key));
        Self { index, y, height, reviewer: stage.reviewer, full_name, name, label, facts }
    }

    fn way_in(&self) -> u32 {
        self.y + PORT
    }

    fn way_out(&self) -> u32 {
        self.y + self.height - PORT
    }
}

fn rows(count: usize, height: u32) -> u32 {
    u32::try_from(count).unwrap_or(0) * height
}

/// All returns to one stage. They share one vertical line, so there are never more lines than
/// stages.
struct Bus {
    lane: u32,
    target: u32,
    /// Where a rejection leaves its stage, and whether it comes here by default.
    sources: Vec<(u32, bool)>,
}

impl Bus {
    fn bottom(&self) -> u32 {
        self.sources.iter().map(|(y, _)| *y).max().unwrap_or(self.target)
    }
}

/// Assigns lanes: the shortest lines nearest to the boxes; lines that do not overlap share a lane.
fn buses(workflow: &Workflow, boxes: &[StageBox]) -> Vec<Bus> {
    let mut buses: Vec<_> = workflow
        .stages
        .iter()
        .zip(boxes)
        .map(|(target, drawn)| {
            let sources = workflow.stages.iter().zip(boxes).filter_map(|(stage, source)| {
                let place = stage.on_reject.return_to.iter().position(|key| *key == target.key)?;
                Some((source.way_out(), place == 0 && stage.on_reject.max_rounds != Some(1)))
            });
            Bus { lane: 0, target: drawn.way_in(), sources: sources.collect() }
        })
        .filter(|bus| !bus.sources.is_empty())
        .collect();
    buses.sort_by_key(|bus| bus.bottom() - bus.target);
    let mut lanes: Vec<Vec<(u32, u32)>> = Vec::new();
    for bus in &mut buses {
        let (top, bottom) = (bus.target, bus.bottom());
        let free = lanes.iter().position(|taken| taken.iter().all(|(from, to)| bottom < *from || *to < top));
        let lane = free.unwrap_or(lanes.len());
        if lane == lanes.len() {
            lanes.push(Vec::new());
        }
        lanes[lane].push((top, bottom));
        bus.lane = u32::try_from(lane).unwrap_or(0);
    }
    buses
}

/// The document built so far.
struct Drawing(String);

impl Drawing {
    /// Adds text. `attributes` are trusted; `text` is escaped here.
    fn text(&mut self, x: u32, y: u32, text: &str, attributes: &str) {
        let _ = writeln!(self.0, "<text x=\"{x}\" y=\"{y}\" {attributes}>{}</text>", escape(text));
    }

    fn line(&mut self, points: &str, colour: &str, dashed: bool) {
        let dash = if dashed { " stroke-dasharray=\"4 4\"" } else { "" };
        let _ = writeln!(
            self.0,
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"{dash}/>"
        );
    }

    fn pill(&mut self, y: u32, text: &str) {
        let (width, middle) = (140, MARGIN + BOX_WIDTH / 2);
        let x = middle - width / 2;
        let radius = PILL_HEIGHT / 2;
        let _ = writeln!(
            self.0,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{PILL_HEIGHT}\" rx=\"{radius}\" fill=\"{INK}\"/>"
        );
        self.text(middle, y + 22, text, "font-size=\"13\" font-weight=\"600\" text-anchor=\"middle\" fill=\"#ffffff\"");
    }

    /// An arrow from one box to the next.
    fn down(&mut self, from: u32, to: u32, label: &str) {
        let x = MARGIN + BOX_WIDTH / 2;
        self.line(&format!("{x},{from} {x},{}", to - 7), MUTED, false);
        let (left, right, back) = (x - 5, x + 5, to - 9);
        let _ = writeln!(self.0, "<polygon points=\"{x},{to} {left},{back} {right},{back}\" fill=\"{MUTED}\"/>");
        if !label.is_empty() {
            self.text(x + 10, u32::midpoint(from, to) + 3, label, &format!("font-size=\"12\" fill=\"{MUTED}\""));
        }
    }

    /// Draws a stage in a frame of its own, which clips text that a font makes wider than
    /// estimated.
    fn stage(&mut self, drawn: &StageBox) {
        let StageBox { y, height, .. } = drawn;
        let (party, fill, accent) = match drawn.reviewer {
            Party::Partner => ("Partner", "#f3f6fc", "#3b62b0"),
            Party::Buyer => ("Buyer", "#fdf6ea", "#a8640f"),
            Party::Platform => ("AITasker", "#eff8f1", "#2f7a45"),
        };
        let _ = writeln!(
            self.0,
            "<svg x=\"{MARGIN}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{height}\">\n<title>{}, reviewed by {}</title>\n\
             <rect x=\"1\" y=\"1\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"{fill}\" stroke=\"{accent}\" stroke-width=\"1.5\"/>\n\
             <rect x=\"{}\" y=\"14\" width=\"{BADGE_WIDTH}\" height=\"22\" rx=\"11\" fill=\"{accent}\"/>",
            escape(&drawn.full_name),
            party_name(drawn.reviewer),
            BOX_WIDTH - 2,
            height - 2,
            BOX_WIDTH - PADDING - BADGE_WIDTH,
        );
        let badge = "font-size=\"12\" font-weight=\"600\" text-anchor=\"middle\" fill=\"#ffffff\"";
        self.text(BOX_WIDTH - PADDING - BADGE_WIDTH / 2, 29, party, badge);
        let mut y = PADDING + 12;
        for line in &drawn.name {
            self.text(PADDING, y, line, &format!("font-size=\"15\" font-weight=\"600\" fill=\"{INK}\""));
            y += 20;
        }
        for line in &drawn.label {
            self.text(PADDING, y, line, &format!("font-size=\"12\" font-style=\"italic\" fill=\"{MUTED}\""));
            y += LINE;
        }
        y += 8;
        for (about, lines) in &drawn.facts {
            self.text(PADDING, y, about, &format!("font-size=\"12\" font-weight=\"600\" fill=\"{accent}\""));
            for line in lines {
                self.text(FACT_INDENT, y, line, &format!("font-size=\"12\" fill=\"{INK}\""));
                y += LINE;
            }
        }
        self.0.push_str("</svg>\n");
    }

    fn bus(&mut self, bus: &Bus) {
        let edge = MARGIN + BOX_WIDTH;
        let x = edge + LANE * (bus.lane + 1);
        let target = bus.target;
        for (y, default) in &bus.sources {
            self.line(&format!("{edge},{y} {x},{y}"), RETURN, !default);
            let _ = writeln!(self.0, "<circle cx=\"{x}\" cy=\"{y}\" r=\"2.5\" fill=\"{RETURN}\"/>");
        }
        let dashed = bus.sources.iter().all(|(_, default)| !default);
        self.line(&format!("{x},{} {x},{target} {},{target}", bus.bottom(), edge + 7), RETURN, dashed);
        let (back, above, below) = (edge + 9, target - 5, target + 5);
        let _ =
            writeln!(self.0, "<polygon points=\"{edge},{target} {back},{above} {back},{below}\" fill=\"{RETURN}\"/>");
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// A text style: its size, and its width relative to the ordinary one.
#[derive(Clone, Copy)]
struct Font {
    size: f64,
    stretch: f64,
}

const HEADING: Font = Font { size: 20.0, stretch: 1.12 };
const NAME: Font = Font { size: 15.0, stretch: 1.12 };
const BODY: Font = Font { size: 12.0, stretch: 1.0 };

/// Breaks `text` into lines of at most `width` pixels, between words where possible; text that does
/// not fit ends in an ellipsis.
fn wrap(text: &str, width: u32, font: Font, most: usize) -> Vec<String> {
    let fits = |line: &str| line.chars().map(em).sum::<f64>() * font.size * font.stretch <= f64::from(width);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in one_line(text).split(' ') {
        if !line.is_empty() {
            if fits(&format!("{line} {word}")) || !fits(word) {
                line.push(' ');
            } else {
                lines.push(std::mem::take(&mut line));
            }
        }
        for c in word.chars() {
            line.push(c);
            if !fits(&line) && line.chars().nth(1).is_some() {
                line.pop();
                lines.push(std::mem::replace(&mut line, c.to_string()));
            }
        }
    }
    lines.push(line);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            while !fits(&format!("{last}…")) && last.pop().is_some() {}
            last.push('…');
        }
    }
    lines
}

/// The approximate width of a character in ems of a sans-serif font, rather overestimated.
fn em(c: char) -> f64 {
    match c {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0.0,
        'i' | 'j' | 'l' | 'I' | ' ' | '.' | ',' | ';' | ':' | '\'' | '|' | '!' | '/' => 0.36,
        't' | 'f' | 'r' | '(' | ')' | '-' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 1.0,
        'A'..='Z' => 0.76,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' => 1.05,
        '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ffe6}' | '\u{1f000}'..='\u{3ffff}' => 1.3,
        c if c.is_ascii() => 0.63,
        _ => 0.8,
    }
}
