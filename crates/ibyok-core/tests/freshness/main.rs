//! Freshness: an older store that is put back is refused, record by record, after any harm to the file of floors.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a scene that cannot be set is a failed test"
)]

mod accept;
mod harm;
mod history;
mod node;
mod put_back;
