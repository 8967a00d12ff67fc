//! How many system calls a server makes for a request, counted by strace in the steady state: it is attached after all connections
//! have been served, and taken off before they close.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::children::{Client, Server, Start};
use crate::load::Order;

/// With so many connections, ...
pub(crate) const CONNECTIONS: usize = 100;

/// ... each of which makes so many requests.
const EACH: u64 = 50;

/// Calls for a request, by name; those that failed (with `EAGAIN`, mostly) once more under `name, failed`.
pub(crate) type Calls = BTreeMap<String, f64>;

/// Counts the system calls of the server that `start` names.
pub(crate) fn count(start: &Start<'_>, client_cpu: Option<usize>) -> io::Result<Calls> {
    let server = Server::start(start)?;
    let mut client = Client::start(&server, start.workload, client_cpu)?;
    client.order(&Order::Connect { total: CONNECTIONS })?;
    client.order(&Order::Exchange { each: EACH })?;
    let strace = Strace::attach(server.pid())?;
    client.order(&Order::Exchange { each: EACH })?;
    Ok(parse(&strace.detach()?, (CONNECTIONS as u64 * EACH) as f64))
}

struct Strace {
    child: Child,
    err: BufReader<std::process::ChildStderr>,
}

impl Strace {
    fn attach(pid: u32) -> io::Result<Self> {
        let mut child = Command::new("strace")
            .args(["-f", "-c", "-U", "calls,errors,name", "-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut err =
            child.stderr.take().map(BufReader::new).ok_or_else(|| io::Error::other("strace without output"))?;
        let mut line = String::new();
        err.read_line(&mut line)?;
        if line.contains(" attached") {
            Ok(Strace { child, err })
        } else {
            let _ = child.kill();
            child.wait()?;
            Err(io::Error::other(format!("strace did not attach: {}", line.trim())))
        }
    }

    /// Its table.
    fn detach(mut self) -> io::Result<String> {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            kill_process(pid, Signal::INT)?;
        }
        let mut table = String::new();
        self.err.read_to_string(&mut table)?;
        self.child.wait()?;
        Ok(table)
    }
}

/// Reads the rows `calls [errors] name`.
fn parse(table: &str, requests: f64) -> Calls {
    let mut calls = Calls::new();
    for line in table.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let (count, errors, name) = match words[..] {
            [count, name] => (count, "0", name),
            [count, errors, name] => (count, errors, name),
            _ => continue,
        };
        if let (Ok(count), Ok(errors)) = (count.parse::<f64>(), errors.parse::<f64>())
            && name != "total"
        {
            calls.insert(name.to_owned(), count / requests);
            if errors > 0.0 {
                calls.insert(format!("{name}, failed"), errors / requests);
            }
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_strace_is_read() {
        let table = "strace: Process 7 attached with 2 threads\nstrace: Process 7 detached\n\
                     \x20   calls    errors syscall\n--------- --------- ----------------\n\
                     \x20    5000           write\n     5100       100 read\n--------- --------- ----------------\n\
                     \x20   10100       100 total\n";
        let calls = parse(table, 5000.0);
        let expected = [("read", 1.02), ("read, failed", 0.02), ("write", 1.0)];
        assert_eq!(calls, expected.map(|(name, count)| (name.to_owned(), count)).into());
    }
}
