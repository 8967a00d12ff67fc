//! From the command line to a proxy.

use std::time::Duration;

use fibra::rpc::client::Proxy;
use fibra::rpc::{Channel, Limits, Metadata};

use crate::failure::Failure;
use crate::options::Server;

/// How to connect.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    addr: String,
    timeout: Duration,
    metadata: Metadata,
    pub(crate) limits: Limits,
}

impl Settings {
    /// As the command line says.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`]: the address or the metadata is none.
    pub(crate) fn of(server: &Server) -> Result<Self, Failure> {
        check(&server.addr)?;
        let metadata = server.metadata().map_err(Failure::Usage)?;
        Ok(Self { addr: server.addr.clone(), timeout: server.connect_timeout, metadata, limits: Limits::default() })
    }
}

/// Connects to the server of the command line. Call it from a fiber.
///
/// # Errors
///
/// [`Failure::Usage`]: the address or the metadata is none. [`Failure::Connect`]: nobody answers there, or no fibra server.
pub(crate) fn connect(server: &Server) -> Result<Proxy, Failure> {
    connect_with(&Settings::of(server)?)
}

/// Connects. Call it from a fiber.
///
/// # Errors
///
/// [`Failure::Connect`]: nobody answers there, or no fibra server.
pub(crate) fn connect_with(settings: &Settings) -> Result<Proxy, Failure> {
    let channel =
        Channel::builder().connect_timeout(settings.timeout).limits(settings.limits).connect(&*settings.addr)?;
    let proxy = Proxy::new(channel);
    Ok(if settings.metadata.is_empty() { proxy } else { proxy.with_metadata(settings.metadata.clone()) })
}

/// Says what is wrong with an address before anybody is asked where it is.
fn check(addr: &str) -> Result<(), Failure> {
    let told = |problem: &str| {
        Err(Failure::usage(format!("`{addr}` is no address: {problem}; write HOST:PORT, such as 127.0.0.1:7000")))
    };
    match addr.rsplit_once(':') {
        _ if addr.contains("://") => told("only `fibra call` takes a protocol, for servers that are not fibra's"),
        _ if addr.contains('/') => told("servers are called by TCP, and have no paths"),
        None => told("it has no port"),
        Some(("", _)) => told("it has no host"),
        Some((_, port)) if port.parse::<u16>().is_err() => told("its port is no number up to 65535"),
        Some(_) => Ok(()),
    }
}
