//! JSON that clients send: where messages end, what they ask for, what their parameters become, and values on their way back.
//!
//! Input: a byte that says how the rest is split.

#![no_main]

use fibra_rpc::dialect::beside::Beside;
use fibra_rpc::dialect::json::extent::{Extent, blanks};
use fibra_rpc::dialect::json::from_msgpack::append_json;
use fibra_rpc::dialect::json::to_msgpack;
use fibra_rpc::dialect::json_rpc::request::{self, Invalid, Message, Request};
use fibra_rpc::dialect::json_rpc::{framing, response};
use fibra_rpc::limits::BATCH_CALLS_MAX;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

const MAX: usize = 8 * 1024;

fuzz_target!(|input: &[u8]| {
    let Some((&splits, bytes)) = input.split_first() else { return };
    ends(bytes, usize::from(splits) + 1);
    message(bytes);
    value(bytes);
    if let Ok(text) = str::from_utf8(bytes) {
        round_trip(text);
        let _ = Beside::default().and_member(text);
    }
    if let Ok(Some(head)) = framing::read(bytes, MAX) {
        assert!(head.len <= MAX && head.start <= framing::HEAD_BYTES_MAX);
        assert_eq!(framing::read(&bytes[..head.start - 1], MAX), Ok(None));
    }
});

/// The end is where a parser finds it, however the bytes come.
fn ends(bytes: &[u8], step: usize) {
    let bytes = &bytes[blanks(bytes)..];
    let at_once = Extent::new().look(bytes);
    let mut extent = Extent::new();
    let in_pieces =
        (step..bytes.len() + step).step_by(step).find_map(|end| match extent.look(&bytes[..end.min(bytes.len())]) {
            Ok(None) => None,
            found => Some(found),
        });
    assert_eq!(in_pieces.unwrap_or(Ok(None)), at_once);
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<&RawValue>();
    if matches!(bytes.first(), Some(b'{' | b'['))
        && let Some(Ok(first)) = values.next()
    {
        assert_eq!(at_once, Ok(Some(first.get().len())));
    }
}

fn message(bytes: &[u8]) {
    match request::parse(bytes) {
        Ok(Message::Single(text)) => asked(text, false),
        Ok(Message::Batch(requests)) => {
            assert!((1..=BATCH_CALLS_MAX).contains(&requests.len()));
            requests.iter().for_each(|request| asked(request.get(), true));
        }
        Err(invalid) => answered(&invalid),
    }
}

fn asked(text: &str, in_batch: bool) {
    match request::read(text, in_batch) {
        Ok(Request { id, params, beside, .. }) => {
            // What is given back, or looked at later, is JSON.
            for json in [id, params, beside].into_iter().flatten() {
                serde_json::from_str::<&RawValue>(json).expect("it was a member");
            }
        }
        Err(invalid) => answered(&invalid),
    }
}

fn answered(invalid: &Invalid<'_>) {
    let mut out = Vec::new();
    response::respond_invalid(&mut out, invalid);
    serde_json::from_slice::<&RawValue>(&out).expect("an answer is JSON");
}

/// What has a form in JSON is JSON.
fn value(bytes: &[u8]) {
    let mut json = Vec::new();
    if append_json(&mut json, bytes).is_ok() {
        serde_json::from_slice::<&RawValue>(&json).expect("it has that form");
    }
}

fn round_trip(text: &str) {
    let Ok(there) = to_msgpack(text) else { return };
    let mut back = Vec::new();
    append_json(&mut back, &there).expect("it was JSON");
    let back = String::from_utf8(back).expect("JSON is UTF-8");
    assert_eq!(to_msgpack(&back).expect("it is JSON again"), there, "{text} {back}");
}
