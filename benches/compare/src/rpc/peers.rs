//! Those compared: what to read.
//!
//! Each file is a server that adds, and a client of it, as their documentation shows them. Go is built when it is first needed; where that
//! fails, the comparison goes on without it and says why.

mod fibra;
mod floor;
mod go;
mod raw;
mod tarpc;
mod tasks;
mod tonic;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::servers::{self, locked_here};

/// One of those compared.
pub(crate) struct Peer {
    /// On the command line, in the JSON, and as a class in the page.
    pub(crate) name: &'static str,
    /// Where people read.
    pub(crate) label: &'static str,
    pub(crate) kind: Kind,
    /// Whether what its idle connections take is measured; where others have the same server, one of them is enough.
    pub(crate) idle: bool,
}

pub(crate) enum Kind {
    /// Both run in this program, with so many workers.
    Here { serve: fn(usize) -> io::Result<()>, call: fn(SocketAddr, usize) -> io::Result<()> },
    /// A program of its own, which the function builds into a folder. It takes `serve ARGUMENT WORKERS` or
    /// `call ARGUMENT WORKERS ADDRESS`.
    Apart { build: fn(&Path) -> io::Result<PathBuf>, argument: &'static str },
}

/// In the order in which they are listed everywhere. The first is what the others are compared with.
pub(crate) const PEERS: [Peer; 10] = [
    Peer { name: "floor", label: "floor", kind: Kind::Here { serve: floor::serve, call: raw::call }, idle: true },
    Peer {
        name: "floor-proxy",
        label: "floor, fibra's client",
        kind: Kind::Here { serve: floor::serve, call: fibra::call },
        idle: false,
    },
    Peer { name: "fibra", label: "fibra", kind: Kind::Here { serve: fibra::serve, call: fibra::call }, idle: true },
    Peer {
        name: "fibra-raw",
        label: "fibra, bare client",
        kind: Kind::Here { serve: fibra::serve, call: raw::call },
        idle: false,
    },
    Peer {
        name: "fibra-idempotent",
        label: "  without deduplication",
        kind: Kind::Here { serve: fibra::serve, call: raw::call_idempotent },
        idle: false,
    },
    Peer {
        name: "tarpc-bincode",
        label: "tarpc, bincode",
        kind: Kind::Here { serve: tarpc::serve_bincode, call: tarpc::call_bincode },
        idle: true,
    },
    Peer {
        name: "tarpc-json",
        label: "tarpc, JSON",
        kind: Kind::Here { serve: tarpc::serve_json, call: tarpc::call_json },
        idle: true,
    },
    Peer { name: "tonic", label: "tonic", kind: Kind::Here { serve: tonic::serve, call: tonic::call }, idle: true },
    Peer {
        name: "go-gob",
        label: "Go net/rpc, gob",
        kind: Kind::Apart { build: go::build, argument: "gob" },
        idle: true,
    },
    Peer {
        name: "go-json",
        label: "Go net/rpc, jsonrpc",
        kind: Kind::Apart { build: go::build, argument: "json" },
        idle: true,
    },
];

impl Peer {
    /// The version of the crate or toolchain behind it.
    pub(crate) fn version(&self) -> Option<String> {
        match self.name {
            "fibra" => locked_here("fibra"),
            "tarpc-bincode" | "tarpc-json" => locked_here("tarpc"),
            "tonic" => locked_here("tonic"),
            "go-gob" | "go-json" => servers::go::version(),
            _ => None,
        }
    }
}

/// The arguments of every call, and what it is to return.
const ADD: (i64, i64, i64) = (3, 5, 8);

/// The peer of that name.
pub(crate) fn named(name: &str) -> Option<&'static Peer> {
    PEERS.iter().find(|peer| peer.name == name)
}

/// Of names on the command line.
pub(crate) fn parser() -> impl TypedValueParser<Value = &'static Peer> {
    let names = PossibleValuesParser::new(PEERS.iter().map(|peer| peer.name));
    names.try_map(|name| named(&name).ok_or("there is no such peer"))
}

/// A sum is checked by whoever asked for it.
fn check(sum: i64) -> io::Result<()> {
    if sum == ADD.2 { Ok(()) } else { Err(io::Error::other(format!("3 + 5 = {sum}"))) }
}
