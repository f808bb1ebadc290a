//! `ibyok tokens review`: tokens that a person should check.

use ibyok_api::{Document, Grant, TokenFinding};

use super::super::Cx;
use crate::cell::Cell;
use crate::error::Result;
use crate::exit::Exit;
use crate::show::clean;
use crate::table::Column;

const COLUMNS: [Column<TokenFinding>; 5] = [
    ("ID", |finding| finding.token.cell()),
    ("NAME", |finding| finding.name.cell()),
    ("FINDING", |finding| finding.finding.cell()),
    ("DETAIL", |finding| finding.detail.cell()),
    ("LAST USED", |finding| finding.last_used.cell()),
];

pub(super) async fn run(cx: &mut Cx<'_>) -> Result<Exit> {
    cx.with_access(async |access, cx| {
        let list = access.review_tokens().await?;
        if !cx.globals.json {
            narrower(&list.items, cx);
        }
        let all_well = list.items.is_empty() && !list.is_incomplete();
        cx.answer_documents(&list, &COLUMNS, "no findings")?;
        Ok(if all_well { Exit::Done } else { Exit::Findings })
    })
    .await
}

/// Prints the commands that issue narrower tokens, which would have been enough.
fn narrower(findings: &[Document<TokenFinding>], cx: &mut Cx<'_>) {
    for finding in findings {
        let Some(grant) = &finding.narrower else {
            continue;
        };
        let name = &finding.name;
        cx.io.say(&format!(
            "this narrower token would have been enough for {}: {}",
            clean(name),
            command(name, grant)
        ));
    }
}

/// The command that issues a token of a name with a grant, to be pasted into a shell.
fn command(name: &str, grant: &Grant) -> String {
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
            command("it's $(here)", &grant),
            "ibyok tokens issue 'it'\\''s $(here)' --env prod --key 'open*' --scope keys:read"
        );
    }
}
