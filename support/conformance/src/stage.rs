use std::future::Future;
use std::io;
use std::net::SocketAddr;

use futures::{AsyncRead, AsyncWrite, Stream};

/// An executor, as the suite sees it.
pub trait Stage: Sized {
    /// Makes an executor.
    fn new() -> Self;

    /// Runs `future` and what it spawns, until `future` is done.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Starts a task on the executor that runs on this thread.
    fn spawn(future: impl Future<Output = ()> + 'static);
}

/// A runtime with TCP, as the suite sees it. Everything is called from inside `block_on`.
pub trait NetStage: Stage {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;
    /// Gives connections.
    type Listener: Stream<Item = io::Result<Self::Stream>> + Unpin + 'static;

    /// Listens on a free port of the loopback address, and says which.
    fn listen() -> io::Result<(Self::Listener, SocketAddr)>;

    /// Connects.
    fn connect(to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>>;
}

/// Makes one `#[test]` per rule that an executor must keep. The argument implements [`Stage`].
#[macro_export]
macro_rules! executor_suite {
    ($stage:ty) => {
        $crate::suite! { $stage, executor:
            tasks_run_in_the_order_of_spawning,
            spawn_returns_before_the_task_runs,
            a_task_may_spawn_tasks,
            tasks_that_yield_take_turns,
            many_wakes_make_one_poll,
            a_wake_during_the_poll_makes_another,
            a_task_is_polled_only_when_it_was_woken,
            a_wake_after_the_end_does_nothing,
            a_cloned_waker_wakes_when_the_first_is_gone,
            a_finished_future_is_dropped_at_once,
            block_on_gives_the_output_of_a_future_that_borrows,
            the_main_future_is_woken_by_a_task,
            the_main_future_is_woken_by_itself,
            the_main_future_is_woken_by_another_thread,
            the_main_future_is_polled_only_when_it_was_woken,
            what_the_main_future_spawns_before_it_waits_is_run,
            unfinished_tasks_go_on_in_the_next_block_on,
            nothing_runs_between_two_block_ons,
            dropping_the_executor_drops_the_futures_in_order,
            a_future_that_wakes_while_it_is_dropped_does_no_harm,
            a_future_that_wakes_its_own_task_while_it_is_dropped_does_no_harm,
            a_waker_outlives_the_executor,
            a_panic_in_a_task_leaves_the_executor_usable,
            a_panic_in_the_main_future_leaves_the_executor_usable,
            ten_thousand_tasks_finish,
            two_executors_run_on_two_threads,
            spawn_outside_of_block_on_panics,
            block_on_inside_of_block_on_panics,
        }
    };
}

/// Makes one `#[test]` per rule that a runtime with sockets must keep. The argument implements
/// [`NetStage`].
#[macro_export]
macro_rules! net_suite {
    ($stage:ty) => {
        $crate::suite! { $stage, net:
            a_byte_goes_there_and_back,
            both_directions_of_one_stream_flow_at_once,
            more_than_the_socket_buffers_hold_arrives_whole,
            closing_the_write_side_leaves_the_read_side_open,
            a_dropped_stream_ends_its_peers_read,
            a_listener_serves_many_clients,
            reader_and_writer_wait_on_one_stream_in_two_tasks,
            a_task_may_wait_for_two_streams_at_once,
            vectored_writes_keep_their_order,
            connecting_to_a_closed_port_is_refused,
            a_waiting_task_is_cancelled_with_the_runtime,
            a_stream_may_be_dropped_outside_of_the_runtime,
        }
    };
}

/// Names a runtime to the two suites: `$stage` is the type that stands for it, `$new` makes the
/// runtime, `$spawn` starts a task on it, and `$net` is where its `TcpListener` and `TcpStream` are.
#[macro_export]
macro_rules! tcp_stage {
    ($stage:ident($runtime:ty), new: $new:expr, spawn: $spawn:expr, net: $($net:ident)::+) => {
        struct $stage($runtime);

        impl $crate::Stage for $stage {
            fn new() -> Self {
                $stage($new.expect("descriptors are left"))
            }

            fn block_on<F: Future>(&self, future: F) -> F::Output {
                self.0.block_on(future)
            }

            fn spawn(future: impl Future<Output = ()> + 'static) {
                ($spawn)(future);
            }
        }

        impl $crate::NetStage for $stage {
            type Stream = $($net)::+::TcpStream;
            type Listener = $($net)::+::TcpListener;

            fn listen() -> ::std::io::Result<(Self::Listener, ::std::net::SocketAddr)> {
                let listener = $($net)::+::TcpListener::bind("127.0.0.1:0")?;
                let address = listener.local_addr()?;
                Ok((listener, address))
            }

            async fn connect(to: ::std::net::SocketAddr) -> ::std::io::Result<Self::Stream> {
                $($net)::+::TcpStream::connect(to).await
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! suite {
    ($stage:ty, $module:ident: $($case:ident,)*) => {
        $(
            #[test]
            fn $case() {
                $crate::watch(|| {
                    $crate::$module::$case::<$stage>();
                    $crate::check_trace();
                });
            }
        )*
    };
}
