//! A disk: its files, whose it is at the moment, and what goes wrong.
//!
//! Invariants:
//! * Before anything else is done, a crash of the host that used it last is settled.
//! * What happens depends on the calls, their order and the seed, and on nothing else.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use fibra_scheduler::cancel::Interrupted;
use fibra_scheduler::seeded::{self, Host, Rng};

use super::builder::{Builder, draw};
use super::content::{Content, Fate, Outcome, SECTOR, Stamp};
use super::dice::{chance, coin, fold, fold_bytes};
use super::names::{FileId, Names};
use super::statistics::Statistics;

/// Keeps the generators of disks apart from others of the same seed.
const PURPOSE: u64 = 5;

/// Linux's numbers, which are those of other systems, too.
const ENOENT: i32 = 2;
const EIO: i32 = 5;
const EBUSY: i32 = 16;
const EEXIST: i32 = 17;
const ENOSPC: i32 = 28;
const ESTALE: i32 = 116;

fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

/// What an operation does, beside its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
    Sync,
    /// It asks what the disk knows anyway.
    Look,
}

/// Which life of the machine it is; files are open in one.
pub(super) type Life = u64;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct State {
    pub(super) settings: Builder,
    rng: Option<Rng>,
    names: Names,
    files: BTreeMap<FileId, Content>,
    next_file: FileId,
    stamp: Stamp,
    life: Life,
    /// Who uses it.
    host: Option<Host>,
    /// Crashed, as the machine of whoever is on no host.
    is_down: bool,
    /// How many changes and syncs there are until the machine crashes.
    pub(super) crash_after: Option<u64>,
    pub(super) statistics: Statistics,
}

impl State {
    pub(super) fn new(settings: Builder) -> Self {
        Self {
            settings,
            rng: None,
            names: Names::default(),
            files: BTreeMap::new(),
            next_file: 0,
            stamp: 0,
            life: 0,
            host: None,
            is_down: false,
            crash_after: None,
            statistics: Statistics::default(),
        }
    }

    fn rng(&mut self) -> &mut Rng {
        let settings = &self.settings;
        self.rng.get_or_insert_with(|| {
            let seed = settings.seed.or_else(seeded::seed).unwrap_or(0);
            Rng::new(seed, fold_bytes(PURPOSE, settings.name.as_bytes()))
        })
    }

    fn chance(&mut self, probability: f64) -> bool {
        // Not made before it is needed: it may be a run's.
        probability > 0.0 && chance(self.rng(), probability)
    }

    /// An operation begins: whose it is, and whether it may.
    pub(super) fn enter(&mut self) -> io::Result<()> {
        let caller = Host::current();
        if caller.is_some_and(|host| !host.is_up()) {
            return Err(Interrupted::Cancelled.into());
        }
        match self.host {
            Some(last) if !last.is_up() => {
                self.settle();
                self.host = caller;
            }
            Some(last) if caller.is_some_and(|host| host != last) => return Err(errno(EBUSY)),
            Some(_) => {}
            None => self.host = caller,
        }
        if self.is_down { Err(has_crashed()) } else { Ok(()) }
    }

    /// Whether the machine is to crash in this operation; and if so, whether after it.
    pub(super) fn crashes(&mut self, kind: Kind) -> Option<bool> {
        if !matches!(kind, Kind::Write | Kind::Sync) {
            return None;
        }
        let is_due = match &mut self.crash_after {
            Some(left @ 1..) => {
                *left -= 1;
                false
            }
            Some(0) => true,
            None => false,
        };
        (is_due || self.chance(self.settings.faults.crashes)).then(|| coin(self.rng()))
    }

    /// The machine of the caller has crashed.
    pub(super) fn crash(&mut self) {
        self.crash_after = None;
        match self.host {
            Some(host) => host.crash(),
            None => self.is_down = true,
        }
    }

    /// The machine starts anew: what was not synced is decided.
    pub(super) fn restart(&mut self) {
        self.settle();
        (self.host, self.is_down, self.crash_after) = (None, false, None);
    }

    fn settle(&mut self) {
        self.life += 1;
        let stamp = self.stamp;
        let torn = self.settings.faults.torn_sectors;
        let mut rng = self.rng().clone();
        let fate = match rng.below(8) {
            0 => Fate::Lost,
            1 => Fate::Kept,
            2..=3 => Fate::UpTo(rng.below(stamp as usize + 1) as u64),
            _ => Fate::Each([0.02, 0.5, 0.5, 0.98][rng.below(4)]),
        };
        self.names.settle(fate, &mut rng);
        let mut outcome = Outcome::new();
        self.files.retain(|file, _| self.names.refer_to(*file));
        self.files.values_mut().for_each(|content| content.settle(fate, torn, &mut rng, &mut outcome));
        self.rng = Some(rng);
        let statistics = &mut self.statistics;
        statistics.crashes += 1;
        let mut first_lost = None;
        let mut is_reordered = false;
        for (stamp, (kept, lost)) in outcome {
            match (kept, lost) {
                (true, true) => statistics.torn += 1,
                (true, false) => statistics.kept += 1,
                _ => statistics.lost += 1,
            }
            is_reordered |= kept && first_lost.is_some_and(|lost| lost < stamp);
            if lost {
                first_lost.get_or_insert(stamp);
            }
        }
        statistics.reordered += u64::from(is_reordered);
        self.note(&[0, self.life, self.statistics.kept, self.statistics.lost, self.statistics.torn], &[]);
    }

    /// Makes an operation part of the disk's hash, and of the run's.
    fn note(&mut self, words: &[u64], bytes: &[u8]) {
        let hash = words.iter().fold(self.statistics.hash, |hash, word| fold(hash, *word));
        self.statistics.hash = fold_bytes(hash, bytes);
        if seeded::elapsed().is_some() {
            seeded::note(self.statistics.hash);
        }
    }

    /// How long an operation of this kind takes.
    pub(super) fn latency(&mut self, kind: Kind) -> Duration {
        let latency = match kind {
            Kind::Read => self.settings.reads,
            Kind::Write => self.settings.writes,
            Kind::Sync => self.settings.syncs,
            Kind::Look => None,
        };
        latency.map_or(Duration::ZERO, |latency| draw(latency, self.rng()))
    }

    fn next_stamp(&mut self) -> Stamp {
        self.stamp += 1;
        self.stamp
    }

    fn fails(&mut self, probability: f64) -> io::Result<()> {
        if self.chance(probability) { Err(errno(EIO)) } else { Ok(()) }
    }

    fn content(&mut self, (file, life): (FileId, Life)) -> io::Result<&mut Content> {
        if life != self.life {
            return Err(errno(ESTALE));
        }
        self.files.get_mut(&file).ok_or_else(|| errno(ESTALE))
    }

    /// How many more sectors there is room for.
    fn room(&self) -> u64 {
        if self.settings.capacity == u64::MAX {
            return u64::MAX;
        }
        let named = |file: &&FileId| self.names.refer_to(**file);
        let taken: u64 =
            self.files.keys().filter(named).filter_map(|file| self.files.get(file)).map(Content::sectors).sum();
        (self.settings.capacity / SECTOR).saturating_sub(taken)
    }
}

/// The error of whoever goes on after a crash, on no host.
pub(super) fn has_crashed() -> io::Error {
    io::Error::other("the disk's machine has crashed")
}

/// Operations on names.
impl State {
    pub(super) fn open(&mut self, name: &str, may_create: bool, may_be_there: bool) -> io::Result<(FileId, Life)> {
        match self.names.get(name) {
            Some(_) if !may_be_there => Err(errno(EEXIST)),
            Some(file) => Ok((file, self.life)),
            None if !may_create => Err(errno(ENOENT)),
            None => {
                let (file, stamp) = (self.next_file, self.next_stamp());
                self.next_file += 1;
                self.files.insert(file, Content::default());
                self.names.set(name, Some(file), stamp);
                self.note(&[1, file.into()], name.as_bytes());
                Ok((file, self.life))
            }
        }
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let file = self.names.get(from).ok_or_else(|| errno(ENOENT))?;
        let stamp = self.next_stamp();
        self.names.rename(from, to, file, stamp);
        self.note(&[2, file.into()], to.as_bytes());
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        let file = self.names.get(name).ok_or_else(|| errno(ENOENT))?;
        let stamp = self.next_stamp();
        self.names.set(name, None, stamp);
        self.note(&[3, file.into()], &[]);
        Ok(())
    }

    pub(super) fn list(&self) -> Vec<String> {
        self.names.list().map(str::to_owned).collect()
    }

    pub(super) fn sync_directory(&mut self) -> io::Result<()> {
        let synced = self.fails(self.settings.faults.sync_errors);
        match synced {
            Ok(()) => {
                if !self.chance(self.settings.faults.ignored_syncs) {
                    self.names.sync();
                }
                self.statistics.syncs += 1;
            }
            Err(_) => self.statistics.sync_errors += 1,
        }
        self.note(&[4, synced.is_ok().into()], &[]);
        synced
    }
}

/// Operations on an open file.
impl State {
    pub(super) fn len(&mut self, file: (FileId, Life)) -> io::Result<u64> {
        self.content(file).map(|content| content.len())
    }

    pub(super) fn read(&mut self, file: (FileId, Life), offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.content(file)?;
        if let Err(error) = self.fails(self.settings.faults.read_errors) {
            self.statistics.read_errors += 1;
            self.note(&[5, file.0.into(), offset, u64::MAX], &[]);
            return Err(error);
        }
        if !buf.is_empty() && self.chance(self.settings.faults.rot) {
            let at = offset.saturating_add(self.rng().below(buf.len()) as u64);
            self.rot(file, at)?;
        }
        let read = self.content(file)?.read(offset, buf);
        self.statistics.reads += 1;
        self.statistics.bytes_read += read as u64;
        self.note(&[5, file.0.into(), offset], &buf[..read]);
        Ok(read)
    }

    pub(super) fn write(&mut self, file: (FileId, Life), offset: u64, mut data: &[u8]) -> io::Result<usize> {
        let needs = self.content(file)?.needs(offset, data.len());
        offset.checked_add(data.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        if data.is_empty() {
            return Ok(0);
        }
        let room = self.room();
        let mut error = None;
        if self.chance(self.settings.faults.write_errors) {
            error = Some(EIO);
            data = &data[..self.rng().below(data.len() + 1)];
            self.statistics.write_errors += 1;
        } else if data.len() > 1 && self.chance(self.settings.faults.short_writes) {
            data = &data[..1 + self.rng().below(data.len() - 1)];
        }
        if needs > room {
            data = &data[..self.content(file)?.fits(offset, data.len(), room)];
            if data.is_empty() && error.is_none() {
                error = Some(ENOSPC);
                self.statistics.full += 1;
            }
        }
        let stamp = self.next_stamp();
        self.content(file)?.write(offset, data, stamp);
        self.note(&[6, file.0.into(), offset, error.is_some().into()], data);
        match error {
            Some(error) => Err(errno(error)),
            None => {
                self.statistics.writes += 1;
                self.statistics.bytes_written += data.len() as u64;
                Ok(data.len())
            }
        }
    }

    pub(super) fn set_len(&mut self, file: (FileId, Life), len: u64) -> io::Result<()> {
        self.content(file)?;
        let done = self.fails(self.settings.faults.write_errors);
        match done {
            Ok(()) => {
                let stamp = self.next_stamp();
                self.content(file)?.set_len(len, stamp);
                self.statistics.writes += 1;
            }
            Err(_) => self.statistics.write_errors += 1,
        }
        self.note(&[7, file.0.into(), len, done.is_ok().into()], &[]);
        done
    }

    pub(super) fn sync(&mut self, file: (FileId, Life)) -> io::Result<()> {
        self.content(file)?;
        let done = self.fails(self.settings.faults.sync_errors);
        match done {
            Ok(()) => {
                if !self.chance(self.settings.faults.ignored_syncs) {
                    self.content(file)?.sync();
                    if !self.settings.posix_names {
                        self.names.sync();
                    }
                }
                self.statistics.syncs += 1;
            }
            Err(_) => {
                self.content(file)?.fail_to_sync();
                self.statistics.sync_errors += 1;
            }
        }
        self.note(&[8, file.0.into(), done.is_ok().into()], &[]);
        done
    }

    /// Flips a bit of the byte at `offset`. Whether there was one.
    pub(super) fn rot(&mut self, file: (FileId, Life), offset: u64) -> io::Result<bool> {
        let bit = self.rng().below(8) as u32;
        let has_rotted = self.content(file)?.rot(offset, bit);
        self.statistics.rotten += u64::from(has_rotted);
        self.note(&[9, file.0.into(), offset, bit.into(), has_rotted.into()], &[]);
        Ok(has_rotted)
    }
}
