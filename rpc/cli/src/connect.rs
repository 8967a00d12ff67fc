//! From the command line to a proxy.

use fibra::rpc::Channel;
use fibra::rpc::client::Proxy;

use crate::failure::Failure;
use crate::options::Server;

/// Connects to the server. Call it from a fiber.
///
/// # Errors
///
/// [`Failure::Usage`]: the address or the metadata is none. [`Failure::Connect`]: nobody answers there, or no fibra server.
pub(crate) fn connect(server: &Server) -> Result<Proxy, Failure> {
    check(&server.addr)?;
    let metadata = server.metadata().map_err(Failure::Usage)?;
    let channel = Channel::builder().connect_timeout(server.connect_timeout).connect(&*server.addr)?;
    let proxy = Proxy::new(channel);
    Ok(if metadata.is_empty() { proxy } else { proxy.with_metadata(metadata) })
}

/// Says what is wrong with an address before anybody is asked where it is.
fn check(addr: &str) -> Result<(), Failure> {
    let told = |problem: &str| {
        Err(Failure::usage(format!("`{addr}` is no address: {problem}; write HOST:PORT, such as 127.0.0.1:7000")))
    };
    match addr.rsplit_once(':') {
        _ if addr.contains('/') => told("servers are called by TCP, not by paths or URLs"),
        None => told("it has no port"),
        Some(("", _)) => told("it has no host"),
        Some((_, port)) if port.parse::<u16>().is_err() => told("its port is no number up to 65535"),
        Some(_) => Ok(()),
    }
}
