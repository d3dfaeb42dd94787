//! The one argument of two programs that meet at an address.

#[path = "arguments.rs"]
mod arguments;

/// The address that the arguments name, or else one that both agree upon.
pub(crate) fn read(help: &str) -> String {
    arguments::read(help, |given| match given {
        [] => Some("127.0.0.1:30000".to_string()),
        [address] if !address.starts_with('-') => Some((*address).to_string()),
        _ => None,
    })
}
