//! What an RPC server holds of a connection that is open, has made a call, and is idle: three blocks, and a place in each of three tables.
//!
//! Counted on the server's only worker; the clients are another thread's.

use std::sync::mpsc;
use std::thread;

use fibra::rpc::Server;

use super::{HELD, run_with_sockets};

/// As many before it is counted as after: tables that grow by doubling have done so.
const CONNECTIONS: usize = 128;

/// The socket, the connection and the session, each with what an allocator adds.
const BLOCKS: usize = 3;
const BLOCKS_BYTES: usize = 112 + 144 + 112;

/// In the reactor's table two words; in the worker's, one; among the clients eight, and two entries of four bytes in their index.
const TABLES_BYTES: usize = 16 + 8 + 64 + 8;

/// What others may begin to hold meanwhile, of all connections.
const ELSE_BYTES: usize = 4096;

#[fibra::service]
trait Adder {
    fn add(&self, a: i64, b: i64) -> i64;
}

struct Plain;

impl Adder for Plain {
    fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }
}

#[test]
fn and_its_places_in_tables() {
    run_with_sockets(|| {
        let server = Server::builder().service(AdderServer::new(Plain)).bind("127.0.0.1:0").expect("a port");
        let addr = server.local_addr();
        let (order, orders) = mpsc::channel::<usize>();
        let (done, opened) = mpsc::channel::<()>();
        let clients = thread::spawn(move || {
            run_with_sockets(|| {
                let mut proxies = Vec::new();
                for count in orders {
                    for _ in 0..count {
                        let proxy = AdderClient::connect(addr).expect("a server");
                        assert_eq!(proxy.add(3, 5).expect("a sum"), 8);
                        proxies.push(proxy);
                    }
                    done.send(()).expect("it waits");
                }
            });
        });
        let mut held = Vec::new();
        let mut opened = Some(opened);
        for count in [CONNECTIONS, CONNECTIONS] {
            order.send(count).expect("they are there");
            let done = opened.take().expect("given back");
            opened = Some(fibra::blocking(move || done.recv().map(|()| done)).expect("a thread").expect("opened"));
            while fibra::counters().live > 3 {
                fibra::yield_now();
            }
            held.push(HELD.get());
        }
        let bytes = (held[1].bytes - held[0].bytes) as usize;
        let blocks = (held[1].blocks - held[0].blocks) as usize;
        println!("{} B in {:.3} blocks", bytes / CONNECTIONS, blocks as f64 / CONNECTIONS as f64);
        assert_eq!(blocks / CONNECTIONS, BLOCKS);
        assert!(bytes <= CONNECTIONS * (BLOCKS_BYTES + TABLES_BYTES) + ELSE_BYTES, "{} B", bytes / CONNECTIONS);
        drop(order);
        fibra::blocking(move || clients.join().expect("no panic")).expect("a thread");
    });
}
