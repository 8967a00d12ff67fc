//! A peer that says nothing, or takes nothing, or is gone without a word: what waits for it ends when it was told to.

use std::io::{self, Read, Write};
use std::time::Duration;

use fibra::cancel;

use crate::support::{kind, on_one_worker, pair};

const SHORT: Duration = Duration::from_millis(20);

#[test]
fn by_a_read_timeout() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, _far) = pair()?;
        near.set_read_timeout(Some(SHORT))?;
        assert_eq!(kind(near.read(&mut [0; 8])), io::ErrorKind::TimedOut);
        Ok(())
    })
}

#[test]
fn by_a_deadline_over_many_operations() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, mut far) = pair()?;
        far.write_all(b"a beginning")?;
        let read = cancel::with_timeout(SHORT, || near.read_to_end(&mut Vec::new()));
        assert_eq!(kind(read), io::ErrorKind::TimedOut);
        Ok(())
    })
}

/// Without any timeout of ours: the kernel gives the connection up.
#[test]
fn by_the_user_timeout_when_it_takes_nothing() -> io::Result<()> {
    on_one_worker(|| {
        let (mut near, _far) = pair()?;
        near.set_write_timeout(None)?;
        near.set_user_timeout(Some(Duration::from_millis(100)))?;
        assert_eq!(kind(near.write_all(&vec![7; 32 << 20])), io::ErrorKind::TimedOut);
        assert_eq!(near.read(&mut [0; 8])?, 0, "the connection is gone");
        Ok(())
    })
}

/// Half open: the peer's host has vanished, so that nothing is answered any more, not even by a reset.
#[cfg(target_os = "linux")]
mod when_its_host_is_gone {
    use std::os::fd::{AsFd, AsRawFd};

    use fibra::net::Keepalive;

    use super::*;
    use crate::support::{join, spawn_waiting};

    /// Has the kernel drop whatever arrives for the socket.
    fn cut_off(socket: impl AsFd) -> io::Result<()> {
        // `BPF_RET | BPF_K`: takes as many bytes as `k` says, none.
        let mut drop_all = [libc::sock_filter { code: 6, jt: 0, jf: 0, k: 0 }];
        let program = libc::sock_fprog { len: 1, filter: drop_all.as_mut_ptr() };
        // SAFETY: the descriptor is open, and the kernel copies the program, which is as long as it says.
        let set = unsafe {
            libc::setsockopt(
                socket.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const program).cast(),
                size_of_val(&program) as libc::socklen_t,
            )
        };
        if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// A reader has nothing to send that could stay unacknowledged. Takes two seconds, the shortest that the kernel has.
    #[test]
    fn keepalive_ends_a_read() -> io::Result<()> {
        on_one_worker(|| {
            let (mut near, far) = pair()?;
            let second = Duration::from_secs(1);
            near.set_keepalive(Some(Keepalive { idle: second, interval: second, probes: 1 }))?;
            cut_off(&far)?;
            let reader = spawn_waiting(move || near.read(&mut [0; 8]));
            let error = join(reader).expect_err("nothing was sent");
            // By the kernel, so with a number; our own timeout would have none.
            assert_eq!(error.raw_os_error(), Some(libc::ETIMEDOUT), "{error}");
            Ok(())
        })
    }

    #[test]
    fn the_user_timeout_ends_all_waits() -> io::Result<()> {
        on_one_worker(|| {
            let (near, far) = pair()?;
            near.set_user_timeout(Some(Duration::from_millis(100)))?;
            cut_off(&far)?;
            let writes = near.try_clone()?;
            let reader = spawn_waiting({
                let near = near.try_clone()?;
                move || (&near).read(&mut [0; 8])
            });
            let writer = spawn_waiting(move || (&writes).write_all(&vec![7; 32 << 20]));
            let ended = [join(reader).map(drop), join(writer)].map(|result| result.map_err(|error| error.kind()));
            // The kernel reports an error once.
            assert!(ended.contains(&Err(io::ErrorKind::TimedOut)), "{ended:?}");
            assert_eq!((&near).read(&mut [0; 8])?, 0, "the connection is gone");
            Ok(())
        })
    }
}
