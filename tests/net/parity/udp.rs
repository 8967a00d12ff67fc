//! UDP.

use super::cases;

cases! {
    use {
        use std::io;
        use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
        use std::time::Duration;
        use crate::support::LOOPBACK;

        fn pair() -> io::Result<(UdpSocket, UdpSocket)> {
            let (near, far) = (UdpSocket::bind(LOOPBACK)?, UdpSocket::bind(LOOPBACK)?);
            near.connect(far.local_addr()?)?;
            far.connect(near.local_addr()?)?;
            Ok((near, far))
        }
    }

    fn messages_keep_their_bounds(log) {
        let (near, far) = pair()?;
        for message in [&b"one"[..], b"", b"three"] {
            log.note("send", near.send(message));
        }
        let mut buf = [0; 8];
        for _ in 0..3 {
            log.note("recv", far.recv(&mut buf).map(|n| buf[..n].to_vec()));
        }
        Ok(())
    }

    fn what_does_not_fit_is_lost(log) {
        let (near, far) = pair()?;
        near.send(b"too long")?;
        near.send(b"next")?;
        let mut buf = [0; 3];
        log.note("recv", far.recv(&mut buf).map(|n| (n, buf)));
        log.note("recv", far.recv(&mut buf).map(|n| (n, buf)));
        Ok(())
    }

    fn without_a_connection(log) {
        let (near, far) = (UdpSocket::bind(LOOPBACK)?, UdpSocket::bind(LOOPBACK)?);
        log.note("send", near.send(b"nowhere"));
        log.note("peer", near.peer_addr());
        log.note("send_to", near.send_to(b"there", far.local_addr()?));
        let mut buf = [0; 8];
        log.note("peek_from", far.peek_from(&mut buf).map(|(n, from)| (n, from == near.local_addr().unwrap())));
        log.note("recv_from", far.recv_from(&mut buf).map(|(n, from)| (n, from == near.local_addr().unwrap())));
        far.send_to(b"back", near.local_addr()?)?;
        log.note("peek", near.peek(&mut buf));
        log.note("recv", near.recv(&mut buf));
        Ok(())
    }

    fn a_connected_socket_hears_its_peer_only(log) {
        let (near, far) = pair()?;
        let stranger = UdpSocket::bind(LOOPBACK)?;
        stranger.send_to(b"stranger", near.local_addr()?)?;
        far.send(b"peer")?;
        let mut buf = [0; 16];
        log.note("recv", near.recv(&mut buf).map(|n| buf[..n].to_vec()));
        log.note("peer", Ok(near.peer_addr()? == far.local_addr()?));
        near.connect(stranger.local_addr()?)?;
        stranger.send_to(b"now", near.local_addr()?)?;
        log.note("another peer", near.recv(&mut buf).map(|n| buf[..n].to_vec()));
        Ok(())
    }

    fn nobody_is_there(log) {
        let near = UdpSocket::bind(LOOPBACK)?;
        near.connect(UdpSocket::bind(LOOPBACK)?.local_addr()?)?;
        log.note("send", near.send(b"x"));
        log.note("recv", near.recv(&mut [0; 8]));
        near.send(b"x")?;
        log.note("send again", near.send(b"x"));
        near.send(b"x")?;
        log.note("error", near.take_error().map(|error| error.map(|error| error.kind())));
        log.note("no more", near.take_error().map(|error| error.map(|error| error.kind())));
        Ok(())
    }

    fn addresses(log) {
        log.kind("bind to none", UdpSocket::bind(&[] as &[SocketAddr]).map(drop));
        let socket = UdpSocket::bind(LOOPBACK)?;
        log.kind("send to none", socket.send_to(b"x", &[] as &[SocketAddr]));
        log.kind("connect to none", socket.connect(&[] as &[SocketAddr]));
        log.note("in use", UdpSocket::bind(socket.local_addr()?).map(drop));
        log.note("not ours", UdpSocket::bind((Ipv4Addr::new(192, 0, 2, 77), 0)).map(drop));
        log.note("of another family", socket.send_to(b"x", (Ipv6Addr::LOCALHOST, 7)));
        log.note("connect to another family", socket.connect((Ipv6Addr::LOCALHOST, 7)));
        log.note("port 0", socket.send_to(b"x", (Ipv4Addr::LOCALHOST, 0)));
        log.note("broadcast", socket.send_to(b"x", (Ipv4Addr::BROADCAST, 7)));
        log.note("too long", socket.send_to(&[0; 65_508], (Ipv4Addr::LOCALHOST, 7)));
        Ok(())
    }

    fn version_six(log) {
        let (near, far) = (UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?, UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?);
        near.send_to(b"six", far.local_addr()?)?;
        log.note("recv", far.recv_from(&mut [0; 8]).map(|(n, from)| (n, from.ip())));
        Ok(())
    }

    fn options(log) {
        let socket = UdpSocket::bind(LOOPBACK)?;
        log.note("broadcast", socket.broadcast());
        socket.set_broadcast(true)?;
        log.note("set", socket.broadcast());
        log.note("ttl", socket.ttl());
        socket.set_ttl(17)?;
        log.note("set", socket.ttl());
        log.note("ttl 0", socket.set_ttl(0));
        log.note("error", socket.take_error().map(|error| error.map(|error| error.kind())));
        Ok(())
    }

    fn timeouts(log) {
        let (near, far) = pair()?;
        log.note("at first", near.read_timeout());
        log.kind("zero", near.set_read_timeout(Some(Duration::ZERO)));
        log.kind("zero", near.set_write_timeout(Some(Duration::ZERO)));
        near.set_read_timeout(Some(Duration::from_millis(20)))?;
        near.set_write_timeout(Some(Duration::from_millis(20)))?;
        log.note("set", near.write_timeout());
        log.timed_out("recv", near.recv(&mut [0; 8]), TIMEOUT);
        log.timed_out("recv_from", near.recv_from(&mut [0; 8]), TIMEOUT);
        log.timed_out("peek", near.peek(&mut [0; 8]), TIMEOUT);
        far.send(b"late")?;
        log.note("recv", near.recv(&mut [0; 8]));
        Ok(())
    }

    fn not_blocking(log) {
        let (near, far) = pair()?;
        near.set_nonblocking(true)?;
        log.note("recv", near.recv(&mut [0; 8]));
        log.note("peek_from", near.peek_from(&mut [0; 8]));
        near.set_nonblocking(false)?;
        far.send(b"data")?;
        log.note("blocking again", near.recv(&mut [0; 8]));
        Ok(())
    }

    fn clones(log) {
        let (near, far) = pair()?;
        let clone = near.try_clone()?;
        drop(near);
        clone.send(b"by a clone")?;
        log.note("recv", far.recv(&mut [0; 16]));
        log.note("peer", Ok(clone.peer_addr()? == far.local_addr()?));
        Ok(())
    }
}
