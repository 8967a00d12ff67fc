//! The descriptor: what the trait says of itself, as a constant.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Path, Type};

use super::item;
use crate::model::{Method, Model, Output};
use crate::options::Semantics;
use crate::travel::spelled;

/// An expression of type `&'static Descriptor`.
pub(crate) fn expand(model: &Model, krate: &Path) -> TokenStream {
    let Model { name, docs, methods, .. } = model;
    let list = item("METHODS");
    let methods = methods.iter().map(|method| expand_method(method, name, krate));
    // A list of its own: what could have to be dropped is constant only as the value of a constant.
    quote! {{
        const #list: &[#krate::service::Method] = &[#(#methods),*];
        &#krate::service::Descriptor::new(#name, #list).with_docs(#docs)
    }}
}

fn expand_method(method: &Method, service: &str, krate: &Path) -> TokenStream {
    let Method { full_name, docs, .. } = method;
    let semantics = match method.options.semantics {
        Semantics::Maybe => quote!(Maybe),
        Semantics::Idempotent => quote!(Idempotent),
        Semantics::AtMostOnce => quote!(AtMostOnce),
    };
    let arguments = method.arguments.iter().map(|(name, ty)| {
        let (name, ty) = (name.unraw().to_string(), spelled(ty.to_token_stream()));
        quote!(#krate::service::Argument::new(#name, #ty))
    });
    let lane = method.options.lane.as_ref().map(|lane| {
        let lane = if lane.is_empty() { service.to_owned() } else { format!("{service}.{lane}") };
        quote!(.with_lane(#lane))
    });
    let items = |stream: &Option<(Ident, Type)>, with: TokenStream| {
        stream.as_ref().map(|(_, item)| {
            let item = spelled(item.to_token_stream());
            quote!(.#with(#item))
        })
    };
    let client_items = items(&method.streams.receiver, quote!(with_client_items));
    let server_items = items(&method.streams.sender, quote!(with_server_items));
    let output = match &method.output {
        Output::Value(value) => {
            let value = spelled(value.to_token_stream());
            quote!(.with_value(#value))
        }
        Output::Fallible { value, error } => {
            let (value, error) = (spelled(value.to_token_stream()), spelled(error.to_token_stream()));
            quote!(.with_value(#value).with_error(#error))
        }
    };
    quote! {
        #krate::service::Method::new(#full_name, #krate::service::Semantics::#semantics)
            .with_docs(#docs)
            .with_arguments(&[#(#arguments),*])
            #output
            #client_items
            #server_items
            #lane
    }
}
