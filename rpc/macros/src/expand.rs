//! The generated code.
//!
//! Invariants:
//! * Every name of ours that meets a name of the user's in one scope is hygienic (`mixed_site`).
//! * Every path starts at the configured crate or at `::core`: what the user has in scope makes no difference.

pub(crate) mod client;
mod descriptor;
pub(crate) mod options;
pub(crate) mod server;

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::Type;
use syn::spanned::Spanned;

use crate::model::Model;

/// A local name that no user's name can meet.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

fn server_ident(model: &Model) -> Ident {
    format_ident!("{}Server", model.ident)
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
