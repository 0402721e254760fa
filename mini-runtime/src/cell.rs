use std::cell::{Cell, RefCell, RefMut};
use std::mem;
use std::task::{Context, Poll};

/// Puts something where nothing is. So nothing has to be dropped.
#[inline(always)]
pub(crate) fn fill<T>(empty: &Cell<Option<T>>, value: T) {
    let before = empty.replace(Some(value));
    debug_assert!(before.is_none(), "something is there");
    mem::forget(before);
}

/// Borrows what is polled. Pending in the middle of another poll of it: a waker that is cloned or dropped there
/// may run any code, and has come back here.
pub(crate) fn poll_borrow<'a, T>(polled: &'a RefCell<T>, cx: &Context<'_>) -> Poll<RefMut<'a, T>> {
    let Ok(borrowed) = polled.try_borrow_mut() else {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    };
    Poll::Ready(borrowed)
}
