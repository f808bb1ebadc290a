//! Tokens: revoked ones, their children, the secrets to replace, and commands for narrower tokens.

use ibyok_api::{ChildToken, DamagedRecord, Grant, RevokedToken, TokenFinding};
use ibyok_core::jiff::Timestamp;
use ibyok_core::{self as core, Environments};
use ibyok_operations::Note;
use ibyok_operations::preset::{Preset, Unsuited};
use ibyok_operations::revocation::ToReplace;

use crate::clean;

/// Describes the tokens that a token issued and that stay valid, with the command that revokes each. `None` means that they could not be read.
#[must_use]
pub fn valid_children(children: Option<&[ChildToken]>) -> Vec<Note> {
    let Some(children) = children else {
        let text = "cannot read the tokens that it issued; `ibyok tokens list` lists them";
        return vec![Note::Warning(text.to_owned())];
    };
    if children.is_empty() {
        return Vec::new();
    }
    let head = Note::Info("tokens that it issued stay valid (`--revoke-children` revokes them):".to_owned());
    let each = children.iter();
    let each = each.map(|child| Note::Info(format!("  ibyok tokens revoke {}    {}", child.id, child.name)));
    std::iter::once(head).chain(each).collect()
}

/// Warns that another token of the same name may be in a place that the vault could not search.
#[must_use]
pub fn not_searched(revoked: &RevokedToken) -> Vec<Note> {
    if revoked.not_searched.is_empty() && revoked.search_incomplete {
        let text = "warning: another token of this name may exist: the search was incomplete, because a record of the vault is damaged";
        return vec![Note::Warning(text.to_owned())];
    }
    let warning = |record: &DamagedRecord| {
        Note::Warning(format!(
            "warning: another token of this name may exist in a place that was not searched: {}",
            record
        ))
    };
    revoked.not_searched.iter().map(warning).collect()
}

/// Describes the commands that replace the secrets which the holders of revoked tokens may still have.
#[must_use]
pub fn to_replace(left: &ToReplace) -> Vec<Note> {
    let mut notes = Vec::new();
    if !left.keys.is_empty() {
        let head = "the token read these keys in the last 90 days, and its holder may still have the values; replace each with:";
        notes.push(Note::Info(head.to_owned()));
    }
    notes.extend(
        left.keys
            .iter()
            .map(|key| Note::Info(format!("  ibyok rotate stage {key}"))),
    );
    notes.extend(left.tokens.iter().map(|token| {
        Note::Info(format!(
            "this token, or one that it issued, rotated another token, so its holder may have that secret: ibyok tokens rotate {token} --grace 0"
        ))
    }));
    if !left.is_complete {
        let text = "the list of keys may be incomplete; an operator can list the reads with `ibyok audit tail --token`";
        notes.push(Note::Warning(text.to_owned()));
    }
    notes
}

/// Describes the command that issues a narrower token, for each finding that has one.
#[must_use]
pub fn narrower<F: std::ops::Deref<Target = TokenFinding>>(findings: &[F]) -> Vec<Note> {
    let narrower = |finding: &F| {
        let (name, grant) = (&finding.name, finding.narrower.as_ref()?);
        let command = issue_command(name, grant);
        Some(Note::Info(format!(
            "this narrower token would have been enough for {name}: {command}"
        )))
    };
    findings.iter().filter_map(narrower).collect()
}

/// Describes the token that is about to be issued by a preset, and warns of properties that do not fit its purpose. `end` is `None` for a
/// token that never expires.
#[must_use]
pub fn announced(name: &str, preset: Preset, grant: &core::Grant, now: Timestamp, end: Option<Timestamp>) -> Vec<Note> {
    let scopes: Vec<String> = grant.scopes.iter().map(|scope| scope.to_string()).collect();
    let environments = match &grant.environments {
        Environments::All => "every environment".to_owned(),
        Environments::Named(names) => names.iter().cloned().collect::<Vec<_>>().join(", "),
    };
    let keys = grant.keys.as_ref().map_or("every key".to_owned(), |keys| {
        let keys: Vec<&str> = keys.iter().map(core::policy::Pattern::as_str).collect();
        format!("the keys {}", keys.join(", "))
    });
    let ends = end.map_or("never".to_owned(), |end| format!("{end:.0}"));
    let mut notes = vec![Note::Info(format!(
        "preset {preset}: issuing `{name}`: {} on {keys} of {environments}; it expires: {ends}",
        scopes.join(", "),
    ))];
    if preset == Preset::Production && end.is_some() {
        notes.push(Note::Info(
            "`tokens review` warns 30, 7 and 1 days before it expires".to_owned(),
        ));
    }
    let unsuited = preset.unsuited(grant, now, end).into_iter();
    notes.extend(unsuited.map(|unsuited| Note::Warning(warning(preset, unsuited))));
    notes
}

/// Words a property of a token that does not fit its preset.
fn warning(preset: Preset, unsuited: Unsuited) -> String {
    let longest = preset.longest_days();
    let life = match unsuited {
        Unsuited::ReadsProduction => return "a token for a developer's machine that reads `prod`".to_owned(),
        Unsuited::NeverEnds => "never expires",
        Unsuited::LivesLong => "has a long life",
    };
    match preset {
        Preset::Ci => format!(
            "warning: this token for CI {life}; use 7 to {longest} days on a machine that is not yours, and renew it with `tokens rotate`"
        ),
        Preset::Production => format!(
            "warning: this token for production {life}; use at most {longest} days, or run `ibyok tokens review` and \
            `ibyok audit review` from your monitoring"
        ),
        Preset::Local => {
            format!("warning: this token for a developer's machine {life}; use at most {longest} days")
        }
    }
}

/// Returns the command that issues a token of this name with this grant, to be pasted into a shell.
#[must_use]
pub fn issue_command(name: &str, grant: &Grant) -> String {
    let mut words = vec!["ibyok tokens issue".to_owned(), quoted(name)];
    let mut flag = |name: &str, value: &str| words.push(format!("{name} {}", quoted(value)));
    for name in grant.environments.iter().flatten() {
        flag("--env", name);
    }
    for key in grant.keys.iter().flatten() {
        flag("--key", key);
    }
    for scope in &grant.scopes {
        flag("--scope", scope.as_str());
    }
    for network in grant.cidrs.iter().flatten() {
        flag("--cidr", &network.to_string());
    }
    if let Some(rate) = grant.rate {
        flag("--rate", &rate.to_string());
    }
    if grant.all_environments {
        words.push("--all-envs".to_owned());
    }
    if grant.pending_only {
        words.push("--pending-only".to_owned());
    }
    if grant.self_rotate {
        words.push("--self-rotate".to_owned());
    }
    words.join(" ")
}

/// A word of a shell, quoted where it has to be, with nothing in it that a terminal would act on.
fn quoted(word: &str) -> String {
    let word = clean(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:=,".contains(c);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(plain) {
        word
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_one_that_a_shell_takes_as_it_is_meant() {
        let grant = serde_json::json!({"scopes": ["keys:read"], "environments": ["prod"], "keys": ["open*"]});
        let grant: Grant = serde_json::from_value(grant).unwrap();
        assert_eq!(
            issue_command("it's $(here)", &grant),
            "ibyok tokens issue 'it'\\''s $(here)' --env prod --key 'open*' --scope keys:read"
        );
    }
}
