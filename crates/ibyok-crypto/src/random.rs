//! The one source of random bytes: the operating system's, whose failure is an error.

use rand::TryRng;
use rand::rngs::SysRng;

use crate::Error;

/// Fills `bytes`, or leaves nothing made: callers draw before they build any output.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    #[cfg(test)]
    fault::strike()?;
    fill_from(&mut SysRng, bytes)
}

fn fill_from(rng: &mut impl TryRng, bytes: &mut [u8]) -> Result<(), Error> {
    rng.try_fill_bytes(bytes).map_err(|_| Error::Random)
}

/// An array of random bytes that need not be secret.
pub(crate) fn array<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Makes the n-th draw of this thread fail.
#[cfg(test)]
pub(crate) mod fault {
    use std::cell::Cell;

    use crate::Error;

    thread_local!(static DRAWS_LEFT: Cell<Option<u32>> = const { Cell::new(None) });

    /// Lets `draws` succeed and fails the next; runs `what`; tells its result and whether the fault struck.
    pub(crate) fn after<T>(draws: u32, what: impl FnOnce() -> T) -> (T, bool) {
        DRAWS_LEFT.set(Some(draws));
        let result = what();
        (result, DRAWS_LEFT.take().is_none())
    }

    pub(super) fn strike() -> Result<(), Error> {
        match DRAWS_LEFT.get() {
            None => Ok(()),
            Some(0) => {
                DRAWS_LEFT.set(None);
                Err(Error::Random)
            }
            Some(left) => {
                DRAWS_LEFT.set(Some(left - 1));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no entropy")]
    struct NoEntropy;

    struct Broken;

    impl TryRng for Broken {
        type Error = NoEntropy;
        fn try_next_u32(&mut self) -> Result<u32, NoEntropy> {
            Err(NoEntropy)
        }
        fn try_next_u64(&mut self) -> Result<u64, NoEntropy> {
            Err(NoEntropy)
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), NoEntropy> {
            Err(NoEntropy)
        }
    }

    #[test]
    fn a_failing_source_is_an_error() {
        let mut bytes = [7; 32];
        assert!(matches!(
            fill_from(&mut Broken, &mut bytes),
            Err(Error::Random)
        ));
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(array::<32>().unwrap(), array::<32>().unwrap());
    }
}
