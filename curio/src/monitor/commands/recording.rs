//! `trace on`, `trace off`: what happens, into a file.

use std::fs::OpenOptions;
use std::io::BufWriter;

use super::silence;
use crate::monitor::server::Core;
use crate::monitor::show;

/// Begins. There is one recording at a time.
pub(super) fn begin(core: &mut Core, file: &str) -> String {
    if core.records {
        return "A recording is under way. `trace off` ends it.\n".to_string();
    }
    // Nothing is ever overwritten.
    let opened = OpenOptions::new().write(true).create_new(true).open(file);
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return format!("{}: {error}\n", show::clean(file)),
    };
    core.records = true;
    core.mirror
        .tell(move |context| context.start_recording(BufWriter::new(opened)));
    let path = std::path::absolute(file).unwrap_or_else(|_| file.into());
    let shown = format!("Recording to {}\n", show::clean(&path.to_string_lossy()));
    with_patience(core, shown)
}

pub(super) fn end(core: &mut Core) -> String {
    if !std::mem::take(&mut core.records) {
        return "There is no recording under way.\n".to_string();
    }
    core.mirror.tell(|context| context.end_recording());
    with_patience(core, "The recording has ended.\n".to_string())
}

/// What was said to the kernel, it may hear later.
fn with_patience(core: &mut Core, shown: String) -> String {
    match core.ask(|_, answer| answer.give(())) {
        Ok(()) => shown,
        Err(why) => format!("{shown}{}", silence(core, why)),
    }
}
