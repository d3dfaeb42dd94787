//! Reads the items of a crate, file by file.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, bail};
use syn::spanned::Spanned;
use syn::{Attribute, ImplItem, Item, ItemImpl, ItemMod, ItemTrait, TraitItem};

use super::{Entry, File, Kind, join, normal, parent};

/// All items of the crate with this root file.
pub(super) fn read(root: &Path) -> Result<Vec<Entry>> {
    let mut reader = Reader::default();
    reader.file(root, "", &parent(root), false)?;
    Ok(reader.items)
}

/// Collects the items of a crate.
#[derive(Default)]
struct Reader {
    items: Vec<Entry>,
    /// The files being read, outermost first: a `#[path]` must not lead back to one of them.
    open: Vec<PathBuf>,
}

impl Reader {
    /// Reads the file of module `module` whose child modules' files are in `children`.
    fn file(&mut self, path: &Path, module: &str, children: &Path, test: bool) -> Result<()> {
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
            type_name: None,
            test,
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
                self.last_is(Kind::Module);
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
        let place = Place {
            type_name: Some(&names.type_name),
            ..place
        };
        self.push(place, &[&names.plain, &names.with_generics], &[&names.bare], item);
        self.last_is(Kind::Impl);
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
            if matches!(inner, ImplItem::Type(_)) {
                self.last_is(Kind::AssociatedType);
            }
        }
    }

    /// Follows a module into its braces or its file, by the rules of the Rust Reference.
    fn module(&mut self, item: &ItemMod, place: Place<'_>) -> Result<()> {
        let name = item.ident.to_string();
        let name = name.trim_start_matches("r#");
        let module = join(place.module, name);
        let given = path_attribute(item);
        let test = place.test || item.attrs.iter().any(is_for_tests);
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
                type_name: None,
                test,
            };
            for item in items {
                self.item(item, inside)?;
            }
            return Ok(());
        }
        if let Some(given) = &given {
            let file = place.path_base.join(given);
            return match file.exists() {
                true => self.file(&file, &module, &parent(&file), test),
                false => Ok(()),
            };
        }
        let children = place.children.join(name);
        let beside = place.children.join(format!("{name}.rs"));
        let within = children.join("mod.rs");
        // The code compiles, so a module without a file is one that `cfg` leaves out here.
        match [beside, within].iter().find(|file| file.exists()) {
            Some(file) => self.file(file, &module, &children, test),
            None => Ok(()),
        }
    }

    fn last_is(&mut self, kind: Kind) {
        if let Some(entry) = self.items.last_mut() {
            entry.kind = kind;
        }
    }

    fn push(&mut self, place: Place<'_>, full: &[&str], short: &[&str], item: &impl Spanned) {
        let path = |name: &&str| normal(&join(place.module, name));
        self.items.push(Entry {
            full: full.iter().map(path).collect(),
            short: short.iter().map(path).collect(),
            label: full[0].to_owned(),
            type_name: place.type_name.map(str::to_owned),
            kind: Kind::Other,
            test: place.test,
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
    /// The type of the impl block around it.
    type_name: Option<&'a str>,
    /// The module is compiled for tests only.
    test: bool,
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

/// `#[cfg(test)]`
fn is_for_tests(attribute: &Attribute) -> bool {
    let test = |list: &syn::MetaList| list.path.is_ident("cfg") && list.tokens.to_string() == "test";
    matches!(&attribute.meta, syn::Meta::List(list) if test(list))
}
