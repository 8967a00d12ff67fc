use std::time::Duration;

use fibra::seeded::{self, Trace};
use fibra::sim::Latency;
use fibra::sim::disk::{Disk, Faults, Statistics};
use fibra_scheduler::{driver, runtime};

fn run<T>(seed: u64, f: impl FnOnce() -> T + 'static) -> (T, Trace) {
    runtime::Builder::new(driver::idle).seed(seed).run_traced(f).expect("no deadlock")
}

/// Three fibers that write what the seed says, on a disk on which everything goes wrong.
fn work() -> Statistics {
    let span =
        Latency::between(Duration::from_micros(10), Duration::from_millis(3)).with_tail(0.1, Duration::from_secs(1));
    let faults = Faults { write_errors: 0.1, sync_errors: 0.1, short_writes: 0.3, rot: 0.1, ..Faults::default() };
    let disk = Disk::builder("work").latency(span, span, span).faults(faults).build();
    let fibers = [0_u64, 1, 2].map(|number| {
        let disk = disk.clone();
        fibra::spawn(move || {
            let file = disk.create(&number.to_string()).expect("up");
            for _ in 0..10 {
                let draw = seeded::random().expect("a seeded run");
                // Errors are part of it.
                let _ = file.write_all_at(&draw.to_le_bytes().repeat(100), draw % 5000);
                let _ = file.sync_all();
                let _ = file.read_at(&mut [0; 1000], 0);
            }
        })
    });
    fibers.into_iter().for_each(|fiber| fiber.join().expect("no panic"));
    disk.restart();
    disk.statistics()
}

#[test]
fn by_its_trace() {
    let runs: Vec<_> = (0..20).map(|seed| run(seed, work)).collect();
    for (seed, one) in (0..).zip(&runs) {
        assert_eq!(one, &run(seed, work));
    }
    assert!(runs.windows(2).all(|two| two[0].1.hash() != two[1].1.hash()));
}

/// Also where no switch, and no other draw, tells.
#[test]
fn what_is_written_is_in_the_trace() {
    let hash = |byte: u8| {
        let write = move || Disk::new("bytes").create("file").expect("up").write_all_at(&[byte], 0).expect("room");
        run(1, write).1.hash()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn a_disk_draws_from_a_generator_of_its_own() {
    let program = |faulty: bool| {
        move || {
            let disk = Disk::builder("drawing").faults(Faults { read_errors: 0.5, ..Faults::default() }).build();
            let file = disk.create("file").expect("up");
            (0..if faulty { 10 } else { 0 }).for_each(|_| drop(file.read_at(&mut [], 0)));
            seeded::random()
        }
    };
    assert_eq!(run(1, program(true)).0, run(1, program(false)).0);
}

/// The hash of certain operations, so that debug and release, and every machine, are compared with each other.
#[test]
fn the_hash_is_the_same_in_every_build() {
    assert_eq!(run(2026, work).1.hash(), 16_839_163_193_341_555_007);
}
