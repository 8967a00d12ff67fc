//! What these tests share.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream};
use fibra::sync::Barrier;

/// What a test fails with.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How many conversations are held at a time.
pub(crate) const CONVERSATIONS: usize = 2;

/// Longer than any of this takes: who does not come ends the test instead of hanging it.
const LOST: Duration = Duration::from_secs(30);

/// Where the conversations meet.
#[derive(Clone)]
pub(crate) struct Meeting(Arc<Barrier>);

impl Meeting {
    /// Waits until every conversation has come this far.
    pub(crate) fn attend(&self) -> Result<(), Failure> {
        let met = fibra::cancel::with_timeout(LOST, || self.0.wait());
        met.map(drop).map_err(|_| "the other conversation was held up".into())
    }
}

/// Holds [`CONVERSATIONS`] at a time on one worker: `serve` is for each connection, `call` for each client.
pub(crate) fn converse<S, C>(serve: S, call: C) -> Result<(), Failure>
where
    S: Fn(TcpStream, Meeting) -> Result<(), Failure> + Clone + Send + 'static,
    C: Fn(SocketAddr, usize) -> Result<(), Failure> + Clone + Send + 'static,
{
    fibra::runtime::builder().workers(1).run(move || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let meeting = Meeting(Arc::new(Barrier::new(CONVERSATIONS)));
        let servers = fibra::spawn(move || -> io::Result<Vec<_>> {
            (0..CONVERSATIONS)
                .map(|_| {
                    let (stream, _) = listener.accept()?;
                    let (serve, meeting) = (serve.clone(), meeting.clone());
                    Ok(fibra::spawn(move || serve(stream, meeting)))
                })
                .collect()
        });
        let clients: Vec<_> = (0..CONVERSATIONS)
            .map(|number| {
                let call = call.clone();
                fibra::spawn(move || call(addr, number))
            })
            .collect();
        for fiber in clients.into_iter().chain(join(servers)?) {
            join(fiber)?;
        }
        Ok(())
    })?
}

/// What a fiber returned; its panic fails the test.
pub(crate) fn join<T>(fiber: fibra::JoinHandle<T>) -> T {
    fiber.join().expect("a fiber panicked")
}
