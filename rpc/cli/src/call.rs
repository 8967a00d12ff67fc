//! `fibra call`: one call of a method that is known by its name only.
//!
//! | file | holds |
//! |---|---|
//! | this one | what is called, and calls without streams |
//! | `foreign` | calls of servers that are not fibra's |
//! | `stream` | calls with streams: items from the standard input, and to the standard output |
//! | `input` | the lines of the standard input, for a fiber |

mod foreign;
mod input;
mod stream;

use std::time::Duration;

use fibra::rpc::CallError;
use fibra::rpc::client::Proxy;
use fibra::rpc::limits::{CALL_TIMEOUT, CALL_TIMEOUT_MAX};
use fibra::rpc::service::{Method, Semantics};

use crate::arguments;
use crate::catalogue::{Catalogue, Found};
use crate::connect::connect;
use crate::failure::Failure;
use crate::options::Call;
use crate::output;
use crate::types::Type;
use crate::value::{Layout, Value, json};

/// How often a call is made again, unless somebody says otherwise.
const RETRIES: u32 = 3;

/// Calls, and prints what comes back.
///
/// # Errors
///
/// [`Failure`]: what was asked for makes no sense, there is no server, or the call has no value.
pub(crate) fn call(options: &Call) -> Result<(), Failure> {
    if foreign::is_meant(&options.server.addr) {
        return foreign::call(options);
    }
    let proxy = connect(&options.server)?;
    let found = Catalogue::new(&proxy).method(&options.target.method)?;
    let args = arguments::read(&found, &options.target.words, options.args.as_deref())?;
    let proxy = proxy.retry(options.terms.retry_policy(RETRIES));
    let method = method(&found);
    let timeout = options.terms.timeout;
    if let Found::Known(info) = &found
        && (info.client_items.is_some() || info.server_items.is_some())
    {
        let items = info.client_items.as_deref().map(Type::of);
        return stream::call(&within(&proxy, timeout, CALL_TIMEOUT_MAX), &method, &args, items.as_ref(), info);
    }
    let proxy = within(&proxy, timeout, CALL_TIMEOUT);
    if method.semantics() == Semantics::Maybe {
        return proxy.call_one_way(&method, &args).map_err(|error| Failure::of_call(&error));
    }
    let value = proxy.call_fallible::<_, Value, Value>(&method, &args).map_err(|error| failed(&method, error))?;
    print_value(&found, &value)
}

/// What a call needs to know of a method.
pub(crate) fn method(found: &Found) -> Method {
    match found {
        Found::Named(name) => Method::named(name, Semantics::AtMostOnce),
        Found::Known(info) => {
            let mut method = Method::named(&info.full_name, info.semantics);
            // The spelling matters to people only, and they have it from the server.
            if info.client_items.is_some() {
                method = method.with_client_items("_");
            }
            if info.server_items.is_some() {
                method = method.with_server_items("_");
            }
            method
        }
    }
}

fn within(proxy: &Proxy, timeout: Option<Duration>, default: Duration) -> Proxy {
    proxy.within(timeout.unwrap_or(default))
}

/// The method's own error is a value, too.
fn failed(method: &Method, error: CallError<Value>) -> Failure {
    let name = method.full_name();
    let error =
        error.map_application(|error| format!("{name}: the method's own error: {}", json(&error, Layout::Line)));
    Failure::of_call(&error)
}

/// Prints a value, unless there cannot be another.
fn print_value(found: &Found, value: &Value) -> Result<(), Failure> {
    match found {
        Found::Known(info) if info.value == "()" => Ok(()),
        _ => output::line(&json(value, output::layout())),
    }
}
