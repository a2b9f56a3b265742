//! What this machine has.

use std::fs;

/// KiB of memory that could be had without swapping; none where the system does not tell.
pub fn memory_left_kib() -> Option<u64> {
    let table = fs::read_to_string("/proc/meminfo").ok()?;
    let line = table
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Whether memory may be written to a disk: swap space is in use.
pub fn swap_is_on() -> bool {
    let table = fs::read_to_string("/proc/swaps").unwrap_or_default();
    table
        .lines()
        .skip(1)
        .any(|line| !line.starts_with("/dev/zram"))
}
