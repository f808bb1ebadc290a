//! `ibyok tokens rotate`: a new secret for a token under the same id.

use std::time::Duration;

use ibyok_core::{AccessToken, tokens::TokenRotation};
use serde_json::{Value, json};

use super::super::Cx;
use super::super::confirm::confirm;
use crate::access::IssuedToken;
use crate::error::{Error, Result};
use crate::exit::Exit;
use ibyok_reports::cell::Cell;
use ibyok_reports::tokens::valid_children;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The id or name of the token, or `self`
    #[arg(value_name = "TOKEN")]
    which: String,
    /// The time for which the vault still accepts the old secret, for example `1h`; `0` ends it at once [default: 24h]
    #[arg(long, value_name = "SPAN")]
    grace: Option<String>,
    /// Also revoke the tokens that it issued, and the tokens that those issued
    #[arg(long)]
    revoke_children: bool,
}

pub(super) async fn run(args: &Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let grace = args.grace.as_deref().map(span).transpose()?;
    let at_once = grace == Some(Duration::ZERO);
    if at_once || args.revoke_children {
        let consequence = match (at_once, args.revoke_children) {
            (true, false) => "the vault refuses its present secret at once",
            (false, _) => "the vault refuses the tokens that it issued at once",
            (true, true) => "the vault refuses its present secret and the tokens that it issued at once",
        };
        let act = format!("rotate the token `{}`", crate::show::clean(&args.which));
        confirm(cx, &act, consequence)?;
    }
    let rotation = TokenRotation::default()
        .grace(grace)
        .revoke_children(args.revoke_children);
    cx.with_access(async |access, cx| {
        let (info, token) = access.rotate_token(&args.which, &rotation).await?;
        answer(&info, info.json().get("grant"), &token, cx)?;
        let ends = match info.older_secret_until {
            None => "has ended".to_owned(),
            Some(ends) => format!("is accepted until {}", ends.cell()),
        };
        cx.io.say(&format!(
            "rotated {}: this is secret number {}, and the vault never shows it again; the secret before it {ends}; older secrets have ended",
            info.id,
            info.epoch.saturating_add(1),
        ));
        for id in &info.revoked_children {
            cx.io.say(&format!("revoked {id}, which the token issued"));
        }
        if at_once || args.revoke_children {
            cx.io.notes(valid_children(info.children.as_deref()));
        }
        Ok(Exit::Done)
    })
    .await
}

fn answer(info: &IssuedToken, grant: Option<&Value>, token: &AccessToken, cx: &mut Cx<'_>) -> Result<()> {
    let written = if cx.globals.json {
        // The one document that holds a token; it is asked for.
        cx.io.answer_json(&json!({
            "id": info.id,
            "token": token.expose(),
            "name": info.name,
            "expires_at": info.expires_at,
            "grant": grant,
            "epoch": info.epoch,
            "older_secret_until": info.older_secret_until,
            "children": info.children,
            "revoked_children": info.revoked_children,
        }))
    } else {
        cx.io.answer_line(token.expose())
    };
    written.map_err(|error| Error::Failed {
        what: format!("rotated token {}, but cannot write its new secret: {error}", info.id),
        hint: "nobody has the new secret; rotate the token again, which ends the secret in use".to_owned(),
    })
}

/// A length of time: `0`, or a span as times have it.
fn span(given: &str) -> Result<Duration> {
    if matches!(given, "0" | "0s") {
        return Ok(Duration::ZERO);
    }
    let now = crate::commands::time::now();
    let wrong = || {
        Error::usage(
            "a grace is a length of time",
            "give a span such as `30m`, `24h` or `7d`, or `0`",
        )
    };
    // Days and instants, which are times too, have a dash.
    if given.contains('-') {
        return Err(wrong());
    }
    let length = ibyok_operations::time::ahead(given, now)?.duration_since(now);
    Duration::try_from(length).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_is_a_span_or_nothing() {
        assert_eq!(span("0").unwrap(), Duration::ZERO);
        assert_eq!(span("90m").unwrap(), Duration::from_secs(5400));
        assert_eq!(span("1d").unwrap(), Duration::from_secs(86400));
        for wrong in ["", "x", "-1h", "1", "2026-12-31", "2027-01-01T00:00:00Z", "9999999y"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
