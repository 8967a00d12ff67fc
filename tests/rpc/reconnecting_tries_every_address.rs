//! A channel that was given several addresses connects again to whichever answers.

use fibra::net::TcpListener;
use fibra::rpc::{Channel, Server};

use crate::support::{Counter, DeskClient, DeskServer, LOOPBACK, on_one_worker, raw, serve};
use fibra::rpc::error::Peer;

#[test]
fn not_only_the_one_it_was_connected_to() {
    on_one_worker(|| {
        let (first, _) = serve();
        let (second, _) = serve();
        let addrs = [raw::nowhere(), first.local_addr(), second.local_addr()];
        let desk = DeskClient::new(Channel::connect(&addrs[..]).expect("the second listens"));
        assert_eq!(desk.add(1, 2).expect("a sum"), 3);
        assert_eq!(desk.channel().peer(), Peer::Remote(first.local_addr()));

        first.shutdown();
        assert_eq!(desk.add(3, 5).expect("from the other"), 8);
        assert_eq!(desk.channel().peer(), Peer::Remote(second.local_addr()));
    });
}

#[test]
fn the_one_that_has_the_session_comes_first() {
    on_one_worker(|| {
        let taken = TcpListener::bind(LOOPBACK).expect("a free port");
        let last = taken.local_addr().expect("it is bound");
        drop(taken);
        let (other, _) = serve();
        let addrs = [other.local_addr(), last];
        other.shutdown();
        let bind = |addr| Server::builder().service(DeskServer::new(Counter::default())).bind(addr);
        let first = bind(last).expect("it is free again");
        let desk = DeskClient::new(Channel::connect(&addrs[..]).expect("the last listens"));
        let other = bind(addrs[0]).expect("it is free again");
        first.shutdown();
        let _again = bind(last).expect("it is free again");
        assert_eq!(desk.add(3, 5).expect("a sum"), 8);
        assert_eq!(desk.channel().peer(), Peer::Remote(last));
        assert_eq!(other.connections(), 0);
    });
}
