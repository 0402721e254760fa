use std::fs;
use std::io::{Error, ErrorKind, Result};

use io_uring::{Builder, IoUring, Probe, opcode};
use nix::errno::Errno;

/// What this chapter asks of the kernel, and since when Linux has had it.
const NEEDED: [(u8, &str, &str); 9] = [
    (opcode::Accept::CODE, "accept", "5.5"),
    (opcode::AsyncCancel::CODE, "cancel", "5.5"),
    (opcode::Connect::CODE, "connect", "5.5"),
    (opcode::Close::CODE, "close", "5.6"),
    (opcode::Read::CODE, "read", "5.6"),
    (opcode::Write::CODE, "write", "5.6"),
    (opcode::Recv::CODE, "recv", "5.6"),
    (opcode::Send::CODE, "send", "5.6"),
    (opcode::Writev::CODE, "writev", "5.1"),
];

/// Makes a ring as `builder` says, with room for `entries` submissions that the kernel has not seen,
/// rounded up to a power of two.
///
/// See the section "Is there a ring?" of chapter 13.
///
/// # Errors
/// With a sentence that says why, if the kernel has no io_uring, forbids it, or has one that is too
/// old; or if no file descriptors are left.
pub fn open(builder: &Builder, entries: u32) -> Result<IoUring> {
    let ring = builder.build(entries).map_err(|error| {
        let switch = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok();
        in_words(error, switch)
    })?;
    check(&ring)?;
    Ok(ring)
}

/// Puts into words what the kernel calls "Function not implemented" and "Operation not permitted".
fn in_words(error: Error, switch: Option<String>) -> Error {
    let switched_off = switch.is_some_and(|value| value.trim() != "0");
    let why = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOSYS) => "this kernel has no io_uring, which came with Linux 5.1",
        Some(Errno::EPERM) if switched_off => {
            "io_uring is switched off here, by kernel.io_uring_disabled"
        }
        Some(Errno::EPERM | Errno::EACCES) => {
            "io_uring is forbidden here: many containers filter its system calls"
        }
        Some(Errno::EINVAL) => {
            "the kernel makes no ring of this kind, or of this size: it has 1 to 32,768 entries"
        }
        Some(Errno::ENOMEM) => "too little memory may be locked for a ring: see `ulimit -l`",
        _ => return error,
    };
    Error::new(error.kind(), why)
}

fn check(ring: &IoUring) -> Result<()> {
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(|_| too_old("probe", "5.6"))?;
    for (code, name, since) in NEEDED {
        if !probe.is_supported(code) {
            return Err(too_old(name, since));
        }
    }
    if !ring.params().is_feature_nodrop() {
        return Err(too_old("completion queue that loses nothing", "5.5"));
    }
    Ok(())
}

fn too_old(what: &str, since: &str) -> Error {
    let why = format!("the io_uring of this kernel has no {what}, which came with Linux {since}");
    Error::new(ErrorKind::Unsupported, why)
}
