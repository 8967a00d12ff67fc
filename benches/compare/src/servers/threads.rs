//! A thread of the operating system for each connection, with std and nothing else.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::request::{BUFFER, PAUSE, PREFIX, asks_for_pause, body_length, compute};
use crate::serve::{LOOPBACK, Serving, Workload, announce};

/// Enough for what a handler calls; the default of 2 MiB would be as good, since only touched pages count.
const STACK: usize = 64 << 10;

pub(crate) fn serve(serving: &Serving) -> io::Result<()> {
    let handler = match serving.workload {
        Workload::Echo => echo,
        Workload::Request => request,
    };
    let listener = TcpListener::bind(LOOPBACK)?;
    announce(listener.local_addr()?)?;
    for stream in listener.incoming() {
        let stream = stream?;
        stream.set_nodelay(true)?;
        thread::Builder::new().stack_size(STACK).spawn(move || handler(stream))?;
    }
    Ok(())
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
            thread::sleep(PAUSE);
        }
        stream.get_mut().write_all(&frame)?;
    }
    Ok(())
}
// end
