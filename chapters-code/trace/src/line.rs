//! Lines of JSON, written by hand: all that a trace needs, and no dependency.

use std::fmt::Write;

/// An object on a line of its own. The fields keep the order in which they are added.
pub(crate) struct Line(String);

impl Line {
    pub(crate) fn new() -> Line {
        Line(String::from("{"))
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        // Keys are ours, and need no escapes.
        let _ = write!(self.0, "\"{key}\":");
    }

    /// A text, or `null`.
    pub(crate) fn text<'a>(mut self, key: &str, text: impl Into<Option<&'a str>>) -> Line {
        self.key(key);
        match text.into() {
            Some(text) => quote(&mut self.0, text),
            None => self.0.push_str("null"),
        }
        self
    }

    /// A number, or `null`.
    pub(crate) fn number(mut self, key: &str, number: impl Into<Option<u64>>) -> Line {
        self.key(key);
        let _ = match number.into() {
            Some(number) => write!(self.0, "{number}"),
            None => write!(self.0, "null"),
        };
        self
    }

    /// A truth value.
    pub(crate) fn truth(mut self, key: &str, value: bool) -> Line {
        self.key(key);
        let _ = write!(self.0, "{value}");
        self
    }

    /// The line, with its end.
    pub(crate) fn end(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }
}

/// Puts a text into quotes. Only quotes, backslashes and control characters must be escaped; the rest is UTF-8 as it is.
fn quote(into: &mut String, text: &str) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(into, "\\u{:04x}", c as u32);
            }
            c => into.push(c),
        }
    }
    into.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order() {
        let line = Line::new()
            .text("z", "last")
            .number("a", 1)
            .number("n", None)
            .text("t", None)
            .truth("b", true);
        assert_eq!(
            line.end(),
            "{\"z\":\"last\",\"a\":1,\"n\":null,\"t\":null,\"b\":true}\n"
        );
    }
}
