//! `ibyok tokens attenuate`: a narrower token, made by its holder without asking anybody.

use ibyok_core::{AccessToken, policy::Restriction, tokens::attenuate};
use ibyok_operations::file::read_value;
use serde_json::json;

use super::tokens::{environments, networks, patterns, scopes};
use super::{Cx, time};
use crate::error::{Error, Result};
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Allow only this scope
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Allow only this environment
    #[arg(long, value_name = "ENV")]
    env: Vec<String>,
    /// Allow only keys that match this pattern: `*` matches any characters, `?` one character
    #[arg(long, value_name = "PATTERN")]
    key: Vec<String>,
    /// Accept the token only from this network
    #[arg(long, value_name = "CIDR")]
    cidr: Vec<String>,
    /// Expire at this time, or earlier with the original token: `15m`, `2026-12-31` (00:00 UTC) or an RFC 3339 time
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// Allow only reads of pending versions: for canaries, which try staged values
    #[arg(long)]
    pending_only: bool,
    /// Forbid it to issue tokens that may rotate themselves. A narrowed token can never rotate itself
    #[arg(long)]
    no_self_rotate: bool,
}

pub(super) fn run(args: &Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let restriction = restriction(args)?;
    if cx.io.terminal.input {
        cx.io.say("the token, then Ctrl-D:");
    }
    let token = read_value(cx.io.input(), "standard input")?;
    let text = token
        .text()
        .map_err(|_| Error::no_token("standard input holds no token"))?;
    let narrower = attenuate(&AccessToken::from(text.trim()), &restriction)?;
    if cx.globals.json {
        cx.io.answer_json(&json!({ "token": narrower.expose() }))?;
    } else {
        cx.io.answer_line(narrower.expose())?;
    }
    Ok(Exit::Done)
}

fn restriction(args: &Args) -> Result<Restriction> {
    let mut restriction = Restriction::default();
    if !args.scope.is_empty() {
        restriction.scopes = Some(scopes(&args.scope)?);
    }
    if !args.env.is_empty() {
        restriction.environments = Some(environments(&args.env)?.into_iter().collect());
    }
    if !args.key.is_empty() {
        restriction.keys = Some(patterns(&args.key)?);
    }
    restriction.networks = networks(&args.cidr)?;
    if let Some(when) = &args.expires {
        let at = time::ahead(when)?;
        if at <= time::now() {
            return Err(Error::usage(
                format!(
                    "`--expires {}` is in the past: the token would never be valid",
                    crate::show::clean(when)
                ),
                "the time must be in the future",
            ));
        }
        restriction.expires = Some(at);
    }
    restriction.pending_only = args.pending_only;
    restriction.no_self_rotate = args.no_self_rotate;
    if restriction == Restriction::default() {
        return Err(Error::usage(
            "no restriction is given",
            "give `--scope`, `--env`, `--key`, `--cidr`, `--expires`, `--pending-only` or `--no-self-rotate`",
        ));
    }
    Ok(restriction)
}
