//! A deep stack for what is recursive: the parser, DataFusion's planner, and walks over their trees.
//!
//! A stack overflow is not a panic but the end of the process, and the caller's thread may have any stack. So parsing and planning run
//! on a thread of their own; a panic in DataFusion (some rules `unwrap`) ends that thread only and becomes an error.

use crate::SqlError;
use crate::error::{Code, Position};

/// Reserved, not used, unless a query needs it.
const STACK_BYTES: usize = 64 << 20;

/// Runs `work` on a thread with a deep stack.
///
/// # Errors
/// DT1099 if it panics or no thread can be had.
pub(crate) fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, SqlError> {
    let internal = |message: String| SqlError::new(Code::Internal, Position::default(), message);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("deltic-sql".into()).stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| internal(format!("no thread to plan on: {error}")))?;
        thread.join().map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            internal(format!("the planner failed: {}", text.unwrap_or("panic"))).with_hint("please report this query")
        })
    })
}
