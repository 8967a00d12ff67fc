//! The methods of a generated proxy that set an option of its calls: those of `fibra_rpc::client::Proxy`, to be chained.
//!
//! To add one: its name in [`NAMES`], and itself in [`expand`], which only hands on. See `rpc/src/client/options.rs`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path;

/// The names that they take from the methods of a service.
pub(crate) const NAMES: [&str; 4] = ["within", "with_metadata", "retry", "hedge"];

pub(crate) fn expand(krate: &Path) -> TokenStream {
    quote! {
        /// The same proxy, with calls that wait for up to `timeout`. Default: 10 s.
        pub fn within(&self, timeout: ::core::time::Duration) -> Self {
            Self { proxy: self.proxy.within(timeout) }
        }

        /// The same proxy, with calls that `metadata` goes with.
        pub fn with_metadata(&self, metadata: #krate::Metadata) -> Self {
            Self { proxy: self.proxy.with_metadata(metadata) }
        }

        /// The same proxy, with calls that are made again as `policy` says, where that is safe.
        pub fn retry(&self, policy: #krate::client::RetryPolicy) -> Self {
            Self { proxy: self.proxy.retry(policy) }
        }

        /// The same proxy, with idempotent calls that are sent once more if they take longer than nearly all others.
        pub fn hedge(&self, hedging: #krate::client::Hedging) -> Self {
            Self { proxy: self.proxy.hedge(hedging) }
        }
    }
}
