//! Made-up months of traffic with attacks in them, the same for the same seed: what the review is measured on.
//!
//! Ordinary life is not quiet: programs are updated, machines move to other networks, people travel, jobs run once a month,
//! services learn to use one more key. All that is here and is no attack.

use std::fmt::Write as _;

/// The first second: Monday, 2026-06-01.
pub(crate) const BEGIN: i64 = 1_780_272_000;
pub(crate) const DAY: i64 = 86_400;
const HOUR: i64 = 3600;

/// SplitMix64.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn once_in(&mut self, n: i64) -> bool {
        self.below(n) == 0
    }
}

/// An attack on the vault, and the findings that a review should report about it.
#[derive(Debug)]
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) subject: String,
    pub(crate) from: i64,
    pub(crate) until: i64,
    /// The detectors that must find the attack.
    pub(crate) must: &'static [&'static str],
    /// The detectors that may find the attack as well.
    pub(crate) may: &'static [&'static str],
    /// True if the attacker knows the thresholds and stays below them. Nobody expects the review to notice such an
    /// attack, so it is counted apart.
    pub(crate) careful: bool,
}

/// A line before it has its place.
#[derive(Clone)]
struct Draft {
    at: i64,
    action: &'static str,
    phase: Option<&'static str>,
    outcome: &'static str,
    reason: Option<&'static str>,
    kind: &'static str,
    id: String,
    environment: &'static str,
    key: Option<i64>,
    version: i64,
    ip: Option<String>,
    agent: String,
    count: i64,
}

impl Draft {
    fn read(at: i64, who: &Service, key: i64, ip: String) -> Self {
        Draft {
            at,
            action: "key.retrieve",
            phase: None,
            outcome: "allowed",
            reason: None,
            kind: "token",
            id: who.id.clone(),
            environment: "prod",
            key: Some(key),
            version: 2,
            ip: Some(ip),
            agent: who.agent.clone(),
            count: 1,
        }
    }

    fn refused(mut self, reason: &'static str) -> Self {
        (self.outcome, self.reason) = ("denied", Some(reason));
        self
    }

    fn line(&self, seq: usize, log: &str) -> String {
        let text = |value: Option<&str>| value.map_or("null".to_owned(), |value| format!("\"{value}\""));
        let time = jiff::Timestamp::new(self.at, 0).unwrap();
        let name = (self.kind == "token").then_some(self.id.as_str());
        let key = self.key.map(|key| format!("key-{key}"));
        let key_id = self.key.map(|key| format!("key_{key:022}"));
        let version = self.key.map_or("null".to_owned(), |_| self.version.to_string());
        let mut out = format!(
            "{{\"v\":1,\"seq\":{seq},\"time\":\"{time:.6}\",\"log\":\"{log}\",\"prev\":\"{:064}\"",
            0
        );
        write!(
            out,
            ",\"action\":\"{}\",\"phase\":{},\"outcome\":\"{}\",\"reason\":{},\"principal\":{{\"kind\":\"{}\",\"id\":{},\"name\":{},\"chain\":null}}",
            self.action,
            text(self.phase),
            self.outcome,
            text(self.reason),
            self.kind,
            text(Some(self.id.as_str()).filter(|id| !id.is_empty())),
            text(name),
        )
        .unwrap();
        write!(
            out,
            ",\"namespace\":\"default\",\"environment\":\"{}\",\"key\":{},\"key_id\":{},\"version\":{version},\"mode\":null,\"target\":null,\"record\":null,\"rev\":null,\"count\":{},\"client\":{{\"ip\":{},\"user_agent\":{}}},\"request_id\":null,\"trace_id\":null}}",
            self.environment,
            text(key.as_deref()),
            text(key_id.as_deref()),
            self.count,
            text(self.ip.as_deref()),
            text(Some(self.agent.as_str()).filter(|agent| !agent.is_empty())),
        )
        .unwrap();
        out
    }
}

/// A program with a token.
#[derive(Clone)]
struct Service {
    id: String,
    agent: String,
    networks: Vec<String>,
    keys: Vec<i64>,
    /// Reads in an hour at noon.
    rate: i64,
    /// The hours in which it is active.
    hours: (i64, i64),
    weekends: bool,
    /// One day in so many it comes from a network where it never was.
    moves: i64,
    /// Active once in so many days.
    every: i64,
}

/// Traffic of so many days, and the attacks in its last four weeks.
pub(crate) struct Traffic {
    pub(crate) lines: Vec<String>,
    pub(crate) attacks: Vec<Attack>,
    /// The first second of the last four weeks.
    pub(crate) since: i64,
    pub(crate) until: i64,
}

fn services(dice: &mut Dice, scale: i64) -> Vec<Service> {
    let network = |a: i64, b: i64| format!("10.{a}.{b}");
    let mut all = Vec::new();
    for n in 0..18 {
        let office = n % 3 == 1;
        let keys = (0..=n % 5).map(|key| (n * 3 + key) % 40).collect();
        all.push(Service {
            id: format!("service-{n:02}"),
            agent: format!("service/{}.{}", 1 + n % 3, n),
            networks: (0..=n % 3).map(|net| network(n, net)).collect(),
            keys,
            rate: (2 + dice.below(12)) * scale,
            hours: if office { (8, 18) } else { (0, 24) },
            weekends: !office,
            moves: 150,
            every: 1,
        });
    }
    for n in 0..4 {
        all.push(Service {
            id: format!("laptop-{n}"),
            agent: "ibyok/0.1.0".to_owned(),
            networks: vec![network(100 + n, 0), network(100 + n, 1)],
            keys: vec![n, n + 10, n + 20],
            rate: 2,
            hours: (9, 18),
            weekends: false,
            moves: 20,
            every: 1,
        });
    }
    let job = |id: &str, hours, every, rate| Service {
        id: id.to_owned(),
        agent: "curl/8.9.1".to_owned(),
        networks: vec![network(120, i64::try_from(id.len()).unwrap())],
        keys: vec![1, 2],
        rate,
        hours,
        weekends: true,
        moves: 100_000,
        every,
    };
    all.push(job("nightly", (2, 3), 1, 6));
    all.push(job("weekly-job", (4, 5), 7, 6));
    all.push(job("monthly-report", (6, 7), 30, 6));
    let ci = (0..4).map(|net| network(130, net)).collect();
    all.push(Service {
        networks: ci,
        rate: 12 * scale,
        hours: (7, 20),
        weekends: false,
        ..job("ci", (7, 20), 1, 12)
    });
    all
}

/// One day of a service's ordinary life.
fn ordinary(who: &mut Service, day: i64, dice: &mut Dice, out: &mut Vec<Draft>) {
    let weekday = day.rem_euclid(7);
    if (!who.weekends && weekday >= 5) || day % who.every != 0 {
        return;
    }
    if dice.once_in(12) {
        // An update.
        who.agent = format!(
            "{}/{}.{}",
            who.agent.split('/').next().unwrap(),
            1 + day / 12,
            dice.below(9)
        );
    }
    if dice.once_in(250) {
        who.keys.push(dice.below(40));
    }
    if dice.once_in(who.moves) {
        let moved = format!("10.{}.{}", 140 + dice.below(100), dice.below(250));
        if who.id.starts_with("laptop") {
            who.networks.push(moved);
        } else {
            who.networks = vec![moved];
        }
    }
    let busy = if dice.once_in(15) { 2 } else { 1 };
    for hour in who.hours.0..who.hours.1 {
        let of_day = if (8..20).contains(&hour) { 2 } else { 1 };
        let rate = (who.rate * of_day * busy / 2).max(1);
        for _ in 0..rate / 2 + dice.below(rate + 1) {
            let at = BEGIN + day * DAY + hour * HOUR + dice.below(HOUR);
            let key = who.keys[usize::try_from(dice.below(who.keys.len() as i64)).unwrap()];
            let net = &who.networks[usize::try_from(dice.below(who.networks.len() as i64)).unwrap()];
            out.push(Draft::read(at, who, key, format!("{net}.{}", 1 + dice.below(250))));
        }
    }
}

/// Adds the lines of operators and strangers on an ordinary day.
fn others(day: i64, dice: &mut Dice, out: &mut Vec<Draft>) {
    let service = Service {
        id: String::new(),
        agent: String::new(),
        networks: Vec::new(),
        keys: Vec::new(),
        rate: 0,
        hours: (0, 0),
        weekends: true,
        moves: 1,
        every: 1,
    };
    let mut operator = |name: &str, hour: i64, action| {
        let at = BEGIN + day * DAY + hour * HOUR + dice.below(HOUR);
        let mut draft = Draft::read(at, &service, 0, String::new());
        (draft.kind, draft.action, draft.id, draft.key, draft.ip) = ("operator", action, name.to_owned(), None, None);
        out.push(draft);
    };
    operator("os:backup@vault", 3, "key.list");
    if day.rem_euclid(7) < 5 {
        operator("os:anna@vault", 9 + day % 8, "token.list");
        operator("os:ben@vault", 10 + day % 7, "key.list");
    }
    for _ in 0..dice.below(6) {
        let at = BEGIN + day * DAY + dice.below(DAY);
        let ip = format!(
            "{}.{}.{}.{}",
            20 + dice.below(180),
            dice.below(250),
            dice.below(250),
            dice.below(250)
        );
        let mut draft = Draft::read(at, &service, 0, ip).refused("malformed");
        (draft.kind, draft.action, draft.key) = ("anonymous", "token.use_failed", None);
        out.push(draft);
    }
}

/// Adds the lines of attackers, and keeps the list of attacks.
struct Attacks<'a> {
    dice: &'a mut Dice,
    services: &'a [Service],
    since: i64,
    out: &'a mut Vec<Draft>,
    told: Vec<Attack>,
}

impl Attacks<'_> {
    fn service(&self, id: &str) -> Service {
        self.services.iter().find(|service| service.id == id).unwrap().clone()
    }

    /// A moment in the last four weeks, on a working day at this hour.
    fn moment(&mut self, hour: i64) -> i64 {
        let day = 7 * self.dice.below(4) + self.dice.below(5);
        self.since + day * DAY + hour * HOUR
    }

    fn tell(
        &mut self,
        name: &'static str,
        subject: &str,
        at: i64,
        must: &'static [&'static str],
        may: &'static [&'static str],
    ) {
        let (subject, from, until) = (subject.to_owned(), at - HOUR, at + 30 * HOUR);
        self.told.push(Attack {
            name,
            subject,
            from,
            until,
            must,
            may,
            careful: false,
        });
    }

    /// Attackers who know the thresholds.
    fn careful(&mut self) {
        let before = self.told.len();
        let at = self.moment(13);
        let mut thief = self.service("service-15");
        thief.agent = "service/1.0".to_owned();
        for key in 0..24 {
            let ip = format!("{}.77", thief.networks[0]);
            self.out.push(Draft::read(at + key * HOUR / 4, &thief, key, ip));
        }
        self.tell(
            "all keys, four an hour, from within",
            "service-15",
            at,
            &["breadth"],
            &["new_key", "new_network"],
        );

        let at = self.moment(12);
        let who = self.service("service-16");
        for n in 0..who.rate * 2 {
            self.out.push(Draft::read(
                at + n * 20,
                &who,
                who.keys[0],
                format!("{}.77", who.networks[0]),
            ));
        }
        self.tell("twice the usual", "service-16", at, &["burst"], &["new_network"]);

        let at = self.since + 12 * DAY;
        let mut new = self.service("ci");
        (new.id, new.agent) = ("just-issued".to_owned(), "fresh/1".to_owned());
        for n in 0..10 {
            self.out
                .push(Draft::read(at + n * HOUR, &new, 1, format!("{}.5", new.networks[0])));
            self.out
                .push(Draft::read(at + n * HOUR + 60, &new, 1, "45.155.205.77".to_owned()));
        }
        self.tell(
            "a token stolen on its first day",
            "just-issued",
            at,
            &["new_network"],
            &["new_country", "new_agent"],
        );

        let at = self.since + 20 * DAY;
        for n in 0..200 {
            let mut draft = Draft::read(at + n * 240, &new, 0, "91.99.7.8".to_owned()).refused("malformed");
            (draft.kind, draft.action, draft.key, draft.id) = ("anonymous", "token.use_failed", None, String::new());
            self.out.push(draft);
        }
        self.tell(
            "fifteen guesses an hour",
            "91.99.7.0/24",
            at,
            &["failed_by_network"],
            &[],
        );
        self.told
            .iter_mut()
            .skip(before)
            .for_each(|attack| attack.careful = true);
    }

    fn all(&mut self) {
        self.stolen();
        self.insiders();
        self.strangers();
        self.dead();
        self.operators();
        self.careful();
    }

    fn stolen(&mut self) {
        let at = self.moment(11);
        let mut thief = self.service("service-03");
        thief.agent = "python-requests/2.32".to_owned();
        for n in 0..6 {
            self.out.push(Draft::read(
                at + n * 1200,
                &thief,
                thief.keys[0],
                "185.220.101.7".to_owned(),
            ));
        }
        self.tell(
            "a stolen token, slowly",
            "service-03",
            at,
            &["new_network", "new_country", "new_agent"],
            &["new_key"],
        );

        let at = self.moment(14);
        let mut thief = self.service("service-06");
        thief.agent = "Go-http-client/1.1".to_owned();
        for key in 0..40 {
            self.out
                .push(Draft::read(at + key * 20, &thief, key, "45.155.205.9".to_owned()));
        }
        let must = &["breadth", "new_network", "new_country", "new_key", "new_agent"];
        self.tell("every key at once", "service-06", at, must, &["burst"]);
    }

    fn insiders(&mut self) {
        let at = self.moment(13);
        let who = self.service("service-09");
        for n in 0..900 + who.rate * 12 {
            let ip = format!("{}.9", who.networks[0]);
            self.out.push(Draft::read(at + n % 3500, &who, who.keys[0], ip));
        }
        self.tell("ten times the usual", "service-09", at, &["burst"], &["new_network"]);

        let at = self.moment(2);
        let who = self.service("service-04");
        for n in 0..5 {
            self.out.push(Draft::read(
                at + n * 60,
                &who,
                who.keys[0],
                format!("{}.9", who.networks[0]),
            ));
        }
        self.tell(
            "at night",
            "service-04",
            at,
            &["unusual_hour"],
            &["new_network", "new_key"],
        );

        let at = self.moment(15);
        let who = self.service("service-10");
        for n in 0..3 {
            let mut draft = Draft::read(at + n * 60, &who, 5, format!("{}.9", who.networks[0])).refused("environment");
            draft.environment = "dev";
            self.out.push(draft);
        }
        self.tell(
            "another environment",
            "service-10",
            at,
            &["environment_mismatch"],
            &["new_network"],
        );

        let at = self.moment(10);
        let who = self.service("service-12");
        for n in 0..40 {
            let ip = format!("{}.9", who.networks[0]);
            self.out.push(Draft::read(at + n * 30, &who, n, ip).refused("key"));
        }
        self.tell(
            "which keys are there",
            "service-12",
            at,
            &["failed_by_token"],
            &["new_network", "burst"],
        );

        let at = self.moment(16);
        let who = self.service("service-13");
        let mut draft = Draft::read(at, &who, who.keys[0], format!("{}.9", who.networks[0]));
        draft.version = 1;
        self.out.push(draft);
        self.tell(
            "an old version",
            "service-13",
            at,
            &["retiring_version"],
            &["new_network"],
        );
    }

    fn strangers(&mut self) {
        let nobody = Service {
            id: String::new(),
            ..self.service("ci")
        };
        let guesses = |at: i64, id: &str, ips: i64, reason, out: &mut Vec<Draft>| {
            for n in 0..60 {
                let ip = format!("91.{}.7.{}", 10 + n % ips, 1 + n);
                let mut draft = Draft::read(at + n * 40, &nobody, 0, ip).refused(reason);
                (draft.kind, draft.action, draft.key, draft.id) =
                    ("anonymous", "token.use_failed", None, id.to_owned());
                out.push(draft);
            }
        };
        let at = self.since + 9 * DAY + 4 * HOUR;
        guesses(at, "", 1, "malformed", self.out);
        self.tell(
            "guesses from one network",
            "91.10.7.0/24",
            at,
            &["failed_by_network"],
            &[],
        );
        let at = self.since + 16 * DAY + 5 * HOUR;
        guesses(at, "unknown-00deadbeef", 60, "unknown", self.out);
        self.tell(
            "one forged token from everywhere",
            "unknown-00deadbeef",
            at,
            &["failed_by_token"],
            &[],
        );

        let at = self.moment(12);
        let who = self.service("service-14");
        self.out
            .push(Draft::read(at, &who, who.keys[0], "203.0.113.9".to_owned()).refused("network"));
        self.tell(
            "outside its networks",
            "service-14",
            at,
            &["wrong_network", "new_network", "new_country"],
            &[],
        );
    }

    fn dead(&mut self) {
        let at = self.moment(9);
        let who = Service {
            id: "was-revoked".to_owned(),
            ..self.service("ci")
        };
        for n in 0..4 {
            let mut draft = Draft::read(at + n * 300, &who, 0, "198.51.100.4".to_owned()).refused("revoked");
            (draft.action, draft.key) = ("token.use_failed", None);
            self.out.push(draft);
        }
        self.tell("a revoked token", "was-revoked", at, &["dead_token"], &[]);

        let at = self.moment(11);
        let who = Service {
            id: "forgotten".to_owned(),
            ..self.service("nightly")
        };
        for day in 0..5 {
            let ip = format!("{}.3", who.networks[0]);
            self.out.push(Draft::read(BEGIN + (5 + day) * DAY, &who, 1, ip.clone()));
            self.out.push(Draft::read(at + day, &who, 1, ip));
        }
        self.tell(
            "a forgotten token",
            "forgotten",
            at,
            &["dormant"],
            &["new_network", "new_agent"],
        );
    }

    fn operators(&mut self) {
        let at = self.moment(2);
        let nobody = Service {
            id: "os:anna@vault".to_owned(),
            agent: String::new(),
            ..self.service("ci")
        };
        let mut draft = Draft::read(at, &nobody, 3, String::new());
        (draft.kind, draft.ip) = ("operator", None);
        self.out.push(draft.clone());
        self.tell("an operator at night", "os:anna@vault", at, &["odd_hours"], &[]);

        let at = self.moment(11);
        (draft.at, draft.action, draft.phase, draft.key) = (at, "settings.change", Some("done"), None);
        draft.id = "os:ben@vault".to_owned();
        self.out.push(draft);
        self.tell("settings", "os:ben@vault", at, &["settings_changed"], &[]);
    }
}

/// Makes the traffic of a seed. `scale` multiplies how much the services ask.
pub(crate) fn traffic(seed: u64, scale: i64) -> Traffic {
    const DAYS: i64 = 84;
    let mut dice = Dice::new(seed);
    let mut services = services(&mut dice, scale);
    let mut drafts = Vec::new();
    for key in 0..40 {
        let mut draft = Draft::read(BEGIN, &services[0], key, "10.0.0.1".to_owned());
        (draft.kind, draft.id, draft.ip) = ("operator", "os:backup@vault".to_owned(), None);
        (draft.action, draft.phase, draft.at) = ("key.set", Some("done"), BEGIN + 8 * HOUR);
        drafts.push(draft);
    }
    for day in 0..DAYS {
        for service in &mut services {
            ordinary(service, day, &mut dice, &mut drafts);
        }
        others(day, &mut dice, &mut drafts);
    }
    let since = BEGIN + (DAYS - 28) * DAY;
    let mut attacks = Attacks {
        dice: &mut dice,
        services: &services,
        since,
        out: &mut drafts,
        told: Vec::new(),
    };
    attacks.all();
    let mut attacks = attacks.told;
    drafts.sort_by_key(|draft| draft.at);
    let mut lines: Vec<String> = drafts
        .iter()
        .zip(1..)
        .map(|(draft, seq)| draft.line(seq, "L"))
        .collect();
    // Somebody takes a line out.
    let cut = lines.len() - 1000;
    let removed = drafts[cut].at;
    lines.remove(cut);
    let must = &["log_gap"];
    let (from, until) = (removed - DAY, removed + DAY);
    attacks.push(Attack {
        name: "a line taken out",
        subject: "L".to_owned(),
        from,
        until,
        must,
        may: &[],
        careful: false,
    });
    Traffic {
        lines,
        attacks,
        since,
        until: BEGIN + DAYS * DAY,
    }
}
