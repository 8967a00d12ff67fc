//! Whatever bytes come, and however they are split: the same frames, the same end, and no more memory than they paid for.
//!
//! Input: a byte that says how they are split, then the bytes.

#![no_main]

use fibra_rpc::limits::READ_BYTES;
use fibra_rpc::wire::decode::Decoder;
use fibra_rpc::wire::frame::Frame;
use fibra_rpc::wire::header::{LEN, Malformed};
use libfuzzer_sys::fuzz_target;

const FRAME_BYTES_MAX: usize = 8 * 1024;

fuzz_target!(|input: &[u8]| {
    let Some((&splits, bytes)) = input.split_first() else { return };
    let (frames, end) = at_once(bytes);
    in_pieces(bytes, splits, &frames, end);
});

fn at_once(bytes: &[u8]) -> (Vec<Frame>, Result<(), Malformed>) {
    let mut decoder = Decoder::of(bytes.to_vec(), FRAME_BYTES_MAX);
    let cancels: Vec<u64> = decoder.cancels().collect();
    let mut frames = Vec::new();
    let end = take_all(&mut decoder, &mut frames);
    if end.is_ok() {
        let cancelled = |frame: &Frame| if let Frame::Cancel { xid } = frame { Some(*xid) } else { None };
        assert_eq!(cancels, frames.iter().filter_map(cancelled).collect::<Vec<_>>());
    }
    assert_eq!(take_all(&mut decoder, &mut Vec::new()), end, "it stays as it is");
    (frames, end)
}

/// Half of the splits hold the frames, so that the buffer is shared with them and has to be replaced.
fn in_pieces(mut bytes: &[u8], splits: u8, frames: &[Frame], expected: Result<(), Malformed>) {
    let mut decoder = Decoder::new(FRAME_BYTES_MAX);
    let (mut taken, mut held) = (Vec::new(), Vec::new());
    let mut frames = frames.iter();
    let mut random = u32::from(splits);
    let mut end = Ok(());
    while !bytes.is_empty() && end.is_ok() {
        random = random.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        let space = decoder.space();
        assert!(!space.is_empty());
        // The largest frame waits in part, and what is kept is twice as long.
        assert!(space.len() <= 2 * (LEN + FRAME_BYTES_MAX) + 4 * READ_BYTES, "{} bytes", space.len());
        let most = if random >> 31 == 0 { 40 } else { 4_000 };
        let count = (1 + (random >> 8) as usize % most).min(bytes.len()).min(space.len());
        let (piece, rest) = bytes.split_at(count);
        space[..count].copy_from_slice(piece);
        decoder.filled(count);
        end = take_all(&mut decoder, &mut taken);
        for frame in taken.drain(..) {
            assert_eq!(Some(&frame), frames.next());
            if splits % 2 == 0 {
                held.push(frame);
            }
        }
        bytes = rest;
    }
    assert_eq!((frames.next(), end), (None, expected));
}

fn take_all(decoder: &mut Decoder, frames: &mut Vec<Frame>) -> Result<(), Malformed> {
    while let Some(frame) = decoder.next_frame()? {
        frames.push(frame);
    }
    Ok(())
}
