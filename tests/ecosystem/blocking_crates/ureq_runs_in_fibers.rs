//! `ureq` 3, by a transport of its own kind, against a small HTTP server in fibers.

use std::io::{BufRead, BufReader, Read, Write};
use std::time::Duration;

use fibra::net::{TcpStream, ToSocketAddrs};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};
use ureq::{Agent, Error, Timeout};

use crate::support::{Failure, converse};

/// Connects on fibra's streams.
#[derive(Debug)]
struct OnFibers;

/// A connection of ureq's on a fibra stream.
#[derive(Debug)]
struct FiberTransport {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl Connector for OnFibers {
    type Out = FiberTransport;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<FiberTransport>, Error> {
        let stream = TcpStream::connect(&details.addrs[..])?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(FiberTransport { stream, buffers }))
    }
}

impl Transport for FiberTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.set_write_timeout(timeout.not_zero().map(|timeout| *timeout))?;
        let sent = self.stream.write_all(&self.buffers.output()[..amount]);
        sent.map_err(|error| or_timeout(error, timeout.reason))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.set_read_timeout(timeout.not_zero().map(|timeout| *timeout))?;
        let read = self.stream.read(self.buffers.input_append_buf());
        let read = read.map_err(|error| or_timeout(error, timeout.reason))?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

fn or_timeout(error: std::io::Error, reason: Timeout) -> Error {
    if error.kind() == std::io::ErrorKind::TimedOut { Error::Timeout(reason) } else { error.into() }
}

/// Resolves off the workers.
impl Resolver for OnFibers {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let mut addrs = self.empty();
        for addr in (host, uri.port_u16().unwrap_or(80)).to_socket_addrs()?.take(16) {
            addrs.push(addr);
        }
        if addrs.is_empty() { Err(Error::HostNotFound) } else { Ok(addrs) }
    }
}

/// The body of the next request on a connection, and its path; `None` at the end.
fn receive(reader: &mut impl BufRead) -> Result<Option<(String, Vec<u8>)>, Failure> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).ok_or("a request has a path")?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse()?,
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((path, body)))
}

#[test]
fn two_clients_are_served_at_a_time() -> Result<(), Failure> {
    converse(
        |stream, meeting| {
            let mut reader = BufReader::new(&stream);
            while let Some((path, body)) = receive(&mut reader)? {
                if path == "/2" {
                    meeting.attend()?;
                }
                write!(&stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", path.len() + body.len())?;
                (&stream).write_all(path.as_bytes())?;
                (&stream).write_all(&body)?;
            }
            Ok(())
        },
        |addr, client| {
            let agent = Agent::with_parts(Config::default(), OnFibers, OnFibers);
            // Over one connection: the server accepts no second one.
            for number in 0..5 {
                let body = format!("client {client}").repeat(number * 1000);
                let url = format!("http://localhost:{}/{number}", addr.port());
                let echo = agent.post(url).send(&body)?.body_mut().read_to_string()?;
                assert_eq!(echo, format!("/{number}{body}"));
            }
            let answer =
                agent.get(format!("http://localhost:{}/5", addr.port())).call()?.body_mut().read_to_string()?;
            assert_eq!(answer, "/5");
            Ok(())
        },
    )
}

#[test]
fn its_timeouts_cut_the_wait() -> Result<(), Failure> {
    fibra::runtime::builder().workers(1).run(|| {
        // Connections wait in its backlog, and nobody answers.
        let silent = fibra::net::TcpListener::bind("127.0.0.1:0")?;
        let config = Config::builder().timeout_global(Some(Duration::from_millis(50))).build();
        let agent = Agent::with_parts(config, OnFibers, OnFibers);
        let error = agent.get(format!("http://{}/", silent.local_addr()?)).call().expect_err("nobody answers");
        assert!(matches!(error, Error::Timeout(Timeout::Global)), "{error}");
        Ok(())
    })?
}
