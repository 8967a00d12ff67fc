//! The methods of a generated proxy that set an option of its calls: those of `fibra_rpc::client::Proxy`, to be chained.
//!
//! To add one: its name in [`NAMES`], and itself in [`expand`], which only hands on. See `rpc/src/client/options.rs`.

use proc_macro2::TokenStream;
use quote::quote;

/// The names that they take from the methods of a service.
pub(crate) const NAMES: [&str; 1] = ["within"];

pub(crate) fn expand() -> TokenStream {
    quote! {
        /// The same proxy, with calls that wait for up to `timeout`. Default: 10 s.
        pub fn within(&self, timeout: ::core::time::Duration) -> Self {
            Self { proxy: self.proxy.within(timeout) }
        }
    }
}
