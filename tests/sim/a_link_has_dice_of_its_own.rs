//! What happens on a link is as the seed has it for that link: traffic and hosts elsewhere do not shift it. So a smaller case is still the same case.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fibra::net::UdpSocket;
use fibra::seeded;
use fibra::sim::{Latency, Sim};

const MILLISECOND: Duration = Duration::from_millis(1);
const COUNT: usize = 50;

/// How long each of alice's datagrams takes to the sink, with so many others who send, too.
fn latencies(others: usize) -> Vec<Duration> {
    let mut sim = Sim::builder().seed(7).latency(Latency::between(MILLISECOND, 20 * MILLISECOND)).build();
    let arrived = Rc::<RefCell<Vec<Duration>>>::default();
    let count = Rc::clone(&arrived);
    sim.host("sink", move || {
        let socket = UdpSocket::bind("0.0.0.0:1")?;
        loop {
            let (len, _) = socket.recv_from(&mut [0; 8])?;
            if len == 1 {
                count.borrow_mut().push(seeded::elapsed().expect("it runs in a simulation"));
            }
        }
    });
    let sends = |name: &str, sim: &mut Sim, len: usize| {
        sim.client(name, move || {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            for _ in 0..COUNT {
                fibra::sleep(100 * MILLISECOND)?;
                socket.send_to(&vec![0; len], "sink:1")?;
            }
            Ok(fibra::sleep(Duration::from_secs(1))?)
        });
    };
    sends("alice", &mut sim, 1);
    for other in 0..others {
        sends(&format!("other{other}"), &mut sim, 2);
    }
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    let arrived = arrived.take();
    (1..).zip(arrived).map(|(number, at)| at - number * 100 * MILLISECOND).collect()
}

#[test]
fn whoever_else_sends() {
    let alone = latencies(0);
    assert!(
        alone.len() == COUNT && alone.iter().max() > alone.iter().min().map(|min| *min + 10 * MILLISECOND).as_ref()
    );
    for others in 1..4 {
        for (with, without) in latencies(others).into_iter().zip(&alone) {
            // Turns take a microsecond each.
            assert!(with.abs_diff(*without) < MILLISECOND / 2, "{with:?} beside {others} others, {without:?} alone");
        }
    }
}
