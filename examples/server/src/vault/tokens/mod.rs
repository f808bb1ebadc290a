//! The routes under `auth/token`. An accessor is a token's public id.

mod create;
mod describe;

use std::sync::Arc;

use ibyok_core::audit::Action;
use ibyok_core::pages::PageRequest;
use ibyok_core::policy::TokenId;
use ibyok_core::secrecy::SecretString;
use ibyok_core::tokens::{Descendants, TokenState, token_id};
use ibyok_core::{AccessToken, Scope, Session};
use serde::{Deserialize, Serialize};

use self::describe::{Known, lookup, renewed};
use super::answer::{done, ok};
use super::call::{Call, Verb};
use super::duration::Period;
use super::path::TokenRoute;
use crate::answer::Answer;
use crate::json::Raw;
use crate::problem::Problem;
use crate::router::Shared;
use crate::takes::Takes;

const TAKES: &str = "the body accepts token or accessor, and increment";

/// The tokens of a page while a whole list is read.
const PAGE: usize = 1000;

/// Answers a route about tokens.
pub(super) async fn answer(call: Call, route: TokenRoute) -> Answer {
    match (route, call.verb) {
        (TokenRoute::LookupSelf, Verb::Read) => lookup_self(call).await,
        (TokenRoute::LookupSelf, Verb::Write) => lookup_self(call).await,
        (TokenRoute::Lookup, Verb::Read) => lookup_self(call).await,
        (TokenRoute::Lookup, Verb::Write) => lookup_token(call).await,
        (TokenRoute::LookupAccessor, Verb::Write) => lookup_accessor(call).await,
        (TokenRoute::RenewSelf, Verb::Write) => renew_self(call).await,
        (TokenRoute::Renew, Verb::Write) => renew_token(call).await,
        (TokenRoute::RenewAccessor, Verb::Write) => renew_accessor(call).await,
        (TokenRoute::RevokeSelf, Verb::Write) => revoke_self(call).await,
        (TokenRoute::Revoke, Verb::Write) => revoke_token(call, Descendants::Revoke).await,
        (TokenRoute::RevokeOrphan, Verb::Write) => revoke_token(call, Descendants::Keep).await,
        (TokenRoute::RevokeAccessor, Verb::Write) => revoke_accessor(call).await,
        (TokenRoute::Accessors, Verb::List) => accessors(call).await,
        (TokenRoute::Accessors, Verb::Read) if call.query(&["list"])?.flag("list")? => accessors(call).await,
        (TokenRoute::Create, Verb::Write) => create::answer(call).await,
        (TokenRoute::LookupSelf | TokenRoute::Lookup, _) => Err(call.refuse_method("GET, POST, PUT")),
        (TokenRoute::Accessors, _) => Err(call.refuse_method("LIST")),
        _ => Err(call.refuse_method("POST, PUT")),
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked<'a> {
    #[serde(default, borrow)]
    token: Option<Raw<'a>>,
    #[serde(default)]
    accessor: Option<String>,
    /// Read and ignored: the expiry of a token does not change.
    #[serde(default)]
    increment: Option<Period>,
}

/// A request about another token, or about an accessor.
struct About {
    shared: Arc<Shared>,
    id: String,
    session: Session,
    token: Option<AccessToken>,
    accessor: Option<TokenId>,
}

impl About {
    async fn read(mut call: Call, action: Action) -> Result<Self, Problem> {
        call.query(&[])?;
        let session = call.sender(Takes::of_itself(action).0, None).await?;
        let (shared, _, id, body) = call.body().await?;
        let asked = body.parse_or_default::<Asked<'_>>(TAKES)?;
        if asked
            .increment
            .as_ref()
            .is_some_and(|increment| increment.get().is_none())
        {
            return Err(Problem::invalid("increment is not a duration").hint("for example `1h`"));
        }
        let accessor = asked.accessor.as_deref().map(str::parse::<TokenId>).transpose();
        Ok(About {
            shared,
            id,
            session,
            token: asked.token.as_ref().map(secret).transpose()?,
            accessor: accessor.map_err(|_| Problem::invalid("accessor is not the id of a token"))?,
        })
    }

    fn token(&self) -> Result<&AccessToken, Problem> {
        self.token
            .as_ref()
            .ok_or_else(|| Problem::invalid("the body has no token"))
    }

    fn accessor(&self) -> Result<TokenId, Problem> {
        self.accessor
            .ok_or_else(|| Problem::invalid("the body has no accessor"))
    }
}

fn secret(raw: &Raw<'_>) -> Result<AccessToken, Problem> {
    let text = raw.text();
    let text = text.as_ref().and_then(|secret| secret.text().ok());
    text.map(|text| AccessToken::new(SecretString::from(text)))
        .ok_or_else(|| Problem::invalid("token is not a string"))
}

async fn lookup_self(mut call: Call) -> Answer {
    call.query(&[])?;
    let session = call.session().await?;
    ok(&call.id, lookup(&Known::own(&session).await?))
}

/// Shows the token in the body, whose holder may look it up anyway.
async fn lookup_token(call: Call) -> Answer {
    let context = call.context();
    let about = About::read(call, Action::TokenList).await?;
    about.session.whoami().await?;
    let other = about.shared.vault.as_token(about.token()?).with_context(context);
    ok(&about.id, lookup(&Known::own(&other).await?))
}

async fn lookup_accessor(call: Call) -> Answer {
    let about = About::read(call, Action::TokenList).await?;
    let known = Known::of(&about.session, about.accessor()?).await?;
    ok(&about.id, lookup(&known))
}

async fn renew_self(call: Call) -> Answer {
    let token = call.token();
    let about = About::read(call, Action::TokenList).await?;
    let known = Known::own(&about.session).await?;
    renewed(&about.id, &known, token.as_ref())
}

async fn renew_token(call: Call) -> Answer {
    let context = call.context();
    let about = About::read(call, Action::TokenList).await?;
    about.session.whoami().await?;
    let token = about.token()?;
    let other = about.shared.vault.as_token(token).with_context(context);
    renewed(&about.id, &Known::own(&other).await?, Some(token))
}

async fn renew_accessor(call: Call) -> Answer {
    let about = About::read(call, Action::TokenList).await?;
    let known = Known::of(&about.session, about.accessor()?).await?;
    renewed(&about.id, &known, None)
}

async fn revoke_self(mut call: Call) -> Answer {
    call.query(&[])?;
    let session = call.session().await?;
    session.tokens().revoke("self", Descendants::Revoke).await?;
    Ok(done())
}

async fn revoke_token(call: Call, descendants: Descendants) -> Answer {
    let about = About::read(call, Action::TokenRevoke).await?;
    let id = token_id(about.token()?)?;
    about.session.tokens().revoke(id, descendants).await?;
    Ok(done())
}

async fn revoke_accessor(call: Call) -> Answer {
    let about = About::read(call, Action::TokenRevoke).await?;
    let id = about.accessor()?;
    about.session.tokens().revoke(id, Descendants::Revoke).await?;
    Ok(done())
}

#[derive(Serialize)]
struct Keys {
    keys: Vec<String>,
}

/// LIST `auth/token/accessors`: the valid tokens that the caller may see.
async fn accessors(mut call: Call) -> Answer {
    let session = call.session().await?;
    let mut keys = Vec::new();
    let mut request = Some(PageRequest::default().limit(PAGE));
    while let Some(asked) = request.take() {
        let page = session.tokens().list(&asked).await?;
        let valid = page.items.iter().filter(|token| token.state == TokenState::Valid);
        keys.extend(valid.map(|token| token.id.to_string()));
        request = asked.following(&page);
    }
    ok(&call.id, Keys { keys })
}

/// Returns the right that issuing needs.
fn may_issue() -> Takes {
    Takes::words(Action::TokenIssue, Scope::TokensIssue).0
}
