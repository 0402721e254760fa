use std::fs;
use std::io::{self, Error, ErrorKind};

use io_uring::{Builder, IoUring, Probe, opcode};
use rustix::io::Errno;

/// Something can be read.
pub(super) const POLLIN: u32 = rustix::event::PollFlags::IN.bits() as u32;

/// What is asked of the kernel, and since when Linux has had it.
const NEEDED: [(u8, &str, &str); 8] = [
    (opcode::Accept::CODE, "accept", "5.5"),
    (opcode::AsyncCancel::CODE, "cancel", "5.5"),
    (opcode::Connect::CODE, "connect", "5.5"),
    (opcode::Read::CODE, "read", "5.6"),
    (opcode::Write::CODE, "write", "5.6"),
    (opcode::Recv::CODE, "recv", "5.6"),
    (opcode::Send::CODE, "send", "5.6"),
    (opcode::PollAdd::CODE, "poll", "5.1"),
];

/// Makes a ring with all that this kernel has to offer to one thread.
///
/// Built in chapter 14, section "What came after 2021".
pub(super) fn open(entries: u32) -> io::Result<IoUring> {
    let in_vain = |error: &Error| error.kind() == ErrorKind::InvalidInput;
    let ring = build(entries, since_6_1)
        .or_else(|error| if in_vain(&error) { build(entries, since_5_19) } else { Err(error) })
        .or_else(|error| if in_vain(&error) { build(entries, |_| {}) } else { Err(error) })
        .map_err(in_words)?;
    check(&ring)?;
    Ok(ring)
}

fn build(entries: u32, flags: impl FnOnce(&mut Builder)) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_clamp().setup_cqsize(entries.saturating_mul(4));
    flags(&mut builder);
    builder.build(entries)
}

// ANCHOR: flags
/// Completions are worked on when this thread calls, and on no other thread.
fn since_6_1(builder: &mut Builder) {
    builder.setup_single_issuer().setup_defer_taskrun().setup_coop_taskrun().setup_taskrun_flag();
}

/// Completions are worked on when this thread is in the kernel anyway.
fn since_5_19(builder: &mut Builder) {
    builder.setup_coop_taskrun().setup_taskrun_flag();
}
// ANCHOR_END: flags

/// Puts into words what the kernel calls "Function not implemented" and "Operation not permitted".
fn in_words(error: Error) -> Error {
    let switch = fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    let switched_off = switch.is_ok_and(|value| value.trim() != "0");
    let why = match Errno::from_io_error(&error) {
        Some(Errno::NOSYS) => "this kernel has no io_uring, which came with Linux 5.1",
        Some(Errno::PERM) if switched_off => {
            "io_uring is switched off here, by kernel.io_uring_disabled"
        }
        Some(Errno::PERM | Errno::ACCESS) => {
            "io_uring is forbidden here: many containers filter its system calls"
        }
        Some(Errno::NOMEM) => "too little memory may be locked for a ring: see `ulimit -l`",
        _ => return error,
    };
    Error::new(error.kind(), why)
}

fn check(ring: &IoUring) -> io::Result<()> {
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(|_| too_old("probe", "5.6"))?;
    for (code, name, since) in NEEDED {
        if !probe.is_supported(code) {
            return Err(too_old(name, since));
        }
    }
    let parameters = ring.params();
    if !parameters.is_feature_nodrop() {
        return Err(too_old("completion queue that loses nothing", "5.5"));
    }
    if !parameters.is_feature_ext_arg() {
        return Err(too_old("wait with a timeout", "5.11"));
    }
    // This feature came with the same kernel as multishot polls, which have no sign of their own.
    if !parameters.is_feature_resource_tagging() {
        return Err(too_old("poll that goes on", "5.13"));
    }
    Ok(())
}

fn too_old(what: &str, since: &str) -> Error {
    let why = format!("the io_uring of this kernel has no {what}, which came with Linux {since}");
    Error::new(ErrorKind::Unsupported, why)
}
