//! Remedies in the words of the command line: the command that does the step.

use ibyok_core::errors::{Affected, Damage, Remedy};

/// Returns the words for a remedy. A step for which there is no command keeps its own words.
pub(crate) fn worded(remedy: &Remedy) -> String {
    if let Remedy::Damaged { damage, affected } = remedy {
        return of_damage(*damage, *affected);
    }
    command(remedy).map_or_else(|| remedy.to_string(), str::to_owned)
}

fn command(remedy: &Remedy) -> Option<&'static str> {
    Some(match remedy {
        Remedy::ListVersions => "`ibyok keys show` lists the versions",
        Remedy::ListFields => "`ibyok keys show` lists the fields",
        Remedy::ListKeys => "`ibyok keys list` lists the keys",
        Remedy::ListTokens => "`ibyok tokens list` lists the tokens",
        Remedy::ListNamespaces => "`ibyok namespaces list` lists the namespaces",
        Remedy::ListIncidents => "`ibyok incident list --all` lists the incidents",
        Remedy::ListDamaged => "`ibyok keys list` shows damaged records with their ids",
        Remedy::ListLines => "`ibyok audit tail --json` shows the lines with their numbers and logs",
        Remedy::NameLog => "give the id of the log with `--log`",
        Remedy::GiveProof => "give a file that `ibyok audit prove` wrote",
        Remedy::GiveFloorsExport => "give a file that `ibyok audit floors export` wrote",
        Remedy::GiveBundle => "make a bundle with `ibyok scan --export-bundle FILE`",
        Remedy::ForceWithReason => "remove `--reason`, or add `--force`",
        Remedy::CreateKey => "create the key with `ibyok keys set`, which makes its first version current",
        Remedy::EditSettings => "change the other settings with `ibyok keys edit`",
        Remedy::EnableKey => "enable the key with `ibyok keys enable`",
        Remedy::StageVersion => "add one with `ibyok rotate stage`",
        Remedy::PromoteAnother => {
            "`ibyok rotate status` shows the versions; a retired version cannot become current again"
        }
        Remedy::RemoveKey => "remove the key with `ibyok keys remove REF`",
        Remedy::RemoveUnknownFormat => {
            "use a newer version of IBYOK, or restore the store from a backup; if no program wrote the record, remove the key with `ibyok keys remove --damaged ID --force`"
        }
        Remedy::RemoveUnreadable => {
            "check the disk and the system's log, or restore the store from a backup; remove the key anyway with `ibyok keys remove --damaged ID --force`"
        }
        Remedy::RevokeToken => "revoke the token with `ibyok tokens revoke ID`",
        Remedy::EmptyEnvironment => {
            "remove its keys with `ibyok keys remove REF`, and revoke its tokens with `ibyok tokens revoke`"
        }
        Remedy::EmptyNamespace => {
            "remove its keys and revoke its tokens first, or remove the namespace with its contents by `--force NAME`"
        }
        Remedy::NameVariable => {
            "end the name in a word such as KEY, TOKEN, PASSWORD or URL, or let an operator set it with `ibyok keys edit --var`"
        }
        Remedy::AwaitConsumers => {
            "`ibyok rotate status` shows the consumers; wait for them, revoke the tokens of consumers that no longer exist, or add `--force --reason TEXT`; the current version cannot go before you promote another"
        }
        Remedy::DestroyVersions => {
            "its versions together are too large: destroy a version that nobody needs with `ibyok rotate destroy REF --version N`"
        }
        Remedy::ActInNamespace => "act in that namespace: give `--namespace NAME`, or a token that was issued there",
        Remedy::RebuildFloors => {
            "copy the directory of logs first; `ibyok audit verify` names the fault, and `ibyok audit floors rebuild` rebuilds the floors from the log and the store"
        }
        Remedy::GiveKekOfEnvironment => {
            "add the environment's KEK to `[kek_for]` in `vault.toml` or to `--kek`, or run the command on a machine that has the KEK"
        }
        Remedy::OwnLogOrKek => "give the KEK with `--kek`, or give this node its own log directory with `--audit`",
        Remedy::CreateVault => {
            "create a vault with `ibyok init`; if the vault existed before, its store file is missing"
        }
        Remedy::OwnLogDirectory => {
            "give the new vault its own log directory; if the log is this vault's, set `IBYOK_STORE` to the store of that vault"
        }
        Remedy::ListDamagedEnvironments => {
            "`ibyok envs list` shows damaged environments with their ids; if only the record of a name is damaged, restore the store from a backup"
        }
        _ => return None,
    })
}

/// Returns a warning about the vault with the command that answers it. A warning without such a command stays as it is.
pub(crate) fn of_warning(warning: &str, about: &About<'_>) -> String {
    if about.findings.iter().any(|finding| finding == warning) {
        return format!("{warning}; `ibyok audit floors rebuild` acknowledges it");
    }
    if about.no_history_before.is_some_and(|since| warning.contains(since)) {
        return format!("{warning} with `ibyok audit floors import`");
    }
    if about.behind == Some(warning) {
        return of_behind(warning);
    }
    warning.to_owned()
}

/// Returns the sentence about a store that is behind the log with the command that accepts its copy.
pub(crate) fn of_behind(behind: &str) -> String {
    format!("{behind} with `ibyok audit floors rebuild --accept-rollback`")
}

/// The facts about a vault by which a warning is recognised.
pub(crate) struct About<'f> {
    /// The findings about the floors.
    pub(crate) findings: &'f [String],
    /// The time at which the node began without a history.
    pub(crate) no_history_before: Option<&'f str>,
    /// The distance by which the store is behind the log.
    pub(crate) behind: Option<&'f str>,
}

/// Returns the action that helps, and the command that gives up a record of this sort.
fn of_damage(damage: Damage, affected: Affected) -> String {
    // No command helps, so the words are the same for every reader.
    if affected == Affected::Home {
        return Remedy::Damaged { damage, affected }.to_string();
    }
    let action = match damage {
        Damage::DoesNotOpen => "restore the store from a backup, and find out who wrote to the store",
        Damage::Missing if affected == Affected::Environment => {
            "restore the newest backup of the store, and find out who wrote to the store"
        }
        Damage::Missing | Damage::Older => {
            "restore the newest backup of the store, and find out who set the store back; if you restored an older store on purpose, accept the older records with `ibyok audit floors rebuild --accept-rollback`"
        }
        Damage::Unreadable => {
            return "check the disk and the system's log, then restore the store from a backup".to_owned();
        }
        Damage::UnknownFormat => {
            "if a newer version of IBYOK wrote the record, use that version; else restore the store from a backup, and find out who wrote to the store"
        }
        Damage::Kek => return "give the KEK that the record names, or restore the store from a backup".to_owned(),
        other => {
            return Remedy::Damaged {
                damage: other,
                affected,
            }
            .to_string();
        }
    };
    let way_out = match affected {
        Affected::Key if damage == Damage::UnknownFormat => {
            "`ibyok keys list` shows damaged keys, and `ibyok keys remove --damaged ID --force` removes one even if it may be intact"
        }
        Affected::Key => "`ibyok keys list` shows damaged keys, and `ibyok keys remove --damaged ID` removes one",
        Affected::Token => {
            "`ibyok tokens list` shows damaged tokens, and `ibyok tokens revoke --damaged ID` revokes one permanently"
        }
        // A record that may be whole is not given up.
        Affected::Environment if damage == Damage::UnknownFormat => {
            "the other environments keep working; `ibyok envs list` shows damaged environments"
        }
        Affected::Environment => {
            "the other environments keep working; `ibyok envs list` shows damaged environments, and `ibyok envs remove --damaged ID` removes one with its keys and tokens"
        }
        _ => "`ibyok status` lists damaged records",
    };
    format!("{action}; {way_out}")
}
