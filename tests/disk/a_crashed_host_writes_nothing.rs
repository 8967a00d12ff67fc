use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use fibra::cancel::is_cancelled;
use fibra::seeded::{Host, Skew, Trace};
use fibra::sim::Latency;
use fibra::sim::disk::{Disk, Faults};
use fibra_scheduler::{driver, runtime};

fn run<T>(seed: u64, f: impl FnOnce() -> T + 'static) -> (T, Trace) {
    runtime::Builder::new(driver::idle).seed(seed).run_traced(f).expect("no deadlock")
}

fn boot() -> Host {
    Host::boot(Skew::default())
}

/// On a fiber of `host`.
fn on<T: 'static>(host: Host, f: impl FnOnce() -> T + 'static) -> T {
    host.spawn(fibra::Builder::new(), f).expect("a fiber").join().expect("no panic")
}

#[test]
fn from_the_instant_of_the_crash_on() {
    run(1, || {
        let disk = Disk::new("bank");
        let first = boot();
        let file = on(first, {
            let disk = disk.clone();
            move || {
                let file = disk.create("file").expect("up");
                file.write_all_at(b"before", 0).expect("up");
                file.sync_all().expect("up");
                file
            }
        });
        let errors = first.spawn(fibra::Builder::new(), {
            let disk = disk.clone();
            move || {
                first.crash();
                let errors = [
                    file.write_all_at(b"after!", 0),
                    file.set_len(0),
                    file.sync_all(),
                    file.read_exact_at(&mut [0], 0),
                    disk.remove_file("file"),
                    disk.create("another").map(drop),
                ];
                errors.map(|error| error.is_err_and(|error| is_cancelled(&error)))
            }
        });
        assert_eq!(errors.expect("a fiber").join().expect("no panic"), [true; 6]);
        on(boot(), move || {
            let mut bytes = [0; 6];
            disk.open("file").expect("there").read_exact_at(&mut bytes, 0).expect("up");
            assert_eq!(&bytes, b"before");
            assert_eq!(disk.list().expect("up"), ["file"]);
        });
    });
}

#[test]
fn files_of_an_earlier_life_are_closed() {
    run(1, || {
        let disk = Disk::new("bank");
        let first = boot();
        let open = {
            let disk = disk.clone();
            move || disk.open_or_create("file").expect("up")
        };
        let old = on(first, open.clone());
        first.crash();
        on(boot(), move || {
            let new = open();
            new.write_all_at(b"new", 0).expect("up");
            assert_eq!(old.write_all_at(b"old", 0).expect_err("closed").kind(), io::ErrorKind::StaleNetworkFileHandle);
            assert_eq!(new.len().expect("up"), 3);
        });
    });
}

#[test]
fn a_disk_is_one_machines() {
    run(1, || {
        let disk = Disk::new("bank");
        let mine = disk.clone();
        on(boot(), move || mine.create("file").map(drop)).expect("nobody else has it");
        assert_eq!(on(boot(), move || disk.list()).expect_err("it is in use").kind(), io::ErrorKind::ResourceBusy);
    });
}

/// An operation that takes time is cut by the crash.
#[test]
fn who_waits_for_the_disk_crashes_with_its_host() {
    run(1, || {
        let second = Latency::fixed(Duration::from_secs(1));
        let disk = Disk::builder("slow").latency(second, second, second).build();
        let host = boot();
        let at = Rc::new(Cell::new(None));
        let begin = fibra::clock::now();
        let writer = host.spawn(fibra::Builder::new(), {
            let (disk, at) = (disk.clone(), at.clone());
            move || {
                let file = disk.create("file")?;
                at.set(Some(fibra::clock::now() - begin));
                file.write_all_at(b"bytes", 0)?;
                file.sync_all()
            }
        });
        fibra::sleep(Duration::from_millis(2500)).expect("nobody cancels");
        host.crash();
        assert!(is_cancelled(&writer.expect("a fiber").join().expect("no panic").expect_err("cut")));
        let created = at.get().expect("created");
        assert!(created >= Duration::from_secs(1) && created < Duration::from_millis(1100), "{created:?}");
        assert_eq!(disk.statistics().syncs, 0);
    });
}

/// By the disk itself, in the middle of what it does.
#[test]
fn a_disk_may_crash_its_host() {
    let (crashes, lengths) = (Rc::new(Cell::new(0)), Rc::new(Cell::new([false; 2])));
    for seed in 0..50 {
        let (crashes, lengths) = (crashes.clone(), lengths.clone());
        run(seed, move || {
            let disk = Disk::new("bank");
            let host = boot();
            disk.crash_after(2);
            let died = on(host, {
                let disk = disk.clone();
                move || {
                    let file = disk.create("file")?;
                    file.write_all_at(b"1", 0)?;
                    file.sync_all()
                }
            });
            assert!(is_cancelled(&died.expect_err("the sync is the third change")));
            assert!(!host.is_up());
            crashes.set(crashes.get() + 1);
            let len = on(boot(), move || disk.open_or_create("file")?.len()).expect("up again");
            let mut seen = lengths.get();
            seen[len as usize] = true;
            lengths.set(seen);
        });
    }
    assert_eq!((crashes.get(), lengths.get()), (50, [true; 2]));
    let faults = Faults { crashes: 1.0, ..Faults::default() };
    let disk = Disk::builder("alone").faults(faults).build();
    assert!(disk.create("file").is_err() && disk.list().is_err(), "on no host, until it is started");
    disk.restart();
    assert!(disk.list().is_ok());
}
