//! Unix datagrams.

use super::cases;

cases! {
    use {
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

    fn a_pair(log) {
        let (near, far) = UnixDatagram::pair()?;
        for message in [&b"one"[..], b"", b"three"] {
            log.note("send", near.send(message));
        }
        let mut buf = [0; 4];
        for _ in 0..3 {
            log.note("recv", far.recv(&mut buf).map(|n| buf[..n].to_vec()));
        }
        log.note("names", Ok(near.local_addr()?.is_unnamed() && near.peer_addr()?.is_unnamed()));
        log.note("error", near.take_error().map(|error| error.map(|error| error.kind())));
        Ok(())
    }

    fn by_paths(log) {
        let folder = Folder::new()?;
        let (here, there) = (folder.file("here"), folder.file("there"));
        let (near, far) = (UnixDatagram::bind(&here)?, UnixDatagram::bind(&there)?);
        log.note("send_to", near.send_to(b"hello", &there));
        log.note("recv_from", far.recv_from(&mut [0; 8]).map(|(n, from)| (n, from.as_pathname() == Some(&*here))));
        log.note("send without a peer", near.send(b"x"));
        log.note("no peer", near.peer_addr());
        log.note("connect", near.connect(&there));
        log.note("send", near.send(b"connected"));
        log.note("recv", far.recv(&mut [0; 16]));
        log.note("peer", Ok(near.peer_addr()?.as_pathname() == Some(&*there)));
        log.note("local", Ok(near.local_addr()?.as_pathname() == Some(&*here)));
        log.note("an unbound one sends", UnixDatagram::unbound()?.send_to(b"x", &there));
        log.note("and has no name", far.recv_from(&mut [0; 8]).map(|(n, from)| (n, from.is_unnamed())));
        log.note("a third is not heard", UnixDatagram::unbound()?.send_to(b"x", &here));
        Ok(())
    }

    fn by_abstract_names(log) {
        let name = format!("fibra datagram {} {:?}", std::process::id(), std::thread::current().id());
        let addr = SocketAddr::from_abstract_name(&name)?;
        let far = UnixDatagram::bind_addr(&addr)?;
        let near = UnixDatagram::unbound()?;
        log.note("send_to_addr", near.send_to_addr(b"abstract", &addr));
        log.note("connect_addr", near.connect_addr(&addr));
        log.note("send", near.send(b"again"));
        log.note("recv", far.recv(&mut [0; 8]));
        log.note("recv", far.recv(&mut [0; 8]));
        log.note("in use", UnixDatagram::bind_addr(&addr));
        Ok(())
    }

    fn what_is_wrong(log) {
        let folder = Folder::new()?;
        let near = UnixDatagram::unbound()?;
        log.note("nothing is there", near.send_to(b"x", folder.file("none")));
        log.note("nothing is there", near.connect(folder.file("none")));
        let path = folder.file("socket");
        drop(UnixDatagram::bind(&path)?);
        log.note("nobody is there", near.send_to(b"x", &path));
        log.note("nobody is there", near.connect(&path));
        log.note("no name", near.send_to(b"x", ""));
        log.note("no name", near.connect(""));
        let _bound = UnixDatagram::bind(folder.file("bound"))?;
        log.note("in use", UnixDatagram::bind(folder.file("bound")));
        let _listener = UnixListener::bind(folder.file("listener"))?;
        log.note("another kind of socket", near.send_to(b"x", folder.file("listener")));
        log.kind("too long a path", near.send_to(b"x", "x".repeat(108)));
        let (near, far) = UnixDatagram::pair()?;
        log.note("too long a message", near.send(&vec![0; 16 << 20]));
        far.send(b"before")?;
        drop(far);
        log.note("its name", near.peer_addr().map(|peer| peer.is_unnamed()));
        log.note("what it has sent", near.recv(&mut [0; 8]));
        log.note("the peer is gone", near.send(b"x"));
        log.note("there is none any more", near.send(b"x"));
        log.note("none", near.peer_addr());
        Ok(())
    }

    fn others_are_not_heard(log) {
        let folder = Folder::new()?;
        let path = |name| folder.file(name);
        let (one, two, three) =
            (UnixDatagram::bind(path("1"))?, UnixDatagram::bind(path("2"))?, UnixDatagram::bind(path("3"))?);
        one.connect(path("2"))?;
        log.note("a third sends", three.send_to(b"x", path("1")));
        log.note("a third connects", three.connect(path("1")));
        log.note("the peer sends", two.send_to(b"x", path("1")));
        log.note("the peer connects", two.connect(path("1")));
        log.note("the peer is elsewhere", one.connect(path("3")));
        log.note("what it had sent is lost, as it is told", two.send(b"y"));
        log.note("it is not heard", two.send(b"y"));
        log.note("the new one is", three.send_to(b"z", path("1")));
        log.note("recv", one.recv(&mut [0; 8]));
        log.note("to itself", two.send_to(b"self", path("2")));
        two.set_nonblocking(true)?;
        log.note("which only its peer may", two.recv(&mut [0; 8]));
        Ok(())
    }

    fn to_oneself(log) {
        let folder = Folder::new()?;
        let socket = UnixDatagram::bind(folder.file("socket"))?;
        socket.connect(folder.file("socket"))?;
        log.note("send", socket.send(b"self"));
        log.note("recv", socket.recv(&mut [0; 8]));
        Ok(())
    }

    fn how_many_wait(log) {
        let (near, far) = UnixDatagram::pair()?;
        near.set_nonblocking(true)?;
        let full = |socket: &UnixDatagram, len: usize| (0..).find(|_| socket.send(&vec![0; len]).is_err());
        log.note("small ones", Ok(full(&near, 1)));
        log.note("recv", far.recv(&mut [0; 8]));
        log.note("room", near.send(b"x"));
        Ok(())
    }

    fn nothing_is_lost(log) {
        let folder = Folder::new()?;
        for way in ["a pair", "connected", "by name"] {
            let to = folder.file(way);
            let (near, far) = match way {
                "a pair" => UnixDatagram::pair()?,
                _ => (UnixDatagram::unbound()?, UnixDatagram::bind(&to)?),
            };
            if way == "connected" {
                near.connect(&to)?;
            }
            let sender = spawn(move || {
                (0..1000_u32).try_for_each(|number| {
                    let number = number.to_le_bytes();
                    if way == "by name" { near.send_to(&number, &to) } else { near.send(&number) }.map(drop)
                })
            });
            let_them_wait();
            let mut in_order = 0;
            for number in 0..1000_u32 {
                let mut message = [0; 4];
                far.recv(&mut message)?;
                in_order += u32::from(u32::from_le_bytes(message) == number);
            }
            log.note(way, Ok(in_order));
            log.note("sent", sender.join().expect("it panicked"));
        }
        Ok(())
    }

    fn a_receiver_that_ends_while_somebody_waits(log) {
        let folder = Folder::new()?;
        let far = UnixDatagram::bind(folder.file("socket"))?;
        let near = UnixDatagram::unbound()?;
        near.connect(folder.file("socket"))?;
        let sender = spawn(move || (0..100).try_for_each(|_| near.send(b"x").map(drop)));
        let_them_wait();
        far.shutdown(Shutdown::Read)?;
        far.set_nonblocking(true)?;
        // Who waits is told by Linux when something is received.
        while far.recv(&mut [0; 8]).is_ok() {}
        log.note("send", sender.join().expect("it panicked"));
        Ok(())
    }

    fn a_receiver_that_goes_while_somebody_waits(log) {
        let folder = Folder::new()?;
        let far = UnixDatagram::bind(folder.file("socket"))?;
        let near = UnixDatagram::unbound()?;
        near.connect(folder.file("socket"))?;
        near.set_nonblocking(true)?;
        log.note("full", Ok((0..).find(|_| near.send(b"x").is_err())));
        near.set_nonblocking(false)?;
        let sender = spawn(move || near.send(b"one more"));
        let_them_wait();
        drop(far);
        log.note("send", sender.join().expect("it panicked"));
        Ok(())
    }

    fn what_does_not_fit_is_lost(log) {
        let (near, far) = UnixDatagram::pair()?;
        near.send(b"too long")?;
        near.send(b"next")?;
        let mut buf = [0; 3];
        log.note("recv", far.recv(&mut buf).map(|n| (n, buf)));
        log.note("recv", far.recv(&mut buf).map(|n| (n, buf)));
        Ok(())
    }

    fn ends(log) {
        let (near, far) = UnixDatagram::pair()?;
        log.note("shutdown", near.shutdown(Shutdown::Read));
        log.note("recv", near.recv(&mut [0; 8]));
        log.note("recv_from", near.recv_from(&mut [0; 8]).map(|(n, from)| (n, from.is_unnamed())));
        near.set_nonblocking(true)?;
        log.note("not blocking", near.recv(&mut [0; 8]));
        near.set_nonblocking(false)?;
        log.note("the peer sends", far.send(b"x"));
        log.note("send", near.send(b"out"));
        log.note("shutdown", near.shutdown(Shutdown::Write));
        log.note("send", near.send(b"out"));
        log.note("the peer receives", far.recv(&mut [0; 8]));
        log.note("without a peer", UnixDatagram::unbound()?.shutdown(Shutdown::Both));
        Ok(())
    }

    fn timeouts(log) {
        let folder = Folder::new()?;
        let path = folder.file("socket");
        let far = UnixDatagram::bind(&path)?;
        let near = UnixDatagram::unbound()?;
        log.kind("zero", near.set_read_timeout(Some(Duration::ZERO)));
        near.set_write_timeout(Some(Duration::from_millis(20)))?;
        far.set_read_timeout(Some(Duration::from_millis(20)))?;
        log.note("set", near.write_timeout());
        log.timed_out("recv", far.recv(&mut [0; 8]), TIMEOUT);
        log.timed_out("recv_from", far.recv_from(&mut [0; 8]), TIMEOUT);
        let full = loop {
            if let Err(error) = near.send_to(b"x", &path) {
                break error;
            }
        };
        log.timed_out("send_to", Err::<(), _>(full), TIMEOUT);
        near.connect(&path)?;
        log.timed_out("send", near.send(b"x"), TIMEOUT);
        far.recv(&mut [0; 8])?;
        log.note("room again", near.send(b"x"));
        Ok(())
    }

    fn not_blocking(log) {
        let folder = Folder::new()?;
        let path = folder.file("socket");
        let far = UnixDatagram::bind(&path)?;
        let near = UnixDatagram::unbound()?;
        far.set_nonblocking(true)?;
        near.set_nonblocking(true)?;
        log.note("recv", far.recv(&mut [0; 8]));
        let full = loop {
            if let Err(error) = near.send_to(b"x", &path) {
                break error;
            }
        };
        log.note("send_to", Err::<(), _>(full));
        near.connect(&path)?;
        log.note("send", near.send(b"x"));
        Ok(())
    }

    fn clones(log) {
        let (near, far) = UnixDatagram::pair()?;
        let clone = near.try_clone()?;
        drop(near);
        log.note("send", clone.send(b"by a clone"));
        log.note("recv", far.recv(&mut [0; 16]));
        Ok(())
    }
}
