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
    let path = without_closures(type_name);
    path.rsplit("::").next().unwrap_or(path)
}

/// Without what the compiler has added: `shop::serve` for `shop::serve::<u32>::{{closure}}::{{closure}}`.
pub(crate) fn without_closures(function: &str) -> &str {
    let mut name = function;
    loop {
        let closure = name
            .rsplit_once("::")
            .filter(|(outer, last)| last.starts_with('{') && !outer.is_empty());
        name = match (generics(name), closure) {
            (Some(at), _) => &name[..at],
            (None, Some((outer, _))) => outer,
            (None, None) => return name,
        };
    }
}

/// Where the arguments `::<..>` or `<..>` at the end of a name begin. None if all the name is in brackets.
fn generics(name: &str) -> Option<usize> {
    if !name.ends_with('>') {
        return None;
    }
    let mut depth = 0;
    for (at, c) in name.char_indices().rev() {
        match c {
            '>' if !name[..at].ends_with('-') => depth += 1,
            '<' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let before = &name[..at];
            return Some(before.strip_suffix("::").unwrap_or(before).len()).filter(|&len| len > 0);
        }
    }
    None
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
        // Of a method of a trait, of one of a generic type, and of a generic function.
        assert_eq!(
            short_name("<a::Echo as b::Handler>::handle::{{closure}}"),
            "handle"
        );
        assert_eq!(short_name("a::Server<b::C<d::E>>::serve::{{closure}}"), "serve");
        assert_eq!(short_name("a::kid<b::main::{{closure}}>::{{closure}}"), "kid");
    }

    #[test]
    fn names_are_those_of_the_source() {
        for (function, name) in [
            ("hello::kid::{{closure}}::{{closure}}", "hello::kid"),
            (
                "hello::kid::<u32, (a::B<c>, fn() -> d)>::{closure#0}",
                "hello::kid",
            ),
            ("<a::B<c> as d::E>::call::{{closure}}", "<a::B<c> as d::E>::call"),
            ("<a::B<c>>", "<a::B<c>>"),
            ("poll<a::b::{async_fn_env#0}, <c as d>::E>", "poll"),
            ("{closure#0}<a::b>", "{closure#0}"),
            ("{async_fn#0}", "{async_fn#0}"),
        ] {
            assert_eq!(without_closures(function), name, "{function}");
        }
    }
}
