//! Markdown as a page of HTML that needs nothing else: headings with the addresses that GitHub gives
//! them, and links to other documents without `.md`.

use std::collections::HashMap;

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;\
                     color-scheme:light dark}pre{overflow:auto;padding:.75rem;background:#8882}code{font-size:.9em}\
                     table{border-collapse:collapse;display:block;overflow:auto}td,th{border:1px solid #8888;padding:.25rem .5rem;\
                     text-align:left;vertical-align:top}";

/// A document as a page.
pub(super) fn page(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let events: Vec<Event> = Parser::new_ext(markdown, options).collect();
    let title = heading_text(&events).unwrap_or_default();
    let mut body = String::new();
    html::push_html(&mut body, addressed(events).into_iter());
    let mut escaped = String::new();
    html::push_html(&mut escaped, std::iter::once(Event::Text(CowStr::from(title))));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{escaped} – Stagegate</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// The text of the first heading, from its place on.
fn heading_text(events: &[Event]) -> Option<String> {
    let start = events.iter().position(|event| matches!(event, Event::Start(Tag::Heading { .. })))?;
    Some(text_of(&events[start..]))
}

fn text_of(events: &[Event]) -> String {
    let heading = events.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let mut text = String::new();
    for event in heading {
        if let Event::Text(part) | Event::Code(part) = event {
            text.push_str(part);
        }
    }
    text
}

/// Gives headings their ids and links their addresses on the page. A link to a file of the sources,
/// which the service does not have, becomes plain text.
fn addressed(mut events: Vec<Event>) -> Vec<Event> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut is_plain = false;
    for at in 0..events.len() {
        if matches!(events[at], Event::Start(Tag::Heading { .. })) {
            let slug = slug(&text_of(&events[at..]));
            let count = seen.entry(slug.clone()).or_default();
            let own = if *count == 0 { slug } else { format!("{slug}-{count}") };
            *count += 1;
            if let Event::Start(Tag::Heading { id, .. }) = &mut events[at] {
                *id = Some(own.into());
            }
        } else if let Event::Start(Tag::Link { dest_url, .. }) = &mut events[at] {
            match address(dest_url) {
                Some(address) => *dest_url = address.into(),
                None => is_plain = true,
            }
        }
        if is_plain && matches!(events[at], Event::Start(Tag::Link { .. })) {
            events[at] = Event::Start(Tag::Emphasis);
        } else if is_plain && matches!(events[at], Event::End(TagEnd::Link)) {
            events[at] = Event::End(TagEnd::Emphasis);
            is_plain = false;
        }
    }
    events
}

/// Where a link of a document leads on the page; `None` if it leads out of what the service has.
fn address(link: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with(['#', '/']) {
        return Some(link.to_owned());
    }
    let (file, fragment) =
        link.split_once('#').map_or((link, String::new()), |(file, name)| (file, format!("#{name}")));
    let name = file.strip_suffix(".md")?;
    let is_known = super::DOCUMENTS.iter().any(|document| document.name == name) || super::PROBLEMS.0 == name;
    is_known.then(|| format!("/docs/{name}{fragment}"))
}

/// The id of a heading, as GitHub makes it.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}
