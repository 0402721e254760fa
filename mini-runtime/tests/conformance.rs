//! The runtime, held to what every stage of the course owes its tasks and its streams, on both drivers.

use conformance::{executor_suite, net_suite, tcp_stage};
use mini_runtime::{Builder, DriverKind, Runtime};

macro_rules! stage {
    ($module:ident: $driver:ident) => {
        mod $module {
            use super::*;

            tcp_stage!(
                Finished(Runtime),
                new: Builder::new().driver(DriverKind::$driver).build(),
                spawn: |future| drop(mini_runtime::spawn(future)),
                net: mini_runtime::net
            );
            executor_suite!(Finished);
            net_suite!(Finished);
        }
    };
}

stage!(epoll: Epoll);
stage!(io_uring: IoUring);
