//! What the parts of a remote call of `add(3, 5)` cost, and the whole of it through a loopback socket.
//!
//! ```text
//! cargo bench --bench rpc
//! ```
//!
//! The parts are functions without I/O, on one thread, over and over, so their code and data are in the cache: what is shown is the least
//! that they cost. In the calls, client and server are fibers of one worker, so an operation is both halves and the kernel's; many
//! callers share reads and writes. Idempotent calls are not deduplicated: what they lack is what deduplication costs.
//!
//! Beside other systems, and with a process for each half: `cargo run --release -p fibra-compare -- --workload rpc`.

mod peers;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use fibra::rpc::codec;
use fibra::rpc::service::message::Beside;
use fibra::rpc::service::{Args, Reply};
use fibra::rpc::session::reply_cache::{Arrival, Progress, ReplyCache};
use fibra::rpc::session::{WINDOW, Window, fingerprint};
use fibra::rpc::wire::bytes::Bytes;
use fibra::rpc::wire::check::check;
use fibra::rpc::wire::decode::Decoder;
use fibra::rpc::wire::encode;
use fibra::rpc::wire::frame::Frame;
use fibra::rpc::wire::header::{self, Header};
use fibra::rpc::{Server, Service};
use peers::{Comparison, in_fibra, time};

/// Frames that are decoded from one buffer, as one read may bring them.
const BATCH: usize = 64;

/// Bodies longer than this do not come up.
const FRAME_BYTES_MAX: usize = 4 << 20;

const METHOD: &str = "calculator.add";

#[fibra::service]
pub(crate) trait Calculator {
    fn add(&self, a: i64, b: i64) -> i64;

    #[rpc(idempotent)]
    fn add_again(&self, a: i64, b: i64) -> i64;
}

struct Arithmetic;

impl Calculator for Arithmetic {
    fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    fn add_again(&self, a: i64, b: i64) -> i64 {
        a + b
    }
}

fn parts(c: &mut Criterion) {
    let mut comparison = Comparison::new(c, "parts of a call", 1);
    comparison.peer("encode a call", encode_call);
    comparison.peer("decode a header", decode_header);
    comparison.peer("decode a call", decode_call);
    comparison.peer("check arguments", check_arguments);
    comparison.peer("decode arguments, checked", decode_arguments);
    comparison.peer("dispatch, with its reply", dispatch);
    comparison.peer("fingerprint", take_fingerprint);
    comparison.peer("deduplicate: arrive, finish", |rounds| deduplicate(rounds, 1));
    comparison.peer("the same, 256 outstanding", |rounds| deduplicate(rounds, 256));
    comparison.peer("client's window", window);
    comparison.peer("encode a reply", encode_reply);
    comparison.peer("decode a reply", decode_reply);
    comparison.finish();
}

fn calls(c: &mut Criterion) {
    for callers in [1, 64, 256] {
        let mut comparison = Comparison::new(c, &format!("calls through loopback, {callers} at a time"), callers);
        let add = |proxy: &CalculatorClient| proxy.add(3, 5).expect("a sum");
        let add_again = |proxy: &CalculatorClient| proxy.add_again(3, 5).expect("a sum");
        comparison.peer("at most once", |rounds| through_loopback(rounds, callers, add));
        comparison.peer("idempotent", |rounds| through_loopback(rounds, callers, add_again));
        comparison.finish();
    }
}

/// The bytes of a call, complete.
fn call_frame(out: &mut Vec<u8>, xid: u64) {
    let start = out.len();
    let mut body = encode::call(out, METHOD, 0, FRAME_BYTES_MAX);
    codec::encode(&mut body, &black_box((3_i64, 5_i64))).expect("two numbers");
    body.finish().expect("a short frame");
    encode::stamp_call(&mut out[start..], xid, 0, Duration::from_secs(10));
}

fn reply_frame(out: &mut Vec<u8>, xid: u64) {
    let mut body = encode::reply(out, xid, FRAME_BYTES_MAX);
    codec::encode(&mut body, &black_box(8_i64)).expect("a number");
    body.finish().expect("a short frame");
}

fn arguments() -> Vec<u8> {
    vec![0x92, 3, 5]
}

fn encode_call(rounds: u64) -> Duration {
    let mut out = Vec::new();
    time(|| {
        for xid in 1..=rounds {
            out.clear();
            call_frame(&mut out, xid);
            black_box(&out);
        }
    })
}

fn encode_reply(rounds: u64) -> Duration {
    let mut out = Vec::new();
    time(|| {
        for xid in 1..=rounds {
            out.clear();
            reply_frame(&mut out, xid);
            black_box(&out);
        }
    })
}

fn decode_header(rounds: u64) -> Duration {
    let mut frame = Vec::new();
    call_frame(&mut frame, 1);
    let bytes: &[u8; header::LEN] = frame.first_chunk().expect("a whole header");
    time(|| {
        for _ in 0..rounds {
            black_box(Header::decode(black_box(bytes))).expect("a header");
        }
    })
}

fn decode_call(rounds: u64) -> Duration {
    decode(rounds, call_frame)
}

fn decode_reply(rounds: u64) -> Duration {
    decode(rounds, reply_frame)
}

/// Takes frames off a buffer that is filled with a batch of them, again and again.
fn decode(rounds: u64, frame: fn(&mut Vec<u8>, u64)) -> Duration {
    let mut batch = Vec::new();
    (1..=BATCH as u64).for_each(|xid| frame(&mut batch, xid));
    let mut decoder = Decoder::new(FRAME_BYTES_MAX);
    time(|| {
        let mut left = rounds;
        while left > 0 {
            decoder.space()[..batch.len()].copy_from_slice(&batch);
            decoder.filled(batch.len());
            while let Some(frame) = decoder.next_frame().expect("frames") {
                black_box::<Frame>(frame);
                left = left.saturating_sub(1);
            }
        }
    })
}

fn check_arguments(rounds: u64) -> Duration {
    let body = arguments();
    time(|| {
        for _ in 0..rounds {
            check(black_box(&body)).expect("an array");
        }
    })
}

fn decode_arguments(rounds: u64) -> Duration {
    let body = arguments();
    time(|| {
        for _ in 0..rounds {
            black_box(codec::decode_args::<(i64, i64)>(black_box(&body), 2)).expect("two numbers");
        }
    })
}

fn dispatch(rounds: u64) -> Duration {
    let service = CalculatorServer::new(Arithmetic);
    let body = Bytes::from(arguments());
    let mut out = Vec::new();
    time(|| {
        for xid in 1..=rounds {
            out.clear();
            let (mut body, mut beside) = (black_box(&body).clone(), Beside::default());
            let args = Args::new(&mut body, &mut beside);
            let reply = Reply::new(&mut out, xid, false, FRAME_BYTES_MAX);
            let _answer = black_box(service.dispatch(0, args, reply)).expect("a method");
        }
    })
}

fn take_fingerprint(rounds: u64) -> Duration {
    let args = arguments();
    time(|| {
        for _ in 0..rounds {
            black_box(fingerprint(black_box(METHOD.as_bytes()), black_box(&args)));
        }
    })
}

/// What the reply cache does for a call, with so many calls kept that are not acknowledged.
fn deduplicate(rounds: u64, outstanding: u64) -> Duration {
    let mut cache = ReplyCache::<()>::new(WINDOW, 8 << 20);
    let mut progress = Progress::default();
    let mut reply = Vec::new();
    reply_frame(&mut reply, 1);
    time(|| {
        for xid in 1..=rounds {
            let first_incomplete = xid.saturating_sub(outstanding - 1).max(1);
            let arrival = Arrival { xid, first_incomplete, fingerprint: xid, turn: None };
            black_box(cache.arrive(arrival, &mut progress)).expect("a new call");
            black_box(cache.finish(xid, black_box(&reply), true, &mut progress)).expect("a call that runs");
        }
    })
}

/// What gives out xids and takes them back, 64 at a time.
fn window(rounds: u64) -> Duration {
    let mut window = Window::new(WINDOW);
    time(|| {
        for _ in 0..rounds.div_ceil(64) {
            let first = window.open().expect("a place");
            for xid in first + 1..first + 64 {
                assert_eq!(window.open(), Some(black_box(xid)));
            }
            for xid in first..first + 64 {
                assert!(window.complete(black_box(xid)));
            }
        }
    })
}

/// So many calls at a time on one connection, `rounds` times.
fn through_loopback(rounds: u64, callers: u64, add: fn(&CalculatorClient) -> i64) -> Duration {
    in_fibra(|| {
        let server =
            Server::builder().service(CalculatorServer::new(Arithmetic)).bind("127.0.0.1:0").expect("a free port");
        let proxy = CalculatorClient::connect(server.local_addr()).expect("a connection");
        let play = |rounds: u64| {
            fibra::scope(|scope| {
                for _ in 0..callers {
                    scope.spawn(|| {
                        for _ in 0..rounds {
                            assert_eq!(add(&proxy), 8);
                        }
                    });
                }
            });
        };
        play(1);
        time(|| play(rounds))
    })
}

criterion_group!(benches, parts, calls);
criterion_main!(benches);
