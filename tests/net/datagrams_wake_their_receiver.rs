//! Receivers park, several of them on one socket, and a datagram wakes one.

use std::io;
use std::net::SocketAddr;

use fibra::net::{UdpSocket, UnixDatagram};

use crate::support::{LOOPBACK, LOST, counters, join, on_one_worker, spawn_waiting};

fn udp() -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = UdpSocket::bind(LOOPBACK)?;
    socket.set_read_timeout(Some(LOST))?;
    let addr = socket.local_addr()?;
    Ok((socket, addr))
}

#[test]
fn an_echo_by_udp() -> io::Result<()> {
    on_one_worker(|| {
        let ((server, server_addr), (client, _)) = (udp()?, udp()?);
        let server = spawn_waiting(move || -> io::Result<()> {
            let mut buf = [0; 64];
            for _ in 0..10 {
                let (len, peer) = server.recv_from(&mut buf)?;
                server.send_to(&buf[..len], peer)?;
            }
            Ok(())
        });
        let mut buf = [0; 64];
        for len in 0..10 {
            client.send_to(&[7; 64][..len], server_addr)?;
            assert_eq!(client.recv_from(&mut buf)?, (len, server_addr));
        }
        join(server)
    })
}

#[test]
fn the_one_that_waited_longest() -> io::Result<()> {
    on_one_worker(|| {
        let (near, far) = UnixDatagram::pair()?;
        near.set_read_timeout(Some(LOST))?;
        let receivers = (0..3)
            .map(|_| {
                let near = near.try_clone()?;
                Ok(spawn_waiting(move || {
                    let mut byte = [0];
                    near.recv(&mut byte).map(|_| byte[0])
                }))
            })
            .collect::<io::Result<Vec<_>>>()?;
        for byte in b"abc" {
            far.send(&[*byte])?;
        }
        let bytes = receivers.into_iter().map(join).collect::<io::Result<Vec<_>>>()?;
        assert_eq!(bytes, b"abc");
        Ok(())
    })
}

#[test]
fn a_sender_and_a_receiver_share_a_socket() -> io::Result<()> {
    on_one_worker(|| {
        let ((near, near_addr), (far, far_addr)) = (udp()?, udp()?);
        let sockets = counters().sockets;
        let shared = near.try_clone()?;
        let receiver = spawn_waiting(move || shared.recv_from(&mut [0; 8]));
        near.send_to(b"out", far_addr)?;
        assert_eq!(far.recv_from(&mut [0; 8])?, (3, near_addr));
        far.send_to(b"in", near_addr)?;
        assert_eq!(join(receiver)?, (2, far_addr));
        drop((near, far));
        assert_eq!(counters().sockets, sockets);
        Ok(())
    })
}
