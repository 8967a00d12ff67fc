//! How a call is made, as against what it calls: what `proxy.within(..)` and its like set.
//!
//! To add an option: a field here, with its default in [`CallOptions::DEFAULT`]; a method of [`Proxy`](super::Proxy) that sets it; the same
//! method in `rpc/macros/src/expand/options.rs`, by which all generated proxies get it. A call reads its options where it is made, in
//! `exchange`.
//!
//! Invariant: a call borrows its proxy's options and a proxy copies them only to change them, so that what is not set costs a plain call one
//! comparison at most. What is larger than a few words goes behind an `Option<Arc<_>>`.

use std::sync::Arc;
use std::time::Duration;

use super::hedge::Hedging;
use super::retry::RetryPolicy;
use crate::limits::CALL_TIMEOUT;
use crate::metadata::Metadata;

/// The options of a [`Proxy`](super::Proxy)'s calls.
#[derive(Clone, Debug)]
pub(crate) struct CallOptions {
    /// How long a call waits for its reply; an earlier ambient deadline holds, too.
    pub(crate) timeout: Duration,
    /// What goes with each call.
    pub(crate) metadata: Option<Arc<Metadata>>,
    /// When it is made again; `None`: as its channel says.
    pub(crate) retry: Option<RetryPolicy>,
    /// When an idempotent one gets a second copy; `None`: never.
    pub(crate) hedging: Option<Hedging>,
}

impl CallOptions {
    /// Those of a proxy that was told nothing.
    pub(crate) const DEFAULT: Self = Self { timeout: CALL_TIMEOUT, metadata: None, retry: None, hedging: None };

    /// The same but for one change.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = self.clone();
        change(&mut changed);
        changed
    }
}
