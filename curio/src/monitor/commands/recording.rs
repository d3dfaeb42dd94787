//! `trace on`, `trace off`: what happens, into a file.
//!
//! The kernel writes it, and says in the program's own log when that goes wrong. Who has asked for it does not see that: so
//! the file notes its first error, which is told at the end.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, OnceLock};

use super::silence;
use crate::monitor::server::Core;
use crate::monitor::show;

/// A recording that is under way.
pub(in crate::monitor) struct Recording {
    fault: Arc<OnceLock<String>>,
}

/// Begins. There is one recording at a time.
pub(super) fn begin(core: &mut Core, file: &str) -> String {
    if core.recording.is_some() {
        return "A recording is under way. `trace off` ends it.\n".to_string();
    }
    // Nothing is ever overwritten.
    let opened = OpenOptions::new().write(true).create_new(true).open(file);
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return format!("{}: {error}\n", show::clean(file)),
    };
    let fault = Arc::new(OnceLock::new());
    let file_of_kernel = Noting(opened, fault.clone());
    core.recording = Some(Recording { fault });
    core.mirror
        .tell(move |context| context.start_recording(BufWriter::new(file_of_kernel)));
    let path = std::path::absolute(file).unwrap_or_else(|_| file.into());
    let shown = format!("Recording to {}\n", show::clean(&path.to_string_lossy()));
    with_patience(core, shown)
}

pub(super) fn end(core: &mut Core) -> String {
    let Some(recording) = core.recording.take() else {
        return "There is no recording under way.\n".to_string();
    };
    core.mirror.tell(|context| context.end_recording());
    let shown = with_patience(core, "The recording has ended.\n".to_string());
    match recording.fault.get() {
        Some(fault) => format!("{shown}Something is missing from it: {fault}\n"),
        None => shown,
    }
}

/// What was said to the kernel, it may hear later.
fn with_patience(core: &mut Core, shown: String) -> String {
    match core.ask(|_, answer| answer.give(())) {
        Ok(()) => shown,
        Err(why) => format!("{shown}{}", silence(core, why)),
    }
}

/// A file that notes its first error.
struct Noting(File, Arc<OnceLock<String>>);

impl Write for Noting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                let _ = self.1.set(error.to_string());
            }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
