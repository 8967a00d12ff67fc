//! The parent's view of its children: a server, and the client that loads it. Dropping one kills it.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use std::{env, fs, process};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::load::{Load, Order};
use crate::serve::Workload;

/// How long a server may take to say where it listens.
const START: Duration = Duration::from_secs(10);

/// A child of this program that answers in lines.
pub(crate) struct Process {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(arguments: &[&OsStr], cpu: Option<usize>, input: Stdio) -> io::Result<Self> {
        Self::start_under(Command::new(env::current_exe()?), arguments, cpu, input)
    }

    /// As [`Process::start`], by a command that lacks the arguments.
    fn start_under(mut command: Command, arguments: &[&OsStr], cpu: Option<usize>, input: Stdio) -> io::Result<Self> {
        command.args(arguments).arg("--parent").arg(process::id().to_string());
        if let Some(cpu) = cpu {
            command.arg("--cpu").arg(cpu.to_string());
        }
        let mut child = command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let out = child.stdout.take().map(BufReader::new).ok_or_else(|| io::Error::other("a child without output"))?;
        Ok(Process { child, out })
    }

    /// The next line; an error says what the child said instead.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.out.read_line(&mut line) {
            Ok(0) => Err(io::Error::other(self.last_words().unwrap_or_else(|| "it closed its output".to_owned()))),
            read => read.map(|_| line),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits until it has.
    fn terminate(&mut self) -> io::Result<()> {
        if let Some(pid) = Pid::from_raw(self.pid() as i32) {
            kill_process(pid, Signal::TERM)?;
        }
        self.child.wait().map(drop)
    }

    /// What it reads. Once.
    pub(crate) fn take_input(&mut self) -> io::Result<ChildStdin> {
        self.child.stdin.take().ok_or_else(|| io::Error::other("a client without input"))
    }

    /// Kills it, and returns the last line that it wrote to its error stream, or else how it had ended.
    fn last_words(&mut self) -> Option<String> {
        // Should it still run, its end is our doing and says nothing.
        let ended = self.child.try_wait().ok().flatten();
        let _ = self.child.kill();
        let mut said = String::new();
        if let Some(err) = &mut self.child.stderr {
            let _ = err.read_to_string(&mut said);
        }
        match said.lines().rfind(|line| !line.trim().is_empty()) {
            Some(line) => Some(line.trim_start_matches("fibra-compare: ").to_owned()),
            None => ended.map(|status| format!("it ended without a word: {status}")),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running server.
pub(crate) struct Server {
    process: Process,
    address: SocketAddr,
}

/// What a server needs to start, besides a peer.
pub(crate) struct Start<'a> {
    pub(crate) peer: &'a str,
    /// If it is built apart.
    pub(crate) program: Option<&'a OsStr>,
    pub(crate) workload: Workload,
    pub(crate) cpu: Option<usize>,
    /// Of computation for each request.
    pub(crate) rounds: u64,
}

/// What a server takes from the system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    pub(crate) resident_kib: u64,
    pub(crate) page_tables_kib: u64,
    pub(crate) threads: u64,
}

impl Server {
    pub(crate) fn start(start: &Start<'_>) -> io::Result<Self> {
        let rounds = start.rounds.to_string();
        let mut arguments =
            ["serve", start.peer, start.workload.name(), "--rounds", rounds.as_str()].map(OsStr::new).to_vec();
        if let Some(program) = start.program {
            arguments.extend([OsStr::new("--program"), program]);
        }
        Self::listening(&arguments, start.cpu)
    }

    /// Starts a server by `arguments` and waits until it listens.
    pub(crate) fn listening(arguments: &[&OsStr], cpu: Option<usize>) -> io::Result<Self> {
        Self::listens(Process::start(arguments, cpu, Stdio::null())?, START)
    }

    /// As [`Server::listening`], under a command that slows it down: valgrind.
    pub(crate) fn listening_under(command: Command, arguments: &[&OsStr]) -> io::Result<Self> {
        Self::listens(Process::start_under(command, arguments, None, Stdio::null())?, 10 * START)
    }

    fn listens(mut process: Process, timeout: Duration) -> io::Result<Self> {
        let seconds = timeout.as_secs();
        let timeout = Timespec { tv_sec: seconds as i64, tv_nsec: 0 };
        if poll(&mut [PollFd::new(&process.out.get_ref().as_fd(), PollFlags::IN)], Some(&timeout))? == 0 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("it did not listen within {seconds} s")));
        }
        let line = process.line()?;
        let address =
            line.trim().parse().map_err(|_| io::Error::other(format!("it printed no address but: {line}")))?;
        Ok(Server { process, address })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn terminate(mut self) -> io::Result<()> {
        self.process.terminate()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn footprint(&self) -> io::Result<Footprint> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        // VmRSS is a sum that may lag behind by some pages for each CPU; this counts.
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid()))?;
        let figure = |text: &str, name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
            value.ok_or_else(|| io::Error::other(format!("no {name} in /proc")))
        };
        Ok(Footprint {
            resident_kib: figure(&rollup, "Rss:")?,
            page_tables_kib: figure(&status, "VmPTE:")?,
            threads: figure(&status, "Threads:")?,
        })
    }

    /// Ends it. What it said last, or how it had ended before.
    pub(crate) fn last_words(&mut self) -> Option<String> {
        self.process.last_words()
    }
}

/// A client of one server.
pub(crate) struct Client {
    process: Process,
    orders: ChildStdin,
}

impl Client {
    pub(crate) fn start(server: &Server, workload: Workload, cpu: Option<usize>) -> io::Result<Self> {
        let (address, pid) = (server.address.to_string(), server.pid().to_string());
        let arguments = ["load", "--server", &address, "--server-pid", &pid, "--workload", workload.name()];
        let mut process = Process::start(&arguments.map(OsStr::new), cpu, Stdio::piped())?;
        let orders = process.take_input()?;
        Ok(Client { process, orders })
    }

    /// Has the client do something, and waits until it has.
    pub(crate) fn order(&mut self, order: &Order) -> io::Result<Option<Load>> {
        // If this fails, the client ended, and what it said is the better error.
        let sent = writeln!(self.orders, "{}", serde_json::to_string(order)?);
        let line = self.process.line()?;
        sent?;
        Ok(serde_json::from_str(&line)?)
    }

    /// As [`Client::order`], for those that measure.
    pub(crate) fn measure(&mut self, order: &Order) -> io::Result<Load> {
        self.order(order)?.ok_or_else(|| io::Error::other(format!("the client did not measure: {order:?}")))
    }
}
