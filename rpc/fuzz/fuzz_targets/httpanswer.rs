//! HTTP that servers of others send, as fibra's client reads it: one answer, however it comes.
//!
//! Input: a byte that says how the rest is split.

#![no_main]

use fibra_rpc::dialect::http::receiver::{NoAnswer, Received, Receiver};
use libfuzzer_sys::fuzz_target;

const MAX: usize = 1024;

fuzz_target!(|input: &[u8]| {
    let Some((&splits, bytes)) = input.split_first() else { return };
    let at_once = read(bytes, bytes.len().max(1));
    let in_pieces = read(bytes, usize::from(splits) + 1);
    match (&at_once, &in_pieces) {
        (Ok((Some(one), all)), Ok((Some(other), taken))) => {
            assert_eq!((one.status, &one.body), (other.status, &other.body));
            // What comes behind it may not have come yet.
            assert!(taken <= all && (other.is_reusable || !one.is_reusable));
            whole(bytes, one);
        }
        // Of two reasons, another may be found first.
        (Err(_), Err(_)) => {}
        _ => assert_eq!(at_once, in_pieces),
    }
});

/// The answer, if the connection ends behind these bytes, and how many of them were taken for it.
fn read(bytes: &[u8], step: usize) -> Result<(Option<Received>, usize), NoAnswer> {
    let mut receiver = Receiver::new(MAX);
    let mut taken = 0;
    for piece in bytes.chunks(step) {
        taken += piece.len();
        if let Some(received) = receiver.take(piece)? {
            return Ok((Some(received), taken));
        }
    }
    Ok((receiver.end(), bytes.len()))
}

/// What an answer never is, and that it does not depend on what comes behind it.
fn whole(bytes: &[u8], received: &Received) {
    assert!(received.body.len() <= MAX);
    assert!((200..=999).contains(&received.status));
    let is_empty = matches!(received.status, 204 | 304);
    assert!(!is_empty || received.body.is_empty());
    if let Ok((Some(first), taken)) = read(bytes, 1) {
        if first.is_reusable {
            // It ended where the connection need not have: the same, with anything behind it.
            let more = [&bytes[..taken], b"HTTP/1.1 200 OK\r\n\r\n"].concat();
            let (again, _) = read(&more, 1).expect("it was one");
            assert_eq!(again, Some(first));
        }
    }
}
