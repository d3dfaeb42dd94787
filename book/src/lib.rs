//! Builds and serves the book.
