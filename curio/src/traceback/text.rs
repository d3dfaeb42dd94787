//! From the text of a backtrace to frames, and from frames to the text that is shown.

use std::backtrace::Backtrace;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use super::raw::Subject;
use super::{Frame, Stack};
use crate::name::without_closures;
use crate::state::State;

/// Crates whose frames are plumbing: nobody is there of his own accord.
const PLUMBING: [&str; 9] = [
    "std",
    "core",
    "alloc",
    "curio",
    "futures_util",
    "futures_core",
    "futures_channel",
    "futures_io",
    "futures_sink",
];

/// The same by the paths of their files, for frames whose names say too little.
const PLUMBING_FILES: [&str; 7] = [
    "/rustc/",
    "/rustlib/src/rust/",
    "/futures-util-",
    "/futures-core-",
    "/futures-channel-",
    "/futures-io-",
    "/futures-sink-",
];

// ---- Reading

/// The frames below `outermost`, the most recent last.
pub(super) fn frames(backtrace: &Backtrace) -> Vec<Frame> {
    read_all(&format!("{backtrace:?}"))
}

fn read_all(text: &str) -> Vec<Frame> {
    let mut frames = Vec::new();
    for entry in text.split("{ fn: ").skip(1) {
        let (function, file, line) = read(entry);
        if is_outermost(function, file.as_deref()) {
            break;
        }
        frames.push(frame(function, file, line));
    }
    // Those of the recorder itself are of interest to nobody.
    let own = frames
        .iter()
        .rposition(|frame| is_of_the_recorder(&frame.function));
    frames.drain(..own.map_or(0, |own| own + 1));
    frames.reverse();
    frames
}

/// Whether what follows was called only to record the stack.
fn is_of_the_recorder(function: &str) -> bool {
    function.contains("traceback::raw::Rec")
        || function.contains("traceback::raw::Raw")
        || function.contains("clone_noticed")
}

/// A frame as it is shown.
pub(super) fn frame(function: &str, file: Option<String>, line: Option<u32>) -> Frame {
    let hidden = is_hidden(function, file.as_deref());
    Frame::new(without_closures(function).to_string(), file, line, hidden)
}

/// Whether the task is polled from here: by us, if it was looked at, or by the kernel. (With line tables only, names have
/// no paths.)
pub(super) fn is_outermost(function: &str, file: Option<&str>) -> bool {
    function.contains("traceback::raw::outermost")
        || function.contains("curio::kernel::Kernel>::run_")
        || function.contains("curio::kernel::Kernel::run_")
        || function.contains("curio::cell::whole::Whole<")
        || ["outermost", "run_main", "run_tasks", "run_batch", "run"]
            .iter()
            .any(|name| {
                let rest = function.strip_prefix(name);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('<')) && file.is_some_and(is_ours)
            })
}

/// Reads `"function", file: "path", line: 7 }, `; the file and the line may be missing.
fn read(entry: &str) -> (&str, Option<String>, Option<u32>) {
    let entry = entry.rsplit_once(" }").map_or(entry, |(entry, _)| entry);
    let (entry, line) = match entry.rsplit_once(", line: ") {
        Some((before, line)) => (before, line.parse().ok()),
        None => (entry, None),
    };
    let (function, file) = match entry.rsplit_once(", file: ") {
        Some((before, file)) => (before, Some(unescape(file))),
        None => (entry, None),
    };
    (function.trim_matches('"'), file, line)
}

/// What `{:?}` of a path was made from. A path below the current directory was shortened.
fn unescape(file: &str) -> String {
    let file = file.trim_matches('"');
    let file = file
        .replace("\\\\", "\\")
        .replace("\\\"", "\"")
        .replace("\\'", "'");
    match (file.strip_prefix("./"), std::env::current_dir()) {
        (Some(below), Ok(here)) => here.join(below).display().to_string(),
        _ => file,
    }
}

/// The crate that a function is of: of the type whose method it is, or of the trait, if the type is of no crate. None if
/// the name has no path.
fn crate_of(function: &str) -> Option<&str> {
    let of_trait = || first_of_path(function.strip_prefix('<')?.split_once(" as ")?.1);
    first_of_path(function).or_else(of_trait)
}

fn first_of_path(mut path: &str) -> Option<&str> {
    loop {
        let mut less = path.trim_start_matches(['<', '&', '*', '(', '[', ' ']);
        for word in ["mut ", "dyn ", "const ", "impl ", "_<"] {
            less = less.strip_prefix(word).unwrap_or(less);
        }
        if less.len() == path.len() {
            break;
        }
        path = less;
    }
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    // In the other manner of mangling a crate has a number: `core[1234]::..`.
    let rest = path[end..].trim_start_matches(|c: char| c == '[' || c == ']' || c.is_ascii_hexdigit());
    (end > 0 && rest.starts_with("::")).then(|| &path[..end])
}

fn is_hidden(function: &str, file: Option<&str>) -> bool {
    match crate_of(function) {
        Some(name) if PLUMBING.contains(&name) => true,
        // The user's own, or that of a macro of another crate, expanded there.
        Some(name) => file.is_some_and(|file| {
            is_plumbing_file(file) || crate_dir(file).is_some_and(|dir| dir.replace('-', "_") != name)
        }),
        None => file.is_none_or(|file| is_plumbing_file(file) || !file.ends_with(".rs")),
    }
}

pub(super) fn is_plumbing_file(file: &str) -> bool {
    PLUMBING_FILES.iter().any(|part| file.contains(part)) || is_ours(file)
}

/// Whether the file is one of this library.
fn is_ours(file: &str) -> bool {
    let here = file!().trim_end_matches("traceback/text.rs");
    match file.strip_suffix(
        Path::new(file)
            .file_name()
            .map_or("", |name| name.to_str().unwrap_or("")),
    ) {
        Some(dir) => dir.starts_with(here) || dir.contains(&format!("/{here}")),
        None => false,
    }
}

/// The name of the crate that a file of cargo's registry is of: `tokio` for `../registry/src/../tokio-1.2.3/src/lib.rs`.
fn crate_dir(file: &str) -> Option<&str> {
    let (_, inside) = file.split_once("/registry/src/")?;
    let dir = inside.split('/').nth(1)?;
    let (name, _version) = dir
        .rsplit_once('-')
        .filter(|(_, v)| v.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(name)
}

/// Whether the innermost frame, but for those of the standard library, is one of ours.
pub(super) fn is_of_this_library(frames: &[Frame]) -> bool {
    let of_std = |frame: &&Frame| matches!(crate_of(&frame.function), Some("std" | "core" | "alloc"));
    let innermost = frames.iter().rev().find(|frame| !of_std(frame));
    innermost.is_some_and(|frame| match crate_of(&frame.function) {
        Some(name) => name == "curio",
        None => frame.file.as_deref().is_some_and(is_ours),
    })
}

// ---- Showing

/// The lines of source files, as far as they can be read.
#[derive(Default)]
struct Sources(HashMap<String, Vec<String>>);

impl Sources {
    fn lines(&mut self, file: &str) -> &[String] {
        self.0.entry(file.to_string()).or_insert_with(|| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            text.lines().map(str::to_string).collect()
        })
    }

    fn line(&mut self, file: &str, line: u32) -> Option<&str> {
        let text = self.lines(file).get(line.checked_sub(1)? as usize)?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// The function around a line, for a frame whose name was not kept: the last one that begins before.
    fn function(&mut self, file: &str, line: u32) -> Option<String> {
        let lines = self.lines(file);
        let before = &lines[..lines.len().min(line as usize)];
        before.iter().rev().find_map(|text| {
            let (before, after) = text.split_once("fn ")?;
            let is_head = before.split_whitespace().all(|word| {
                word.starts_with("pub") || matches!(word, "async" | "unsafe" | "const" | "extern" | "\"C\"")
            });
            let end = after.find(|c: char| !c.is_alphanumeric() && c != '_')?;
            (is_head && end > 0).then(|| after[..end].to_string())
        })
    }
}

/// A path as it is easiest to find: from the current directory if it is below that.
fn shorten(file: &str) -> String {
    let here = std::env::current_dir().ok();
    let short = here
        .as_ref()
        .and_then(|here| Path::new(file).strip_prefix(here).ok());
    short.map_or(file.to_string(), |short| short.display().to_string())
}

/// Whether two paths name the same file, where both may be relative to some directory.
fn is_same(one: &str, other: &str) -> bool {
    Path::new(one).ends_with(other) || Path::new(other).ends_with(one)
}

/// A name as it is easiest to read: without its crate, which the file tells.
fn short_function(function: &str) -> &str {
    match function.split_once("::") {
        Some((first, rest)) if first.chars().all(|c| c.is_alphanumeric() || c == '_') => rest,
        _ => function,
    }
}

pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    subject: &Subject,
    stacks: &[Stack],
    all: bool,
) -> fmt::Result {
    if stacks.is_empty() {
        return write!(f, "No stack for {subject}");
    }
    write!(f, "Stack for {subject} (most recent call last):")?;
    let mut sources = Sources::default();
    let mut missing = false;
    let is_sampled = stacks.iter().any(|stack| stack.is_sampled());
    for (number, stack) in stacks.iter().enumerate() {
        if stacks.len() > 1 {
            let label = stack.label.map_or("", |label| label.as_str());
            write!(f, "\n {} of {}: {label}", number + 1, stacks.len())?;
        }
        missing |= !write_stack(f, stack, all, &mut sources)?;
    }
    let needed = match subject.state {
        _ if is_sampled && !cfg!(feature = "probe") => match missing {
            true => {
                "for all calls and their lines, build curio with the feature \"probe\", and with debug information: \
             debug = 1 in the profile, and not stripped"
            }
            false => "for all calls, build curio with the feature \"probe\"",
        },
        _ if !missing => return Ok(()),
        State::Ready => "it is about to run, and only where it waited is known",
        _ => {
            "for all calls and their lines, build with debug information: debug = 1 in the profile, and not stripped"
        }
    };
    write!(f, "\n  ({needed})")
}

/// Writes one stack. False if its frames, or their lines, are not known.
fn write_stack(
    f: &mut fmt::Formatter<'_>,
    stack: &Stack,
    all: bool,
    sources: &mut Sources,
) -> Result<bool, fmt::Error> {
    let mut complete = false;
    let mut at_place = false;
    for frame in stack.frames.iter().filter(|frame| all || !frame.hidden) {
        let Some((file, line)) = frame.file.as_deref().zip(frame.line) else {
            write!(f, "\n  In {}", short_function(&frame.function))?;
            continue;
        };
        complete |= !frame.hidden;
        at_place |= stack
            .place
            .is_some_and(|place| place.line() == line && is_same(file, place.file()));
        let guessed = match crate_of(&frame.function) {
            None if !frame.hidden => sources.function(file, line),
            _ => None,
        };
        let function = guessed.as_deref().unwrap_or(short_function(&frame.function));
        write!(f, "\n  File \"{}\", line {line}, in {function}", shorten(file))?;
        if !frame.hidden
            && let Some(text) = sources.line(file, line)
        {
            write!(f, "\n    {text}")?;
        }
    }
    if let Some(place) = stack.place
        && !at_place
    {
        let label = stack.label.map_or("RUNNING", |label| label.as_str());
        write!(
            f,
            "\n  File \"{}\", line {}: {label}",
            shorten(place.file()),
            place.line()
        )?;
        if let Some(text) = sources.line(place.file(), place.line()) {
            write!(f, "\n    {text}")?;
        }
    }
    Ok(complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_whatever_is_missing() {
        let text = concat!(
            r#"Backtrace [{ fn: "curio::traceback::raw::Recorder::waits", file: "/x/raw.rs", line: 1 }, "#,
            r#"{ fn: "hello::kid::{{closure}}", file: "/x/a \"b\", line: 3.rs", line: 8 }, "#,
            r#"{ fn: "hello::parent::{closure#0}" }, { fn: <unknown> }, "#,
            r#"{ fn: "curio::traceback::raw::outermost::<u32>" }, { fn: "main" }]"#
        );
        let frames = read_all(text);
        let names: Vec<_> = frames.iter().map(|frame| frame.function.as_str()).collect();
        assert_eq!(names, ["<unknown>", "hello::parent", "hello::kid"]);
        assert_eq!(frames[2].line, Some(8));
        assert_eq!(frames[2].file.as_deref(), Some(r#"/x/a "b", line: 3.rs"#));
        assert!(read_all("nonsense { fn: ").len() <= 1);
    }

    #[test]
    fn the_crate_is_that_of_the_type_or_the_trait() {
        for (function, name) in [
            ("hello::kid::{{closure}}", Some("hello")),
            ("<hello::Kid as core::future::Future>::poll", Some("hello")),
            ("<&mut hello::Kid as core::future::Future>::poll", Some("hello")),
            ("<F as shop::Service>::call", Some("shop")),
            (
                "<core::pin::Pin<&mut hello::Kid> as core::future::Future>::poll",
                Some("core"),
            ),
            ("core[af12]::ops::function::FnOnce::call_once", Some("core")),
            ("{async_fn#0}", None),
            ("main", None),
            ("poll<<a::B as c::D>::E>", None),
        ] {
            assert_eq!(crate_of(function), name, "{function}");
        }
    }

    #[test]
    fn what_is_not_the_users_is_hidden() {
        let registry = "/home/u/.cargo/registry/src/index-1/tokio-1.2.3/src/macros/select.rs";
        for (function, file, hidden) in [
            ("hello::kid", None, false),
            ("curio::time::Sleep::poll", None, true),
            ("curiosity::kid", None, false),
            ("hello::kid::{{closure}}", Some(registry), true),
            ("tokio::sync::x", Some(registry), false),
            ("poll", Some("/rustc/1234/library/core/src/pin.rs"), true),
            ("{async_fn#0}", Some("/home/u/hello/src/main.rs"), false),
            ("{async_fn#0}", Some(file!()), true),
            ("__libc_start_main", Some("../csu/libc-start.c"), true),
        ] {
            assert_eq!(is_hidden(function, file), hidden, "{function} {file:?}");
        }
    }
}
