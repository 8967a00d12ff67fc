//! Which names there are, and what else could be after a crash: the changes are durable in order, as those of a journal.

use std::collections::BTreeMap;

use fibra_scheduler::seeded::Rng;

use super::content::{Fate, Stamp};

/// A file of a disk; never used twice.
pub(super) type FileId = u32;

type Directory = BTreeMap<Box<str>, FileId>;

/// What takes effect as a whole: names, and what they stand for then.
type Change = Vec<(Box<str>, Option<FileId>)>;

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    now: Directory,
    synced: Directory,
    changes: Vec<(Stamp, Change)>,
}

fn apply(directory: &mut Directory, change: &Change) {
    for (name, file) in change {
        match file {
            Some(file) => directory.insert(name.clone(), *file),
            None => directory.remove(name),
        };
    }
}

impl Names {
    pub(super) fn get(&self, name: &str) -> Option<FileId> {
        self.now.get(name).copied()
    }

    pub(super) fn list(&self) -> impl Iterator<Item = &str> {
        self.now.keys().map(|name| &**name)
    }

    pub(super) fn set(&mut self, name: &str, file: Option<FileId>, stamp: Stamp) {
        self.change(vec![(name.into(), file)], stamp);
    }

    pub(super) fn rename(&mut self, from: &str, to: &str, file: FileId, stamp: Stamp) {
        // In this order, so that a file renamed to itself stays.
        self.change(vec![(from.into(), None), (to.into(), Some(file))], stamp);
    }

    fn change(&mut self, change: Change, stamp: Stamp) {
        apply(&mut self.now, &change);
        self.changes.push((stamp, change));
    }

    pub(super) fn sync(&mut self) {
        self.synced.clone_from(&self.now);
        self.changes.clear();
    }

    /// A crash.
    pub(super) fn settle(&mut self, fate: Fate, rng: &mut Rng) {
        let stamps = [0].into_iter().chain(self.changes.iter().map(|(stamp, _)| *stamp)).collect::<Vec<_>>();
        let stay = fate.choose(stamps.into_iter(), rng);
        self.changes.drain(..).take(stay).for_each(|(_, change)| apply(&mut self.synced, &change));
        self.now.clone_from(&self.synced);
    }

    /// Whether a name stands for it, or does again after a crash.
    pub(super) fn refer_to(&self, file: FileId) -> bool {
        self.now.values().chain(self.synced.values()).any(|&other| other == file)
            || self.changes.iter().flat_map(|(_, change)| change).any(|&(_, other)| other == Some(file))
    }
}
