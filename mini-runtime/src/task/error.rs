use std::any::Any;
use std::fmt;
use std::io;

/// Why a task has no output.
///
/// Built in chapter 10, section "A panic ends its task alone".
pub struct JoinError(Why);

enum Why {
    Cancelled,
    Panicked(Box<dyn Any + Send>),
}

// SAFETY: whoever shares an error sees no more of its payload than `panic_text` does. That asks for the type, which
// does not touch the payload, and reads it if it is text, which any number of threads may do at once. All else
// takes the error, and so belongs to one thread.
unsafe impl Sync for Why {}

impl JoinError {
    pub(crate) fn cancelled() -> JoinError {
        JoinError(Why::Cancelled)
    }

    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> JoinError {
        JoinError(Why::Panicked(payload))
    }

    /// Whether the task was aborted, or its runtime was dropped.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Why::Cancelled)
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.0, Why::Panicked(_))
    }

    /// The payload of the panic, to be looked at or to be thrown on with
    /// [`resume_unwind`](std::panic::resume_unwind).
    ///
    /// # Panics
    /// If the task did not panic.
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        self.try_into_panic().expect("the task did not panic, it was cancelled")
    }

    /// The payload of the panic.
    ///
    /// # Errors
    /// With the error itself, if it is no panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, JoinError> {
        match self.0 {
            Why::Panicked(payload) => Ok(payload),
            Why::Cancelled => Err(self),
        }
    }

    fn panic_text(&self) -> Option<&str> {
        let Why::Panicked(payload) = &self.0 else { return None };
        let text = payload.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| payload.downcast_ref::<&str>().copied())
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0, self.panic_text()) {
            (Why::Cancelled, _) => f.write_str("the task was cancelled"),
            (_, Some(text)) => write!(f, "the task panicked: {text}"),
            (_, None) => f.write_str("the task panicked"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Cancelled => f.write_str("JoinError::Cancelled"),
            Why::Panicked(_) => {
                f.debug_tuple("JoinError::Panicked").field(&self.panic_text()).finish()
            }
        }
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> io::Error {
        io::Error::other(error)
    }
}
