//! A virtual thread of `vthread` for each connection. Its streams are not `Read` and `Write`, so the request's handler brings what
//! makes one of them so; the rest is `threads.rs`.
//!
//! ```text
//! usage: compare-vthread echo|request WORKERS ROUNDS
//! ```

#[path = "../../request.rs"]
mod request;

use std::io::{self, BufRead, BufReader, Read};
use std::{env, process};

use request::{BUFFER, PAUSE, PREFIX, asks_for_pause, body_length, compute};
use vthread::Runtime;
use vthread::net::{TcpListener, TcpStream};

/// Room for the connections of the largest comparison, and for who accepts them: vthread bounds everything, by default at 1,024.
const CONNECTIONS: usize = 20_000;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [workload, workers, rounds] = arguments.as_slice() else { usage() };
    let (Ok(workers), Ok(rounds)) = (workers.parse(), rounds.parse()) else { usage() };
    request::set_rounds(rounds);
    let handler = match workload.as_str() {
        "echo" => echo,
        "request" => request,
        _ => usage(),
    };
    if let Err(error) = serve(handler, workers) {
        eprintln!("compare-vthread: {error}");
        process::exit(1);
    }
}

fn usage() -> ! {
    eprintln!("usage: compare-vthread echo|request WORKERS ROUNDS");
    process::exit(2)
}

fn serve(handler: fn(TcpStream) -> vthread::Result<()>, workers: usize) -> vthread::Result<()> {
    let runtime = Runtime::builder().carriers(workers).io_capacity(CONNECTIONS).max_vthreads(CONNECTIONS).build()?;
    runtime.run_scope(|scope| {
        let spawner = scope.spawner();
        let mut accepting = scope.spawn("accept", move || -> vthread::Result<()> {
            let listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
            println!("{}", listener.local_addr()?);
            loop {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                drop(spawner.spawn("connection", move || handler(stream))?);
            }
        })?;
        accepting.join()?
    })
}

// handler: echo
fn echo(stream: TcpStream) -> vthread::Result<()> {
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
struct Reader<'a>(&'a TcpStream);

impl Read for Reader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).map_err(io::Error::other)
    }
}

fn request(stream: TcpStream) -> vthread::Result<()> {
    let mut reader = BufReader::with_capacity(BUFFER, Reader(&stream));
    let mut frame = Vec::new();
    while !reader.fill_buf()?.is_empty() {
        frame.resize(PREFIX, 0);
        reader.read_exact(&mut frame)?;
        frame.resize(PREFIX + body_length(&frame)?, 0);
        let body = &mut frame[PREFIX..];
        reader.read_exact(body)?;
        compute(body);
        if asks_for_pause(body) {
            vthread::sleep(PAUSE)?;
        }
        stream.write_all(&frame)?;
    }
    Ok(())
}
// end
