//! As the kernel has it: who reads or writes at a file's cursor moves it on in the same step, however long that takes the disk.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use fibra::sim::Latency;
use fibra::sim::disk::{Disk, File};
use fibra_scheduler::{driver, runtime};

const FIBERS: u8 = 3;
const TIMES: usize = 5;

/// Runs `f` on a new file of a disk that takes its time.
fn on_a_file(f: impl FnOnce(&Arc<File>) + 'static) {
    let slow = Latency::between(Duration::from_micros(10), Duration::from_millis(3));
    let run = runtime::Builder::new(driver::idle).seed(1).run(move || {
        let disk = Disk::builder("slow").latency(slow, slow, slow).build();
        f(&Arc::new(disk.create("file").expect("up")));
    });
    run.expect("no deadlock");
}

/// What each of some fibers returns who do `f` at the same time.
fn at_once<T: Send + 'static>(file: &Arc<File>, f: impl Fn(&File, u8) -> T + Copy + Send + 'static) -> Vec<T> {
    let fibers = (1..=FIBERS).map(|number| {
        let file = Arc::clone(file);
        fibra::spawn(move || f(&file, number))
    });
    let fibers: Vec<_> = fibers.collect();
    fibers.into_iter().map(|fiber| fiber.join().expect("no panic")).collect()
}

#[test]
fn nothing_is_written_over() {
    on_a_file(|file| {
        at_once(file, |mut file, number| (0..TIMES).for_each(|_| file.write_all(&[number; 4]).expect("room")));
        let mut bytes = vec![0; usize::from(FIBERS) * TIMES * 4];
        file.read_exact_at(&mut bytes, 0).expect("as long as that");
        for number in 1..=FIBERS {
            assert_eq!(bytes.iter().filter(|&&byte| byte == number).count(), TIMES * 4);
        }
    });
}

#[test]
fn nothing_is_read_twice() {
    on_a_file(|file| {
        let bytes: Vec<u8> = (0..FIBERS * TIMES as u8).collect();
        file.write_all_at(&bytes, 0).expect("room");
        let read = at_once(file, |mut file, _| {
            let mut bytes = [0; TIMES];
            bytes.iter_mut().for_each(|byte| file.read_exact(std::slice::from_mut(byte)).expect("there"));
            bytes
        });
        let mut read: Vec<u8> = read.concat();
        read.sort_unstable();
        assert_eq!(read, bytes);
    });
}
