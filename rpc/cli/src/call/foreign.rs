//! Calls of servers that are not fibra's: `fibra call jsonrpc://127.0.0.1:7000 add 3 5`.
//!
//! Invariant: what cannot be said in the server's protocol is refused, not left out.

use fibra::rpc::client::Foreign;
use fibra::rpc::client::foreign::Address;
use fibra::rpc::limits::CALL_TIMEOUT;

use crate::failure::Failure;
use crate::options::Call;
use crate::output;
use crate::types::Type;
use crate::value::{Value, json, word};

/// Whether the server is addressed by its protocol.
pub(super) fn is_meant(addr: &str) -> bool {
    addr.contains("://")
}

/// Calls, and prints what comes back.
///
/// # Errors
///
/// [`Failure`]: what was asked for makes no sense, there is no server, or the call has no value.
pub(super) fn call(options: &Call) -> Result<(), Failure> {
    let address: Address = options.server.addr.parse().map_err(|error| Failure::usage(format!("{error}")))?;
    if !options.server.metadata.is_empty() {
        return Err(Failure::usage("--metadata goes with calls of fibra servers only"));
    }
    if options.terms.retry.is_some_and(|retry| retry > 0) {
        return Err(Failure::usage("--retry is for calls of fibra servers: others may run a call twice"));
    }
    let args = args(options)?;
    let server = Foreign::connect_within(&address, options.server.connect_timeout)?;
    let server = server.within(options.terms.timeout.unwrap_or(CALL_TIMEOUT));
    let value: Value = server
        .call(&options.target.method, &args)
        .map_err(|error| Failure::Call { message: error.to_string(), executed: error.executed() })?;
    output::line(&json(&value, output::layout()))
}

/// Such a server tells no types.
fn args(options: &Call) -> Result<Value, Failure> {
    let Some(text) = &options.args else {
        let unknown = Type::of("_");
        let values = options.target.words.iter().enumerate().map(|(at, text)| {
            word(text, &unknown).map_err(|misfit| Failure::usage(format!("argument {at}: {misfit}")))
        });
        return values.collect::<Result<_, _>>().map(Value::Array);
    };
    match serde_json::from_str(text).map_err(|error| Failure::usage(format!("--args is not JSON: {error}")))? {
        args @ (Value::Array(_) | Value::Map(_)) => Ok(args),
        _ => Err(Failure::usage("--args takes a JSON object, by name, or an array")),
    }
}
