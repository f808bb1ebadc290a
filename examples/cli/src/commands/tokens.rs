//! `ibyok tokens`

mod preset;
mod review;
mod revoke;
mod rotate;

use ibyok_api::TokenInfo;
use ibyok_core::{
    EnvironmentName, Environments, Grant, Scope, Scopes, TokenRequest, ipnet::IpNet, policy::Pattern, tokens::Expiry,
};
use ibyok_operations::preset::Preset;
use serde_json::json;

use super::limits::rate;
use super::{Cx, attenuate, time};
use crate::access::Access;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::table::Column;
use ibyok_reports::cell::{Cell, if_set, joined};
use ibyok_reports::keys::counting;
use ibyok_reports::tokens::announced;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Issue a token and print it; the vault never shows it again
    Issue(Issue),
    /// List the tokens, without secrets
    List,
    /// Show a token by id, by name, or `self`
    Show {
        /// The id or name of the token, or `self`
        #[arg(value_name = "TOKEN")]
        which: String,
    },
    /// Replace the secret of a token, under the same id, and print the new secret; the vault never shows it again
    Rotate(rotate::Args),
    /// Revoke one or several tokens, and the tokens that they issued
    Revoke(revoke::Args),
    /// List tokens that never expire, expire soon, are unused, or allow more than they use; exit 10 if there are any
    Review,
    /// Read a token from standard input and print a narrower token; works offline
    Attenuate(attenuate::Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Issue {
    /// A name for people to recognise the token
    name: String,
    /// A preset for the purpose of the token: sets the defaults of the other flags
    #[arg(long, value_parser = preset::parser())]
    preset: Option<Preset>,
    /// Allow this environment. Repeatable
    #[arg(long, value_name = "ENV", required_unless_present = "all_envs")]
    env: Vec<String>,
    /// Allow every environment
    #[arg(long, conflicts_with = "env")]
    all_envs: bool,
    /// Allow keys that match this pattern: `*` matches any characters, `?` one character. Repeatable [default: all]
    #[arg(long, value_name = "PATTERN")]
    key: Vec<String>,
    /// Allow this scope. Repeatable [default: keys:read and keys:list]
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Accept the token only from this network, for example `10.0.0.0/8`. Repeatable
    #[arg(long, value_name = "CIDR")]
    cidr: Vec<String>,
    /// The time at which the token expires: `30d`, `2026-12-31` (00:00 UTC) or an RFC 3339 time [default: 30d]
    #[arg(long, value_name = "WHEN", conflicts_with = "no_expiry")]
    expires: Option<String>,
    /// Issue a token that never expires
    #[arg(long)]
    no_expiry: bool,
    /// The rate limit of its retrievals, for example `60/min` [default: no limit]
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    rate: Option<String>,
    /// Allow only reads of pending versions: for canaries, which try staged values
    #[arg(long)]
    pending_only: bool,
    /// Allow the token to replace its own secret (`tokens rotate self`)
    #[arg(long)]
    self_rotate: bool,
}

/// The places for a token, and the ways in which a program finds it there.
const PLACES: &str = "keep it outside the project, in your CI's secrets or a secret store; programs read it from IBYOK_TOKEN, \
    IBYOK_TOKEN_FILE or IBYOK_TOKEN_COMMAND (docs/token-storage.md has the lines to paste)";

const COLUMNS: [Column<TokenInfo>; 8] = [
    ("ID", |token| token.id.cell()),
    ("NAME", |token| token.name.cell()),
    ("STATE", |token| token.state.cell()),
    ("SCOPES", |token| token.grant.scopes.cell()),
    ("ENVIRONMENTS", |token| token.grant.environments.cell()),
    ("KEYS", |token| token.grant.keys.cell()),
    ("EXPIRES", |token| token.expires_at.cell()),
    ("LAST USED", |token| token.last_used.cell()),
];

const FACTS: [Column<TokenInfo>; 18] = [
    ("id", |token| token.id.cell()),
    ("name", |token| token.name.cell()),
    ("state", |token| token.state.cell()),
    ("scopes", |token| token.grant.scopes.cell()),
    ("environments", |token| token.grant.environments.cell()),
    ("all environments", |token| if_set(token.grant.all_environments)),
    ("keys", |token| token.grant.keys.cell()),
    ("networks", |token| joined(token.grant.cidrs.iter().flatten())),
    ("pending only", |token| if_set(token.grant.pending_only)),
    ("self-rotate", |token| if_set(token.grant.self_rotate)),
    ("expires", |token| token.expires_at.cell()),
    ("created", |token| token.created.cell()),
    ("by", |token| token.created_by.cell()),
    ("secrets before", |token| token.epoch.cell()),
    ("old secret until", |token| token.older_secret_until.cell()),
    ("rotated", |token| {
        token.rotated.as_ref().map(|rotated| rotated.at).cell()
    }),
    ("rotated by", |token| {
        token.rotated.as_ref().map(|rotated| rotated.by.clone()).cell()
    }),
    ("parents", |token| token.parents.cell()),
];

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    match verb {
        Verb::Issue(args) => issue(&args, cx).await,
        Verb::List => {
            cx.with_access(async |access, cx| {
                cx.answer_documents(&access.tokens_with_last_use().await?, &COLUMNS, "no access tokens")
            })
            .await
        }
        Verb::Show { which } => {
            cx.with_access(async |access, cx| {
                let info = access.token(&which).await?;
                cx.answer_document(&info, &FACTS)?;
                if let Some(rate) = info.grant.rate.filter(|_| !cx.globals.json) {
                    let counting = counting(info.limit_scope.as_ref());
                    cx.io.answer_line(&format!("rate              {rate} ({counting})"))?;
                }
                Ok(Exit::Done)
            })
            .await
        }
        Verb::Rotate(args) => rotate::run(&args, cx).await,
        Verb::Revoke(args) => revoke::run(&args, cx).await,
        Verb::Review => review::run(cx).await,
        Verb::Attenuate(args) => attenuate::run(&args, cx),
    }
}

async fn issue(args: &Issue, cx: &mut Cx<'_>) -> Result<Exit> {
    let grant = grant(args)?;
    let expiry = expiry(args)?;
    cx.with_access(async |access, cx| {
        let expiry = match args.preset {
            Some(preset) => filled_in(preset, args, &grant, expiry, access, cx).await?,
            None => expiry,
        };
        let request = TokenRequest::new(args.name.clone(), grant).expiry(expiry);
        let (info, token) = access.issue(request).await?;
        let end = info.expires_at.map_or_else(|| "never".to_owned(), |end| end.cell());
        let written = if cx.globals.json {
            // The one document that holds a token; it is asked for.
            cx.io.answer_json(&json!({
                "id": info.id,
                "token": token.expose(),
                "name": info.name,
                "expires_at": info.expires_at,
                "grant": info.json().get("grant"),
            }))
        } else {
            cx.io.answer_line(token.expose())
        };
        if let Err(error) = written {
            let what = format!("issued token {}, but cannot write it: {error}", info.id);
            return Err(Error::Failed {
                what,
                hint: "nobody has the token; revoke it with `tokens revoke`".to_owned(),
            });
        }
        let unasked = args.preset.is_none() && args.expires.is_none() && !args.no_expiry;
        let end = match unasked {
            true => format!("{end} (the default; `--expires` changes it)"),
            false => end,
        };
        cx.io.say(&format!(
            "issued {}; it expires: {end}. The vault never shows the token again",
            info.id
        ));
        cx.io.say(PLACES);
        Ok(Exit::Done)
    })
    .await
}

/// Returns the end of a token by a preset. Prints the token that is about to be issued.
async fn filled_in(
    preset: Preset,
    args: &Issue,
    grant: &Grant,
    asked: Expiry,
    access: &dyn Access,
    cx: &mut Cx<'_>,
) -> Result<Expiry> {
    preset::check(preset, grant)?;
    let expiry = match asked {
        Expiry::Default => {
            let own = access.whoami().await?.expires_at;
            Expiry::At(preset.end(crate::commands::time::now(), own))
        }
        said => said,
    };
    let end = match expiry {
        Expiry::At(end) => Some(end),
        _ => None,
    };
    cx.io.notes(announced(&args.name, preset, grant, time::now(), end));
    Ok(expiry)
}

fn grant(args: &Issue) -> Result<Grant> {
    let environments = if args.all_envs {
        Environments::All
    } else {
        Environments::named(environments(&args.env)?)
    };
    let scopes = match args.preset {
        Some(preset) if args.scope.is_empty() => preset.scopes().iter().copied().collect(),
        _ => scopes(&args.scope)?,
    };
    let mut grant = Grant::new(scopes, environments);
    grant.pending_only = args.pending_only;
    grant.self_rotate = args.self_rotate;
    if !args.key.is_empty() {
        grant.keys = Some(patterns(&args.key)?);
    }
    grant.networks = networks(&args.cidr)?;
    grant.rate = args.rate.as_deref().map(rate).transpose()?;
    Ok(grant)
}

fn expiry(args: &Issue) -> Result<Expiry> {
    Ok(match &args.expires {
        _ if args.no_expiry => Expiry::Never,
        Some(when) => Expiry::At(time::ahead(when)?),
        None => Expiry::Default,
    })
}

/// Scopes as they are typed; reading and listing if none is.
pub(super) fn scopes(given: &[String]) -> Result<Scopes> {
    if given.is_empty() {
        return Ok([Scope::KeysRead, Scope::KeysList].into_iter().collect());
    }
    let words = Scope::ALL.map(Scope::as_str).join(", ");
    Ok(
        parsed::<Scope, Vec<Scope>>(given, "scope", &format!("the scopes are {words}"))?
            .into_iter()
            .collect(),
    )
}

/// Patterns as they are typed.
pub(super) fn patterns(given: &[String]) -> Result<Vec<Pattern>> {
    parsed(
        given,
        "pattern",
        "write the name of a key, in which `*` matches any characters and `?` one character",
    )
}

/// Parses networks; `None` if none is given.
pub(super) fn networks(given: &[String]) -> Result<Option<Vec<IpNet>>> {
    let hint = "write a network such as `10.0.0.0/8` or `2001:db8::/32`";
    let networks = (!given.is_empty()).then(|| parsed(given, "network", hint));
    networks.transpose()
}

/// The names of environments, in their short form.
pub(super) fn environments(given: &[String]) -> Result<Vec<String>> {
    given
        .iter()
        .map(|name| Ok(name.parse::<EnvironmentName>()?.to_string()))
        .collect()
}

/// Parses each argument; [`Error::Usage`] with the first that is not valid.
fn parsed<T: std::str::FromStr, C: FromIterator<T>>(given: &[String], what: &str, hint: &str) -> Result<C> {
    let one = |text: &String| {
        let shown: String = text.chars().take(64).collect();
        text.parse()
            .map_err(|_| Error::usage(format!("{what} `{}` is not valid", crate::show::clean(&shown)), hint))
    };
    given.iter().map(one).collect()
}
