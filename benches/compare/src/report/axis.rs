//! A vertical axis: from values to heights, with round numbers as ticks.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero.
    Linear,
    Log,
}

pub(super) struct Axis {
    scale: Scale,
    /// The heights of its ends.
    ends: (f64, f64),
    pub(super) ticks: Vec<f64>,
}

impl Axis {
    /// Of `values`, between the heights `bottom` and `top`.
    pub(super) fn new(scale: Scale, (bottom, top): (f64, f64), values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let ticks = match scale {
            Scale::Linear => linear(high),
            Scale::Log => log(low.clamp(1e-3, 1e12), high.max(1e-3)),
        };
        Axis { scale, ends: (bottom, top), ticks }
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        let on_scale = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Log => value.max(1e-3).log10(),
        };
        let (Some(&first), Some(&last)) = (self.ticks.first(), self.ticks.last()) else { return self.ends.0 };
        let share = (on_scale(value) - on_scale(first)) / (on_scale(last) - on_scale(first));
        self.ends.0 + share * (self.ends.1 - self.ends.0)
    }
}

/// About four steps from zero to `high` or more.
fn linear(high: f64) -> Vec<f64> {
    let step = round_numbers(high / 4.0).find(|&step| step >= high / 4.0).unwrap_or(1.0);
    (0..=(high / step).ceil().max(1.0) as u32).map(|n| f64::from(n) * step).collect()
}

/// From `low` or less to `high` or more: by powers of ten if that is far.
fn log(low: f64, high: f64) -> Vec<f64> {
    let mut ticks: Vec<f64> = round_numbers(low).filter(|&tick| tick * 5.1 > low).collect();
    let first = ticks.iter().rposition(|&tick| tick <= low).unwrap_or(0);
    let last = ticks.iter().position(|&tick| tick >= high && tick > low).unwrap_or(ticks.len() - 1);
    ticks = ticks[first..=last].to_vec();
    if high / low > 300.0 {
        let ends = (ticks[0], ticks[ticks.len() - 1]);
        ticks.retain(|&tick| tick.log10().fract().abs() < 1e-9 || tick == ends.0 || tick == ends.1);
    }
    ticks
}

/// 1, 2 and 5 times the powers of ten, from below `start` on.
fn round_numbers(start: f64) -> impl Iterator<Item = f64> {
    let exponent = start.max(1e-9).log10().floor() as i32;
    (exponent - 1..exponent + 12).flat_map(|exponent| [1.0, 2.0, 5.0].map(|factor| factor * 10_f64.powi(exponent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: Scale, values: &[f64]) -> Axis {
        Axis::new(scale, (200.0, 0.0), values.iter().copied())
    }

    #[test]
    fn a_linear_axis_begins_at_zero() {
        let axis = axis(Scale::Linear, &[3.0, 172.0]);
        assert_eq!(axis.ticks, [0.0, 50.0, 100.0, 150.0, 200.0]);
        assert_eq!([0.0, 50.0, 200.0].map(|value| axis.y(value)), [200.0, 150.0, 0.0]);
    }

    #[test]
    fn a_short_log_axis_has_ticks_between_the_powers_of_ten() {
        assert_eq!(axis(Scale::Log, &[6.0, 83.0]).ticks, [5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(axis(Scale::Log, &[7.0]).ticks, [5.0, 10.0], "one value has room, too");
        assert_eq!(axis(Scale::Log, &[10.0]).ticks, [10.0, 20.0], "also on a tick");
    }

    #[test]
    fn a_long_log_axis_has_powers_of_ten_and_its_ends() {
        let axis = axis(Scale::Log, &[30.0, 190_000.0]);
        assert_eq!(axis.ticks, [20.0, 100.0, 1000.0, 10_000.0, 100_000.0, 200_000.0]);
        assert!((axis.y(1000.0) - f64::midpoint(axis.y(100.0), axis.y(10_000.0))).abs() < 1e-9);
    }
}
