//! What Unix sockets have that simulated ones have not: files.

use super::cases;

cases! {
    kernel only;
    use {
        use crate::support::Folder;
    }

    fn of_listeners(log) {
        let folder = Folder::new()?;
        let path = folder.file("socket");
        drop(UnixListener::bind(&path)?);
        log.note("the file is still there", UnixListener::bind(&path));
        log.note("no such folder", UnixListener::bind(folder.file("none").join("socket")));
        std::fs::write(folder.file("file"), "")?;
        log.note("no socket", UnixStream::connect(folder.file("file")));
        let _listener = UnixListener::bind(folder.file("open"))?;
        std::fs::remove_file(folder.file("open"))?;
        log.note("the file is gone", UnixStream::connect(folder.file("open")));
        log.note("another takes its place", UnixListener::bind(folder.file("open")).map(drop));
        Ok(())
    }

    fn of_datagrams(log) {
        let folder = Folder::new()?;
        let path = folder.file("socket");
        drop(UnixDatagram::bind(&path)?);
        log.note("the file is still there", UnixDatagram::bind(&path));
        log.note("no such folder", UnixDatagram::bind(folder.file("none").join("socket")));
        std::fs::write(folder.file("file"), "")?;
        log.note("no socket", UnixDatagram::unbound()?.send_to(b"x", folder.file("file")));
        Ok(())
    }
}
