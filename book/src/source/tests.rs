//! Cutting, tried on small crates.

use std::fs;

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
