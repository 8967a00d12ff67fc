//! A megabyte of the smallest values, which would be far more once decoded, fails its call before anything is decoded.

use std::time::Duration;

use fibra::rpc::Server;

use crate::support::raw::{self, FAILURE, REPLY, Raw};
use crate::support::{LOOPBACK, on_one_worker};

const BAD_ARGUMENTS: u8 = 4;

#[test]
fn and_the_connection_goes_on() {
    on_one_worker(|| {
        let server = Server::builder()
            .method("big.count", |(all,): (Vec<Option<[u64; 16]>>,)| all.len())
            .bind(LOOPBACK)
            .expect("a free port");
        let mut client = Raw::connect(server.local_addr());
        let nils = |count: u32| [&[0x91, 0xdd][..], &count.to_be_bytes(), &vec![0xc0; count as usize]].concat();
        client.send(&raw::call(1, Duration::from_secs(60), "big.count", &nils(1 << 20)));
        let (kind, xid, body) = client.receive().expect("an answer");
        assert_eq!((kind, xid, body[0]), (FAILURE, 1, BAD_ARGUMENTS));
        client.send(&raw::call(2, Duration::from_secs(60), "big.count", &nils(1_000)));
        assert_eq!(client.receive(), Some((REPLY, 2, vec![0xcd, 0x03, 0xe8])));
    });
}
