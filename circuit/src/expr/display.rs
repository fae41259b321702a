//! Expressions as text, close to SQL, with `#3` for column 3. The text identifies the expression: [`crate::fingerprint`] hashes it.

use std::fmt::{self, Display, Formatter};

use datafusion_common::ScalarValue;

use super::{BinaryOp, Expr};

impl Display for BinaryOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Modulo => "%",
            BinaryOp::Equal => "=",
            BinaryOp::NotEqual => "<>",
            BinaryOp::Less => "<",
            BinaryOp::LessOrEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterOrEqual => ">=",
            BinaryOp::IsDistinctFrom => "IS DISTINCT FROM",
            BinaryOp::IsNotDistinctFrom => "IS NOT DISTINCT FROM",
            BinaryOp::And => "AND",
            BinaryOp::Or => "OR",
            BinaryOp::BitAnd => "&",
            BinaryOp::BitOr => "|",
            BinaryOp::BitXor => "#",
            BinaryOp::ShiftLeft => "<<",
            BinaryOp::ShiftRight => ">>",
            BinaryOp::Concat => "||",
            BinaryOp::RegexMatch => "~",
            BinaryOp::RegexIMatch => "~*",
            BinaryOp::RegexNotMatch => "!~",
            BinaryOp::RegexNotIMatch => "!~*",
        })
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Column { index, .. } => write!(f, "#{index}"),
            Expr::Literal(value) => literal(f, value),
            Expr::Binary { op, left, right, .. } => write!(f, "({left} {op} {right})"),
            Expr::Not(input) => match input.as_ref() {
                Expr::IsNull(inner) => write!(f, "({inner} IS NOT NULL)"),
                _ => write!(f, "(NOT {input})"),
            },
            Expr::Negative(input) => write!(f, "(- {input})"),
            Expr::IsNull(input) => write!(f, "({input} IS NULL)"),
            Expr::Case { branches, otherwise, .. } => {
                f.write_str("CASE")?;
                for (condition, result) in branches {
                    write!(f, " WHEN {condition} THEN {result}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " ELSE {otherwise}")?;
                }
                f.write_str(" END")
            }
            Expr::Coalesce { arguments, .. } => call(f, "coalesce", arguments),
            Expr::Cast { input, data_type, safe } => {
                write!(f, "{}({input} AS {data_type})", if *safe { "TRY_CAST" } else { "CAST" })
            }
            Expr::Like { input, pattern, negated, case_insensitive } => {
                let not = if *negated { "NOT " } else { "" };
                let like = if *case_insensitive { "ILIKE" } else { "LIKE" };
                write!(f, "({input} {not}{like} {pattern})")
            }
            Expr::InList { input, list, list_has_null, negated } => {
                write!(f, "({input} {}IN (", if *negated { "NOT " } else { "" })?;
                for (position, value) in list.iter().enumerate() {
                    f.write_str(if position > 0 { ", " } else { "" })?;
                    literal(f, value)?;
                }
                if *list_has_null {
                    f.write_str(if list.is_empty() { "NULL" } else { ", NULL" })?;
                }
                f.write_str("))")
            }
            Expr::Function { function, arguments, .. } => call(f, function.name(), arguments),
        }
    }
}

fn call(f: &mut Formatter<'_>, name: &str, arguments: &[Expr]) -> fmt::Result {
    write!(f, "{name}(")?;
    for (position, argument) in arguments.iter().enumerate() {
        write!(f, "{}{argument}", if position > 0 { ", " } else { "" })?;
    }
    f.write_str(")")
}

/// Strings quoted as in SQL, other values as DataFusion prints them.
fn literal(f: &mut Formatter<'_>, value: &ScalarValue) -> fmt::Result {
    match value {
        value if value.is_null() => f.write_str("NULL"),
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) | ScalarValue::LargeUtf8(Some(text)) => {
            write!(f, "'{}'", text.replace('\'', "''"))
        }
        value => write!(f, "{value}"),
    }
}
