//! The exercises of the book.
