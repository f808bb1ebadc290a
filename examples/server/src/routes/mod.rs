//! The routes with their handlers: each handler parses, makes one call of a verb, and answers.

pub(crate) mod external;
mod health;
mod incidents;
mod keys;
mod limits;
mod modes;
mod review;
mod rotation;
mod switches;
mod tokens;
mod usage;
pub(crate) mod values;

use ibyok_core::{KeyRef, Session, keys::KeyId, pages::PageRequest};

use crate::problem::Problem;
use crate::query::Query;
use crate::route::Route;

/// Returns every route.
pub(crate) fn all() -> Vec<Route> {
    let all = [
        external::routes(),
        keys::routes(),
        values::routes(),
        usage::routes(),
        switches::routes(),
        rotation::routes(),
        limits::routes(),
        modes::routes(),
        tokens::routes(),
        incidents::routes(),
        review::routes(),
        health::routes(),
    ];
    all.into_iter().flatten().collect()
}

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
