//! The system's allocator, which counts what each thread asks for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

/// How often this thread has asked for memory so far, and for how much more than it gave back.
pub(crate) fn allocated() -> (u64, u64) {
    (ALLOCATIONS.get(), BYTES.get())
}

fn count(more: usize, less: usize) {
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + u64::from(more > 0)));
    let _ =
        BYTES.try_with(|bytes| bytes.set(bytes.get().wrapping_add(more as u64).wrapping_sub(less as u64)));
}

struct Counting;

#[expect(unsafe_code, reason = "there is no other way to count allocations")]
// SAFETY: every call goes to the system's allocator as it is; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: what was allocated here came from `System` with this layout.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: what was allocated here came from `System` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;
