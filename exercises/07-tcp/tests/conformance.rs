//! Chapter 7's runtime, held to what every stage owes its tasks and its streams.

use ch07_tcp::Runtime;
use conformance::{executor_suite, net_suite, tcp_stage};

tcp_stage!(
    Chapter7(Runtime),
    new: Runtime::new(),
    spawn: ch05_executor::spawn,
    net: ch07_tcp
);
executor_suite!(Chapter7);
net_suite!(Chapter7);
