//! The verbs of a session: the actions of an operator or the holder of a token on keys, tokens and environments.

pub(crate) mod admission;
pub(crate) mod attest;
pub(crate) mod audit;
pub(crate) mod copy_key;
pub(crate) mod enable_key;
pub(crate) mod environments;
pub(crate) mod examine;
pub(crate) mod floors;
pub(crate) mod follow_up;
pub(crate) mod give_up;
pub(crate) mod give_up_environment;
#[cfg(test)]
mod given_up;
pub(crate) mod incidents;
pub(crate) mod issue;
pub(crate) mod keks;
pub(crate) mod keys;
pub(crate) mod known_values;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod modes;
pub(crate) mod namespaces;
pub(crate) mod own_records;
pub(crate) mod prove;
pub(crate) mod revoked;
pub(crate) mod rotate_token;
pub(crate) mod rotation;
pub(crate) mod set_key;
pub(crate) mod status;
pub(crate) mod store_behind;
pub(crate) mod survey;
pub(crate) mod tenant;
pub(crate) mod token_children;
pub(crate) mod token_uses;
pub(crate) mod tokens;
pub(crate) mod usage;
pub(crate) mod whole_log;
