//! Finds behaviour of valid tokens that is unusual for them.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use jiff::SignedDuration;

use super::country::{AGES, Country, comes_from};
use super::finding::{Detector, Severity, Shown, Subject};
use super::findings::{Findings, Hit};
use super::network::{Network, agent};
use super::profile::{Hour, Is, Profile, number_of};
use super::thresholds::Checked;
use super::versions::key_of;
use crate::action::Outcome;
use crate::read::Entry;
use crate::words::counted;

/// The largest number of tokens that the review judges. It counts the rest as not judged.
const TOKENS: usize = 10_000;

/// The largest number of networks of the whole vault that the review remembers.
const NETWORKS: usize = 100_000;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug, Default)]
pub(super) struct Tokens {
    profiles: HashMap<String, Profile>,
    networks: HashMap<Network, ()>,
    countries: HashSet<Country>,
    pub(super) not_judged: u64,
}

/// One line of a valid token.
pub(super) struct Seen<'a> {
    entry: &'a Entry,
    pub(super) line: &'a Shown,
    pub(super) subject: Subject,
    at: Hour,
    country: Option<Country>,
    limits: &'a Checked,
}

impl Seen<'_> {
    pub(super) fn hit(
        &self,
        detector: Detector,
        severity: Severity,
        about: impl Into<String>,
        explanation: String,
    ) -> Hit {
        Hit {
            detector,
            severity,
            subject: self.subject.clone(),
            about: about.into(),
            explanation,
            line: self.line.clone(),
            count: self.entry.count,
            within: DAY,
        }
    }
}

impl Tokens {
    /// Takes in a line of a valid token.
    pub(super) fn take(
        &mut self,
        entry: &Entry,
        line: &Shown,
        (at, country): (Hour, Option<Country>),
        limits: &Checked,
        found: &mut Findings,
    ) {
        let Some(id) = &entry.principal.id else { return };
        if !self.profiles.contains_key(id) && self.profiles.len() >= TOKENS {
            self.not_judged += 1;
            return;
        }
        let profile = self
            .profiles
            .entry(id.clone())
            .or_insert_with(|| Profile::new(at, line));
        let subject = Subject {
            kind: "token",
            id: id.clone(),
            name: entry.principal.name.clone(),
        };
        let seen = Seen {
            entry,
            line,
            subject,
            at,
            country,
            limits,
        };
        let learned = profile.age_in_days(line.time) >= i64::from(limits.given.learning_days);
        wakes(&seen, profile, found);
        profile.go_on(at, line);
        if let Some(address) = entry.client.ip {
            network(&seen, profile, address, learned, &mut self.networks, found);
        }
        if let Some(country) = country {
            comes_from(&seen, profile, country, learned, &mut self.countries, found);
        }
        if let Some(text) = &entry.client.user_agent {
            program(&seen, profile, text, learned, found);
        }
        hour(&seen, profile, found);
        burst(&seen, profile, found);
        if entry.outcome == Outcome::Denied {
            denied(&seen, profile, found);
        } else if entry.outcome == Outcome::Allowed && entry.action == "key.retrieve" {
            reads(&seen, profile, learned, found);
        }
    }
}

fn wakes(seen: &Seen<'_>, profile: &Profile, found: &mut Findings) {
    let days = seen.line.time.duration_since(profile.last).as_hours() / 24;
    if days >= i64::from(seen.limits.given.dormant_days) {
        let text = format!("used after {} of silence", counted(days, "day"));
        found.hit(seen.hit(Detector::Dormant, Severity::Medium, "", text));
    }
}

fn network(
    seen: &Seen<'_>,
    profile: &mut Profile,
    address: IpAddr,
    learned: bool,
    of_all: &mut HashMap<Network, ()>,
    found: &mut Findings,
) {
    let network = Network::of(address);
    let tell = learned && found.is_under_review(seen.line.time);
    let of_others = of_all.contains_key(&network) || of_all.len() >= NETWORKS;
    if !of_others {
        of_all.insert(network, ());
    }
    match profile.network(network.number(), tell) {
        Is::New if tell => {
            let (severity, others) = match of_others {
                true => (Severity::Low, "another token came from there before"),
                false => (Severity::Medium, "no token of this vault ever came from there"),
            };
            let land = seen.country.map_or_else(String::new, |country| format!(" ({country})"));
            let text = format!("came from {network}{land} for the first time; {others}");
            let hit = seen.hit(Detector::NewNetwork, severity, network.to_string(), text);
            found.hit(Hit { within: AGES, ..hit });
        }
        Is::Told => {
            let (detector, subject) = (Detector::NewNetwork, (seen.subject.kind, seen.subject.id.as_str()));
            found.again(detector, subject, &network.to_string(), seen.line);
        }
        Is::New | Is::Known => {}
    }
}

fn program(seen: &Seen<'_>, profile: &mut Profile, text: &str, learned: bool, found: &mut Findings) {
    let program = agent(text);
    let tell = learned && found.is_under_review(seen.line.time);
    match profile.agent(number_of(&program), tell) {
        Is::New if tell => {
            let words = format!("came as `{text}` for the first time");
            let hit = seen.hit(Detector::NewAgent, Severity::Low, program, words);
            found.hit(Hit { within: AGES, ..hit });
        }
        Is::Told => {
            let (detector, subject) = (Detector::NewAgent, (seen.subject.kind, seen.subject.id.as_str()));
            found.again(detector, subject, &program, seen.line);
        }
        Is::New | Is::Known => {}
    }
}

fn hour(seen: &Seen<'_>, profile: &Profile, found: &mut Findings) {
    if profile.active_days() < seen.limits.given.active_days {
        return;
    }
    let at = profile.going.at();
    let text = if profile.is_new_hour(at.hour) {
        format!(
            "active between {:02}:00 and {:02}:00, when it never was in {}",
            at.hour,
            at.hour + 1,
            counted(profile.active_days(), "active day")
        )
    } else if profile.is_new_weekday(at.weekday()) {
        const DAYS: [&str; 7] = [
            "Monday",
            "Tuesday",
            "Wednesday",
            "Thursday",
            "Friday",
            "Saturday",
            "Sunday",
        ];
        let day = DAYS.get(at.weekday()).copied().unwrap_or("day");
        format!(
            "active on a {day}, when it never was in {}",
            counted(profile.active_days(), "active day")
        )
    } else {
        return;
    };
    found.hit(seen.hit(Detector::UnusualHour, Severity::Low, "", text));
}

fn burst(seen: &Seen<'_>, profile: &Profile, found: &mut Findings) {
    let limits = &seen.limits.given;
    let (usual, _) = profile.busiest();
    let lines = profile.going.lines;
    let limit = limits.burst_lines.max(usual.saturating_mul(limits.burst_factor));
    if profile.active_days() < 2 || lines <= limit {
        return;
    }
    let text = format!(
        "{} in the hour from {:02}:00; its busiest hour before had {usual}",
        counted(lines, "line"),
        seen.at.hour
    );
    let mut hit = seen.hit(Detector::Burst, Severity::Medium, "", text);
    hit.within = HOUR.saturating_mul(2);
    if lines == limit + 1 {
        // The whole hour shows it, from its first line on.
        (hit.line, hit.count) = (profile.going.first.clone(), lines);
    }
    found.hit(hit);
}

fn reads(seen: &Seen<'_>, profile: &mut Profile, learned: bool, found: &mut Findings) {
    let Some(key) = key_of(seen.entry) else { return };
    let number = number_of(&key);
    profile.reads(number);
    let tell = learned && found.is_under_review(seen.line.time);
    if profile.key(number, tell) == Is::New && tell {
        let text = format!("read `{key}`, and perhaps others, for the first time");
        found.hit(seen.hit(Detector::NewKey, Severity::Low, "", text));
    }
    let limits = &seen.limits.given;
    let (_, usual) = profile.busiest();
    let breadth = profile.going.breadth();
    if learned
        && profile.active_days() >= 2
        && breadth > limits.breadth_keys.max(usual.saturating_mul(limits.breadth_factor))
    {
        let text = format!(
            "read {} in the hour from {:02}:00; the most in an hour before was {usual}",
            counted(breadth, "different key"),
            seen.at.hour
        );
        let hit = seen.hit(Detector::Breadth, Severity::High, "", text);
        found.hit(Hit {
            within: HOUR.saturating_mul(2),
            ..hit
        });
    }
}

fn denied(seen: &Seen<'_>, profile: &mut Profile, found: &mut Findings) {
    let environment = seen.entry.environment.as_deref().unwrap_or("another");
    match seen.entry.reason.as_deref() {
        Some("environment" | "namespace") => {
            let text = format!("asked for `{environment}`, which it is not for");
            found.hit(seen.hit(Detector::EnvironmentMismatch, Severity::Medium, environment, text));
        }
        Some("network") => {
            let from = seen
                .entry
                .client
                .ip
                .map_or_else(|| "nowhere".to_owned(), |ip| Network::of(ip).to_string());
            let text = format!("a valid token came from {from}, outside the networks that it is bound to");
            found.hit(seen.hit(Detector::WrongNetwork, Severity::High, from, text));
        }
        _ => {}
    }
    profile.going.denied = profile.going.denied.saturating_add(seen.entry.count);
    let first = profile
        .going
        .first_denied
        .get_or_insert_with(|| seen.line.clone())
        .clone();
    let limit = seen.limits.given.failed_by_token;
    if profile.going.denied >= limit {
        let text = format!(
            "refused {} in the hour from {:02}:00",
            counted(profile.going.denied, "time"),
            seen.at.hour
        );
        let mut hit = seen.hit(Detector::FailedByToken, Severity::Medium, "", text);
        hit.within = HOUR.saturating_mul(2);
        if profile.going.denied - seen.entry.count < limit {
            (hit.line, hit.count) = (first, profile.going.denied);
        }
        found.hit(hit);
    }
}
