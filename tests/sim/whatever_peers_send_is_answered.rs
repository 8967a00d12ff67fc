//! Peers that send what no client of ours would, but well-formed: each call that they bring has an answer, on the connection that brought it, runs at most
//! once, and in its lane's order; and when they have gone nothing of it is left that runs, waits or holds up others.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use fibra::net::TcpStream;
use fibra::rpc::{Limits, Server};
use fibra::sim::{Latency, Sim};
use fibra::sync::Mutex;

use crate::support::seeds;

const MILLISECOND: Duration = Duration::from_millis(1);

/// How long it goes on.
const STEPS: u64 = 40;

#[fibra::service]
trait Diary {
    /// Takes so long, and answers with so many bytes.
    fn write(&self, entry: u64, millis: u64, bytes: usize) -> String;
}

/// What ran; and which lanes are busy.
#[derive(Clone, Default)]
struct Pages(Arc<Mutex<(Vec<u64>, [bool; LANES as usize])>>);

const LANES: u64 = 4;

impl Diary for Pages {
    fn write(&self, entry: u64, millis: u64, bytes: usize) -> String {
        let lane = (entry % LANES) as usize;
        let mut pages = self.0.lock();
        assert!(!pages.0.contains(&entry), "{entry} runs twice");
        if lane > 0 {
            let overtaken = pages.0.iter().any(|other| other % LANES == lane as u64 && *other > entry);
            assert!(!overtaken, "{entry} runs behind a later one: {:?}", pages.0);
            assert!(!std::mem::replace(&mut pages.1[lane], true), "two of lane {lane} at a time");
        }
        pages.0.push(entry);
        drop(pages);
        if millis > 0 {
            let _ = fibra::sleep(MILLISECOND * millis as u32);
        }
        self.0.lock().1[lane] = false;
        "x".repeat(bytes)
    }
}

/// Xorshift: what the peers draw is the seed's, whatever else is drawn.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % below
    }
}

/// A session, as its peers have it.
struct Client {
    number: u64,
    server: u64,
    next: u64,
    first_incomplete: u64,
}

fn frame(kind: u8, flags: u8, behind: u64, xid: u64, body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&(behind as u16).to_be_bytes());
    frame.extend_from_slice(&xid.to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

/// The call of that number, which always says the same but for what it comes after.
fn call(xid: u64, first_incomplete: u64, after: u64, timeout: Duration) -> Vec<u8> {
    let mut body = (timeout.as_micros() as u64).to_be_bytes().to_vec();
    let lane = (xid % LANES) as u8;
    if lane > 0 {
        body.push(lane);
        body.extend_from_slice(&after.to_be_bytes());
    }
    let method = b"diary.write";
    body.push(method.len() as u8);
    body.extend_from_slice(method);
    // Some more than sockets hold.
    let (millis, bytes) = (xid * 7 % 5 * (xid % 3), if xid.is_multiple_of(5) { 200_000 } else { xid * 31 % 11 * 100 });
    body.push(0x93);
    for number in [xid, millis, bytes] {
        body.push(0xcf);
        body.extend_from_slice(&number.to_be_bytes());
    }
    frame(1, if lane > 0 { 4 } else { 0 }, xid - first_incomplete.clamp(1, xid), xid, &body)
}

impl Client {
    fn connect(&mut self) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect("diary:7000")?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.write_all(b"\xC1fibra\x03\x00")?;
        stream.read_exact(&mut [0; 8])?;
        let mut open = u128::from(self.number).to_be_bytes().to_vec();
        open.extend_from_slice(&1_u64.to_be_bytes());
        open.extend_from_slice(&self.server.to_be_bytes());
        open.extend_from_slice(&64_u16.to_be_bytes());
        open.extend_from_slice(b"\x01s");
        stream.write_all(&frame(6, 0, 0, 0, &open))?;
        let (kind, _, body) = receive(&mut stream)?.expect("an answer");
        assert_eq!(kind, 7, "{body:?}");
        self.server = u64::from_be_bytes(body[..8].try_into().expect("eight bytes"));
        Ok(stream)
    }

    /// A call, new or not.
    fn call(&mut self, dice: &mut Dice) -> (u64, Vec<u8>) {
        let is_new = dice.roll(3) > 0 && self.next < self.first_incomplete + 60;
        let xid = if is_new {
            self.next += 1 + u64::from(dice.roll(8) == 0);
            self.next - 1
        } else {
            (self.next.saturating_sub(dice.roll(12))).max(1)
        };
        if dice.roll(6) == 0 {
            self.first_incomplete = self.first_incomplete.max(xid.saturating_sub(dice.roll(50)).max(1));
        }
        let after = match dice.roll(4) {
            0 => 0,
            1 => dice.roll(xid),
            _ => xid.saturating_sub(LANES),
        };
        let timeout = MILLISECOND * [2, 20, 200, 2_000][dice.roll(4) as usize];
        (xid, call(xid, self.first_incomplete, after, timeout))
    }
}

fn receive(stream: &mut TcpStream) -> io::Result<Option<(u8, u64, Vec<u8>)>> {
    let mut header = [0; 16];
    let count = stream.read(&mut header)?;
    if count == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut header[count..])?;
    let mut body = vec![0; u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize];
    stream.read_exact(&mut body)?;
    Ok(Some((header[4], u64::from_be_bytes(header[8..].try_into().expect("eight bytes")), body)))
}

/// One connection, from its opening to its end. If it reads to the end, all that it has sent and not cancelled has been answered.
fn connection(client: &Mutex<Client>, dice: &mut Dice) -> io::Result<()> {
    let mut opened = client.lock();
    let mut stream = opened.connect()?;
    drop(opened);
    // How often each call was sent, and answered; `None`: it was cancelled.
    let mut awaited: BTreeMap<u64, Option<i64>> = BTreeMap::new();
    let take = |stream: &mut TcpStream, awaited: &mut BTreeMap<u64, Option<i64>>| -> io::Result<bool> {
        let Some((kind, xid, body)) = receive(stream)? else { return Ok(false) };
        assert!(matches!(kind, 2 | 3), "{kind} {}", String::from_utf8_lossy(&body));
        let count = awaited.get_mut(&xid).unwrap_or_else(|| panic!("nobody asked for {xid}"));
        *count = count.map(|count| count - 1);
        Ok(true)
    };
    for _ in 0..dice.roll(STEPS) {
        match dice.roll(12) {
            0..=5 => {
                let mut frames = Vec::new();
                for _ in 0..=dice.roll(6) {
                    let (xid, frame) = client.lock().call(dice);
                    frames.extend_from_slice(&frame);
                    let count = awaited.entry(xid).or_insert(Some(0));
                    *count = count.map(|count| count + 1);
                    if dice.roll(10) == 0 {
                        frames.extend(self::frame(4, 0, 0, xid, b""));
                        awaited.insert(xid, None);
                    }
                }
                stream.write_all(&frames)?;
            }
            6 => {
                let xid = client.lock().next.saturating_sub(dice.roll(10)).max(1);
                stream.write_all(&frame(4, 0, 0, xid, b""))?;
                awaited.insert(xid, None);
            }
            7 => {
                let mut client = client.lock();
                let from = client.first_incomplete;
                let wanted = (from..from + dice.roll(5)).flat_map(u64::to_be_bytes).collect::<Vec<_>>();
                let until = client.next.max(from + 5);
                client.next = until;
                drop(client);
                stream.write_all(&frame(13, 0, 0, until, &wanted))?;
            }
            8..=9 => drop(fibra::sleep(MILLISECOND * [1, 5, 20, 300][dice.roll(4) as usize])),
            _ => {
                for _ in 0..dice.roll(4) {
                    if awaited.values().any(|count| count.is_some_and(|count| count > 0))
                        && !take(&mut stream, &mut awaited)?
                    {
                        panic!("it was closed");
                    }
                }
            }
        }
    }
    match dice.roll(4) {
        // Reset, perhaps.
        0 => return Ok(()),
        1 => stream.shutdown(Shutdown::Both)?,
        _ => {
            stream.shutdown(Shutdown::Write)?;
            while take(&mut stream, &mut awaited)? {}
            awaited.retain(|_, count| count.is_some_and(|count| count != 0));
            assert!(awaited.is_empty(), "not answered: {awaited:?}");
        }
    }
    Ok(())
}

#[test]
fn and_leaves_nothing_behind() {
    for seed in seeds(200) {
        let latency = Latency::between(MILLISECOND / 20, 3 * MILLISECOND);
        let mut sim = Sim::builder().seed(seed).latency(latency).build();
        let pages = Pages::default();
        sim.client("diary", {
            let pages = pages.clone();
            move || {
                let mut limits = Limits::default();
                limits.buffered_bytes = [200, 1 << 20][(seed % 2) as usize];
                limits.in_flight = [2, 1024][(seed / 2 % 2) as usize];
                let builder = Server::builder().limits(limits).session_lease(Duration::from_secs(5));
                let builder = builder.waiting_max([3, 1024][(seed / 4 % 2) as usize]);
                let server = builder.service(DiaryServer::new(pages.clone())).bind("0.0.0.0:7000")?;
                fibra::sleep(Duration::from_secs(600))?;
                let metrics = server.metrics();
                let value = |name: &str| {
                    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
                    line.unwrap_or_else(|| panic!("{name} in {metrics}")).to_owned()
                };
                for name in ["fibra_rpc_connections", "fibra_rpc_buffered_bytes", "fibra_rpc_waiting_calls"] {
                    assert_eq!(value(name), "0", "{name}");
                }
                assert_eq!(value("fibra_rpc_sessions"), "1", "that of who came last");
                Ok(())
            }
        });
        sim.client("peers", move || {
            fibra::sleep(MILLISECOND)?;
            let client = Mutex::new(Client { number: seed + 1, server: 0, next: 1, first_incomplete: 1 });
            drop(client.lock().connect()?);
            fibra::scope(|scope| {
                for fiber in 0..3 {
                    let client = &client;
                    scope.spawn(move || {
                        let mut dice = Dice((seed * 3 + fiber + 1) << 20 | 1);
                        for _ in 0..6 {
                            match connection(client, &mut dice) {
                                Err(error) if error.kind() == io::ErrorKind::TimedOut => panic!("no answer: {error}"),
                                // The server's side of a reset.
                                Ok(()) | Err(_) => {}
                            }
                        }
                    });
                }
            });
            let mut client = client.into_inner();
            if !seed.is_multiple_of(3) {
                // The lanes go on.
                let mut stream = client.connect()?;
                let first = client.next + 1;
                fibra::sleep(100 * MILLISECOND)?;
                for xid in first..first + LANES {
                    stream.write_all(&call(xid, first, 0, Duration::from_secs(5)))?;
                    let (kind, of, body) = receive(&mut stream)?.expect("an answer");
                    assert_eq!((kind, of), (2, xid), "{}", String::from_utf8_lossy(&body));
                }
                drop(stream);
            }
            // So that the server looks at its leases.
            fibra::sleep(Duration::from_secs(60))?;
            for number in 0..2 {
                let mut other = Client { number: (1 << 40) + number, server: 0, next: 1, first_incomplete: 1 };
                drop(other.connect());
                fibra::sleep(Duration::from_secs(60))?;
            }
            Ok(())
        });
        sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    }
}
