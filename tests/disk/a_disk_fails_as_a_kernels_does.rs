use std::io::ErrorKind;

use fibra::sim::disk::{Disk, Faults};

const EIO: Option<i32> = Some(5);

fn with(seed: u64, faults: Faults) -> Disk {
    Disk::builder("faulty").seed(seed).faults(faults).build()
}

#[test]
fn reads_and_writes_fail_with_eio() {
    let disk = with(1, Faults::default());
    let file = disk.create("file").expect("up");
    file.write_all_at(&[1; 1000], 0).expect("no faults");
    disk.set_faults(Faults { read_errors: 1.0, write_errors: 1.0, ..Faults::default() });
    assert_eq!(file.read_at(&mut [0; 10], 0).expect_err("a fault").raw_os_error(), EIO);
    assert_eq!(file.write_at(&[2; 1000], 0).expect_err("a fault").raw_os_error(), EIO);
    assert_eq!(file.set_len(5).expect_err("a fault").raw_os_error(), EIO);
    disk.set_faults(Faults::default());
    let mut bytes = [0; 1000];
    file.read_exact_at(&mut bytes, 0).expect("no faults");
    let written = bytes.iter().take_while(|byte| **byte == 2).count();
    assert!(bytes[written..].iter().all(|byte| *byte == 1), "a part of it, from its beginning");
    let statistics = disk.statistics();
    assert_eq!((statistics.read_errors, statistics.write_errors), (1, 2));
}

/// As Linux does: the pages count as written, so the next sync has nothing to do.
#[test]
fn after_a_failed_sync_the_next_one_says_little() {
    let survives = |seed, again: bool| {
        let disk = with(seed, Faults { sync_errors: 1.0, ..Faults::default() });
        let file = disk.create("file").expect("up");
        file.write_all_at(b"in doubt", 0).expect("up");
        assert_eq!(file.sync_all().expect_err("a fault").raw_os_error(), EIO);
        disk.set_faults(Faults::default());
        if again {
            file.write_all_at(b"in doubt", 0).expect("up");
        }
        file.sync_all().expect("no faults");
        disk.restart();
        let mut bytes = [0; 8];
        disk.open("file").expect("synced").read_exact_at(&mut bytes, 0).expect("as long as that");
        bytes == *b"in doubt"
    };
    let survived = (0..100).filter(|&seed| survives(seed, false)).count();
    assert!((10..90).contains(&survived), "{survived}");
    assert_eq!((0..100).filter(|&seed| survives(seed, true)).count(), 100);
}

#[test]
fn a_full_disk_takes_what_fits() {
    let disk = Disk::builder("small").capacity(4 * 512).build();
    let file = disk.create("file").expect("names take no room");
    file.set_len(1 << 40).expect("nor do holes");
    assert_eq!(file.write_at(&[1; 3000], 512).expect("some fits"), 4 * 512);
    assert_eq!(file.write_at(&[1; 3000], 8192).expect_err("full").kind(), ErrorKind::StorageFull);
    assert_eq!(file.write_at(&[2; 512], 1024).expect("what is there is written over"), 512);
    file.set_len(1024).expect("less");
    assert_eq!(file.write_at(&[1; 3000], 1024).expect("room again"), 3 * 512);
    assert_eq!(disk.statistics().full, 1);
}

#[test]
fn short_writes_say_how_much() {
    let disk = with(3, Faults { short_writes: 1.0, ..Faults::default() });
    let file = disk.create("file").expect("up");
    let written = file.write_at(&[1; 1000], 0).expect("a part");
    assert!(written > 0 && written < 1000);
    assert_eq!(file.len().expect("up"), written as u64);
    file.write_all_at(&[1; 1000], 0).expect("in the end");
    assert_eq!(file.len().expect("up"), 1000);
}

#[test]
fn bits_rot_for_good() {
    let disk = with(4, Faults { rot: 1.0, ..Faults::default() });
    let file = disk.create("file").expect("up");
    file.write_all_at(&[0; 512], 0).expect("up");
    let read = || {
        let mut bytes = [0; 512];
        file.read_exact_at(&mut bytes, 0).expect("up");
        bytes.iter().map(|byte| byte.count_ones()).sum::<u32>()
    };
    assert_eq!(read(), 0, "what has yet to be written cannot rot");
    file.sync_all().expect("no fault of that kind");
    assert_eq!(read(), 1);
    disk.set_faults(Faults::default());
    assert_eq!((read(), disk.statistics().rotten), (1, 1));
    disk.rot("file", 7).expect("there");
    disk.restart();
    assert_eq!(disk.statistics().rotten, 2);
}

#[test]
fn errors_are_those_of_std() {
    let disk = Disk::new("plain");
    assert_eq!(disk.open("none").expect_err("not there").kind(), ErrorKind::NotFound);
    assert_eq!(disk.remove_file("none").expect_err("not there").kind(), ErrorKind::NotFound);
    assert_eq!(disk.rename("none", "other").expect_err("not there").kind(), ErrorKind::NotFound);
    let file = disk.create_new("file").expect("up");
    assert_eq!(disk.create_new("file").expect_err("there").kind(), ErrorKind::AlreadyExists);
    assert_eq!(file.read_exact_at(&mut [0], 0).expect_err("empty").kind(), ErrorKind::UnexpectedEof);
    assert_eq!(file.write_at(&[1], u64::MAX).expect_err("too far").kind(), ErrorKind::FileTooLarge);
}
