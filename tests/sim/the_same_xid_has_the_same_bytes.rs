//! However often a call of a session is sent, on however many connections, at once or one after the other: it runs once, and each answer is the same
//! bytes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fibra::net::TcpStream;
use fibra::rpc::Server;
use fibra::rpc::wire::frame::Open;
use fibra::rpc::wire::{encode, preface};
use fibra::seeded::Rng;
use fibra::sim::{Conditions, Latency, Sim};

use crate::support::seeds;

const HEADER: usize = 16;
const CALLS: u64 = 12;

#[fibra::service]
trait Counter {
    /// A number that nobody else gets.
    fn next(&self, millis: u64) -> u64;
}

#[derive(Clone, Default)]
struct Numbers(Arc<AtomicU64>);

impl Counter for Numbers {
    fn next(&self, millis: u64) -> u64 {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let _ = fibra::sleep(Duration::from_millis(millis));
        number
    }
}

/// A frame: its kind, its xid, and all of it.
fn read_frame(stream: &mut &TcpStream) -> io::Result<(u8, u64, Vec<u8>)> {
    let mut frame = vec![0; HEADER];
    stream.read_exact(&mut frame)?;
    let length = frame[..4].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let xid = frame[8..16].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    frame.resize(HEADER + length, 0);
    stream.read_exact(&mut frame[HEADER..])?;
    Ok((frame[4], xid, frame))
}

/// Opens a connection of the one session; `server`: the incarnation of the server that has it, and then is said by that.
fn open(server: &mut u64) -> io::Result<TcpStream> {
    let stream = TcpStream::connect("counter:7000")?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    (&stream).write_all(&preface::encode(preface::VERSION))?;
    (&stream).read_exact(&mut [0; preface::LEN])?;
    let mut frame = Vec::new();
    let secret = vec![7; 16].into();
    encode::open(&mut frame, &Open { client: [1; 16], incarnation: 1, server: *server, window: 64, secret });
    (&stream).write_all(&frame)?;
    let (kind, _, opened) = read_frame(&mut &stream)?;
    assert_eq!(kind, 7, "opened");
    *server = opened[HEADER..HEADER + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Ok(stream)
}

fn call(xid: u64, millis: u64) -> Vec<u8> {
    let mut frame = Vec::new();
    let mut body = encode::call(&mut frame, "counter.next", 0, 1024);
    body.push(&[0x91, millis as u8]);
    body.finish().expect("it is short");
    // All of them stay wanted.
    encode::stamp_call(&mut frame, xid, xid as u16 - 1, Duration::from_secs(60));
    frame
}

/// Sends each call several times on a connection, in any order, and takes answers until it is lost or nothing more comes.
fn converse(stream: &TcpStream, mut rng: Rng, answers: &RefCell<BTreeMap<u64, Vec<u8>>>) {
    let copies = 2 * CALLS as usize;
    for _ in 0..copies {
        let xid = 1 + rng.below(CALLS as usize) as u64;
        if { stream }.write_all(&call(xid, xid * 7 % 40)).is_err() {
            return;
        }
    }
    for _ in 0..copies {
        let Ok((kind, xid, frame)) = read_frame(&mut { stream }) else { return };
        assert_eq!(kind, 2, "a reply");
        let mut answers = answers.borrow_mut();
        let first = answers.entry(xid).or_insert_with(|| frame.clone());
        assert_eq!(*first, frame, "the answer to {xid}");
    }
}

#[test]
fn over_connections_that_are_cut() {
    for seed in seeds(60) {
        let conditions = Conditions {
            latency: Latency::between(Duration::from_micros(100), Duration::from_millis(10)),
            splitting: 0.25,
            short_writes: 0.25,
            ..Conditions::default()
        };
        let mut sim = Sim::builder().seed(seed).conditions(conditions).build();
        let network = sim.network();
        let numbers = Numbers::default();
        sim.host("counter", {
            let numbers = numbers.clone();
            move || {
                Server::builder().service(CounterServer::new(numbers.clone())).bind("0.0.0.0:7000")?.wait()?;
                Ok(())
            }
        });
        let answers = Rc::new(RefCell::new(BTreeMap::new()));
        sim.client("alice", {
            let answers = Rc::clone(&answers);
            move || {
                let mut server = 0;
                let mut fibers = Vec::new();
                for connection in 0..6 {
                    let stream = open(&mut server)?;
                    let answers = Rc::clone(&answers);
                    let rng = Rng::new(seed, connection);
                    fibers.push(fibra::spawn_local(move || converse(&stream, rng, &answers)));
                    fibra::sleep(Duration::from_millis(seed * 7 % 60))?;
                    if connection % 2 == 0 {
                        network.reset("alice", "counter");
                    }
                }
                // What nobody has got an answer to yet.
                let stream = open(&mut server)?;
                for xid in 1..=CALLS {
                    (&stream).write_all(&call(xid, xid * 7 % 40))?;
                }
                for _ in 0..CALLS {
                    let (_, xid, frame) = read_frame(&mut &stream)?;
                    assert_eq!(*answers.borrow_mut().entry(xid).or_insert_with(|| frame.clone()), frame);
                }
                fibers.into_iter().for_each(|fiber| fiber.join().expect("all answers are the same"));
                Ok(())
            }
        });
        sim.run().unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(answers.borrow().len() as u64, CALLS);
        assert_eq!(numbers.0.load(Ordering::Relaxed), CALLS, "seed {seed}");
    }
}
