//! Ids cut from digests.

/// Returns the first `N` of `M` bytes. A program in which `N` is larger than `M` does not compile, so no byte is ever
/// filled in.
///
/// ```
/// assert_eq!(ibyok_crypto::cut::<2, 4>([1, 2, 3, 4]), [1, 2]);
/// ```
///
/// ```compile_fail,E0080
/// ibyok_crypto::cut::<5, 4>([1, 2, 3, 4]);
/// ```
#[must_use]
pub fn cut<const N: usize, const M: usize>(bytes: [u8; M]) -> [u8; N] {
    const { assert!(N <= M, "more bytes than there are") };
    let mut first = [0; N];
    first.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    first
}
