//! "Did you mean": the name nearest to one that does not exist.

/// The candidate nearest to `wanted`, if any is near enough to be a likely slip.
///
/// A third of the letters may differ, and always at least two: enough for a swapped or a forgotten
/// letter, too little to offer something unrelated.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wanted.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| (distance(wanted, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= limit && distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// A hint to append to an error message: empty, or `; did you mean ...?`.
pub fn hint<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(wanted, candidates) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => String::new(),
    }
}

/// The number of letters to insert, remove or replace to turn `a` into `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // One row of the usual table: `row[j]` is the distance between what was read of `a` and `b[..j]`.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_letter_edits() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("spawn", "spawn", 0),
            ("countdown", "coutdown", 1),
        ] {
            assert_eq!(distance(a, b), expected, "{a} -> {b}");
        }
    }

    #[test]
    fn nearest_offers_a_slip_and_nothing_unrelated() {
        let names = ["Scheduler", "Generator", "Countdown"];
        assert_eq!(nearest("Schedular", names), Some("Scheduler"));
        assert_eq!(nearest("Kernel", names), None);
        assert_eq!(nearest("x", ["y"]), None, "every letter differs");
    }
}
