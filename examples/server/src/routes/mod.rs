//! The handlers: each parses, makes one call of the core, and answers.

pub(crate) mod external;
pub(crate) mod health;
pub(crate) mod incidents;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod modes;
pub(crate) mod review;
pub(crate) mod rotation;
pub(crate) mod tokens;
pub(crate) mod usage;
pub(crate) mod values;

use ibyok_core::{KeyRef, Session, keys::KeyId, pages::PageRequest};

use crate::problem::Problem;
use crate::query::Query;

/// In the place of an environment: whichever has the key of this id.
const ANYWHERE: &str = "_";

/// The key that a path names.
async fn key_ref(session: &Session, environment: &str, name: &str) -> Result<KeyRef, Problem> {
    if environment == ANYWHERE {
        let id: KeyId = name
            .parse()
            .map_err(|_| Problem::invalid("a path without an environment must name the key by its id"))?;
        return Ok(session.keys().find(id).await?);
    }
    Ok(KeyRef::from_parts(environment, name)?)
}

/// The page that a query asks for.
fn page(query: &Query) -> Result<PageRequest, Problem> {
    let request = PageRequest::after(query.get("after").map(str::to_owned));
    let limit = query
        .number("limit")?
        .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(limit.into_iter().fold(request, PageRequest::limit))
}
