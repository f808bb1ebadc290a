//! The memory of the machine, or of the container, for the size of the cache.

use std::fs;

/// The least default size of the cache.
const LEAST: u64 = 64 << 20;

/// The largest default size of the cache.
const MOST: u64 = 1 << 30;

/// The share of the memory that the cache takes, as a divisor.
const SHARE: u64 = 16;

/// Returns the default size of the cache on this machine.
pub(crate) fn cache_of_this_machine() -> u64 {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    default_cache(&read("/proc/meminfo"), &read("/sys/fs/cgroup/memory.max"))
}

/// The default size of the cache for a machine with this `/proc/meminfo`, in a container with this `memory.max`. Either may be empty.
fn default_cache(meminfo: &str, limit: &str) -> u64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let total = total.and_then(|total| total.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let total = total.map(|kilobytes| kilobytes.saturating_mul(1024));
    // A container without a limit has the word `max`.
    let limit = limit.trim().parse::<u64>().ok();
    let memory = total.into_iter().chain(limit).min().unwrap_or(0);
    (memory / SHARE).clamp(LEAST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn meminfo(gib: u64) -> String {
        format!("MemTotal:       {} kB\nMemFree:  1 kB\n", gib << 20)
    }

    #[test]
    fn the_cache_is_a_share_of_the_memory_within_bounds() {
        for (machine, limit, cache) in [
            (meminfo(8), "max\n".to_owned(), GIB / 2),
            (meminfo(8), String::new(), GIB / 2),
            (meminfo(64), (4 * GIB).to_string(), GIB / 4),
            (meminfo(256), "max".to_owned(), MOST),
            (meminfo(1), "max".to_owned(), LEAST),
            (meminfo(8), "1000".to_owned(), LEAST),
            (String::new(), String::new(), LEAST),
            ("MemTotal: much".to_owned(), "-1".to_owned(), LEAST),
        ] {
            assert_eq!(default_cache(&machine, &limit), cache, "{machine:?} {limit:?}");
        }
    }
}
