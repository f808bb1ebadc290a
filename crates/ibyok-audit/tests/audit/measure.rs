//! Measures how well the review finds the attacks in made-up traffic.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ibyok_audit::Line;
use ibyok_audit::review::{Countries, Country, Detector, Finding, LogReview, Reviewer, Thresholds};
use jiff::Timestamp;

use crate::traffic::{Attack, Traffic};

/// Of one detector: what should be found, what was, and what was found that was no attack.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Score {
    pub(crate) should: u64,
    pub(crate) was: u64,
    pub(crate) right: u64,
    pub(crate) wrong: u64,
}

/// The countries of the traffic: at home, abroad where some of the travel goes, and three where attackers are.
#[derive(Debug)]
struct World;

impl Countries for World {
    fn country(&self, address: IpAddr) -> Option<Country> {
        let IpAddr::V4(address) = address else { return None };
        let letters = match address.octets() {
            [10, 230..=239, ..] => "FR",
            [10, ..] => "DE",
            [185, 220, ..] => "NL",
            [45, 155, ..] => "RU",
            _ => "US",
        };
        Country::parse(letters)
    }
}

pub(crate) fn review(traffic: &Traffic, thresholds: &Thresholds) -> LogReview {
    let at = |second| Timestamp::new(second, 0).unwrap();
    let mut reviewer = Reviewer::new(at(traffic.since), at(traffic.until), thresholds)
        .unwrap()
        .countries(World);
    for line in &traffic.lines {
        reviewer.take(&Line::parse(line.as_str()).unwrap());
    }
    reviewer.finish()
}

fn shows(finding: &Finding, attack: &Attack) -> bool {
    let overlaps = finding.first.as_second() <= attack.until && finding.last.as_second() >= attack.from;
    finding.subject.id == attack.subject && overlaps
}

/// Adds what a review found to the scores. Gives what was missed and what was wrong, in words.
pub(crate) fn score(traffic: &Traffic, review: &LogReview, scores: &mut BTreeMap<Detector, Score>) -> Vec<String> {
    let mut words = Vec::new();
    for detector in Detector::ALL {
        let word = detector.as_str();
        let score = scores.entry(*detector).or_default();
        let found: Vec<&Finding> = review
            .findings
            .iter()
            .filter(|found| found.detector == *detector)
            .collect();
        for attack in traffic
            .attacks
            .iter()
            .filter(|attack| !attack.careful && attack.must.contains(&word))
        {
            let was = found.iter().any(|finding| shows(finding, attack));
            score.should += 1;
            score.was += u64::from(was);
            if !was {
                words.push(format!("missed {word}: {} ({})", attack.name, attack.subject));
            }
        }
        for finding in found {
            let belongs =
                |attack: &Attack| (attack.must.contains(&word) || attack.may.contains(&word)) && shows(finding, attack);
            if traffic.attacks.iter().any(belongs) {
                score.right += 1;
            } else {
                score.wrong += 1;
                words.push(format!(
                    "no attack: {word} {} {}",
                    finding.subject.id, finding.explanation
                ));
            }
        }
    }
    words
}
