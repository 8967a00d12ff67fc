//! Who is told of a connection's loss before what came over it has been read is not told that the stream has ended well until it has all items.

use std::time::Duration;

use fibra::rpc::middleware::Next;
use fibra::rpc::stream::Sender;
use fibra::rpc::{Channel, Request, Server};
use fibra::sim::{Latency, Sim};

use crate::support::seeds;

const MILLISECOND: Duration = Duration::from_millis(1);
const ITEMS: u32 = 10;

#[fibra::service]
trait Source {
    /// Gives so many numbers, a little later.
    fn numbers(&self, count: u32, items: Sender<u32>);

    /// Something to write.
    #[rpc(maybe)]
    fn ping(&self);
}

struct Numbers;

impl Source for Numbers {
    fn numbers(&self, count: u32, items: Sender<u32>) {
        let _ = fibra::sleep(20 * MILLISECOND);
        let _ = (0..count).try_for_each(|number| items.send(number));
    }

    fn ping(&self) {}
}

/// Items and answer come while the client is paused, then its connection is reset. When it goes on, it writes, reads and takes items, in whichever order.
/// How many items it has got by the time that it was told of the end, if that was a good one.
fn run(seed: u64, has_middleware: bool) -> Option<u32> {
    let mut sim = Sim::builder().seed(seed).latency(Latency::fixed(MILLISECOND)).build();
    let (network, hosts) = (sim.network(), sim.hosts());
    sim.host("source", || Ok(Server::builder().service(SourceServer::new(Numbers)).bind("0.0.0.0:7000")?.wait()?));
    let got = std::rc::Rc::new(std::cell::Cell::new(None));
    let told = got.clone();
    sim.client("sink", move || {
        let channel = Channel::connect("source:7000")?;
        let pinger = SourceClient::new(channel.clone());
        let channel = match has_middleware {
            true => channel.with_middleware(|request: &mut Request, next: Next<'_>| next.run(request)),
            false => channel,
        };
        let mut numbers = SourceClient::new(channel).within(Duration::from_secs(5)).numbers(ITEMS)?;
        let pinging = fibra::spawn(move || while fibra::sleep(MILLISECOND).is_ok() && pinger.ping().is_ok() {});
        let mut count = 0;
        let ended = loop {
            match numbers.recv() {
                Ok(Some(_)) => count += 1,
                Ok(None) => break Some(count),
                Err(_) => break None,
            }
        };
        told.set(ended);
        pinging.cancel();
        Ok(())
    });
    sim.client("director", move || {
        fibra::sleep(15 * MILLISECOND)?;
        hosts.pause("sink");
        fibra::sleep(50 * MILLISECOND)?;
        network.reset("sink", "source");
        hosts.resume("sink");
        Ok(())
    });
    sim.run().unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
    got.get()
}

fn is_whole(has_middleware: bool) {
    let ended_well: Vec<_> = seeds(300).filter_map(|seed| Some((seed, run(seed, has_middleware)?))).collect();
    assert!(ended_well.len() > 10, "{ended_well:?}");
    assert!(ended_well.iter().all(|(_, count)| *count == ITEMS), "{ended_well:?}");
}

#[test]
fn without_middleware() {
    is_whole(false);
}

#[test]
fn and_with_middleware() {
    is_whole(true);
}
