//! A socket that is registered with a reactor which is gone finds another, or needs none.

use std::io::{self, Read, Write};

use fibra::net::TcpStream;

use crate::support::{join, on_one_worker, pair, spawn_waiting};

/// One byte there, while its reader is parked.
fn exchange(near: &TcpStream, far: &TcpStream) -> io::Result<usize> {
    let reader = near.try_clone()?;
    let reader = spawn_waiting(move || (&reader).read(&mut [0; 8]));
    (&*far).write_all(b"x")?;
    join(reader)
}

#[test]
fn in_the_next_runtime_and_in_none() -> io::Result<()> {
    let (near, far) = on_one_worker(|| {
        let (near, far) = pair()?;
        assert_eq!(exchange(&near, &far)?, 1);
        Ok((near, far))
    })?;
    assert_eq!(on_one_worker(|| exchange(&near, &far))?, 1);
    (&far).write_all(b"x")?;
    assert_eq!((&near).read(&mut [0; 8])?, 1);
    Ok(())
}
