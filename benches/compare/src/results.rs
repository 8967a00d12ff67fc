//! What came out: samples by group and peer, and their medians.

use serde::Serialize;

use crate::load::Load;
use crate::machine::Machine;
use crate::plan::{Group, Plan};
use crate::rpc;
use crate::serve::Workload;
use crate::servers::{Peer, lines_of_code};
use crate::syscalls::Calls;

/// A machine on which others use more CPUs than this is not quiet.
const QUIET: f64 = 0.1;

pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) seconds: f64,
    pub(crate) open_share: f64,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) groups: Vec<GroupResults>,
    pub(crate) rpc: rpc::results::Results,
    /// What went otherwise than planned.
    pub(crate) remarks: Vec<String>,
}

/// A peer, and what is known of it without a load.
pub(crate) struct Subject {
    pub(crate) peer: &'static Peer,
    pub(crate) version: Option<String>,
    /// Why it was not measured at all.
    pub(crate) absent: Option<String>,
    /// Of the handler that answers a workload on one connection.
    pub(crate) lines: [(Workload, usize); 2],
    /// For a request.
    pub(crate) syscalls: Vec<(Workload, Calls)>,
}

/// A group, with the measurements of each subject, in their order.
pub(crate) struct GroupResults {
    pub(crate) group: Group,
    /// At which requests were due in the open loop.
    pub(crate) open_rate: Option<f64>,
    pub(crate) measured: Vec<Measured>,
}

#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) samples: Vec<Sample>,
    pub(crate) failure: Option<String>,
}

/// One peer in one group in one round.
#[derive(Clone, Serialize)]
pub(crate) struct Sample {
    pub(crate) round: usize,
    pub(crate) closed: Load,
    pub(crate) open: Option<Load>,
    /// Of the server, with all connections open.
    pub(crate) threads: u64,
    /// For each idle connection. Only where there are enough of them to tell.
    pub(crate) idle: Option<Idle>,
}

/// What an idle connection takes, after it has been served once.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Idle {
    pub(crate) resident_kib: f64,
    pub(crate) page_tables_kib: f64,
}

/// Medians over the rounds.
#[derive(Clone, Serialize)]
pub(crate) struct Summary {
    pub(crate) requests_per_second: f64,
    /// Requests/s by those of the first peer in the same round.
    pub(crate) relative: Option<f64>,
    pub(crate) closed: Percentiles,
    pub(crate) open: Option<Percentiles>,
    /// In the open loop, of all rounds together.
    pub(crate) unanswered: u64,
    pub(crate) server_cpu_us: f64,
    pub(crate) server_busy: f64,
    pub(crate) client_busy: f64,
    pub(crate) others_busy: f64,
    pub(crate) threads: f64,
    pub(crate) idle: Option<Idle>,
}

#[derive(Clone, Copy, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
}

impl Results {
    pub(crate) fn new(machine: Machine, plan: &Plan, remarks: Vec<String>) -> Self {
        let subjects = plan.peers.iter().map(|peer| Subject {
            peer,
            version: peer.version(),
            absent: None,
            lines: Workload::ALL.map(|workload| (workload, lines_of_code(&peer.handler(workload)))),
            syscalls: Vec::new(),
        });
        let groups = plan.groups.iter().map(|&group| GroupResults {
            group,
            open_rate: None,
            measured: plan.peers.iter().map(|_| Measured::default()).collect(),
        });
        Results {
            machine,
            seconds: plan.seconds,
            open_share: plan.open_share,
            subjects: subjects.collect(),
            groups: groups.collect(),
            rpc: rpc::results::Results::new(&plan.rpc),
            remarks,
        }
    }

    /// What a reader must know: what went otherwise than planned, and whether the machine was busy with something else.
    pub(crate) fn notes(&self) -> Vec<String> {
        let samples = self.groups.iter().flat_map(|group| &group.measured).flat_map(|measured| &measured.samples);
        let others = samples.map(|sample| sample.closed.others_busy).chain(self.rpc.others_busy());
        let others = median(others.collect()).unwrap_or_default();
        let absent = self.subjects.iter().filter_map(|subject| {
            subject.absent.as_ref().map(|reason| format!("{} was not measured: {reason}", subject.peer.label))
        });
        let busy = (others > QUIET).then(|| {
            format!("{others:.1} CPUs were busy with something else meanwhile: measure again on a quiet machine before you believe this")
        });
        busy.into_iter().chain(absent).chain(self.rpc.notes()).chain(self.remarks.iter().cloned()).collect()
    }

    /// How many rounds there are of what was measured most often.
    pub(crate) fn rounds(&self) -> usize {
        let measured = self.groups.iter().flat_map(|group| &group.measured);
        measured.map(|measured| measured.samples.len()).max().unwrap_or(0).max(self.rpc.rounds())
    }
}

impl GroupResults {
    /// The medians of the subject at `index`, if it was measured.
    pub(crate) fn summary(&self, index: usize) -> Option<Summary> {
        let samples = &self.measured[index].samples;
        let of = |figure: &dyn Fn(&Sample) -> Option<f64>| median(samples.iter().filter_map(figure).collect());
        let percentiles = |load: &dyn Fn(&Sample) -> Option<&Load>| {
            Some(Percentiles {
                p50_us: of(&|sample| load(sample).map(|load| load.latency.p50_us))?,
                p99_us: of(&|sample| load(sample).map(|load| load.latency.p99_us))?,
                p999_us: of(&|sample| load(sample).map(|load| load.latency.p999_us))?,
            })
        };
        let base = &self.measured.first()?.samples;
        Some(Summary {
            requests_per_second: of(&|sample| Some(sample.closed.requests_per_second))?,
            relative: of(&|sample| {
                let base = base.iter().find(|base| base.round == sample.round)?;
                Some(sample.closed.requests_per_second / base.closed.requests_per_second)
            }),
            closed: percentiles(&|sample| Some(&sample.closed))?,
            open: percentiles(&|sample| sample.open.as_ref()),
            unanswered: samples.iter().filter_map(|sample| sample.open.as_ref()).map(|open| open.unanswered).sum(),
            server_cpu_us: of(&|sample| Some(sample.closed.server_cpu_us))?,
            server_busy: of(&|sample| Some(sample.closed.server_busy))?,
            client_busy: of(&|sample| Some(sample.closed.client_busy))?,
            others_busy: of(&|sample| Some(sample.closed.others_busy))?,
            threads: of(&|sample| Some(sample.threads as f64))?,
            idle: samples.iter().any(|sample| sample.idle.is_some()).then(|| Idle {
                resident_kib: of(&|sample| sample.idle.map(|idle| idle.resident_kib)).unwrap_or_default(),
                page_tables_kib: of(&|sample| sample.idle.map(|idle| idle.page_tables_kib)).unwrap_or_default(),
            }),
        })
    }
}

/// The middle one; of an even number, the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 100.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }
}
