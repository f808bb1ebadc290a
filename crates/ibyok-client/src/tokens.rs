//! The verbs on access tokens.

use std::time::Duration;

use ibyok_api::{Document, Page, RevokedToken, TokenFinding, TokenInfo, TokenRequest, TokenRotation};
use reqwest::Method;
use secrecy::SecretString;

use crate::client::Client;
use crate::error::Result;
use crate::keys::PAGE;
use crate::listing::Listing;
use crate::retrieved::Text;
use crate::send::{Ask, json};

/// A token that was just issued or rotated: the only time that its secret is seen.
pub type Issued = ibyok_api::Issued<SecretString>;

impl Client {
    /// Issues a token within the rights of this one.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) with `denied` for a grant that is wider than the token's own, `invalid` for one that makes no sense.
    pub async fn issue_token(&self, request: &TokenRequest) -> Result<Issued> {
        issued(self.ask(Method::POST, &["tokens"]).body(json(request)?)).await
    }

    /// Gives a token, found by id, by name, or `self`, a new secret under the same id. The one before is accepted for `grace`
    /// (the server's 24 hours unless given), and never beyond the token's own expiry.
    ///
    /// Not tried again when the answer is lost: `epoch` of [`Client::show_token`] then shows whether it was rotated.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) with `denied` for a token that does not lie within this one, `conflict` for one that is no
    /// longer valid or that another caller rotates at the same time.
    pub async fn rotate_token(&self, which: &str, grace: Option<Duration>) -> Result<Issued> {
        let rotation = TokenRotation {
            grace_seconds: grace.map(|grace| grace.as_secs()),
            revoke_children: false,
        };
        self.rotate_token_with(which, &rotation).await
    }

    /// Gives a token a new secret as [`Client::rotate_token`], and revokes the tokens that it issued if that is wanted.
    ///
    /// # Errors
    /// As [`Client::rotate_token`]; `denied` where tokens are to be revoked and this one may not.
    pub async fn rotate_token_with(&self, which: &str, rotation: &TokenRotation) -> Result<Issued> {
        let ask = self.ask(Method::POST, &["tokens", which, "rotate"]);
        issued(ask.body(json(rotation)?)).await
    }

    /// Reviews the tokens that this one may see: which never expire, are wider than their use, unused, or about to end.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn review_tokens(&self) -> Result<Listing<Document<TokenFinding>>> {
        let page: Page<Document<TokenFinding>> = self.ask(Method::GET, &["tokens", "review"]).json().await?;
        Ok(page.into())
    }

    /// Lists the tokens that this one may see: every page.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn tokens(&self) -> Result<Listing<Document<TokenInfo>>> {
        self.list_tokens(false).await
    }

    /// Lists the same tokens with the time of each one's last use.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn tokens_with_last_use(&self) -> Result<Listing<Document<TokenInfo>>> {
        self.list_tokens(true).await
    }

    async fn list_tokens(&self, last_use: bool) -> Result<Listing<Document<TokenInfo>>> {
        let ask = self.ask(Method::GET, &["tokens"]).query("limit", Some(PAGE));
        Listing::follow(ask.query("last_use", last_use.then_some(true))).await
    }

    /// Returns the description of a token, found by id or by name. For the client's own token, see
    /// [`Client::whoami`].
    ///
    /// # Errors
    /// As [`Client::retrieve`]; `conflict` if several have the name.
    pub async fn show_token(&self, which: &str) -> Result<Document<TokenInfo>> {
        let (id, name) = in_path(which);
        self.ask(Method::GET, &["tokens", id]).query("name", name).json().await
    }

    /// Revokes a token, found by id, by name, or `self`, and the tokens that it issued unless `keep_children` is set.
    ///
    /// # Errors
    /// As [`Client::show_token`].
    pub async fn revoke_token(&self, which: &str, keep_children: bool) -> Result<Document<RevokedToken>> {
        let (id, name) = in_path(which);
        let ask = self.ask(Method::DELETE, &["tokens", id]).query("name", name);
        ask.query("keep_children", keep_children.then_some(true)).json().await
    }
}

/// Sends a request whose answer holds a secret. It is read without a copy that stays.
async fn issued(ask: Ask<'_>) -> Result<Issued> {
    let answer: ibyok_api::Issued<Text> = ask.json().await?;
    Ok(answer.map(Text::into_string))
}

/// Splits the id or name of a token for a URL. A text that every proxy leaves as it is goes into the path, and any
/// other text into the query.
fn in_path(which: &str) -> (&str, Option<&str>) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if which != "_" && !which.is_empty() && which.bytes().all(plain) {
        (which, None)
    } else {
        ("_", Some(which))
    }
}
