//! Stacks that wait to be taken: a list through their headers, so that a million of them take no memory beside their own.
//!
//! Invariant: a list owns the stacks whose headers it links, each of which was a [`Stack`] before and will be one again.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::{Header, Stack};

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct StackList {
    hottest: Option<NonNull<Header>>,
    coldest: Option<NonNull<Header>>,
    len: usize,
}

impl StackList {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn push(&mut self, stack: Stack) {
        let stack = ManuallyDrop::new(stack);
        let colder = self.hottest.replace(stack.0);
        stack.header().colder.set(colder);
        match &colder {
            // SAFETY: the header of a stack that is ours.
            Some(colder) => unsafe { colder.as_ref() }.hotter.set(Some(stack.0)),
            None => self.coldest = Some(stack.0),
        }
        self.len += 1;
    }

    /// The one that was pushed last.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Stack> {
        let stack = Stack(self.hottest?);
        self.hottest = stack.header().colder.get();
        self.len -= 1;
        Some(stack)
    }

    /// The one that has been here for the longest time.
    pub(crate) fn pop_coldest(&mut self) -> Option<Stack> {
        if self.len <= 1 {
            return self.pop();
        }
        let stack = Stack(self.coldest?);
        self.coldest = stack.header().hotter.get();
        // SAFETY: there was more than one, and it is ours.
        let last = self.coldest.map(|coldest| unsafe { coldest.as_ref() });
        last.inspect(|last| last.colder.set(None));
        self.len -= 1;
        Some(stack)
    }
}

impl Drop for StackList {
    fn drop(&mut self) {
        while let Some(stack) = self.pop() {
            drop(stack);
        }
    }
}
