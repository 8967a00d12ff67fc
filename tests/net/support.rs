//! What the tests of this layer share.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream};
use fibra_scheduler::clock;

/// A free port on the loopback interface.
pub(crate) const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// No operation on a loopback connection takes so long: a lost wake-up shows as `TimedOut` instead of hanging the test.
pub(crate) const LOST: Duration = Duration::from_secs(30);

/// Runs `f` as the first fiber of a runtime with one worker: fibers switch only when they wait.
pub(crate) fn on_one_worker<T>(f: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    fibra::runtime::builder().workers(1).run(f)?
}

/// Both ends of a connection.
pub(crate) fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(LOOPBACK)?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    for stream in [&near, &far] {
        stream.set_read_timeout(Some(LOST))?;
        stream.set_write_timeout(Some(LOST))?;
    }
    Ok((near, far))
}

/// A listener at `ip` whose backlog is full, so that it answers nobody; and those who fill it.
pub(crate) fn deaf(ip: IpAddr) -> io::Result<(std::net::TcpListener, SocketAddr, Vec<TcpStream>)> {
    let listener = std::net::TcpListener::bind((ip, 0))?;
    rustix::net::listen(&listener, 0)?;
    let addr = listener.local_addr()?;
    let mut queued = Vec::new();
    loop {
        match TcpStream::connect_timeout(&addr, Duration::from_millis(20)) {
            Ok(stream) => queued.push(stream),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok((listener, addr, queued)),
            Err(error) => return Err(error),
        }
        assert!(queued.len() < 100, "the backlog is never full");
    }
}

/// A fiber on this worker that is parked in `wait`, or has finished it, when this returns.
pub(crate) fn spawn_waiting<T: 'static>(wait: impl FnOnce() -> T + 'static) -> fibra::JoinHandle<T> {
    let begun = Rc::new(Cell::new(false));
    let fiber = fibra::spawn_local({
        let begun = Rc::clone(&begun);
        move || {
            begun.set(true);
            wait()
        }
    });
    while !begun.get() {
        fibra::yield_now();
    }
    fiber
}

/// Holds the worker.
pub(crate) fn hog_for(time: Duration) {
    let end = clock::now() + time;
    while clock::now() < end {
        std::hint::spin_loop();
    }
}

/// What a fiber returned; its panic fails the test.
pub(crate) fn join<T>(fiber: fibra::JoinHandle<T>) -> T {
    fiber.join().expect("a fiber panicked")
}

/// A folder for Unix sockets, with all that is in it gone at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("fibra-{}-{number}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The kind of an operation's error.
#[track_caller]
pub(crate) fn kind<T>(result: io::Result<T>) -> io::ErrorKind {
    result.err().expect("the operation succeeded").kind()
}

/// What this worker's reactor has counted.
pub(crate) fn counters() -> fibra::net::reactor::Counters {
    fibra::net::reactor::counters().expect("this worker has a reactor")
}

/// Whether a process may have `limit` descriptors.
pub(crate) fn may_open(limit: usize) -> io::Result<bool> {
    Ok(Command::new("sh").args(["-c", &format!("ulimit -n {limit}")]).output()?.status.success())
}

/// How many descriptors this process has.
pub(crate) fn open_descriptors() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/fd")?.count())
}

/// How much memory this process has in use.
pub(crate) fn resident_kib() -> io::Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.ok_or_else(|| io::Error::other("/proc/self/status has no VmRSS"))
}

/// Runs the calling test's body in a process of its own, which may open `limit` descriptors. `test` is the test's path.
pub(crate) fn with_descriptors(limit: usize, test: &str, body: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    const INSIDE: &str = "FIBRA_TEST_DESCRIPTORS";
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let run = Command::new("sh")
        .args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe()?)
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .output()?;
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && output.contains("1 passed"), "{output}\n{}", String::from_utf8_lossy(&run.stderr));
    println!("{output}");
    Ok(())
}
