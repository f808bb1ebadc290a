//! The memory that values take, as an allocator counts it.

/// The memory of one node of a map of two texts. The smallest map has one node, with room for 11 entries.
const MAP_NODE: usize = allocated(11 * 2 * size_of::<String>() + 16);

/// The entries of a node of a map that has several, on average.
const ENTRIES: usize = 8;

/// The memory of one allocation of so many bytes: allocators round up, and keep a few bytes for themselves.
pub(crate) const fn allocated(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        1..24 => 32,
        bytes => bytes.saturating_add(8).next_multiple_of(16),
    }
}

/// The memory of a map of two texts, without the texts.
pub(crate) fn map_of(entries: usize) -> usize {
    entries.div_ceil(ENTRIES).saturating_mul(MAP_NODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_takes_at_least_its_bytes_and_nothing_takes_nothing() {
        assert_eq!((allocated(0), map_of(0)), (0, 0));
        for bytes in 1..5000 {
            assert!((bytes + 8..bytes + 32).contains(&allocated(bytes)), "{bytes}");
        }
        assert_eq!(map_of(1), map_of(8));
        assert!(map_of(9) > map_of(8));
    }
}
