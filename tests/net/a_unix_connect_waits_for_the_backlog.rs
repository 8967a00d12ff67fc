//! A Unix listener's backlog is full: connecting waits until there is room, as in std.

use std::io;

use fibra::net::{UnixListener, UnixStream};

use crate::support::{Folder, join, on_one_worker, spawn_waiting};

#[test]
fn until_somebody_accepts() -> io::Result<()> {
    let folder = Folder::new()?;
    on_one_worker(|| {
        let path = folder.file("socket");
        let listener = UnixListener::bind(&path)?;
        // Linux queues one more than that.
        rustix::net::listen(&listener, 0)?;
        let _queued = UnixStream::connect(&path)?;
        let client = spawn_waiting(move || UnixStream::connect(path).map(drop));
        assert!(!client.is_finished());
        listener.accept()?;
        listener.accept()?;
        join(client)
    })
}

#[test]
fn or_the_fiber_is_cancelled_or_out_of_time() -> io::Result<()> {
    let folder = Folder::new()?;
    on_one_worker(|| {
        let path = folder.file("socket");
        let listener = UnixListener::bind(&path)?;
        rustix::net::listen(&listener, 0)?;
        let _queued = UnixStream::connect(&path)?;
        let late = fibra::cancel::with_timeout(std::time::Duration::from_millis(5), || UnixStream::connect(&path));
        assert_eq!(crate::support::kind(late), io::ErrorKind::TimedOut);
        let client = spawn_waiting(move || UnixStream::connect(path).map(drop));
        client.cancel();
        assert!(fibra::cancel::is_cancelled(&join(client).expect_err("nobody accepts")));
        Ok(())
    })
}
