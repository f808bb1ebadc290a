//! Remedies: the next step after an error, as data.
//!
//! The core does not know how its caller reaches it. A program words a remedy for its readers: the command line names commands,
//! and [`Remedy`]'s own words, which a server sends, name none.

use std::borrow::Cow;
use std::fmt;

use crate::base::damage::{Affected, Damage};

/// The step that a person can take after an error.
///
/// Prints as plain words that name no command and no flag. A program that has commands words the variants itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Advice in words that fit every reader.
    Advice(Cow<'static, str>),
    /// Restore, accept or give up a damaged record.
    Damaged {
        /// The damage.
        damage: Damage,
        /// The sort of record.
        affected: Affected,
    },
    /// List the versions of the key.
    ListVersions,
    /// List the fields of the key.
    ListFields,
    /// List the keys.
    ListKeys,
    /// List the tokens.
    ListTokens,
    /// List the namespaces.
    ListNamespaces,
    /// List the incidents, closed ones included.
    ListIncidents,
    /// List the keys: the list has damaged records with their ids.
    ListDamaged,
    /// Read the audit log: it has the number of each line and its log.
    ListLines,
    /// Give the id of the log.
    NameLog,
    /// Give the proof of a line as the vault made it.
    GiveProof,
    /// Give an export of floors as a vault wrote it.
    GiveFloorsExport,
    /// Export a bundle of fingerprints again.
    GiveBundle,
    /// Leave out the reason, or force the step.
    ForceWithReason,
    /// Create the key, which makes its first version current.
    CreateKey,
    /// Edit the other settings of the key.
    EditSettings,
    /// Enable the key.
    EnableKey,
    /// Stage a version.
    StageVersion,
    /// Read the status of the rotation; a retired version cannot become current again.
    PromoteAnother,
    /// Remove the key as an intact one.
    RemoveKey,
    /// Use a newer version of IBYOK, or restore the store from a backup; if no program wrote the record, remove the key by force.
    RemoveUnknownFormat,
    /// Check the disk and the system's log, or restore the store from a backup; remove the key by force if neither helps.
    RemoveUnreadable,
    /// Revoke the token as an intact one.
    RevokeToken,
    /// Remove the keys of the environment, and revoke its tokens.
    EmptyEnvironment,
    /// Remove its keys and revoke its tokens first, or remove the namespace with its contents.
    EmptyNamespace,
    /// End the name in a word such as KEY, TOKEN, PASSWORD or URL, or let an operator set it.
    NameVariable,
    /// Read the status of the rotation; wait for the consumers, revoke the tokens of consumers that no longer exist, or force the step with a reason; the current version cannot go before you promote another.
    AwaitConsumers,
    /// Its versions together are too large: destroy a version that nobody needs.
    DestroyVersions,
    /// Act in that namespace, or use a token that was issued there.
    ActInNamespace,
    /// Copy the directory of logs first, verify the logs, and then rebuild the floors from the log and the store.
    RebuildFloors,
    /// Create a vault; if the vault existed before, its store file is missing.
    CreateVault,
    /// Give the new vault its own log directory; if the log is this vault's, open the vault with its store.
    OwnLogDirectory,
    /// Give this node the KEK of the environment, or use a node that has it.
    GiveKekOfEnvironment,
    /// Give this node the KEK of the realm that spans environments, or its own directory for the audit log.
    OwnLogOrKek,
    /// List the environments: the list has damaged ones with their ids; if only the record of a name is damaged, restore the store from a backup.
    ListDamagedEnvironments,
}

impl From<&str> for Remedy {
    fn from(advice: &str) -> Self {
        Remedy::Advice(advice.to_owned().into())
    }
}

impl From<String> for Remedy {
    fn from(advice: String) -> Self {
        Remedy::Advice(advice.into())
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remedy::Advice(advice) => f.write_str(advice),
            Remedy::Damaged { damage, affected } => f.write_str(&damage.remedy(*affected)),
            other => f.write_str(other.words()),
        }
    }
}

impl Remedy {
    /// Returns the words of a step that has no parts.
    fn words(&self) -> &'static str {
        match self {
            // Printed by `Display`.
            Remedy::Advice(_) | Remedy::Damaged { .. } => "",
            Remedy::ListVersions => "list the versions of the key",
            Remedy::ListFields => "list the fields of the key",
            Remedy::ListKeys => "list the keys",
            Remedy::ListTokens => "list the tokens",
            Remedy::ListNamespaces => "list the namespaces",
            Remedy::ListIncidents => "list the incidents, closed ones included",
            Remedy::ListDamaged => "list the keys: the list has damaged records with their ids",
            Remedy::ListLines => "read the audit log: it has the number of each line and its log",
            Remedy::NameLog => "give the id of the log",
            Remedy::GiveProof => "give the proof of a line as the vault made it",
            Remedy::GiveFloorsExport => "give an export of floors as a vault wrote it",
            Remedy::GiveBundle => "export a bundle of fingerprints again",
            Remedy::ForceWithReason => "leave out the reason, or force the step",
            Remedy::CreateKey => "create the key, which makes its first version current",
            Remedy::EditSettings => "edit the other settings of the key",
            Remedy::EnableKey => "enable the key",
            Remedy::StageVersion => "stage a version",
            Remedy::PromoteAnother => "read the status of the rotation; a retired version cannot become current again",
            Remedy::RemoveKey => "remove the key as an intact one",
            Remedy::RemoveUnknownFormat => {
                "use a newer version of IBYOK, or restore the store from a backup; if no program wrote the record, remove the key by force"
            }
            Remedy::RemoveUnreadable => {
                "check the disk and the system's log, or restore the store from a backup; remove the key by force if neither helps"
            }
            Remedy::RevokeToken => "revoke the token as an intact one",
            Remedy::EmptyEnvironment => "remove the keys of the environment, and revoke its tokens",
            Remedy::EmptyNamespace => {
                "remove its keys and revoke its tokens first, or remove the namespace with its contents"
            }
            Remedy::NameVariable => {
                "end the name in a word such as KEY, TOKEN, PASSWORD or URL, or let an operator set it"
            }
            Remedy::AwaitConsumers => {
                "read the status of the rotation; wait for the consumers, revoke the tokens of consumers that no longer exist, or force the step with a reason; the current version cannot go before you promote another"
            }
            Remedy::DestroyVersions => "its versions together are too large: destroy a version that nobody needs",
            Remedy::ActInNamespace => "act in that namespace, or use a token that was issued there",
            Remedy::RebuildFloors => {
                "copy the directory of logs first, verify the logs, and then rebuild the floors from the log and the store"
            }
            Remedy::GiveKekOfEnvironment => "give this node the KEK of that environment, or use a node that has it",
            Remedy::OwnLogOrKek => {
                "give this node the KEK of the realm that spans environments, or its own directory for the audit log"
            }
            Remedy::CreateVault => "create a vault; if the vault existed before, its store file is missing",
            Remedy::OwnLogDirectory => {
                "give the new vault its own log directory; if the log is this vault's, open the vault with its store"
            }
            Remedy::ListDamagedEnvironments => {
                "list the environments: the list has damaged ones with their ids; if only the record of a name is damaged, restore the store from a backup"
            }
        }
    }
}
