//! What stands in the page for a directive: Markdown with figures in it.

use std::path::Path;

use crate::source::Cut;
use crate::sources::Since;
use crate::stages::counted;
use crate::workspace::Workspace;

/// A listing's text, with what became of each line since the stage before.
#[derive(Debug, Default)]
pub struct Marked {
    /// The text.
    pub text: String,
    /// For each line, whether it is new.
    pub new: Vec<bool>,
}

impl Marked {
    /// Appends a text, after a blank line.
    pub fn append(&mut self, text: &str, new: &[bool]) {
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
            self.new.push(false);
        }
        self.text.push_str(text);
        self.new
            .extend(text.lines().enumerate().map(|(n, _)| new.get(n) == Some(&true)));
    }
}

/// A figure that holds a fenced block.
pub fn fenced(class: &str, caption: Option<&str>, language: &str, text: &str) -> String {
    let text = text.trim_end();
    let fence = "`".repeat(longest_run(text, '`').max(2) + 1);
    let caption = caption.map(|caption| format!("<figcaption>{caption}</figcaption>\n"));
    let caption = caption.unwrap_or_default();
    // A blank line ends HTML: what follows it is Markdown again.
    format!("<figure class=\"{class}\">\n{caption}\n{fence}{language}\n{text}\n{fence}\n\n</figure>\n")
}

/// A listing of Rust.
pub fn rust(caption: &str, text: &str) -> String {
    fenced("listing", Some(caption), "rust,ignore", &show_hidden_lines(text))
}

/// A listing of Rust in which new lines are `<ins>`: a screen reader says so, and the style sheet adds a bar
/// and a sign, which copying leaves out. The highlighter keeps the elements that it finds.
pub fn marked(caption: &str, listing: &Marked) -> String {
    let lines: Vec<String> = listing
        .text
        .lines()
        .zip(&listing.new)
        .map(|(line, new)| match *new && !line.is_empty() {
            true => format!("<ins>{}</ins>", escape(line)),
            false => escape(line),
        })
        .collect();
    let text = lines.join("\n");
    format!(
        "<figure class=\"listing marked\">\n<figcaption>{caption}</figcaption>\n\n\
         <pre><code class=\"language-rust ignore\">{text}\n</code></pre>\n\n</figure>\n"
    )
}

/// Each file once, with the items cut from it and what became of them.
pub fn items_caption(cuts: &[(Cut, Since)], in_part: bool, workspace: &Workspace) -> String {
    let mut files: Vec<(&Path, Vec<String>)> = Vec::new();
    for (cut, since) in cuts {
        let part = if in_part { ", in part" } else { "" };
        let label = format!("{}{part}{}", code(&cut.label), since_text(since));
        match files.iter_mut().find(|(file, _)| *file == cut.file) {
            Some((_, labels)) => labels.push(label),
            None => files.push((&cut.file, vec![label])),
        }
    }
    let captions: Vec<String> = files
        .iter()
        .map(|(file, labels)| format!("{}: {}", code(&workspace.relative(file)), labels.join(", ")))
        .collect();
    captions.join("; ")
}

/// ` (new)`, ` (as in chapter 2)`, ` (since chapter 2: 3 lines added, 1 gone)`.
pub fn since_text(since: &Since) -> String {
    let text = match since {
        Since::Nothing => return String::new(),
        Since::New => "new".to_owned(),
        Since::Stage {
            stage,
            moved_from,
            changes,
        } => {
            let moved = moved_from
                .as_ref()
                .map(|file| format!(", there in {}", code(file)));
            let moved = moved.unwrap_or_default();
            match (changes.added(), changes.gone) {
                (0, 0) => format!("as in chapter {stage}{moved}"),
                (added, 0) => format!("since chapter {stage}{moved}: {} added", counted(added, "line")),
                (0, gone) => format!("since chapter {stage}{moved}: {} gone", counted(gone, "line")),
                (added, gone) => format!(
                    "since chapter {stage}{moved}: {} added, {gone} gone",
                    counted(added, "line")
                ),
            }
        }
    };
    format!(" <span class=\"since\">({text})</span>")
}

/// Text as code in HTML.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

/// Text for HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// mdBook hides lines of Rust that begin with `# `, as rustdoc does; a second `#` shows them.
fn show_hidden_lines(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let content = line.trim_start();
            let hidden = content == "#" || content.starts_with("# ") || content.starts_with("##");
            match hidden {
                true => format!("{}#{content}", &line[..line.len() - content.len()]),
                false => line.to_owned(),
            }
        })
        .collect();
    lines.join("\n")
}

fn longest_run(text: &str, wanted: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for letter in text.chars() {
        run = if letter == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Each line moved right, so that a listing stays in its list item.
pub fn indented(text: &str, indent: &str) -> String {
    let line = |line: &str| match line {
        "" => String::new(),
        line => format!("{indent}{line}"),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::Changes;

    #[test]
    fn new_lines_are_elements_and_text_is_escaped() {
        let mut listing = Marked::default();
        listing.append("a < b\n\nc", &[false, false, true]);
        listing.append("d", &[true]);
        let html = marked("x", &listing);
        assert!(
            html.contains("ignore\">a &lt; b\n\n<ins>c</ins>\n\n<ins>d</ins>\n</code>"),
            "{html}"
        );
    }

    #[test]
    fn what_became_of_an_item_is_said() {
        let stage = |added: usize, gone, moved: Option<&str>| Since::Stage {
            stage: 2,
            moved_from: moved.map(str::to_owned),
            changes: Changes {
                new: vec![true; added],
                gone,
            },
        };
        for (since, expected) in [
            (Since::New, "new"),
            (stage(0, 0, None), "as in chapter 2"),
            (stage(1, 0, None), "since chapter 2: 1 line added"),
            (stage(0, 2, None), "since chapter 2: 2 lines gone"),
            (
                stage(2, 1, Some("src/a.rs")),
                "since chapter 2, there in <code>src/a.rs</code>: 2 lines added, 1 gone",
            ),
        ] {
            let expected = format!(" <span class=\"since\">({expected})</span>");
            assert_eq!(since_text(&since), expected);
        }
        assert_eq!(since_text(&Since::Nothing), "");
    }
}
