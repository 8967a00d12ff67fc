//! Faults as words of a recipe.

use std::fmt;

use fibra_net::sim::{Conditions, Fault, Faults, Skew, Trouble};

use super::words::{name, names, number, probability, read_span, read_time, span, split, time};

const TROUBLES: [(&str, Trouble); 8] = [
    ("partition", Trouble::Partition),
    ("one-way", Trouble::OneWayPartition),
    ("hold", Trouble::Hold),
    ("reset", Trouble::Reset),
    ("crash", Trouble::Crash),
    ("pause", Trouble::Pause),
    ("no-descriptors", Trouble::NoDescriptors),
    ("stall", Trouble::Stall),
];

/// A probability of the conditions, by its name.
pub(crate) type Probability = (&'static str, fn(&mut Conditions) -> &mut f64);

/// All probabilities but that of a long latency.
pub(crate) const PROBABILITIES: [Probability; 7] = [
    ("loss", |conditions| &mut conditions.loss),
    ("duplication", |conditions| &mut conditions.duplication),
    ("reordering", |conditions| &mut conditions.reordering),
    ("splitting", |conditions| &mut conditions.splitting),
    ("short-writes", |conditions| &mut conditions.short_writes),
    ("resets", |conditions| &mut conditions.resets),
    ("refusals", |conditions| &mut conditions.refusals),
];

pub(super) fn write(faults: &Faults, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let usual = Faults::default();
    let mut conditions = faults.conditions;
    if let Some(until) = faults.until {
        write!(f, " until={}", time(until))?;
    }
    let latency = conditions.latency;
    if latency != usual.conditions.latency {
        write!(f, " latency={}", span((latency.min, latency.max)))?;
        if latency.tail > 0.0 || latency.tail_max != latency.max {
            write!(f, " tail={}/{}", latency.tail, time(latency.tail_max))?;
        }
    }
    if let Some(bandwidth) = conditions.bandwidth {
        write!(f, " bandwidth={bandwidth}")?;
    }
    for (name, field) in PROBABILITIES {
        match *field(&mut conditions) {
            0.0 => {}
            probability => write!(f, " {name}={probability}")?,
        }
    }
    if faults.skew != usual.skew {
        write!(f, " skew={}/{}", time(faults.skew.offset), faults.skew.drift)?;
    }
    for fault in &faults.faults {
        let kind = TROUBLES.into_iter().find(|(_, what)| *what == fault.what).map_or("unknown", |(kind, _)| kind);
        write!(f, " {kind}=[{}]:{}/{}", names(&fault.hosts), span(fault.every), span(fault.lasting))?;
    }
    Ok(())
}

/// Takes one word into `faults`.
pub(super) fn read(faults: &mut Faults, key: &str, value: &str) -> Option<()> {
    let conditions = &mut faults.conditions;
    match key {
        "until" => faults.until = Some(read_time(value)?),
        "latency" => {
            let (min, max) = read_span(value)?;
            let latency = &mut conditions.latency;
            (latency.min, latency.max, latency.tail, latency.tail_max) = (min, max, 0.0, max);
        }
        "tail" => {
            let (tail, max) = split(value, '/')?;
            (conditions.latency.tail, conditions.latency.tail_max) = (probability(tail)?, read_time(max)?);
        }
        "bandwidth" => conditions.bandwidth = Some(number(value)?),
        "skew" => {
            let (offset, drift) = split(value, '/')?;
            faults.skew = Skew { offset: read_time(offset)?, drift: number(drift)? };
        }
        _ => match PROBABILITIES.into_iter().find(|(name, _)| *name == key) {
            Some((_, field)) => *field(conditions) = probability(value)?,
            None => faults.faults.push(read_fault(key, value)?),
        },
    }
    Some(())
}

fn read_fault(kind: &str, value: &str) -> Option<Fault> {
    let (_, what) = TROUBLES.into_iter().find(|(name, _)| *name == kind)?;
    let (hosts, times) = split(value.strip_prefix('[')?, ']')?;
    let hosts = match hosts {
        "" => Vec::new(),
        hosts => hosts.split(',').map(name).collect::<Option<_>>()?,
    };
    let (every, lasting) = split(times.strip_prefix(':')?, '/')?;
    Some(Fault { what, hosts, every: read_span(every)?, lasting: read_span(lasting)? })
}
