//! Several buffers in one system call, also when it stops short in the middle of one.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};

use crate::support::{join, on_one_worker, pair, spawn_waiting};

#[test]
fn across_buffers() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        let reader = spawn_waiting(move || {
            let (mut head, mut tail) = ([0; 4], [0; 8]);
            let first = near.read_vectored(&mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)])?;
            let second = near.read_vectored(&mut [IoSliceMut::new(&mut tail[5..])])?;
            io::Result::Ok((first, second, head, tail))
        });
        assert_eq!(far.write_vectored(&[IoSlice::new(b"head"), IoSlice::new(b"tail.")])?, 9);
        let closer = fibra::spawn_local(move || drop(far));
        assert_eq!(join(reader)?, (9, 0, *b"head", *b"tail.\0\0\0"));
        join(closer);
        Ok(())
    })
}
