//! Builds, checks and serves the book.
//!
//! A page goes through here in this order: its [`directives`] are taken apart, [`sources`] cuts out what they name (by
//! [`source`]'s paths, in [`workspace`]'s packages), [`figures`] writes it as Markdown, [`listings`] puts that into the
//! page, mdBook makes HTML of it ([`builder`]), and [`links`] follows every link.
pub mod builder;
pub mod check;
pub mod diff;
pub mod directives;
pub mod facts;
pub mod figures;
pub mod glossary;
pub mod hints;
pub mod http;
pub mod links;
pub mod listings;
pub mod markdown;
pub mod names;
pub mod pages;
pub mod percent;
pub mod player;
pub mod problem;
pub mod progress;
pub mod server;
pub mod site;
pub mod source;
pub mod sources;
pub mod stages;
pub mod start;
pub mod warnings;
pub mod workspace;
