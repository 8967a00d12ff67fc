//! A coroutine of `may` for each connection. Its workers steal started coroutines from each other.

use std::io::{self, BufRead, BufReader, Read, Write};

use may::coroutine;
use may::net::{TcpListener, TcpStream};

use crate::request::{BUFFER, PAUSE, PREFIX, asks_for_pause, body_length, compute};
use crate::serve::{LOOPBACK, Serving, Workload, announce};

pub(crate) fn serve(serving: &Serving) -> io::Result<()> {
    let handler = match serving.workload {
        Workload::Echo => echo,
        Workload::Request => request,
    };
    may::config().set_workers(serving.workers);
    let accepting = may::go!(move || {
        let listener = TcpListener::bind(LOOPBACK)?;
        announce(listener.local_addr()?)?;
        for stream in listener.incoming() {
            let stream = stream?;
            stream.set_nodelay(true)?;
            may::go!(move || handler(stream));
        }
        Ok(())
    });
    accepting.join().unwrap_or_else(|_| Err(io::Error::other("the accepting coroutine panicked")))
}

// handler: echo
fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; BUFFER];
    loop {
        let n = stream.read(&mut buf)?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..n])?;
    }
}
// end

// handler: request
fn request(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::with_capacity(BUFFER, stream);
    let mut frame = Vec::new();
    while !stream.fill_buf()?.is_empty() {
        frame.resize(PREFIX, 0);
        stream.read_exact(&mut frame)?;
        frame.resize(PREFIX + body_length(&frame)?, 0);
        let body = &mut frame[PREFIX..];
        stream.read_exact(body)?;
        compute(body);
        if asks_for_pause(body) {
            coroutine::sleep(PAUSE);
        }
        stream.get_mut().write_all(&frame)?;
    }
    Ok(())
}
// end
