//! The one argument of what meets at a path.

#[path = "arguments.rs"]
mod arguments;

/// The path that the arguments name, or else one that server and client agree upon.
pub(crate) fn read(help: &str) -> String {
    arguments::read(help, |given| match given {
        [] => Some("/tmp/curio-echo".to_string()),
        [path] if !path.starts_with('-') => Some((*path).to_string()),
        _ => None,
    })
}
