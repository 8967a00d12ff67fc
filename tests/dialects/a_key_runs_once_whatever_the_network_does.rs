//! A client of HTTP that sends a request again, under the same key, until it has an answer, has it run once: for each instant at which its connection is
//! lost, in a simulation.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fibra::net::TcpStream;
use fibra::rpc::Server;
use fibra::sim::{Latency, Sim};

const SHOP: &str = "shop:7000";

const MILLISECOND: Duration = Duration::from_millis(1);

/// What the server has counted to, asked once on a connection of its own.
fn ask(key: u64) -> io::Result<u64> {
    let mut stream = TcpStream::connect(SHOP)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request = format!(
        "POST /shop/sell HTTP/1.1\r\nHost: {SHOP}\r\nContent-Type: application/json\r\nConnection: close\r\n\
            Idempotency-Key: \"{key}\"\r\nContent-Length: 2\r\n\r\n[]"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map(|(head, body)| (head.starts_with("HTTP/1.1 200"), body));
    match body {
        Some((true, body)) if !body.is_empty() => body.parse().map_err(io::Error::other),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[test]
fn whenever_its_connection_is_lost() {
    let mut repeated = 0;
    for tenth in 0..100_u32 {
        let sold = Arc::new(AtomicU64::new(0));
        let mut sim = Sim::builder().seed(tenth.into()).latency(Latency::fixed(MILLISECOND)).build();
        let counts = Arc::clone(&sold);
        sim.host("shop", move || {
            let counts = Arc::clone(&counts);
            let sell = move |(): ()| {
                // So that a copy may come meanwhile.
                let _ = fibra::sleep(MILLISECOND);
                counts.fetch_add(1, Ordering::Relaxed) + 1
            };
            Server::builder().method("shop.sell", sell).bind("0.0.0.0:7000")?.wait()?;
            Ok(())
        });
        let network = sim.network();
        let attempts = Arc::new(AtomicU64::new(0));
        let tries = Arc::clone(&attempts);
        sim.client("alice", move || {
            for key in 1..=3_u64 {
                let network = network.clone();
                let cutting = fibra::spawn_local(move || {
                    let _ = fibra::sleep(MILLISECOND * tenth / 12);
                    network.reset("alice", "shop");
                });
                let sold = loop {
                    tries.fetch_add(1, Ordering::Relaxed);
                    match ask(key) {
                        Ok(sold) => break sold,
                        Err(_) => fibra::sleep(MILLISECOND / 2)?,
                    }
                };
                assert_eq!(sold, key, "cut after {tenth} twelfths of a millisecond");
                cutting.join().map_err(|_| "it does not panic")?;
            }
            Ok(())
        });
        sim.run().unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(sold.load(Ordering::Relaxed), 3);
        repeated += attempts.load(Ordering::Relaxed) - 3;
    }
    assert!(repeated > 100, "{repeated} were sent again");
}
