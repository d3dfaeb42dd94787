//! The one argument of a server.

#[path = "arguments.rs"]
mod arguments;

/// The address that the arguments name, or else port 25000 on all interfaces.
pub(crate) fn read(help: &str) -> String {
    arguments::read(help, |given| match given {
        [] => Some(":25000".to_string()),
        [address] if !address.starts_with('-') => Some((*address).to_string()),
        _ => None,
    })
}
