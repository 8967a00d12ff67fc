//! tarpc, with bincode and with JSON in its length-delimited frames. Each call that arrives becomes a task; callers are tasks.

use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::pin::pin;

use ::tarpc::context::{self, Context};
use ::tarpc::serde_transport::Transport;
use ::tarpc::server::{BaseChannel, Channel};
use ::tarpc::tokio_serde::formats::{Bincode, Json};
use ::tarpc::{ClientMessage, Response, client};
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::StreamExt;

use super::{ADD, tasks};
use crate::serve::{LOOPBACK, announce};

#[::tarpc::service]
pub(crate) trait Calculator {
    async fn add(a: i64, b: i64) -> i64;
}

#[derive(Clone)]
struct Arithmetic;

impl Calculator for Arithmetic {
    async fn add(self, _: Context, a: i64, b: i64) -> i64 {
        a + b
    }
}

pub(crate) fn serve_bincode(workers: usize) -> io::Result<()> {
    serve(workers, |stream| Transport::from((stream, Bincode::default())))
}

pub(crate) fn serve_json(workers: usize) -> io::Result<()> {
    serve(workers, |stream| Transport::from((stream, Json::default())))
}

fn serve<T>(workers: usize, transport: fn(TcpStream) -> T) -> io::Result<()>
where
    T: ::tarpc::Transport<Response<CalculatorResponse>, ClientMessage<CalculatorRequest>> + Send + 'static,
{
    tasks::runtime(workers)?.block_on(async {
        let listener = TcpListener::bind(LOOPBACK).await?;
        announce(listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let channel = BaseChannel::with_defaults(transport(stream));
            tokio::spawn(async move {
                let mut calls = pin!(channel.execute(Arithmetic.serve()));
                while let Some(call) = calls.next().await {
                    tokio::spawn(call);
                }
            });
        }
    })
}

pub(crate) fn call_bincode(server: SocketAddr, workers: usize) -> io::Result<()> {
    tasks::call::<Stub<OfBincode>>(server, workers)
}

pub(crate) fn call_json(server: SocketAddr, workers: usize) -> io::Result<()> {
    tasks::call::<Stub<OfJson>>(server, workers)
}

/// How calls are written.
trait Codec: Clone + Send + Sync + 'static {
    fn client(stream: TcpStream) -> CalculatorClient;
}

#[derive(Clone)]
struct OfBincode;

impl Codec for OfBincode {
    fn client(stream: TcpStream) -> CalculatorClient {
        CalculatorClient::new(client::Config::default(), Transport::from((stream, Bincode::default()))).spawn()
    }
}

#[derive(Clone)]
struct OfJson;

impl Codec for OfJson {
    fn client(stream: TcpStream) -> CalculatorClient {
        CalculatorClient::new(client::Config::default(), Transport::from((stream, Json::default()))).spawn()
    }
}

#[derive(Clone)]
struct Stub<C> {
    client: CalculatorClient,
    codec: PhantomData<C>,
}

impl<C: Codec> tasks::Stub for Stub<C> {
    async fn connect(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Stub { client: C::client(stream), codec: PhantomData })
    }

    async fn add(&mut self) -> io::Result<i64> {
        self.client.add(context::current(), ADD.0, ADD.1).await.map_err(io::Error::other)
    }
}
