//! What came out: samples by group and peer, and their medians.

use serde::Serialize;

use super::peers::Peer;
use super::plan::{Group, Plan};
use super::shape::Shape;
use crate::load::Load;
use crate::options::Placement;
use crate::results::median;

pub(crate) struct Results {
    pub(crate) subjects: Vec<Subject>,
    pub(crate) groups: Vec<GroupResults>,
    /// Of each measurement.
    pub(crate) seconds: f64,
    /// How many idle connections there are when their memory is measured.
    pub(crate) idle: usize,
}

/// A peer, and what is known of it without calls.
pub(crate) struct Subject {
    pub(crate) peer: &'static Peer,
    pub(crate) version: Option<String>,
    /// Why it was not measured at all.
    pub(crate) absent: Option<String>,
    /// Bytes that become resident for an idle connection, in each round.
    pub(crate) idle: Vec<f64>,
}

impl Subject {
    /// Bytes that an idle connection takes.
    pub(crate) fn idle_bytes(&self) -> Option<f64> {
        median(self.idle.clone())
    }
}

/// A group, with the measurements of each subject, in their order.
pub(crate) struct GroupResults {
    pub(crate) group: Group,
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
    pub(crate) load: Load,
}

/// Medians over the rounds. Relative figures are those of the quotients within each round.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Summary {
    pub(crate) server_cpu_us: f64,
    pub(crate) calls_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) server_busy: f64,
    pub(crate) client_busy: f64,
    pub(crate) others_busy: f64,
}

/// A figure of a load.
pub(crate) type Figure = fn(&Load) -> f64;

pub(crate) const SERVER_CPU: Figure = |load| load.server_cpu_us;
pub(crate) const P50: Figure = |load| load.latency.p50_us;

impl Results {
    pub(crate) fn new(plan: &Plan) -> Self {
        let subjects =
            plan.peers.iter().map(|&peer| Subject { peer, version: peer.version(), absent: None, idle: Vec::new() });
        let groups = plan
            .groups
            .iter()
            .map(|&group| GroupResults { group, measured: plan.peers.iter().map(|_| Measured::default()).collect() });
        Results { subjects: subjects.collect(), groups: groups.collect(), seconds: plan.seconds, idle: plan.idle }
    }

    /// Where a peer is among the subjects.
    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        self.subjects.iter().position(|subject| subject.peer.name == name)
    }

    /// Those of one placement.
    pub(crate) fn groups(&self, placement: Placement) -> impl Iterator<Item = &GroupResults> {
        self.groups.iter().filter(move |group| group.group.placement == placement)
    }

    pub(crate) fn group(&self, placement: Placement, shape: Shape) -> Option<&GroupResults> {
        self.groups(placement).find(|group| group.group.shape == shape)
    }

    /// How busy others were while it was measured.
    pub(crate) fn others_busy(&self) -> impl Iterator<Item = f64> {
        let samples = self.groups.iter().flat_map(|group| &group.measured).flat_map(|measured| &measured.samples);
        samples.map(|sample| sample.load.others_busy)
    }

    /// Who is absent.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        self.subjects.iter().filter_map(|subject| {
            subject.absent.as_ref().map(|reason| format!("{} was not measured: {reason}", subject.peer.label))
        })
    }

    /// Whether there is nothing to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.rounds() == 0
    }

    pub(crate) fn rounds(&self) -> usize {
        self.groups.iter().flat_map(|group| &group.measured).map(|measured| measured.samples.len()).max().unwrap_or(0)
    }
}

impl GroupResults {
    /// The medians of the subject at `index`, if it was measured.
    pub(crate) fn summary(&self, index: usize) -> Option<Summary> {
        let of = |figure: Figure| self.median(index, figure);
        Some(Summary {
            server_cpu_us: of(SERVER_CPU)?,
            calls_per_second: of(|load| load.requests_per_second)?,
            p50_us: of(P50)?,
            p99_us: of(|load| load.latency.p99_us)?,
            server_busy: of(|load| load.server_busy)?,
            client_busy: of(|load| load.client_busy)?,
            others_busy: of(|load| load.others_busy)?,
        })
    }

    fn median(&self, index: usize, figure: Figure) -> Option<f64> {
        median(self.measured[index].samples.iter().map(|sample| figure(&sample.load)).collect())
    }

    /// The median of the quotients of a figure, round by round.
    pub(crate) fn quotient(&self, index: usize, base: usize, figure: Figure) -> Option<f64> {
        self.round_by_round(index, base, figure, |value, base| value / base)
    }

    /// The median of the differences of a figure, round by round.
    pub(crate) fn difference(&self, index: usize, base: usize, figure: Figure) -> Option<f64> {
        self.round_by_round(index, base, figure, |value, base| value - base)
    }

    fn round_by_round(&self, index: usize, base: usize, figure: Figure, of: fn(f64, f64) -> f64) -> Option<f64> {
        let bases = &self.measured[base].samples;
        let values = self.measured[index].samples.iter().filter_map(|sample| {
            let base = bases.iter().find(|base| base.round == sample.round)?;
            Some(of(figure(&sample.load), figure(&base.load)))
        });
        median(values.collect())
    }
}
