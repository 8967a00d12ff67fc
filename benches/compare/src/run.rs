//! The comparison itself: builds what is built apart, measures round after round, and writes the report after each, so that a run
//! that is stopped leaves what it has.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::calibration::rounds_in_5_us;
use crate::children::{Client, Server, Start};
use crate::load::Order;
use crate::machine::Machine;
use crate::options::{Options, Placement};
use crate::placement;
use crate::plan::{Group, Plan};
use crate::progress::Progress;
use crate::report::{self, text};
use crate::results::{Idle, Results, Sample};
use crate::rpc;
use crate::serve::{self, Workload};
use crate::servers::{Kind, Peer};
use crate::syscalls;

/// From so many on, memory is told by connection.
const MANY: usize = 1000;

/// What is said when a run ends at its deadline.
const UP: &str = "the time was up before everything was measured";

/// How long connections are left idle before memory is looked at.
const SETTLE: Duration = Duration::from_millis(200);

pub(crate) fn run(options: &Options) -> io::Result<()> {
    let (plan, remarks) = Plan::new(options)?;
    let mut run = Run::new(options, plan, remarks)?;
    run.build();
    for round in 0..run.plan.rounds {
        if !run.round(round) {
            break;
        }
        if round + 1 < run.plan.rounds {
            report::write(&run.results, &options.out)?;
        }
    }
    if options.syscalls {
        run.count_system_calls();
    }
    run.progress.finish();
    let files = report::write(&run.results, &options.out)?;
    println!("{}", text::tables(&run.results));
    for file in files {
        println!("{}", file.display());
    }
    Ok(())
}

struct Run {
    plan: Plan,
    results: Results,
    progress: Progress,
    /// The programs that are built apart, by subject.
    programs: Vec<Option<OsString>>,
    rpc_programs: Vec<Option<OsString>>,
    /// Of server and client, when pinned.
    cpus: (usize, usize),
    /// Of computation for each request.
    computation: u64,
}

impl Run {
    fn new(options: &Options, plan: Plan, mut remarks: Vec<String>) -> io::Result<Self> {
        let cpus = placement::two_cpus()?;
        if cpus.0 == cpus.1 {
            remarks.push("there is one CPU only: server and client share it, pinned or not".to_owned());
        }
        let steps = plan.groups.len() * plan.peers.len() + plan.rpc.steps();
        let progress = Progress::new(plan.rounds * steps);
        let (programs, rpc_programs) = (vec![None; plan.peers.len()], vec![None; plan.rpc.peers.len()]);
        for remark in &remarks {
            progress.remark(remark);
        }
        let results = Results::new(Machine::new(options), &plan, remarks);
        Ok(Run { plan, results, progress, programs, rpc_programs, cpus, computation: rounds_in_5_us() })
    }

    /// Builds the servers that are built apart. Who cannot be built is absent.
    fn build(&mut self) {
        for (index, peer) in self.plan.peers.iter().enumerate() {
            let Kind::Apart(build) = peer.kind else { continue };
            match built(build, peer.label, &self.progress) {
                Ok(program) => self.programs[index] = Some(program),
                Err(error) => self.results.subjects[index].absent = Some(error.to_string()),
            }
        }
        for (index, peer) in self.plan.rpc.peers.iter().enumerate() {
            let rpc::peers::Kind::Apart { build, .. } = peer.kind else { continue };
            match built(build, peer.label, &self.progress) {
                Ok(program) => self.rpc_programs[index] = Some(program),
                Err(error) => self.results.rpc.subjects[index].absent = Some(error.to_string()),
            }
        }
    }

    /// Measures everyone in each group once. Whether it got to the end.
    fn round(&mut self, round: usize) -> bool {
        let deadline = self.plan.deadline;
        let is_up = move |progress: &Progress| deadline.is_some_and(|end| progress.elapsed().as_secs_f64() > end);
        let rpc = rpc::run::Run::new(&self.plan.rpc, &self.rpc_programs, self.cpus);
        let (is_whole, remarks) = rpc.round(round, &mut self.results.rpc, &mut self.progress, |now| !is_up(now));
        self.results.remarks.extend(remarks);
        if !is_whole {
            self.remark(UP.to_owned());
            return false;
        }
        let order: Vec<usize> = self.plan.order(round).collect();
        for at in 0..self.plan.groups.len() {
            for &index in &order {
                if is_up(&self.progress) {
                    self.remark(UP.to_owned());
                    return false;
                }
                self.measure(round, at, index);
            }
        }
        true
    }

    fn remark(&mut self, remark: String) {
        self.progress.remark(&remark);
        self.results.remarks.push(remark);
    }

    /// Measures one peer in one group, unless it is absent or has failed there.
    fn measure(&mut self, round: usize, at: usize, index: usize) {
        let group = self.plan.groups[at];
        let peer = self.plan.peers[index];
        let what = format!("{}, {}", text::title(&group), peer.label);
        if self.results.subjects[index].absent.is_some() || self.results.groups[at].measured[index].failure.is_some() {
            self.progress.ended(&what, "left out");
            return;
        }
        self.progress.begins(&what);
        match self.sample(round, &group, peer, index, self.results.groups[at].open_rate) {
            Ok(sample) => {
                let rate = sample.closed.requests_per_second;
                self.results.groups[at].open_rate.get_or_insert(rate * self.plan.open_share);
                self.progress.ended(&what, &text::in_short(&sample));
                self.results.groups[at].measured[index].samples.push(sample);
            }
            Err(error) => {
                self.progress.ended(&what, "failed");
                self.remark(format!("{what}: {error}"));
                self.results.groups[at].measured[index].failure = Some(error.to_string());
            }
        }
    }

    fn sample(&self, round: usize, group: &Group, peer: &Peer, index: usize, rate: Option<f64>) -> io::Result<Sample> {
        let Group { workload, placement, connections, open } = *group;
        if connections as u64 * peer.descriptors > self.plan.descriptors {
            let Plan { descriptors, .. } = self.plan;
            let needs = peer.descriptors;
            return Err(io::Error::other(format!(
                "it takes {needs} file descriptors for each connection, and a process may have {descriptors} (ulimit -Hn)"
            )));
        }
        let (start, client_cpu) = self.start(workload, placement, peer, index);
        let mut server = Server::start(&start)?;
        let sample = || {
            let mut client = Client::start(&server, workload, client_cpu)?;
            client.order(&Order::Connect { total: 1 })?;
            let alone = server.footprint()?;
            client.order(&Order::Connect { total: connections })?;
            thread::sleep(if connections >= MANY { SETTLE } else { Duration::ZERO });
            let idle = server.footprint()?;
            let each = |before: u64, now: u64| now.saturating_sub(before) as f64 / (connections - 1) as f64;
            let Plan { warm_up, seconds, open_share, .. } = self.plan;
            let closed = client.measure(&Order::Closed { warm_up, seconds })?;
            let rate = rate.unwrap_or(closed.requests_per_second * open_share);
            let open = open.then(|| client.measure(&Order::Open { rate, warm_up, seconds })).transpose()?;
            Ok(Sample {
                round,
                closed,
                open,
                threads: idle.threads,
                idle: (connections >= MANY).then(|| Idle {
                    resident_kib: each(alone.resident_kib, idle.resident_kib),
                    page_tables_kib: each(alone.page_tables_kib, idle.page_tables_kib),
                }),
            })
        };
        // What the server said, if anything, is the cause, whatever the client made of it.
        sample().map_err(|error: io::Error| server.last_words().map_or(error, io::Error::other))
    }

    /// How to start that server, and the CPU of its client.
    fn start<'a>(
        &'a self,
        workload: Workload,
        placement: Placement,
        peer: &'a Peer,
        index: usize,
    ) -> (Start<'a>, Option<usize>) {
        let (cpu, client_cpu) = placement.cpus(self.cpus);
        let program = self.programs[index].as_deref();
        (Start { peer: peer.name, program, workload, cpu, rounds: self.computation }, client_cpu)
    }

    fn count_system_calls(&mut self) {
        for (index, peer) in self.plan.peers.clone().into_iter().enumerate() {
            if self.results.subjects[index].absent.is_some() {
                continue;
            }
            for workload in Workload::ALL {
                if !self.plan.groups.iter().any(|group| group.workload == workload) {
                    continue;
                }
                self.progress.begins(&format!("system calls, {}, {}", workload.name(), peer.label));
                let (start, client_cpu) = self.start(workload, Placement::Pinned, peer, index);
                match syscalls::count(&start, client_cpu) {
                    Ok(calls) => self.results.subjects[index].syscalls.push((workload, calls)),
                    Err(error) => {
                        self.remark(format!("system calls, {}, {}: {error}", workload.name(), peer.label));
                    }
                }
            }
        }
    }
}

/// Builds a peer's program.
fn built(build: fn(&Path) -> io::Result<PathBuf>, label: &str, progress: &Progress) -> io::Result<OsString> {
    progress.begins(&format!("building {label}"));
    let program = serve::folder_for_servers().and_then(|folder| build(&folder));
    if let Err(error) = &program {
        progress.remark(&format!("without {label}: {error}"));
    }
    program.map(PathBuf::into_os_string)
}
