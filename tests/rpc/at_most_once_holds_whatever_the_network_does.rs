//! Through a proxy that cuts, delays, loses and repeats at random, servers that restart, and sessions that end: no call of the session runs twice, and what
//! `executed` says agrees with what ran.
//!
//! Every run draws other seeds, and a failure names its own; `FIBRA_SEED=n` goes through that one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fibra::rpc::{CallError, Executed, Server};
use parking_lot::Mutex;

use crate::support::proxy::Proxy;
use crate::support::{LOOPBACK, join, on_two_workers};

const SEEDS: u64 = 3;
const EACH: Duration = Duration::from_millis(1500);
const CALLERS: u64 = 24;

/// So short that now and then a client comes back too late.
const LEASE: Duration = Duration::from_millis(30);

#[fibra::service]
trait Tally {
    /// Runs at most once, and takes so many milliseconds.
    fn once(&self, id: u64, millis: u64) -> u64;

    /// May run again.
    #[rpc(idempotent)]
    fn again(&self, id: u64, millis: u64) -> u64;
}

/// How often each call has run, on whichever server.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<HashMap<u64, u64>>>);

impl Counts {
    fn run(&self, id: u64, millis: u64) -> u64 {
        *self.0.lock().entry(id).or_default() += 1;
        if millis > 0 {
            // Cut short when its server ends, or nobody waits any more; it has run all the same.
            let _ = fibra::sleep(Duration::from_millis(millis));
        }
        id
    }
}

impl Tally for Counts {
    fn once(&self, id: u64, millis: u64) -> u64 {
        self.run(id, millis)
    }

    fn again(&self, id: u64, millis: u64) -> u64 {
        self.run(id, millis)
    }
}

/// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % end
    }

    fn millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
struct End {
    is_once: bool,
    executed: Executed,
}

fn serve(counts: &Counts) -> Server {
    Server::builder()
        .service(TallyServer::new(counts.clone()))
        .session_lease(LEASE)
        .bind(LOOPBACK)
        .expect("a free port")
}

/// Does to the network and the server what may happen to them.
fn disturb(mut random: Random, proxy: &Proxy, mut server: Server, counts: &Counts, over: &AtomicBool) -> Server {
    while !over.load(Ordering::SeqCst) {
        match random.below(16) {
            0..=2 => proxy.cut(),
            3 => _ = proxy.to_client().lose(true),
            4 => _ = proxy.to_server().lose(true),
            // What was lost within a connection does not come again on it.
            5..=9 => {
                if proxy.to_client().lose(false) | proxy.to_server().lose(false) {
                    proxy.cut();
                }
            }
            10 => proxy.to_server().delay(random.millis(4)),
            11 => proxy.to_client().delay(random.millis(4)),
            12..=14 => proxy.repeat(random.below(100) as usize),
            _ => {
                let next = serve(counts);
                proxy.redirect(next.local_addr());
                proxy.cut();
                std::mem::replace(&mut server, next).shutdown();
            }
        }
        fibra::sleep(random.millis(25)).expect("nothing cancels");
    }
    proxy.to_client().lose(false);
    proxy.to_server().lose(false);
    proxy.cut();
    server
}

fn call(random: &mut Random, desk: &TallyClient, id: u64) -> End {
    let millis = random.below(4).saturating_sub(1) * random.below(30);
    let desk = desk.within(Duration::from_millis(1) + random.millis(400));
    let is_once = random.below(4) > 0;
    let result = if is_once { desk.once(id, millis) } else { desk.again(id, millis) };
    let executed = match result {
        Ok(answer) => {
            assert_eq!(answer, id, "its own reply");
            Executed::Yes
        }
        Err(error) => {
            assert!(!matches!(error, CallError::BadReply { .. } | CallError::UnknownMethod { .. }), "{error:?}");
            error.executed()
        }
    };
    End { is_once, executed }
}

fn survives(seed: u64) {
    let counts = Counts::default();
    let ends = on_two_workers(|| {
        let server = serve(&counts);
        let proxy = Proxy::to(server.local_addr());
        let desk = TallyClient::connect(proxy.addr()).expect("it listens");
        let over = Arc::new(AtomicBool::new(false));
        let ids = Arc::new(AtomicU64::new(1));
        let until = fibra::clock::now() + EACH;
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let (desk, ids) = (desk.clone(), Arc::clone(&ids));
                fibra::spawn(move || {
                    let mut random = Random(seed ^ (caller << 32));
                    let mut ends = Vec::new();
                    while fibra::clock::now() < until {
                        let id = ids.fetch_add(1, Ordering::SeqCst);
                        ends.push((id, call(&mut random, &desk, id)));
                    }
                    ends
                })
            })
            .collect();
        let disturbing = fibra::spawn({
            let (proxy, counts, over) = (proxy.clone(), counts.clone(), Arc::clone(&over));
            move || disturb(Random(seed), &proxy, server, &counts, &over)
        });
        let ends: HashMap<_, _> = callers.into_iter().flat_map(join).collect();
        over.store(true, Ordering::SeqCst);
        let server = join(disturbing);
        assert_eq!(desk.once(0, 0).expect("it is over"), 0);
        // All that is under way ends: what has not run now never will.
        server.shutdown();
        ends
    });

    let counts = counts.0.lock();
    let mut tally = HashMap::<_, u64>::new();
    for (id, end) in &ends {
        let ran = counts.get(id).copied().unwrap_or_default();
        assert!(ran <= 1 || !end.is_once, "seed {seed}: call {id} ran {ran} times: {end:?}");
        match end.executed {
            Executed::Yes => assert!(ran >= 1, "seed {seed}: call {id} has not run: {end:?}"),
            Executed::No => assert_eq!(ran, 0, "seed {seed}: call {id} has run: {end:?}"),
            Executed::Maybe => {}
        }
        *tally.entry((end.is_once, end.executed)).or_default() += 1;
    }
    println!("seed {seed}: {tally:?} (at most once?, executed)");
    let yes = tally.get(&(true, Executed::Yes)).copied().unwrap_or_default();
    assert!(yes > 0, "seed {seed}: nothing came through: {tally:?}");
}

#[test]
fn by_seed() {
    let seed = std::env::var("FIBRA_SEED").ok().and_then(|seed| seed.parse().ok());
    if let Some(seed) = seed {
        return survives(seed);
    }
    let first = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    for seed in first..first + SEEDS {
        survives(seed);
    }
}
