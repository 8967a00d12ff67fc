use std::collections::BTreeSet;

use fibra::sim::disk::Disk;

/// Writes a file as one should: whole, under another name, then in the old one's place.
fn replace(disk: &Disk, with_sync: bool) -> std::io::Result<()> {
    let new = disk.create("new")?;
    new.write_all_at(b"new content", 0)?;
    if with_sync {
        new.sync_all()?;
    }
    disk.rename("new", "config")
}

fn after(seed: u64, with_sync: bool) -> Vec<u8> {
    let disk = Disk::builder("names").seed(seed).build();
    let old = disk.create("config").expect("up");
    old.write_all_at(b"old content", 0).expect("up");
    old.sync_all().expect("up");
    replace(&disk, with_sync).expect("up");
    disk.restart();
    let file = disk.open("config").expect("one or the other");
    let mut bytes = vec![0; file.len().expect("up") as usize];
    file.read_exact_at(&mut bytes, 0).expect("up");
    bytes
}

#[test]
fn a_file_is_replaced_or_not() {
    let found: BTreeSet<_> = (0..200).map(|seed| after(seed, true)).collect();
    assert_eq!(found, BTreeSet::from([b"old content".to_vec(), b"new content".to_vec()]));
}

/// The mistake that left so many empty files behind.
#[test]
fn a_file_that_was_not_synced_may_be_empty_under_its_new_name() {
    let found: BTreeSet<_> = (0..200).map(|seed| after(seed, false)).collect();
    assert!(found.contains([].as_slice()) && found.contains(b"old content".as_slice()), "{found:?}");
}

#[test]
fn files_are_created_and_removed_in_order() {
    let mut found = BTreeSet::new();
    for seed in 0..200 {
        let disk = Disk::builder("names").seed(seed).build();
        for name in ["a", "b", "c"] {
            disk.create(name).expect("up");
        }
        disk.remove_file("a").expect("there");
        disk.restart();
        found.insert(disk.list().expect("up").concat());
    }
    assert_eq!(found, BTreeSet::from(["", "a", "ab", "abc", "bc"].map(str::to_owned)));
}

#[test]
fn to_sync_a_file_keeps_its_name_unless_posix_is_taken_at_its_word() {
    let kept = |seed, posix: bool, directory: bool| {
        let builder = Disk::builder("names").seed(seed);
        let disk = if posix { builder.posix_names() } else { builder }.build();
        disk.create("file").expect("up").sync_all().expect("up");
        if directory {
            disk.sync_directory().expect("up");
        }
        disk.restart();
        disk.open("file").is_ok()
    };
    assert!((0..100).all(|seed| kept(seed, false, false) && kept(seed, true, true)));
    assert!((0..100).any(|seed| !kept(seed, true, false)));
}
