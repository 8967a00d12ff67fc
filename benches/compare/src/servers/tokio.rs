//! A task of tokio for each connection, on either of its two runtimes.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::time;

use crate::request::{BUFFER, PAUSE, PREFIX, asks_for_pause, body_length, compute};
use crate::serve::{LOOPBACK, Serving, Workload, announce};

pub(crate) fn current_thread(serving: &Serving) -> io::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(serve(serving))
}

pub(crate) fn multi_thread(serving: &Serving) -> io::Result<()> {
    Builder::new_multi_thread().worker_threads(serving.workers).enable_all().build()?.block_on(serve(serving))
}

async fn serve(serving: &Serving) -> io::Result<()> {
    let listener = TcpListener::bind(LOOPBACK).await?;
    announce(listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        match serving.workload {
            Workload::Echo => tokio::spawn(echo(stream)),
            Workload::Request => tokio::spawn(request(stream)),
        };
    }
}

// handler: echo
async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; BUFFER];
    loop {
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..n]).await?;
    }
}
// end

// handler: request
async fn request(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::with_capacity(BUFFER, stream);
    let mut frame = Vec::new();
    while !stream.fill_buf().await?.is_empty() {
        frame.resize(PREFIX, 0);
        stream.read_exact(&mut frame).await?;
        frame.resize(PREFIX + body_length(&frame)?, 0);
        let body = &mut frame[PREFIX..];
        stream.read_exact(body).await?;
        compute(body);
        if asks_for_pause(body) {
            time::sleep(PAUSE).await;
        }
        stream.get_mut().write_all(&frame).await?;
    }
    Ok(())
}
// end
