//! Each demo fails in the way that the book says, and its mended version does not.

use conformance::demo::{Version, start};

#[test]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot do")]
fn calling_does_not_start() {
    let failing = start("calling_does_not_start", Version::Failing);
    assert_eq!(failing.status, Some(1), "{failing:?}");
    assert_eq!(failing.stdout, "main: calling save\nmain: save has returned\n");
    assert_eq!(failing.stderr, "The disk is empty: the letter was never written.\n");

    let mended = start("calling_does_not_start", Version::Mended);
    assert_eq!(mended.status, Some(0), "{mended:?}");
    assert_eq!(
        mended.stdout,
        "main: calling save\n\
         main: save has returned\n\
         main: polling what it returned\n\
         save: writing \"Dear reader\"\n\
         The disk holds 1 letter.\n"
    );
}

#[test]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot do")]
fn two_in_sequence() {
    let failing = start("two_in_sequence", Version::Failing);
    assert_eq!(failing.status, Some(1), "{failing:?}");
    assert!(failing.stdout.contains("Breakfast took 6 minutes."));
    assert_eq!(failing.stderr, "The toast was not started until the coffee was done.\n");

    let mended = start("two_in_sequence", Version::Mended);
    assert_eq!(mended.status, Some(0), "{mended:?}");
    assert!(mended.stdout.contains("Breakfast took 3 minutes."));
}

#[test]
#[cfg_attr(miri, ignore = "starts a process, which Miri cannot do")]
fn moved_after_poll() {
    let failing = start("moved_after_poll", Version::Failing);
    assert_eq!(failing.status, Some(1), "{failing:?}");
    let moved_by = size_of::<ch02_future::SelfBorrow>();
    assert!(
        failing.stderr.contains(&format!("the future has moved by {moved_by} bytes")),
        "{failing:?}"
    );

    let mended = start("moved_after_poll", Version::Mended);
    assert_eq!(mended.status, Some(0), "{mended:?}");
    assert!(mended.stdout.contains("The second has read its number: 2."), "{mended:?}");
}
