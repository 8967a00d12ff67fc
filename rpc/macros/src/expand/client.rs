//! `CalculatorClient`: the trait's methods, each as a call.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Path, Type};

use super::{arguments, cause_of_output, client_ident, descriptor, item, options, server_ident, start_ident};
use crate::model::{Method, Model, Output};
use crate::options::Semantics;

pub(crate) fn expand(model: &Model, krate: &Path) -> TokenStream {
    let Model { vis, ident, methods, .. } = model;
    let client = client_ident(model);
    let (server, start) = (server_ident(model), start_ident(model));
    let descriptor = descriptor::expand(model, krate);
    let calls = methods.iter().enumerate().map(|(index, method)| call(&client, method, index, krate));
    let options = options::expand(krate);
    let doc = format!(
        "Calls a [`{ident}`] in another process.\n\n\
         A clone shares the connection, and a proxy may be used from any number of fibers and threads at once."
    );
    quote! {
        #[doc = #doc]
        #[derive(Clone, Debug)]
        #vis struct #client {
            proxy: #krate::client::Proxy,
        }

        #[allow(dead_code, clippy::too_many_arguments)]
        impl #client {
            /// The service's name, methods and documentation.
            pub const DESCRIPTOR: &'static #krate::service::Descriptor = #descriptor;

            /// Connects to a server. Call it from a fiber; the proxy may then go anywhere.
            ///
            /// # Errors
            ///
            /// A `ConnectError` that says what is wrong, and where.
            pub fn connect(
                addr: impl #krate::net::ToSocketAddrs,
            ) -> ::core::result::Result<Self, #krate::ConnectError> {
                #krate::client::Proxy::connect(addr).map(|proxy| Self { proxy })
            }

            /// A proxy of a service in this process, without a connection: for tests, and for what may be local or remote.
            ///
            /// A call runs on its caller's fiber, and is otherwise as a remote one: values travel by serde, a panic and the method's
            /// own error are typed errors, deadlines hold.
            pub fn local<T>(service: T) -> Self
            where
                T: #ident + ::core::marker::Send + ::core::marker::Sync + 'static,
            {
                Self::new(#krate::Channel::local(#server::new(service)))
            }

            /// A proxy over a connection that others may use too.
            pub fn new(channel: #krate::Channel) -> Self {
                Self { proxy: #krate::client::Proxy::new(channel) }
            }

            #options

            /// The same methods as starts: each sends its call and returns a handle, to be joined later.
            ///
            /// A call that goes out alone is sent at once, others when this fiber waits. To send many at once see [`batch`](Self::batch).
            pub fn start(&self) -> #start<'_> {
                #start { proxy: self.proxy.starter() }
            }

            /// Sends the calls that `f` starts all at once, with one write, and returns what `f` does: their handles.
            ///
            /// Each call has an outcome of its own. To wait for one within `f`, or to look whether it has ended, sends those before it.
            pub fn batch<R>(&self, f: impl ::core::ops::FnOnce(#start<'_>) -> R) -> R {
                self.proxy.batch(|proxy| f(#start { proxy }))
            }

            /// The connection.
            pub fn channel(&self) -> &#krate::Channel {
                self.proxy.channel()
            }

            #(#calls)*
        }
    }
}

fn call(client: &Ident, method: &Method, index: usize, krate: &Path) -> TokenStream {
    let Method { attrs, ident, options, output, .. } = method;
    let (names, types) = method.names_and_types();
    let descriptor = item("METHOD");
    let args = arguments(method);
    let cause = cause_of_output(method);
    let (how, value, error) = match (options.semantics, output) {
        (Semantics::Maybe, _) => (quote!(call_one_way), quote!(()), quote!(#krate::CallError)),
        (_, Output::Value(value)) => (quote_spanned!(cause=> call), quote!(#value), quote!(#krate::CallError)),
        (_, Output::Fallible { value, error }) => {
            (quote_spanned!(cause=> call_fallible), quote!(#value), quote!(#krate::CallError<#error>))
        }
    };
    if method.streams.first().is_some() {
        return streaming(client, method, index, krate);
    }
    quote! {
        #(#attrs)*
        ///
        /// # Errors
        ///
        /// A `CallError` that says what happened, and whether the call ran.
        pub fn #ident(&self, #(#names: #types),*) -> ::core::result::Result<#value, #error> {
            const #descriptor: &#krate::service::Method = &#client::DESCRIPTOR.methods()[#index];
            self.proxy.#how(#descriptor, #args)
        }
    }
}

/// A call with streams: what begins it.
fn streaming(client: &Ident, method: &Method, index: usize, krate: &Path) -> TokenStream {
    let Method { attrs, ident, output, streams, .. } = method;
    let (names, types) = method.names_and_types();
    let descriptor = item("METHOD");
    let args = arguments(method);
    let items = |stream: &Option<(Ident, Type)>| match stream {
        Some((_, item)) => quote!(#item),
        None => quote!(#krate::client::Nothing),
    };
    let (sent, taken) = (items(&streams.receiver), items(&streams.sender));
    let (how, value, error) = match output {
        Output::Value(value) => (quote!(stream), value, quote!(::core::convert::Infallible)),
        Output::Fallible { value, error } => (quote_spanned!(error.span()=> stream_fallible), value, quote!(#error)),
    };
    quote! {
        #(#attrs)*
        ///
        /// The call goes on until what this returns has been finished or dropped.
        ///
        /// # Errors
        ///
        /// A `CallError` that says why it could not begin.
        pub fn #ident(
            &self,
            #(#names: #types),*
        ) -> ::core::result::Result<#krate::client::Streaming<#sent, #taken, #value, #error>, #krate::CallError<#error>> {
            const #descriptor: &#krate::service::Method = &#client::DESCRIPTOR.methods()[#index];
            self.proxy.#how(#descriptor, #args)
        }
    }
}
