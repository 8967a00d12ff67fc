//! Against a simple model: the file as it was after each operation since the last sync.

use std::collections::BTreeSet;

use fibra::sim::disk::{Disk, Faults, File};
use proptest::prelude::*;

const SECTOR: usize = 512;

#[derive(Clone, Debug)]
enum Op {
    Write { at: usize, len: usize, byte: u8 },
    SetLen(usize),
    Sync,
    Crash,
}

fn op() -> impl Strategy<Value = Op> {
    // Around the borders of sectors, where mistakes are.
    let place =
        prop_oneof![0..2200_usize, (0..5_usize, 0..3_usize).prop_map(|(n, off)| (n * SECTOR + off).saturating_sub(1))];
    prop_oneof![
        8 => (place.clone(), 0..1300_usize, 1..=255_u8).prop_map(|(at, len, byte)| Op::Write { at, len, byte }),
        3 => place.prop_map(Op::SetLen),
        2 => Just(Op::Sync),
        2 => Just(Op::Crash),
    ]
}

/// What a file may be: one of these lengths, and each sector as in one of these, without what is beyond the length.
struct Model {
    now: Vec<u8>,
    since_sync: Vec<Vec<u8>>,
}

impl Model {
    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Write { len: 0, .. } => {}
            Op::Write { at, len, byte } => {
                self.now.resize(self.now.len().max(at + len), 0);
                self.now[at..at + len].fill(byte);
            }
            Op::SetLen(len) => self.now.resize(len, 0),
            Op::Sync => self.since_sync.clear(),
            Op::Crash => unreachable!("handled before"),
        }
        self.since_sync.push(self.now.clone());
    }

    fn allows(&self, found: &[u8]) -> Result<(), String> {
        if !self.since_sync.iter().any(|state| state.len() == found.len()) {
            return Err(format!("it never was {} bytes long", found.len()));
        }
        for (number, sector) in found.chunks(SECTOR).enumerate() {
            let is_as_in = |state: &Vec<u8>| {
                let from = (number * SECTOR).min(state.len());
                let was = &state[from..(from + sector.len()).min(state.len())];
                sector.starts_with(was) && sector[was.len()..].iter().all(|byte| *byte == 0)
            };
            if !self.since_sync.iter().any(is_as_in) {
                return Err(format!("sector {number} never was so: {sector:?}"));
            }
        }
        Ok(())
    }
}

fn content(file: &File) -> Vec<u8> {
    let mut bytes = vec![0xee; file.len().expect("up") as usize];
    file.read_exact_at(&mut bytes, 0).expect("up");
    bytes
}

fn check(seed: u64, ops: &[Op]) -> Result<(), TestCaseError> {
    let disk = Disk::builder("model").seed(seed).build();
    let mut file = disk.create("file").expect("up");
    file.sync_all().expect("no faults");
    let mut model = Model { now: Vec::new(), since_sync: vec![Vec::new()] };
    for op in ops {
        match *op {
            Op::Write { at, len, byte } => file.write_all_at(&vec![byte; len], at as u64).expect("no faults"),
            Op::SetLen(len) => file.set_len(len as u64).expect("no faults"),
            Op::Sync => file.sync_all().expect("no faults"),
            Op::Crash => {
                disk.restart();
                file = disk.open("file").expect("its name is synced");
                let found = content(&file);
                model.allows(&found).map_err(TestCaseError::fail)?;
                model = Model { since_sync: vec![found.clone()], now: found };
                continue;
            }
        }
        model.apply(op);
        prop_assert_eq!(&content(&file), &model.now);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn and_reads_see_all_before(seed: u64, ops in prop::collection::vec(op(), 1..40)) {
        check(seed, &ops)?;
    }
}

/// What a crash makes of two writes of two sectors each, over many seeds.
#[test]
fn everything_that_may_be_comes_up() {
    let mut found = BTreeSet::new();
    let mut statistics = Vec::new();
    for seed in 0..500 {
        let disk = Disk::builder("outcomes").seed(seed).build();
        let file = disk.create("file").expect("up");
        file.write_all_at(&[b'0'; 4 * SECTOR], 0).expect("room");
        file.sync_all().expect("no faults");
        file.write_all_at(&[b'1'; 2 * SECTOR], 0).expect("room");
        file.write_all_at(&[b'2'; 2 * SECTOR], 2 * SECTOR as u64).expect("room");
        disk.restart();
        let bytes = content(&disk.open("file").expect("synced"));
        found.insert(bytes.chunks(SECTOR).map(|sector| sector[0] as char).collect::<String>());
        assert!(bytes.chunks(SECTOR).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
        statistics.push(disk.statistics());
    }
    assert_eq!(found.len(), 16, "{found:?}");
    let count =
        |which: fn(&fibra::sim::disk::Statistics) -> u64| statistics.iter().filter(|one| which(one) > 0).count();
    assert!(count(|one| one.kept) > 50 && count(|one| one.lost) > 50 && count(|one| one.torn) > 50);
    assert!(count(|one| one.reordered) > 50);
}

#[test]
fn sectors_are_torn_only_on_demand() {
    let torn = |seed| {
        let faults = Faults { torn_sectors: 1.0, ..Faults::default() };
        let disk = Disk::builder("torn").seed(seed).faults(faults).build();
        let file = disk.create("file").expect("up");
        file.write_all_at(&[b'0'; SECTOR], 0).expect("room");
        file.sync_all().expect("no faults");
        file.write_all_at(&[b'1'; SECTOR], 0).expect("room");
        disk.restart();
        let bytes = content(&disk.open("file").expect("synced"));
        let ones = bytes.iter().take_while(|byte| **byte == b'1').count();
        assert!(bytes[ones..].iter().all(|byte| *byte == b'0'));
        ones > 0 && ones < SECTOR
    };
    assert!((0..100).filter(|&seed| torn(seed)).count() > 30);
}

/// What was cut off does not come back with a length that the file had only later.
#[test]
fn truncation_goes_with_its_length() {
    let mut found = BTreeSet::new();
    for seed in 0..200 {
        let disk = Disk::builder("cut").seed(seed).build();
        let file = disk.create("file").expect("up");
        file.write_all_at(&[b'0'; 2 * SECTOR], 0).expect("room");
        file.sync_all().expect("no faults");
        file.set_len(0).expect("no faults");
        file.set_len(3 * SECTOR as u64).expect("no faults");
        disk.restart();
        let bytes = content(&disk.open("file").expect("synced"));
        let expected = if bytes.len() == 2 * SECTOR { b'0' } else { 0 };
        assert!(bytes.iter().all(|byte| *byte == expected), "seed {seed}");
        found.insert(bytes.len());
    }
    assert_eq!(found, BTreeSet::from([0, 2 * SECTOR, 3 * SECTOR]));
}
