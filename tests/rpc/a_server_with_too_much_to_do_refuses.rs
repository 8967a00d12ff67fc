//! Calls that would wait for too long are refused while there is more to do than can be done; they have not run, and it stays so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fibra::rpc::Server;
use fibra::rpc::server::Builder;

use crate::support::raw::{self, FAILURE, REPLY, Raw};
use crate::support::{LOOPBACK, on_one_worker};

const OVERLOADED: u8 = 6;

/// More than the 200 ms that a burst may take.
const CALLS: u64 = 400;

/// A twentieth of it is no more than that.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A server of calls that take a millisecond of their worker's time each, and how many have run.
fn serve(builder: Builder) -> (Server, Arc<AtomicU64>) {
    let runs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&runs);
    let server = builder
        .method("busy.work", move |(): ()| {
            counted.fetch_add(1, Ordering::SeqCst);
            #[expect(
                clippy::disallowed_methods,
                reason = "how long a handler takes is no matter of the runtime's time"
            )]
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(1) {
                std::hint::spin_loop();
            }
        })
        .bind(LOOPBACK)
        .expect("a free port");
    (server, runs)
}

fn work(xid: u64) -> Vec<u8> {
    let behind = u16::try_from(xid - 1).expect("few calls");
    raw::behind(raw::call(xid, TIMEOUT, "busy.work", &[0x90]), behind)
}

#[test]
fn and_says_when_to_try_again() {
    on_one_worker(|| {
        let (server, runs) = serve(Server::builder());
        let mut client = Raw::connect(server.local_addr());
        let all: Vec<_> = (1..=CALLS).flat_map(work).collect();
        client.send(&all);
        let answers: Vec<_> = (1..=CALLS).map(|_| client.receive().expect("an answer to each")).collect();
        let refused: Vec<_> = answers.iter().filter(|(kind, ..)| *kind == FAILURE).collect();
        assert_eq!(answers.iter().filter(|(kind, ..)| *kind == REPLY).count() as u64, runs.load(Ordering::SeqCst));
        let (_, xid, body) = refused.first().expect("they take 400 ms together");
        assert_eq!(body[0], OVERLOADED);
        let text = 3 + usize::from(u16::from_be_bytes([body[1], body[2]]));
        let [0xce, millis @ ..] = &body[text..] else { panic!("no number: {:?}", &body[text..]) };
        let millis = u32::from_be_bytes(millis.try_into().expect("four bytes"));
        assert!((10..=1_000).contains(&millis), "{millis}");

        // Now there is time for it, but it has been answered.
        let before = runs.load(Ordering::SeqCst);
        client.send(&work(*xid));
        assert_eq!(client.receive().as_ref(), Some(*refused.first().expect("as above")));
        assert_eq!(runs.load(Ordering::SeqCst), before);
        client.send(&work(CALLS + 1));
        assert_eq!(client.receive().map(|(kind, xid, _)| (kind, xid)), Some((REPLY, CALLS + 1)), "it is over");
    });
}

#[test]
fn unless_it_is_told_not_to() {
    on_one_worker(|| {
        let (server, runs) = serve(Server::builder().queue_delay_max(Duration::MAX));
        let mut client = Raw::connect(server.local_addr());
        let all: Vec<_> = (1..=CALLS).flat_map(work).collect();
        client.send(&all);
        for _ in 1..=CALLS {
            let (kind, _, body) = client.receive().expect("an answer");
            assert!(kind == REPLY || body[0] != OVERLOADED);
        }
        assert!(runs.load(Ordering::SeqCst) > 0);
    });
}
