//! TCP when something is wrong.

use super::cases;

cases! {
    use {
        use std::io::{self, Read, Write};
        use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
        use std::time::Duration;
        use crate::support::LOOPBACK;

        /// An address where nobody listens any more.
        fn nobody() -> io::Result<SocketAddr> {
            TcpListener::bind(LOOPBACK)?.local_addr()
        }

        fn pair() -> io::Result<(TcpStream, TcpStream)> {
            let listener = TcpListener::bind(LOOPBACK)?;
            let near = TcpStream::connect(listener.local_addr()?)?;
            Ok((near, listener.accept()?.0))
        }
    }

    fn refused(log) {
        log.note("connect", TcpStream::connect(nobody()?));
        log.note("in time", TcpStream::connect_timeout(&nobody()?, Duration::from_secs(10)));
        let both = [nobody()?, nobody()?];
        log.note("both", TcpStream::connect(&both[..]));
        Ok(())
    }

    fn addresses_that_are_none(log) {
        log.kind("connect to none", TcpStream::connect(&[] as &[SocketAddr]));
        log.kind("bind to none", TcpListener::bind(&[] as &[SocketAddr]));
        for text in ["", "localhost", "localhost:", "localhost:port", "localhost:70000", "127.0.0.1"] {
            log.kind(text, TcpStream::connect(text));
            log.kind(text, TcpListener::bind(text));
        }
        Ok(())
    }

    fn addresses_that_cannot_be_reached(log) {
        log.note("port 0", TcpStream::connect((Ipv4Addr::LOCALHOST, 0)));
        log.note("broadcast", TcpStream::connect((Ipv4Addr::BROADCAST, 7)));
        log.note("a link without a scope", TcpStream::connect((Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), 7)));
        Ok(())
    }

    fn binding(log) {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addr = listener.local_addr()?;
        log.note("in use", TcpListener::bind(addr));
        log.note("not ours", TcpListener::bind((Ipv4Addr::new(192, 0, 2, 77), 0)));
        log.note("one of two", TcpListener::bind(&[addr, SocketAddr::from(LOOPBACK)][..]).map(drop));
        drop(listener);
        log.note("after a close", TcpListener::bind(addr).map(drop));
        Ok(())
    }

    fn the_peer_is_gone(log) {
        let (mut near, far) = pair()?;
        drop(far);
        log.note("the end", near.read(&mut [0; 8]));
        log.note("a write that is answered by a reset", near.write(b"x"));
        log.note("a write behind it", near.write(b"x"));
        log.note("a read behind it", near.read(&mut [0; 8]));
        log.note("shutdown", near.shutdown(Shutdown::Both));
        log.note("its address", near.peer_addr());
        Ok(())
    }

    fn the_peer_has_not_read(log) {
        let (mut near, far) = pair()?;
        near.write_all(b"unread")?;
        log.note("it is there", far.peek(&mut [0; 8]));
        drop(far);
        log.note("read", near.read(&mut [0; 8]));
        log.note("again", near.read(&mut [0; 8]));
        log.note("error", near.take_error().map(|error| error.map(|error| error.kind())));
        log.note("write", near.write(b"x"));
        log.note("peek", near.peek(&mut [0; 8]));
        Ok(())
    }

    fn the_peer_resets_behind_data(log) {
        let (mut near, mut far) = pair()?;
        far.write_all(b"data")?;
        log.note("it is there", near.peek(&mut [0; 8]));
        reset_on_close(&far)?;
        drop(far);
        log.note("read", near.read(&mut [0; 8]));
        log.note("again", near.read(&mut [0; 8]));
        Ok(())
    }

    fn the_pending_error(log) {
        let (near, far) = pair()?;
        reset_on_close(&far)?;
        drop(far);
        log.note("taken", near.take_error().map(|error| error.map(|error| error.kind())));
        log.note("gone", near.take_error().map(|error| error.map(|error| error.kind())));
        log.note("read", (&near).read(&mut [0; 8]));
        Ok(())
    }

    fn a_reset_in_the_backlog(log) {
        let listener = TcpListener::bind(LOOPBACK)?;
        let client = TcpStream::connect(listener.local_addr()?)?;
        reset_on_close(&client)?;
        drop(client);
        let (mut stream, _) = listener.accept()?;
        log.note("read", stream.read(&mut [0; 8]));
        log.note("its address", stream.peer_addr());
        Ok(())
    }

    fn a_listener_that_was_shut_down(log) {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addr = listener.local_addr()?;
        stop_listening(&listener)?;
        log.note("accept", listener.accept());
        log.note("connect", TcpStream::connect(addr));
        Ok(())
    }

    fn the_listener_is_closed(log) {
        let listener = TcpListener::bind(LOOPBACK)?;
        let addr = listener.local_addr()?;
        let waiting = TcpStream::connect(addr)?;
        drop(listener);
        log.note("one from the backlog reads", (&waiting).read(&mut [0; 8]));
        Ok(())
    }
}
