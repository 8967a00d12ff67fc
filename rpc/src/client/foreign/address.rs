//! Where a server is, and what it speaks.

use std::fmt;
use std::str::FromStr;

/// What a server speaks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// MessagePack-RPC over TCP.
    MessagePackRpc,
    /// JSON-RPC 2.0 over TCP, a message a line. What comes may be without line ends.
    JsonRpc,
    /// JSON-RPC 2.0 over TCP, each message behind its `Content-Length`.
    JsonRpcFramed,
    /// JSON-RPC 2.0 by HTTP POST.
    JsonRpcHttp,
}

impl Protocol {
    const SCHEMES: [(&'static str, Self); 4] = [
        ("msgpack-rpc", Self::MessagePackRpc),
        ("jsonrpc", Self::JsonRpc),
        ("lsp", Self::JsonRpcFramed),
        ("http", Self::JsonRpcHttp),
    ];
}

/// A server's address as a URL: `jsonrpc://127.0.0.1:7000`. The [module](super) lists what there is.
///
/// ```
/// use fibra_rpc::client::foreign::{Address, Protocol};
///
/// let address: Address = "http://localhost/rpc".parse()?;
/// assert_eq!((address.protocol(), address.host()), (Protocol::JsonRpcHttp, "localhost:80"));
/// assert!("https://localhost/rpc".parse::<Address>().is_err());
/// # Ok::<(), fibra_rpc::client::foreign::BadAddress>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    protocol: Protocol,
    host: String,
    path: String,
}

impl Address {
    /// What the server speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Its host and port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What it is asked for, over HTTP.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |problem| BadAddress { address: text.to_owned(), problem };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("it has no protocol before ://"))?;
        let known = Protocol::SCHEMES.iter().find(|(name, _)| *name == scheme);
        let protocol = known.ok_or_else(|| bad("there are msgpack-rpc, jsonrpc, lsp and http"))?.1;
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        // They would end up in the lines of a request's head.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(bad("it has blanks, or characters that are not ASCII's"));
        }
        if host.contains('@') {
            return Err(bad("it has a user's name, which is sent by none of the protocols"));
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = match protocol {
            _ if host.is_empty() || host.starts_with(':') => return Err(bad("it has no host")),
            _ if has_port => host.to_owned(),
            Protocol::JsonRpcHttp if !host.contains(':') || host.ends_with(']') => format!("{host}:80"),
            _ => return Err(bad("it has no port")),
        };
        match (protocol, path) {
            (Protocol::JsonRpcHttp, "") => Ok(Self { protocol, host, path: "/".to_owned() }),
            (Protocol::JsonRpcHttp, path) => {
                Ok(Self { protocol, host, path: path.split('#').next().unwrap_or_default().to_owned() })
            }
            (_, "" | "/") => Ok(Self { protocol, host, path: String::new() }),
            _ => Err(bad("its protocol has no paths")),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = Protocol::SCHEMES.iter().find(|(_, protocol)| *protocol == self.protocol);
        write!(f, "{}://{}{}", scheme.map_or("", |(name, _)| name), self.host, self.path)
    }
}

/// A text that is no [`Address`]. Displays why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadAddress {
    address: String,
    problem: &'static str,
}

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, problem } = self;
        write!(f, "`{}` is no address of a server: {problem}; write PROTOCOL://HOST:PORT", address.escape_debug())
    }
}

impl std::error::Error for BadAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in
            ["msgpack-rpc://[::1]:7", "jsonrpc://host:7000", "lsp://10.0.0.1:1", "http://a:81/b?c=d", "http://a:80/"]
        {
            assert_eq!(text.parse::<Address>().expect("an address").to_string(), text);
        }
        assert_eq!("http://a".parse::<Address>().expect("an address").to_string(), "http://a:80/");
        assert_eq!("http://[::1]/x#y".parse::<Address>().expect("an address").to_string(), "http://[::1]:80/x");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let bad = [
            "",
            "host:7000",
            "https://a",
            "jsonrpc://a",
            "jsonrpc://:7",
            "jsonrpc://a:b",
            "lsp://a:1/x",
            "http://",
            "http://u@a/",
            "http://a/ b",
            "http://a/\r\nX: y",
        ];
        for text in bad {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }
}
