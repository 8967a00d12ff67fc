//! Calls with streams: items from the standard input, and to the standard output.
//!
//! ```text
//!   stdin ─ thread ─▶ lines ─▶ this fiber ─▶ Sender ─▶ the server
//!   stdout ◀─ a line an item ─ another fiber ◀─ Streaming ◀─ the server
//! ```
//!
//! Invariants:
//! * Input that is no item gives the call up: half of what was meant is not taken for the whole.
//! * Who stops reading the output ends the call with its next item.

use fibra::rpc::Executed;
use fibra::rpc::client::{Nothing, Proxy, Streaming};
use fibra::rpc::reflection::MethodInfo;
use fibra::rpc::service::Method;
use fibra::rpc::stream::{Sender, StreamError};
use fibra::sync::channel::{self, Receiver};
use fibra::sync::select;

use super::{failed, input};
use crate::failure::Failure;
use crate::output;
use crate::types::Type;
use crate::value::{Layout, Value, json, word};

/// A call whose items are taken by one fiber, while another sends.
type Taking = Streaming<Nothing, Value, Value, Value>;

/// Calls, sends the items of the input if the method takes any, and prints those that come, and the value.
///
/// # Errors
///
/// [`Failure`]: an item is none, the output cannot be written, or the call has no value.
pub(super) fn call(
    proxy: &Proxy,
    method: &Method,
    args: &[Value],
    items: Option<&Type>,
    info: &MethodInfo,
) -> Result<(), Failure> {
    let begun = proxy.stream_fallible::<_, Value, Value, Value, Value>(method, &args);
    let (sender, taking) = begun.map_err(|error| failed(method, error))?.split();
    let prints_value = info.value != "()";
    let (ended, end) = channel::bounded(1);
    let taker = {
        let method = method.clone();
        fibra::Builder::new().name("output").spawn(move || {
            // Nobody waits for it if the input was no good.
            let _ = ended.send(take(taking, &method, prints_value));
        })
    };
    let taker = taker.map_err(|error| Failure::not_run(format!("the call cannot be made: {error}")))?;
    let sent = match items {
        Some(ty) => send(sender, ty, &end),
        None => {
            sender.finish();
            Ok(None)
        }
    };
    match sent {
        Ok(Some(result)) => result,
        Ok(None) => end.recv().unwrap_or_else(|_| Err(lost(method))),
        Err(failure) => {
            taker.cancel();
            // Its call is given up by now, and its output written.
            let _ = taker.join();
            Err(failure)
        }
    }
}

/// How the call has ended, as who takes its items says it.
type End = Result<(), Failure>;

/// Sends a line after the other. `Some`: the call has ended before the input has.
fn send(sender: Sender<Value>, ty: &Type, end: &Receiver<End>) -> Result<Option<End>, Failure> {
    let lines = input::lines().map_err(|error| given_up(&format!("the standard input cannot be read: {error}")))?;
    let mut number = 0_u64;
    loop {
        let line = select! {
            recv(end) -> result => return Ok(result.ok()),
            recv(lines) -> line => line,
        };
        let Ok(line) = line else {
            sender.finish();
            return Ok(None);
        };
        number += 1;
        let line = line.map_err(|error| given_up(&format!("the standard input cannot be read: {error}")))?;
        if line.trim().is_empty() {
            continue;
        }
        let item =
            word(&line, ty).map_err(|misfit| given_up(&format!("line {number} of the standard input: {misfit}")))?;
        match sender.send(item) {
            Ok(()) => {}
            Err(error @ (StreamError::TooLarge(_) | StreamError::Item(_))) => {
                return Err(given_up(&format!("line {number} of the standard input: {error}")));
            }
            // What has become of the call, its answer tells.
            Err(_) => return Ok(None),
        }
    }
}

/// Prints the items, and the value.
fn take(mut taking: Taking, method: &Method, prints_value: bool) -> End {
    while let Some(item) = taking.recv().map_err(|error| failed(method, error))? {
        print(json(&item, Layout::Line))?;
    }
    let value = taking.finish().map_err(|error| failed(method, error))?;
    if prints_value { print(json(&value, Layout::Line)) } else { Ok(()) }
}

/// Who reads the output may be slow: meanwhile the connection is served.
fn print(line: String) -> Result<(), Failure> {
    fibra::blocking(move || output::line(&line)).map_err(Failure::Output)?
}

/// Of a call that has begun, and that its caller ended.
fn given_up(problem: &str) -> Failure {
    let message = format!("{problem}; the call was given up: what was sent before may have been used");
    Failure::Call { message, executed: Executed::Maybe }
}

fn lost(method: &Method) -> Failure {
    given_up(&format!("{}: the fiber that took its items has ended", method.full_name()))
}
