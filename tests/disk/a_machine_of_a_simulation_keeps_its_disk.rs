use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use fibra::rpc::Server;
use fibra::sim::disk::{Disk, Faults};
use fibra::sim::{Ending, Report, Sim};

const ENTRIES: u64 = 20;

/// What is recorded is there for good.
#[fibra::service]
trait Ledger {
    #[rpc(idempotent)]
    fn record(&self, entry: u64) -> Result<(), String>;
}

struct Book(Disk);

impl Book {
    fn append(&self, entry: u64) -> io::Result<()> {
        let book = self.0.open_or_create("book")?;
        // Behind the last whole entry.
        let end = book.len()? / 8 * 8;
        book.write_all_at(&(entry + 1).to_le_bytes(), end)?;
        book.sync_all()
    }
}

impl Ledger for Book {
    fn record(&self, entry: u64) -> Result<(), String> {
        self.append(entry).map_err(|error| error.to_string())
    }
}

fn serve(disk: &Disk) -> Ending {
    Ok(Server::builder().service(LedgerServer::new(Book(disk.clone()))).bind("0.0.0.0:7000")?.wait()?)
}

fn write() -> Ending {
    for entry in 0..ENTRIES {
        let record = || LedgerClient::connect("bank:7000").is_ok_and(|ledger| ledger.record(entry).is_ok());
        while !record() {
            fibra::sleep(Duration::from_millis(100))?;
        }
    }
    Ok(())
}

fn run(seed: u64) -> (Report, Disk) {
    let mut sim = Sim::builder().seed(seed).build();
    let disk = Disk::builder("bank").faults(Faults { crashes: 0.05, sync_errors: 0.05, ..Faults::default() }).build();
    let (hosts, own) = (sim.hosts(), disk.clone());
    disk.on_crash(move || hosts.restart("bank"));
    sim.host("bank", move || serve(&own));
    sim.client("alice", write);
    (sim.run().unwrap_or_else(|failure| panic!("{failure}")), disk)
}

#[test]
fn through_crashes_in_the_middle_of_a_write() {
    let mut crashes = 0;
    for seed in 0..50 {
        let (_, disk) = run(seed);
        disk.set_faults(Faults::default());
        disk.restart();
        let book = disk.open("book").expect("synced");
        let mut bytes = vec![0; book.len().expect("up") as usize];
        book.read_exact_at(&mut bytes, 0).expect("up");
        let found: BTreeSet<_> = bytes.as_chunks::<8>().0.iter().map(|entry| u64::from_le_bytes(*entry)).collect();
        assert!((1..=ENTRIES).all(|entry| found.contains(&entry)), "seed {seed}: {found:?}");
        crashes += disk.statistics().crashes;
    }
    assert!(crashes > 100, "{crashes} crashes");
}

#[test]
fn and_its_runs_are_the_same_again() {
    for seed in 0..10 {
        let [(one, disk), (same, again)] = [(); 2].map(|()| run(seed));
        assert_eq!((one.trace().hash(), disk.statistics()), (same.trace().hash(), again.statistics()));
    }
}
