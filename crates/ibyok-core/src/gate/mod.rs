//! The gate: establishes the principal that asks, and decides on its actions.
//!
//! - `principal`: who asks, once it is established
//! - `attempt`, `facts`: one request, and the facts that its line states, as far as they are known
//! - `authenticate`: a presented token becomes a principal
//! - `authorize`, `permit`: a principal and a reference become a permit
//! - `key`: the key that a permit is for
//! - `meter`: the seam at which use is counted
//! - `find_token`, `open_realms`: the tokens and the environments that a principal sees

pub(crate) mod attempt;
pub(crate) mod authenticate;
pub(crate) mod authorize;
pub(crate) mod facts;
pub(crate) mod find_token;
pub(crate) mod key;
pub(crate) mod meter;
pub(crate) mod open_realms;
pub(crate) mod permit;
pub(crate) mod principal;
pub(crate) mod told;
pub(crate) mod verb_class;

use std::sync::Arc;

use self::meter::Meter;
use crate::records::Records;

/// Establishes principals, and decides on their actions.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) records: Arc<Records>,
    pub(crate) meter: Arc<dyn Meter>,
}
