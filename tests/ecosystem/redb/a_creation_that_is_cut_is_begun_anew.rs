use fibra::sim::disk::Disk;

use super::support::{Machine, database};

/// Created under another name, and renamed when it is complete.
#[test]
fn under_another_name() {
    for changes in 0..20 {
        for seed in 0..20 {
            let mut machine = Machine::new(seed, Default::default());
            machine.live(changes);
            assert!(machine.check().expect("no fault is left"));
        }
    }
}

/// redb 4.6 takes a file of some length without its magic number for one of somebody else ("Not a redb database: magic number mismatch"), and that is what a
/// crash before the second sync of its creation leaves. Nothing was in it, but it has to be removed by hand.
#[test]
#[ignore = "redb does not open a database whose creation was cut"]
fn in_its_place() {
    for changes in 0..10 {
        let disk = Disk::new("redb");
        disk.crash_after(changes);
        let _ = disk.open_or_create("data.redb").map(database);
        disk.restart();
        let file = disk.open_or_create("data.redb").expect("up");
        database(file).unwrap_or_else(|error| panic!("after {changes} changes: {error}"));
    }
}
