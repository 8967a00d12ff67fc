//! When a client hangs up, nothing of it is left: at the client no fiber and no socket, at the server no connection, no handler, and after its lease
//! no session.

use std::time::Duration;

use fibra::rpc::Server;
use fibra::seeded::Host;
use fibra::sim::Sim;

use crate::support::{Account, BankClient, BankServer, seeds};

const MILLISECOND: Duration = Duration::from_millis(1);
const LEASE: Duration = Duration::from_secs(2);

fn gauge(server: &Server, name: &str) -> Option<u64> {
    let metrics = server.metrics();
    let line = metrics.lines().find(|line| line.starts_with(&format!("fibra_rpc_{name} ")))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn of_a_client_that_hangs_up() {
    for seed in seeds(30) {
        let mut sim = Sim::builder().seed(seed).build();
        let hosts = sim.hosts();
        sim.client("bank", {
            let hosts = hosts.clone();
            move || {
                let server = Server::builder()
                    .service(BankServer::new(Account::default()))
                    .session_lease(LEASE)
                    .bind("0.0.0.0:7000")?;
                fibra::sleep(Duration::from_secs(1))?;
                assert_eq!(gauge(&server, "sessions"), Some(1));
                // Whose handlers it has left when it hung up have ended, too.
                let left = ["connections", "waiting_calls", "buffered_bytes"].map(|name| gauge(&server, name));
                assert_eq!(left, [Some(0); 3]);
                fibra::sleep(2 * LEASE)?;
                drop(BankClient::connect("127.0.0.1:7000")?);
                assert!(gauge(&server, "sessions") <= Some(1), "its own");
                fibra::sleep(10 * MILLISECOND)?;
                server.shutdown();
                drop(server);
                fibra::sleep(10 * MILLISECOND)?;
                assert_eq!((Host::current().map(Host::fibers), hosts.descriptors("bank")), (Some(1), 0));
                Ok(())
            }
        });
        sim.client("alice", move || {
            fibra::sleep(MILLISECOND)?;
            let bank = BankClient::connect("bank:7000")?;
            for n in 0..10 {
                bank.add(n, 1)?;
                drop(bank.start().wait(n as u64 * 100));
                bank.within(MILLISECOND).wait(500).expect_err("its time is up");
            }
            assert_eq!(bank.channel().stats().in_flight, 0);
            drop(bank);
            fibra::sleep(100 * MILLISECOND)?;
            assert_eq!((Host::current().map(Host::fibers), hosts.descriptors("alice")), (Some(1), 0));
            Ok(())
        });
        let report = sim.run().unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(report.trace().leaked(), 0);
    }
}
