//! The kernel tells one worker of an arrival. Whether that one accepts or not, nobody waits for a connection that is there.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fibra::cancel;
use fibra::net::{TcpListener, TcpStream};

use crate::support::{LOOPBACK, LOST, counters, hog_for, join, kind, on_one_worker, spawn_waiting};

const WORKERS: usize = 4;

/// Runs `f` on a fiber of each worker.
fn on_each_worker(f: impl Fn(usize) -> io::Result<()> + Send + Sync + 'static) -> Vec<fibra::JoinHandle<()>> {
    let f = Arc::new(f);
    let on = |worker: usize| {
        let f = Arc::clone(&f);
        // Whoever has nothing to do takes it.
        let taken = fibra::spawn(move || {
            let here = fibra_scheduler::worker_index() == Some(worker);
            here.then(|| fibra::spawn_local(move || f(worker).expect("a fiber failed")))
        });
        join(taken)
    };
    (0..WORKERS).map(|worker| std::iter::repeat_with(|| on(worker)).flatten().next().expect("it is endless")).collect()
}

/// Accepts and answers, until it is cancelled.
fn accept_all(listener: &TcpListener) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => stream.write_all(b"x")?,
            Err(error) if cancel::is_cancelled(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// One connection after the other: none is helped by the arrival of the next.
fn connect(addr: SocketAddr, times: usize) -> io::Result<()> {
    for _ in 0..times {
        let mut stream = std::net::TcpStream::connect(addr)?;
        stream.set_read_timeout(Some(LOST))?;
        stream.read_exact(&mut [0])?;
    }
    Ok(())
}

fn with_workers(f: impl FnOnce(TcpListener) -> io::Result<()>) -> io::Result<()> {
    fibra::runtime::builder().workers(WORKERS).run(|| f(TcpListener::bind(LOOPBACK)?))?
}

#[test]
fn when_some_give_up_all_the_time() -> io::Result<()> {
    with_workers(|listener| {
        let addr = listener.local_addr()?;
        // The others are told just as they give up; then only the first is left.
        let fibers = on_each_worker(move |worker| {
            if worker == 0 {
                return accept_all(&listener);
            }
            loop {
                match cancel::with_timeout(Duration::from_micros(50), || listener.accept()) {
                    Ok((mut stream, _)) => stream.write_all(b"x")?,
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                    Err(error) if cancel::is_cancelled(&error) => return Ok(()),
                    Err(error) => return Err(error),
                }
                // What is left behind is not found by who comes back at once.
                if fibra::sleep(Duration::from_millis(1)).is_err() {
                    return Ok(());
                }
            }
        });
        fibra::blocking(move || connect(addr, 2_000))??;
        fibers.iter().for_each(fibra::JoinHandle::cancel);
        fibers.into_iter().for_each(join);
        Ok(())
    })
}

#[test]
fn when_all_but_one_have_stopped() -> io::Result<()> {
    with_workers(|listener| {
        let addr = listener.local_addr()?;
        let accepted = Arc::new(AtomicUsize::new(0));
        let fibers = on_each_worker(move |worker| {
            // One connection for each worker but the last, whose fiber goes on.
            if worker + 1 < WORKERS && accepted.fetch_add(1, Ordering::Relaxed) < WORKERS {
                listener.accept()?.0.write_all(b"x")
            } else {
                accept_all(&listener)
            }
        });
        fibra::blocking(move || connect(addr, 200))??;
        fibers.iter().for_each(fibra::JoinHandle::cancel);
        fibers.into_iter().for_each(join);
        Ok(())
    })
}

#[test]
fn when_many_come_at_once() -> io::Result<()> {
    const BURST: usize = 50;
    with_workers(|listener| {
        let addr = listener.local_addr()?;
        // Each accepts one and is then busy with it for as long as its client stays.
        let fibers = on_each_worker(move |_| {
            loop {
                let mut stream = match listener.accept() {
                    Ok((stream, _)) => stream,
                    Err(error) if cancel::is_cancelled(&error) => return Ok(()),
                    Err(error) => return Err(error),
                };
                stream.write_all(b"x")?;
                assert_eq!(stream.read(&mut [0])?, 0);
            }
        });
        fibra::blocking(move || {
            for _ in 0..20 {
                let streams = (0..BURST).map(|_| std::net::TcpStream::connect(addr)).collect::<io::Result<Vec<_>>>()?;
                for mut stream in streams {
                    stream.set_read_timeout(Some(LOST))?;
                    stream.read_exact(&mut [0])?;
                }
            }
            io::Result::Ok(())
        })??;
        fibers.iter().for_each(fibra::JoinHandle::cancel);
        fibers.into_iter().for_each(join);
        Ok(())
    })
}

/// A figure of a thread of this process, as the kernel has it.
fn figure(thread: &str, name: &str) -> io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|figure| figure.trim().parse().ok()).ok_or_else(|| io::Error::other("/proc has no such figure"))
}

#[test]
fn and_no_worker_is_woken_for_what_another_takes() -> io::Result<()> {
    const TIMES: usize = 200;
    with_workers(|listener| {
        let addr = listener.local_addr()?;
        let (send, threads) = mpsc::channel();
        let tell = move |_| send.send(figure("thread-self", "Pid")?).map_err(io::Error::other);
        on_each_worker(tell).into_iter().for_each(join);
        let threads: Vec<_> = threads.iter().collect();
        // Not by way of fibers, which would wake them.
        let all_sleeps = || -> io::Result<u64> {
            threads.iter().map(|thread| figure(&format!("self/task/{thread}"), "voluntary_ctxt_switches")).sum()
        };
        let fibers = on_each_worker(move |_| accept_all(&listener));
        // On a loaded machine they may be preempted; but not each time.
        let tries = (0..10).map(|_| {
            let before = all_sleeps()?;
            fibra::blocking(move || connect(addr, TIMES))??;
            Ok(all_sleeps()? - before)
        });
        let tries = tries.collect::<io::Result<Vec<_>>>()?;
        assert!(tries.iter().any(|woken| *woken < TIMES as u64 * 3 / 2), "{tries:?}");
        fibers.iter().for_each(fibra::JoinHandle::cancel);
        fibers.into_iter().for_each(join);
        Ok(())
    })
}

#[test]
fn when_the_first_in_line_gives_up() -> io::Result<()> {
    with_workers(|listener| {
        let addr = listener.local_addr()?;
        // Every worker has accepted, so that each has a seat of its own; and then nobody waits on any.
        let late = listener.try_clone()?;
        let fibers = on_each_worker(move |_| {
            let accepted = cancel::with_timeout(Duration::from_millis(1), || late.accept());
            assert!(accepted.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut));
            Ok(())
        });
        fibers.into_iter().for_each(join);
        let [first, second] = [listener.try_clone()?, listener];
        let first = spawn_waiting(move || first.accept().map(drop));
        let second = spawn_waiting(move || second.accept()?.0.write_all(b"x"));
        first.cancel();
        assert!(cancel::is_cancelled(&join(first).expect_err("nobody has connected")));
        fibra::blocking(move || connect(addr, 1))??;
        join(second)
    })
}

/// Who would have registered the listener anew, since it is one of several workers' from now on.
#[test]
fn when_the_first_in_line_gives_up_as_another_worker_comes() -> io::Result<()> {
    const TIMEOUT: Duration = Duration::from_millis(20);
    with_workers(|listener| {
        let addr = listener.local_addr()?;
        let [first, second, late] = [listener.try_clone()?, listener.try_clone()?, listener];
        let first = spawn_waiting(move || cancel::with_timeout(TIMEOUT, || first.accept()).map(drop));
        let second = spawn_waiting(move || cancel::with_timeout(LOST, || second.accept())?.0.write_all(b"x"));
        let comes = spawn_waiting(move || {
            fibra::sleep(TIMEOUT / 2)?;
            let has_come = Arc::new(AtomicBool::new(false));
            let comes = Arc::clone(&has_come);
            let other = fibra::spawn(move || {
                let accepted = cancel::with_timeout(Duration::ZERO, || late.accept());
                comes.store(true, Ordering::Release);
                accepted.map(drop)
            });
            while !has_come.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
            join(other)
        });
        // So that both timers have expired when this worker next looks at them: then the other one comes when the first in line has been told
        // that it is late, and before it acts on that.
        hog_for(2 * TIMEOUT);
        assert_eq!(kind(join(comes)), io::ErrorKind::TimedOut);
        assert_eq!(kind(join(first)), io::ErrorKind::TimedOut);
        fibra::blocking(move || connect(addr, 1))??;
        join(second)
    })
}

#[test]
fn and_those_of_one_worker_are_served_in_order() -> io::Result<()> {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let acceptors = (0..3)
            .map(|_| {
                let listener = listener.try_clone()?;
                Ok(spawn_waiting(move || listener.accept().map(|(_, peer)| peer)))
            })
            .collect::<io::Result<Vec<_>>>()?;
        let addr = listener.local_addr()?;
        let clients = (0..3).map(|_| TcpStream::connect(addr)).collect::<io::Result<Vec<_>>>()?;
        for (acceptor, client) in acceptors.into_iter().zip(&clients) {
            assert_eq!(join(acceptor)?, client.local_addr()?);
        }
        Ok(())
    })
}

/// Also if it has had another before, of a runtime that has ended.
#[test]
fn and_a_single_worker_registers_its_listener_once() -> io::Result<()> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let addr = listener.local_addr()?;
    for _ in 0..2 {
        on_one_worker(|| {
            let listener = listener.try_clone()?;
            let acceptor = spawn_waiting(move || accept_all(&listener));
            let before = counters().registrations;
            fibra::blocking(move || connect(addr, 20))??;
            assert_eq!(counters().registrations, before);
            acceptor.cancel();
            join(acceptor)
        })?;
    }
    Ok(())
}
