//! `ibyok tokens review`: tokens that a person should look at.

use ibyok_core::{Environments, Grant};
use serde_json::Value;

use super::super::Cx;
use crate::error::Result;
use crate::exit::Exit;
use crate::show::clean;
use crate::table::{at, text};

const COLUMNS: [(&str, &str); 5] = [
    ("ID", "token"),
    ("NAME", "name"),
    ("FINDING", "finding"),
    ("DETAIL", "detail"),
    ("LAST USED", "last_used"),
];

pub(super) async fn run(cx: &mut Cx<'_>) -> Result<Exit> {
    cx.with_access(async |access, cx| {
        let list = access.review_tokens().await?;
        if !cx.globals.json {
            narrower(&list.items, cx);
        }
        let all_well = list.items.is_empty() && !list.is_incomplete();
        cx.answer_list(list, &COLUMNS, "no findings")?;
        Ok(if all_well { Exit::Done } else { Exit::Findings })
    })
    .await
}

/// The commands that issue what would have sufficed.
fn narrower(findings: &[Value], cx: &mut Cx<'_>) {
    for finding in findings {
        let Ok(grant) = serde_json::from_value::<Grant>(at(finding, "narrower").clone()) else {
            continue;
        };
        let name = text(at(finding, "name"));
        cx.io.say(&format!(
            "would have sufficed for {}: {}",
            clean(&name),
            command(&name, &grant)
        ));
    }
}

/// The command that issues a token of a name with a grant, to be pasted into a shell.
fn command(name: &str, grant: &Grant) -> String {
    let mut words = vec!["ibyok tokens issue".to_owned(), quoted(name)];
    let mut flag = |name: &str, value: &str| words.push(format!("{name} {}", quoted(value)));
    match &grant.environments {
        Environments::Named(names) => names.iter().for_each(|name| flag("--env", name)),
        Environments::All => {}
    }
    for key in grant.keys.iter().flatten() {
        flag("--key", key.as_str());
    }
    for scope in grant.scopes.iter() {
        flag("--scope", scope.as_str());
    }
    for network in grant.networks.iter().flatten() {
        flag("--cidr", &network.to_string());
    }
    if let Some(rate) = grant.rate {
        flag("--rate", &rate.to_string());
    }
    if grant.environments == Environments::All {
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
