//! `CalculatorServer<T>`: from a method's number and bytes to a call of `T`, and back.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned;

use super::{cause, cause_of_output, client_ident, item, local, server_ident};
use crate::model::{Method, Model, Output};

pub(crate) fn expand(model: &Model, krate: &Path) -> TokenStream {
    let Model { vis, ident, methods, .. } = model;
    let server = server_ident(model);
    let client = client_ident(model);
    let (number, args, reply, own) = (local("number"), local("args"), local("reply"), item("T"));
    let arms = methods.iter().enumerate().map(|(index, method)| {
        let run = arm(model, method);
        quote!(#index => { #run })
    });
    let doc = format!("Serves a [`{ident}`]: give it to `Server::builder().service(..)`.");
    quote! {
        #[doc = #doc]
        #[derive(Clone, Debug)]
        #vis struct #server<T>(T);

        impl<T: #ident + ::core::marker::Send + ::core::marker::Sync + 'static> #server<T> {
            /// Serves `service`. Calls run at once, on all workers: its state is shared, behind locks or in atomics.
            pub fn new(service: T) -> Self {
                Self(service)
            }
        }

        #[allow(deprecated, unused_mut, unused_variables)]
        impl<#own: #ident + ::core::marker::Send + ::core::marker::Sync + 'static> #krate::service::Service for #server<#own> {
            fn descriptor(&self) -> &'static #krate::service::Descriptor {
                #client::DESCRIPTOR
            }

            fn dispatch(
                &self,
                #number: usize,
                mut #args: #krate::service::Args<'_>,
                #reply: #krate::service::Reply<'_>,
            ) -> ::core::result::Result<#krate::service::Answer, #krate::service::Rejected> {
                match #number {
                    #(#arms)*
                    _ => ::core::result::Result::Err(#krate::service::Rejected::Method),
                }
            }
        }
    }
}

/// Decodes one method's arguments, runs it, answers.
fn arm(model: &Model, method: &Method) -> TokenStream {
    let (args, reply, own) = (local("args"), local("reply"), item("T"));
    let service = &model.ident;
    let ident = &method.ident;
    let count = method.arguments.len();
    let (names, types) = method.names_and_types();
    // serde has no empty tuple that is an array; an empty array is one.
    let receiver = method.streams.receiver.as_ref().map(|(name, item)| {
        let receiver = quote_spanned!(item.span()=> receiver::<#item>);
        quote!(let #name = #args.#receiver()?;)
    });
    let sender = method.streams.sender.as_ref().map(|(name, item)| {
        let sender = quote_spanned!(item.span()=> sender::<#item>);
        quote!(let #name = #args.#sender()?;)
    });
    let parameters = &method.parameters;
    let decode = if names.is_empty() {
        quote!(let [] = #args.decode::<[(); 0]>(0)?;)
    } else {
        let decode = quote_spanned!(cause(method)=> decode);
        quote!(let (#(#names,)*): (#(#types,)*) = #args.#decode(#count)?;)
    };
    // What is not serde's is reported at the type that the user wrote.
    let place = cause_of_output(method);
    let answer = match &method.output {
        Output::Value(_) => quote_spanned!(place=> value),
        Output::Fallible { .. } => quote_spanned!(place=> result),
    };
    quote! {
        #receiver
        #sender
        #decode
        ::core::result::Result::Ok(#reply.#answer(&<#own as #service>::#ident(&self.0, #(#parameters),*)))
    }
}
