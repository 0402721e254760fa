use std::io;

use ch13_completion::Driver;
use io_uring::{Builder, IoUring};

/// Makes a driver whose ring has all that this kernel has to offer to one thread, and room for `entries`
/// submissions.
///
/// See the section "What came after 2021" of chapter 14.
///
/// # Errors
/// As [`Driver::new`].
pub fn open_driver(entries: u32) -> io::Result<Driver> {
    for flags in [since_6_1, since_5_19] {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(entries.saturating_mul(2));
        flags(&mut builder);
        match Driver::with_builder(&builder, entries) {
            // The kernel does not know one of the flags.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            opened => return opened,
        }
    }
    Driver::new(entries)
}

/// Completions are worked on when this thread calls, and on no other thread: no interrupts, no locks.
fn since_6_1(builder: &mut Builder) {
    builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
}

/// Completions are worked on when this thread is in the kernel anyway: no interrupts.
fn since_5_19(builder: &mut Builder) {
    builder.setup_coop_taskrun().setup_taskrun_flag();
}
