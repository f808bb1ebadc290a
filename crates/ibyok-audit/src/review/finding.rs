//! Findings of a review.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::cut::cut;

macro_rules! detectors {
    ($($(#[$doc:meta])* $variant:ident => $word:literal,)+) => {
        /// A detector of the review: the pattern it looks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[non_exhaustive]
        pub enum Detector {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        impl Detector {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

detectors! {
    /// A token comes from a network (/24, /48) that it never came from.
    NewNetwork => "new_network",
    /// A token comes from a country that it never came from. Only if the review has a source of countries.
    NewCountry => "new_country",
    /// A token comes with a user agent that it never had.
    NewAgent => "new_agent",
    /// A token reads a key that it never read.
    NewKey => "new_key",
    /// A token asks far more in an hour than it ever did.
    Burst => "burst",
    /// A token is active at an hour, or on a day of the week, at which it never was.
    UnusualHour => "unusual_hour",
    /// A token reads far more different keys in an hour than it ever did.
    Breadth => "breadth",
    /// Many requests without a valid token from one network.
    FailedByNetwork => "failed_by_network",
    /// Many refusals of one token, or of one token id that is not of this vault.
    FailedByToken => "failed_by_token",
    /// A version is read that is not the current one any more.
    RetiringVersion => "retiring_version",
    /// A token is used that was revoked, has expired, or was replaced.
    DeadToken => "dead_token",
    /// A token asks for an environment that it is not for.
    EnvironmentMismatch => "environment_mismatch",
    /// A token comes from outside the networks that it is bound to.
    WrongNetwork => "wrong_network",
    /// A token is used after a long silence.
    Dormant => "dormant",
    /// Settings were changed.
    SettingsChanged => "settings_changed",
    /// An operator acts at odd hours.
    OddHours => "odd_hours",
    /// Lines are missing from a log, or cannot be read.
    LogGap => "log_gap",
}

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "people distinguish three degrees")]
pub enum Severity {
    /// Usually harmless; to be known.
    Low,
    /// A person should check it.
    Medium,
    /// A person should check it now.
    High,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// The subject of a finding: the caller, network or log that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Subject {
    /// `token`, `operator`, `network`, `log`, or `unknown` for a token that is not of this vault.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// Its name, if it has one. As it came from outside: not safe for a terminal or a page.
    pub name: Option<String>,
}

/// A line that shows something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Shown {
    /// The log.
    pub log: Arc<str>,
    /// The line's number in it.
    pub seq: u64,
    /// The time of the line.
    pub time: Timestamp,
}

/// An acknowledgement of a finding: the person, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "callers that keep acknowledgements make them")]
pub struct Acknowledged {
    /// The time of the acknowledgement.
    pub at: Timestamp,
    /// The person who acknowledged it.
    pub by: String,
    /// The reason why the finding is harmless, or the remedy.
    pub reason: String,
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Its id: the same in every review that sees its first line and the history before it.
    pub id: FindingId,
    /// The detector that found it.
    pub detector: Detector,
    /// The severity of the finding.
    pub severity: Severity,
    /// The subject of the finding.
    pub subject: Subject,
    /// The observation, in words. Names in it are as the clients sent them.
    pub explanation: String,
    /// The number of lines, or requests, that show it.
    pub count: u64,
    /// The time of the first line that shows it.
    pub first: Timestamp,
    /// The time of the last line that shows it.
    pub last: Timestamp,
    /// The first lines that show it.
    pub lines: Vec<Shown>,
    /// The acknowledgement of the finding. The review itself leaves it empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
}

/// The id of a finding: 16 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct FindingId(String);

impl FindingId {
    /// `SHA-256("ibyok finding v1" ‖ detector ‖ subject ‖ log ‖ seq)`, cut, each part ended by a zero byte.
    pub(super) fn of(detector: Detector, subject: &str, first: &Shown) -> Self {
        let mut hasher = Sha256::new();
        for part in [
            "ibyok finding v1",
            detector.as_str(),
            subject,
            &first.log,
            &first.seq.to_string(),
        ] {
            hasher.update(part.as_bytes());
            hasher.update([0]);
        }
        let digest = hasher.finalize();
        Self(data_encoding::HEXLOWER.encode(&cut::<8>(digest.into())))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id in this text, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (text.len() == 16 && plain).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
