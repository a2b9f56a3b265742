//! What this machine has left.

use std::fs;

/// KiB of memory that could be had without swapping; none where the system does not tell.
pub fn memory_left_kib() -> Option<u64> {
    let table = fs::read_to_string("/proc/meminfo").ok()?;
    let line = table
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
