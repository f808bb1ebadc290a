//! Ids and MACs cut from digests.

/// Returns the first `N` bytes of a digest. A program in which `N` is larger does not compile, so no byte is filled in.
pub(crate) fn cut<const N: usize>(digest: [u8; 32]) -> [u8; N] {
    const { assert!(N <= 32, "a digest has 32 bytes") };
    let mut first = [0; N];
    first.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    first
}
