//! What stands in the parentheses of the attributes.

use proc_macro::TokenStream;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Attribute, LitStr, Path, Token, parse_quote};

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

/// The options of a method's `#[rpc(..)]`.
pub(crate) struct MethodOptions {
    pub(crate) semantics: Semantics,
    /// The lane of an ordered method; empty for the service's own.
    pub(crate) lane: Option<String>,
    /// The method's name on the wire, if it is not that in the trait.
    pub(crate) name: Option<String>,
}

/// How often a method may run for one call: the variants of `fibra::rpc::service::Semantics`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Semantics {
    Maybe,
    Idempotent,
    AtMostOnce,
}

impl MethodOptions {
    /// Of a method that declares nothing.
    pub(crate) const DEFAULT: Self = Self { semantics: Semantics::AtMostOnce, lane: None, name: None };

    /// Reads a method's `#[rpc(..)]` attributes, of which there may be several, and takes them out.
    pub(crate) fn take(attrs: &mut Vec<Attribute>) -> syn::Result<Self> {
        let mut semantics = None;
        let mut lane = None;
        let mut name = None;
        for attr in attrs.extract_if(.., |attr| attr.path().is_ident("rpc")) {
            attr.parse_nested_meta(|meta| {
                if meta.path.is_ident("idempotent") {
                    set_semantics(&mut semantics, Semantics::Idempotent, &meta)?;
                } else if meta.path.is_ident("maybe") {
                    set_semantics(&mut semantics, Semantics::Maybe, &meta)?;
                } else if meta.path.is_ident("ordered") {
                    if lane.replace(parse_lane(&meta)?).is_some() {
                        return Err(meta.error("a method is in one lane: write `ordered` once"));
                    }
                } else if meta.path.is_ident("name") {
                    let text: LitStr = meta.value()?.parse()?;
                    if !is_word(&text.value()) {
                        return Err(syn::Error::new_spanned(text, "a method's name is one word, such as `add`"));
                    }
                    name = Some(text.value());
                } else {
                    return Err(meta.error("unknown option: `#[rpc(..)]` takes `idempotent`, `maybe`, `ordered` and `name = \"..\"`"));
                }
                if lane.is_some() && semantics.is_some() {
                    return Err(meta.error(
                        "only methods that run at most once (the default) can be `ordered`: to keep the order is to know what has run",
                    ));
                }
                Ok(())
            })?;
        }
        Ok(Self { semantics: semantics.unwrap_or(Semantics::AtMostOnce), lane, name })
    }
}

fn set_semantics(to: &mut Option<Semantics>, semantics: Semantics, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    match to.replace(semantics) {
        None => Ok(()),
        Some(_) => Err(meta.error("a method is either `idempotent`, or `maybe`, or at most once (the default)")),
    }
}

/// `ordered`, or `ordered = "lane"`.
fn parse_lane(meta: &ParseNestedMeta<'_>) -> syn::Result<String> {
    if !meta.input.peek(Token![=]) {
        return Ok(String::new());
    }
    let lane: LitStr = meta.value()?.parse()?;
    if is_word(&lane.value()) {
        return Ok(lane.value());
    }
    Err(syn::Error::new_spanned(lane, "a lane's name is one word, such as `ordered = \"accounts\"`"))
}

/// Names on the wire are for all languages, and for people who type them.
fn check_name(name: &LitStr) -> syn::Result<()> {
    if name.value().split('.').all(is_word) {
        return Ok(());
    }
    Err(syn::Error::new_spanned(name, "a service's name is made of words and dots, such as `bank.accounts`"))
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}
