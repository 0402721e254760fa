//! The rows of the table: what is done, and what is measured of it.

use std::fmt;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// Echo, with so many connections. An operation is a message of 1 KiB there and back.
    Echo(usize),
    /// A task is spawned and waited for, one after the other.
    SpawnJoin,
    /// 10,000 tasks are spawned, and then waited for.
    SpawnMany,
    /// 1,000 tasks yield in turns.
    Yield,
    /// A number goes to another task and comes back, over two channels.
    PingPong,
    /// 1,000 tasks yield under a timeout that never fires.
    Timeout,
    /// 100 tasks sleep for one to five milliseconds.
    Sleep,
    /// Another thread wakes a task of a runtime that sleeps, and waits for its answer.
    Wake,
    /// Another thread wakes 100 tasks, one after the other, and waits for their answers.
    WakeStorm,
}

impl Row {
    pub const ALL: [Row; 11] = [
        Row::Echo(1),
        Row::Echo(64),
        Row::Echo(1000),
        Row::SpawnJoin,
        Row::SpawnMany,
        Row::Yield,
        Row::PingPong,
        Row::Timeout,
        Row::Sleep,
        Row::Wake,
        Row::WakeStorm,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Row::Echo(1) => "echo-1",
            Row::Echo(64) => "echo-64",
            Row::Echo(1000) => "echo-1000",
            Row::Echo(_) => "echo",
            Row::SpawnJoin => "spawn-join",
            Row::SpawnMany => "spawn-many",
            Row::Yield => "yield",
            Row::PingPong => "ping-pong",
            Row::Timeout => "timeout",
            Row::Sleep => "sleep",
            Row::Wake => "wake",
            Row::WakeStorm => "wake-storm",
        }
    }

    pub fn named(name: &str) -> Option<Row> {
        Row::ALL.into_iter().find(|row| row.name() == name)
    }

    /// In words, for a table.
    pub fn title(self) -> &'static str {
        match self {
            Row::Echo(1) => "echo, 1 connection",
            Row::Echo(64) => "echo, 64 connections",
            Row::Echo(1000) => "echo, 1,000 connections",
            Row::Echo(_) => "echo",
            Row::SpawnJoin => "spawn, then join, one at a time",
            Row::SpawnMany => "spawn 10,000, then join all",
            Row::Yield => "yield among 1,000 tasks",
            Row::PingPong => "ping-pong over two futures mpsc channels",
            Row::Timeout => "timeout that never fires, 1,000 tasks",
            Row::Sleep => "sleep, late by",
            Row::Wake => "wake from another thread, until its answer",
            Row::WakeStorm => "100 wakes from another thread, each",
        }
    }

    pub fn metrics(self) -> &'static [Metric] {
        match self {
            Row::Echo(_) => &[Metric::Cpu, Metric::Rate, Metric::P99],
            Row::Sleep => &[Metric::LateP50, Metric::LateP99],
            _ => &[Metric::Nanos],
        }
    }

    /// How many operations a first trial has: enough to tell how many fit into a measurement.
    pub fn trial(self) -> u64 {
        match self {
            // The slowest: nothing is done while a message is on its way.
            Row::Echo(1) => 10_000,
            Row::Echo(_) => 20_000,
            Row::Sleep => 3_000,
            Row::Wake => 500,
            Row::WakeStorm => 10_000,
            _ => 100_000,
        }
    }

    /// The size of a measurement is a multiple of this.
    pub fn granule(self) -> u64 {
        match self {
            Row::SpawnMany => 10_000,
            Row::Yield | Row::Timeout => 1_000,
            Row::Sleep | Row::WakeStorm => 100,
            Row::Echo(connections) => connections as u64,
            Row::SpawnJoin | Row::PingPong | Row::Wake => 1,
        }
    }

    /// Whether the number of operations follows from how long one takes. Where the kernel takes the most, or
    /// the clock says how long it takes, all do the same number.
    pub fn is_calibrated(self) -> bool {
        !matches!(self, Row::Echo(_) | Row::Sleep | Row::Wake | Row::WakeStorm)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// CPU time of the server for a request, user and system.
    Cpu,
    /// Requests in a second.
    Rate,
    /// What the slowest hundredth of the requests takes, at the client.
    P99,
    /// Time for an operation.
    Nanos,
    LateP50,
    LateP99,
}

impl Metric {
    pub fn name(self) -> &'static str {
        match self {
            Metric::Cpu => "cpu",
            Metric::Rate => "rate",
            Metric::P99 => "p99",
            Metric::Nanos => "ns",
            Metric::LateP50 => "late-p50",
            Metric::LateP99 => "late-p99",
        }
    }

    pub fn named(name: &str) -> Option<Metric> {
        let all = [Metric::Cpu, Metric::Rate, Metric::P99, Metric::Nanos];
        let all = all.into_iter().chain([Metric::LateP50, Metric::LateP99]);
        all.into_iter().find(|metric| metric.name() == name)
    }

    /// What it is of an operation, and its unit.
    pub fn unit(self) -> &'static str {
        match self {
            Metric::Cpu => "server CPU, µs per request",
            Metric::Rate => "requests per second",
            Metric::P99 => "p99 latency, µs",
            Metric::Nanos => "ns",
            Metric::LateP50 => "p50, µs",
            Metric::LateP99 => "p99, µs",
        }
    }

    pub fn is_lower_better(self) -> bool {
        self != Metric::Rate
    }
}
