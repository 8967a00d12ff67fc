//! A client's ordered calls run in the order in which they were made, each at most once, whatever becomes of its connections and of those among
//! them that it gives up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fibra::net::TcpListener;
use fibra::rpc::client::{Pending, RetryPolicy};
use fibra::rpc::{CallError, Channel, Executed, Limits};

use crate::support::ledger::{LedgerClient, connect, serve};
use crate::support::proxy::Proxy;
use crate::support::raw::{self, CALL, CANCEL, REPLY, Raw};
use crate::support::stub::{self, Stub};
use crate::support::{DeskClient, LOOPBACK, join, on_one_worker, on_two_workers, wait_until};

const UNDER_WAY: usize = 32;
const FOR: Duration = Duration::from_millis(1500);
/// How often it is connected, at least.
const CONNECTIONS_MIN: u64 = 10;

#[test]
fn through_a_network_that_cuts_delays_and_repeats() {
    on_two_workers(|| {
        let (server, book) = serve();
        let proxy = Proxy::to(server.local_addr());
        let ledger = LedgerClient::connect(proxy.addr()).expect("it listens");
        let over = Arc::new(AtomicBool::new(false));
        let disturbing = fibra::spawn({
            let (proxy, over) = (proxy.clone(), Arc::clone(&over));
            move || {
                for round in 0.. {
                    match round % 12 {
                        0 => proxy.to_server().delay(Duration::from_micros(200 * (round as u64 % 7))),
                        1..=3 => proxy.repeat(round),
                        4 => proxy.cut(),
                        _ => {}
                    }
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    let _ = fibra::sleep(Duration::from_millis(5));
                }
            }
        });
        let until = fibra::clock::now() + FOR;
        let (mut under_way, mut answered) = (VecDeque::new(), Vec::new());
        let mut take = |(n, call): (u64, Pending<u64>)| match call.join() {
            Ok(answer) => {
                assert_eq!(answer, n);
                answered.push(n);
            }
            Err(error) => panic!("call {n}: {error}"),
        };
        for n in 1.. {
            // On a busy machine it takes longer until there have been enough cuts.
            if fibra::clock::now() >= until && proxy.accepted() > CONNECTIONS_MIN {
                break;
            }
            let call = match n % 3 {
                0 => ledger.start().write(n),
                rest => ledger.start().write_in(n, rest * 200),
            };
            if n % 11 == 0 {
                call.cancel();
            } else {
                under_way.push_back((n, call));
            }
            if under_way.len() > UNDER_WAY {
                under_way.pop_front().into_iter().for_each(&mut take);
            }
        }
        under_way.into_iter().for_each(&mut take);
        over.store(true, Ordering::SeqCst);
        join(disturbing);

        let entries = book.entries();
        assert!(entries.is_sorted_by(|one, next| one < next), "{entries:?}");
        assert!(answered.iter().all(|n| entries.binary_search(n).is_ok()));
        println!("{} ran, {} were answered, over {} connections", entries.len(), answered.len(), proxy.accepted());
    });
}

/// The client's side: what goes out says what it comes after, each time anew.
#[test]
fn each_call_names_the_last_that_is_waited_for() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let connecting = fibra::spawn(move || Channel::connect(addr).expect("it listens"));
        let mut server = Raw::accept(&listener, &raw::Opened::default()).0;
        let ledger = LedgerClient::new(join(connecting));
        let lane = |server: &mut Raw| {
            let (kind, xid, body) = server.receive().expect("a frame");
            assert_eq!((kind, server.flags), (CALL, 0x04));
            (xid, u64::from_be_bytes(body[9..17].try_into().expect("eight bytes")))
        };
        let mut calls: Vec<_> = (1..=4).map(|n| ledger.start().write(n)).collect();
        assert_eq!([1, 2, 3, 4].map(|_| lane(&mut server)), [(1, 0), (2, 1), (3, 2), (4, 3)]);
        // Answered, and given up.
        server.send(&raw::frame(REPLY, 2, &[2]));
        assert_eq!(calls.remove(1).join().expect("an answer"), 2);
        calls.remove(1).cancel();
        assert_eq!(server.receive(), Some((CANCEL, 3, vec![])));
        drop(server);

        let mut server = Raw::accept(&listener, &raw::Opened { resumed: true, ..raw::Opened::default() }).0;
        assert_eq!([1, 4].map(|_| lane(&mut server)), [(1, 0), (4, 1)]);
        for xid in [4, 1] {
            server.send(&raw::frame(REPLY, xid, &[xid as u8]));
        }
        assert_eq!(calls.into_iter().map(|call| call.join().expect("an answer")).collect::<Vec<_>>(), [1, 4]);
        let last = ledger.start().write(5);
        assert_eq!(lane(&mut server), (5, 0), "none is left to come after");
        drop(last);
    });
}

#[test]
fn a_batch_of_them_is_in_order() {
    on_one_worker(|| {
        let (server, book) = serve();
        let ledger = connect(&server);
        let calls = ledger.batch(|start| (1..=200).map(|n| start.write_in(n, n % 2)).collect::<Vec<_>>());
        for (call, n) in calls.into_iter().zip(1..) {
            assert_eq!(call.join().expect("an answer"), n);
        }
        assert_eq!(book.entries(), (1..=200).collect::<Vec<_>>());
    });
}

#[test]
fn one_that_is_given_up_in_its_turn_holds_up_nobody() {
    on_one_worker(|| {
        let (server, book) = serve();
        let ledger = connect(&server);
        let first = ledger.start().write_slowly(1);
        book.turnstile.wait_for(1);
        // It is held back at the server until its caller gives up.
        let error = ledger.within(Duration::from_millis(20)).write(2).expect_err("no turn");
        assert!(matches!(error, CallError::Timeout { .. }), "{error:?}");
        let third = ledger.start().write(3);
        book.turnstile.open();
        assert_eq!(first.join().expect("an answer"), 1);
        assert_eq!(third.join().expect("an answer"), 3);
        assert_eq!(book.entries(), [1, 3]);
    });
}

/// A call that was refused is made again, unless that would be behind one that was made later.
#[test]
fn what_is_made_again_is_not_made_out_of_order() {
    on_one_worker(|| {
        let server = Stub::start(|nth, xid| match nth {
            0 | 2 => stub::overloaded(nth, xid),
            _ => raw::frame(REPLY, xid, &[7]),
        });
        let ledger = LedgerClient::new(Channel::connect(server.addr()).expect("it listens"));
        let ledger = ledger.retry(RetryPolicy::default().backoff(Duration::from_millis(1), Duration::from_millis(1)));
        assert_eq!(ledger.write(1).expect("the second time"), 7);
        assert_eq!(server.calls(), 2);

        let calls = [2, 3].map(|n| ledger.start().write(n));
        wait_until(|| server.calls() == 4);
        let [second, third] = calls.map(Pending::join);
        let error = second.expect_err("it was refused, and the third came after it");
        assert!(matches!(error, CallError::Overloaded { .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::No);
        assert_eq!(third.expect("an answer"), 7);
        assert_eq!(server.calls(), 4);
    });
}

/// The output is full until its time is up, and nobody has looked at it since.
#[test]
fn nor_does_one_that_was_never_sent() {
    on_one_worker(|| {
        let listener = TcpListener::bind(LOOPBACK).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let accepting = fibra::spawn(move || Raw::accept(&listener, &raw::Opened::default()).0);
        let mut limits = Limits::default();
        // More than any socket's buffers hold.
        limits.frame_bytes = 32 << 20;
        limits.buffered_bytes = 1024;
        let channel = Channel::connect_with(addr, limits).expect("it listens");
        let (desk, ledger) = (DeskClient::new(channel.clone()), LedgerClient::new(channel));
        let mut server = join(accepting);

        let filling = desk.start().echo("x".repeat(limits.frame_bytes - 1024));
        let first = ledger.within(Duration::from_millis(20)).start().write(1);
        let second = fibra::spawn(move || ledger.within(Duration::from_secs(5)).write(2));
        assert_eq!(server.receive().map(|(kind, xid, _)| (kind, xid)), Some((CALL, 1)));
        let (kind, xid, body) = server.receive().expect("a call");
        assert_eq!((kind, xid, body.last(), &body[9..17]), (CALL, 3, Some(&2), &[0; 8][..]), "it comes after none");
        server.send(&raw::frame(REPLY, 3, &[2]));
        assert_eq!(join(second).expect("an answer"), 2);
        let error = first.join().expect_err("its time is up");
        assert!(matches!(error, CallError::Timeout { .. }), "{error:?}");
        assert_eq!(error.executed(), Executed::No);
        drop(filling);
    });
}
