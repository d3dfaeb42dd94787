//! Leaves out what tells the compiler something, and a reader little.

use std::ops::Range;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::line_start;

/// Attributes that tell the compiler something, and a reader little: not shown unless asked for.
const QUIET_ATTRIBUTES: [&str; 13] = [
    "allow",
    "clippy",
    "cold",
    "deny",
    "diagnostic",
    "doc",
    "expect",
    "forbid",
    "inline",
    "must_use",
    "rustfmt",
    "track_caller",
    "warn",
];

/// The text without doc comments and without the attributes of [`QUIET_ATTRIBUTES`], at any depth.
pub(super) fn without_quiet_attributes(text: &str) -> String {
    // The text was cut from a file that parsed, so it has tokens.
    let Ok(tokens) = text.parse::<TokenStream>() else {
        return text.to_owned();
    };
    let mut quiet = Vec::new();
    collect_quiet_attributes(tokens, &mut quiet);
    let mut shown = String::new();
    let mut position = 0;
    for range in quiet {
        let range = with_its_space(text, range);
        // Two attributes on one line: the first has taken the line's white space with it.
        if range.start > position {
            shown.push_str(&text[position..range.start]);
        }
        position = position.max(range.end);
    }
    shown.push_str(&text[position..]);
    shown
}

fn collect_quiet_attributes(tokens: TokenStream, found: &mut Vec<Range<usize>>) {
    let mut start = None;
    for token in tokens {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                start = Some(mark.span().byte_range().start);
            }
            // `#![...]`
            TokenTree::Punct(mark) if mark.as_char() == '!' => {}
            TokenTree::Group(group) => {
                let name = match group.stream().into_iter().next() {
                    Some(TokenTree::Ident(name)) => name.to_string(),
                    _ => String::new(),
                };
                let quiet = QUIET_ATTRIBUTES.contains(&name.as_str());
                match start.take() {
                    Some(start) if group.delimiter() == Delimiter::Bracket && quiet => {
                        found.push(start..group.span().byte_range().end);
                    }
                    _ => collect_quiet_attributes(group.stream(), found),
                }
            }
            _ => start = None,
        }
    }
}

/// An attribute's range with the white space that would otherwise be left over: the whole line if
/// nothing else is on it.
fn with_its_space(text: &str, range: Range<usize>) -> Range<usize> {
    let start = line_start(text, range.start);
    let alone_before = text[start..range.start].trim().is_empty();
    let rest = &text[range.end..];
    let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    match rest[spaces..].strip_prefix('\n') {
        Some(_) if alone_before => start..range.end + spaces + 1,
        _ => range.start..range.end + spaces,
    }
}
