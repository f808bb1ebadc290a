//! Parts of a log that are missing.

/// Something that is missing from a log: the content of a `log.gap` line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The kind of gap.
    pub kind: GapKind,
    /// The number of missing lines or events, as far as it is known.
    pub count: u64,
    /// The description of the gap, for people.
    pub detail: String,
}

impl Gap {
    pub(crate) fn new(kind: GapKind, count: u64, detail: impl Into<String>) -> Self {
        Self {
            kind,
            count,
            detail: detail.into(),
        }
    }
}

/// Why something is missing from a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapKind {
    /// The last write was cut by a crash; no line of it was acknowledged.
    Torn,
    /// Lines that the last checkpoint covers, or that were acknowledged, are not there.
    Missing,
    /// A whole line does not fit the chain; the log continues after the last one that does.
    Broken,
    /// Events were refused while a sink had failed.
    Refused,
    /// Events for which no task waited were dropped.
    Dropped,
}

impl GapKind {
    /// The word that begins the line's reason.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Torn => "torn",
            Self::Missing => "missing",
            Self::Broken => "broken",
            Self::Refused => "refused",
            Self::Dropped => "dropped",
        }
    }
}
