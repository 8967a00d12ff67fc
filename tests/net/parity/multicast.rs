//! What UDP sockets have that simulated ones have not: groups, and to be shut down through their descriptor.

use super::cases;

cases! {
    kernel only;
    use {
        use std::io;
        use std::net::{Ipv4Addr, Ipv6Addr};
        use crate::support::LOOPBACK;

        fn pair() -> io::Result<(UdpSocket, UdpSocket)> {
            let (near, far) = (UdpSocket::bind(LOOPBACK)?, UdpSocket::bind(LOOPBACK)?);
            near.connect(far.local_addr()?)?;
            far.connect(near.local_addr()?)?;
            Ok((near, far))
        }
    }

    fn version_six(log) {
        let near = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?;
        log.note("loop", near.multicast_loop_v6());
        near.set_multicast_loop_v6(false)?;
        log.note("set", near.multicast_loop_v6());
        log.note("join no group", near.join_multicast_v6(&Ipv6Addr::LOCALHOST, 0));
        log.note("leave", near.leave_multicast_v6(&Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x123), 0));
        Ok(())
    }

    fn options(log) {
        let socket = UdpSocket::bind(LOOPBACK)?;
        log.note("loop", socket.multicast_loop_v4());
        socket.set_multicast_loop_v4(false)?;
        log.note("set", socket.multicast_loop_v4());
        log.note("hops", socket.multicast_ttl_v4());
        socket.set_multicast_ttl_v4(3)?;
        log.note("set", socket.multicast_ttl_v4());
        log.note("hops 256", socket.set_multicast_ttl_v4(256));
        Ok(())
    }

    fn a_group(log) {
        let group = Ipv4Addr::new(239, 7, 7, 7);
        let receiver = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        log.note("join no group", receiver.join_multicast_v4(&Ipv4Addr::LOCALHOST, &Ipv4Addr::LOCALHOST));
        log.note("join", receiver.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST));
        log.note("join again", receiver.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST));
        let sender = UdpSocket::bind(LOOPBACK)?;
        rustix::net::sockopt::set_ip_multicast_if(&sender, &Ipv4Addr::LOCALHOST)?;
        log.note("send", sender.send_to(b"all", (group, receiver.local_addr()?.port())));
        log.note("recv", receiver.recv(&mut [0; 8]));
        log.note("leave", receiver.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST));
        log.note("leave again", receiver.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST));
        Ok(())
    }

    fn one_that_was_shut_down(log) {
        let (near, far) = pair()?;
        log.note("shutdown", rustix::net::shutdown(&near, rustix::net::Shutdown::Both).map_err(io::Error::from));
        log.note("recv", near.recv(&mut [0; 8]));
        log.note("peek", near.peek(&mut [0; 8]));
        log.kind("recv_from", near.recv_from(&mut [0; 8]));
        log.note("send", near.send(b"x"));
        log.note("the peer sends", far.send(b"x"));
        Ok(())
    }
}
