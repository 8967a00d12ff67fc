//! Measures, round after round.

use std::ffi::OsString;
use std::io;
use std::thread;
use std::time::Duration;

use super::peers::Peer;
use super::plan::{Group, Plan};
use super::report::text;
use super::results::{Results, Sample};
use super::session::{self, Session};
use crate::options::Placement;
use crate::progress::Progress;

/// How long connections are left idle before memory is looked at.
const SETTLE: Duration = Duration::from_millis(200);

pub(crate) struct Run<'a> {
    plan: &'a Plan,
    /// The programs that are built apart, by subject.
    programs: &'a [Option<OsString>],
    /// Of server and client, when pinned.
    cpus: (usize, usize),
}

impl<'a> Run<'a> {
    pub(crate) fn new(plan: &'a Plan, programs: &'a [Option<OsString>], cpus: (usize, usize)) -> Self {
        Run { plan, programs, cpus }
    }

    /// Measures everyone in each group once, and what idle connections take. `is_time` says whether there is time for another; whether it
    /// got to the end, and remarks.
    pub(crate) fn round(
        &self,
        round: usize,
        results: &mut Results,
        progress: &mut Progress,
        is_time: impl Fn(&Progress) -> bool,
    ) -> (bool, Vec<String>) {
        let mut remarks = Vec::new();
        let groups = (0..self.plan.groups.len()).map(Some);
        let idle = (self.plan.idle > 0).then_some(None);
        for at in groups.chain(idle) {
            for index in self.plan.order(round) {
                let peer = self.plan.peers[index];
                if at.is_none() && !peer.idle {
                    continue;
                }
                if !is_time(progress) {
                    return (false, remarks);
                }
                let what = at.map_or_else(
                    || format!("rpc, {} idle connections, {}", self.plan.idle, peer.label.trim()),
                    |at| format!("{}, {}", text::title(&self.plan.groups[at]), peer.label.trim()),
                );
                let failed = at.is_some_and(|at| results.groups[at].measured[index].failure.is_some());
                if results.subjects[index].absent.is_some() || failed {
                    progress.ended(&what, "left out");
                    continue;
                }
                progress.begins(&what);
                let measured = match at {
                    Some(at) => self.sample(round, &self.plan.groups[at], peer, index).map(|sample| {
                        let short = text::in_short(&sample);
                        results.groups[at].measured[index].samples.push(sample);
                        short
                    }),
                    None => self.idle(peer, index).map(|bytes| {
                        results.subjects[index].idle.push(bytes);
                        format!("{bytes:.0} B each")
                    }),
                };
                match measured {
                    Ok(short) => progress.ended(&what, &short),
                    Err(error) => {
                        progress.ended(&what, "failed");
                        let remark = format!("{what}: {error}");
                        progress.remark(&remark);
                        remarks.push(remark);
                        if let Some(at) = at {
                            results.groups[at].measured[index].failure = Some(error.to_string());
                        }
                    }
                }
            }
        }
        (true, remarks)
    }

    fn sample(&self, round: usize, group: &Group, peer: &Peer, index: usize) -> io::Result<Sample> {
        let &Plan { warm_up, seconds, .. } = self.plan;
        let load = self.with(group.placement, peer, index, |client, _| {
            client.connect(group.shape.connections())?;
            client.measure(group.shape.callers(), warm_up, seconds)
        })?;
        Ok(Sample { round, load })
    }

    /// Bytes that become resident for each idle connection, after it has been called on once.
    fn idle(&self, peer: &Peer, index: usize) -> io::Result<f64> {
        self.with(Placement::Pinned, peer, index, |client, server| {
            client.connect(1)?;
            let alone = server.footprint()?;
            client.connect(self.plan.idle)?;
            thread::sleep(SETTLE);
            let idle = server.footprint()?;
            let kib = idle.resident_kib.saturating_sub(alone.resident_kib);
            Ok(kib as f64 * 1024.0 / (self.plan.idle - 1) as f64)
        })
    }

    /// Does `f` with a client of a new server.
    fn with<T>(
        &self,
        placement: Placement,
        peer: &Peer,
        index: usize,
        f: impl FnOnce(&mut Session, &crate::children::Server) -> io::Result<T>,
    ) -> io::Result<T> {
        let (server_cpu, client_cpu) = placement.cpus(self.cpus);
        let program = self.programs[index].as_deref();
        let mut server = session::serve(peer, program, server_cpu)?;
        let done = Session::start(peer, program, &server, client_cpu).and_then(|mut client| f(&mut client, &server));
        // What the server said, if anything, is the cause, whatever the client made of it.
        done.map_err(|error| server.last_words().map_or(error, io::Error::other))
    }
}
