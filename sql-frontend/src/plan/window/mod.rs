//! Time windows: TUMBLE, HOP, CUMULATE and SESSION, as table functions ([`relation`]) and in GROUP BY ([`group`]).
//!
//! Both spellings become one node of the logical plan, [`WindowNode`]: the rows of its input with the columns `window_start` and `window_end`, once per
//! window that holds the time of the row. The optimiser sees through it as far as that is right: columns that nobody reads are pruned below it, and
//! predicates pass it unless they read the bounds. Below a session only those over its partition pass, as a row that is taken away could
//! have linked others.

mod arguments;
mod group;
mod marker;
mod node;
mod relation;

use arguments::WindowCall;
pub(crate) use arguments::{TABLE_ARGUMENT, check_call, max_sessions};
pub(crate) use group::{group_by_windows, window_keys};
use marker::is_marker;
pub(crate) use marker::{MARKERS, is_session_bound};
pub(crate) use node::WindowNode;
pub(crate) use relation::{WindowRelations, external};

use crate::SqlError;
use crate::error::Code;

/// More windows than this for one row are taken for a slip of the pen.
const MOST_WINDOWS: i64 = 100_000;

/// The kinds of windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Hash)]
pub(crate) enum WindowKind {
    Tumble,
    Hop,
    Cumulate,
    Session,
}

/// A kind of windows with its lengths, in the unit of the event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Hash)]
pub(crate) enum WindowShape {
    Tumble { size: i64, offset: i64 },
    Hop { slide: i64, size: i64, offset: i64 },
    Cumulate { step: i64, size: i64, offset: i64 },
    Session { gap: i64, max_sessions: Option<u64> },
}

impl WindowShape {
    fn kind(self) -> WindowKind {
        match self {
            WindowShape::Tumble { .. } => WindowKind::Tumble,
            WindowShape::Hop { .. } => WindowKind::Hop,
            WindowShape::Cumulate { .. } => WindowKind::Cumulate,
            WindowShape::Session { .. } => WindowKind::Session,
        }
    }
}

impl WindowKind {
    const ALL: [WindowKind; 4] = [WindowKind::Tumble, WindowKind::Hop, WindowKind::Cumulate, WindowKind::Session];

    /// The kind that the function `name` (folded) makes.
    pub(crate) fn of(name: &str) -> Option<WindowKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// `tumble`, `hop`, `cumulate`, `session`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            WindowKind::Tumble => "tumble",
            WindowKind::Hop => "hop",
            WindowKind::Cumulate => "cumulate",
            WindowKind::Session => "session",
        }
    }

    /// The names of its lengths, in the order of the arguments.
    pub(crate) fn lengths(self) -> &'static [&'static str] {
        match self {
            WindowKind::Tumble => &["size"],
            WindowKind::Hop => &["slide", "size"],
            WindowKind::Cumulate => &["step", "size"],
            WindowKind::Session => &["gap"],
        }
    }

    /// Whether an offset may follow the lengths.
    pub(crate) fn has_offset(self) -> bool {
        self != WindowKind::Session
    }

    /// The windows of these lengths. Positions of errors are for the caller to give.
    ///
    /// # Errors
    /// If there are no such windows.
    fn shape(self, lengths: &[i64], offset: i64, max_sessions: Option<u64>) -> Result<WindowShape, SqlError> {
        let error = |problem: String| SqlError::nowhere(Code::Query, format!("{} {problem}", self.name().to_uppercase()));
        if let Some((name, _)) = self.lengths().iter().zip(lengths).find(|(_, length)| **length <= 0) {
            return Err(error(format!("needs a positive {name}")));
        }
        match (self, lengths) {
            (WindowKind::Tumble, &[size]) => Ok(WindowShape::Tumble { size, offset }),
            (WindowKind::Hop, &[slide, size]) if size / slide <= MOST_WINDOWS => Ok(WindowShape::Hop { slide, size, offset }),
            (WindowKind::Cumulate, &[step, size]) if size % step != 0 => {
                Err(error("needs a size that is a multiple of the step".to_string()).with_hint("the order is step, size"))
            }
            (WindowKind::Cumulate, &[step, size]) if size / step <= MOST_WINDOWS => {
                Ok(WindowShape::Cumulate { step, size, offset })
            }
            (WindowKind::Hop | WindowKind::Cumulate, &[step, size]) => {
                let names = self.lengths();
                let message = format!("would put each row into {} windows; at most {MOST_WINDOWS} are allowed", size / step);
                Err(error(message).with_hint(format!("the order is {}, {}", names[0], names[1])))
            }
            (WindowKind::Session, &[gap]) => Ok(WindowShape::Session { gap, max_sessions }),
            _ => Err(error(format!("needs {}", self.lengths().join(" and ")))),
        }
    }
}
