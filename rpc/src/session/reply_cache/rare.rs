//! What few sessions have: calls that were set aside, or acknowledged while they run, and lanes. One word in the cache while there is nothing of
//! it, since a server has a session for each client, idle or not.

use std::collections::BTreeMap;

use super::super::Xid;
use super::super::lanes::{Lane, Lanes};
use super::{Call, ReplyCache};

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Rare<A, B> {
    /// Calls before the first incomplete one that are not acknowledged: fewer than a window.
    pub(super) aside: BTreeMap<Xid, Call<A>>,
    /// Calls that were acknowledged before they ended.
    pub(super) lingering: Vec<(Xid, Option<Lane>)>,
    pub(super) lanes: Lanes,
    beside: Option<B>,
}

impl<A, B> Default for Rare<A, B> {
    fn default() -> Self {
        Self { aside: BTreeMap::new(), lingering: Vec::new(), lanes: Lanes::default(), beside: None }
    }
}

impl<A, B> ReplyCache<A, B> {
    /// What whoever has it keeps beside it, if there is anything.
    #[inline]
    pub fn beside(&self) -> Option<&B> {
        self.rare.as_ref()?.beside.as_ref()
    }

    /// The same, to be changed.
    pub fn beside_mut(&mut self) -> Option<&mut B> {
        self.rare.as_mut()?.beside.as_mut()
    }

    /// The same; `make` makes what there is none of.
    pub fn beside_or_insert_with(&mut self, make: impl FnOnce() -> B) -> &mut B {
        self.rare().beside.get_or_insert_with(make)
    }

    pub(super) fn rare(&mut self) -> &mut Rare<A, B> {
        self.rare.get_or_insert_default()
    }

    /// Gives it up if nothing is in it.
    pub(super) fn tidy(&mut self) {
        self.rare.take_if(|rare| {
            rare.aside.is_empty() && rare.lingering.is_empty() && rare.lanes.are_unused() && rare.beside.is_none()
        });
    }

    #[inline]
    pub(super) fn has_aside(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| !rare.aside.is_empty())
    }

    pub(super) fn aside(&self, xid: Xid) -> Option<&Call<A>> {
        self.rare.as_ref()?.aside.get(&xid)
    }

    pub(super) fn put_aside(&mut self, xid: Xid, call: Call<A>) {
        self.rare().aside.insert(xid, call);
    }
}
