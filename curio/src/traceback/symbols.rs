//! What is at an address.
//!
//! With the feature `probe`: functions, also those that were inlined, and lines. Without it, the functions that the
//! program's own table of symbols names, and the lines that its line tables have: of the user's code that was inlined, that is
//! the line in the innermost function and the name of the outermost.

use super::{Frame, text};

/// A function, and a line, as far as they are known.
#[cfg(not(feature = "probe"))]
type Known = (Option<String>, Option<super::lines::Line>);

/// The stacks of these samples, the most recent call first.
#[cfg(feature = "probe")]
pub(super) fn stacks(samples: &[Vec<u64>]) -> Vec<Vec<Frame>> {
    samples.iter().map(|addresses| frames(addresses)).collect()
}

#[cfg(feature = "probe")]
fn frames(addresses: &[u64]) -> Vec<Frame> {
    let mut frames = Vec::new();
    for &address in addresses {
        let mut outermost = false;
        let at = std::ptr::without_provenance_mut(address as usize);
        backtrace::resolve(at, |symbol| {
            let name = symbol.name().map(|name| format!("{name:#}"));
            let name = name.unwrap_or_else(|| format!("{address:#x}"));
            outermost |= text::is_outermost(&name, symbol.filename().and_then(|file| file.to_str()));
            if !outermost {
                let file = symbol.filename().map(|file| file.display().to_string());
                frames.push(text::frame(&name, file, symbol.lineno()));
            }
        });
        if outermost {
            break;
        }
    }
    frames
}

/// The stacks of these samples, the most recent call first. The files are read once for all of them.
#[cfg(not(feature = "probe"))]
pub(super) fn stacks(samples: &[Vec<u64>]) -> Vec<Vec<Frame>> {
    let addresses = samples.concat();
    let known = known(&addresses);
    let mut rest = addresses.iter().copied().zip(known);
    let stack = |addresses: &Vec<u64>| frames(rest.by_ref().take(addresses.len()));
    samples.iter().map(stack).collect()
}

/// The functions and lines at these addresses.
#[cfg(not(feature = "probe"))]
fn known(addresses: &[u64]) -> Vec<Known> {
    let modules = super::modules::all();
    let mut known = vec![(None, None); addresses.len()];
    for module in &modules {
        let inside = |n: &usize| module.contains(addresses[*n]);
        let wanted: Vec<usize> = (0..addresses.len()).filter(inside).collect();
        if wanted.is_empty() {
            continue;
        }
        let Ok(bytes) = std::fs::read(&module.path) else {
            continue;
        };
        let file = super::elf::File(&bytes);
        let Some(base) = file.base() else { continue };
        let at: Vec<u64> = wanted
            .iter()
            .map(|n| addresses[*n] - module.start + base)
            .collect();
        let lines = super::lines::find(&file, &at, |path| {
            !text::is_plumbing_file(path) && !path.starts_with("library/")
        });
        for ((n, at), line) in wanted.into_iter().zip(at).zip(lines) {
            known[n] = (file.function(at), line);
        }
    }
    known
}

#[cfg(not(feature = "probe"))]
fn frames(known: impl Iterator<Item = (u64, Known)>) -> Vec<Frame> {
    let mut frames = Vec::new();
    // All are taken: the next ones are of the next stack.
    let mut outermost = false;
    for (address, (name, line)) in known {
        let name = name.unwrap_or_else(|| format!("{address:#x}"));
        let (file, line) = line.unzip();
        outermost |= text::is_outermost(&name, file.as_deref());
        if !outermost {
            frames.push(text::frame(&name, file, line));
        }
    }
    frames
}
