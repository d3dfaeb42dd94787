//! A page read as Markdown, with the line of everything that is checked.

use std::cell::RefCell;
use std::ops::Range;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, Tag as HtmlTag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};

use crate::directives::{Fence, fact_in};

/// A page.
#[derive(Debug, Default)]
pub struct Page {
    /// Its headings, in order.
    pub headings: Vec<Heading>,
    /// What is bold in it.
    pub bold: Vec<Bold>,
    /// Its prose, in pieces no longer than a line; code is not prose.
    pub prose: Vec<(usize, String)>,
    /// How many words a reader reads, listings not counted.
    pub words: usize,
    /// What keeps somebody from reading it: the line, and what is wrong.
    pub faults: Vec<(usize, String)>,
}

/// A heading.
#[derive(Debug, PartialEq, Eq)]
pub struct Heading {
    /// 1 for the title.
    pub level: usize,
    /// Its text.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

/// Bold text.
#[derive(Debug, PartialEq, Eq)]
pub struct Bold {
    /// The text, if it is nothing but text.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
    /// Where it is in the page, with its asterisks.
    pub range: Range<usize>,
}

impl Page {
    /// Reads a page. Its directives are no Markdown and count for nothing.
    pub fn read(source: &str) -> Page {
        let text = without_directives(source);
        let starts: Vec<usize> = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(n, _)| n + 1))
            .collect();
        let line = |position: usize| starts.partition_point(|start| *start <= position);
        let mut options = MarkdownOptions::default();
        options.smart_punctuation = false;
        let mut page = Page::default();
        let mut heading: Option<Heading> = None;
        let mut bold: Option<Bold> = None;
        let mut image: Option<(usize, String)> = None;
        let mut in_code = false;
        let mut names: Option<String> = None;
        for (event, range) in new_cmark_parser(&text, &options).into_offset_iter() {
            let line = line(range.start);
            match event {
                Event::Start(Tag::Heading { level, .. }) => {
                    heading = Some(Heading {
                        level: level as usize,
                        text: String::new(),
                        line,
                    });
                }
                Event::End(TagEnd::Heading(_)) => page.headings.extend(heading.take()),
                Event::Start(Tag::Strong) => {
                    bold = Some(Bold {
                        text: String::new(),
                        line,
                        range,
                    });
                }
                Event::End(TagEnd::Strong) => page.bold.extend(bold.take()),
                Event::Start(Tag::Image { .. }) => image = Some((line, String::new())),
                Event::End(TagEnd::Image) => {
                    if let Some((line, _)) = image.take().filter(|(_, text)| text.trim().is_empty()) {
                        page.faults
                            .push((line, "an image without a text that says what it shows".to_owned()));
                    }
                }
                Event::Start(Tag::TableHead) => names = Some(String::new()),
                Event::End(TagEnd::TableHead) => names = None,
                Event::Start(Tag::TableCell) => names = names.map(|_| String::new()),
                Event::End(TagEnd::TableCell)
                    if names.as_ref().is_some_and(|name| name.trim().is_empty()) =>
                {
                    page.faults
                        .push((line, "a table with a column that has no name".to_owned()));
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    in_code = true;
                    let fault = match &kind {
                        CodeBlockKind::Indented => "an indented code block: a fence has a language",
                        CodeBlockKind::Fenced(language) if language.trim().is_empty() => {
                            "a code block without a language"
                        }
                        CodeBlockKind::Fenced(_) => continue,
                    };
                    page.faults.push((line, fault.to_owned()));
                }
                Event::End(TagEnd::CodeBlock) => in_code = false,
                Event::Text(text) if !in_code => {
                    if let Some(name) = &mut names {
                        name.push_str(&text);
                    }
                    if let Some(heading) = &mut heading {
                        heading.text.push_str(&text);
                    }
                    if let Some(bold) = &mut bold {
                        bold.text.push_str(&text);
                    }
                    if let Some((_, alternative)) = &mut image {
                        alternative.push_str(&text);
                    }
                    page.words += text.split_whitespace().filter(|word| is_word(word)).count();
                    page.prose.push((line, text.into_string()));
                }
                Event::Code(code) => {
                    if let Some(heading) = &mut heading {
                        heading.text.push_str(&code);
                    }
                    if let Some(name) = &mut names {
                        name.push_str(&code);
                    }
                    page.words += code.split_whitespace().count();
                }
                Event::Html(html) | Event::InlineHtml(html) => page.html(&html, line),
                _ => {}
            }
        }
        page.check_headings();
        page
    }

    fn html(&mut self, html: &str, first_line: usize) {
        let tags = Tags::default();
        let tokenizer = Tokenizer::new(tags, TokenizerOpts::default());
        let input = BufferQueue::default();
        input.push_back(StrTendril::from(html));
        let _ = tokenizer.feed(&input);
        tokenizer.end();
        for (line, tag) in tokenizer.sink.0.into_inner() {
            let line = first_line + line - 1;
            let value = |name: &str| {
                let mut attributes = tag.attrs.iter();
                let found = attributes.find(|attribute| &*attribute.name.local == name);
                found
                    .map(|attribute| attribute.value.trim().to_owned())
                    .unwrap_or_default()
            };
            let has = |name: &str| !value(name).is_empty();
            let unseen = value("aria-hidden") == "true";
            match &*tag.name {
                "img" if !has("alt") => {
                    self.faults
                        .push((line, "an `<img>` without a text in `alt`".to_owned()));
                }
                "svg" if !(unseen || has("aria-label") || has("aria-labelledby")) => {
                    self.faults
                        .push((line, "an `<svg>` without `aria-label`".to_owned()));
                }
                name @ ("h1" | "h2" | "h3" | "h4" | "h5" | "h6") => {
                    let level = name[1..].parse().unwrap_or(1);
                    self.headings.push(Heading {
                        level,
                        text: String::new(),
                        line,
                    });
                }
                _ => {}
            }
        }
    }

    /// One title, which comes first; and no level is left out on the way down.
    fn check_headings(&mut self) {
        let mut above = 0;
        for heading in &self.headings {
            let Heading { level, line, text } = heading;
            if above == 0 && *level != 1 {
                self.faults.push((
                    *line,
                    format!("the page begins with a heading of level {level}: {text}"),
                ));
            } else if above > 0 && *level == 1 {
                self.faults.push((*line, format!("a second title: {text}")));
            } else if *level > above + 1 {
                let fault = format!("a heading of level {level} below one of level {above}: {text}");
                self.faults.push((*line, fault));
            }
            above = *level;
        }
        if self.headings.is_empty() {
            self.faults.push((1, "a page without a title".to_owned()));
        }
    }
}

/// The text with white space in the place of directives, so that every position stays what it is.
fn without_directives(source: &str) -> String {
    let mut fence = Fence::default();
    let mut text = String::with_capacity(source.len());
    for line in source.split_inclusive('\n') {
        let inside = fence.step(line);
        let alone = line.trim();
        if !inside && alone.starts_with("{{") && alone.ends_with("}}") && !alone.starts_with("{{fact ") {
            let content = line.trim_end_matches(['\n', '\r']).len();
            text.push_str(&" ".repeat(content));
            text.push_str(&line[content..]);
            continue;
        }
        let mut rest = line;
        while let Some((start, end, _)) = fact_in(rest).filter(|_| !inside) {
            text.push_str(&rest[..start]);
            // A number will stand there.
            text.push_str(&"0".repeat(end - start));
            rest = &rest[end..];
        }
        text.push_str(rest);
    }
    text
}

fn is_word(word: &str) -> bool {
    word.contains(char::is_alphanumeric)
}

#[derive(Default)]
struct Tags(RefCell<Vec<(usize, HtmlTag)>>);

impl TokenSink for Tags {
    type Handle = ();

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<()> {
        if let Token::TagToken(tag) = token
            && tag.kind == TagKind::StartTag
        {
            self.0
                .borrow_mut()
                .push((usize::try_from(line).unwrap_or(1), tag));
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(page: &str) -> Vec<String> {
        let faults = Page::read(page).faults;
        faults
            .iter()
            .map(|(line, fault)| format!("{line}: {fault}"))
            .collect()
    }

    #[test]
    fn headings_bold_text_and_words_are_found() {
        let page = Page::read(
            "# The *one* `x`\n\nA **new term**, {{fact a b \"ü\"}} times.\n\n{{item a::b}}\n\n\
             ```text\n**no** words\n```\n\n## Two\n\n**[link](x.md)** **Goal.**\n",
        );
        let heading = |level, text: &str, line| Heading {
            level,
            text: text.to_owned(),
            line,
        };
        assert_eq!(page.headings, [heading(1, "The one x", 1), heading(2, "Two", 11)]);
        let bold: Vec<_> = page
            .bold
            .iter()
            .map(|bold| (bold.text.as_str(), bold.line))
            .collect();
        assert_eq!(bold, [("new term", 3), ("link", 13), ("Goal.", 13)]);
        assert_eq!(page.bold[0].range, 19..31);
        assert_eq!(page.words, 11);
        assert_eq!(page.faults, []);
    }

    #[test]
    fn what_keeps_somebody_from_reading_is_found_in_its_line() {
        for (page, expected) in [
            ("", "1: a page without a title"),
            ("## Two\n", "1: the page begins with a heading of level 2: Two"),
            (
                "# One\n\n### Three\n",
                "3: a heading of level 3 below one of level 1: Three",
            ),
            (
                "# One\n\n<h4>x</h4>\n",
                "3: a heading of level 4 below one of level 1: ",
            ),
            ("# One\n\n# Two\n", "3: a second title: Two"),
            (
                "# One\n\n![](x.svg)\n",
                "3: an image without a text that says what it shows",
            ),
            (
                "# One\n\ntext\n<b>\n<img src=x>\n",
                "5: an `<img>` without a text in `alt`",
            ),
            (
                "# One\n\n<p>\n\n<img\nsrc=x alt=''>\n",
                "6: an `<img>` without a text in `alt`",
            ),
            (
                "# One\n\n<svg role=img></svg>\n",
                "3: an `<svg>` without `aria-label`",
            ),
            ("# One\n\n```\nx\n```\n", "3: a code block without a language"),
            (
                "# One\n\n    x\n",
                "3: an indented code block: a fence has a language",
            ),
        ] {
            assert_eq!(faults(page), [expected], "{page}");
        }
        let fine = "# One\n\n![a cat](x.svg) <img src=x alt=\"a dog\">\n\n<svg aria-hidden=\"true\"></svg>\n\n\
                    ```sh\nx\n```\n\n## Two\n\n### Three\n\n## Four\n";
        assert_eq!(faults(fine), [""; 0]);
    }
}
