//! This chapter's runtime, held to what every stage owes its tasks and its streams.

use ch08_timers::Runtime;
use conformance::{executor_suite, net_suite, tcp_stage};

tcp_stage!(
    Chapter8(Runtime),
    new: Runtime::new(),
    spawn: ch05_executor::spawn,
    net: ch07_tcp
);
executor_suite!(Chapter8);
net_suite!(Chapter8);
