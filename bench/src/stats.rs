//! The few numbers that stand for many.

/// The middle and the slow end of a sample, in the sample's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) p95: f64,
}

impl Summary {
    /// Of a sample that is not empty.
    pub(crate) fn of(sample: &[f64]) -> Option<Self> {
        let mut sorted = sample.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self { median: quantile(&sorted, 50)?, p95: quantile(&sorted, 95)? })
    }
}

/// The value that so many of a hundred do not exceed.
fn quantile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_of_the_sample() {
        let sample: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(Summary::of(&sample), Some(Summary { median: 50.0, p95: 95.0 }));
        assert_eq!(Summary::of(&[3.0]), Some(Summary { median: 3.0, p95: 3.0 }));
        assert_eq!(Summary::of(&[]), None);
    }
}
