//! tonic: gRPC over HTTP/2, with stubs by its own generator and messages by prost. Callers are tasks.

use std::io;
use std::net::SocketAddr;

use ::tonic::transport::server::TcpIncoming;
use ::tonic::transport::{Channel, Endpoint, Server};
use ::tonic::{Request, Response, Status};
use tokio::net::TcpListener;

use super::{ADD, tasks};
use crate::serve::{LOOPBACK, announce};
use stubs::calculator_client::CalculatorClient;
use stubs::calculator_server::{Calculator, CalculatorServer};

/// What build.rs had written.
#[allow(unreachable_pub)]
mod stubs {
    use super::{AddReply, AddRequest};

    include!(concat!(env!("OUT_DIR"), "/calculator.Calculator.rs"));
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct AddRequest {
    #[prost(int64, tag = "1")]
    a: i64,
    #[prost(int64, tag = "2")]
    b: i64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct AddReply {
    #[prost(int64, tag = "1")]
    sum: i64,
}

struct Arithmetic;

#[::tonic::async_trait]
impl Calculator for Arithmetic {
    async fn add(&self, request: Request<AddRequest>) -> Result<Response<AddReply>, Status> {
        let AddRequest { a, b } = request.into_inner();
        Ok(Response::new(AddReply { sum: a + b }))
    }
}

pub(crate) fn serve(workers: usize) -> io::Result<()> {
    tasks::runtime(workers)?.block_on(async {
        let listener = TcpListener::bind(LOOPBACK).await?;
        announce(listener.local_addr()?)?;
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        Server::builder()
            // hyper would let 200 calls be under way on a connection.
            .max_concurrent_streams(1024)
            .add_service(CalculatorServer::new(Arithmetic))
            .serve_with_incoming(incoming)
            .await
            .map_err(io::Error::other)
    })
}

pub(crate) fn call(server: SocketAddr, workers: usize) -> io::Result<()> {
    tasks::call::<CalculatorClient<Channel>>(server, workers)
}

impl tasks::Stub for CalculatorClient<Channel> {
    async fn connect(server: SocketAddr) -> io::Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{server}")).map_err(io::Error::other)?;
        let channel = endpoint.tcp_nodelay(true).connect().await.map_err(io::Error::other)?;
        Ok(CalculatorClient::new(channel))
    }

    async fn add(&mut self) -> io::Result<i64> {
        let request = Request::new(AddRequest { a: ADD.0, b: ADD.1 });
        Ok(CalculatorClient::add(self, request).await.map_err(io::Error::other)?.into_inner().sum)
    }
}
