//! From what prost-build writes to what a person would: short paths where nothing else has the name, one `derive`, documentation that is no test.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Field, File, Item, ItemMod, Meta, Path, Token, Variant, parse_quote};

use crate::{comments, docs, enums};

/// Types that go by one name everywhere, unless a module has a type of that name.
const IN_PRELUDE: [(&[&str], &str); 5] = [
    (&["prost", "alloc", "string", "String"], "String"),
    (&["prost", "alloc", "vec", "Vec"], "Vec"),
    (&["prost", "alloc", "boxed", "Box"], "Box"),
    (&["core", "option", "Option"], "Option"),
    (&["core", "result", "Result"], "Result"),
];

/// prost's path to it, and std's.
const BTREE_MAP: (&[&str], [&str; 3]) =
    (&["prost", "alloc", "collections", "BTreeMap"], ["std", "collections", "BTreeMap"]);

/// Polishes the source of a module in which there are, beside its own items, `children`.
pub(crate) fn polish(source: &str, children: &[&str]) -> syn::Result<File> {
    let mut file = syn::parse_file(&comments::hide(source))?;
    enums::add_names(&mut file.items);
    let mut names: HashSet<String> = children.iter().map(|&child| child.to_owned()).collect();
    names.extend(names_of(&file.items));
    Polisher { names }.visit_file_mut(&mut file);
    Ok(file)
}

struct Polisher {
    /// What the module declares.
    names: HashSet<String>,
}

impl VisitMut for Polisher {
    fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
        if let Some((_, items)) = &mut module.content {
            enums::add_names(items);
        }
        let inner = module.content.as_ref().map(|(_, items)| names_of(items)).unwrap_or_default();
        let outer = std::mem::replace(&mut self.names, inner);
        visit_mut::visit_item_mod_mut(self, module);
        self.names = outer;
    }

    fn visit_attributes_mut(&mut self, attrs: &mut Vec<Attribute>) {
        self.merge_derives(attrs);
        docs::make_text(attrs);
        for attr in attrs {
            self.visit_attribute_mut(attr);
        }
    }

    fn visit_variant_mut(&mut self, variant: &mut Variant) {
        // prost-build gives it, too, what is said of the oneof.
        variant.attrs.retain(|attr| !attr.meta.to_token_stream().to_string().contains("deserialize_with"));
        enums::name_enum(&mut variant.attrs);
        visit_mut::visit_variant_mut(self, variant);
    }

    fn visit_field_mut(&mut self, field: &mut Field) {
        enums::name_enum(&mut field.attrs);
        visit_mut::visit_field_mut(self, field);
    }

    fn visit_path_mut(&mut self, path: &mut Path) {
        self.shorten(path);
        visit_mut::visit_path_mut(self, path);
    }
}

impl Polisher {
    /// `::core::option::Option<T>` to `Option<T>`, `::prost::Message` to `prost::Message`.
    fn shorten(&self, path: &mut Path) {
        if path.leading_colon.is_none() {
            return;
        }
        let is = |known: &[&str]| {
            path.segments.len() == known.len()
                && path.segments.iter().zip(known).all(|(segment, name)| segment.ident == name)
        };
        let last = path.segments.last().map(|segment| segment.arguments.clone()).unwrap_or_default();
        if let Some((_, name)) = IN_PRELUDE.iter().find(|(known, name)| is(known) && !self.names.contains(*name)) {
            let ident = syn::Ident::new(name, proc_macro2::Span::call_site());
            *path = parse_quote!(#ident);
        } else if is(BTREE_MAP.0) {
            let [std, collections, map] = BTREE_MAP.1.map(|name| syn::Ident::new(name, proc_macro2::Span::call_site()));
            *path = parse_quote!(::#std::#collections::#map);
        }
        if let Some(segment) = path.segments.last_mut() {
            segment.arguments = last;
        }
        let is_free = path.segments.first().is_some_and(|first| !self.names.contains(&first.ident.to_string()));
        if is_free {
            path.leading_colon = None;
        }
    }

    /// One `derive` in place of several, after the documentation.
    fn merge_derives(&self, attrs: &mut Vec<Attribute>) {
        let mut derived = Vec::new();
        for attr in attrs.extract_if(.., |attr| attr.path().is_ident("derive")) {
            if let Meta::List(list) = &attr.meta
                && let Ok(paths) = Punctuated::<Path, Token![,]>::parse_terminated.parse2(list.tokens.clone())
            {
                // prost's come last, and are the ones that every message has.
                derived.splice(0..0, paths);
            }
        }
        if derived.is_empty() {
            return;
        }
        derived.iter_mut().for_each(|path| self.shorten(path));
        let after_docs = attrs.iter().take_while(|attr| attr.path().is_ident("doc")).count();
        attrs.insert(after_docs, parse_quote!(#[derive(#(#derived),*)]));
    }
}

fn names_of(items: &[Item]) -> HashSet<String> {
    let name = |item: &Item| match item {
        Item::Struct(item) => Some(item.ident.to_string()),
        Item::Enum(item) => Some(item.ident.to_string()),
        Item::Mod(item) => Some(item.ident.to_string()),
        Item::Trait(item) => Some(item.ident.to_string()),
        _ => None,
    };
    items.iter().filter_map(name).collect()
}

/// The source of a polished module, with a blank line between two items and between two methods.
pub(crate) fn print(file: &File) -> String {
    let source = prettyplease::unparse(file);
    let mut spaced = String::with_capacity(source.len());
    let mut before = "";
    for line in source.lines() {
        let margin = |line: &str| line.len() - line.trim_start().len();
        let begins = ["///", "#[", "pub ", "impl ", "fn "].iter().any(|word| line.trim_start().starts_with(word));
        let is_text = before.trim_start().starts_with("///");
        let follows = !is_text && (before.ends_with('}') || before.ends_with(';'));
        let are_modules = before.starts_with("pub mod") && line.starts_with("pub mod");
        if begins && follows && margin(before) == margin(line) && !are_modules {
            spaced.push('\n');
        }
        spaced.push_str(line);
        spaced.push('\n');
        before = line;
    }
    comments::show(&spaced)
}

/// The tokens of a source, by which two sources are compared: without layout, comments, and commas before closing brackets, which formatting adds
/// and takes away.
pub(crate) fn tokens(source: &str) -> Option<Vec<String>> {
    fn flatten(tokens: TokenStream, flat: &mut Vec<String>) {
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Group(group) => {
                    flat.push(format!("{:?}", group.delimiter()));
                    flatten(group.stream(), flat);
                    if flat.last().is_some_and(|last| last == ",") {
                        flat.pop();
                    }
                    flat.push("end".to_owned());
                }
                token => {
                    let token = token.to_string();
                    if token == ">" && flat.last().is_some_and(|last| last == ",") {
                        flat.pop();
                    }
                    flat.push(token);
                }
            }
        }
    }
    let mut flat = Vec::new();
    flatten(source.parse().ok()?, &mut flat);
    Some(flat)
}
