//! What the outbox says about frames that left and frames that did not, when writing stops half way.

use std::io::{self, Write};
use std::sync::{Arc, mpsc};
use std::thread;

use fibra_scheduler::{driver, runtime};

use super::{Outbox, Refused};

/// Takes so many bytes, then fails.
struct Cut {
    room: usize,
    taken: Vec<u8>,
    fails_with: io::ErrorKind,
}

impl Cut {
    fn after(room: usize) -> Self {
        Self { room, taken: Vec::new(), fails_with: io::ErrorKind::BrokenPipe }
    }
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room);
        if count == 0 {
            return Err(self.fails_with.into());
        }
        self.room -= count;
        self.taken.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn append(outbox: &Outbox, byte: u8) -> u64 {
    let mut frame = vec![byte; 10];
    let queued = outbox.append_and_wake(&mut frame).expect("there is room");
    assert!(frame.is_empty());
    queued.end
}

#[test]
fn frames_leave_in_order_and_once() {
    let outbox = Outbox::new(1000);
    append(&outbox, 1);
    append(&outbox, 2);
    let mut stream = Cut::after(1000);
    outbox.flush(&mut stream).expect("it takes all");
    append(&outbox, 3);
    outbox.flush(&mut stream).expect("it takes all");
    assert_eq!(stream.taken, [[1; 10], [2; 10], [3; 10]].concat());
}

#[test]
fn a_frame_that_left_in_part_has_not_left() {
    let outbox = Outbox::new(1000);
    let ends: Vec<_> = (1..=4).map(|byte| append(&outbox, byte)).collect();
    assert!(ends[0] > outbox.exposed(), "nothing was written yet");

    let mut stream = Cut::after(25);
    assert!(outbox.flush(&mut stream).is_err());
    let left: Vec<_> = ends.iter().map(|end| *end <= outbox.exposed()).collect();
    assert_eq!(left, [true, true, false, false]);

    stream.room = 1000;
    outbox.flush(&mut stream).expect("nothing to do");
    assert_eq!(stream.taken.len(), 25, "no write begins after the end");
    assert_eq!(outbox.append_and_wake(&mut vec![5; 10]).map(|queued| queued.end), Err(Refused::Closed));
}

#[test]
fn what_would_block_is_written_later_from_where_it_stopped() {
    let outbox = Outbox::new(1000);
    let ends: Vec<_> = (1..=3).map(|byte| append(&outbox, byte)).collect();
    let mut stream = Cut::after(15);
    stream.fails_with = io::ErrorKind::WouldBlock;
    outbox.flush(&mut stream).expect("it would block, which is no failure");
    let left: Vec<_> = ends.iter().map(|end| *end <= outbox.exposed()).collect();
    assert_eq!(left, [true, false, false]);

    append(&outbox, 4);
    stream.room = 1000;
    outbox.flush(&mut stream).expect("it takes all");
    assert_eq!(stream.taken, [[1; 10], [2; 10], [3; 10], [4; 10]].concat());
}

#[test]
fn a_full_outbox_refuses_and_keeps_the_frame_with_its_sender() {
    let outbox = Outbox::new(15);
    append(&outbox, 1);
    append(&outbox, 2);
    let mut frame = vec![3; 10];
    assert_eq!(outbox.append_and_wake(&mut frame).map(|queued| queued.end), Err(Refused::Full));
    assert_eq!(frame.len(), 10);

    outbox.flush(&mut Cut::after(1000)).expect("it takes all");
    outbox.wait_for_room(None).expect("there is room");
    assert_eq!(outbox.append_and_wake(&mut frame).map(|queued| queued.end), Ok(30));
}

#[test]
fn what_was_queued_before_the_finish_is_written() {
    let outbox = Outbox::new(1000);
    append(&outbox, 1);
    outbox.finish();
    assert_eq!(outbox.append_and_wake(&mut vec![2; 10]).map(|queued| queued.end), Err(Refused::Closed));
    let mut stream = Cut::after(1000);
    outbox.write_for_ever(&mut stream, || None).expect("it ends");
    assert_eq!(stream.taken, [1; 10]);
}

/// Takes all, but is finished while it is at it, and lets the writing fiber look.
struct FinishedMeanwhile<'a>(&'a Outbox);

impl Write for FinishedMeanwhile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.finish();
        fibra_scheduler::yield_now();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that is not woken is a deadlock of the run, which says so.
#[test]
fn a_finish_while_another_writes_ends_the_writer() {
    for seed in 0..50 {
        let run = runtime::Builder::new(driver::idle).seed(seed).run(|| {
            let outbox = Arc::new(Outbox::new(1000));
            let writing = Arc::clone(&outbox);
            let writer = fibra_scheduler::spawn(move || writing.write_for_ever(io::sink(), || None));
            fibra_scheduler::yield_now();
            append(&outbox, 1);
            outbox.flush(FinishedMeanwhile(&outbox)).expect("it takes all");
            writer.join().expect("it does not panic").expect("it ends");
        });
        run.expect("no deadlock");
    }
}

/// Says that it is asked to write, and would block when it is told.
struct Gate {
    asked: mpsc::Sender<()>,
    told: mpsc::Receiver<()>,
}

impl Write for Gate {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.asked.send(()).expect("the test listens");
        self.told.recv().expect("the test tells");
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn who_writes_all_waits_for_another_who_gives_up() {
    let outbox = Outbox::new(1000);
    let ((asked, is_asked), (tell, told)) = (mpsc::channel(), mpsc::channel());
    let stream = thread::scope(|scope| {
        append(&outbox, 1);
        let outbox = &outbox;
        scope.spawn(|| outbox.flush(Gate { asked, told }).expect("it would block, which is no failure"));
        is_asked.recv().expect("it writes");
        append(outbox, 2);
        let all = scope.spawn(|| {
            let mut stream = Cut::after(1000);
            outbox.flush_all(&mut stream).expect("it takes all");
            stream
        });
        while outbox.state.lock().room.is_empty() {
            assert!(!all.is_finished(), "it did not wait");
            thread::yield_now();
        }
        tell.send(()).expect("it is asked");
        all.join().expect("it returns")
    });
    assert_eq!(stream.taken, [[1; 10], [2; 10]].concat());
}
