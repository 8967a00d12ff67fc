//! What a call costs a server in each of its protocols: calls a second, processor time, and system calls.
//!
//! ```text
//! cargo run --release --example dialects
//! cargo run --release --example dialects -- 5 HTTP      five seconds each, and those with such a name
//! ```
//!
//! The server is a child process with one worker. Its client is this thread, with one connection of std's, that keeps so many requests outstanding: as many
//! answers as a read has brought are as many requests in the next write. HTTP's clients mostly have one outstanding, though it has pipelining.
//!
//! System calls are counted by strace, where it is installed, while no time is taken. Only what was run at the same time can be compared.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fibra::rpc::Server;
use rustix::process::{Pid, Signal, kill_process};

/// What is called.
#[fibra::service]
pub trait Calculator {
    /// The sum.
    fn add(&self, a: i64, b: i64) -> i64;
}

struct Arithmetic;

impl Calculator for Arithmetic {
    fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }
}

/// A protocol, by one request. Its answer is always of the same length.
struct Dialect {
    name: &'static str,
    request: &'static [u8],
    outstanding: &'static [usize],
}

const DIALECTS: [Dialect; 5] = [
    Dialect {
        name: "MessagePack-RPC",
        request: b"\x94\x00\x01\xaecalculator.add\x92\x03\x05",
        outstanding: &[1, 64],
    },
    Dialect {
        name: "JSON-RPC",
        request: b"{\"jsonrpc\":\"2.0\",\"method\":\"calculator.add\",\"params\":[3,5],\"id\":1}\n",
        outstanding: &[1, 64],
    },
    Dialect {
        name: "Go",
        request: b"{\"method\":\"Calculator.Add\",\"params\":[{\"A\":3,\"B\":5}],\"id\":1}\n",
        outstanding: &[1, 64],
    },
    Dialect {
        name: "Content-Length",
        request: b"Content-Length: 65\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"calculator.add\",\"params\":[3,5],\"id\":1}",
        outstanding: &[1, 64],
    },
    Dialect {
        name: "HTTP",
        request: b"POST /calculator/add HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: 6\r\n\r\n[3, 5]",
        outstanding: &[1, 64],
    },
];

/// Calls under strace, which makes them slow.
const TRACED: u64 = 6_400;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let seconds = match args.next() {
        Some(arg) if arg == "serve" => return serve(),
        Some(arg) => arg.parse()?,
        None => 2.0,
    };
    let wanted = args.next().unwrap_or_default();
    let length = Duration::from_secs_f64(seconds);
    println!("{:<17}{:>12}{:>14}{:>16}   system calls a call", "protocol", "outstanding", "calls/s", "server, us/call");
    for dialect in DIALECTS.iter().filter(|dialect| dialect.name.contains(&wanted)) {
        for &outstanding in dialect.outstanding {
            measure(dialect, outstanding, length)?;
        }
    }
    Ok(())
}

/// The child: serves until its parent has gone.
fn serve() -> Result<(), Box<dyn Error>> {
    fibra::runtime::builder().workers(1).run(|| {
        let server = Server::builder().service(CalculatorServer::new(Arithmetic)).bind("127.0.0.1:0")?;
        println!("{}", server.local_addr());
        // On another thread: standard input is read by blocking.
        fibra::blocking(|| io::copy(&mut io::stdin(), &mut io::sink()))??;
        Ok(())
    })?
}

fn measure(dialect: &Dialect, outstanding: usize, length: Duration) -> Result<(), Box<dyn Error>> {
    let mut child =
        Command::new(std::env::current_exe()?).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let measured = measure_by(&mut child, dialect, outstanding, length);
    child.kill()?;
    child.wait()?;
    let (rate, cost, traced) = measured?;
    println!("{:<17}{outstanding:>12}{rate:>14.0}{cost:>16.2}   {traced}", dialect.name);
    Ok(())
}

fn measure_by(
    child: &mut Child,
    dialect: &Dialect,
    outstanding: usize,
    length: Duration,
) -> Result<(f64, f64, String), Box<dyn Error>> {
    let mut addr = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut addr)?;
    let mut client = Client::connect(addr.trim().parse()?, dialect.request)?;
    // Until caches are warm, and the server has the memory that it needs.
    client.call(10_000, outstanding)?;

    let (begin, before) = (now(), cpu_time_of(child.id())?);
    let mut calls = 0;
    while begin.elapsed() < length {
        client.call(10_000, outstanding)?;
        calls += 10_000;
    }
    let (took, cpu) = (begin.elapsed(), cpu_time_of(child.id())? - before);
    let traced = trace(child.id(), || client.call(TRACED, outstanding))?;
    Ok((calls as f64 / took.as_secs_f64(), cpu.as_secs_f64() * 1e6 / calls as f64, traced))
}

struct Client {
    stream: TcpStream,
    request: &'static [u8],
    /// Length of an answer.
    answer: usize,
}

impl Client {
    fn connect(addr: SocketAddr, request: &'static [u8]) -> io::Result<Self> {
        let mut stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.write_all(request)?;
        let mut buffer = [0; 4096];
        let answer = stream.read(&mut buffer)?;
        let shown = String::from_utf8_lossy(&buffer[..answer]);
        if answer == 0 || !shown.contains(['8', '\x08']) {
            return Err(io::Error::other(format!("3 and 5 are 8, not {shown:?}")));
        }
        Ok(Self { stream, request, answer })
    }

    /// Makes so many calls, of which so many are outstanding.
    fn call(&mut self, calls: u64, outstanding: usize) -> io::Result<()> {
        let requests = self.request.repeat(outstanding);
        let mut buffer = vec![0; 1 << 16];
        let calls = calls as usize;
        let mut sent = outstanding.min(calls);
        let mut answered = 0;
        self.stream.write_all(&requests[..sent * self.request.len()])?;
        let mut received = 0;
        while answered < calls {
            received += match self.stream.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => count,
            };
            let brought = received / self.answer;
            received %= self.answer;
            answered += brought;
            let next = brought.min(calls - sent);
            sent += next;
            self.stream.write_all(&requests[..next * self.request.len()])?;
        }
        Ok(())
    }
}

/// Of all its threads.
fn cpu_time_of(pid: u32) -> io::Result<Duration> {
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(Duration::from_nanos(sum))
}

/// The system calls of a process while `f` makes [`TRACED`] calls of it.
fn trace(pid: u32, f: impl FnOnce() -> io::Result<()>) -> io::Result<String> {
    let strace = Command::new("strace")
        .args(["-f", "-c", "-U", "calls,name", "-p", &pid.to_string()])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    let mut strace = match strace {
        Ok(strace) => strace,
        Err(error) => return Ok(format!("not counted, strace: {error}")),
    };
    let mut err = BufReader::new(strace.stderr.take().ok_or_else(|| io::Error::other("no output"))?);
    let mut line = String::new();
    err.read_line(&mut line)?;
    let called = f();
    if let Some(pid) = Pid::from_raw(strace.id() as i32) {
        kill_process(pid, Signal::INT)?;
    }
    let mut table = String::new();
    err.read_to_string(&mut table)?;
    strace.wait()?;
    called?;
    let rows = table.lines().filter_map(|row| {
        let (count, name) = row.trim().split_once(' ')?;
        let (count, name) = (count.parse::<f64>().ok()? / TRACED as f64, name.trim());
        (name != "total" && count >= 0.001).then(|| format!("{name} {count:.3}"))
    });
    let rows: Vec<_> = rows.collect();
    Ok(if rows.is_empty() { format!("not counted, {}", line.trim()) } else { rows.join(", ") })
}

/// Time that passes for a client: what a simulation never sees.
#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}
