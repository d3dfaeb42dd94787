//! Builds and serves the book.
pub mod builder;
pub mod http;
pub mod links;
pub mod listings;
pub mod names;
pub mod percent;
pub mod problem;
pub mod server;
pub mod site;
pub mod source;
pub mod warnings;
pub mod workspace;
