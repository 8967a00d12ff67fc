//! The reactors of one runtime, and errands that one has for the others.
//!
//! An errand runs on the other worker's own thread, between two fibers, and must not wait.

use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::Handle;

/// What to do on another worker, such as to spawn a fiber there.
pub(crate) type Errand = Arc<dyn Fn() + Send + Sync>;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Crew {
    members: Mutex<Vec<Weak<Handle>>>,
}

/// The errands that wait for one reactor.
#[derive(Default)]
pub(super) struct Errands(Mutex<Vec<Errand>>);

impl Crew {
    pub(super) fn join(&self, handle: &Arc<Handle>) {
        let mut members = self.members.lock();
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(handle));
    }

    /// Leaves `errand` for everyone but `handle`, and wakes them.
    pub(super) fn send_others(&self, handle: &Arc<Handle>, errand: &Errand) {
        let members: Vec<_> = self.members.lock().iter().filter_map(Weak::upgrade).collect();
        for member in members.iter().filter(|member| !Arc::ptr_eq(member, handle)) {
            member.errands.0.lock().push(Arc::clone(errand));
            member.waker.wake();
        }
    }
}

impl Errands {
    /// Runs them. Only on their reactor's thread.
    pub(super) fn run(&self) {
        // Not under the lock: an errand may drop what was spawned in vain, and that may do anything.
        let errands = std::mem::take(&mut *self.0.lock());
        for errand in errands {
            errand();
        }
    }
}

impl fmt::Debug for Errands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errands").field("waiting", &self.0.lock().len()).finish()
    }
}
