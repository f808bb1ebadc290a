//! The handles of a session: its verbs, grouped by their subject.
//!
//! A handle borrows the session and is free to copy. The verbs of each are in `verbs/`.

use std::path::PathBuf;

use crate::vault::session::Session;

/// The verbs on keys: see [`Session::keys`].
#[derive(Clone, Copy, Debug)]
pub struct KeyVerbs<'s> {
    pub(crate) session: &'s Session,
}

/// The verbs on access tokens: see [`Session::tokens`].
#[derive(Clone, Copy, Debug)]
pub struct TokenVerbs<'s> {
    pub(crate) session: &'s Session,
}

/// The verbs on modes: see [`Session::modes`].
#[derive(Clone, Copy, Debug)]
pub struct ModeVerbs<'s> {
    pub(crate) session: &'s Session,
}

/// The verbs on limits: see [`LimitVerbs::list`](crate::limits::LimitVerbs::list).
#[derive(Clone, Copy, Debug)]
pub struct LimitVerbs<'s> {
    pub(crate) session: &'s Session,
}

/// The verbs on environments: see [`EnvironmentVerbs::list`](crate::environments::EnvironmentVerbs::list).
#[derive(Clone, Copy, Debug)]
pub struct EnvironmentVerbs<'s> {
    pub(crate) session: &'s Session,
}

/// The verbs on the audit log: see [`Session::audit`].
#[derive(Clone, Copy, Debug)]
pub struct AuditVerbs<'s> {
    pub(crate) session: &'s Session,
    /// Archives whose lines come before those of the place.
    pub(crate) archives: &'s [PathBuf],
}

/// The verbs on floors: see [`Session::floors`].
#[derive(Clone, Copy, Debug)]
pub struct FloorVerbs<'s> {
    pub(crate) session: &'s Session,
}

/// The verbs on usage: see [`UsageVerbs::report`](crate::usage::UsageVerbs::report).
#[derive(Clone, Copy, Debug)]
pub struct UsageVerbs<'s> {
    pub(crate) session: &'s Session,
}

/// The verbs on rotation: see [`Session::rotation`].
#[derive(Clone, Copy, Debug)]
pub struct RotationVerbs<'s> {
    pub(crate) session: &'s Session,
}

/// The verbs on incidents: see [`Session::incidents`].
#[derive(Clone, Copy, Debug)]
pub struct IncidentVerbs<'s> {
    pub(crate) session: &'s Session,
}

/// The verbs on known values: see [`KnownValueVerbs::collect`](crate::known_values::KnownValueVerbs::collect).
#[derive(Clone, Copy, Debug)]
pub struct KnownValueVerbs<'s> {
    pub(crate) session: &'s Session,
}

/// The verbs on attestations: see [`AttestationVerbs::list`](crate::attestations::AttestationVerbs::list).
#[derive(Clone, Copy, Debug)]
pub struct AttestationVerbs<'s> {
    pub(crate) session: &'s Session,
}

/// The verbs on backups: see [`Session::backups`].
#[derive(Clone, Copy, Debug)]
pub struct BackupVerbs<'s> {
    pub(crate) session: &'s Session,
}

impl<'s> RotationVerbs<'s> {
    /// Returns the session, for verbs that other crates put together from those of several handles.
    #[must_use]
    pub fn session(self) -> &'s Session {
        self.session
    }
}

impl Session {
    /// Sets, shows, lists, changes and removes keys.
    #[must_use]
    pub fn keys(&self) -> KeyVerbs<'_> {
        KeyVerbs { session: self }
    }

    /// Issues, lists, rotates and revokes access tokens.
    #[must_use]
    pub fn tokens(&self) -> TokenVerbs<'_> {
        TokenVerbs { session: self }
    }

    /// Shows and sets the modes, mock or live, of environments and keys.
    #[must_use]
    pub fn modes(&self) -> ModeVerbs<'_> {
        ModeVerbs { session: self }
    }

    /// Shows and sets the limits of environments.
    #[must_use]
    pub fn limits(&self) -> LimitVerbs<'_> {
        LimitVerbs { session: self }
    }

    /// Lists, adds and removes environments.
    #[must_use]
    pub fn environments(&self) -> EnvironmentVerbs<'_> {
        EnvironmentVerbs { session: self }
    }

    /// Reads, follows, examines, verifies and proves lines of the audit log.
    #[must_use]
    pub fn audit(&self) -> AuditVerbs<'_> {
        AuditVerbs {
            session: self,
            archives: &[],
        }
    }

    /// Verifies, rebuilds, exports and imports floors, and accepts rollbacks.
    #[must_use]
    pub fn floors(&self) -> FloorVerbs<'_> {
        FloorVerbs { session: self }
    }

    /// Reports the use of keys and tokens.
    #[must_use]
    pub fn usage(&self) -> UsageVerbs<'_> {
        UsageVerbs { session: self }
    }

    /// Stages, promotes, retires and destroys versions of keys.
    #[must_use]
    pub fn rotation(&self) -> RotationVerbs<'_> {
        RotationVerbs { session: self }
    }

    /// Opens, lists and closes incidents, and collects the facts about one.
    #[must_use]
    pub fn incidents(&self) -> IncidentVerbs<'_> {
        IncidentVerbs { session: self }
    }

    /// Collects the values that the vault knows, for finding them in texts.
    #[must_use]
    pub fn known_values(&self) -> KnownValueVerbs<'_> {
        KnownValueVerbs { session: self }
    }

    /// Records and lists statements of people about items of the checklist.
    #[must_use]
    pub fn attestations(&self) -> AttestationVerbs<'_> {
        AttestationVerbs { session: self }
    }

    /// Takes backups of the whole vault.
    #[must_use]
    pub fn backups(&self) -> BackupVerbs<'_> {
        BackupVerbs { session: self }
    }
}
