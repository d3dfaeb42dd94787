//! What tasks are called.

use std::fmt;
use std::sync::Arc;

/// The name of a task: what the user said, or that of the function. Cut out of the type's name only when it is shown,
/// because most tasks end without ever being named.
#[derive(Clone)]
pub(crate) enum Name {
    Given(Arc<str>),
    OfType(&'static str),
}

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Name::Given(name) => name,
            Name::OfType(type_name) => short_name(type_name),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of the function that a future's type was made from: `kid` for `hello::kid::{{closure}}`.
pub(crate) fn short_name(type_name: &'static str) -> &'static str {
    let mut path = type_name;
    while let Some(outer) = path.strip_suffix("::{{closure}}") {
        path = outer;
    }
    let generics = path.find('<').unwrap_or(path.len());
    let path = &path[..generics];
    path.rsplit("::").next().unwrap_or(path)
}

/// A text without anything that a terminal would obey, on one line: a name may be made from what strangers have said.
pub(crate) fn clean(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_controls_a_terminal() {
        assert_eq!(
            clean("kid\u{1b}[2J\n\u{9b}7m"),
            "kid\u{fffd}[2J\u{fffd}\u{fffd}7m"
        );
    }

    #[test]
    fn names_are_those_of_the_functions() {
        assert_eq!(short_name("hello::kid::{{closure}}"), "kid");
        assert_eq!(short_name("hello::main::{{closure}}::{{closure}}"), "main");
        assert_eq!(short_name("curio::time::Sleep"), "Sleep");
        assert_eq!(short_name("a::Wrap<b::C<d::E>>"), "Wrap");
    }
}
