//! The usual behaviour of one token: its networks, programs, keys, hours, and number of requests. The memory is
//! bounded for any behaviour of the token.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::Timestamp;

use super::finding::Shown;

/// Of how many of the last active days the busiest hour is kept.
const BUSY_DAYS: usize = 14;

/// The largest number of different things of one sort that a profile remembers. Beyond it, every new thing counts as
/// known.
const KNOWN: usize = 256;
const KNOWN_KEYS: usize = 1024;

/// A local day and hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hour {
    /// Days since 1970.
    pub(super) day: i64,
    /// 0 to 23.
    pub(super) hour: usize,
}

impl Hour {
    /// The day of the week, 0 for Monday.
    pub(super) fn weekday(self) -> usize {
        usize::try_from(self.day.saturating_add(3).rem_euclid(7)).unwrap_or(0)
    }
}

/// Things that were seen, and whether each was new when it came.
#[derive(Debug, Default)]
pub(super) struct Known {
    seen: HashMap<u64, bool>,
}

/// The novelty of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    /// It is seen for the first time.
    New,
    /// It was seen before, and was reported as new then.
    Told,
    /// It was seen before.
    Known,
}

impl Known {
    pub(super) fn meets(&mut self, thing: u64, tell: bool, limit: usize) -> Is {
        match self.seen.get(&thing) {
            Some(true) => Is::Told,
            Some(false) => Is::Known,
            None if self.seen.len() >= limit => Is::Known,
            None => {
                self.seen.insert(thing, tell);
                Is::New
            }
        }
    }
}

pub(super) fn number_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The events of the current hour.
#[derive(Debug)]
pub(super) struct Going {
    at: Hour,
    pub(super) lines: u64,
    pub(super) denied: u64,
    keys: HashSet<u64>,
    pub(super) first: Shown,
    pub(super) first_denied: Option<Shown>,
}

/// The usual behaviour of one token.
#[derive(Debug)]
pub(super) struct Profile {
    first: Timestamp,
    pub(super) last: Timestamp,
    networks: Known,
    countries: Known,
    agents: Known,
    keys: Known,
    /// On how many days it was active in this hour of the clock, and on this day of the week.
    hours: [u16; 24],
    weekdays: [u16; 7],
    active_days: u32,
    today: u32,
    busiest_today: (u64, u64),
    busiest: VecDeque<(u64, u64)>,
    pub(super) going: Going,
}

impl Profile {
    pub(super) fn new(at: Hour, line: &Shown) -> Self {
        Self {
            first: line.time,
            last: line.time,
            networks: Known::default(),
            countries: Known::default(),
            agents: Known::default(),
            keys: Known::default(),
            hours: [0; 24],
            weekdays: [0; 7],
            active_days: 0,
            today: 0,
            busiest_today: (0, 0),
            busiest: VecDeque::new(),
            going: Going::new(at, line),
        }
    }

    /// For how many days it has been known.
    pub(super) fn age_in_days(&self, now: Timestamp) -> i64 {
        now.duration_since(self.first).as_hours() / 24
    }

    pub(super) fn active_days(&self) -> u32 {
        self.active_days
    }

    pub(super) fn network(&mut self, network: u64, tell: bool) -> Is {
        self.networks.meets(network, tell, KNOWN)
    }

    pub(super) fn country(&mut self, country: u64, tell: bool) -> Is {
        self.countries.meets(country, tell, KNOWN)
    }

    pub(super) fn agent(&mut self, agent: u64, tell: bool) -> Is {
        self.agents.meets(agent, tell, KNOWN)
    }

    pub(super) fn key(&mut self, key: u64, tell: bool) -> Is {
        self.keys.meets(key, tell, KNOWN_KEYS)
    }

    /// Moves on to this hour. Lines of a clock that is behind count into the present hour.
    pub(super) fn go_on(&mut self, at: Hour, line: &Shown) {
        let later = (at.day, at.hour) > (self.going.at.day, self.going.at.hour);
        if later {
            self.end_hour();
            if at.day > self.going.at.day {
                self.end_day();
            }
            self.going = Going::new(at, line);
        }
        self.last = self.last.max(line.time);
        self.going.lines += 1;
    }

    pub(super) fn reads(&mut self, key: u64) {
        if self.going.keys.len() < KNOWN_KEYS {
            self.going.keys.insert(key);
        }
    }

    fn end_hour(&mut self) {
        self.today |= 1 << self.going.at.hour;
        let (lines, keys) = self.busiest_today;
        self.busiest_today = (lines.max(self.going.lines), keys.max(self.going.breadth()));
    }

    fn end_day(&mut self) {
        for (hour, days) in self.hours.iter_mut().enumerate() {
            *days = days.saturating_add(u16::from(self.today & (1 << hour) != 0));
        }
        if let Some(days) = self.weekdays.get_mut(self.going.at.weekday()) {
            *days = days.saturating_add(1);
        }
        self.active_days += 1;
        if self.busiest.len() == BUSY_DAYS {
            self.busiest.pop_front();
        }
        self.busiest.push_back(self.busiest_today);
        (self.today, self.busiest_today) = (0, (0, 0));
    }

    /// The most lines, and the most different keys, of an hour of the last active days.
    pub(super) fn busiest(&self) -> (u64, u64) {
        let days = self.busiest.iter().copied();
        days.fold((0, 0), |(lines, keys), day| (lines.max(day.0), keys.max(day.1)))
    }

    /// Returns true if the token was never active before today at this hour or at the hours next to it.
    pub(super) fn is_new_hour(&self, hour: usize) -> bool {
        [23, 0, 1]
            .iter()
            .all(|beside| self.hours.get((hour + beside) % 24) == Some(&0))
    }

    /// Returns true if the token was never active on this day of the week, and was active on five other days of the
    /// week in three weeks or more.
    pub(super) fn is_new_weekday(&self, weekday: usize) -> bool {
        let others = self.weekdays.iter().filter(|days| **days >= 3).count();
        others >= 5 && self.weekdays.get(weekday) == Some(&0)
    }
}

impl Going {
    fn new(at: Hour, line: &Shown) -> Self {
        Self {
            at,
            lines: 0,
            denied: 0,
            keys: HashSet::new(),
            first: line.clone(),
            first_denied: None,
        }
    }

    /// Returns the number of different keys that the token read in this hour.
    pub(super) fn breadth(&self) -> u64 {
        self.keys.len() as u64
    }

    pub(super) fn at(&self) -> Hour {
        self.at
    }
}
