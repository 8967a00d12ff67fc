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
use syn::spanned::Spanned;

use crate::model::{Method, Model, Output};

/// A local name that no user's name can meet.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// As [`local`], of a constant or a type: nobody gives such a name.
fn item(name: &str) -> Ident {
    format_ident!("__{name}", span = Span::mixed_site())
}

/// A reference to the arguments of a call, as one value. What is not serde's is reported at the type that the user wrote.
fn arguments(method: &Method) -> TokenStream {
    // serde has no empty tuple that is an array; an empty array is one.
    if method.arguments.is_empty() {
        return quote!(&[(); 0]);
    }
    let values = method.arguments.iter().map(|(name, _)| name);
    quote_spanned!(cause(method)=> &(#(#values,)*))
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

/// Where to report what is wrong with one of a method's arguments: at its type if there is one. Of several a span covers none but the first: so at the
/// method, rather than at one that is innocent.
fn cause(method: &Method) -> Span {
    match &method.arguments[..] {
        [(_, ty)] => ty.span(),
        _ => method.ident.span(),
    }
}

/// The same of what it returns.
fn cause_of_output(method: &Method) -> Span {
    match &method.output {
        Output::Value(value) => value.span(),
        Output::Fallible { .. } => method.ident.span(),
    }
}
