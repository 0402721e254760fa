use std::cell::Cell;
use std::mem;

/// Puts something where nothing is. So nothing has to be dropped.
#[inline(always)]
pub(crate) fn fill<T>(empty: &Cell<Option<T>>, value: T) {
    let before = empty.replace(Some(value));
    debug_assert!(before.is_none(), "something is there");
    mem::forget(before);
}
