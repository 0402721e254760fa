//! Medians and quartiles.

/// The value below which this part of the sorted values lies.
pub fn quantile(sorted: &[f64], part: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = part * last as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

/// What several measurements of the same thing come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub median: f64,
    /// The quartiles: half of the measurements are between them.
    pub low: f64,
    pub high: f64,
}

impl Summary {
    /// `None` if nothing was measured.
    pub fn of(samples: &[f64]) -> Option<Summary> {
        if samples.is_empty() {
            return None;
        }
        let mut sorted = samples.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |part| quantile(&sorted, part);
        Some(Summary { median: at(0.5), low: at(0.25), high: at(0.75) })
    }

    /// Whether the middle halves of the two overlap: then the order of the medians may be chance.
    pub fn overlaps(self, other: Summary) -> bool {
        self.low <= other.high && other.low <= self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_between_two_values_is_in_proportion() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0], 0.5), 1.5);
        assert_eq!(quantile(&[7.0], 0.99), 7.0);
    }

    #[test]
    fn a_summary_does_not_mind_the_order() {
        let summary = Summary::of(&[5.0, 1.0, 3.0, 2.0, 4.0]).unwrap();
        assert_eq!(summary, Summary { median: 3.0, low: 2.0, high: 4.0 });
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn noise_is_an_overlap_of_the_middle_halves() {
        let first = Summary { median: 2.0, low: 1.0, high: 3.0 };
        let near = Summary { median: 3.5, low: 2.9, high: 4.0 };
        let far = Summary { median: 3.5, low: 3.1, high: 4.0 };
        assert!(first.overlaps(near) && near.overlaps(first));
        assert!(!first.overlaps(far) && !far.overlaps(first));
    }
}
