//! As much of the format ELF as it takes to name a function, and to find a section.
//!
//! Everything is checked: the file may be anything.

#![cfg_attr(feature = "probe", allow(dead_code))]

pub(super) struct File<'a>(pub(super) &'a [u8]);

const LOADED: u64 = 1;
const SYMBOLS: u64 = 2;
const FUNCTION: u64 = 2;
const COMPRESSED: u64 = 1 << 11;

impl File<'_> {
    /// A number of so many bytes.
    fn number(&self, at: u64, bytes: usize) -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let bytes = self.0.get(at..at.checked_add(bytes)?)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |number, &byte| number << 8 | u64::from(byte)),
        )
    }

    /// Where the entries of a table begin: the place of its address, its entry size and its count are given.
    fn table(&self, at: u64, size: u64, count: u64) -> Option<impl Iterator<Item = u64> + use<>> {
        let (at, size) = (self.number(at, 8)?, self.number(size, 2)?);
        let count = self.number(count, 2)?;
        Some((0..count).map(move |n| at.wrapping_add(n * size)))
    }

    /// The lowest address that the file asks for.
    pub(super) fn base(&self) -> Option<u64> {
        // 64 bits, the low byte first.
        if self.0.get(..6)? != b"\x7fELF\x02\x01" {
            return None;
        }
        let loaded = self
            .table(32, 54, 56)?
            .filter(|&at| self.number(at, 4) == Some(LOADED));
        Some(loaded.filter_map(|at| self.number(at + 16, 8)).min()? & !0xfff)
    }

    /// What is in the section with this name, if it is not compressed.
    pub(super) fn section(&self, name: &str) -> Option<&[u8]> {
        let names = self.table(40, 58, 60)?.nth(self.number(62, 2)? as usize)?;
        let names = self.number(names + 24, 8)?;
        let is_it = |at: &u64| {
            let text = self.number(*at, 4).and_then(|text| names.checked_add(text));
            text.and_then(|text| self.text(text)) == Some(name.as_bytes())
        };
        let found = self.table(40, 58, 60)?.find(is_it)?;
        if self.number(found + 8, 8)? & COMPRESSED != 0 {
            return None;
        }
        let start = usize::try_from(self.number(found + 24, 8)?).ok()?;
        let length = usize::try_from(self.number(found + 32, 8)?).ok()?;
        self.0.get(start..start.checked_add(length)?)
    }

    /// The bytes up to the next zero.
    fn text(&self, at: u64) -> Option<&[u8]> {
        let text = self.0.get(usize::try_from(at).ok()?..)?;
        Some(&text[..text.iter().position(|&byte| byte == 0)?])
    }

    /// The function at an address of the file.
    pub(super) fn function(&self, address: u64) -> Option<String> {
        let mut sections = self.table(40, 58, 60)?;
        let table = sections.find(|&at| self.number(at + 4, 4) == Some(SYMBOLS))?;
        let (start, length) = (self.number(table + 24, 8)?, self.number(table + 32, 8)?);
        let strings = self
            .table(40, 58, 60)?
            .nth(self.number(table + 40, 4)? as usize)?;
        let strings = self.number(strings + 24, 8)?;
        let length = length.min(self.0.len() as u64);
        let found = (0..length / 24).map(|n| start.wrapping_add(n * 24)).find(|&at| {
            self.number(at + 4, 1).is_some_and(|info| info & 15 == FUNCTION)
                && self
                    .number(at + 8, 8)
                    .zip(self.number(at + 16, 8))
                    .is_some_and(|(from, size)| (from..from.saturating_add(size)).contains(&address))
        })?;
        let name = self.text(strings.checked_add(self.number(found, 4)?)?)?;
        std::str::from_utf8(name).ok().map(demangle)
    }
}

/// `hello::kid` for `_ZN5hello3kid17h0123456789abcdefE`; what is mangled in another manner stays as it is.
pub(super) fn demangle(name: &str) -> String {
    plain(name).unwrap_or_else(|| name.to_string())
}

fn plain(name: &str) -> Option<String> {
    let mut rest = name.strip_prefix("_ZN")?;
    let mut parts = Vec::new();
    while !rest.starts_with('E') {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let length: usize = rest[..digits].parse().ok()?;
        let end = digits.checked_add(length)?;
        parts.push(rest.get(digits..end)?);
        rest = &rest[end..];
    }
    // The last is a hash.
    parts
        .pop()
        .filter(|last| last.len() == 17 && last.starts_with('h'))?;
    let mut plain = parts.join("::");
    for (escaped, meant) in [
        ("::_$", "::$"),
        ("$LT$", "<"),
        ("$GT$", ">"),
        ("$RF$", "&"),
        ("$BP$", "*"),
        ("$C$", ","),
        ("$u20$", " "),
        ("$u7b$", "{"),
        ("$u7d$", "}"),
        ("$u5b$", "["),
        ("$u5d$", "]"),
        ("$LP$", "("),
        ("$RP$", ")"),
        ("..", "::"),
    ] {
        plain = plain.replace(escaped, meant);
    }
    Some(
        plain
            .strip_prefix("_<")
            .map_or(plain.clone(), |rest| format!("<{rest}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_readable() {
        for (mangled, name) in [
            ("_ZN5hello3kid17h0123456789abcdefE", "hello::kid"),
            (
                "_ZN5hello3kid28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE",
                "hello::kid::{{closure}}",
            ),
            (
                "_ZN46_$LT$a..B$u20$as$u20$c..D$GT$3run17h0123456789abcdefE",
                "_ZN46_$LT$a..B$u20$as$u20$c..D$GT$3run17h0123456789abcdefE",
            ),
            (
                "_ZN29_$LT$a..B$u20$as$u20$c..D$GT$3run17h0123456789abcdefE",
                "<a::B as c::D>::run",
            ),
            ("main", "main"),
            ("_ZN99999999999999999999x", "_ZN99999999999999999999x"),
        ] {
            assert_eq!(demangle(mangled), name);
        }
    }

    #[test]
    fn this_function_is_found_and_nonsense_does_no_harm() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let here = this_function_is_found_and_nonsense_does_no_harm as fn() as usize as u64;
        let modules = crate::traceback::modules::all();
        let module = modules.iter().find(|module| module.contains(here)).unwrap();
        let file = File(&bytes);
        let name = file.function(here - module.start + file.base().unwrap()).unwrap();
        assert!(
            name.ends_with("this_function_is_found_and_nonsense_does_no_harm"),
            "{name}"
        );
        let mut random = 7_u64;
        for length in (0..3_000).step_by(7) {
            let mut part = bytes[..length].to_vec();
            for byte in part.iter_mut().skip(6).step_by(5) {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (random >> 56) as u8;
            }
            File(&part).base();
            File(&part).function(here);
            File(&part).section(".debug_line");
        }
    }
}
