//! What is in one file, and what else could be after a crash.
//!
//! Invariants:
//! * Beyond the length all bytes are zero, and there are no sectors.
//! * The last version of a sector that is not synced is what is read; the first is what is synced.

use std::collections::BTreeMap;

use fibra_scheduler::seeded::Rng;

use super::dice::{chance, coin};

/// What a disk writes as a whole.
pub(super) const SECTOR: u64 = 512;

/// Of the versions of a sector that is written again and again without a sync, so many are kept in mind.
const VERSIONS_MAX: usize = 16;

/// The number of a change of the disk, from 1; 0: synced.
pub(super) type Stamp = u64;

type Sector = Box<[u8; SECTOR as usize]>;

/// What a sector was at some time. `None`: zeros, and no sector.
#[derive(Clone, Debug)]
struct Version {
    stamp: Stamp,
    /// By truncation, which sticks if the length that it brought does.
    is_cut: bool,
    bytes: Option<Sector>,
}

#[derive(Clone, Debug)]
struct Unsynced {
    versions: Vec<Version>,
    /// A sync failed, and it has not been written since: no sync will write it.
    is_in_doubt: bool,
}

/// What a crash does to what was not synced.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Lost,
    Kept,
    /// The changes up to this one stay; of this one, some sectors.
    UpTo(Stamp),
    /// Each sector stays with this probability.
    Each(f64),
}

impl Fate {
    /// Which one of changes with these stamps, the first of which is that of what is synced, was the last to stay.
    pub(super) fn choose(self, stamps: impl ExactSizeIterator<Item = Stamp>, rng: &mut Rng) -> usize {
        let last = stamps.len() - 1;
        match self {
            Fate::Lost => 0,
            Fate::Kept => last,
            Fate::UpTo(end) => {
                let before = stamps.skip(1).take_while(|&stamp| stamp < end || (stamp == end && coin(rng)));
                before.count()
            }
            Fate::Each(_) if last == 0 => 0,
            Fate::Each(probability) if chance(rng, probability) => 1 + rng.below(last),
            Fate::Each(_) => 0,
        }
    }
}

/// What became of each change: whether some of it stayed, and whether some of it was lost.
pub(super) type Outcome = BTreeMap<Stamp, (bool, bool)>;

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    len: u64,
    /// If it was changed since the last sync: the lengths since then, the synced one first.
    lengths: Vec<(Stamp, u64)>,
    sectors: BTreeMap<u64, Sector>,
    unsynced: BTreeMap<u64, Unsynced>,
}

/// The sectors that hold `offset..offset + len`, each with what of it that is, and with what of the `len` bytes.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        (done < len).then(|| {
            let at = offset + done as u64;
            let begin = (at % SECTOR) as usize;
            let end = len.min(done + SECTOR as usize - begin);
            let range = done..end;
            done = end;
            (at / SECTOR, begin, range)
        })
    })
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// How many sectors it takes.
    pub(super) fn sectors(&self) -> u64 {
        self.sectors.len() as u64
    }

    /// How many sectors a write would add.
    pub(super) fn needs(&self, offset: u64, len: usize) -> u64 {
        pieces(offset, len).filter(|(sector, ..)| !self.sectors.contains_key(sector)).count() as u64
    }

    /// How many bytes at `offset` could be written with so many more sectors, of `len`.
    pub(super) fn fits(&self, offset: u64, len: usize, mut more: u64) -> usize {
        for (sector, _, range) in pieces(offset, len) {
            if !self.sectors.contains_key(&sector) {
                match more.checked_sub(1) {
                    Some(left) => more = left,
                    None => return range.start,
                }
            }
        }
        len
    }

    /// Fills as much of `buf` as the file has from `offset` on.
    pub(super) fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        let len = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX).min(buf.len());
        for (sector, begin, range) in pieces(offset, len) {
            let piece = &mut buf[range];
            match self.sectors.get(&sector) {
                Some(bytes) => piece.copy_from_slice(&bytes[begin..begin + piece.len()]),
                None => piece.fill(0),
            }
        }
        len
    }

    pub(super) fn write(&mut self, offset: u64, data: &[u8], stamp: Stamp) {
        for (sector, begin, range) in pieces(offset, data.len()) {
            self.remember(sector);
            let bytes = self.sectors.entry(sector).or_insert_with(|| Box::new([0; SECTOR as usize]));
            let data = &data[range];
            bytes[begin..begin + data.len()].copy_from_slice(data);
            self.changed(sector, stamp, false);
        }
        let end = offset + data.len() as u64;
        if end > self.len && !data.is_empty() {
            self.change_len(end, stamp);
        }
    }

    pub(super) fn set_len(&mut self, len: u64, stamp: Stamp) {
        if len < self.len {
            let tail = (len % SECTOR) as usize;
            if tail > 0 && self.sectors.contains_key(&(len / SECTOR)) {
                self.remember(len / SECTOR);
                if let Some(bytes) = self.sectors.get_mut(&(len / SECTOR)) {
                    bytes[tail..].fill(0);
                }
                self.changed(len / SECTOR, stamp, true);
            }
            let cut: Vec<_> = self.sectors.range(len.div_ceil(SECTOR)..).map(|(sector, _)| *sector).collect();
            for sector in cut {
                self.remember(sector);
                self.sectors.remove(&sector);
                self.changed(sector, stamp, true);
            }
        }
        if len != self.len {
            self.change_len(len, stamp);
        }
    }

    fn change_len(&mut self, len: u64, stamp: Stamp) {
        if self.lengths.is_empty() {
            self.lengths.push((0, self.len));
        }
        self.lengths.push((stamp, len));
        self.len = len;
    }

    /// Before the first change of a sector: keeps what is synced.
    fn remember(&mut self, sector: u64) {
        let bytes = self.sectors.get(&sector);
        let synced = || Version { stamp: 0, is_cut: false, bytes: bytes.cloned() };
        self.unsynced.entry(sector).or_insert_with(|| Unsynced { versions: vec![synced()], is_in_doubt: false });
    }

    /// After a change of a sector.
    fn changed(&mut self, sector: u64, stamp: Stamp, is_cut: bool) {
        let bytes = self.sectors.get(&sector).cloned();
        if let Some(unsynced) = self.unsynced.get_mut(&sector) {
            unsynced.is_in_doubt = false;
            let versions = &mut unsynced.versions;
            versions.push(Version { stamp, is_cut, bytes });
            if versions.len() > VERSIONS_MAX && !versions[1].is_cut {
                versions.remove(1);
            }
        }
    }

    /// Makes all of it durable that is not in doubt.
    pub(super) fn sync(&mut self) {
        self.unsynced.retain(|_, unsynced| unsynced.is_in_doubt);
        self.lengths.clear();
    }

    /// A sync that has failed: what it was to write counts as written, but may not be.
    pub(super) fn fail_to_sync(&mut self) {
        self.unsynced.values_mut().for_each(|unsynced| unsynced.is_in_doubt = true);
    }

    /// Flips a bit of the byte at `offset`, on the disk itself. `false`: there is nothing, or it has yet to be written.
    pub(super) fn rot(&mut self, offset: u64, bit: u32) -> bool {
        let sector = offset / SECTOR;
        match self.sectors.get_mut(&sector) {
            Some(bytes) if offset < self.len && !self.unsynced.contains_key(&sector) => {
                bytes[(offset % SECTOR) as usize] ^= 1 << (bit % 8);
                true
            }
            _ => false,
        }
    }

    /// A crash: what was not synced becomes what `fate` makes of it. `torn`: how probable it is that a sector that stays does in part.
    pub(super) fn settle(&mut self, fate: Fate, torn: f64, rng: &mut Rng, outcome: &mut Outcome) {
        let mut note = |stamp, stays: bool| {
            let (kept, lost) = outcome.entry(stamp).or_default();
            *(if stays { kept } else { lost }) = true;
        };
        let mut length = Stamp::MAX;
        if !self.lengths.is_empty() {
            let chosen = fate.choose(self.lengths.iter().map(|(stamp, _)| *stamp), rng);
            (length, self.len) = self.lengths[chosen];
            self.lengths.drain(..).enumerate().skip(1).for_each(|(place, (stamp, _))| note(stamp, place <= chosen));
        }
        for (sector, Unsynced { mut versions, .. }) in std::mem::take(&mut self.unsynced) {
            // What goes with the length that has stayed: from the last cut that led to it up to the first that came later.
            let begin = versions.iter().rposition(|version| version.is_cut && version.stamp <= length).unwrap_or(0);
            let later = versions.iter().position(|version| version.is_cut && version.stamp > length);
            let possible = &versions[begin..later.unwrap_or(versions.len())];
            let chosen = begin + fate.choose(possible.iter().map(|version| version.stamp), rng);
            let stamp = versions[chosen].stamp;
            versions
                .iter()
                .filter(|version| version.stamp >= stamp.max(1))
                .for_each(|version| note(version.stamp, version.stamp == stamp));
            let before = (chosen > begin && chance(rng, torn)).then(|| versions[chosen - 1].bytes.take());
            let mut bytes = versions.swap_remove(chosen).bytes;
            if let Some(before) = before {
                let new = bytes.get_or_insert_with(|| Box::new([0; SECTOR as usize]));
                let at = rng.below(SECTOR as usize);
                match before {
                    Some(old) => new[at..].copy_from_slice(&old[at..]),
                    None => new[at..].fill(0),
                }
            }
            match bytes {
                Some(bytes) => self.sectors.insert(sector, bytes),
                None => self.sectors.remove(&sector),
            };
        }
        self.sectors.split_off(&self.len.div_ceil(SECTOR));
        let tail = (self.len % SECTOR) as usize;
        if tail > 0
            && let Some(bytes) = self.sectors.get_mut(&(self.len / SECTOR))
        {
            bytes[tail..].fill(0);
        }
    }
}
