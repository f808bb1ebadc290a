//! The one source of random bytes: the operating system's, whose failure is an error.

use rand::TryRng;
use rand::rngs::SysRng;

use crate::Error;

/// Fills `bytes`, or leaves nothing made: callers draw before they build any output.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    #[cfg(test)]
    if fixture::fill(bytes)? {
        return Ok(());
    }
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

/// Randomness that a test decides: a draw that fails, or draws that anybody can repeat.
#[cfg(test)]
pub(crate) mod fixture;

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
        assert!(matches!(fill_from(&mut Broken, &mut bytes), Err(Error::Random)));
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(array::<32>().unwrap(), array::<32>().unwrap());
    }
}
