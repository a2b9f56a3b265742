//! Memory for keys that live long: a page of its own, locked against swap, left out of core dumps
//! and wiped before it is given back. The only unsafe code of the program.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags};
use zeroize::Zeroize;

/// Set when a page could not be locked, for the one warning about it.
static UNLOCKED: AtomicBool = AtomicBool::new(false);

/// Whether every key so far lies in memory that is never swapped out.
pub fn keys_are_locked() -> bool {
    !UNLOCKED.load(Ordering::Relaxed)
}

/// 32 secret bytes on a locked page; where the limit on locked memory is used up, on a page that
/// is at least not dumped.
pub(super) struct KeyPage {
    page: std::ptr::NonNull<[u8; 32]>,
}

/// The size that is mapped and locked; the kernel rounds up to its page.
const PAGE_BYTES: usize = 4096;

#[expect(unsafe_code, reason = "locking memory has no safe interface")]
impl KeyPage {
    /// Moves `bytes` to a page of their own and wipes the original.
    pub(super) fn take(bytes: &mut [u8; 32]) -> Self {
        // SAFETY: a fresh private anonymous mapping at an address the kernel chooses aliases
        // nothing, is zeroed, page-aligned and at least 32 bytes long.
        let mapped = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                PAGE_BYTES,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        };
        let address = mapped.expect("one page of memory can be had");
        // SAFETY: the range is the mapping made above; locking and advising change no content.
        unsafe {
            if rustix::mm::mlock(address, PAGE_BYTES).is_err() {
                UNLOCKED.store(true, Ordering::Relaxed);
            }
            #[cfg(target_os = "linux")]
            rustix::mm::madvise(address, PAGE_BYTES, Advice::LinuxDontDump).ok();
        }
        let page = std::ptr::NonNull::new(address.cast::<[u8; 32]>())
            .expect("the kernel maps nothing at address zero");
        // SAFETY: the mapping is writable, aligned and owned by this value alone.
        unsafe { page.write(*bytes) };
        bytes.zeroize();
        KeyPage { page }
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        // SAFETY: the mapping lives until drop, and nothing writes to it in between.
        unsafe { self.page.as_ref() }
    }
}

#[expect(unsafe_code, reason = "the counterpart of `take`")]
impl Drop for KeyPage {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own and is not used after this.
        unsafe {
            self.page.as_mut().zeroize();
            rustix::mm::munmap(self.page.as_ptr().cast(), PAGE_BYTES).ok();
        }
    }
}

// SAFETY: the page is owned memory like a Box's; shared access only reads.
#[expect(unsafe_code, reason = "a raw pointer to owned memory")]
unsafe impl Send for KeyPage {}
#[expect(unsafe_code, reason = "a raw pointer to owned memory")]
unsafe impl Sync for KeyPage {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_is_wiped_and_the_page_holds_the_key() {
        let mut bytes = [7; 32];
        let page = KeyPage::take(&mut bytes);
        assert_eq!(bytes, [0; 32]);
        assert_eq!(page.bytes(), &[7; 32]);
    }
}
