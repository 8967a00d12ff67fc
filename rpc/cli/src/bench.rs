//! `fibra bench`: one method, called over and over.
//!
//! ```text
//!   schedule ─ when the next call is due ─▶ caller ─▶ proxy ═▶ server
//!                                             └─ latency ─▶ tally ─▶ report
//! ```
//!
//! | file | holds |
//! |---|---|
//! | this one | what is called, and by how many |
//! | `schedule` | when the next call is due, and when it is enough |
//! | `load` | the connections and their callers |
//! | `tally` | latencies and failures, as they come |
//! | `report` | the results, for people and for programs |
//! | `progress` | a line on the terminal meanwhile |
//! | `interrupt` | Ctrl-C |

mod interrupt;
mod load;
mod progress;
mod report;
mod schedule;
mod tally;

use std::thread;
use std::time::Duration;

use fibra::rpc::limits::CALL_TIMEOUT;
use fibra::rpc::reflection::MethodInfo;
use fibra::rpc::service::Semantics;

use crate::arguments;
use crate::call::method;
use crate::catalogue::{Catalogue, Found};
use crate::connect::connect;
use crate::failure::{Exit, Failure};
use crate::options::Bench;
use crate::output;
use crate::value::json_of;
use load::Plan;
use report::Report;
use schedule::Schedule;

/// For how long, unless somebody says otherwise.
const LENGTH: Duration = Duration::from_secs(10);

/// Calls, and prints how that went.
///
/// # Errors
///
/// [`Failure`]: what was asked for makes no sense, there is no server, some calls failed, or it was interrupted; in the last two cases, too, there are
/// results, which are printed.
pub(crate) fn bench(options: &Bench) -> Result<(), Failure> {
    let proxy = connect(&options.server)?;
    let found = Catalogue::new(&proxy).method(&options.target.method)?;
    if let Found::Known(info) = &found {
        check(info)?;
    }
    let args = arguments::read(&found, &options.target.words, options.args.as_deref())?;
    drop(proxy);

    let length = options.seconds.or_else(|| options.calls.is_none().then_some(LENGTH));
    let workers = options.workers.or_else(|| thread::available_parallelism().ok()).map_or(1, |workers| workers.get());
    let callers = options.callers.get();
    let plan = Plan {
        server: &options.server,
        method: method(&found),
        args,
        callers,
        connections: options.connections.map_or(workers, |connections| connections.get()).min(callers),
        timeout: options.terms.timeout.unwrap_or(CALL_TIMEOUT),
        retry: options.terms.retry_policy(0),
    };
    let schedule = Schedule::new(options.rate, length, options.calls.map(|calls| calls.get()));
    let ran = load::run(&plan, schedule)?;
    let report = Report::new(&plan, options.rate, &ran);
    let text = if options.json { json_of(&report, output::layout()) } else { report.to_string() };
    output::line(&text)?;
    match (ran.interrupted, ran.tally.failed()) {
        (true, _) => Err(Failure::Told(Exit::Interrupted)),
        (false, 0) => Ok(()),
        (false, _) => Err(Failure::Told(Exit::Failed)),
    }
}

/// What has no answer cannot be measured so.
fn check(method: &MethodInfo) -> Result<(), Failure> {
    let name = &method.full_name;
    if method.semantics == Semantics::Maybe {
        return Err(Failure::usage(format!("{name} is one-way: there is no answer to wait for")));
    }
    if method.client_items.is_some() || method.server_items.is_some() {
        return Err(Failure::usage(format!("{name} streams: a bench makes plain calls")));
    }
    Ok(())
}
