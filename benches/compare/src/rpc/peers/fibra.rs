//! fibra: a trait, its implementation, and the proxy that the attribute writes. Callers are fibers; one with many calls under way
//! has a handle for each.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use fibra::runtime::Runtime;

use super::{ADD, check};
use crate::rpc::client::{Client, Load, follow};
use crate::rpc::shape::Callers;
use crate::rpc::window;
use crate::serve::{LOOPBACK, announce};

#[fibra::service]
pub(crate) trait Calculator {
    fn add(&self, a: i64, b: i64) -> i64;
}

struct Arithmetic;

impl Calculator for Arithmetic {
    fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }
}

pub(crate) fn serve(workers: usize) -> io::Result<()> {
    fibra::runtime::builder().workers(workers).run(|| {
        let server = fibra::rpc::Server::builder()
            .service(CalculatorServer::new(Arithmetic))
            .bind(LOOPBACK)
            .map_err(io::Error::other)?;
        announce(server.local_addr())?;
        server.wait().map_err(io::Error::other)
    })?
}

pub(crate) fn call(server: SocketAddr, workers: usize) -> io::Result<()> {
    let runtime = fibra::runtime::builder().workers(workers).start()?;
    follow(&mut Fibers { runtime, server, proxies: Vec::new() })
}

/// How many connections are opened at a time.
const OPENED_AT_ONCE: usize = 64;

struct Fibers {
    runtime: Runtime,
    server: SocketAddr,
    proxies: Vec<CalculatorClient>,
}

impl Fibers {
    /// Runs `f` on a fiber for each of `items`, and waits for all.
    fn each<I, T>(&self, items: I, f: impl Fn(I::Item) -> io::Result<T> + Clone + Send + 'static) -> io::Result<Vec<T>>
    where
        I: Iterator,
        I::Item: Send + 'static,
        T: Send + 'static,
    {
        let spawn = |item| {
            let f = f.clone();
            self.runtime.spawn(move || f(item))
        };
        let fibers = items.map(spawn).collect::<Result<Vec<_>, _>>()?;
        fibers.into_iter().map(|fiber| fiber.join().map_err(|_| io::Error::other("a caller panicked"))?).collect()
    }
}

impl Client for Fibers {
    fn connect(&mut self, total: usize) -> io::Result<()> {
        let server = self.server;
        while self.proxies.len() < total {
            let opened = OPENED_AT_ONCE.min(total - self.proxies.len());
            let connect = move |_| {
                let proxy = CalculatorClient::connect(server).map_err(io::Error::other)?;
                check(proxy.add(ADD.0, ADD.1).map_err(io::Error::other)?)?;
                Ok(proxy)
            };
            let proxies = self.each(0..opened, connect)?;
            self.proxies.extend(proxies);
        }
        Ok(())
    }

    fn call(&mut self, callers: Callers, load: &Arc<Load>) -> io::Result<()> {
        let load = Arc::clone(load);
        let proxies: Vec<_> = self.proxies.iter().flat_map(|proxy| vec![proxy.clone(); callers.number]).collect();
        let call = move |proxy| match callers.outstanding {
            1 => one_by_one(&proxy, &load),
            outstanding => many_at_once(&proxy, outstanding, &load),
        };
        self.each(proxies.into_iter(), call).map(drop)
    }
}

fn one_by_one(proxy: &CalculatorClient, load: &Load) -> io::Result<()> {
    let (mut made, mut since) = (0, Instant::now());
    while load.goes_on(made) {
        check(proxy.add(ADD.0, ADD.1).map_err(io::Error::other)?)?;
        let now = Instant::now();
        window::answered(now - since, 1);
        (made, since) = (made + 1, now);
    }
    Ok(())
}

fn many_at_once(proxy: &CalculatorClient, outstanding: usize, load: &Load) -> io::Result<()> {
    let mut calls = VecDeque::new();
    let mut made = 0;
    loop {
        while calls.len() < outstanding && load.goes_on(made) {
            calls.push_back((Instant::now(), proxy.start().add(ADD.0, ADD.1)));
            made += 1;
        }
        let Some((since, call)) = calls.pop_front() else { return Ok(()) };
        check(call.join().map_err(io::Error::other)?)?;
        window::answered(since.elapsed(), 1);
    }
}
