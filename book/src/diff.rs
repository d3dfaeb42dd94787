//! Differences between two texts, line by line.

use similar::{Algorithm, ChangeTag, TextDiff};

/// What became of a text: which of its lines are new, and how many are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// For each line of the new text, whether it is new.
    pub new: Vec<bool>,
    /// How many lines of the old text the new one does not have.
    pub gone: usize,
}

impl Changes {
    /// Compares two texts.
    pub fn between(old: &str, new: &str) -> Changes {
        Changes::count(old, new, |_| true)
    }

    /// Compares two listings. An empty line counts for nothing: a page has no mark beside it.
    pub fn between_listings(old: &str, new: &str) -> Changes {
        Changes::count(old, new, |line| !line.trim().is_empty())
    }

    fn count(old: &str, new: &str, counts: impl Fn(&str) -> bool) -> Changes {
        let (old, new) = (with_end(old), with_end(new));
        let mut changes = Changes::default();
        for change in compare(&old, &new).iter_all_changes() {
            match change.tag() {
                ChangeTag::Equal => changes.new.push(false),
                ChangeTag::Insert => changes.new.push(counts(change.value())),
                ChangeTag::Delete => changes.gone += usize::from(counts(change.value())),
            }
        }
        changes
    }

    /// How many lines are new.
    pub fn added(&self) -> usize {
        self.new.iter().filter(|new| **new).count()
    }
}

/// The lines that differ, with three lines around them, as `diff -u` prints them, without the names of files.
pub fn unified(old: &str, new: &str) -> String {
    let (old, new) = (with_end(old), with_end(new));
    compare(&old, &new).unified_diff().context_radius(3).to_string()
}

fn compare<'a>(old: &'a str, new: &'a str) -> TextDiff<'a, 'a, str> {
    // It aligns by lines that are unique, so that blank lines and braces do not lead it astray.
    TextDiff::configure()
        .algorithm(Algorithm::Patience)
        .diff_lines(old, new)
}

/// The last line ends like the others, and is compared like them.
fn with_end(text: &str) -> String {
    match text.is_empty() || text.ends_with('\n') {
        true => text.to_owned(),
        false => format!("{text}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_and_gone_lines_are_found() {
        let changes = Changes::between("a\nb\nc", "a\nx\nc\nd");
        assert_eq!(changes.new, [false, true, false, true]);
        assert_eq!((changes.added(), changes.gone), (2, 1));
        assert_eq!(Changes::between("a\n", "a").added(), 0);
        assert_eq!(Changes::between("", "").new, [false; 0]);
    }

    #[test]
    fn empty_lines_count_for_nothing_in_a_listing() {
        let (old, new) = ("a\n\nb\n", "a\nx\n\ny\n");
        let changes = Changes::between_listings(old, new);
        assert_eq!(changes.new.len(), 4);
        assert_eq!((changes.added(), changes.gone), (2, 1));
        assert_eq!(Changes::between_listings("a\nb", "a\n\nb").added(), 0);
    }

    #[test]
    fn a_difference_is_printed_with_its_surroundings() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n";
        let text = unified(old, &old.replace('6', "six"));
        assert_eq!(text, "@@ -3,6 +3,6 @@\n 3\n 4\n 5\n-6\n+six\n 7\n 8\n");
        assert_eq!(unified(old, old), "");
    }
}
