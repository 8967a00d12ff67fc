//! `serve` accepts on all workers: they take turns while they sleep, and none holds up what another could take.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use fibra::net::{TcpListener, TcpStream, UnixListener};
use parking_lot::Mutex;

use crate::support::{Folder, LOOPBACK, LOST, join, kind, on_one_worker};

const WORKERS: usize = 4;

fn on_workers(f: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    fibra::runtime::builder().workers(WORKERS).run(f)?
}

/// Tells the client by which worker it is served, and waits until it has gone.
fn tell(mut stream: impl Read + Write) {
    let worker = fibra_scheduler::worker_index().expect("a fiber runs on a worker");
    // If the client has gone, it does not need to know.
    let _ = stream.write_all(&[u8::try_from(worker).expect("there are few")]);
    let _ = stream.read(&mut [0]);
}

fn ask(mut stream: std::net::TcpStream) -> io::Result<u8> {
    stream.set_read_timeout(Some(LOST))?;
    let mut worker = [0];
    stream.read_exact(&mut worker)?;
    Ok(worker[0])
}

/// Connects `times` times, one after the other, from a thread; returns how often each worker has served.
fn ask_often(addr: SocketAddr, times: usize) -> io::Result<HashMap<u8, usize>> {
    let clients = thread::spawn(move || {
        let mut served = HashMap::new();
        for _ in 0..times {
            *served.entry(ask(std::net::TcpStream::connect(addr)?)?).or_default() += 1;
        }
        Ok(served)
    });
    fibra::blocking(move || clients.join().expect("a thread panicked"))?
}

#[test]
fn in_turns() -> io::Result<()> {
    on_workers(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let server = {
            let listener = listener.try_clone()?;
            fibra::spawn(move || listener.serve(|stream, _| tell(stream)))
        };
        // On a loaded machine one may hardly ever sleep, and then hears of more than its share; but not each time.
        let tries = (0..10).map(|_| ask_often(listener.local_addr()?, 400)).collect::<io::Result<Vec<_>>>()?;
        let is_fair = |served: &HashMap<u8, usize>| {
            served.len() == WORKERS && served.values().all(|times| *times > 400 / WORKERS / 4)
        };
        assert!(tries.iter().any(is_fair), "{tries:?}");
        listener.shutdown()?;
        join(server)
    })
}

#[test]
fn on_unix_sockets_too() -> io::Result<()> {
    let folder = Folder::new()?;
    on_workers(|| {
        let path = folder.file("socket");
        let listener = UnixListener::bind(&path)?;
        let server = {
            let listener = listener.try_clone()?;
            fibra::spawn(move || listener.serve(|stream, _| tell(stream)))
        };
        let served = fibra::blocking(move || {
            let mut served = HashMap::new();
            for _ in 0..400 {
                let mut worker = [0];
                std::os::unix::net::UnixStream::connect(&path)?.read_exact(&mut worker)?;
                *served.entry(worker[0]).or_insert(0) += 1;
            }
            io::Result::Ok(served)
        })??;
        assert_eq!(served.len(), WORKERS, "{served:?}");
        listener.shutdown()?;
        join(server)
    })
}

#[test]
fn a_worker_that_is_held_up_holds_up_nobody() -> io::Result<()> {
    on_workers(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addr = listener.local_addr()?;
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let server = {
            let listener = listener.try_clone()?;
            fibra::spawn(move || {
                listener.serve(move |mut stream, _| {
                    let mut first = [0];
                    if stream.read(&mut first).is_ok() && &first == b"h" {
                        // The whole worker blocks.
                        let _ = released.lock().recv();
                    }
                    let _ = stream.write_all(b"x");
                })
            })
        };
        let clients = thread::spawn(move || {
            let mut held = std::net::TcpStream::connect(addr)?;
            held.write_all(b"h")?;
            for _ in 0..20 {
                let mut stream = std::net::TcpStream::connect(addr)?;
                stream.write_all(b"x")?;
                ask(stream)?;
            }
            drop(release);
            ask(held)
        });
        fibra::blocking(move || clients.join().expect("a thread panicked"))??;
        listener.shutdown()?;
        join(server)
    })
}

#[test]
fn until_the_listener_is_shut_down() -> io::Result<()> {
    on_workers(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addr = listener.local_addr()?;
        let clone = listener.try_clone()?;
        let server = fibra::spawn(move || clone.serve(|stream, _| tell(stream)));
        let mut open = TcpStream::connect(addr)?;
        open.read_exact(&mut [0])?;
        listener.shutdown()?;
        join(server)?;
        // No loop holds it any more, though a connection goes on.
        drop(std::net::TcpListener::try_from(listener)?);
        TcpListener::bind(addr)?;
        open.write_all(b"x")?;
        assert_eq!(open.read(&mut [0])?, 0);
        Ok(())
    })
}

/// Nor does a loop that was about to begin.
#[test]
fn and_no_longer() -> io::Result<()> {
    on_workers(|| {
        for round in 0..2_000 {
            let listener = TcpListener::bind(LOOPBACK)?;
            let clone = listener.try_clone()?;
            let server = fibra::spawn(move || clone.serve(|_, _| ()));
            for _ in 0..round % 64 {
                fibra::yield_now();
            }
            server.cancel();
            assert!(join(server).is_err());
            // Fails if it is shared.
            std::net::TcpListener::try_from(listener)?;
        }
        Ok(())
    })
}

#[test]
fn until_the_fiber_is_cancelled() -> io::Result<()> {
    on_workers(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addr = listener.local_addr()?;
        let server = fibra::spawn(move || listener.serve(|stream, _| tell(stream)));
        ask_often(addr, WORKERS)?;
        server.cancel();
        assert!(fibra::cancel::is_cancelled(&join(server).expect_err("it was cancelled")));
        assert_eq!(kind(std::net::TcpStream::connect(addr)), io::ErrorKind::ConnectionRefused);
        Ok(())
    })
}

#[test]
fn and_its_callers_deadline_is_not_the_connections() -> io::Result<()> {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addr = listener.local_addr()?;
        let server = fibra::spawn(move || {
            fibra::cancel::with_timeout(LOST, || {
                listener.serve(|mut stream, _| {
                    // If the client has gone, it does not need to know.
                    let _ = stream.write_all(&[u8::from(fibra::cancel::deadline().is_some())]);
                })
            })
        });
        let mut has_deadline = [2];
        TcpStream::connect(addr)?.read_exact(&mut has_deadline)?;
        assert_eq!(has_deadline, [0]);
        server.cancel();
        assert!(fibra::cancel::is_cancelled(&join(server).expect_err("it was cancelled")));
        Ok(())
    })
}

#[test]
fn only_inside_a_runtime() -> io::Result<()> {
    let listener = TcpListener::bind(LOOPBACK)?;
    assert_eq!(kind(listener.serve(|_, _| ())), io::ErrorKind::Unsupported);
    Ok(())
}
