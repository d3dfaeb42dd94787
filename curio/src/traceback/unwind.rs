//! From the bytes of a stack to the addresses of its calls.
//!
//! With the feature `probe`, by the unwind information that every program has. Without it, by frame pointers, as far as
//! there are any: usually there is the function that runs, and its callers only in programs that were built with
//! `-C force-frame-pointers=yes`.

use super::running::Sample;

/// No stack is deeper.
const MAX_FRAMES: usize = 256;

/// An address inside of each call, the most recent first.
pub(super) fn addresses(sample: &Sample) -> Vec<u64> {
    #[cfg(feature = "probe")]
    let addresses = dwarf::addresses(sample);
    #[cfg(not(feature = "probe"))]
    let addresses = by_frame_pointers(sample);
    addresses
}

#[cfg_attr(feature = "probe", allow(dead_code))]
fn by_frame_pointers(sample: &Sample) -> Vec<u64> {
    let modules = super::modules::all();
    let mut addresses = vec![sample.pc];
    let mut at = sample.fp;
    while addresses.len() < MAX_FRAMES
        && at.is_multiple_of(8)
        && let (Some(next), Some(back)) = (sample.word(at), sample.word(at.wrapping_add(8)))
        && modules.iter().any(|module| module.contains(back))
    {
        addresses.push(back - 1);
        if next <= at {
            break;
        }
        at = next;
    }
    addresses
}

#[cfg(feature = "probe")]
mod dwarf {
    use std::sync::{Mutex, PoisonError};

    use framehop::{ExplicitModuleSectionInfo, Module, Unwinder};
    use object::{Object, ObjectSection};

    use super::{MAX_FRAMES, Sample};
    use crate::traceback::modules;

    #[cfg(target_arch = "aarch64")]
    use framehop::aarch64::{CacheAarch64 as Cache, UnwindRegsAarch64 as Registers, UnwinderAarch64};
    #[cfg(target_arch = "x86_64")]
    use framehop::x86_64::{CacheX86_64 as Cache, UnwindRegsX86_64 as Registers, UnwinderX86_64};

    #[cfg(target_arch = "aarch64")]
    type Machine = UnwinderAarch64<Vec<u8>>;
    #[cfg(target_arch = "x86_64")]
    type Machine = UnwinderX86_64<Vec<u8>>;

    /// What was loaded when it was first needed: that takes some milliseconds.
    static LOADED: Mutex<Option<(Machine, Cache)>> = Mutex::new(None);

    pub(super) fn addresses(sample: &Sample) -> Vec<u64> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let (unwinder, cache) = loaded.get_or_insert_with(|| (load(), Cache::new()));
        #[cfg(target_arch = "aarch64")]
        let registers = Registers::new(sample.lr, sample.sp, sample.fp);
        #[cfg(target_arch = "x86_64")]
        let registers = Registers::new(sample.pc, sample.sp, sample.fp);
        let mut read = |address| sample.word(address).ok_or(());
        let mut frames = unwinder.iter_frames(sample.pc, registers, cache, &mut read);
        let mut addresses = Vec::new();
        while addresses.len() < MAX_FRAMES
            && let Ok(Some(frame)) = frames.next()
        {
            addresses.push(frame.address_for_lookup());
        }
        addresses
    }

    fn load() -> Machine {
        let mut unwinder = Machine::new();
        for module in modules::all() {
            if let Some(module) = sections(&module) {
                unwinder.add_module(module);
            }
        }
        unwinder
    }

    fn sections(module: &modules::Loaded) -> Option<Module<Vec<u8>>> {
        let bytes = std::fs::read(&module.path).ok()?;
        let file = object::File::parse(&*bytes).ok()?;
        let range = |name| {
            let section = file.section_by_name(name)?;
            Some(section.address()..section.address() + section.size())
        };
        let data = |name| Some(file.section_by_name(name)?.data().ok()?.to_vec());
        let base = file.relative_address_base();
        let info = ExplicitModuleSectionInfo {
            base_svma: base,
            text_svma: range(".text"),
            text: data(".text"),
            got_svma: range(".got"),
            eh_frame_svma: range(".eh_frame"),
            eh_frame: data(".eh_frame"),
            eh_frame_hdr_svma: range(".eh_frame_hdr"),
            eh_frame_hdr: data(".eh_frame_hdr"),
            ..Default::default()
        };
        let name = module.path.clone();
        Some(Module::new(name, module.start..module.end, module.start, info))
    }
}
