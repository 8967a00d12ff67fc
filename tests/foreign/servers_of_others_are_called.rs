//! Servers that others wrote, which `.ci/clients` installs: Neovim, and three of Python's.
//!
//! Without them a test checks nothing, and says so; with `FIBRA_REQUIRE_CLIENTS` it fails.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fibra::rpc::client::Foreign;
use fibra::rpc::client::foreign::ForeignError;
use fibra::rpc::codec::Value;
use fibra::rpc::{ConnectError, Executed};

use crate::support::on_one_worker;

/// A process that serves, until it is dropped.
struct Process {
    child: Child,
    addr: SocketAddr,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn installed(program: Option<PathBuf>, name: &str) -> Option<PathBuf> {
    let program = program.filter(|path| path.exists());
    if program.is_none() {
        let message = format!("{name} is not installed: run .ci/clients");
        assert!(std::env::var_os("FIBRA_REQUIRE_CLIENTS").is_none(), "{message}");
        eprintln!("SKIPPED: {message}");
    }
    program
}

/// A script of `tests/foreign/servers`. It says where it serves once it does.
fn python(script: &str) -> Option<Process> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = installed(Some(root.join(".ci/venv/bin/python")), "python's venv")?;
    let mut command = Command::new(python);
    command.arg(root.join("tests/foreign/servers").join(script)).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("text");
    let addr = line.trim().parse().unwrap_or_else(|_| panic!("{script} says no address: {line:?}"));
    Some(Process { child, addr })
}

fn neovim() -> Option<Process> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join("nvim")).find(|path| path.exists());
    let program = installed(found, "nvim")?;
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = free.local_addr().expect("an address");
    drop(free);
    let mut command = Command::new(program);
    command.args(["--clean", "--headless", "--listen", &addr.to_string()]).stdin(Stdio::null());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    Some(Process { child, addr })
}

impl Process {
    /// Connects as soon as it listens, which not all of them say.
    fn connect(&mut self, protocol: &str) -> Foreign {
        let address = format!("{protocol}://{}", self.addr).parse().expect("an address");
        loop {
            match Foreign::connect(&address) {
                Ok(server) => return server,
                Err(ConnectError::Refused { .. }) => {
                    assert_eq!(self.child.try_wait().expect("a process"), None, "it has ended");
                    fibra::yield_now();
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn answered(error: ForeignError) -> (Value, Executed) {
    match error {
        ForeignError::Answered { error, executed, .. } => (error, executed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn neovim_by_messagepack_rpc() {
    let Some(mut neovim) = neovim() else { return };
    on_one_worker(|| {
        let server = neovim.connect("msgpack-rpc");
        let sum: i64 = server.call("nvim_eval", &("3 + 5",)).expect("a sum");
        assert_eq!(sum, 8);
        let buffer = Value::from(0);
        server.call::<_, ()>("nvim_buf_set_lines", &(&buffer, 0, -1, false, ["one", "two"])).expect("nothing");
        let lines: Vec<String> = server.call("nvim_buf_get_lines", &(&buffer, 0, -1, false)).expect("lines");
        assert_eq!(lines, ["one", "two"]);
        // It has types of its own, which come as such.
        assert!(matches!(server.call("nvim_get_current_buf", &[(); 0]), Ok(Value::Ext(..))));
        let (error, executed) =
            answered(server.call::<_, Value>("nvim_frobnicate", &[(); 0]).expect_err("there is none"));
        assert!(error.to_string().contains("nvim_frobnicate") && executed == Executed::Maybe, "{error}");
        let callers: Vec<_> = (0..50)
            .map(|number| {
                let server = server.clone();
                fibra::spawn(move || server.call::<_, i64>("nvim_eval", &(format!("{number} * 2"),)))
            })
            .collect();
        for (number, caller) in callers.into_iter().enumerate() {
            assert_eq!(caller.join().expect("no panic").expect("a number"), number as i64 * 2);
        }
    });
}

/// What all of Python's servers serve.
fn calls_a_calculator(server: &Foreign, by_name: bool) {
    let args = BTreeMap::from([("b", 5), ("a", 3)]);
    for _ in 0..3 {
        let sum: i64 = server.call("add", &args).expect("a sum");
        assert_eq!(sum, 8);
        if !by_name {
            assert_eq!(server.call::<_, i64>("add", &(30, 5)).expect("a sum"), 35);
        }
    }
    let (error, executed) = answered(server.call::<_, Value>("multiply", &args).expect_err("there is none"));
    assert_eq!(executed, Executed::No, "{error}");
    server.notify("add", &args).expect("nothing");
    assert_eq!(server.call::<_, String>("echo", &BTreeMap::from([("text", "hé\n\"")])).expect("text"), "hé\n\"");
}

#[test]
fn jsonrpcserver_by_lines() {
    let Some(mut process) = python("lines.py") else { return };
    on_one_worker(|| calls_a_calculator(&process.connect("jsonrpc"), false));
}

#[test]
fn pygls_by_content_length() {
    let Some(mut process) = python("language_server.py") else { return };
    on_one_worker(|| calls_a_calculator(&process.connect("lsp"), true));
}

#[test]
fn jsonrpclib_by_http() {
    let Some(mut process) = python("http_server.py") else { return };
    on_one_worker(|| calls_a_calculator(&process.connect("http"), false));
}
