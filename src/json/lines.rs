//! In which line of a JSON text each of its values begins.

use std::collections::HashMap;

use super::pointer;

/// The lines of the values of a text, by JSON pointer.
#[derive(Debug)]
pub struct Lines(HashMap<String, usize>);

impl Lines {
    /// Finds the lines, counted from 1, of every value of a text that [`super::strict`] accepts. A
    /// member of an object is where its name is. What follows a mistake in the text is not found.
    pub fn of(text: &str) -> Self {
        let mut scanner = Scanner { rest: text.as_bytes(), line: 1, lines: HashMap::new() };
        // A text that ends early has the lines up to there.
        let _ = scanner.value(&mut String::new(), None);
        Self(scanner.lines)
    }

    /// The line of the value at `pointer`; of the nearest value around it if it is not there.
    pub fn at(&self, pointer: &str) -> Option<usize> {
        let mut place = pointer;
        loop {
            if let Some(line) = self.0.get(place) {
                return Some(*line);
            }
            place = &place[..place.rfind('/')?];
        }
    }
}

struct Scanner<'a> {
    rest: &'a [u8],
    line: usize,
    lines: HashMap<String, usize>,
}

impl Scanner<'_> {
    /// Reads a value at `place`. `line` is that of its name, if it has one.
    fn value(&mut self, place: &mut String, line: Option<usize>) -> Option<()> {
        let first = self.peek()?;
        self.lines.insert(place.clone(), line.unwrap_or(self.line));
        match first {
            b'{' => self.members(place),
            b'[' => self.elements(place),
            b'"' => self.string().map(drop),
            _ => {
                let end = self.rest.iter().position(|byte| b",]} \t\r\n".contains(byte)).unwrap_or(self.rest.len());
                self.rest = &self.rest[end..];
                Some(())
            }
        }
    }

    fn members(&mut self, place: &mut String) -> Option<()> {
        self.skip(1);
        while self.peek()? != b'}' {
            let line = self.line;
            let name = self.string()?;
            (self.peek()? == b':').then(|| self.skip(1))?;
            self.below(place, &name, Some(line))?;
        }
        self.skip(1);
        Some(())
    }

    fn elements(&mut self, place: &mut String) -> Option<()> {
        self.skip(1);
        let mut index = 0_usize;
        while self.peek()? != b']' {
            self.below(place, &index.to_string(), None)?;
            index += 1;
        }
        self.skip(1);
        Some(())
    }

    /// Reads the value of a member or an element, and the comma behind it.
    fn below(&mut self, place: &mut String, segment: &str, line: Option<usize>) -> Option<()> {
        let length = place.len();
        pointer::push(place, segment);
        self.value(place, line)?;
        place.truncate(length);
        if self.peek()? == b',' {
            self.skip(1);
        }
        Some(())
    }

    /// Reads a string, with its escapes resolved.
    fn string(&mut self) -> Option<String> {
        if self.peek()? != b'"' {
            return None;
        }
        let mut end = 1;
        while *self.rest.get(end)? != b'"' {
            end += if self.rest[end] == b'\\' { 2 } else { 1 };
        }
        let text = serde_json::from_slice(self.rest.get(..=end)?).ok()?;
        self.skip(end + 1);
        Some(text)
    }

    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.rest.first().filter(|byte| byte.is_ascii_whitespace()) {
            self.line += usize::from(*byte == b'\n');
            self.skip(1);
        }
        self.rest.first().copied()
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_line() {
        let text =
            "{\n \"name\": \"a \\\"b\\\" {\",\n \"stages\": [\n  { \"key\":\n    1 },\n  {}\n ],\n \"a/b\": null\n}\n";
        let lines = Lines::of(text);
        let table = [
            ("", 1),
            ("/name", 2),
            ("/stages", 3),
            ("/stages/0", 4),
            ("/stages/0/key", 4),
            ("/stages/1", 6),
            ("/a~1b", 8),
            ("/stages/1/name", 6),
            ("/deadline/within", 1),
        ];
        for (pointer, line) in table {
            assert_eq!(lines.at(pointer), Some(line), "{pointer}");
        }
    }

    #[test]
    fn a_text_that_is_no_json_has_the_lines_up_to_there() {
        for text in ["", "{", "{\"a\"", "{\"a\":", "[1,", "\"", "\"\\", "{1}", "[\"\\u12\"]"] {
            let lines = Lines::of(text);
            assert_eq!(lines.at("/a"), (!text.is_empty()).then_some(1), "{text}");
        }
    }
}
