//! Unix streams and listeners.

use super::cases;

cases! {
    use {
        use std::io::{self, IoSlice, IoSliceMut, Read, Write};
        use std::net::Shutdown;
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::SocketAddr;
        use std::time::Duration;
        use crate::support::Folder;

        /// Fibers; threads may come later, to the same effect.
        fn let_them_wait() {
            for _ in 0..100 {
                yield_now();
            }
        }
    }

    fn by_a_path(log) {
        let folder = Folder::new()?;
        let path = folder.file("socket");
        let listener = UnixListener::bind(&path)?;
        let mut near = UnixStream::connect(&path)?;
        let (mut far, peer) = listener.accept()?;
        near.write_all(b"hello")?;
        log.note("read", far.read(&mut [0; 8]));
        log.note("the client has no name", Ok(peer.is_unnamed() && near.local_addr()?.is_unnamed()));
        log.note("the server has", Ok(near.peer_addr()?.as_pathname() == Some(&*path)));
        log.note("so has this end", Ok(far.local_addr()?.as_pathname() == Some(&*path)));
        log.note("and the listener", Ok(listener.local_addr()?.as_pathname() == Some(&*path)));
        Ok(())
    }

    fn by_an_abstract_name(log) {
        let name = format!("fibra test {} {:?}", std::process::id(), std::thread::current().id());
        let addr = SocketAddr::from_abstract_name(&name)?;
        let listener = UnixListener::bind_addr(&addr)?;
        log.note("in use", UnixListener::bind_addr(&addr));
        let near = UnixStream::connect_addr(&addr)?;
        let (far, _) = listener.accept()?;
        log.note("name", Ok(far.local_addr()?.as_abstract_name() == Some(name.as_bytes())));
        log.note("no path", Ok(near.peer_addr()?.as_pathname().is_some()));
        drop(listener);
        log.note("gone", UnixStream::connect_addr(&addr));
        log.note("free", UnixListener::bind_addr(&addr).map(drop));
        Ok(())
    }

    fn paths_that_are_wrong(log) {
        let folder = Folder::new()?;
        let path = folder.file("socket");
        log.note("nothing is there", UnixStream::connect(&path));
        let listener = UnixListener::bind(&path)?;
        log.note("in use", UnixListener::bind(&path));
        log.note("in use", UnixDatagram::bind(&path));
        drop(listener);
        log.note("nobody listens", UnixStream::connect(&path));
        let _ = std::fs::remove_file(&path);
        log.note("anew", UnixListener::bind(&path).map(drop));
        log.note("nobody listens", UnixStream::connect(&path));
        log.note("no name", UnixStream::connect(""));
        let _datagrams = UnixDatagram::bind(folder.file("datagrams"))?;
        log.note("another kind of socket", UnixStream::connect(folder.file("datagrams")));
        log.kind("too long", UnixListener::bind("x".repeat(108)));
        log.kind("too long", UnixStream::connect("x".repeat(108)));
        log.kind("with a zero", UnixListener::bind("a\0b"));
        Ok(())
    }

    fn a_pair(log) {
        let (mut near, mut far) = UnixStream::pair()?;
        log.note("write", near.write_vectored(&[IoSlice::new(b"head"), IoSlice::new(b"tail.")]));
        let (mut head, mut tail) = ([0; 4], [0; 8]);
        log.note("read", far.read_vectored(&mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)]));
        log.note("bytes", Ok((head, tail)));
        log.note("names", Ok(near.local_addr()?.is_unnamed() && near.peer_addr()?.is_unnamed()));
        log.note("error", near.take_error().map(|error| error.map(|error| error.kind())));
        log.note("write nothing", near.write(&[]));
        near.write_all(b"abc")?;
        log.note("read into nothing", far.read(&mut []));
        log.note("read", far.read(&mut [0; 8]));
        Ok(())
    }

    fn ends(log) {
        let (mut near, mut far) = UnixStream::pair()?;
        near.shutdown(Shutdown::Write)?;
        log.note("the peer reads", far.read(&mut [0; 8]));
        log.note("write", near.write(b"x"));
        log.note("the peer writes", far.write(b"still"));
        log.note("read", near.read(&mut [0; 8]));
        log.note("shutdown again", near.shutdown(Shutdown::Both));
        log.note("read", near.read(&mut [0; 8]));
        log.note("the peer writes", far.write(b"x"));
        drop(far);
        log.note("at the end", near.read(&mut [0; 8]));
        log.note("shutdown at the end", near.shutdown(Shutdown::Both));
        Ok(())
    }

    fn the_peer_has_not_read(log) {
        let (mut near, far) = UnixStream::pair()?;
        near.write_all(b"unread")?;
        drop(far);
        log.note("read", near.read(&mut [0; 8]));
        log.note("again", near.read(&mut [0; 8]));
        log.note("write", near.write(b"x"));
        Ok(())
    }

    fn timeouts(log) {
        let (mut near, mut far) = UnixStream::pair()?;
        log.note("at first", near.write_timeout());
        log.kind("zero", near.set_read_timeout(Some(Duration::ZERO)));
        log.kind("zero", near.set_write_timeout(Some(Duration::ZERO)));
        near.set_read_timeout(Some(Duration::from_millis(20)))?;
        near.set_write_timeout(Some(Duration::from_millis(20)))?;
        log.note("set", near.read_timeout());
        log.timed_out("read", near.read(&mut [0; 8]), TIMEOUT);
        log.timed_out("write", near.write_all(&vec![7; 4 << 20]), TIMEOUT);
        far.write_all(b"late")?;
        log.note("read", near.read(&mut [0; 8]));
        Ok(())
    }

    fn not_blocking(log) {
        let folder = Folder::new()?;
        let listener = UnixListener::bind(folder.file("socket"))?;
        listener.set_nonblocking(true)?;
        log.note("accept", listener.accept());
        let (mut near, mut far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        log.note("read", near.read(&mut [0; 8]));
        log.note("write", near.write_all(&vec![7; 4 << 20]));
        near.set_nonblocking(false)?;
        far.write_all(b"data")?;
        log.note("blocking again", near.read(&mut [0; 8]));
        Ok(())
    }

    fn an_echo(log) {
        let folder = Folder::new()?;
        let listener = UnixListener::bind(folder.file("socket"))?;
        let server = spawn(move || -> io::Result<u64> {
            let stream = (&listener).into_iter().next().unwrap()?;
            io::copy(&mut &stream, &mut &stream)
        });
        let mut stream = UnixStream::connect(folder.file("socket"))?;
        stream.write_all(b"message")?;
        log.note("reply", stream.read_exact(&mut [0; 7]));
        drop(stream);
        log.note("echoed", server.join().expect("it panicked"));
        Ok(())
    }

    fn clones(log) {
        let (near, mut far) = UnixStream::pair()?;
        let mut clone = near.try_clone()?;
        drop(near);
        far.write_all(b"still open")?;
        log.note("read", clone.read(&mut [0; 16]));
        Ok(())
    }

    fn a_listener_that_was_shut_down(log) {
        let folder = Folder::new()?;
        let listener = UnixListener::bind(folder.file("socket"))?;
        let mut early = UnixStream::connect(folder.file("socket"))?;
        stop_accepting(&listener)?;
        log.note("one that was there", listener.accept().and_then(|(mut stream, _)| stream.write(b"late")));
        log.note("what it said", early.read(&mut [0; 8]));
        log.note("accept", listener.accept());
        log.note("connect", UnixStream::connect(folder.file("socket")));
        log.note("again", stop_accepting(&listener));
        Ok(())
    }

    fn a_listener_that_is_closed(log) {
        let folder = Folder::new()?;
        let listener = UnixListener::bind(folder.file("socket"))?;
        let mut accepted = UnixStream::connect(folder.file("socket"))?;
        let (mut far, _) = listener.accept()?;
        let mut left = UnixStream::connect(folder.file("socket"))?;
        left.write_all(b"is anybody there?")?;
        drop(listener);
        log.note("one that was accepted", far.write(b"yes"));
        log.note("goes on", accepted.read(&mut [0; 8]));
        log.note("one that was not", left.read(&mut [0; 8]));
        log.note("read again", left.read(&mut [0; 8]));
        log.note("write", left.write(b"x"));
        log.note("its peer", Ok(left.peer_addr()?.as_pathname() == Some(&*folder.file("socket"))));
        Ok(())
    }

    fn a_client_that_does_not_wait_to_be_accepted(log) {
        let folder = Folder::new()?;
        let listener = UnixListener::bind(folder.file("socket"))?;
        let mut near = UnixStream::connect(folder.file("socket"))?;
        log.note("write", near.write(b"hello"));
        drop(near);
        let (mut far, _) = listener.accept()?;
        let mut text = String::new();
        log.note("read", far.read_to_string(&mut text).map(|_| text));
        log.note("write", far.write(b"x"));
        Ok(())
    }

    fn a_name_that_the_system_chooses(log) {
        let listener = UnixListener::bind("")?;
        let addr = listener.local_addr()?;
        log.note("name", Ok(addr.as_abstract_name().map(<[u8]>::len)));
        log.note("connect", UnixStream::connect_addr(&addr).map(drop));
        let other = UnixListener::bind("")?.local_addr()?;
        log.note("another", Ok(other.as_abstract_name() == addr.as_abstract_name()));
        Ok(())
    }

    fn an_end_while_somebody_waits(log) {
        let (mut near, far) = UnixStream::pair()?;
        let reader = spawn(move || near.read(&mut [0; 8]).map(|n| (n, near)));
        let (mut busy, other) = UnixStream::pair()?;
        let writer = spawn(move || busy.write_all(&vec![7; 4 << 20]));
        let (mut third, fourth) = UnixStream::pair()?;
        let handle = fourth.try_clone()?;
        let last = spawn(move || third.read(&mut [0; 8]));
        let_them_wait();
        drop((far, other));
        fourth.shutdown(Shutdown::Write)?;
        log.note("a reader", reader.join().expect("it panicked").map(|(n, _)| n));
        log.note("a writer", writer.join().expect("it panicked"));
        log.note("a reader whose peer is shut down", last.join().expect("it panicked"));
        log.note("which is open", handle.take_error().map(|error| error.is_some()));
        Ok(())
    }

    fn a_peer_that_reads_no_more(log) {
        let (mut near, far) = UnixStream::pair()?;
        let writer = spawn(move || near.write_all(&vec![7; 4 << 20]));
        let_them_wait();
        far.shutdown(Shutdown::Both)?;
        log.note("a writer", writer.join().expect("it panicked"));
        Ok(())
    }

    fn much(log) {
        let (near, far) = UnixStream::pair()?;
        let writer = spawn(move || -> io::Result<()> {
            let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
            (&near).write_all(&bytes)
        });
        let (mut bytes, mut rest) = (vec![0; 1_000_000], Vec::new());
        (&far).read_exact(&mut bytes)?;
        (&far).read_to_end(&mut rest)?;
        let right = |(n, byte): (u32, &u8)| n.wrapping_mul(2_654_435_761).to_be_bytes()[0] == *byte;
        log.note("all of it", Ok((bytes.len() + rest.len(), (0..).zip(bytes.iter().chain(&rest)).all(right))));
        log.note("written", writer.join().expect("it panicked"));
        Ok(())
    }
}
