//! A recording of the whole process, which has a test program to itself.

use std::thread;

use trace::{Cause, Event, Recording, caused_by, emit};

#[test]
fn threads_that_are_not_attached_are_recorded_from_their_first_event_on() {
    let (everybody, mine) = (Recording::new(), Recording::new());
    everybody.attach_everybody();
    let woken = |task| emit!(Event::Wake { task, by: Cause::Outside });
    thread::spawn(move || {
        let _cause = caused_by(Cause::Task(7));
        woken(1);
    })
    .join()
    .unwrap();
    let attached = mine.attach();
    woken(2);
    drop(attached);
    woken(3);
    // The first recording stays.
    mine.attach_everybody();
    thread::spawn(move || woken(4)).join().unwrap();

    let seen: Vec<_> =
        everybody.records().into_iter().map(|record| (record.thread, record.event)).collect();
    let wake = |task, by| Event::Wake { task, by };
    assert_eq!(
        seen,
        [(0, wake(1, Cause::Task(7))), (1, wake(3, Cause::Outside)), (2, wake(4, Cause::Outside)),]
    );
    assert_eq!(mine.events(), [wake(2, Cause::Outside)]);
}
