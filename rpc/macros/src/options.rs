//! What stands in the parentheses of the attributes.

use proc_macro::TokenStream;
use syn::parse::Parser;
use syn::{Attribute, LitStr, Path, parse_quote};

/// The options of `#[service(..)]`.
pub(crate) struct ServiceOptions {
    /// Where the items of `fibra::rpc` are.
    pub(crate) krate: Path,
    /// The name on the wire, if it is not the trait's.
    pub(crate) name: Option<LitStr>,
}

impl ServiceOptions {
    pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Self> {
        let mut options = Self { krate: parse_quote!(::fibra::rpc), name: None };
        syn::meta::parser(|meta| {
            if meta.path.is_ident("crate") {
                options.krate = meta.value()?.call(Path::parse_mod_style)?;
            } else if meta.path.is_ident("name") {
                let name: LitStr = meta.value()?.parse()?;
                check_name(&name)?;
                options.name = Some(name);
            } else {
                return Err(meta.error("unknown option: `#[service]` takes `crate = path` and `name = \"..\"`"));
            }
            Ok(())
        })
        .parse(tokens)?;
        Ok(options)
    }
}

/// Names on the wire are for all languages, and for people who type them.
fn check_name(name: &LitStr) -> syn::Result<()> {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_alphabetic())
            && word.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
    };
    if name.value().split('.').all(is_word) {
        return Ok(());
    }
    Err(syn::Error::new_spanned(name, "a service's name is made of words and dots, such as `bank.accounts`"))
}

/// How often a method may run for one call: the variants of `fibra::rpc::service::Semantics`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Semantics {
    Maybe,
    Idempotent,
    AtMostOnce,
}

/// Reads a method's `#[rpc(..)]` attributes, of which there may be one, and takes them out.
pub(crate) fn take_semantics(attrs: &mut Vec<Attribute>) -> syn::Result<Semantics> {
    let mut found = None;
    for attr in attrs.extract_if(.., |attr| attr.path().is_ident("rpc")) {
        attr.parse_nested_meta(|meta| {
            let semantics = if meta.path.is_ident("idempotent") {
                Semantics::Idempotent
            } else if meta.path.is_ident("maybe") {
                Semantics::Maybe
            } else {
                return Err(meta.error("unknown option: `#[rpc(..)]` takes `idempotent` or `maybe`"));
            };
            if found.replace(semantics).is_some() {
                return Err(meta.error("a method is either `idempotent`, or `maybe`, or at most once (the default)"));
            }
            Ok(())
        })?;
    }
    Ok(found.unwrap_or(Semantics::AtMostOnce))
}
