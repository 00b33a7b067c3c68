//! Medians, and how far they can be trusted.

/// A median with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Estimate {
    /// Whether both ends of the interval lie within 5 % of the median.
    pub fn is_narrow(&self) -> bool {
        let most = self.median.abs() * 0.05;
        self.high - self.median <= most && self.median - self.low <= most
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The middle value, or the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// The median with the interval between two order statistics.
///
/// How many of n independent values lie below the true median is binomial(n, 1/2), whatever their
/// distribution; so the interval from the k-th smallest to the k-th largest misses it with the
/// probability 2 P(B < k). k is the largest for which that is at most 5 % (David and Nagaraja,
/// Order Statistics, 3rd edition, section 7.1). Fewer than six values have no such k, and the
/// interval is then without bounds.
pub fn median_interval(values: &[f64]) -> Estimate {
    let sorted = sorted(values);
    let n = sorted.len();
    let (mut k, mut below, mut term) = (0, 0.0, 0.5f64.powi(n as i32));
    while k < n {
        below += term;
        if 2.0 * below > 0.05 {
            break;
        }
        term = term * (n - k) as f64 / (k + 1) as f64;
        k += 1;
    }
    match k {
        0 => Estimate { median: median(values), low: f64::NEG_INFINITY, high: f64::INFINITY },
        _ => Estimate { median: median(values), low: sorted[k - 1], high: sorted[n - k] },
    }
}

/// The median between the least and the most.
pub fn extremes(values: &[f64]) -> Estimate {
    let sorted = sorted(values);
    let end = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
    Estimate { median: median(values), low: end(sorted.first()), high: end(sorted.last()) }
}

/// What cannot be seen from a run: checked at the start of each, since a benchmark has no tests of
/// its own.
pub fn self_check() {
    // The ranks that the tables give for 95 %: 4 of 15, 6 of 20, 6 of 21, 8 of 25, 12 of 35.
    for (n, k) in [(6, 1), (15, 4), (20, 6), (21, 6), (25, 8), (35, 12)] {
        let values: Vec<f64> = (1..=n).map(f64::from).collect();
        let estimate = median_interval(&values);
        let expected = (f64::from(k), f64::from(n + 1 - k));
        assert_eq!((estimate.low, estimate.high), expected, "the interval of {n} values");
    }
    assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
}
