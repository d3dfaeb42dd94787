//! Cutting items out of Rust source, by path.
//!
//! A crate is read once, from its root file through every `mod`, into a flat list of the items in it.
//! An item is then found by comparing names, which also makes "did you mean" a search of that list.
//! Nothing is expanded or resolved: an item is found where it is written, not where it is re-exported,
//! and an item that a macro generates does not exist here.
//!
//! An item's names:
//!
//! - `a::b::Item`: functions, types, traits, constants, statics, modules, `macro_rules!`;
//! - `a::b::<impl Trait for Type>`, `a::b::<impl Type>`: impl blocks, with or without their generics;
//! - `a::b::Type::method`, `a::b::Trait::method`, `a::b::<impl Trait for Type>::method`: what is inside.
//!
//! Some names are *full* (no two of them should meet), some are *short* (a method of a trait's impl as
//! `Type::method`, an impl block without its generics). Short names count only where no full name fits.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, bail};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::{ImplItem, Item, ItemImpl, ItemMod, ItemTrait, TraitItem};

use crate::names;

/// Attributes that tell the compiler something, and a reader little: not shown unless asked for.
const QUIET_ATTRIBUTES: [&str; 13] = [
    "allow",
    "clippy",
    "cold",
    "deny",
    "diagnostic",
    "doc",
    "expect",
    "forbid",
    "inline",
    "must_use",
    "rustfmt",
    "track_caller",
    "warn",
];

/// All items of one crate.
#[derive(Debug)]
pub struct Crate {
    items: Vec<Entry>,
}

/// An item, cut out.
#[derive(Debug)]
pub struct Cut {
    /// The source text, moved to the left margin, without a final newline.
    pub text: String,
    /// The item's name without its module's path.
    pub label: String,
    /// The file it was cut from.
    pub file: PathBuf,
}

/// How much of an item to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Code and ordinary comments; neither doc comments nor attributes such as `#[inline]`.
    Code,
    /// Everything, with the comment that stands directly above it.
    Docs,
}

#[derive(Debug)]
struct Entry {
    /// Names that only this item should have. The first is the one to suggest.
    full: Vec<String>,
    /// Names that it shares with others.
    short: Vec<String>,
    label: String,
    file: Rc<File>,
    range: Range<usize>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    text: String,
}

impl Crate {
    /// Reads a crate, beginning at its root file.
    pub fn read(root: &Path) -> Result<Crate> {
        let mut reader = Reader::default();
        let dir = parent(root);
        reader.file(root, "", &dir)?;
        Ok(Crate { items: reader.items })
    }

    /// Finds an item by its path within the crate and cuts it out.
    pub fn cut(&self, path: &str, show: Show) -> Result<Cut> {
        let entry = self.find(path)?;
        let text = match show {
            Show::Code => without_quiet_attributes(&entry.file.text[entry.lines()]),
            Show::Docs => {
                let lines = entry.lines();
                let start = start_of_comment_above(&entry.file.text, lines.start);
                entry.file.text[start..lines.end].to_owned()
            }
        };
        Ok(Cut {
            text: dedent(&text),
            label: entry.label.clone(),
            file: entry.file.path.clone(),
        })
    }

    fn find(&self, path: &str) -> Result<&Entry> {
        let wanted = normal(path);
        let full = self.items.iter().filter(|e| e.full.contains(&wanted));
        let short = self.items.iter().filter(|e| e.short.contains(&wanted));
        let mut found: Vec<&Entry> = full.collect();
        if found.is_empty() {
            found = short.collect();
        }
        match found.as_slice() {
            [one] => Ok(one),
            [] => Err(anyhow!("no item `{path}`{}", self.suggestion(&wanted))),
            several => {
                let places: Vec<String> = several.iter().map(|entry| entry.place()).collect();
                bail!("`{path}` could be {}", places.join(" or "))
            }
        }
    }

    /// The nearest path; or else the item of the same name in some other place.
    fn suggestion(&self, wanted: &str) -> String {
        let last = |path: &str| path.rsplit("::").next().unwrap_or(path).to_owned();
        let paths = || self.items.iter().map(|entry| entry.full[0].as_str());
        let namesake = || paths().find(|path| last(path) == last(wanted));
        // The names compared have lost their spaces; the one suggested is as one would write it.
        let found = names::nearest(wanted, paths()).or_else(namesake);
        let entry = self.items.iter().find(|e| Some(e.full[0].as_str()) == found);
        match entry {
            Some(entry) => format!("; did you mean `{}`?", entry.path()),
            None => String::new(),
        }
    }
}

impl Entry {
    /// The item's path as one would write it.
    fn path(&self) -> String {
        let module_length = self.full[0].len() - normal(&self.label).len();
        format!("{}{}", &self.full[0][..module_length], self.label)
    }

    fn place(&self) -> String {
        let line = 1 + self.file.text[..self.range.start].matches('\n').count();
        format!("`{}` ({}:{line})", self.path(), self.file.path.display())
    }

    /// The item's text with the white space before it and a comment behind it on its last line.
    fn lines(&self) -> Range<usize> {
        let text = &self.file.text;
        let start = line_start(text, self.range.start);
        let start = if text[start..self.range.start].trim().is_empty() {
            start
        } else {
            self.range.start
        };
        let rest = text[self.range.end..].lines().next().unwrap_or_default();
        let end = match rest.trim_start().starts_with("//") {
            true => self.range.end + rest.trim_end().len(),
            false => self.range.end,
        };
        start..end
    }
}

/// Collects the items of a crate, file by file.
#[derive(Default)]
struct Reader {
    items: Vec<Entry>,
    /// The files being read, outermost first: a `#[path]` must not lead back to one of them.
    open: Vec<PathBuf>,
}

impl Reader {
    /// Reads the file of module `module` whose child modules' files are in `children`.
    fn file(&mut self, path: &Path, module: &str, children: &Path) -> Result<()> {
        if self.open.iter().any(|open| open == path) {
            bail!("{}: this file includes itself as a module", path.display());
        }
        let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        // Byte positions must be those of the text that is parsed.
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let parsed: syn::File = syn::parse_str(&text).map_err(|error| {
            let at = error.span().start();
            anyhow!("{}:{}:{}: {error}", path.display(), at.line, at.column + 1)
        })?;
        let file = Rc::new(File {
            path: path.to_owned(),
            text,
        });
        self.open.push(path.to_owned());
        let place = Place {
            file: &file,
            module,
            children,
            path_base: &parent(path),
        };
        for item in &parsed.items {
            self.item(item, place)?;
        }
        self.open.pop();
        Ok(())
    }

    fn item(&mut self, item: &Item, place: Place<'_>) -> Result<()> {
        let name = match item {
            Item::Const(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::TraitAlias(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            Item::Macro(item) => match &item.ident {
                Some(ident) => ident,
                None => return Ok(()),
            },
            Item::Mod(item) => {
                self.push(place, &[&item.ident.to_string()], &[], item);
                return self.module(item, place);
            }
            Item::Trait(item) => {
                self.push(place, &[&item.ident.to_string()], &[], item);
                self.trait_items(item, place);
                return Ok(());
            }
            Item::Impl(item) => {
                self.impl_block(item, place);
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.push(place, &[&name.to_string()], &[], item);
        Ok(())
    }

    fn trait_items(&mut self, item: &ItemTrait, place: Place<'_>) {
        for inner in &item.items {
            let name = match inner {
                TraitItem::Const(inner) => &inner.ident,
                TraitItem::Fn(inner) => &inner.sig.ident,
                TraitItem::Type(inner) => &inner.ident,
                _ => continue,
            };
            self.push(place, &[&format!("{}::{name}", item.ident)], &[], inner);
        }
    }

    fn impl_block(&mut self, item: &ItemImpl, place: Place<'_>) {
        let names = ImplNames::of(item, &place.file.text);
        self.push(place, &[&names.plain, &names.with_generics], &[&names.bare], item);
        for inner in &item.items {
            let name = match inner {
                ImplItem::Const(inner) => &inner.ident,
                ImplItem::Fn(inner) => &inner.sig.ident,
                ImplItem::Type(inner) => &inner.ident,
                _ => continue,
            };
            let of_type = format!("{}::{name}", names.type_name);
            let of_block = format!("{}::{name}", names.plain);
            let with_generics = format!("{}::{name}", names.with_generics);
            let bare = format!("{}::{name}", names.bare);
            if item.trait_.is_none() {
                self.push(place, &[&of_type, &of_block, &with_generics], &[&bare], inner);
            } else {
                self.push(place, &[&of_block, &with_generics], &[&of_type, &bare], inner);
            }
        }
    }

    /// Follows a module into its braces or its file, by the rules of the Rust Reference.
    fn module(&mut self, item: &ItemMod, place: Place<'_>) -> Result<()> {
        let name = item.ident.to_string();
        let name = name.trim_start_matches("r#");
        let module = join(place.module, name);
        let given = path_attribute(item);
        if let Some((_, items)) = &item.content {
            // A `#[path]` on an inline module names the folder of its children.
            let children = match &given {
                Some(given) => place.path_base.join(given),
                None => place.children.join(name),
            };
            let inside = Place {
                file: place.file,
                module: &module,
                children: &children,
                path_base: &children,
            };
            for item in items {
                self.item(item, inside)?;
            }
            return Ok(());
        }
        if let Some(given) = &given {
            let file = place.path_base.join(given);
            return match file.exists() {
                true => self.file(&file, &module, &parent(&file)),
                false => Ok(()),
            };
        }
        let children = place.children.join(name);
        let beside = place.children.join(format!("{name}.rs"));
        let within = children.join("mod.rs");
        // The code compiles, so a module without a file is one that `cfg` leaves out here.
        match [beside, within].iter().find(|file| file.exists()) {
            Some(file) => self.file(file, &module, &children),
            None => Ok(()),
        }
    }

    fn push(&mut self, place: Place<'_>, full: &[&str], short: &[&str], item: &impl Spanned) {
        let path = |name: &&str| normal(&join(place.module, name));
        self.items.push(Entry {
            full: full.iter().map(path).collect(),
            short: short.iter().map(path).collect(),
            label: full[0].to_owned(),
            file: Rc::clone(place.file),
            range: item.span().byte_range(),
        });
    }
}

/// Where an item stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a Rc<File>,
    /// The path of the module around it.
    module: &'a str,
    /// The folder of that module's child files.
    children: &'a Path,
    /// The folder from which a `#[path]` counts.
    path_base: &'a Path,
}

/// The ways to write an impl block, and its type's name.
struct ImplNames {
    /// `<impl<T> Trait<T> for Type<T>>`
    with_generics: String,
    /// `<impl Trait<T> for Type<T>>`
    plain: String,
    /// `<impl Trait for Type>`
    bare: String,
    /// `Type`
    type_name: String,
}

impl ImplNames {
    fn of(item: &ItemImpl, source: &str) -> ImplNames {
        let slice = |range: Range<usize>| {
            let words: Vec<&str> = source[range].split_whitespace().collect();
            words.join(" ")
        };
        let type_text = slice(item.self_ty.span().byte_range());
        let type_name = match &*item.self_ty {
            syn::Type::Path(path) => last_name(&path.path),
            _ => type_text.clone(),
        };
        let generics = match item.generics.params.is_empty() {
            true => String::new(),
            false => slice(item.generics.span().byte_range()),
        };
        let (trait_text, trait_name) = match &item.trait_ {
            None => (String::new(), String::new()),
            Some(implemented) => {
                let path = &implemented.0;
                let text = slice(path.span().byte_range());
                (format!("{text} for "), format!("{} for ", last_name(path)))
            }
        };
        ImplNames {
            with_generics: format!("<impl{generics} {trait_text}{type_text}>"),
            plain: format!("<impl {trait_text}{type_text}>"),
            bare: format!("<impl {trait_name}{type_name}>"),
            type_name,
        }
    }
}

fn last_name(path: &syn::Path) -> String {
    path.segments
        .last()
        .map(|segment| segment.ident.to_string())
        .unwrap_or_default()
}

/// The string of a `#[path = "..."]`.
fn path_attribute(item: &ItemMod) -> Option<String> {
    item.attrs.iter().find_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        let syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) = &pair.value
        else {
            return None;
        };
        pair.path.is_ident("path").then(|| text.value())
    })
}

fn parent(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).to_owned()
}

fn join(module: &str, name: &str) -> String {
    match module {
        "" => name.to_owned(),
        module => format!("{module}::{name}"),
    }
}

/// A path without white space, so that two spellings of one path are equal.
fn normal(path: &str) -> String {
    path.split_whitespace().collect()
}

fn line_start(text: &str, position: usize) -> usize {
    text[..position].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the ordinary comment begins that ends directly above the line at `start`.
fn start_of_comment_above(text: &str, start: usize) -> usize {
    let mut start = start;
    while start > 0 {
        let above = line_start(text, start - 1);
        let line = text[above..start].trim();
        if !line.starts_with("//") || line.starts_with("//!") {
            break;
        }
        start = above;
    }
    start
}

/// The text without doc comments and without the attributes of [`QUIET_ATTRIBUTES`], at any depth.
fn without_quiet_attributes(text: &str) -> String {
    // The text was cut from a file that parsed, so it has tokens.
    let Ok(tokens) = text.parse::<TokenStream>() else {
        return text.to_owned();
    };
    let mut quiet = Vec::new();
    collect_quiet_attributes(tokens, &mut quiet);
    let mut shown = String::new();
    let mut position = 0;
    for range in quiet {
        let range = with_its_space(text, range);
        // Two attributes on one line: the first has taken the line's white space with it.
        if range.start > position {
            shown.push_str(&text[position..range.start]);
        }
        position = position.max(range.end);
    }
    shown.push_str(&text[position..]);
    shown
}

fn collect_quiet_attributes(tokens: TokenStream, found: &mut Vec<Range<usize>>) {
    let mut start = None;
    for token in tokens {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                start = Some(mark.span().byte_range().start);
            }
            // `#![...]`
            TokenTree::Punct(mark) if mark.as_char() == '!' => {}
            TokenTree::Group(group) => {
                let name = match group.stream().into_iter().next() {
                    Some(TokenTree::Ident(name)) => name.to_string(),
                    _ => String::new(),
                };
                let quiet = QUIET_ATTRIBUTES.contains(&name.as_str());
                match start.take() {
                    Some(start) if group.delimiter() == Delimiter::Bracket && quiet => {
                        found.push(start..group.span().byte_range().end);
                    }
                    _ => collect_quiet_attributes(group.stream(), found),
                }
            }
            _ => start = None,
        }
    }
}

/// An attribute's range with the white space that would otherwise be left over: the whole line if
/// nothing else is on it.
fn with_its_space(text: &str, range: Range<usize>) -> Range<usize> {
    let start = line_start(text, range.start);
    let alone_before = text[start..range.start].trim().is_empty();
    let rest = &text[range.end..];
    let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    match rest[spaces..].strip_prefix('\n') {
        Some(_) if alone_before => start..range.end + spaces + 1,
        _ => range.start..range.end + spaces,
    }
}

/// The text moved left by the indentation of its first line.
fn dedent(text: &str) -> String {
    let text = text.trim_start_matches('\n').trim_end();
    let margin = text.len() - text.trim_start_matches(' ').len();
    let lines: Vec<&str> = text
        .lines()
        .map(|line| {
            let spaces = line.len() - line.trim_start_matches(' ').len();
            &line[margin.min(spaces)..]
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate of the given files, the first of which is the root.
    fn read(files: &[(&str, &str)]) -> Result<Crate> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(parent(&path)).expect("made");
            fs::write(path, text).expect("written");
        }
        Crate::read(&dir.path().join(files[0].0))
    }

    fn cut(source: &str, path: &str) -> String {
        let found = read(&[("lib.rs", source)]).and_then(|found| found.cut(path, Show::Code));
        found.unwrap_or_else(|error| panic!("{path}: {error}")).text
    }

    fn miss(source: &str, path: &str) -> String {
        let found = read(&[("lib.rs", source)]).and_then(|found| found.cut(path, Show::Code));
        found.expect_err("must not be found").to_string()
    }

    const SHAPES: &str = r#"
        const LIMIT: u32 = 3; // three is enough
        static NAME: &str = "shapes";
        type Pair = (u32, u32);
        struct Square { side: u32 }
        enum Shape { Square(Square) }
        union Bits { a: u32, b: f32 }
        macro_rules! shape { () => {} }
        trait Area { const SIDES: u32; type Unit; fn area(&self) -> u32; fn twice(&self) -> u32 { 2 * self.area() } }
        impl Square { fn new(side: u32) -> Self { Square { side } } fn area(&self) {} }
        impl Area for Square { const SIDES: u32 = 4; type Unit = u32; fn area(&self) -> u32 { self.side } }
        impl<T: Area> Area for Vec<T> { fn area(&self) -> u32 { 0 } }
        impl From<u8> for Square { fn from(n: u8) -> Self { Square::new(n.into()) } }
        impl From<u16> for Square { fn from(n: u16) -> Self { Square::new(n.into()) } }
        mod inner { pub fn deep() {} pub mod more { pub struct Deep; impl Deep { pub fn dig(&self) {} } } }
    "#;

    #[test]
    fn every_kind_of_item_is_found_by_its_path() {
        for (path, expected) in [
            ("LIMIT", "const LIMIT: u32 = 3; // three is enough"),
            ("NAME", "static NAME: &str = \"shapes\";"),
            ("Pair", "type Pair = (u32, u32);"),
            ("Square", "struct Square { side: u32 }"),
            ("Shape", "enum Shape { Square(Square) }"),
            ("Bits", "union Bits { a: u32, b: f32 }"),
            ("shape", "macro_rules! shape { () => {} }"),
            ("Area::SIDES", "const SIDES: u32;"),
            ("Area::Unit", "type Unit;"),
            ("Area::twice", "fn twice(&self) -> u32 { 2 * self.area() }"),
            ("Square::new", "fn new(side: u32) -> Self { Square { side } }"),
            ("<impl Area for Square>::SIDES", "const SIDES: u32 = 4;"),
            ("inner::deep", "pub fn deep() {}"),
            ("inner::more::Deep::dig", "pub fn dig(&self) {}"),
            ("inner :: more :: Deep", "pub struct Deep;"),
        ] {
            assert_eq!(cut(SHAPES, path), expected, "{path}");
        }
        assert!(cut(SHAPES, "inner").starts_with("mod inner { pub fn deep() {} pub mod more {"));
    }

    #[test]
    fn impl_blocks_are_named_with_or_without_their_generics() {
        for path in [
            "<impl Area for Vec<T>>",
            "<impl<T: Area> Area for Vec<T>>",
            "<impl Area for Vec>",
        ] {
            let text = cut(SHAPES, path);
            assert_eq!(
                text,
                "impl<T: Area> Area for Vec<T> { fn area(&self) -> u32 { 0 } }"
            );
        }
        assert!(cut(SHAPES, "<impl Square>").starts_with("impl Square { fn new"));
        let from = "fn from(n: u16) -> Self { Square::new(n.into()) }";
        assert_eq!(cut(SHAPES, "<impl From<u16> for Square>::from"), from);
    }

    #[test]
    fn a_types_own_method_comes_before_a_traits() {
        assert_eq!(cut(SHAPES, "Square::area"), "fn area(&self) {}");
        let of_trait = "fn area(&self) -> u32 { self.side }";
        assert_eq!(cut(SHAPES, "<impl Area for Square>::area"), of_trait);
        // Where only a trait has it, the short name will do.
        assert_eq!(cut(SHAPES, "Vec::area"), "fn area(&self) -> u32 { 0 }");
    }

    #[test]
    fn two_items_of_one_name_are_refused_with_both_places() {
        let message = miss(SHAPES, "<impl From for Square>");
        assert!(message.contains("`<impl From<u8> for Square>` ("), "{message}");
        assert!(
            message.contains("lib.rs:13) or `<impl From<u16> for Square>` ("),
            "{message}"
        );
        let message = miss("#[cfg(unix)] fn f() {}\n#[cfg(windows)] fn f() {}", "f");
        assert!(
            message.contains("lib.rs:1) or") && message.contains("lib.rs:2)"),
            "{message}"
        );
    }

    #[test]
    fn a_missing_item_is_told_with_the_nearest_one() {
        for (path, expected) in [
            ("Squire", "no item `Squire`; did you mean `Square`?"),
            ("deep", "no item `deep`; did you mean `inner::deep`?"),
            (
                "Deep::dig",
                "no item `Deep::dig`; did you mean `inner::more::Deep::dig`?",
            ),
            (
                "<impl Area for Sqare>",
                "no item `<impl Area for Sqare>`; did you mean `<impl Area for Square>`?",
            ),
            ("Kernel", "no item `Kernel`"),
        ] {
            assert_eq!(miss(SHAPES, path), expected);
        }
    }

    const DOCUMENTED: &str = r#"
mod kernel {
    // Not this comment: a blank line follows.

    // Counts from here.
    /// A counter.
    ///
    /// ```
    /// # let hidden = 1;
    /// ```
    #[derive(Debug)]
    #[must_use]
    pub struct Counter {
        /// How many.
        #[allow(dead_code)]
        pub count: u32, // never less than before

        /* why */
        pub(crate) step: u32,
    }

    impl Counter {
        #![allow(unused)]

        /// Counts.
        #[inline] #[cfg(unix)] pub fn up(&mut self) {
            // An ordinary comment.
            let text = "
/// not a comment
";
            self.count += 1;
        } // the end
    }
}
"#;

    #[test]
    fn docs_and_quiet_attributes_are_left_out_unless_asked_for() {
        assert_eq!(
            cut(DOCUMENTED, "kernel::Counter"),
            "#[derive(Debug)]\npub struct Counter {\n    pub count: u32, // never less than before\n\n    \
             /* why */\n    pub(crate) step: u32,\n}"
        );
        let krate = read(&[("lib.rs", DOCUMENTED)]).expect("read");
        let all = krate.cut("kernel::Counter", Show::Docs).expect("found").text;
        let start = "// Counts from here.\n/// A counter.\n///\n/// ```\n/// # let hidden = 1;\n";
        assert!(all.starts_with(start), "{all}");
        assert!(
            all.contains("    /// How many.\n    #[allow(dead_code)]\n"),
            "{all}"
        );
        assert!(!all.contains("Not this comment"), "{all}");
    }

    #[test]
    fn code_inside_is_kept_as_it_is() {
        assert_eq!(
            cut(DOCUMENTED, "kernel::Counter::up"),
            "#[cfg(unix)] pub fn up(&mut self) {\n    // An ordinary comment.\n    let text = \"\n\
             /// not a comment\n\";\n    self.count += 1;\n} // the end"
        );
        assert!(cut(DOCUMENTED, "kernel::<impl Counter>").starts_with("impl Counter {\n\n    #[cfg"));
    }

    #[test]
    fn modules_are_followed_into_their_files() {
        let krate = read(&[
            (
                "src/main.rs",
                "mod plain; mod folder; mod inline { mod leaf; #[path = \"far.rs\"] mod given; }\n\
                 #[path = \"../other/place.rs\"] mod elsewhere;\n\
                 #[cfg(windows)] mod not_here;",
            ),
            ("src/plain.rs", "mod child; pub fn plain() {}"),
            (
                "src/plain/child.rs",
                "\u{feff}pub fn child() {\r\n    let é = 1;\r\n}\r\n",
            ),
            ("src/folder/mod.rs", "mod child;"),
            ("src/folder/child.rs", "pub fn child() {}"),
            ("src/inline/leaf.rs", "pub fn leaf() {}"),
            ("src/inline/far.rs", "pub fn given() {}"),
            ("other/place.rs", "mod neighbour;"),
            ("other/neighbour.rs", "pub fn neighbour() {}"),
        ])
        .expect("read");
        for (path, file, text) in [
            ("plain::plain", "plain.rs", "pub fn plain() {}"),
            (
                "plain::child::child",
                "plain/child.rs",
                "pub fn child() {\n    let é = 1;\n}",
            ),
            ("folder::child::child", "folder/child.rs", "pub fn child() {}"),
            ("inline::leaf::leaf", "inline/leaf.rs", "pub fn leaf() {}"),
            ("inline::given::given", "inline/far.rs", "pub fn given() {}"),
            (
                "elsewhere::neighbour::neighbour",
                "neighbour.rs",
                "pub fn neighbour() {}",
            ),
            ("not_here", "src/main.rs", "#[cfg(windows)] mod not_here;"),
        ] {
            let cut = krate.cut(path, Show::Code).expect(path);
            assert_eq!(cut.text, text, "{path}");
            assert!(cut.file.ends_with(file), "{path}: {}", cut.file.display());
        }
    }

    #[test]
    fn a_label_is_the_name_without_the_module() {
        let krate = read(&[("lib.rs", SHAPES)]).expect("read");
        for (path, label) in [
            ("inner::more::Deep::dig", "Deep::dig"),
            (
                "<impl<T: Area> Area for Vec<T>>::area",
                "<impl Area for Vec<T>>::area",
            ),
            ("<impl Area for Square>", "<impl Area for Square>"),
        ] {
            assert_eq!(krate.cut(path, Show::Code).expect(path).label, label);
        }
    }

    #[test]
    fn source_that_does_not_parse_names_file_and_line() {
        let error = read(&[("lib.rs", "mod m;"), ("m.rs", "\nfn f( {}")]).expect_err("no Rust");
        assert!(error.to_string().contains("m.rs:2:"), "{error}");
        let error = read(&[("lib.rs", "#[path = \"lib.rs\"] mod again;")]).expect_err("a loop");
        assert!(
            error.to_string().ends_with("includes itself as a module"),
            "{error}"
        );
    }
}
