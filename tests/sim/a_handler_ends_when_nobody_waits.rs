//! A caller that gives up is heard: what its handler waits for ends a moment later. And if nothing of it is heard, the handler ends when the caller's
//! time is up.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fibra::rpc::Server;
use fibra::rpc::client::Pending;
use fibra::sim::{Ending, Latency, Network, Sim};

const MILLISECOND: Duration = Duration::from_millis(1);

#[fibra::service]
trait Office {
    /// Waits for an hour.
    fn once(&self);

    #[rpc(idempotent)]
    fn again(&self);

    #[rpc(ordered)]
    fn in_turn(&self);
}

/// How many of its handlers wait.
#[derive(Clone, Default)]
struct Queue(Arc<AtomicU32>);

impl Queue {
    fn wait(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        let _ = fibra::sleep(Duration::from_secs(3600));
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn len(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// How long it takes until so many wait.
    fn until(&self, len: u32) -> Duration {
        let begin = fibra::clock::now();
        while self.len() != len {
            fibra::sleep(MILLISECOND / 4).expect("nothing cancels");
        }
        fibra::clock::now() - begin
    }
}

impl Office for Queue {
    fn once(&self) {
        self.wait();
    }

    fn again(&self) {
        self.wait();
    }

    fn in_turn(&self) {
        self.wait();
    }
}

/// Starts a call.
type Start = fn(&OfficeClient) -> Pending<(), Infallible>;

/// Of each kind.
const STARTS: [Start; 3] =
    [|office| office.start().once(), |office| office.start().again(), |office| office.start().in_turn()];

/// Runs a client of that office.
fn with_office(client: impl FnMut(&Queue, OfficeClient, &Network) -> Ending + 'static) {
    let mut sim = Sim::builder().seed(7).latency(Latency::fixed(MILLISECOND)).build();
    let queue = Queue::default();
    sim.host("office", {
        let queue = queue.clone();
        move || {
            Server::builder().service(OfficeServer::new(queue.clone())).bind("0.0.0.0:7000")?.wait()?;
            Ok(())
        }
    });
    let network = sim.network();
    let (client, ran) = (RefCell::new(client), Rc::new(Cell::new(false)));
    sim.client("alice", {
        let ran = Rc::clone(&ran);
        move || {
            fibra::sleep(MILLISECOND)?;
            (client.borrow_mut())(&queue, OfficeClient::connect("office:7000")?, &network)?;
            ran.set(true);
            Ok(())
        }
    });
    sim.run().unwrap_or_else(|failure| panic!("{failure}"));
    assert!(ran.get());
}

#[test]
fn as_soon_as_it_hears_of_it() {
    with_office(|queue, office, _| {
        for start in STARTS {
            let call = start(&office);
            queue.until(1);
            call.cancel();
            let took = queue.until(0);
            assert!(took < 5 * MILLISECOND, "{took:?}");
        }
        Ok(())
    });
}

#[test]
fn when_its_time_is_up() {
    with_office(|queue, office, network| {
        let office = office.within(100 * MILLISECOND);
        for start in STARTS {
            network.heal("alice", "office");
            let call = start(&office);
            queue.until(1);
            network.partition_one_way("alice", "office");
            let took = queue.until(0);
            // It counts from when the server has read the call.
            assert!(took < 105 * MILLISECOND, "{took:?}");
            assert!(call.join().is_err());
        }
        Ok(())
    });
}
