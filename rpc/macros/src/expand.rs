//! The generated code.
//!
//! Invariants:
//! * Every name of ours that meets a name of the user's in one scope is hygienic (`mixed_site`), or one that no user gives: what is no variable is not
//!   hygienic.
//! * Every path starts at the configured crate or at `::core`: what the user has in scope makes no difference.

pub(crate) mod client;
mod descriptor;
pub(crate) mod options;
pub(crate) mod server;
pub(crate) mod start;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use crate::model::Model;

/// A local name that no user's name can meet.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// As [`local`], of a constant or a type: nobody gives such a name.
fn item(name: &str) -> Ident {
    format_ident!("__{name}", span = Span::mixed_site())
}

/// The arguments of a call, as one value. What is not serde's is reported at the type that the user wrote.
fn arguments(names: &[&Ident], types: &[&Type]) -> TokenStream {
    // serde has no empty tuple that is an array; an empty array is one.
    if names.is_empty() { quote!([(); 0]) } else { quote_spanned!(spans(types)=> (#(#names,)*)) }
}

fn server_ident(model: &Model) -> Ident {
    format_ident!("{}Server", model.ident)
}

fn start_ident(model: &Model) -> Ident {
    format_ident!("{}Start", model.ident)
}

fn client_ident(model: &Model) -> Ident {
    format_ident!("{}Client", model.ident)
}

/// From the first type to the last, as far as the compiler can join them.
fn spans(types: &[&Type]) -> Span {
    let mut spans = types.iter().map(|ty| ty.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    spans.fold(first, |all, span| all.join(span).unwrap_or(all))
}
