use std::any::Any;
use std::fmt;

/// Why a task has no output.
///
/// See the section "A panic ends its task alone" of chapter 10.
pub enum JoinError {
    /// It was aborted, or its executor was dropped.
    Cancelled,
    /// It panicked, with this payload.
    Panicked(Box<dyn Any + Send>),
}

impl JoinError {
    /// Whether the task was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, JoinError::Cancelled)
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self, JoinError::Panicked(_))
    }

    /// The payload of the panic, to be looked at or to be thrown on with
    /// [`resume_unwind`](std::panic::resume_unwind).
    ///
    /// # Errors
    /// With the error itself, if it is no panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, JoinError> {
        match self {
            JoinError::Panicked(payload) => Ok(payload),
            other => Err(other),
        }
    }

    /// What the task said when it panicked, if that was a text.
    pub fn panic_text(&self) -> Option<&str> {
        let JoinError::Panicked(payload) = self else { return None };
        let text = payload.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| payload.downcast_ref::<&str>().copied())
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.panic_text()) {
            (JoinError::Cancelled, _) => f.write_str("the task was cancelled"),
            (_, Some(text)) => write!(f, "the task panicked: {text}"),
            (_, None) => f.write_str("the task panicked"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Cancelled => f.write_str("Cancelled"),
            JoinError::Panicked(_) => f.debug_tuple("Panicked").field(&self.panic_text()).finish(),
        }
    }
}

impl std::error::Error for JoinError {}
