//! A server answers, and its connection is lost at once, before who waits for it has had a turn: that one is told all the same.

use std::io::{Read, Write};
use std::time::Duration;

use fibra::net::TcpListener;
use fibra::rpc::Channel;
use fibra::rpc::wire::frame::Opened;
use fibra::rpc::wire::{encode, preface};
use fibra::sim::{Ending, Sim};

use crate::support::seeds;

/// Opens the session of whoever comes, and hangs up.
fn open_and_close() -> Ending {
    let listener = TcpListener::bind("0.0.0.0:7000")?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        stream.read_exact(&mut [0; preface::LEN])?;
        stream.write_all(&preface::encode(preface::VERSION))?;
        let mut header = [0; 16];
        stream.read_exact(&mut header)?;
        let length = header[..4].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        stream.read_exact(&mut vec![0; length])?;
        let mut opened = Vec::new();
        encode::opened(&mut opened, &Opened { incarnation: 7, resumed: false, window: 16, lease: 1_000 });
        stream.write_all(&opened)?;
    }
    Ok(())
}

#[test]
fn when_their_connections_are_lost_at_once() {
    for seed in seeds(50) {
        let mut sim = Sim::builder().seed(seed).time_limit(Duration::from_secs(60)).build();
        sim.host("first", open_and_close);
        sim.host("second", open_and_close);
        sim.client("alice", || {
            fibra::sleep(Duration::from_millis(1))?;
            Channel::connect_to(["first:7000", "second:7000"])?;
            Ok(())
        });
        sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    }
}
