//! Which types can travel to another process, as far as their spelling tells.
//!
//! What the spelling does not tell (is it `Serialize`?) the compiler says, at the type.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{GenericArgument, PathArguments, Type};

/// Refuses a type that borrows, or that is not one definite type.
pub(crate) fn check(ty: &Type) -> syn::Result<()> {
    if let Type::Reference(reference) = ty {
        let instead = match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => quote!(String),
            Type::Slice(slice) => {
                let elem = &slice.elem;
                quote!(Vec<#elem>)
            }
            owned => owned.to_token_stream(),
        };
        let message = format!("a reference cannot travel to another process: write `{}`", spelled(instead));
        return Err(syn::Error::new_spanned(ty, message));
    }
    match first_obstacle(ty.to_token_stream()) {
        None => Ok(()),
        Some((Obstacle::Borrow, span)) => Err(syn::Error::new(
            span,
            "a borrow cannot travel to another process: write the owned type (`String` for `&str`, `Vec<T>` for `&[T]`)",
        )),
        Some((Obstacle::Indefinite, span)) => Err(syn::Error::new(
            span,
            "the other process must know the type: write a definite one in place of `impl` or `dyn`",
        )),
        Some((Obstacle::SelfType, span)) => {
            Err(syn::Error::new(span, "`Self` cannot travel to another process: write the data that should"))
        }
    }
}

/// The `T` and `E` of a type spelled `Result<T, E>`; `None` for any other type.
pub(crate) fn result_types(ty: &Type) -> syn::Result<Option<(&Type, &Type)>> {
    let Type::Path(path) = ty else { return Ok(None) };
    let Some(last) = path.path.segments.last().filter(|segment| segment.ident == "Result") else { return Ok(None) };
    if let PathArguments::AngleBracketed(arguments) = &last.arguments {
        let mut arguments = arguments.args.iter();
        if let (Some(GenericArgument::Type(value)), Some(GenericArgument::Type(error)), None) =
            (arguments.next(), arguments.next(), arguments.next())
        {
            return Ok(Some((value, error)));
        }
    }
    Err(syn::Error::new_spanned(
        ty,
        "name both types, `Result<T, E>`: the proxy returns `Result<T, CallError<E>>`, so it must know the error",
    ))
}

enum Obstacle {
    Borrow,
    Indefinite,
    SelfType,
}

/// Looks at every token, however deep: a type that is spelled without these borrows nothing.
fn first_obstacle(tokens: TokenStream) -> Option<(Obstacle, Span)> {
    let mut lifetime = false;
    for token in tokens {
        let obstacle = match &token {
            TokenTree::Punct(punct) if punct.as_char() == '&' => Some(Obstacle::Borrow),
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                lifetime = true;
                continue;
            }
            TokenTree::Ident(name) if lifetime => (name != "static").then_some(Obstacle::Borrow),
            TokenTree::Ident(name) if name == "impl" || name == "dyn" => Some(Obstacle::Indefinite),
            TokenTree::Ident(name) if name == "Self" => Some(Obstacle::SelfType),
            TokenTree::Group(group) => {
                if let Some(found) = first_obstacle(group.stream()) {
                    return Some(found);
                }
                None
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
        };
        if let Some(obstacle) = obstacle {
            return Some((obstacle, token.span()));
        }
        lifetime = false;
    }
    None
}

/// Tokens as a person would write them, on one line: no blanks but where words meet, after commas, and around what stands between two types.
pub(crate) fn spelled(tokens: TokenStream) -> String {
    let mut text = String::new();
    spell(tokens, &mut text);
    text
}

fn spell(tokens: TokenStream, text: &mut String) {
    let ends_in_word = |text: &str| text.ends_with(|char: char| char.is_alphanumeric() || char == '_');
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                spell(group.stream(), text);
                text.push_str(close);
            }
            TokenTree::Punct(punct) => match punct.as_char() {
                ',' | ';' => {
                    text.push(punct.as_char());
                    text.push(' ');
                }
                '+' | '=' => text.push_str(&format!(" {} ", punct.as_char())),
                '>' if text.ends_with('-') => {
                    text.pop();
                    text.push_str(" -> ");
                }
                char => text.push(char),
            },
            word @ (TokenTree::Ident(_) | TokenTree::Literal(_)) => {
                if ends_in_word(text) {
                    text.push(' ');
                }
                text.push_str(&word.to_string());
            }
        }
    }
    text.truncate(text.trim_end().len());
}

#[cfg(test)]
mod tests {
    use super::spelled;

    #[test]
    fn types_are_spelled_as_a_person_would() {
        for ty in
            ["HashMap<String, Vec<(u8, i64)>>", "[u8; 32]", "std::net::IpAddr", "()", "Option<fn(u8) -> u8>", "(u8,)"]
        {
            assert_eq!(spelled(ty.parse().expect("tokens")), ty);
        }
    }
}
