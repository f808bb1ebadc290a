//! `ibyok tokens revoke`: revokes one token, or all tokens of a person who leaves, and lists the keys to replace.

use ibyok_api::{Document, RevokedToken, TokenInfo, TokenState};
use ibyok_core::policy::TokenId;
use ibyok_operations::revocation::{ListedToken, Revoked, Selection, ToReplace};
use ibyok_reports::tokens;
use serde_json::{Value, json};

use super::super::Cx;
use super::super::confirm::confirm;
use crate::access::{Access, document_of as document};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::show::clean;
use ibyok_core::audit::words::{counted, is_or_are};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("tokens").args(["which", "name", "created_by", "damaged"]).required(true).multiple(true))]
pub(crate) struct Args {
    /// The id or name of the token, or `self`
    #[arg(value_name = "TOKEN", conflicts_with_all = ["name", "created_by"])]
    which: Option<String>,
    /// Revoke every valid token whose name matches this pattern: `*` matches any characters, `?` one character
    #[arg(long, value_name = "PATTERN")]
    name: Option<String>,
    /// Revoke every valid token that this operator, or the token with this id, issued
    #[arg(long, value_name = "WHO")]
    created_by: Option<String>,
    /// Revoke the token whose record is damaged; `tokens list` shows its id
    #[arg(long, value_name = "ID", conflicts_with_all = ["which", "name", "created_by", "keep_children"])]
    damaged: Option<TokenId>,
    /// Keep the tokens that they issued valid
    #[arg(long)]
    keep_children: bool,
    /// Also revoke the tokens that they issued (the default)
    #[arg(long, conflicts_with = "keep_children")]
    revoke_children: bool,
}

pub(super) async fn run(args: &Args, cx: &mut Cx<'_>) -> Result<Exit> {
    match (&args.which, args.damaged) {
        (_, Some(id)) => damaged(id, cx).await,
        (Some(which), None) => one(which, args.keep_children, cx).await,
        (None, None) => several(args, cx).await,
    }
}

async fn damaged(id: TokenId, cx: &mut Cx<'_>) -> Result<Exit> {
    confirm(
        cx,
        &format!("revoke the damaged token `{id}`"),
        "the vault replaces its record and loses its grant",
    )?;
    cx.with_vault("tokens revoke --damaged", async |here, cx| {
        let revoked = document(&here.session().tokens().revoke_damaged(id).await?)?;
        if cx.globals.json {
            cx.io.answer_json(&revoked)?;
        }
        cx.io.say(&format!("revoked {id}"));
        Ok(Exit::Done)
    })
    .await
}

fn consequence(keep_children: bool) -> &'static str {
    if keep_children {
        "the vault refuses its holders from now on"
    } else {
        "the vault refuses its holders, and the holders of tokens that it issued, from now on"
    }
}

async fn one(which: &str, keep_children: bool, cx: &mut Cx<'_>) -> Result<Exit> {
    let act = format!("revoke the token `{}`", clean(which));
    confirm(cx, &act, consequence(keep_children))?;
    cx.with_access(async |access, cx| {
        let revoked = access.revoke(which, keep_children).await?;
        if cx.globals.json {
            cx.io.answer_json(&revoked)?;
        }
        tell(&revoked, cx);
        cx.io.notes(tokens::not_searched(&revoked));
        if keep_children {
            cx.io.notes(tokens::valid_children(Some(&revoked.children)));
        }
        cx.io.notes(tokens::to_replace(&ToReplace::after(&[facts(&revoked)])));
        Ok(Exit::Done)
    })
    .await
}

async fn several(args: &Args, cx: &mut Cx<'_>) -> Result<Exit> {
    cx.with_access(async |access, cx| {
        let list = access.tokens().await?;
        let warning = list.warning();
        let mut listed = list.items;
        let meant = selection(args);
        listed.retain(|token| {
            meant.includes(&ListedToken {
                name: &token.name,
                created_by: &token.created_by,
                is_valid: token.state == TokenState::Valid,
            })
        });
        if listed.is_empty() {
            return Err(ibyok_core::Error::NotFound {
                what: "valid token that matches".to_owned(),
                hint: Some("`tokens list` shows names and who issued them".into()),
            }
            .into());
        }
        cx.io.say("tokens to revoke:");
        for token in &listed {
            let line = format!("  {} {}", token.id, clean(&token.name));
            cx.io.say(&line);
        }
        confirm(
            cx,
            &format!("revoke {}", counted(listed.len(), "token")),
            consequence(args.keep_children),
        )?;
        let (revoked, failed) = revoke_each(access, &listed, args.keep_children, cx).await;
        let error = (!failed.is_empty()).then(|| not_revoked(failed.len(), listed.len()));
        if cx.globals.json {
            let mut document = json!({ "items": revoked, "failed": failed });
            if let (Some(error), Value::Object(fields)) = (&error, &mut document) {
                fields.insert("error".to_owned(), error.document());
            }
            cx.io.answer_json(&document)?;
        }
        let facts: Vec<Revoked> = revoked.iter().map(|one| facts(one)).collect();
        cx.io.notes(tokens::to_replace(&ToReplace::after(&facts)));
        if let Some(warning) = warning {
            // A damaged record may be that of a token that was meant. Nobody can use it, and nobody can say whose it is.
            cx.io.warn(&warning);
            cx.io
                .warn("the vault refuses a damaged token; `ibyok tokens revoke --damaged ID` revokes it permanently");
        }
        error.map_or(Ok(Exit::Done), Err)
    })
    .await
}

fn not_revoked(failed: usize, all: usize) -> Error {
    let all = counted(all, "token");
    Error::failed(
        format!("{failed} of {all} {} not revoked", is_or_are(failed)),
        "the revoked tokens stay revoked; run the command again for the others",
    )
}

async fn revoke_each(
    access: &dyn Access,
    tokens: &[Document<TokenInfo>],
    keep_children: bool,
    cx: &mut Cx<'_>,
) -> (Vec<Document<RevokedToken>>, Vec<Value>) {
    let (mut revoked, mut failed) = (Vec::new(), Vec::new());
    for token in tokens {
        let id = &token.id;
        match access.revoke(id, keep_children).await {
            Ok(one) => {
                tell(&one, cx);
                if keep_children {
                    cx.io.notes(tokens::valid_children(Some(&one.children)));
                }
                revoked.push(one);
            }
            Err(error) => {
                cx.io.warn(&format!("{id} is not revoked: {error}"));
                failed.push(json!({ "id": id, "error": error.to_string() }));
            }
        }
    }
    (revoked, failed)
}

/// The tokens that the flags describe.
fn selection(args: &Args) -> Selection {
    let mut selection = Selection::new();
    if let Some(pattern) = &args.name {
        selection = selection.name(pattern);
    }
    if let Some(issuer) = &args.created_by {
        selection = selection.created_by(issuer);
    }
    selection
}

fn tell(revoked: &RevokedToken, cx: &mut Cx<'_>) {
    let (id, name) = (&revoked.info.id, clean(&revoked.info.name));
    cx.io.say(&format!("revoked {id} ({name})"));
}

fn facts(revoked: &RevokedToken) -> Revoked {
    Revoked {
        read_keys: revoked.read_keys.iter().map(|key| key.reference.clone()).collect(),
        is_complete: revoked.read_keys_complete,
        children: revoked.children.iter().map(|child| child.id.clone()).collect(),
        rotated_tokens: revoked.rotated_tokens.clone(),
    }
}
