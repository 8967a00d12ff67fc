//! Every server that the comparison measures answers correctly: so that what is compared does the same.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Of computation; any number shows that all compute the same.
const ROUNDS: u64 = 1000;

/// A server, killed when dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// `None`, and a reason printed, if this machine has not got what builds it.
    fn start(peer: &str, workload: &str) -> Option<Server> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fibra-compare"))
            .args(["serve", peer, workload, "--rounds", &ROUNDS.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        if address.is_empty() {
            let mut reason = String::new();
            child.stderr.take().unwrap().read_to_string(&mut reason).unwrap();
            child.wait().unwrap();
            let apart = ["go", "vthread"].contains(&peer);
            assert!(apart, "{peer} does not start: {reason}");
            println!("{peer} is skipped: {reason}");
            return None;
        }
        Some(Server { child, address: address.trim().to_owned() })
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A frame of 64 bytes, and the same with the result of its computation.
fn frame(pause: bool, seed: u64) -> ([u8; 64], [u8; 64]) {
    let mut frame = [7; 64];
    frame[..4].copy_from_slice(&60_u32.to_be_bytes());
    frame[4] = u8::from(pause);
    frame[5..13].copy_from_slice(&seed.to_be_bytes());
    let mut answer = frame;
    let step = |x: u64, _| (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93).wrapping_add(1);
    answer[56..].copy_from_slice(&(0..ROUNDS).fold(seed, step).to_be_bytes());
    (frame, answer)
}

fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// An end of the stream is answered by one.
fn ends(mut stream: TcpStream) {
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let end = stream.read(&mut [0]);
    assert!(matches!(end, Ok(0)), "{end:?}");
}

fn serves(peer: &str) {
    if let Some(server) = Server::start(peer, "echo") {
        echoes(&server);
    }
    if let Some(server) = Server::start(peer, "request") {
        answers(&server);
        refuses(&server);
    }
}

fn echoes(server: &Server) {
    let (mut one, mut other) = (server.connect(), server.connect());
    one.write_all(b"first").unwrap();
    other.write_all(b"second").unwrap();
    assert_eq!(&read::<6>(&mut other), b"second");
    assert_eq!(&read::<5>(&mut one), b"first");
    // More than a buffer at once.
    let long: [u8; 10_000] = std::array::from_fn(|index| index as u8);
    one.write_all(&long).unwrap();
    assert!(read::<10_000>(&mut one) == long, "what goes in comes out");
    ends(one);
}

fn answers(server: &Server) {
    let mut stream = server.connect();
    let frames = [frame(false, 1), frame(true, 2), frame(false, 3)];
    // Three at once, one of which pauses: the answers keep their order.
    stream.write_all(&frames.map(|(frame, _)| frame).concat()).unwrap();
    for (_, answer) in frames {
        assert_eq!(read::<64>(&mut stream), answer);
    }
    // One in two pieces, of which the first ends within the length; another connection is served in between.
    let (frame, answer) = self::frame(false, 4);
    stream.write_all(&frame[..3]).unwrap();
    answers_once(server);
    stream.write_all(&frame[3..]).unwrap();
    assert_eq!(read::<64>(&mut stream), answer);
    ends(stream);
}

fn answers_once(server: &Server) {
    let mut stream = server.connect();
    let (frame, answer) = frame(true, 5);
    stream.write_all(&frame).unwrap();
    assert_eq!(read::<64>(&mut stream), answer);
}

/// A frame longer than any ends the connection, and nothing else.
fn refuses(server: &Server) {
    let mut stream = server.connect();
    stream.write_all(&u32::MAX.to_be_bytes()).unwrap();
    match stream.read(&mut [0]) {
        Ok(0) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        other => panic!("{other:?}"),
    }
    answers_once(server);
}

#[test]
fn the_event_loop_serves() {
    serves("event-loop");
}

#[test]
fn fibra_serves() {
    serves("fibra");
}

#[test]
fn tokio_on_one_thread_serves() {
    serves("tokio-current");
}

#[test]
fn tokio_on_many_threads_serves() {
    serves("tokio-multi");
}

#[test]
fn may_serves() {
    serves("may");
}

#[test]
fn vthread_serves() {
    serves("vthread");
}

#[test]
fn go_serves() {
    serves("go");
}

#[test]
fn a_thread_for_each_connection_serves() {
    serves("threads");
}
