//! A database, what must be in it, and what happens to it.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use fibra::seeded::Rng;
use fibra::sim::disk::{Disk, Faults, File};
use redb::{Builder, Database, Error, ReadableDatabase, ReadableTable, TableDefinition};

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("table");
const FILE: &str = "data.redb";
const UNFINISHED: &str = "data.redb.unfinished";

/// Keeps the workload's generator apart from the disk's.
const PURPOSE: u64 = 100;

type Rows = BTreeMap<u64, Vec<u8>>;

/// What was acknowledged, and what may be there instead: a commit during which the machine crashed.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    acknowledged: Rows,
    possible: Option<Rows>,
}

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) disk: Disk,
    pub(crate) rng: Rng,
    pub(crate) expected: Expected,
    pub(crate) commits: u64,
    pub(crate) recoveries_cut: u64,
    two_phases: bool,
}

impl Machine {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        let mut rng = Rng::new(seed, PURPOSE);
        let disk = Disk::builder("redb").seed(seed).faults(faults).build();
        let two_phases = rng.below(2) == 0;
        Self { disk, rng, expected: Expected::default(), commits: 0, recoveries_cut: 0, two_phases }
    }

    /// A life of the machine: it crashes after so many changes of the disk, and starts anew. Panics if something is amiss that no crash explains.
    pub(crate) fn live(&mut self, changes: u64) {
        self.disk.crash_after(changes);
        match self.open() {
            Ok(database) => while self.commit(&database).is_ok() {},
            Err(_) => self.recoveries_cut += 1,
        }
        self.disk.restart();
    }

    /// As `live`, but goes on after errors, as long as the machine is up.
    pub(crate) fn live_on(&mut self, changes: u64) {
        self.disk.crash_after(changes);
        for _ in 0..10 {
            if let Ok(database) = self.open() {
                while self.commit(&database).is_ok() {}
            }
        }
        self.disk.restart();
    }

    /// Opens the database, and looks that all is there.
    pub(crate) fn open(&mut self) -> Result<Database, Error> {
        let database = match self.disk.open(FILE) {
            Ok(file) => database(file)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Under another name until it is complete: redb does not go on with one whose creation has been cut.
                drop(database(self.disk.create(UNFINISHED)?)?);
                self.disk.rename(UNFINISHED, FILE)?;
                self.disk.sync_directory()?;
                database(self.disk.open(FILE)?)?
            }
            Err(error) => return Err(error.into()),
        };
        let rows = rows(&database)?;
        let Expected { acknowledged, possible } = &mut self.expected;
        if rows != *acknowledged {
            assert_eq!(Some(&rows), possible.as_ref(), "neither what was acknowledged nor what was about to be");
        }
        // Known now: it is so from here on.
        (*acknowledged, *possible) = (rows, None);
        Ok(database)
    }

    fn commit(&mut self, database: &Database) -> Result<(), Error> {
        let mut rows = self.expected.acknowledged.clone();
        let mut transaction = database.begin_write()?;
        transaction.set_two_phase_commit(self.two_phases);
        let mut table = transaction.open_table(TABLE)?;
        for _ in 0..1 + self.rng.below(6) {
            let key = self.rng.below(40) as u64;
            match self.rng.below(4) {
                0 => {
                    table.remove(key)?;
                    rows.remove(&key);
                }
                _ => {
                    let len = [0, 10, 600, 5000][self.rng.below(4)];
                    let value = vec![self.rng.below(256) as u8; len];
                    table.insert(key, &*value)?;
                    rows.insert(key, value);
                }
            }
        }
        drop(table);
        self.expected.possible = Some(rows);
        transaction.commit()?;
        self.expected.acknowledged = self.expected.possible.take().expect("just made");
        self.commits += 1;
        Ok(())
    }

    /// Whether redb finds its own structures in order.
    pub(crate) fn check(&mut self) -> Result<bool, Error> {
        let mut database = self.open()?;
        Ok(database.check_integrity()?)
    }
}

pub(crate) fn database(file: File) -> Result<Database, Error> {
    let mut builder = Builder::new();
    builder.set_cache_size(1 << 20);
    Ok(builder.create_with_backend(file)?)
}

fn rows(database: &Database) -> Result<Rows, Error> {
    let transaction = database.begin_read()?;
    let table = match transaction.open_table(TABLE) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Rows::new()),
        table => table?,
    };
    let rows = table.iter()?.map(|row| row.map(|(key, value)| (key.value(), value.value().to_vec())));
    Ok(rows.collect::<Result<_, _>>()?)
}
