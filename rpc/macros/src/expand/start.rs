//! `CalculatorStart`: the trait's methods, each as the start of a call that is not waited for.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::Path;

use super::{arguments, cause_of_output, client_ident, item, start_ident};
use crate::model::{Method, Model, Output};
use crate::options::Semantics;

pub(crate) fn expand(model: &Model, krate: &Path) -> TokenStream {
    let Model { vis, ident, methods, .. } = model;
    let client = client_ident(model);
    let start = start_ident(model);
    // What streams is under way at once anyway.
    let plain = methods.iter().enumerate().filter(|(_, method)| method.streams.first().is_none());
    let starts = plain.map(|(index, method)| expand_method(&client, method, index, krate));
    let doc = format!("Starts calls of a [`{ident}`] in another process, without waiting for their replies.");
    quote! {
        #[doc = #doc]
        #[derive(Clone, Copy, Debug)]
        #vis struct #start<'a> {
            proxy: #krate::client::Starter<'a>,
        }

        #[allow(dead_code, clippy::too_many_arguments)]
        impl #start<'_> {
            #(#starts)*
        }
    }
}

fn expand_method(client: &Ident, method: &Method, index: usize, krate: &Path) -> TokenStream {
    let Method { attrs, ident, options, output, .. } = method;
    let (names, types) = method.names_and_types();
    let descriptor = item("METHOD");
    let args = arguments(method);
    let cause = cause_of_output(method);
    let (how, value, error) = match (options.semantics, output) {
        (Semantics::Maybe, _) => (quote!(post), quote!(()), quote!(::core::convert::Infallible)),
        (_, Output::Value(value)) => {
            (quote_spanned!(cause=> start), quote!(#value), quote!(::core::convert::Infallible))
        }
        (_, Output::Fallible { value, error }) => {
            (quote_spanned!(cause=> start_fallible), quote!(#value), quote!(#error))
        }
    };
    quote! {
        #(#attrs)*
        pub fn #ident(&self, #(#names: #types),*) -> #krate::client::Pending<#value, #error> {
            const #descriptor: &#krate::service::Method = &#client::DESCRIPTOR.methods()[#index];
            self.proxy.#how(#descriptor, #args)
        }
    }
}
