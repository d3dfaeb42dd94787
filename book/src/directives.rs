//! The directives of a page: `{{name arguments}}`, as [`crate::listings`] lists them, taken apart.
//!
//! Pages are read by people first, so a directive is a line of its own that says in words what stands there; only a fact,
//! which is a number, stands inside its line. Nothing is looked up here: what is malformed is told before anything is
//! read, and who checks a page and who shows it see the same directives.
//!
//! A new directive needs a name in [`DIRECTIVES`], a variant of [`Directive`] and an arm in `parse` here, and an arm of
//! `show` in [`crate::listings`].

use anyhow::{Result, bail};

use crate::names;
use crate::source::Show;

/// The names of all directives.
pub const DIRECTIVES: [&str; 11] = [
    "compiler-error",
    "diff",
    "fact",
    "file",
    "hints",
    "item",
    "items",
    "player",
    "same",
    "transcript",
    "words",
];

/// A directive that stands alone on its line, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Items in one block.
    Items(Items),
    /// A whole file of a package.
    File {
        /// The package.
        package: String,
        /// The file's path in it.
        path: String,
    },
    /// A stored run.
    Transcript {
        /// The package.
        package: String,
        /// The transcript's name.
        name: String,
    },
    /// The same run, recorded.
    Player {
        /// The package.
        package: String,
        /// The run's name.
        name: String,
        /// What it shows, in a few words.
        title: String,
    },
    /// What two packages share, line by line.
    Same {
        /// One package.
        old: String,
        /// The other.
        new: String,
        /// Files and items.
        what: Vec<String>,
    },
    /// The whole difference between two stages.
    Diff {
        /// The earlier stage, if it is not the one before.
        from: Option<u32>,
        /// The later stage.
        to: u32,
    },
    /// What the compiler says to a program that is wrong.
    CompilerError {
        /// The package.
        package: String,
        /// The name of the program.
        name: String,
    },
    /// The hints of an exercise, such as `ch01/e1_predict`.
    Hints(String),
    /// The terms that this page defines.
    Words,
}

/// The arguments of `{{item}}` and `{{items}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Items {
    /// Where the items are.
    pub paths: Vec<String>,
    /// How much of them to show.
    pub show: Show,
    /// The first line to show, word for word.
    pub from: Option<String>,
    /// The last line to show.
    pub to: Option<String>,
    /// Mark what has changed since the stage before.
    pub marked: bool,
}

impl Items {
    /// Not the whole item is shown.
    pub fn in_part(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }
}

/// `{{fact PACKAGE NAME "LABEL" [N] [in-words]}}`: a number that a stored run has printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The package.
    pub package: String,
    /// The transcript.
    pub name: String,
    /// How the line begins.
    pub label: String,
    /// Which number behind the label, from 1.
    pub nth: usize,
    /// Written out: three instead of 3.
    pub in_words: bool,
}

/// Knows whether a line stands inside a fenced code block.
#[derive(Debug, Default)]
pub struct Fence {
    open: Option<(char, usize)>,
}

impl Fence {
    /// Takes the next line; tells whether it is inside a block (or is one of its fences).
    pub fn step(&mut self, line: &str) -> bool {
        // A block may be part of a quotation or a list item.
        let line = line.trim_start_matches([' ', '\t', '>']);
        let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'));
        let length = mark.map_or(0, |mark| line.len() - line.trim_start_matches(mark).len());
        let rest = &line[length..];
        match (self.open, mark) {
            (Some((open, longest)), Some(mark)) => {
                if mark == open && length >= longest && rest.trim().is_empty() {
                    self.open = None;
                }
                true
            }
            (Some(_), None) => true,
            (None, Some(mark)) if length >= 3 && !(mark == '`' && rest.contains('`')) => {
                self.open = Some((mark, length));
                true
            }
            (None, _) => false,
        }
    }
}

/// The directives of a page that stand alone, each with its line, counted from 1. What is wrong is left out here:
/// whoever shows the page tells it.
pub fn of_page(page: &str) -> Vec<(usize, Directive)> {
    let mut fence = Fence::default();
    let mut found = Vec::new();
    for (line, number) in page.lines().zip(1..) {
        let inside = fence.step(line);
        if let Ok(Some(directive)) = directive_in(line, inside) {
            found.push((number, directive));
        }
    }
    found
}

/// The directive that a line is, if it is one.
pub fn directive_in(line: &str, inside_fence: bool) -> Result<Option<Directive>> {
    let alone = line.trim();
    let body = alone.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    if let Some(body) = body.filter(|body| !body.contains("{{")) {
        let name = body.split_whitespace().next().unwrap_or_default();
        match (inside_fence, DIRECTIVES.contains(&name)) {
            // A fact is a part of its line, even if it is all of it.
            (false, true) if name == "fact" => return Ok(None),
            (false, _) => return parse(body).map(Some),
            (true, true) => {
                bail!("`{{{{{name}}}}}` inside a code block; it makes its own, or write `\\{{{{`")
            }
            (true, false) => return Ok(None),
        }
    }
    for name in DIRECTIVES {
        for (start, _) in line.match_indices(&format!("{{{{{name} ")) {
            let inline = name == "fact" && !inside_fence;
            if !inline && !line[..start].ends_with('\\') {
                if inside_fence {
                    bail!("`{{{{{name}}}}}` inside a code block; to show it, write `\\{{{{`");
                }
                bail!("`{{{{{name}}}}}` must stand alone on its line; to show it, write `\\{{{{`");
            }
        }
    }
    Ok(None)
}

/// The first `{{fact ..}}` of a line: where it begins and ends, and what it says.
pub fn fact_in(line: &str) -> Option<(usize, usize, Result<Fact>)> {
    const OPEN: &str = "{{fact ";
    let (start, _) = line
        .match_indices(OPEN)
        .find(|(start, _)| !line[..*start].ends_with('\\'))?;
    let body = &line[start + 2..];
    match body.find("}}") {
        Some(length) => Some((start, start + 2 + length + 2, parse_fact(&body[..length]))),
        None => Some((
            start,
            line.len(),
            Err(anyhow::anyhow!("`{{{{fact` without `}}}}` on its line")),
        )),
    }
}

fn parse_fact(body: &str) -> Result<Fact> {
    let words = words(body)?;
    let (
        Some(Word::Plain(_)),
        [
            Word::Plain(package),
            Word::Plain(name),
            Word::Quoted(label),
            options @ ..,
        ],
    ) = (words.first(), words.get(1..).unwrap_or_default())
    else {
        bail!("expected `{{{{fact PACKAGE NAME \"LABEL\"}}}}`, perhaps with a number and `in-words`")
    };
    let mut fact = Fact {
        package: package.clone(),
        name: name.clone(),
        label: label.clone(),
        nth: 1,
        in_words: false,
    };
    for option in options {
        match option {
            Word::Plain(option) if option == "in-words" => fact.in_words = true,
            Word::Plain(option) => match option.parse() {
                Ok(nth) if nth > 0 => fact.nth = nth,
                _ => bail!("`{option}` is neither a number from 1 nor `in-words`"),
            },
            Word::Quoted(option) => bail!("unexpected {option:?}"),
        }
    }
    Ok(fact)
}

fn parse(body: &str) -> Result<Directive> {
    let words = words(body)?;
    let (name, arguments) = match words.split_first() {
        Some((name, arguments)) => (name.text(), arguments),
        None => bail!("an empty directive"),
    };
    if matches!(name, "item" | "items") {
        return parse_items(name, arguments).map(Directive::Items);
    }
    let texts: Vec<&str> = arguments.iter().map(Word::text).collect();
    let owned = |text: &&str| (*text).to_owned();
    match (name, texts.as_slice()) {
        ("file", [package, path]) => Ok(Directive::File {
            package: owned(package),
            path: owned(path),
        }),
        ("file", _) => bail!("expected `{{{{file PACKAGE path/in/package.rs}}}}`"),
        ("transcript", [package, name]) => Ok(Directive::Transcript {
            package: owned(package),
            name: owned(name),
        }),
        ("transcript", _) => bail!("expected `{{{{transcript PACKAGE NAME}}}}`"),
        ("player", [package, name, title]) if matches!(arguments.last(), Some(Word::Quoted(_))) => {
            Ok(Directive::Player {
                package: owned(package),
                name: owned(name),
                title: owned(title),
            })
        }
        ("player", _) => bail!("expected `{{{{player PACKAGE NAME \"TITLE\"}}}}`"),
        ("compiler-error", [package, name]) => Ok(Directive::CompilerError {
            package: owned(package),
            name: owned(name),
        }),
        ("compiler-error", _) => bail!("expected `{{{{compiler-error PACKAGE NAME}}}}`"),
        ("same", [old, new, what @ ..]) if !what.is_empty() => Ok(Directive::Same {
            old: owned(old),
            new: owned(new),
            what: what.iter().map(owned).collect(),
        }),
        ("same", _) => bail!("expected `{{{{same PACKAGE PACKAGE path/of/file.rs path::of::Item ...}}}}`"),
        ("diff", numbers @ ([_] | [_, _])) => {
            let stages: Vec<u32> = numbers.iter().flat_map(|number| number.parse()).collect();
            match stages.as_slice() {
                [to] if numbers.len() == 1 => Ok(Directive::Diff { from: None, to: *to }),
                [from, to] => Ok(Directive::Diff {
                    from: Some(*from),
                    to: *to,
                }),
                _ => bail!("expected the numbers of stages, as in `{{{{diff 3}}}}` or `{{{{diff 3 4}}}}`"),
            }
        }
        ("diff", _) => bail!("expected `{{{{diff STAGE}}}}` or `{{{{diff STAGE STAGE}}}}`"),
        ("hints", [exercise]) => Ok(Directive::Hints(owned(exercise))),
        ("hints", _) => bail!("expected `{{{{hints chNN/eN_name}}}}`"),
        ("words", []) => Ok(Directive::Words),
        ("words", _) => bail!("`{{{{words}}}}` takes no arguments"),
        _ => {
            let hint = names::hint(name, DIRECTIVES);
            bail!("no directive `{{{{{name}}}}}`{hint}")
        }
    }
}

fn parse_items(name: &str, arguments: &[Word]) -> Result<Items> {
    let mut items = Items {
        paths: Vec::new(),
        show: Show::Code,
        from: None,
        to: None,
        marked: true,
    };
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        match word {
            Word::Plain(word) if word == "docs" => items.show = Show::Docs,
            Word::Plain(word) if word == "unmarked" => items.marked = false,
            Word::Plain(word) if word == "from" || word == "to" => {
                let Some(Word::Quoted(line)) = rest.next() else {
                    bail!("`{word}` wants a line in quotes, as in `{word} \"let x = 1;\"`")
                };
                match word.as_str() {
                    "from" => items.from = Some(line.clone()),
                    _ => items.to = Some(line.clone()),
                }
            }
            Word::Plain(path) => items.paths.push(path.clone()),
            Word::Quoted(text) => bail!("unexpected {text:?}: `from` or `to` belongs before it"),
        }
    }
    match (name, items.paths.len()) {
        ("item", 1) | ("items", 1..) => {}
        ("item", _) => {
            bail!("expected `{{{{item PACKAGE::path::to::Item}}}}`, perhaps with `docs`, `from` or `to`")
        }
        _ => bail!("expected `{{{{items PACKAGE::a PACKAGE::b ...}}}}`"),
    }
    if items.in_part() && items.paths.len() > 1 {
        bail!("`from` and `to` belong to a single item");
    }
    Ok(items)
}

/// An argument.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Plain(String),
    Quoted(String),
}

impl Word {
    fn text(&self) -> &str {
        match self {
            Word::Plain(text) | Word::Quoted(text) => text,
        }
    }
}

/// Splits at white space outside of angle brackets and quotes. In quotes, `\"` is a quote and `\\` a backslash.
fn words(text: &str) -> Result<Vec<Word>> {
    let mut words = Vec::new();
    let mut plain = String::new();
    let mut depth = 0_usize;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if plain.is_empty() => words.push(Word::Quoted(quoted(&mut letters)?)),
            letter if letter.is_whitespace() && depth == 0 => {
                if !plain.is_empty() {
                    words.push(Word::Plain(std::mem::take(&mut plain)));
                }
            }
            letter => {
                match letter {
                    '<' => depth += 1,
                    '>' if !plain.ends_with(['-', '=']) => depth = depth.saturating_sub(1),
                    _ => {}
                }
                plain.push(letter);
            }
        }
    }
    if !plain.is_empty() {
        words.push(Word::Plain(plain));
    }
    Ok(words)
}

fn quoted(letters: &mut impl Iterator<Item = char>) -> Result<String> {
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Ok(text),
            '\\' => text.extend(letters.next()),
            letter => text.push(letter),
        }
    }
    bail!("a quote that does not end")
}

/// `\{{item` becomes `{{item`, wherever it stands.
pub fn unescape(line: &str) -> String {
    let mut line = line.to_owned();
    if line.contains("\\{{") {
        for name in DIRECTIVES {
            for end in [" ", "}"] {
                line = line.replace(&format!("\\{{{{{name}{end}"), &format!("{{{{{name}{end}"));
            }
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(paths: &[&str]) -> Items {
        Items {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            show: Show::Code,
            from: None,
            to: None,
            marked: true,
        }
    }

    #[test]
    fn directives_are_taken_apart() {
        let owned = str::to_owned;
        for (line, expected) in [
            ("{{item a::b}}", Directive::Items(items(&["a::b"]))),
            (
                "  {{ item a::b docs }}  ",
                Directive::Items(Items {
                    show: Show::Docs,
                    ..items(&["a::b"])
                }),
            ),
            (
                "{{item a::b from \"let x = \\\"y\\\";\" to \"}\" unmarked}}",
                Directive::Items(Items {
                    from: Some(owned("let x = \"y\";")),
                    to: Some(owned("}")),
                    marked: false,
                    ..items(&["a::b"])
                }),
            ),
            (
                "{{items a::<impl Fn() -> X for Y<Z>>::call b/t::c}}",
                Directive::Items(items(&["a::<impl Fn() -> X for Y<Z>>::call", "b/t::c"])),
            ),
            (
                "{{file a src/b.rs}}",
                Directive::File {
                    package: owned("a"),
                    path: owned("src/b.rs"),
                },
            ),
            (
                "{{player a b \"c d\"}}",
                Directive::Player {
                    package: owned("a"),
                    name: owned("b"),
                    title: owned("c d"),
                },
            ),
            (
                "{{same a b src/c.rs d::E}}",
                Directive::Same {
                    old: owned("a"),
                    new: owned("b"),
                    what: vec![owned("src/c.rs"), owned("d::E")],
                },
            ),
            ("{{diff 3}}", Directive::Diff { from: None, to: 3 }),
            ("{{diff 3 9}}", Directive::Diff { from: Some(3), to: 9 }),
            ("{{words}}", Directive::Words),
            (
                "{{hints ch01/e1_predict}}",
                Directive::Hints(owned("ch01/e1_predict")),
            ),
        ] {
            let found = directive_in(line, false).expect("well-formed");
            assert_eq!(found, Some(expected), "{line}");
        }
        for line in [
            "",
            "text",
            "`{{x}}`",
            "{{",
            "}}",
            "{{a}} and {{b}}",
            "{{fact a b \"c\"}}",
        ] {
            assert_eq!(directive_in(line, false).expect("no directive"), None, "{line}");
        }
    }

    #[test]
    fn what_is_malformed_is_told() {
        for (line, expected) in [
            (
                "{{item a::b c::d}}",
                "expected `{{item PACKAGE::path::to::Item}}`, perhaps with",
            ),
            ("{{items}}", "expected `{{items PACKAGE::a PACKAGE::b ...}}`"),
            (
                "{{items a::b c::d to \"}\"}}",
                "`from` and `to` belong to a single item",
            ),
            ("{{item a::b from x}}", "`from` wants a line in quotes"),
            (
                "{{item a::b \"x\"}}",
                "unexpected \"x\": `from` or `to` belongs before it",
            ),
            ("{{item a::b from \"x}}", "a quote that does not end"),
            ("{{diff three}}", "expected the numbers of stages"),
            ("{{diff}}", "expected `{{diff STAGE}}`"),
            ("{{same a b}}", "expected `{{same PACKAGE PACKAGE "),
            ("{{player a b c}}", "expected `{{player PACKAGE NAME \"TITLE\"}}`"),
            ("{{player a b \"c\" d}}", "expected `{{player PACKAGE NAME "),
            ("{{words x}}", "`{{words}}` takes no arguments"),
            (
                "{{hint ch01/e1}}",
                "no directive `{{hint}}`; did you mean `hints`?",
            ),
            ("x {{words }}", "`{{words}}` must stand alone on its line"),
        ] {
            let error = directive_in(line, false).expect_err(line).to_string();
            assert!(error.starts_with(expected), "{line}: {error}");
        }
    }

    #[test]
    fn facts_stand_inside_a_line() {
        let line = "It takes {{fact chapter1 costs \"bytes in a Kid:\" 2 in-words}} bytes.";
        let (start, end, fact) = fact_in(line).expect("there");
        assert_eq!(&line[..start], "It takes ");
        assert_eq!(&line[end..], " bytes.");
        let fact = fact.expect("well-formed");
        assert_eq!(
            (fact.label.as_str(), fact.nth, fact.in_words),
            ("bytes in a Kid:", 2, true)
        );
        assert!(fact_in("\\{{fact a b \"c\"}}").is_none());
        for (line, expected) in [
            ("{{fact a b c}}", "expected `{{fact PACKAGE NAME \"LABEL\"}}`"),
            ("{{fact a b \"c\" x}}", "`x` is neither"),
            ("{{fact a b \"c\"", "`{{fact` without `}}` on its line"),
        ] {
            let (_, _, fact) = fact_in(line).expect("there");
            let error = fact.expect_err(line).to_string();
            assert!(error.starts_with(expected), "{line}: {error}");
        }
    }
}
