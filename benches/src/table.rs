//! Numbers for people.

/// The middle one; of an even count the upper of the two, of none zero.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// The value that a share of them, in hundredths, does not exceed. Wants them sorted.
#[must_use]
pub fn percentile(sorted: &[u32], share: usize) -> u32 {
    let at = (sorted.len().saturating_sub(1)) * share / 100;
    sorted.get(at).copied().unwrap_or_default()
}

/// A whole number with its thousands apart: `12 345`.
#[must_use]
pub fn quantity(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(&[]).abs() < f64::EPSILON);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<u32> = (1..=100).collect();
        assert_eq!(
            (percentile(&values, 50), percentile(&values, 99), percentile(&[], 99)),
            (50, 99, 0)
        );
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(quantity(1_234_567.4), "1 234 567");
        assert_eq!(quantity(123.0), "123");
    }
}
