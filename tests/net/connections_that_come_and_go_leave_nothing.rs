//! Connections by the thousand, opened and closed in every way: no descriptor, slot or memory stays. How many, an environment variable
//! says: CONTRIBUTING.md has the command for a million.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use fibra::clock;
use fibra::net::{TcpListener, TcpStream};

use crate::support::{LOOPBACK, counters, join, on_one_worker, open_descriptors, resident_kib, with_descriptors};

const HOW_MANY: &str = "FIBRA_CONNECTIONS";

/// Between two looks at what is left of them.
const ROUND: usize = 2_000;

#[test]
fn in_whichever_way_they_go() -> io::Result<()> {
    let test = "connections_that_come_and_go_leave_nothing::in_whichever_way_they_go";
    // In a process of its own: others would count.
    with_descriptors(64, test, || on_one_worker(come_and_go))
}

fn come_and_go() -> io::Result<()> {
    let rounds = std::env::var(HOW_MANY).map_or(10, |text| text.parse::<usize>().expect("a number").div_ceil(ROUND));
    let listener = TcpListener::bind(LOOPBACK)?;
    let addr = listener.local_addr()?;
    let server = fibra::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            fibra::spawn(move || serve(stream));
        }
    });
    // What grows once has grown.
    many(addr)?;
    let before = (open_descriptors()?, counters().sockets, resident_kib()?);
    let begun = clock::now();
    for _ in 0..rounds {
        many(addr)?;
        assert_eq!((open_descriptors()?, counters().sockets), (before.0, before.1));
    }
    let (took, resident) = (begun.elapsed(), resident_kib()?);
    let connections = rounds * ROUND;
    println!(
        "{connections} connections in {:.1} s; descriptors {} before, {} after; resident KiB {} before, {resident} after",
        took.as_secs_f64(),
        before.0,
        open_descriptors()?,
        before.2,
    );
    assert!(resident < before.2 + 512, "{resident} KiB instead of {} after {connections} connections", before.2);
    server.cancel();
    join(server);
    Ok(())
}

/// Returns when both ends of all have gone.
fn many(addr: SocketAddr) -> io::Result<()> {
    (0..ROUND).try_for_each(|cycle| once(TcpStream::connect(addr)?, cycle))?;
    // This fiber and the one that accepts.
    while fibra::counters().live > 2 {
        fibra::yield_now();
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; 64];
    while let n @ 1.. = stream.read(&mut buf)? {
        stream.write_all(&buf[..n])?;
        if buf[0] == b'c' {
            // This end closes first.
            return Ok(());
        }
    }
    Ok(())
}

fn once(mut stream: TcpStream, cycle: usize) -> io::Result<()> {
    // A reset, so that the kernel keeps no port for a minute; but of some, orderly, it does.
    stream.set_linger((!cycle.is_multiple_of(50)).then_some(Duration::ZERO))?;
    let mut buf = [0; 8];
    match cycle % 5 {
        0 => {
            stream.write_all(b"close")?;
            stream.read_exact(&mut buf[..5])?;
            assert_eq!(stream.read(&mut buf)?, 0);
        }
        1 => {
            stream.write_all(b"half")?;
            stream.shutdown(Shutdown::Write)?;
            stream.read_exact(&mut buf[..4])?;
            assert_eq!(stream.read(&mut buf)?, 0);
        }
        2 => {
            stream.write_all(b"reply")?;
            stream.read_exact(&mut buf[..5])?;
        }
        // With a reply that nobody reads.
        3 => stream.write_all(b"unread")?,
        _ => {}
    }
    Ok(())
}
