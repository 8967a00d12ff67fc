//! A fiber whose socket is always ready never has to wait. It yields all the same: after 64 operations, or as many times 8 KiB.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use fibra::cancel;
use fibra::net::{UnixDatagram, UnixStream};
use fibra::park::on_first_park;

use crate::support::{Folder, LOST, join, kind, on_one_worker, pair, spawn_waiting};

/// Operations that do not wait, between two yields.
const BUDGET: usize = 64;

/// How often a worker switches before it asks the reactor.
const ROUND: usize = 61;

/// A stream with `bytes` to read, so that reading one by one takes long and never waits.
fn filled(bytes: usize) -> io::Result<(UnixStream, UnixStream)> {
    let (near, mut far) = UnixStream::pair()?;
    far.write_all(&vec![7; bytes])?;
    near.set_read_timeout(Some(LOST))?;
    Ok((near, far))
}

/// Reads bytes, one by one, until `done`; returns how many.
fn read_until(mut stream: impl Read, done: impl Fn() -> bool) -> io::Result<usize> {
    let mut count = 0;
    while !done() {
        stream.read_exact(&mut [0])?;
        count += 1;
    }
    Ok(count)
}

#[test]
fn one_that_is_ready_runs_after_a_budget() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = filled(100_000)?;
        let ran = Rc::new(Cell::new(false));
        let other = fibra::spawn_local({
            let ran = Rc::clone(&ran);
            move || ran.set(true)
        });
        let count = read_until(&near, || ran.get())?;
        assert!(count <= BUDGET, "{count}");
        join(other);
        Ok(())
    })
}

#[test]
fn also_after_what_no_event_could_announce() -> io::Result<()> {
    let folder = Folder::new()?;
    on_one_worker(|| {
        let socket = UnixDatagram::unbound()?;
        let ran = Rc::new(Cell::new(false));
        let other = fibra::spawn_local({
            let ran = Rc::clone(&ran);
            move || ran.set(true)
        });
        let mut count = 0;
        while !ran.get() {
            assert_eq!(kind(socket.send_to(b"x", folder.file("nobody"))), io::ErrorKind::NotFound);
            count += 1;
            assert!(count <= BUDGET + 1, "{count}");
        }
        join(other);
        Ok(())
    })
}

#[test]
fn one_that_waits_for_a_socket_is_woken() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = filled(100_000)?;
        let (mut quiet, mut peer) = pair()?;
        let woken = Rc::new(Cell::new(false));
        let other = spawn_waiting({
            let woken = Rc::clone(&woken);
            move || {
                let read = quiet.read(&mut [0; 8]);
                woken.set(true);
                read
            }
        });
        peer.write_all(b"x")?;
        let count = read_until(&near, || woken.get())?;
        assert!(count <= BUDGET * (ROUND + 2), "{count}");
        assert_eq!(join(other)?, 1);
        Ok(())
    })
}

#[test]
fn large_transfers_count_for_more() -> io::Result<()> {
    on_one_worker(|| {
        let (near, far) = UnixStream::pair()?;
        let turns = Rc::new(Cell::new(0));
        let counter = fibra::spawn_local({
            let turns = Rc::clone(&turns);
            move || {
                while cancel::check().is_ok() {
                    turns.set(turns.get() + 1);
                    fibra::yield_now();
                }
            }
        });
        // 64 KiB cost 9 of 64, at either end.
        for _ in 0..100 {
            (&far).write_all(&[7; 65_536])?;
            (&near).read_exact(&mut [0; 65_536])?;
        }
        assert!((20..=30).contains(&turns.get()), "{}", turns.get());
        counter.cancel();
        join(counter);
        Ok(())
    })
}

#[test]
fn one_that_is_cancelled_ends_though_not_at_once() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = filled(100_000)?;
        let count = Rc::new(Cell::new(0));
        let busy = fibra::spawn_local({
            let count = Rc::clone(&count);
            move || -> io::Result<()> {
                loop {
                    (&near).read_exact(&mut [0])?;
                    count.set(count.get() + 1);
                }
            }
        });
        fibra::yield_now();
        let before = count.get();
        busy.cancel();
        assert!(cancel::is_cancelled(&join(busy).expect_err("it reads until it is cancelled")));
        let more = count.get() - before;
        // What it still has to say is not lost: a whole budget is left to it.
        assert!((BUDGET..=2 * BUDGET).contains(&more), "{more}");
        Ok(())
    })
}

#[test]
fn one_that_is_cancelled_ends_though_others_are_busy_too() -> io::Result<()> {
    on_one_worker(|| {
        let (near, _far) = filled(100_000)?;
        let (other, _far) = filled(100_000)?;
        let busy = fibra::spawn_local(move || read_until(near, || false));
        fibra::yield_now();
        busy.cancel();
        let count = read_until(&other, || busy.is_finished())?;
        assert!(count <= 4 * BUDGET, "{count}");
        assert!(cancel::is_cancelled(&join(busy).expect_err("it reads until it is cancelled")));
        Ok(())
    })
}

/// As a server's fiber does, which runs a call after the other.
#[test]
fn one_that_is_cancelled_ends_though_it_clears_its_locals() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, _far) = filled(20 * BUDGET)?;
        near.set_read_timeout(None)?;
        let busy = fibra::spawn_local(move || -> io::Result<()> {
            for _ in 0..20 * BUDGET {
                near.read_exact(&mut [0])?;
                fibra_scheduler::clear_locals();
            }
            Ok(())
        });
        fibra::yield_now();
        busy.cancel();
        assert!(cancel::is_cancelled(&join(busy).expect_err("it reads until it is cancelled")));
        Ok(())
    })
}

#[test]
fn handlers_that_do_not_wait_rarely_pay_for_it() -> io::Result<()> {
    const CALLS: usize = 1_000;
    on_one_worker(|| {
        let (near, far) = UnixStream::pair()?;
        let mut fired = 0;
        for _ in 0..CALLS {
            // As a server runs a handler: the hook costs it a fiber.
            on_first_park(&mut || fired += 1, || {
                (&near).write_all(b"x")?;
                (&far).read_exact(&mut [0])
            })?;
        }
        assert_eq!(fired, 2 * CALLS / BUDGET);
        Ok(())
    })
}

#[test]
fn and_not_at_all_if_the_worker_has_looked_outside_in_time() -> io::Result<()> {
    on_one_worker(|| {
        let (near, far) = UnixStream::pair()?;
        let mut fired = 0;
        for _ in 0..10 {
            on_first_park(&mut || fired += 1, || -> io::Result<()> {
                for _ in 0..BUDGET / 4 {
                    (&near).write_all(b"x")?;
                    (&far).read_exact(&mut [0])?;
                }
                Ok(())
            })?;
            fibra::sleep(Duration::from_millis(1))?;
        }
        assert_eq!(fired, 0);
        Ok(())
    })
}
