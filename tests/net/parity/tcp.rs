//! TCP as it should be.

use super::cases;

cases! {
    use {
        use std::io::{self, IoSlice, IoSliceMut, Read, Write};
        use std::net::{Ipv6Addr, Shutdown};
        use std::time::Duration;
        use crate::support::LOOPBACK;

        fn pair() -> io::Result<(TcpStream, TcpStream)> {
            let listener = TcpListener::bind(LOOPBACK)?;
            let near = TcpStream::connect(listener.local_addr()?)?;
            Ok((near, listener.accept()?.0))
        }
    }

    fn an_echo(log) {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addr = listener.local_addr()?;
        let server = spawn(move || -> io::Result<u64> {
            let (stream, _) = listener.accept()?;
            io::copy(&mut &stream, &mut &stream)
        });
        let mut stream = TcpStream::connect(addr)?;
        for message in ["a", "bcd", "efghij"] {
            stream.write_all(message.as_bytes())?;
            let mut reply = vec![0; message.len()];
            stream.read_exact(&mut reply)?;
            log.note("reply", Ok(reply));
        }
        stream.shutdown(Shutdown::Write)?;
        log.note("rest", stream.read(&mut [0; 8]));
        log.note("echoed", server.join().expect("it panicked"));
        Ok(())
    }

    fn addresses(log) {
        let listener = TcpListener::bind(LOOPBACK)?;
        let near = TcpStream::connect(listener.local_addr()?)?;
        let (far, peer) = listener.accept()?;
        log.note("the address that accept gives", Ok(peer == near.local_addr()?));
        log.note("the peer's peer", Ok((far.peer_addr()? == near.local_addr()?, near.peer_addr()? == far.local_addr()?)));
        log.note("the listener's", Ok(far.local_addr()? == listener.local_addr()?));
        Ok(())
    }

    fn version_six(log) {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?;
        let mut near = TcpStream::connect(listener.local_addr()?)?;
        let (mut far, peer) = listener.accept()?;
        near.write_all(b"six")?;
        let mut buf = [0; 8];
        log.note("read", far.read(&mut buf));
        log.note("ip", Ok(peer.ip()));
        Ok(())
    }

    fn the_end_of_the_stream(log) {
        let (mut near, far) = pair()?;
        drop(far);
        log.note("read", near.read(&mut [0; 8]));
        log.note("again", near.read(&mut [0; 8]));
        log.note("peek", near.peek(&mut [0; 8]));
        Ok(())
    }

    fn a_client_that_does_not_wait_to_be_accepted(log) {
        let listener = TcpListener::bind(LOOPBACK)?;
        let mut near = TcpStream::connect(listener.local_addr()?)?;
        log.note("write", near.write(b"hello"));
        drop(near);
        let (mut far, _) = listener.accept()?;
        let mut text = String::new();
        log.note("read", far.read_to_string(&mut text).map(|_| text));
        Ok(())
    }

    fn a_half_closed_stream(log) {
        let (mut near, mut far) = pair()?;
        log.note("shutdown", near.shutdown(Shutdown::Write));
        log.note("the peer reads", far.read(&mut [0; 8]));
        log.note("the peer writes", far.write(b"still"));
        log.note("read", near.read(&mut [0; 8]));
        log.note("write", near.write(b"no more"));
        log.note("shutdown again", near.shutdown(Shutdown::Write));
        Ok(())
    }

    fn reading_behind_ones_own_shutdown(log) {
        let (mut near, mut far) = pair()?;
        far.write_all(b"there")?;
        log.note("peek", near.peek(&mut [0; 8]));
        log.note("shutdown", near.shutdown(Shutdown::Read));
        log.note("what was there", near.read(&mut [0; 8]));
        log.note("then", near.read(&mut [0; 8]));
        log.note("write", near.write(b"out"));
        log.note("the peer reads", far.read(&mut [0; 8]));
        Ok(())
    }

    fn buffers_of_no_length(log) {
        let (mut near, mut far) = pair()?;
        log.note("write nothing", near.write(&[]));
        log.note("write no buffers", near.write_vectored(&[]));
        near.write_all(b"abc")?;
        log.note("wait", far.peek(&mut [0; 1]));
        log.note("read into nothing", far.read(&mut []));
        log.note("peek into nothing", far.peek(&mut []));
        let (mut a, mut b) = ([0; 2], [0; 2]);
        let mut bufs = [IoSliceMut::new(&mut []), IoSliceMut::new(&mut a), IoSliceMut::new(&mut []), IoSliceMut::new(&mut b)];
        log.note("read past nothing", far.read_vectored(&mut bufs));
        log.note("bytes", Ok((a, b)));
        Ok(())
    }

    fn several_buffers(log) {
        let (mut near, mut far) = pair()?;
        log.note("write", near.write_vectored(&[IoSlice::new(b"head"), IoSlice::new(b"tail.")]));
        let (mut head, mut tail) = ([0; 4], [0; 8]);
        log.note("read", far.read_vectored(&mut [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)]));
        log.note("bytes", Ok((head, tail)));
        Ok(())
    }

    fn more_buffers_than_the_kernel_takes(log) {
        let (mut near, mut far) = pair()?;
        log.note("write", near.write_vectored(&vec![IoSlice::new(b"x"); 2000]));
        let mut bytes = vec![0; 2000];
        let mut bufs: Vec<_> = bytes.chunks_mut(1).map(IoSliceMut::new).collect();
        log.note("read", far.read_vectored(&mut bufs));
        Ok(())
    }

    fn peeking(log) {
        let (mut near, mut far) = pair()?;
        near.write_all(b"data")?;
        let mut buf = [0; 3];
        log.note("peek", far.peek(&mut buf).map(|n| (n, buf)));
        log.note("peek again", far.peek(&mut [0; 8]));
        log.note("read", far.read(&mut buf).map(|n| (n, buf)));
        log.note("the rest", far.peek(&mut [0; 8]));
        Ok(())
    }

    fn clones(log) {
        let (near, mut far) = pair()?;
        let mut clone = near.try_clone()?;
        clone.write_all(b"by a clone")?;
        log.note("read", far.read(&mut [0; 16]));
        drop(near);
        far.write_all(b"still open")?;
        log.note("the clone reads", clone.read(&mut [0; 16]));
        log.note("a clone of the clone shuts down", clone.try_clone()?.shutdown(Shutdown::Both));
        log.note("the clone writes", clone.write(b"x"));
        log.note("the peer reads", far.read(&mut [0; 16]));
        Ok(())
    }

    fn options(log) {
        let (near, _far) = pair()?;
        log.note("nodelay", near.nodelay());
        near.set_nodelay(true)?;
        log.note("set", near.nodelay());
        log.note("ttl", near.ttl());
        near.set_ttl(17)?;
        log.note("set", near.ttl());
        log.note("ttl 0", near.set_ttl(0));
        log.note("ttl 256", near.set_ttl(256));
        log.note("error", near.take_error().map(|error| error.map(|error| error.kind())));
        let listener = TcpListener::bind(LOOPBACK)?;
        listener.set_ttl(9)?;
        log.note("the listener's", listener.ttl());
        log.note("error", listener.take_error().map(|error| error.map(|error| error.kind())));
        Ok(())
    }

    fn timeouts(log) {
        let (mut near, mut far) = pair()?;
        log.note("at first", near.read_timeout());
        log.note("at first", near.write_timeout());
        log.kind("zero", near.set_read_timeout(Some(Duration::ZERO)));
        log.kind("zero", near.set_write_timeout(Some(Duration::ZERO)));
        near.set_read_timeout(Some(Duration::from_millis(20)))?;
        near.set_write_timeout(Some(Duration::from_millis(20)))?;
        log.note("set", near.read_timeout());
        log.note("the clone's", near.try_clone()?.write_timeout());
        log.timed_out("read", near.read(&mut [0; 8]), TIMEOUT);
        log.timed_out("peek", near.peek(&mut [0; 8]), TIMEOUT);
        log.timed_out("write", near.write_all(&vec![7; 16 << 20]), TIMEOUT);
        far.write_all(b"late")?;
        log.note("read", near.read(&mut [0; 8]));
        near.set_read_timeout(None)?;
        log.note("none", near.read_timeout());
        Ok(())
    }

    fn not_blocking(log) {
        let listener = TcpListener::bind(LOOPBACK)?;
        listener.set_nonblocking(true)?;
        log.note("accept", listener.accept());
        let (mut near, mut far) = pair()?;
        near.set_nonblocking(true)?;
        log.note("read", near.read(&mut [0; 8]));
        log.note("peek", near.peek(&mut [0; 8]));
        log.note("write", near.write_all(&vec![7; 16 << 20]));
        log.note("the clone", near.try_clone()?.read(&mut [0; 8]));
        near.set_nonblocking(false)?;
        far.write_all(b"data")?;
        log.note("blocking again", near.read(&mut [0; 8]));
        Ok(())
    }

    fn two_from_the_backlog(log) {
        let listener = TcpListener::bind(LOOPBACK)?;
        let clients = [TcpStream::connect(listener.local_addr()?)?, TcpStream::connect(listener.local_addr()?)?];
        for (client, stream) in clients.iter().zip(listener.incoming()) {
            log.note("in order", Ok(stream?.peer_addr()? == client.local_addr()?));
        }
        log.note("by a clone", Ok(listener.try_clone()?.local_addr()? == listener.local_addr()?));
        Ok(())
    }

    fn connecting_in_time(log) {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addr = listener.local_addr()?;
        let stream = TcpStream::connect_timeout(&addr, Duration::from_secs(10))?;
        log.note("peer", Ok(stream.peer_addr()? == addr));
        log.note("it is blocking", Ok(stream.read_timeout()?));
        log.kind("zero", TcpStream::connect_timeout(&addr, Duration::ZERO));
        Ok(())
    }

    fn text(log) {
        let (near, _far) = pair()?;
        let text = format!("{near:?}");
        log.note("debug", Ok(text.contains("addr: ") && text.contains("peer: ") && text.contains("fd: ")));
        Ok(())
    }
}
