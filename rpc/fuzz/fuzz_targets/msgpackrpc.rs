//! MessagePack-RPC that clients send: where messages end however they come, what they ask for, and what becomes of their parameters.
//!
//! Input: a byte that says how the rest is split.

#![no_main]

use fibra_rpc::dialect::answer::Answer;
use fibra_rpc::dialect::arguments;
use fibra_rpc::dialect::extent::Extent;
use fibra_rpc::dialect::msgpack_rpc::{self, Malformed, Message};
use fibra_rpc::service::Argument;
use fibra_rpc::wire::check::check;
use libfuzzer_sys::fuzz_target;

const MAX: usize = 8 * 1024;

const ARGUMENTS: [Argument; 2] = [Argument::new("a", "i64"), Argument::new("b", "i64")];

fuzz_target!(|input: &[u8]| {
    let Some((&splits, bytes)) = input.split_first() else { return };
    let end = msgpack_rpc::end(&mut Extent::new(), bytes, MAX);
    in_pieces(bytes, usize::from(splits) + 1, end);
    if let Ok(Some(end)) = end {
        message(&bytes[..end]);
    }
    params(bytes);
});

fn in_pieces(bytes: &[u8], step: usize, expected: Result<Option<usize>, Malformed>) {
    let mut extent = Extent::new();
    let found = (step..bytes.len() + step).step_by(step).find_map(|end| {
        match msgpack_rpc::end(&mut extent, &bytes[..end.min(bytes.len())], MAX) {
            Ok(None) => None,
            found => Some(found),
        }
    });
    // Of two reasons why it is none, the first to be seen is told.
    let either = |end: Result<Option<usize>, Malformed>| end.map_err(|_| ());
    assert_eq!(either(found.unwrap_or(Ok(None))), either(expected));
}

fn message(message: &[u8]) {
    let Ok(Message::Request { params, .. } | Message::Notification { params, .. }) = msgpack_rpc::parse(message) else {
        return;
    };
    if check(message).is_ok() {
        assert_eq!(check(params), Ok(()), "what lies in it");
    }
    self::params(params);
    let mut out = Vec::new();
    msgpack_rpc::respond(&mut out, 7, &Answer::Value(params.to_vec().into()));
    assert_eq!(Extent::new().look(&out), Ok(Some(out.len())));
}

/// What is acceptable as parameters is so as arguments.
fn params(params: &[u8]) {
    for count in 0..=2 {
        let arguments = &ARGUMENTS[..count];
        for body in
            [arguments::from_params(params.to_vec(), arguments), arguments::from_one_param(params.to_vec(), arguments)]
        {
            if let Ok(body) = body
                && check(params).is_ok()
            {
                // One more array may be one too deep.
                assert!(matches!(body.first(), Some(0x90..=0x9f | 0xdc | 0xdd)), "an array");
            }
        }
    }
}
