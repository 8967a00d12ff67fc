//! The kernel vouches for who is at the other end.

use std::io;

use fibra::net::{UnixListener, UnixStream};

use crate::support::{Folder, on_one_worker};

#[test]
fn at_both_ends() -> io::Result<()> {
    let folder = Folder::new()?;
    on_one_worker(|| {
        let listener = UnixListener::bind(folder.file("socket"))?;
        let near = UnixStream::connect(folder.file("socket"))?;
        let (far, _) = listener.accept()?;
        for peer in [near.peer_cred()?, far.peer_cred()?] {
            assert_eq!(peer.pid.map(i32::cast_unsigned), Some(std::process::id()));
            assert_eq!(
                (peer.uid, peer.gid),
                (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
            );
        }
        Ok(())
    })
}
