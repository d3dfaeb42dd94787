//! How far an interrupted operation had got.

use std::fmt;

/// How far an interrupted operation had got.
///
/// Only operations of several steps make progress: `write_all` counts the bytes that the system took, `read_exact` those
/// already in the buffer. A single-step operation that was interrupted has had no effect.
///
/// ```
/// assert_eq!(curio::Progress::default().bytes(), 0);
/// ```
#[derive(Default)]
pub struct Progress(Option<Box<Made>>);

/// There only if it is not all empty, and in a box, because an error is to stay small (E1).
#[derive(Default)]
struct Made {
    bytes: usize,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Progress {
    /// The bytes that were transferred before the interruption. Where a child process is talked to: those that it was
    /// given.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |made| made.bytes)
    }

    /// What a child process had written to its standard output before the interruption (Python Curio: `e.stdout`), where its
    /// output was being collected.
    pub fn stdout(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |made| &made.stdout)
    }

    /// The same of its standard error (Python Curio: `e.stderr`).
    pub fn stderr(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |made| &made.stderr)
    }

    /// Whether nothing had been done.
    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn of_bytes(bytes: usize) -> Progress {
        Progress::new(bytes, Vec::new(), Vec::new())
    }

    pub(crate) fn new(bytes: usize, stdout: Vec<u8>, stderr: Vec<u8>) -> Progress {
        let none = bytes == 0 && stdout.is_empty() && stderr.is_empty();
        Progress((!none).then(|| {
            Box::new(Made {
                bytes,
                stdout,
                stderr,
            })
        }))
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Progress({} bytes", self.bytes())?;
        match self.stdout().len() + self.stderr().len() {
            0 => write!(f, ")"),
            n => write!(f, ", {n} bytes of output)"),
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n| if n == 1 { "" } else { "s" };
        match (self.bytes(), self.stdout().len() + self.stderr().len()) {
            (0, 0) => Ok(()),
            (n, 0) => write!(f, " (after {n} byte{})", plural(n)),
            (0, out) => write!(f, " (after {out} byte{} of output)", plural(out)),
            (n, out) => write!(f, " (after {n} byte{} in, {out} out)", plural(n)),
        }
    }
}
