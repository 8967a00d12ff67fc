//! A `ReadySet` has each watched socket in line once, when there is something to read.

use std::io::{self, Write};
use std::net::Shutdown;
use std::time::Duration;

use fibra::net::ReadySet;
use fibra::yield_now;

use crate::support::{join, kind, on_one_worker, pair, spawn_waiting};

/// What is in line now, if anything.
fn now(set: &ReadySet) -> Option<u64> {
    fibra::cancel::with_timeout(Duration::ZERO, || set.next()).ok()
}

#[test]
fn each_once_and_in_the_order_of_their_bytes() -> io::Result<()> {
    on_one_worker(|| {
        let set = ReadySet::new();
        let mut pairs = (0..3).map(|_| pair()).collect::<io::Result<Vec<_>>>()?;
        for (key, (near, _)) in (0..).zip(&pairs) {
            // What is known of a new socket is nothing: so it is in line until a read has found it empty.
            near.watch(&set, key)?;
            assert_eq!(set.next()?, key);
            assert_eq!(kind(near.try_read(&mut [0; 8])), io::ErrorKind::WouldBlock);
            near.watch(&set, key)?;
        }
        for key in [2, 0, 1] {
            pairs[key].1.write_all(b"x")?;
            assert_eq!(set.next()?, key as u64);
            pairs[key].1.write_all(b"y")?;
        }
        assert_eq!(now(&set), None, "none of them is watched any more");
        pairs[1].0.watch(&set, 7)?;
        assert_eq!(set.next()?, 7, "it still has something to read");
        Ok(())
    })
}

#[test]
fn the_end_of_the_stream_is_something_to_read() -> io::Result<()> {
    on_one_worker(|| {
        let set = ReadySet::new();
        let (near, far) = pair()?;
        assert_eq!(kind(near.try_read(&mut [0; 8])), io::ErrorKind::WouldBlock);
        near.watch(&set, 1)?;
        let _ = now(&set);
        assert_eq!(kind(near.try_read(&mut [0; 8])), io::ErrorKind::WouldBlock);
        near.watch(&set, 2)?;
        drop(far);
        assert_eq!(set.next()?, 2);
        assert_eq!(near.try_read(&mut [0; 8])?, 0);

        let (near, _far) = pair()?;
        near.watch(&set, 3)?;
        let _ = now(&set);
        near.shutdown(Shutdown::Both)?;
        near.watch(&set, 4)?;
        assert_eq!(set.next()?, 4, "our own end, too");
        Ok(())
    })
}

#[test]
fn who_waits_is_woken_from_elsewhere_and_passes_on_what_it_does_not_take() -> io::Result<()> {
    on_one_worker(|| {
        let set = ReadySet::new();
        let [first, second] = [(); 2].map(|()| {
            let set = set.clone();
            spawn_waiting(move || set.next())
        });
        let pushes = set.clone();
        std::thread::spawn(move || (1..=2).for_each(|key| pushes.push(key))).join().expect("it pushes");
        let mut keys = [join(first)?, join(second)?];
        keys.sort_unstable();
        assert_eq!(keys, [1, 2]);

        let cancelled = spawn_waiting({
            let set = set.clone();
            move || set.next()
        });
        cancelled.cancel();
        assert!(join(cancelled).is_err());
        set.push(3);
        assert_eq!(set.next()?, 3, "who gave up takes nothing with it");
        Ok(())
    })
}

#[test]
fn a_line_that_never_ends_lets_others_run() -> io::Result<()> {
    on_one_worker(|| {
        let set = ReadySet::new();
        let other = fibra::spawn_local({
            let set = set.clone();
            move || set.push(0)
        });
        let (near, mut far) = pair()?;
        far.write_all(&[0; 1 << 10])?;
        yield_now();
        join(other);
        assert_eq!(set.next()?, 0);
        let seen = fibra::spawn_local(|| ());
        for _ in 0..1 << 10 {
            near.watch(&set, 1)?;
            assert_eq!(set.next()?, 1);
            near.try_read(&mut [0; 1])?;
        }
        assert!(seen.is_finished());
        Ok(())
    })
}
