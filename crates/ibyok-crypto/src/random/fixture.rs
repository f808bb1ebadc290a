use std::cell::Cell;

use sha2::{Digest, Sha256};

use crate::Error;

#[derive(Clone, Copy)]
enum Draws {
    /// The operating system's.
    Real,
    /// As many real ones, then one that fails.
    FailingAfter(u32),
    /// Block n is `SHA-256(n, u32 BE)`, from this n on.
    Repeatable(u32),
}

thread_local!(static DRAWS: Cell<Draws> = const { Cell::new(Draws::Real) });

/// Lets `draws` of this thread succeed and fails the next; runs `what`; returns its result and whether a draw failed.
pub(crate) fn failing_after<T>(draws: u32, what: impl FnOnce() -> T) -> (T, bool) {
    DRAWS.set(Draws::FailingAfter(draws));
    let result = what();
    (result, matches!(DRAWS.replace(Draws::Real), Draws::Real))
}

/// Runs `what` with draws that are the same each time.
pub(crate) fn repeatable<T>(first: u32, what: impl FnOnce() -> T) -> T {
    DRAWS.set(Draws::Repeatable(first));
    let result = what();
    DRAWS.set(Draws::Real);
    result
}

/// Fills the bytes and returns true if this thread draws repeatable bytes. Returns false if the caller must draw real
/// ones.
pub(super) fn fill(bytes: &mut [u8]) -> Result<bool, Error> {
    match DRAWS.get() {
        Draws::Real => Ok(false),
        Draws::FailingAfter(0) => {
            DRAWS.set(Draws::Real);
            Err(Error::Random)
        }
        Draws::FailingAfter(left) => {
            DRAWS.set(Draws::FailingAfter(left - 1));
            Ok(false)
        }
        Draws::Repeatable(mut block) => {
            for chunk in bytes.chunks_mut(32) {
                let digest = Sha256::digest(block.to_be_bytes());
                chunk.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
                block += 1;
            }
            DRAWS.set(Draws::Repeatable(block));
            Ok(true)
        }
    }
}
