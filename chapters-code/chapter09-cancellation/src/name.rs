//! What tasks are called.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_functions() {
        assert_eq!(short_name("hello::kid::{{closure}}"), "kid");
        assert_eq!(short_name("hello::main::{{closure}}::{{closure}}"), "main");
        assert_eq!(short_name("curio::time::YieldNow"), "YieldNow");
        assert_eq!(short_name("a::Wrap<b::C<d::E>>"), "Wrap");
    }
}
