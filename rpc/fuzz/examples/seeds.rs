//! Writes the seeds of the targets that take bytes, by the crate's own encoder: `cargo run --example seeds` in this package.

use std::fs;
use std::path::Path;
use std::time::Duration;

use fibra_rpc::codec;
use fibra_rpc::metadata::Metadata;
use fibra_rpc::wire::bytes::Bytes;
use fibra_rpc::wire::failure::Code;
use fibra_rpc::wire::frame::{Ending, Open, Opened};
use fibra_rpc::wire::{encode, header};
use serde::Serialize;

const MAX: usize = 4096;

fn main() -> std::io::Result<()> {
    let (from_client, from_server) = (from_client(), from_server());
    let split = |bytes: &[u8], splits: u8| [&[splits], bytes].concat();
    seed("frame", "client", &split(&from_client.concat(), 1))?;
    seed("frame", "server", &split(&from_server.concat(), 2))?;
    // Longer than a buffer is.
    let long = frame(|out| (1..8).for_each(|xid| encode::piece(out, xid, &[xid as u8; 4_000], false)));
    seed("frame", "long", &split(&long, 4))?;
    seed("frame", "long-not-held", &split(&long, 5))?;
    for (number, frame) in from_client.iter().chain(&from_server).enumerate() {
        seed("frame", &format!("{number}"), &split(frame, 3))?;
    }
    seed("reply", "all", &from_server.concat())?;
    for (number, frame) in from_server.iter().enumerate() {
        seed("reply", &format!("{number}"), frame)?;
    }
    seed("decode", "args", &body(&(3, "five")))?;
    seed("decode", "bytes", &body(&vec![1_u8, 2, 255]))?;
    seed("decode", "nested", &body(&vec![vec![vec![1_u64, 1 << 40], vec![]], vec![]]))?;
    seed("decode", "holes", &body(&vec![None, Some([7_u64; 16])]))?;
    seed("decode", "map", &body(&std::collections::BTreeMap::from([("a", -1), ("b", 70_000)])))?;
    seed("decode", "floats", &body(&(1.5_f32, f64::NAN, true, (), 'x', u128::MAX)))?;
    dialects()
}

/// What clients of other protocols send; no encoder here writes it.
fn dialects() -> std::io::Result<()> {
    let in_pieces = |bytes: &[u8]| [&[6], bytes].concat();
    for (number, json) in [
        &br#"{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}"#[..],
        br#"[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"foo": "boo"}, 1]"#,
        br#"{"method":"Calculator.Add","params":[{"A":3,"B":5}],"id":0}"#,
        br#" {"a":["\u20ac\n",-1.5e3,18446744073709551616,null,true,{}]}"#,
        br#"{"timeout_ms":500,"metadata":{"tenant":"a"},"client":"till 7","xid":1,"secret":"s"}"#,
        b"Content-Length: 2\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n{}",
    ]
    .into_iter()
    .enumerate()
    {
        seed("json", &number.to_string(), &in_pieces(json))?;
    }
    for (number, message) in [
        &b"\x94\x00\x07\xa3add\x92\x03\x05"[..],
        b"\x93\x02\xc4\x03add\x82\xa1b\x05\xa1a\x03",
        b"\xdc\x00\x04\xcc\x00\xce\x00\x00\x00\x05\xd9\x01a\x91\x91\xc0",
    ]
    .into_iter()
    .enumerate()
    {
        seed("msgpackrpc", &number.to_string(), &in_pieces(message))?;
    }
    for (number, request) in [
        &b"POST /calculator/add?x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5\r\nIdempotency-Key: \"k\"\r\n\r\n[3,5]"[..],
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        b"GET http://a/healthz HTTP/1.0\r\n\r\n",
        b"5;x=\"y\"\r\n[3,5]\r\n00a\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
    ]
    .into_iter()
    .enumerate()
    {
        seed("http", &number.to_string(), &in_pieces(request))?;
    }
    for (number, answer) in [
        &b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 36\r\n\r\n{\"jsonrpc\":\"2.0\",\"result\":8,\"id\":1}"[..],
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0a\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
        b"HTTP/1.0 500 Oh\r\nConnection: Keep-Alive\r\nServer: x\r\n\r\nuntil the end",
        b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200",
    ]
    .into_iter()
    .enumerate()
    {
        seed("httpanswer", &number.to_string(), &in_pieces(answer))?;
    }
    Ok(())
}

fn from_client() -> Vec<Vec<u8>> {
    let secret = Bytes::from(b"secret".to_vec());
    let open = Open { client: [7; 16], incarnation: 1, server: 0, window: 512, secret };
    let mut frames = vec![frame(|out| encode::open(out, &open))];
    let mut metadata = Metadata::new();
    metadata.insert("tenant", "acme").expect("it is short");
    metadata.insert("key", &[0_u8, 255][..]).expect("it is short");
    for (xid, behind, flags, credit) in [
        (1, 0, 0, None),
        (9, 8, 0, None),
        (6, 2, header::FLAG_ORDERED, None),
        (1 << 63, 0, header::FLAG_ONE_WAY, None),
        (2 << 62, 0, header::FLAG_IDEMPOTENT, None),
        (5, 0, header::FLAG_CLIENT_STREAM, Some(1024)),
    ] {
        frames.push(frame(|out| {
            let metadata = if behind > 0 { &metadata } else { &Metadata::new() };
            let lane = (flags & header::FLAG_ORDERED != 0).then_some(7);
            let mut body = encode::call_with(out, "calculator.add", flags, lane, metadata, credit, MAX);
            codec::encode(&mut body, &(3, 5)).expect("it can be encoded");
            body.finish().expect("it is short");
            encode::stamp_call(out, xid, behind, Duration::from_secs(10));
            if lane.is_some() {
                encode::stamp_turn(out, 5);
            }
        }));
    }
    frames.push(frame(|out| encode::cancel(out, 1)));
    frames.push(frame(|out| encode::piece(out, 5, b"\x93\x01", true)));
    frames.push(frame(|out| encode::piece(out, 5, b"\x02\x03", false)));
    frames.push(frame(|out| encode::end(out, 5, Ending::Finished)));
    frames.push(frame(|out| encode::credit(out, 5, 4096)));
    frames
}

fn from_server() -> Vec<Vec<u8>> {
    let opened = Opened { resumed: true, incarnation: 9, window: 512, lease: 1_800_000 };
    let failure = |code, message: &str, details: &[u8]| {
        frame(|out| {
            let mut body = encode::failure(out, 2, code, message, MAX);
            std::io::Write::write_all(&mut body, details).expect("it is short");
            body.finish().expect("it is short");
        })
    };
    let reply = frame(|out| {
        let mut body = encode::reply(out, 1, MAX);
        codec::encode(&mut body, &8).expect("it can be encoded");
        body.finish().expect("it is short");
    });
    vec![
        frame(|out| encode::opened(out, &opened)),
        reply,
        failure(Code::Application, "not enough", &body(&("NotEnough", 7))),
        failure(Code::Overloaded, "there are 1024 calls in flight", &[]),
        frame(|out| encode::piece(out, 3, b"\xa3abc", false)),
        frame(|out| encode::end(out, 3, Ending::Stop)),
        frame(|out| encode::credit(out, 3, 65_536)),
        frame(|out| encode::goaway(out, 1, "malformed")),
    ]
}

fn frame(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

fn body<T: Serialize>(value: &T) -> Vec<u8> {
    let mut frame = Vec::new();
    let mut body = encode::reply(&mut frame, 1, MAX);
    codec::encode(&mut body, value).expect("it can be encoded");
    body.finish().expect("it is short");
    frame.split_off(header::LEN)
}

fn seed(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}
