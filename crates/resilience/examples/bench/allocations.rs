//! Counts every allocation of the process, to show that calls make none.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Allocations so far, by all threads.
pub(crate) fn count() -> u64 {
    COUNT.load(Ordering::SeqCst)
}

#[allow(
    unsafe_code,
    reason = "an allocator is unsafe by its nature; this one hands all to the system"
)]
// SAFETY: every call goes on to the system's allocator unchanged, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}
