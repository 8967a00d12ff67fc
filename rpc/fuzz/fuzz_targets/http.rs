//! HTTP that clients send: heads and chunks, however they come.
//!
//! Input: a byte that says how the rest is split.

#![no_main]

use fibra_rpc::dialect::http::Refused;
use fibra_rpc::dialect::http::chunked::Chunked;
use fibra_rpc::dialect::http::fields::beside;
use fibra_rpc::dialect::http::head::{self, Body, FIELDS_MAX, HEAD_BYTES_MAX};
use fibra_rpc::dialect::{Dialect, Recognised, recognise};
use libfuzzer_sys::fuzz_target;

const MAX: usize = 1024;

fuzz_target!(|input: &[u8]| {
    let Some((&splits, bytes)) = input.split_first() else { return };
    let step = usize::from(splits) + 1;
    recognised(bytes);
    head(bytes, step);
    chunks(bytes, step);
});

/// More bytes never change what the first have said.
fn recognised(bytes: &[u8]) {
    let all = recognise(bytes);
    for end in 0..bytes.len().min(16) {
        match recognise(&bytes[..end]) {
            Recognised::NotYet => {}
            said => assert_eq!(said, all),
        }
    }
    let begins_so = bytes.starts_with(b"POST ");
    assert!(!begins_so || all == Recognised::As(Dialect::Http));
}

fn head(bytes: &[u8], step: usize) {
    let Ok(Some((head, len))) = head::read(bytes, MAX) else { return };
    assert!(len <= HEAD_BYTES_MAX && head.fields.len() <= FIELDS_MAX);
    // It is whole where it ends, no earlier, and what is behind it does not matter.
    assert_eq!(head::read(&bytes[..len], MAX), Ok(Some((head.clone(), len))));
    for end in (0..len).step_by(step) {
        assert_eq!(head::read(&bytes[..end], MAX), Ok(None));
    }
    let names = |name: &str| head.fields.iter().filter(|(known, _)| known == name).count();
    let (lengths, codings) = (names("content-length"), names("transfer-encoding"));
    match head.body {
        Body::Length(len) => assert!(len <= MAX && lengths <= 1 && codings == 0),
        Body::Chunked => assert!(lengths == 0 && codings == 1),
    }
    assert!(head.path == "*" || head.path.starts_with('/'));
    let lines = bytes[..len].iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(bytes[..len].windows(2).filter(|pair| pair == b"\r\n").count(), lines);
    let _ = beside(&head);
}

fn chunks(bytes: &[u8], step: usize) {
    let at_once = decode(bytes, bytes.len().max(1));
    assert_eq!(decode(bytes, step), at_once);
    if let Ok((body, ..)) = at_once {
        assert!(body.len() <= MAX);
    }
}

/// The body, how many bytes were taken for it, and whether it has ended.
fn decode(bytes: &[u8], step: usize) -> Result<(Vec<u8>, usize, bool), Refused> {
    let mut chunked = Chunked::new(MAX);
    let mut taken = 0;
    for piece in bytes.chunks(step) {
        let count = chunked.take(piece)?;
        taken += count;
        if chunked.has_ended() {
            break;
        }
        assert_eq!(count, piece.len());
    }
    let has_ended = chunked.has_ended();
    Ok((chunked.into_body(), taken, has_ended))
}
