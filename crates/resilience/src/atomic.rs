//! The few operations on one 64-bit word that the lock-free parts need, as a trait.
//!
//! Programs run on the processor's atomics. Models of the same code run on atomics whose schedule a checker chooses, so what is proved is
//! the code itself and not a sketch of it.

use std::sync::atomic::{AtomicU64, Ordering};

/// A word that threads share.
pub(crate) trait Word64: Send + Sync {
    /// A word with this value.
    fn of(value: u64) -> Self;
    /// Its value; sees everything that was written before the value was.
    fn load_acquire(&self) -> u64;
    /// Changes it from `old` to `new`, or says what it is instead.
    fn change(&self, old: u64, new: u64) -> Result<u64, u64>;
}

// === impl AtomicU64 ===

impl Word64 for AtomicU64 {
    fn of(value: u64) -> Self {
        Self::new(value)
    }

    #[inline]
    fn load_acquire(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    #[inline]
    fn change(&self, old: u64, new: u64) -> Result<u64, u64> {
        self.compare_exchange(old, new, Ordering::SeqCst, Ordering::Acquire)
    }
}

#[cfg(test)]
impl Word64 for shuttle::sync::atomic::AtomicU64 {
    fn of(value: u64) -> Self {
        Self::new(value)
    }

    fn load_acquire(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn change(&self, old: u64, new: u64) -> Result<u64, u64> {
        self.compare_exchange(old, new, Ordering::SeqCst, Ordering::Acquire)
    }
}
