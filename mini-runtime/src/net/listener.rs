use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream as _;
use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketFlags};

use super::socket::{Kind, Owner};
use crate::cell::poll_borrow;
use crate::driver::epoll::Direction;
use crate::driver::op::Op;
use crate::driver::ops;
use crate::driver::uring::StreamingOp;
use crate::runtime::Core;
use crate::time::Sleep;

/// How many clients may wait for `accept`, as far as the system allows.
pub(crate) const BACKLOG: u32 = 1024;

/// How long to wait for a descriptor, when the process has none left.
const PAUSE: Duration = Duration::from_millis(20);

/// What TCP and Unix listeners have in common: all but their addresses and options.
pub(crate) struct Listener {
    /// Before the socket, so that it is dropped before.
    state: RefCell<Accepting>,
    /// Whether the shortage of descriptors was told.
    told: Cell<bool>,
    pub(crate) socket: Owner,
}

/// What the listener is waiting for.
enum Accepting {
    Nothing,
    One(Op<ops::Accept>),
    Many(StreamingOp<ops::AcceptMany>),
    Pause(Sleep),
}

/// A new connection, and where it comes from, if the kernel has told.
pub(crate) type Accepted = (Owner, Option<SocketAddrAny>);

impl Listener {
    pub(crate) fn new(core: Rc<Core>, fd: OwnedFd, kind: Kind) -> io::Result<Listener> {
        let socket = Owner::accepting(core, fd, kind)?;
        Ok(Listener { state: RefCell::new(Accepting::Nothing), told: Cell::new(false), socket })
    }

    pub(crate) fn into_fd(self) -> io::Result<OwnedFd> {
        let Listener { state, socket, .. } = self;
        drop(state);
        socket.into_fd()
    }

    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        loop {
            let accepted = match self.socket.readiness() {
                Some(readiness) => {
                    ready!(self.poll_pause(cx))?;
                    ready!(readiness.poll_io(Direction::Read, cx, || {
                        rustix::net::acceptfrom_with(&self.socket, SocketFlags::CLOEXEC)
                    }))
                }
                None => ready!(self.poll_ring(cx)).map(|fd| (fd, None)),
            };
            let accepted = accepted.and_then(|(fd, peer)| {
                Ok((Owner::new(self.socket.core.clone(), fd, self.socket.kind())?, peer))
            });
            match accepted {
                Ok(accepted) => {
                    self.told.set(false);
                    return Poll::Ready(Ok(accepted));
                }
                Err(error) => match Errno::from_io_error(&error) {
                    // This client has gone again. Others may be waiting behind it.
                    Some(Errno::CONNABORTED) => {}
                    Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                        *self.state.borrow_mut() =
                            Accepting::Pause(Sleep::on(self.socket.core.clone(), PAUSE));
                        if !self.told.replace(true) {
                            return Poll::Ready(Err(error));
                        }
                    }
                    _ => return Poll::Ready(Err(error)),
                },
            }
        }
    }

    /// Ready when there is no pause, or its end has come.
    ///
    /// # Errors
    /// `ECANCELED` if the runtime is gone before.
    fn poll_pause(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = ready!(poll_borrow(&self.state, cx));
        if let Accepting::Pause(pause) = &mut *state {
            ready!(pause.poll_elapsed(cx))?;
            *state = Accepting::Nothing;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_ring(&self, cx: &mut Context<'_>) -> Poll<io::Result<OwnedFd>> {
        ready!(self.poll_pause(cx))?;
        let mut state = ready!(poll_borrow(&self.state, cx));
        loop {
            match &mut *state {
                Accepting::Nothing | Accepting::Pause(_) => {
                    let listener = self.socket.clone();
                    let many = StreamingOp::new(ops::AcceptMany { listener });
                    *state = Accepting::Many(many);
                }
                Accepting::One(accept) => {
                    let accepted = ready!(Pin::new(accept).poll(cx));
                    *state = self.one();
                    return Poll::Ready(accepted);
                }
                Accepting::Many(many) => match ready!(Pin::new(many).poll_next(cx)) {
                    // It was ended by an error, by a completion queue that was full, or because it had
                    // brought so many connections that nobody has fetched.
                    None => *state = Accepting::Nothing,
                    // A kernel before 5.19 knows only one at a time.
                    Some(Err(error)) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                        *state = self.one();
                    }
                    Some(accepted) => return Poll::Ready(accepted),
                },
            }
        }
    }

    fn one(&self) -> Accepting {
        let accept = ops::Accept { listener: self.socket.clone() };
        Accepting::One(Op::new(accept))
    }
}
