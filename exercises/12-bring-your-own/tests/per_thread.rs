//! One of each for each thread.

mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use ch12_bring_your_own::PerThread;
use common::Count;
use conformance::panic_text;

#[test]
fn a_thread_gets_the_same_one_again_and_it_is_made_once() {
    let made = Count::default();
    let counted = made.clone();
    let values = PerThread::new(move || {
        counted.add();
        Cell::new(0)
    });
    assert_eq!(made.get(), 0);
    let first = values.get();
    first.set(7);
    assert!(Rc::ptr_eq(&first, &values.get()));
    assert_eq!(values.get().get(), 7);
    assert_eq!(made.get(), 1);
}

#[test]
fn each_thread_gets_one_of_its_own() {
    let made = Count::default();
    let counted = made.clone();
    // Neither `Send` nor `Sync`, and yet in something that all threads share.
    let values = Arc::new(PerThread::new(move || {
        counted.add();
        Rc::new(Cell::new(counted.get()))
    }));
    let numbers: Vec<usize> = (0..4)
        .map(|_| {
            let values = values.clone();
            let thread = thread::spawn(move || {
                let first = values.get();
                first.set(first.get() + 10 * values.get().get());
                values.get().get()
            });
            thread.join().expect("no panic")
        })
        .collect();
    assert_eq!(numbers, [11, 22, 33, 44]);
    assert_eq!(made.get(), 4);
}

#[test]
fn it_goes_with_its_thread() {
    let dropped = Count::default();
    let counted = dropped.clone();
    let values = Arc::new(PerThread::new(move || counted.token()));
    let theirs = values.clone();
    thread::spawn(move || drop(theirs.get())).join().expect("no panic");
    assert_eq!(dropped.get(), 1);
    drop(values.get());
    assert_eq!(dropped.get(), 1, "this thread keeps its own");
}

#[test]
fn two_of_one_type_are_two() {
    let (one, other) = (PerThread::new(|| Cell::new(1)), PerThread::new(|| Cell::new(2)));
    one.get().set(10);
    assert_eq!((one.get().get(), other.get().get()), (10, 2));
}

#[test]
fn one_that_is_made_after_another_was_dropped_is_new() {
    let number = |number| {
        let values = PerThread::new(move || number);
        *values.get()
    };
    assert_eq!((number(1), number(2)), (1, 2));
}

#[test]
fn making_one_may_ask_for_others() {
    let pool = Arc::new(PerThread::new(|| Cell::new(5)));
    let client = PerThread::new({
        let pool = pool.clone();
        move || pool.get()
    });
    assert!(Rc::ptr_eq(&*client.get(), &pool.get()));
    assert_eq!(client.get().get(), 5);
}

#[test]
fn one_that_cannot_be_made_is_made_at_the_next_call() {
    let tries = Count::default();
    let counted = tries.clone();
    let values = PerThread::new(move || {
        counted.add();
        assert!(counted.get() > 1, "the first one fails, as it should");
        counted.get()
    });
    assert_eq!(panic_text(|| drop(values.get())), "the first one fails, as it should");
    assert_eq!(*values.get(), 2);
}
