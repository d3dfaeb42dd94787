//! What is loaded into the process: the program and its shared libraries.

/// A file, and where it is.
pub(super) struct Loaded {
    pub(super) path: String,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Loaded {
    pub(super) fn contains(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// Those that have code.
pub(super) fn all() -> Vec<Loaded> {
    parse(&std::fs::read_to_string("/proc/self/maps").unwrap_or_default())
}

/// Reads lines like `55d0-55d8 r-xp 00001000 fe:01 123    /usr/bin/hello`. The parts of a file follow one another.
fn parse(maps: &str) -> Vec<Loaded> {
    let mut all: Vec<Loaded> = Vec::new();
    for line in maps.lines() {
        let Some((range, path)) = line.split_once(' ').zip(line.find('/').map(|at| &line[at..])) else {
            continue;
        };
        let range = range.0.split_once('-');
        let hex = |text| u64::from_str_radix(text, 16).ok();
        let Some((start, end)) = range.and_then(|(start, end)| hex(start).zip(hex(end))) else {
            continue;
        };
        match all.last_mut() {
            Some(last) if last.path == path => last.end = end,
            _ => all.push(Loaded {
                path: path.to_string(),
                start,
                end,
            }),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_file_are_one() {
        let maps = "\
10-20 r--p 00000000 fe:01 7   /usr/bin/a b
20-30 r-xp 00010000 fe:01 7   /usr/bin/a b
30-40 rw-p 00000000 00:00 0   [heap]
50-60 r-xp 00000000 fe:01 8   /lib/c.so
nonsense /";
        let all = parse(maps);
        let all: Vec<_> = all.iter().map(|m| (m.path.as_str(), m.start, m.end)).collect();
        assert_eq!(all, [("/usr/bin/a b", 0x10, 0x30), ("/lib/c.so", 0x50, 0x60)]);
    }
}
