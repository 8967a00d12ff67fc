//! Outside of a runtime there is no reactor to wake a task: what would wait fails, what need not works.

use std::io;

use fibra::net::UnixStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Failure, block_on};

#[test]
fn on_a_plain_thread() -> Result<(), Failure> {
    let (mut near, mut far) = UnixStream::pair()?;
    block_on(far.write_all(b"there"))?;
    assert_eq!(block_on(near.read(&mut [0; 8]))?, 5);
    let error = fibra::block_on(near.read(&mut [0; 8]))?.expect_err("nothing is there");
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert!(error.to_string().contains("block_on"), "{error}");
    Ok(())
}
