//! Connecting to several addresses, by RFC 8305: one that does not answer holds up the next for 250 ms, one that refuses for no time,
//! and the families take turns.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use fibra::clock;
use fibra::net::{SocketAddr, TcpListener, TcpStream};

use crate::support::{LOOPBACK, counters, deaf, join, kind, on_one_worker, spawn_waiting};

const A: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const B: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// An address where nobody listens any more.
fn nobody() -> io::Result<SocketAddr> {
    TcpListener::bind(LOOPBACK)?.local_addr()
}

fn on_a_fiber_and_on_a_thread(case: fn() -> io::Result<()>) -> io::Result<()> {
    case()?;
    on_one_worker(case)
}

#[test]
fn one_that_does_not_answer_is_left_behind() -> io::Result<()> {
    on_a_fiber_and_on_a_thread(|| {
        let (_deaf, silent, _queued) = deaf(A.into())?;
        let listener = TcpListener::bind((B, 0))?;
        let begun = clock::now();
        let stream = TcpStream::connect(&[silent, listener.local_addr()?][..])?;
        assert_eq!(stream.peer_addr()?, listener.local_addr()?);
        assert!(begun.elapsed() >= Duration::from_millis(250), "the first address has had its time");
        Ok(())
    })
}

#[test]
fn one_that_refuses_is_followed_at_once() -> io::Result<()> {
    on_a_fiber_and_on_a_thread(|| {
        let (_deaf, silent, _queued) = deaf(A.into())?;
        let listener = TcpListener::bind((B, 0))?;
        // If each of the refusals took its 250 ms, it would be a minute; also while another attempt goes on.
        let mut addrs = vec![nobody()?; 240];
        addrs[1] = silent;
        addrs.push(listener.local_addr()?);
        let begun = clock::now();
        assert_eq!(TcpStream::connect(&addrs[..])?.peer_addr()?, listener.local_addr()?);
        assert!(begun.elapsed() < Duration::from_secs(30));
        Ok(())
    })
}

#[test]
fn the_families_take_turns() -> io::Result<()> {
    on_a_fiber_and_on_a_thread(|| {
        let (_deaf, silent, _queued) = deaf(A.into())?;
        let four = TcpListener::bind((B, 0))?;
        let six = TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?;
        let addrs = [silent, four.local_addr()?, six.local_addr()?];
        assert_eq!(TcpStream::connect(&addrs[..])?.peer_addr()?, six.local_addr()?);
        Ok(())
    })
}

#[test]
fn an_earlier_attempt_goes_on_and_may_still_win() -> io::Result<()> {
    on_one_worker(|| {
        let (first, slow, queued) = deaf(A.into())?;
        let (_other, silent, _queued) = deaf(B.into())?;
        let client = spawn_waiting(move || TcpStream::connect(&[slow, silent][..])?.peer_addr());
        // Its first packet has been dropped. When it is sent again, after a second, there is room.
        for _ in queued {
            first.accept()?;
        }
        assert_eq!(join(client)?, slow);
        Ok(())
    })
}

#[test]
fn the_other_attempts_are_closed() -> io::Result<()> {
    on_one_worker(|| {
        let (_deaf, silent, _queued) = deaf(A.into())?;
        let listener = TcpListener::bind((B, 0))?;
        let before = counters().sockets;
        drop(TcpStream::connect(&[silent, listener.local_addr()?][..])?);
        assert_eq!(counters().sockets, before);
        Ok(())
    })
}

#[test]
fn if_all_fail_the_last_address_says_why() -> io::Result<()> {
    on_a_fiber_and_on_a_thread(|| {
        let unreachable = (Ipv4Addr::BROADCAST, 7).into();
        let std = kind(std::net::TcpStream::connect(unreachable));
        assert_ne!(std, io::ErrorKind::ConnectionRefused);
        assert_eq!(kind(TcpStream::connect(&[nobody()?, unreachable][..])), std);
        assert_eq!(kind(TcpStream::connect(&[unreachable, nobody()?][..])), io::ErrorKind::ConnectionRefused);
        Ok(())
    })
}

#[test]
fn who_is_cancelled_tries_no_further() -> io::Result<()> {
    on_one_worker(|| {
        let addrs = [nobody()?, nobody()?];
        let client = fibra::spawn_local(move || TcpStream::connect(&addrs[..]).map(drop));
        client.cancel();
        assert!(fibra::cancel::is_cancelled(&join(client).expect_err("nobody listens")));
        Ok(())
    })
}
