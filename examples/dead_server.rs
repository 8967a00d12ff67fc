//! A server that is dead: how much do its clients add to the load of their own calls, by connecting again and by retrying?
//!
//! ```text
//! cargo run --release --example dead_server -- --seconds 60
//! ```
//!
//! Two servers die in two ways, each with clients of its own: of one nothing is left but a listener that hangs up on whoever connects, which is counted;
//! the other refuses each call. Then both are back.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fibra::clock;
use fibra::net::TcpListener;
use fibra::rpc::client::Proxy;
use fibra::rpc::middleware::{Denial, Next};
use fibra::rpc::service::{Method, Semantics};
use fibra::rpc::{Channel, Request, Server};

const CHANNELS: usize = 4;
const CALLERS: usize = 64;
const TIMEOUT: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(10);

fn method() -> Method {
    Method::named("desk.add", Semantics::Idempotent)
}

fn serve(addr: &str, dead: &Arc<AtomicBool>, attempts: &Arc<AtomicU64>) -> Result<Server, Box<dyn Error>> {
    let (dead, attempts) = (Arc::clone(dead), Arc::clone(attempts));
    let refusing = move |request: &mut Request, next: Next<'_>| {
        if !dead.load(Ordering::Relaxed) {
            return next.run(request);
        }
        attempts.fetch_add(1, Ordering::Relaxed);
        Denial::overloaded("it is dead", None).into()
    };
    Ok(Server::builder().middleware(refusing).method(method(), |(a, b): (i64, i64)| a + b).bind(addr)?)
}

/// What callers do while their server is dead.
struct Load {
    proxies: Vec<Proxy>,
    calls: Arc<AtomicU64>,
    callers: Vec<fibra::JoinHandle<Option<Duration>>>,
}

impl Load {
    fn start(
        addr: SocketAddr,
        dead: &Arc<AtomicBool>,
        died: Instant,
        dead_for: Duration,
    ) -> Result<Self, Box<dyn Error>> {
        let proxies = (0..CHANNELS)
            .map(|_| Ok(Proxy::new(Channel::connect(addr)?).within(TIMEOUT)))
            .collect::<Result<Vec<_>, fibra::rpc::ConnectError>>()?;
        let calls = Arc::new(AtomicU64::new(0));
        let callers = (0..CALLERS)
            .map(|n| {
                let (proxy, dead, calls) = (proxies[n % CHANNELS].clone(), Arc::clone(dead), Arc::clone(&calls));
                fibra::spawn(move || call(&proxy, &dead, &calls, died + dead_for))
            })
            .collect();
        Ok(Self { proxies, calls, callers })
    }

    fn retries(&self) -> u64 {
        self.proxies.iter().map(|proxy| proxy.channel().stats().retries).sum()
    }

    /// How long it took, after the server was back, until each caller was served.
    fn end(self) -> Option<Duration> {
        self.callers.into_iter().filter_map(|caller| caller.join().ok().flatten()).max()
    }
}

/// Calls until it is served by a server that is back.
fn call(proxy: &Proxy, dead: &AtomicBool, calls: &AtomicU64, back: Instant) -> Option<Duration> {
    loop {
        calls.fetch_add(u64::from(dead.load(Ordering::Relaxed)), Ordering::Relaxed);
        let served = proxy.call::<_, i64>(&method(), &(3, 5)).is_ok();
        if served && clock::now() >= back {
            return Some(clock::now() - back);
        }
        fibra::sleep(PAUSE).ok()?;
    }
}

fn die(dead_for: Duration) -> Result<(), Box<dyn Error>> {
    let [silent, refusing] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let [nothing, attempts, dialled] = [(); 3].map(|()| Arc::new(AtomicU64::new(0)));
    let never = Arc::new(AtomicBool::new(false));
    let first = serve("127.0.0.1:0", &never, &nothing)?;
    let second = serve("127.0.0.1:0", &refusing, &attempts)?;
    let addr = first.local_addr();
    let died = clock::now() + Duration::from_secs(1);
    let hung_up_on = Load::start(addr, &silent, died, dead_for)?;
    let refused = Load::start(second.local_addr(), &refusing, died, dead_for)?;
    fibra::sleep(died - clock::now())?;

    first.shutdown();
    let listener = TcpListener::bind(addr)?;
    [&silent, &refusing].iter().for_each(|dead| dead.store(true, Ordering::Relaxed));
    let counting = fibra::spawn({
        let dialled = Arc::clone(&dialled);
        move || {
            while listener.accept().is_ok() {
                dialled.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    fibra::sleep((died + dead_for).saturating_duration_since(clock::now()))?;
    [&silent, &refusing].iter().for_each(|dead| dead.store(false, Ordering::Relaxed));
    counting.cancel();
    let _ = counting.join();
    let _back = serve(&addr.to_string(), &never, &nothing)?;

    let calls = hung_up_on.calls.load(Ordering::Relaxed);
    let added = dialled.load(Ordering::Relaxed) + hung_up_on.retries();
    tell("hung up on", calls, added, hung_up_on.end());
    let calls = refused.calls.load(Ordering::Relaxed);
    let added = refused.retries();
    println!("(of what was refused the server has seen {} attempts)", attempts.load(Ordering::Relaxed));
    tell("refused", calls, added, refused.end());
    Ok(())
}

fn tell(how: &str, calls: u64, added: u64, served_after: Option<Duration>) {
    let percent = 100.0 * added as f64 / calls as f64;
    let served_after = served_after.unwrap_or_default();
    println!(
        "{how}: {calls} calls, and {added} connections or retries: {percent:.1} % more; all served {served_after:.0?} after its return"
    );
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().collect();
    let seconds = args.iter().position(|arg| arg == "--seconds").and_then(|at| args.get(at + 1));
    let seconds = seconds.map(|text| text.parse()).transpose()?.unwrap_or(5);
    fibra::runtime::builder().workers(1).run(|| die(Duration::from_secs(seconds)))?
}
