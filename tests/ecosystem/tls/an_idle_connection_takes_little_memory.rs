//! What an established connection that waits for its peer takes, measured in a process that has only one end of them: with the stack
//! of its fiber as the handshake has left it, and once that was trimmed.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, io};

use fibra::net::tls::TlsStream;
use fibra::net::tls::rustls::ClientConfig;

use crate::certificates::{Authority, SERVER};
use crate::support::{Failure, LOOPBACK, LOST};

/// How many connections are idle.
const CONNECTIONS: usize = 400;

/// The most that one may take once its fiber's stack was trimmed, in bytes. What it does take is in `fibra::net::tls`'s
/// documentation.
const LIMIT: usize = if cfg!(debug_assertions) { 48 << 10 } else { 24 << 10 };

/// How long a fiber waits before its stack is trimmed.
const TRIM_AFTER: Duration = Duration::from_millis(100);

const INSIDE: &str = "FIBRA_TEST_TLS_SERVER";
const NAME: &str = "an_idle_connection_takes_little_memory::with_its_fiber";

#[test]
fn with_its_fiber() -> Result<(), Failure> {
    if env::var_os(INSIDE).is_some() {
        return serve();
    }
    let mut server = Command::new(env::current_exe()?)
        .args([NAME, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut output = BufReader::new(server.stdout.take().ok_or("it has an output")?);
    let addr: std::net::SocketAddr = answer(&mut output, "address ")?.parse()?;
    let held: Result<Vec<TlsStream>, Failure> = fibra::runtime::builder().workers(1).run(|| {
        // The server's certificate is made in the other process: this is not about trust.
        let config = Arc::new(trusting());
        (0..CONNECTIONS).map(|_| Ok(TlsStream::connect(addr, SERVER, Arc::clone(&config))?)).collect()
    })?;
    server.stdin.take().ok_or("it has an input")?.write_all(b"\n")?;
    println!("for each idle TLS connection, {}", answer(&mut output, "each ")?);
    drop(held?);
    assert!(server.wait()?.success());
    Ok(())
}

/// The rest of the line that begins with `label`, behind whatever the test harness prints.
fn answer(output: &mut impl BufRead, label: &str) -> Result<String, Failure> {
    for line in output.lines() {
        let line = line?;
        if let Some((_, rest)) = line.split_once(label) {
            return Ok(rest.to_owned());
        }
    }
    Err(format!("the server has not said {label:?}").into())
}

fn serve() -> Result<(), Failure> {
    let authority = Authority::new();
    fibra::runtime::builder().workers(1).trim_after(TRIM_AFTER).run(move || {
        let listener = fibra::net::tls::TlsListener::bind(LOOPBACK, Arc::new(authority.server()))?;
        println!("address {}", listener.local_addr()?);
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut before = 0;
        for number in 0..CONNECTIONS {
            let (handshake, _) = listener.accept()?;
            let counted = Arc::clone(&waiting);
            fibra::spawn(move || -> Result<usize, Failure> {
                let mut stream = handshake.finish()?;
                counted.fetch_add(1, Ordering::Relaxed);
                Ok(stream.read(&mut [0; 1024])?)
            });
            if number == 0 {
                // What is needed once, for the first one, is not counted.
                while waiting.load(Ordering::Relaxed) <= number {
                    fibra::yield_now();
                }
                before = resident()?;
            }
        }
        while waiting.load(Ordering::Relaxed) < CONNECTIONS {
            fibra::yield_now();
        }
        fibra::blocking(|| io::stdin().read(&mut [0; 1]))??;
        let each = || Ok::<_, Failure>(resident()?.saturating_sub(before) / (CONNECTIONS - 1));
        let at_first = each()?;
        let end = fibra::clock::now() + LOST;
        loop {
            let trimmed = each()?;
            if trimmed <= LIMIT || end <= fibra::clock::now() {
                println!("each {at_first} B at first, {trimmed} B in the end");
                assert!(trimmed <= LIMIT, "{trimmed} B");
                // The connections' fibers are cancelled.
                return Ok(());
            }
            fibra::sleep(Duration::from_millis(10))?;
        }
    })?
}

/// How much memory this process has in use, in bytes.
fn resident() -> Result<usize, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: usize = line.ok_or("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}

/// A client that takes any server for the right one.
fn trusting() -> ClientConfig {
    ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(crate::certificates::Gullible))
        .with_no_client_auth()
}
