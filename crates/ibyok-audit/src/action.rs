//! The words of the log: actions, results and kinds of callers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, shown};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $what:literal, { $($(#[$doc:meta])* $variant:ident => $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the word that a line has for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
                    .ok_or_else(|| Error::UnknownWord { what: $what, text: shown(text) })
            }
        }
    };
}

words! {
    /// The action that an event records, done or only attempted.
    #[non_exhaustive]
    Action, "action", {
        /// A key's value was asked for.
        KeyRetrieve => "key.retrieve",
        /// A key's metadata was asked for.
        KeyShow => "key.show",
        /// Keys were listed.
        KeyList => "key.list",
        /// A value was set.
        KeySet => "key.set",
        /// A key's metadata was changed.
        KeyEdit => "key.edit",
        /// A pending version was added.
        KeyStage => "key.stage",
        /// The pending version became current.
        KeyPromote => "key.promote",
        /// The newest retiring version became current again.
        KeyRollback => "key.rollback",
        /// Retiring versions were retired.
        KeyRetire => "key.retire",
        /// A version was destroyed.
        KeyDestroy => "key.destroy",
        /// A key or version was disabled.
        KeyDisable => "key.disable",
        /// A key or version was enabled.
        KeyEnable => "key.enable",
        /// A key was removed.
        KeyRemove => "key.remove",
        /// A key's mode was changed.
        KeyMode => "key.mode",
        /// Values were exported.
        KeyExport => "key.export",
        /// A token was issued.
        TokenIssue => "token.issue",
        /// A token was revoked.
        TokenRevoke => "token.revoke",
        /// A token's secret was changed.
        TokenRotate => "token.rotate",
        /// The key of tokens was replaced: every token under the old one ended.
        TokenRekey => "token.rekey",
        /// Tokens were listed.
        TokenList => "token.list",
        /// A request came without a valid token.
        TokenUseFailed => "token.use_failed",
        /// Usage was read.
        UsageRead => "usage.read",
        /// The audit log was read.
        AuditRead => "audit.read",
        /// A finding of a review was acknowledged.
        ReviewAck => "review.ack",
        /// A review was done.
        ReviewDone => "review.done",
        /// An item of the checklist was attested.
        ChecklistAttest => "checklist.attest",
        /// Settings were changed.
        SettingsChange => "settings.change",
        /// An environment was made.
        EnvCreate => "env.create",
        /// A damaged environment was given up.
        EnvRemove => "env.remove",
        /// A namespace was made.
        NamespaceCreate => "namespace.create",
        /// Namespaces were listed.
        NamespaceList => "namespace.list",
        /// A namespace was removed.
        NamespaceRemove => "namespace.remove",
        /// The key-encryption key was changed.
        KekRotate => "kek.rotate",
        /// A sealed copy of a local KEK was made.
        KekExport => "kek.export",
        /// A local KEK was restored from a copy.
        KekImport => "kek.import",
        /// A new generation of an environment key was made, or records were sealed under it.
        KekReseal => "kek.reseal",
        /// A generation of an environment key was deleted.
        KekDrop => "kek.drop",
        /// A vault was made.
        VaultInit => "vault.init",
        /// A vault was opened.
        VaultOpen => "vault.open",
        /// A vault was copied.
        VaultCopy => "vault.copy",
        /// A vault was moved.
        VaultMoved => "vault.moved",
        /// A backup was taken.
        VaultBackup => "vault.backup",
        /// A backup was restored.
        VaultRestore => "vault.restore",
        /// An older record was accepted by name.
        VaultRollbackAccepted => "vault.rollback_accepted",
        /// The store is behind the state that the log recorded.
        VaultStoreBehind => "vault.store_behind",
        /// A session of a log began.
        LogOpen => "log.open",
        /// A session of a log ended.
        LogClose => "log.close",
        /// Something is missing from a log, or was refused by it.
        LogGap => "log.gap",
        /// The floors did not fit the log, or were missing, and were rebuilt from it; or an operator acknowledged that.
        LogFloorsRebuilt => "log.floors_rebuilt",
        /// The floors were written to a file for another node.
        LogFloorsExported => "log.floors_exported",
        /// Floors of another node were taken over.
        LogFloorsImported => "log.floors_imported",
        /// Old segments of a log were moved into an archive.
        LogArchive => "log.archive",
        /// The node began without a history: it knows no floors of the records that the store holds.
        LogNoHistory => "log.no_history",
        /// An incident was opened.
        IncidentOpen => "incident.open",
        /// An incident was closed.
        IncidentClose => "incident.close",
    }
}

words! {
    /// The outcome of an action.
    #[expect(clippy::exhaustive_enums, reason = "a fourth outcome must break code that matches on three")]
    Outcome, "outcome", {
        /// It was allowed and done.
        Allowed => "allowed",
        /// It was refused by policy or for want of a valid token.
        Denied => "denied",
        /// It was allowed and did not work.
        Failed => "failed",
    }
}

words! {
    /// The position of an event within a change. A change is two events; every other event is a single one, without a
    /// phase.
    #[expect(clippy::exhaustive_enums, reason = "the life of a change has three states; a fourth must break callers")]
    Phase, "phase", {
        /// About to be stored.
        Intended => "intended",
        /// Stored.
        Done => "done",
        /// Not stored.
        NotDone => "not_done",
    }
}

words! {
    /// The kind of caller.
    #[non_exhaustive]
    PrincipalKind, "kind of principal", {
        /// The holder of a valid access token.
        Token => "token",
        /// An operator: a person who can read the store and use the KEK.
        Operator => "operator",
        /// A caller without a valid token.
        Anonymous => "anonymous",
    }
}
