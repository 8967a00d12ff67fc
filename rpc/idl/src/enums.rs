//! The names of enums: each says them by a trait, and what holds its values reads and writes them by that.
//!
//! prost-build knows by which path an enum is called where a field is; here that is carried over to the field's attribute for serde.

use quote::quote;
use syn::parse::ParseStream;
use syn::{Attribute, Expr, Item, LitStr, Token, Type, parse_quote};

use crate::messages::{ALIAS, ENUMERATION};

/// Another name of a number, and that.
type Alias = (LitStr, Expr);

/// Adds the names of each enum in a module, behind its own methods.
pub(crate) fn add_names(items: &mut Vec<Item>) {
    let mut named = Vec::with_capacity(items.len());
    let mut aliases = Vec::new();
    for mut item in items.drain(..) {
        let mut names_of = None;
        match &mut item {
            Item::Enum(item) => aliases = take_aliases(&mut item.attrs),
            Item::Impl(item) if item.trait_.is_none() && is_of_enum(item) => {
                names_of = Some(names(&item.self_ty, &std::mem::take(&mut aliases)));
            }
            _ => {}
        }
        named.push(item);
        named.extend(names_of);
    }
    *items = named;
}

fn take_aliases(attrs: &mut Vec<Attribute>) -> Vec<Alias> {
    let aliases = attrs.extract_if(.., |attr| attr.path().is_ident(ALIAS));
    let parse = |input: ParseStream<'_>| {
        let name = input.parse()?;
        input.parse::<Token![,]>()?;
        Ok((name, input.parse()?))
    };
    aliases.filter_map(|attr| attr.parse_args_with(parse).ok()).collect()
}

/// Has a field, or a oneof's member, say which enum its values are of.
pub(crate) fn name_enum(attrs: &mut [Attribute]) {
    let Some(path) = attrs.iter().find_map(enum_of) else { return };
    for attr in attrs {
        if is_unnamed(attr) {
            let with = format!("{ENUMERATION}::<{path}>");
            *attr = parse_quote!(#[serde(with = #with)]);
        }
    }
}

/// Whether it is an attribute that does not say it yet.
fn is_unnamed(attr: &Attribute) -> bool {
    let mut found = false;
    if attr.path().is_ident("serde") {
        // Other attributes of serde's are not of that form, and of no interest.
        let _ = attr.parse_nested_meta(|meta| {
            found |= meta.path.is_ident("with") && meta.value()?.parse::<LitStr>()?.value() == ENUMERATION;
            Ok(())
        });
    }
    found
}

/// The path of the enum that an attribute of prost's names.
fn enum_of(attr: &Attribute) -> Option<String> {
    let mut found = None;
    if attr.path().is_ident("prost") {
        let _ = attr.parse_nested_meta(|meta| {
            if !meta.input.peek(Token![=]) {
                return Ok(());
            }
            let value = meta.value()?.parse::<LitStr>()?.value();
            if meta.path.is_ident("enumeration") {
                found = Some(value);
            } else if let Some((_, path)) = value.split_once("enumeration(") {
                found = path.strip_suffix(')').map(str::to_owned);
            }
            Ok(())
        });
    }
    found
}

/// Whether these are the methods that prost-build gives to enums.
fn is_of_enum(item: &syn::ItemImpl) -> bool {
    item.items.iter().any(|item| matches!(item, syn::ImplItem::Fn(method) if method.sig.ident == "from_str_name"))
}

fn names(of: &Type, aliases: &[Alias]) -> Item {
    let first: Expr = parse_quote!(Self::from_str_name(name).map(i32::from));
    let number: Expr = if aliases.is_empty() {
        first
    } else {
        let arms = aliases.iter().map(|(name, number)| quote!(#name => Some(#number)));
        parse_quote!(match name { #(#arms,)* _ => #first })
    };
    parse_quote! {
        impl ::fibra::proto::Names for #of {
            fn name(number: i32) -> ::core::option::Option<&'static str> {
                Self::try_from(number).ok().map(|value| value.as_str_name())
            }

            fn number(name: &str) -> ::core::option::Option<i32> {
                #number
            }
        }
    }
}
