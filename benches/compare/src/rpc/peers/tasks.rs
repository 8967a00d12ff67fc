//! What the clients on tokio share: callers are tasks, and so are a caller's outstanding calls.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::check;
use crate::rpc::client::{Client, Load, follow};
use crate::rpc::shape::Callers;
use crate::rpc::window;

/// A connection, shared by cloning.
pub(super) trait Stub: Clone + Send + Sync + 'static {
    fn connect(server: SocketAddr) -> impl Future<Output = io::Result<Self>> + Send;

    fn add(&mut self) -> impl Future<Output = io::Result<i64>> + Send;
}

/// On one thread if there is one CPU, which is the faster of tokio's runtimes then.
pub(super) fn runtime(workers: usize) -> io::Result<Runtime> {
    match workers {
        1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
    }
}

pub(super) fn call<S: Stub>(server: SocketAddr, workers: usize) -> io::Result<()> {
    follow(&mut Tasks::<S> { runtime: runtime(workers)?, server, stubs: Vec::new() })
}

/// How many connections are opened at a time.
const OPENED_AT_ONCE: usize = 64;

struct Tasks<S> {
    runtime: Runtime,
    server: SocketAddr,
    stubs: Vec<S>,
}

impl<S: Stub> Client for Tasks<S> {
    fn connect(&mut self, total: usize) -> io::Result<()> {
        let server = self.server;
        let stubs = &mut self.stubs;
        self.runtime.block_on(async {
            while stubs.len() < total {
                let mut opening = JoinSet::new();
                for _ in 0..OPENED_AT_ONCE.min(total - stubs.len()) {
                    opening.spawn(async move {
                        let mut stub = S::connect(server).await?;
                        check(stub.add().await?)?;
                        io::Result::Ok(stub)
                    });
                }
                while let Some(opened) = opening.join_next().await {
                    stubs.push(opened??);
                }
            }
            Ok(())
        })
    }

    fn call(&mut self, who: Callers, load: &Arc<Load>) -> io::Result<()> {
        let stubs = &self.stubs;
        self.runtime.block_on(async {
            let mut callers = JoinSet::new();
            for stub in stubs {
                for _ in 0..who.calls() {
                    callers.spawn(caller(stub.clone(), who.outstanding, Arc::clone(load)));
                }
            }
            while let Some(ended) = callers.join_next().await {
                ended??;
            }
            Ok(())
        })
    }
}

/// Makes one in `of` of a caller's calls.
async fn caller(mut stub: impl Stub, of: usize, load: Arc<Load>) -> io::Result<()> {
    let (mut made, mut since) = (0, Instant::now());
    while load.goes_on(made * of as u64) {
        check(stub.add().await?)?;
        let now = Instant::now();
        window::answered(now - since, 1);
        (made, since) = (made + 1, now);
    }
    Ok(())
}
