//! What is measured.

/// What is measured of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// In user space, counted by callgrind.
    Instructions,
    /// Of the thread that runs the runtime, counted by strace.
    Calls,
    /// Of all threads.
    CallsOfAll,
    /// Of the thread that runs the runtime.
    Allocations,
    /// Processor time, in user space and in the kernel.
    Nanoseconds,
    /// What the program says of itself: half of them took no longer.
    Median,
    /// Ninety-nine of a hundred took no longer.
    Percentile99,
}

impl What {
    pub fn name(self) -> &'static str {
        match self {
            What::Instructions => "instructions",
            What::Calls | What::CallsOfAll => "system calls",
            What::Allocations => "allocations",
            What::Nanoseconds => "processor time, ns",
            What::Median => "half of them within, µs",
            What::Percentile99 => "99 of 100 within, µs",
        }
    }

    /// Counts are the same each time, or nearly.
    pub fn turns(self) -> usize {
        match self {
            What::Nanoseconds | What::Median | What::Percentile99 => 5,
            _ => 1,
        }
    }

    pub fn show(self, figure: f64) -> String {
        match self {
            What::Instructions | What::Nanoseconds => format!("{:.0}", figure.max(0.0)),
            What::Calls | What::CallsOfAll | What::Allocations => {
                format!("{:.2}", figure.max(0.0))
            }
            What::Median | What::Percentile99 => format!("{:.0}", figure / 1000.0),
        }
    }
}

/// One operation, on several runtimes.
pub struct Row {
    pub name: &'static str,
    /// What one operation is.
    pub title: &'static str,
    /// The page that is about it.
    pub page: &'static str,
    /// How many operations there are, under a tool that counts.
    pub counted: usize,
    /// How many there are under a clock.
    pub timed: usize,
    /// The first of them is what the summary shows.
    pub whats: &'static [What],
    pub columns: &'static [Column],
    /// The columns that the summary compares.
    pub before: usize,
    pub after: usize,
}

/// A program on a runtime.
pub struct Column {
    pub label: &'static str,
    pub pair: &'static str,
    pub house: &'static str,
}

impl Column {
    /// Whether it is a server, with another process that asks it.
    pub fn has_load(&self) -> bool {
        self.pair.starts_with("echo") || self.pair.starts_with("owned")
    }
}

const fn column(label: &'static str, pair: &'static str, house: &'static str) -> Column {
    Column { label, pair, house }
}

pub const ROWS: &[Row] = &[
    Row {
        name: "waker",
        title: "waker cloned and dropped",
        page: "task.md",
        counted: 10_000,
        timed: 10_000_000,
        whats: &[What::Nanoseconds, What::Instructions],
        columns: &[column("chapter 11", "waker", "chapter"), column("mini", "waker", "mini")],
        before: 0,
        after: 1,
    },
    Row {
        name: "spawn",
        title: "task spawned and joined",
        page: "task.md",
        counted: 10_000,
        timed: 1_000_000,
        whats: &[What::Allocations, What::Instructions, What::Nanoseconds],
        columns: &[
            column("chapters 10 and 11", "spawn", "chapter"),
            column("mini", "spawn", "mini"),
        ],
        before: 0,
        after: 1,
    },
    Row {
        name: "yield",
        title: "wake and poll, among 1,000 tasks",
        page: "executor.md",
        counted: 100_000,
        timed: 10_000_000,
        whats: &[What::Instructions, What::Calls, What::Nanoseconds],
        columns: &[
            column("chapter 11", "yield", "chapter"),
            column("mini, epoll", "yield", "mini"),
            column("mini, ring", "yield", "mini-ring"),
        ],
        before: 0,
        after: 2,
    },
    Row {
        name: "rewake",
        title: "wake of a task that is woken already",
        page: "executor.md",
        counted: 10_000,
        timed: 10_000_000,
        whats: &[What::Nanoseconds, What::Instructions],
        columns: &[column("chapter 11", "rewake", "chapter"), column("mini", "rewake", "mini")],
        before: 0,
        after: 1,
    },
    Row {
        name: "alone",
        title: "yield of a lone task",
        page: "executor.md",
        counted: 5_000,
        timed: 200_000,
        whats: &[What::Calls, What::Instructions, What::Nanoseconds],
        columns: &[
            column("chapter 11", "alone", "chapter"),
            column("chapter 14, ring", "alone", "chapter-ring"),
            column("mini, epoll", "alone", "mini"),
            column("mini, ring", "alone", "mini-ring"),
        ],
        before: 0,
        after: 3,
    },
    Row {
        name: "abroad",
        title: "wake from another thread and poll, of 1,000 tasks",
        page: "inbox.md",
        counted: 20_000,
        timed: 1_000_000,
        whats: &[What::Instructions, What::CallsOfAll, What::Nanoseconds],
        columns: &[
            column("chapter 11", "abroad", "chapter"),
            column("mini, epoll", "abroad", "mini"),
            column("mini, ring", "abroad", "mini-ring"),
        ],
        before: 0,
        after: 1,
    },
    Row {
        name: "asleep",
        title: "wake of a thread that sleeps, until the task is polled",
        page: "inbox.md",
        counted: 1_000,
        timed: 5_000,
        whats: &[What::CallsOfAll, What::Median],
        columns: &[
            column("chapter 11", "asleep", "chapter"),
            column("mini, epoll", "asleep", "mini"),
            column("mini, ring", "asleep", "mini-ring"),
        ],
        before: 0,
        after: 1,
    },
    Row {
        name: "echo1",
        title: "message on epoll, of one connection",
        page: "epoll.md",
        counted: 1_000,
        timed: 2_000,
        whats: &[What::Calls, What::Instructions, What::Nanoseconds],
        columns: &[
            column("chapters 7 and 11", "echo1", "chapter"),
            column("mini, epoll", "owned1", "mini"),
        ],
        before: 0,
        after: 1,
    },
    Row {
        name: "echo64",
        title: "message on epoll, of 64 connections",
        page: "epoll.md",
        counted: 12_800,
        timed: 64_000,
        whats: &[What::Calls, What::Instructions, What::Nanoseconds],
        columns: &[
            column("chapters 7 and 11", "echo64", "chapter"),
            column("mini, epoll", "owned64", "mini"),
        ],
        before: 0,
        after: 1,
    },
    Row {
        name: "ring1",
        title: "message on a ring, of one connection",
        page: "uring.md",
        counted: 1_000,
        timed: 2_000,
        whats: &[What::Instructions, What::Calls, What::Nanoseconds],
        columns: &[
            column("chapter 14", "echo1", "chapter-ring"),
            column("mini, ring", "owned1", "mini-ring"),
        ],
        before: 0,
        after: 1,
    },
    Row {
        name: "ring64",
        title: "message on a ring, of 64 connections",
        page: "uring.md",
        counted: 12_800,
        timed: 64_000,
        whats: &[What::Instructions, What::Calls, What::Allocations, What::Nanoseconds],
        columns: &[
            column("chapter 14", "echo64", "chapter-ring"),
            column("mini, ring", "owned64", "mini-ring"),
        ],
        before: 0,
        after: 1,
    },
    Row {
        name: "timeout",
        title: "timeout set and cancelled, beside 10,000 others",
        page: "time.md",
        counted: 10_000,
        timed: 500_000,
        whats: &[What::Instructions, What::Allocations, What::Nanoseconds],
        columns: &[
            column("chapter 8’s map", "timeout", "chapter"),
            column("chapter 14’s wheel", "timeout", "chapter-wheel"),
            column("mini", "timeout", "mini"),
        ],
        before: 0,
        after: 2,
    },
    Row {
        name: "late",
        title: "sleep of 1 to 3 ms, and by how much it is late",
        page: "time.md",
        counted: 100,
        timed: 200,
        whats: &[What::Calls, What::Median, What::Percentile99],
        columns: &[
            column("chapter 8", "late", "chapter"),
            column("mini, epoll", "late", "mini"),
            column("mini, ring", "late", "mini-ring"),
        ],
        before: 0,
        after: 2,
    },
    Row {
        name: "styles",
        title: "message on a ring, of 64 connections",
        page: "net.md",
        counted: 12_800,
        timed: 64_000,
        whats: &[What::Instructions, What::Calls, What::Nanoseconds],
        columns: &[
            column("mini, AsyncRead and AsyncWrite", "echo64", "mini-ring"),
            column("mini, owned buffers", "owned64", "mini-ring"),
        ],
        before: 0,
        after: 1,
    },
];
