//! Which line of which file is at an address: as much of the format DWARF (2 to 5) as that takes.
//!
//! The line tables of a program are little programs themselves, one for each unit that was compiled. Each says in steps which
//! line begins at which address; so to find a line, all are run through, once for all addresses that are asked for. (That
//! takes some milliseconds for ten megabytes of debug information. The table that says which unit has which address was
//! rejected: not every compiler writes it.)
//!
//! Everything is checked: the file may be anything. A unit that is not understood is passed over.

#![cfg_attr(feature = "probe", allow(dead_code))]

use super::elf::File;

/// A file and a line.
pub(super) type Line = (String, u32);

/// The lines at these addresses, as far as they are known. Where code of a file was inlined that is not `own`, it is the last own
/// line before that in the same function: usually that of the call.
pub(super) fn find(file: &File<'_>, addresses: &[u64], own: fn(&str) -> bool) -> Vec<Option<Line>> {
    let mut search = Search::new(addresses, own);
    let sections = Sections {
        lines: file.section(".debug_line").unwrap_or(&[]),
        strings: file.section(".debug_str").unwrap_or(&[]),
        line_strings: file.section(".debug_line_str").unwrap_or(&[]),
    };
    let mut rest = Cursor::new(sections.lines);
    while let Some((unit, wide)) = rest.unit() {
        let _ = search.unit(unit, wide, &sections);
    }
    search.found
}

struct Sections<'a> {
    lines: &'a [u8],
    strings: &'a [u8],
    line_strings: &'a [u8],
}

struct Search<'a> {
    addresses: &'a [u64],
    /// By address.
    sorted: Vec<usize>,
    lowest: u64,
    highest: u64,
    is_own: fn(&str) -> bool,
    found: Vec<Option<Line>>,
}

/// What begins at an address.
#[derive(Clone, Copy)]
struct Row {
    address: u64,
    file: u64,
    line: i64,
}

impl<'a> Search<'a> {
    fn new(addresses: &'a [u64], is_own: fn(&str) -> bool) -> Search<'a> {
        let mut sorted: Vec<usize> = (0..addresses.len()).collect();
        sorted.sort_unstable_by_key(|n| addresses[*n]);
        Search {
            addresses,
            lowest: sorted.first().map_or(0, |n| addresses[*n]),
            highest: sorted.last().map_or(0, |n| addresses[*n]),
            sorted,
            is_own,
            found: vec![None; addresses.len()],
        }
    }

    /// Runs through the table of a unit. None if it is not understood, or was damaged.
    fn unit(&mut self, mut unit: Cursor<'_>, wide: bool, sections: &Sections<'_>) -> Option<()> {
        let version = unit.number(2)?;
        if !(2..=5).contains(&version) {
            return None;
        }
        if version >= 5 {
            unit.skip(2)?;
        }
        let header = unit.number(if wide { 8 } else { 4 })?;
        let mut program = unit.clone();
        program.skip(header)?;
        let step = unit.number(1)?;
        if version >= 4 {
            unit.skip(1)?;
        }
        unit.skip(1)?;
        let base = unit.number(1)? as u8 as i8;
        let range = unit.number(1).filter(|range| *range > 0)?;
        let first = unit.byte()?;
        let operands = unit.bytes(u64::from(first.saturating_sub(1)))?;
        let files = match version {
            5.. => Files::read(&mut unit, wide, sections)?,
            _ => Files::read_old(&mut unit)?,
        };

        let start = Row {
            address: 0,
            file: 1,
            line: 1,
        };
        let own = files.which(self.is_own);
        let (mut row, mut last): (Row, Option<Row>) = (start, None);
        // The last own one of this function: each has a sequence of rows to itself.
        let mut last_own = None;
        while let Some(code) = program.byte() {
            let mut is_row = false;
            match code {
                special if special >= first => {
                    let by = u64::from(special - first);
                    row.address = row.address.wrapping_add((by / range).wrapping_mul(step));
                    row.line = row.line.wrapping_add(i64::from(base) + (by % range) as i64);
                    is_row = true;
                }
                0 => {
                    let length = program.unsigned()?;
                    let mut extended = Cursor::new(program.bytes(length)?);
                    match extended.number(1)? {
                        1 => {
                            self.note(last.take(), row.address, last_own.take(), &files);
                            row = start;
                        }
                        2 => row.address = extended.number(length.checked_sub(1)?)?,
                        _ => {}
                    }
                }
                1 => is_row = true,
                2 => {
                    let by = program.unsigned()?.wrapping_mul(step);
                    row.address = row.address.wrapping_add(by);
                }
                3 => row.line = row.line.wrapping_add(program.signed()?),
                4 => row.file = program.unsigned()?,
                8 => {
                    let by = u64::from(u8::MAX - first) / range;
                    row.address = row.address.wrapping_add(by.wrapping_mul(step));
                }
                9 => row.address = row.address.wrapping_add(program.number(2)?),
                // They say something else, in so many numbers.
                other => {
                    for _ in 0..*operands.get(usize::from(other) - 1)? {
                        program.unsigned()?;
                    }
                }
            }
            if is_row {
                if row.address > self.lowest {
                    self.note(last, row.address, last_own, &files);
                }
                last = Some(row);
                if row.line > 0 && usize::try_from(row.file).is_ok_and(|file| own.get(file) == Some(&true)) {
                    last_own = last;
                }
            }
        }
        Some(())
    }

    /// What began with this row ends at an address. This is the last own one.
    fn note(&mut self, row: Option<Row>, end: u64, own: Option<Row>, files: &Files) {
        let Some(row) = row.filter(|row| row.address <= self.highest) else {
            return;
        };
        let from = self.sorted.partition_point(|n| self.addresses[*n] < row.address);
        for at in from..self.sorted.len() {
            let n = self.sorted[at];
            if self.addresses[n] >= end {
                break;
            }
            self.found[n] = own.and_then(|own| Some((files.path(own.file)?, u32::try_from(own.line).ok()?)));
        }
    }
}

/// The files of a unit: names, and the numbers of their directories.
struct Files {
    directories: Vec<String>,
    names: Vec<(String, u64)>,
    /// The number of the first file. Where it is 1, so it is for directories: 0 is the one where the compiler ran.
    first: u64,
}

impl Files {
    /// As in the versions 2 to 4.
    fn read_old(unit: &mut Cursor<'_>) -> Option<Files> {
        let (mut directories, mut names) = (Vec::new(), Vec::new());
        loop {
            match unit.text()? {
                directory if directory.is_empty() => break,
                directory => directories.push(directory),
            }
        }
        loop {
            let name = unit.text()?;
            if name.is_empty() {
                break;
            }
            let directory = unit.unsigned()?;
            let (_time, _length) = (unit.unsigned()?, unit.unsigned()?);
            names.push((name, directory));
        }
        Some(Files {
            directories,
            names,
            first: 1,
        })
    }

    fn read(unit: &mut Cursor<'_>, wide: bool, sections: &Sections<'_>) -> Option<Files> {
        let directories = Files::entries(unit, wide, sections)?;
        let names = Files::entries(unit, wide, sections)?;
        Some(Files {
            directories: directories.into_iter().map(|(name, _)| name).collect(),
            names,
            first: 0,
        })
    }

    /// A table that says by itself of what its entries consist.
    fn entries(unit: &mut Cursor<'_>, wide: bool, sections: &Sections<'_>) -> Option<Vec<(String, u64)>> {
        const PATH: u64 = 1;
        const DIRECTORY: u64 = 2;
        let mut format = Vec::new();
        for _ in 0..unit.number(1)? {
            format.push((unit.unsigned()?, unit.unsigned()?));
        }
        let offset = if wide { 8 } else { 4 };
        let mut entries = Vec::new();
        for _ in 0..unit.unsigned()? {
            let (mut name, mut directory) = (String::new(), 0);
            for (what, form) in &format {
                let (mut text, mut number) = (None, 0);
                match form {
                    0x08 => text = Some(unit.text()?),
                    0x0e => text = Some(Cursor::at(sections.strings, unit.number(offset)?)?.text()?),
                    0x1f => text = Some(Cursor::at(sections.line_strings, unit.number(offset)?)?.text()?),
                    0x0b => number = unit.number(1)?,
                    0x05 => number = unit.number(2)?,
                    0x06 => number = unit.number(4)?,
                    0x07 => number = unit.number(8)?,
                    0x0f => number = unit.unsigned()?,
                    0x1e => unit.skip(16)?,
                    0x09 => {
                        let length = unit.unsigned()?;
                        unit.skip(length)?;
                    }
                    _ => return None,
                }
                match *what {
                    PATH => name = text?,
                    DIRECTORY => directory = number,
                    _ => {}
                }
            }
            entries.push((name, directory));
            if format.is_empty() {
                // Nothing was read, however many there are said to be.
                break;
            }
        }
        Some(entries)
    }

    /// Which of them are own ones, by their numbers.
    fn which(&self, is_own: fn(&str) -> bool) -> Vec<bool> {
        let count = self.names.len() as u64 + self.first;
        let is_own = |file| self.path(file).is_some_and(|path| is_own(&path));
        (0..count).map(is_own).collect()
    }

    /// A path; it is relative to where the compiler ran if it does not say from where.
    fn path(&self, file: u64) -> Option<String> {
        let (name, directory) = self
            .names
            .get(usize::try_from(file.checked_sub(self.first)?).ok()?)?;
        let directory = directory.checked_sub(self.first);
        let directory = directory.and_then(|n| self.directories.get(usize::try_from(n).ok()?));
        Some(match directory {
            Some(directory) if !name.starts_with('/') => format!("{directory}/{name}"),
            _ => name.clone(),
        })
    }
}

/// Bytes, and how far they were read.
#[derive(Clone)]
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor(bytes)
    }

    fn at(bytes: &'a [u8], at: u64) -> Option<Cursor<'a>> {
        bytes.get(usize::try_from(at).ok()?..).map(Cursor)
    }

    fn bytes(&mut self, count: u64) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }

    /// The next one. (Most of a table is read by this.)
    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        self.bytes(count).map(|_| ())
    }

    /// A number of so many bytes, the low one first.
    fn number(&mut self, bytes: u64) -> Option<u64> {
        let bytes = self.bytes(bytes).filter(|bytes| bytes.len() <= 8)?;
        let more = |number, byte: &u8| number << 8 | u64::from(*byte);
        Some(bytes.iter().rev().fold(0, more))
    }

    /// The next unit, and whether it counts in 64 bits.
    fn unit(&mut self) -> Option<(Cursor<'a>, bool)> {
        match self.number(4)? {
            0xffff_ffff => {
                let length = self.number(8)?;
                Some((Cursor(self.bytes(length)?), true))
            }
            length => Some((Cursor(self.bytes(length)?), false)),
        }
    }

    /// A number in pieces of seven bits.
    fn unsigned(&mut self) -> Option<u64> {
        self.pieces().map(|(number, _)| number)
    }

    fn signed(&mut self) -> Option<i64> {
        let (number, bits) = self.pieces()?;
        let unused = 64_u32.saturating_sub(bits);
        Some((number << unused) as i64 >> unused)
    }

    /// The number, and of how many bits it was made.
    fn pieces(&mut self) -> Option<(u64, u32)> {
        let (mut number, mut bits) = (0, 0);
        loop {
            let byte = self.byte()?;
            if bits < 64 {
                number |= u64::from(byte & 0x7f) << bits;
            }
            bits += 7;
            if byte & 0x80 == 0 {
                return Some((number, bits));
            }
        }
    }

    /// Up to the next zero.
    fn text(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.bytes(end as u64)?;
        self.skip(1)?;
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traceback::modules;

    #[test]
    fn this_line_is_found_and_nonsense_does_no_harm() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let file = File(&bytes);
        let here = this_line_is_found_and_nonsense_does_no_harm as fn() as usize as u64;
        let line = line!() - 4;
        let modules = modules::all();
        let module = modules.iter().find(|module| module.contains(here)).unwrap();
        let here = here - module.start + file.base().unwrap();
        let found = find(&file, &[here, u64::MAX - 7, here, u64::MAX], |_| true);
        let (path, at) = found[0].clone().unwrap();
        assert!(path.ends_with("traceback/lines.rs"), "{path}");
        assert_eq!(at, line);
        assert_eq!(found[2], found[0]);
        assert_eq!((&found[1], &found[3]), (&None, &None));

        let whole = file.section(".debug_line").unwrap();
        let mut random = 7_u64;
        for length in (0..20_000).step_by(101) {
            let mut part = whole[..length.min(whole.len())].to_vec();
            for byte in part.iter_mut().skip(16).step_by(9) {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (random >> 56) as u8;
            }
            let sections = Sections {
                lines: &part,
                strings: &[],
                line_strings: &[1, 2, 0],
            };
            let addresses = [here];
            let mut search = Search::new(&addresses, |_| true);
            let mut rest = Cursor::new(sections.lines);
            while let Some((unit, wide)) = rest.unit() {
                search.unit(unit, wide, &sections);
            }
        }
    }

    #[test]
    fn numbers_in_pieces() {
        assert_eq!(Cursor::new(&[0xe5, 0x8e, 0x26]).unsigned(), Some(624_485));
        assert_eq!(Cursor::new(&[0xc0, 0xbb, 0x78]).signed(), Some(-123_456));
        assert_eq!(Cursor::new(&[0x7f]).signed(), Some(-1));
        assert_eq!(Cursor::new(&[0x80]).unsigned(), None);
        let long = [0xff; 20];
        assert_eq!(Cursor::new(&long).signed(), None);
        let mut long = long;
        long[19] = 1;
        assert_eq!(Cursor::new(&long).unsigned(), Some(u64::MAX));
    }

    /// The tables of version 5, which the compiler may write one day.
    #[test]
    fn a_table_of_version_five() {
        #[rustfmt::skip]
        let program = [
            // Files: one directory and one name, by offsets into the strings.
            1, 1, 0x1f, 1, 0, 0, 0, 0,
            2, 1, 0x1f, 2, 0x0b, 1, 3, 0, 0, 0, 0,
        ];
        #[rustfmt::skip]
        let lines = [
            0, 9, 2, 0, 0x10, 0, 0, 0, 0, 0, 0, // address 0x1000
            4, 0,                               // file 0
            3, 6,                               // line 7
            1,                                  // a row
            2, 4, 3, 1, 1,                      // 4 bytes and a line further
            2, 4, 0, 1, 1,                      // the end, after 4 more
        ];
        let mut header = vec![1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
        header.extend(program);
        let mut unit = vec![5, 0, 8, 0];
        unit.extend((header.len() as u32).to_le_bytes());
        unit.extend(header);
        unit.extend(lines);
        let mut all = (unit.len() as u32).to_le_bytes().to_vec();
        all.extend(unit);
        let sections = Sections {
            lines: &all,
            strings: &[],
            line_strings: b"/x\0a.rs\0",
        };
        let addresses = [0x1003, 0x1004, 0x1008];
        let mut search = Search::new(&addresses, |_| true);
        let (unit, wide) = Cursor::new(sections.lines).unit().unwrap();
        search.unit(unit, wide, &sections).unwrap();
        let at = |line| Some(("/x/a.rs".to_string(), line));
        assert_eq!(search.found, [at(7), at(8), None]);
    }
}
