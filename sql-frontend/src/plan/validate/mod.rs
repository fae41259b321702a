//! The allow-list over the syntax tree: what is not listed here is refused by its name, with its position.
//!
//! DataFusion silently ignores some clauses (TABLESAMPLE, FOR SYSTEM_TIME AS OF), so "it could be planned" means nothing. Every field of a
//! clause is looked at; functions are resolved here because here their positions are known.

mod function;
mod spelling;

use std::fmt::Display;

use sqlparser::ast::*;

use super::as_of::match_condition;
use super::clock::CLOCK_FUNCTIONS;
use super::grouping::{has_sets, nested_sets};
use super::limit;
use super::list_rows::Call;
use super::lookup::{system_time, without_version};
use super::recursion::MUTUALLY_RECURSIVE;
use super::spelling::compares;
use super::types;
use super::window::{WindowKind, check_call};
use crate::SqlError;
use crate::error::{Code, Position};
use crate::parser::fold;

type Valid = Result<(), SqlError>;

/// Checks `query` and all that is in it.
pub(crate) fn validate_query(query: &Query, position: Position) -> Valid {
    Validator { position }.query(query)
}

/// Checks an expression that stands outside of a query.
pub(crate) fn validate_expression(expr: &Expr, position: Position) -> Valid {
    Validator { position }.expr(expr)
}

/// Walks the tree with the last known position: not every node of sqlparser has one.
#[derive(Clone, Copy)]
struct Validator {
    position: Position,
}

/// Whether `function` is the time at which a row is worked on.
fn is_clock(function: &Function) -> bool {
    let [ObjectNamePart::Identifier(ident)] = function.name.0.as_slice() else { return false };
    let name = fold(ident);
    let no_arguments = match &function.args {
        FunctionArguments::None => true,
        FunctionArguments::List(list) => list.args.is_empty() && list.clauses.is_empty(),
        FunctionArguments::Subquery(_) => false,
    };
    no_arguments && function.over.is_none() && (name == "proctime" || CLOCK_FUNCTIONS.contains(&name.as_str()))
}

impl Validator {
    fn at(self, node: &impl Spanned) -> Self {
        let start = node.span().start;
        if start.line == 0 { self } else { Validator { position: start.into() } }
    }

    fn refuse(self, what: impl Display) -> Valid {
        Err(SqlError::unsupported(self.position, what))
    }

    /// Refuses the first clause that is there.
    fn absent(self, clauses: &[(bool, &str)]) -> Valid {
        clauses.iter().find(|(present, _)| *present).map_or(Ok(()), |(_, name)| self.refuse(name))
    }

    fn query(self, query: &Query) -> Valid {
        let here = self.at(query);
        here.absent(&[
            (!query.locks.is_empty(), "FOR UPDATE"),
            (query.for_clause.is_some(), "FOR XML / JSON"),
            (query.settings.is_some(), "SETTINGS"),
            (query.format_clause.is_some(), "FORMAT"),
            (!query.pipe_operators.is_empty(), "the pipe operator |>"),
        ])?;
        if let Some(with) = &query.with {
            let declared = with.cte_tables.first().is_some_and(|cte| cte.alias.name.value == MUTUALLY_RECURSIVE);
            for cte in &with.cte_tables {
                here.at(cte).absent(&[(cte.from.is_some(), "FROM after a CTE")])?;
                if !declared {
                    here.at(cte).alias(Some(&cte.alias))?;
                }
                here.query(&cte.query)?;
            }
        }
        here.set_expr(&query.body)?;
        if let Some(order) = &query.order_by {
            let unknown = !matches!(query.body.as_ref(), SetExpr::Select(_)) && limit::width(&query.body).is_none();
            here.absent(&[(unknown && matches!(order.kind, OrderByKind::All(_)), "ORDER BY ALL of a set operation over *")])?;
            here.order_by(order)?;
        }
        if let Some(fetch) = &query.fetch {
            here.fetch(fetch, query)?;
        }
        match &query.limit_clause {
            None => Ok(()),
            Some(LimitClause::LimitOffset { limit_by, limit, offset }) => {
                here.absent(&[(!limit_by.is_empty(), "LIMIT BY")])?;
                here.row_count(limit.as_ref(), "LIMIT")?;
                here.row_count(offset.as_ref().map(|offset| &offset.value), "OFFSET")
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                here.row_count(Some(offset), "OFFSET")?;
                here.row_count(Some(limit), "LIMIT")
            }
        }
    }

    fn fetch(self, fetch: &Fetch, query: &Query) -> Valid {
        let limited = match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit, .. }) => limit.is_some(),
            other => other.is_some(),
        };
        self.absent(&[(fetch.percent, "FETCH .. PERCENT"), (limited, "LIMIT beside FETCH")])?;
        if fetch.with_ties && query.order_by.is_none() {
            let error = SqlError::new(Code::Query, self.position, "WITH TIES needs an ORDER BY");
            return Err(error.with_hint("without an order all rows are equal in it"));
        }
        self.row_count(fetch.quantity.as_ref(), "FETCH")
    }

    fn row_count(self, expr: Option<&Expr>, clause: &str) -> Valid {
        match expr {
            None => Ok(()),
            Some(expr) if limit::count(expr).is_some() => Ok(()),
            Some(Expr::Value(ValueWithSpan { value: Value::Null, .. })) => Ok(()),
            Some(other) => {
                let message = format!("{clause} must be a non-negative whole number, not {other}");
                Err(SqlError::new(Code::Query, self.at(other).position, message))
            }
        }
    }

    fn order_by(self, order: &OrderBy) -> Valid {
        self.absent(&[(order.interpolate.is_some(), "INTERPOLATE")])?;
        match &order.kind {
            OrderByKind::All(_) => Ok(()),
            OrderByKind::Expressions(expressions) => self.order_by_list(expressions),
        }
    }

    fn order_by_list(self, expressions: &[OrderByExpr]) -> Valid {
        expressions.iter().try_for_each(|item| {
            self.at(&item.expr).absent(&[(item.with_fill.is_some(), "WITH FILL")])?;
            self.expr(&item.expr)
        })
    }

    fn set_expr(self, body: &SetExpr) -> Valid {
        match body {
            SetExpr::Select(select) => self.at(select.as_ref()).select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { op, set_quantifier, left, right } => {
                self.set_expr(left)?;
                let by_position = matches!(set_quantifier, SetQuantifier::All | SetQuantifier::None | SetQuantifier::Distinct);
                if !by_position && *op != SetOperator::Union {
                    return self.at(right.as_ref()).refuse(format!("{op} BY NAME"));
                }
                self.set_expr(right)
            }
            SetExpr::Values(values) => {
                self.absent(&[(values.explicit_row, "VALUES ROW"), (values.value_keyword, "VALUE for VALUES")])?;
                values.rows.iter().flat_map(|row| &row.content).try_for_each(|expr| self.expr(expr))
            }
            // The parser swallows what follows it.
            SetExpr::Table(_) => self.refuse("TABLE t as a query").map_err(|error| error.with_hint("use SELECT * FROM t")),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                self.refuse("a data-changing statement in a query")
            }
        }
    }

    fn select(self, select: &Select) -> Valid {
        self.absent(&[
            (!select.optimizer_hints.is_empty(), "optimizer hints"),
            (select.select_modifiers.is_some(), "modifiers of SELECT"),
            (select.top.is_some(), "TOP"),
            (select.exclude.is_some(), "EXCLUDE"),
            (select.into.is_some(), "SELECT INTO"),
            (!select.lateral_views.is_empty(), "LATERAL VIEW"),
            (select.prewhere.is_some(), "PREWHERE"),
            (!select.connect_by.is_empty(), "CONNECT BY"),
            (!select.cluster_by.is_empty(), "CLUSTER BY"),
            (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
            (!select.sort_by.is_empty(), "SORT BY"),
            (select.value_table_mode.is_some(), "SELECT AS VALUE / STRUCT"),
            (!matches!(select.flavor, SelectFlavor::Standard), "FROM before SELECT"),
        ])?;
        if let Some(Distinct::On(keys)) = &select.distinct {
            self.all(keys)?;
        }
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => self.expr(expr)?,
                SelectItem::ExprWithAliases { .. } => return self.refuse("several aliases for one expression"),
                SelectItem::Wildcard(options) => self.at(item).wildcard(options)?,
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(_), options) => {
                    self.at(item).wildcard(options)?;
                }
                SelectItem::QualifiedWildcard(..) => return self.at(item).refuse("expression.*"),
            }
        }
        select.from.iter().try_for_each(|from| self.table_with_joins(from))?;
        select.selection.iter().try_for_each(|expr| self.expr(expr))?;
        match &select.group_by {
            GroupByExpr::All(modifiers) => {
                self.absent(&[(!modifiers.is_empty(), "GROUP BY ALL WITH ..")])?;
            }
            GroupByExpr::Expressions(expressions, modifiers) => self.group_by(expressions, modifiers)?,
        }
        select.having.iter().chain(&select.qualify).try_for_each(|expr| self.expr(expr))?;
        select.named_window.iter().try_for_each(|window| match &window.1 {
            NamedWindowExpr::NamedWindow(_) => Ok(()),
            NamedWindowExpr::WindowSpec(spec) => self.window(spec),
        })
    }

    fn wildcard(self, options: &WildcardAdditionalOptions) -> Valid {
        self.absent(&[
            (options.opt_ilike.is_some(), "* ILIKE"),
            (options.opt_rename.is_some(), "* RENAME"),
            (options.opt_alias.is_some(), "an alias for *"),
        ])?;
        options.opt_replace.iter().flat_map(|replace| &replace.items).try_for_each(|item| self.expr(&item.expr))
    }

    fn group_by(self, elements: &[Expr], modifiers: &[GroupByWithModifier]) -> Valid {
        let has_sets = !modifiers.is_empty() || elements.iter().any(has_sets);
        match modifiers {
            [] | [GroupByWithModifier::Rollup | GroupByWithModifier::Cube] => {}
            [only] => return self.refuse(only),
            _ => return self.refuse("GROUP BY with several modifiers"),
        }
        for element in elements {
            let here = self.at(element);
            if has_sets && matches!(element, Expr::Function(function) if is_window(function)) {
                let hint = "window the rows in FROM: TABLE(TUMBLE(TABLE t, ..))";
                return here.refuse("a window beside grouping sets").map_err(|error| error.with_hint(hint));
            }
            here.group_expr(element)?;
        }
        Ok(())
    }

    fn group_expr(self, expr: &Expr) -> Valid {
        let here = self.at(expr);
        match expr {
            Expr::Cube(sets) | Expr::Rollup(sets) => here.all(sets.iter().flatten()),
            Expr::GroupingSets(sets) => sets.iter().try_for_each(|set| match set.as_slice() {
                [Expr::Function(function)] => match nested_sets(function) {
                    Some((_, parts)) => here.all(parts.iter().flatten()),
                    None => here.all(set),
                },
                _ => here.all(set),
            }),
            Expr::Tuple(parts) => here.all(parts),
            Expr::Nested(inner) => here.group_expr(inner),
            Expr::Function(function) if is_window(function) => here.window_key(function),
            expr => self.expr(expr),
        }
    }

    fn table_with_joins(self, from: &TableWithJoins) -> Valid {
        self.table_factor(&from.relation)?;
        for join in &from.joins {
            let here = self.at(&join.relation);
            if join.global {
                return here.refuse("GLOBAL JOIN");
            }
            if let Some(time) = system_time(&join.relation) {
                here.lookup(join, time)?;
                continue;
            }
            here.table_factor(&join.relation)?;
            match &join.join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint)
                | JoinOperator::Semi(constraint)
                | JoinOperator::LeftSemi(constraint)
                | JoinOperator::RightSemi(constraint)
                | JoinOperator::Anti(constraint)
                | JoinOperator::LeftAnti(constraint)
                | JoinOperator::RightAnti(constraint)
                | JoinOperator::CrossJoin(constraint) => {
                    if let JoinConstraint::On(expr) = constraint {
                        self.expr(expr)?;
                    }
                }
                JoinOperator::CrossApply | JoinOperator::OuterApply => return here.refuse("APPLY"),
                JoinOperator::AsOf { match_condition: condition, constraint } => {
                    self.expr(match_condition(condition).0)?;
                    if let JoinConstraint::On(expr) = constraint {
                        self.expr(expr)?;
                    }
                }
                JoinOperator::StraightJoin(_) => return here.refuse("STRAIGHT_JOIN"),
                JoinOperator::ArrayJoin | JoinOperator::LeftArrayJoin | JoinOperator::InnerArrayJoin => {
                    return here.refuse("ARRAY JOIN");
                }
            }
        }
        Ok(())
    }

    /// A join with `FOR SYSTEM_TIME AS OF time`.
    fn lookup(self, join: &Join, time: &Expr) -> Valid {
        self.table_factor(&without_version(&join.relation))?;
        let constraint = match &join.join_operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint) => constraint,
            _ => return self.refuse("FOR SYSTEM_TIME AS OF in a join that is neither an inner nor a left one"),
        };
        match constraint {
            JoinConstraint::On(on) => self.expr(on)?,
            JoinConstraint::Using(_) => {}
            JoinConstraint::Natural | JoinConstraint::None => return self.refuse("FOR SYSTEM_TIME AS OF without ON or USING"),
        }
        match time {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => Ok(()),
            Expr::Function(function) if is_clock(function) => Ok(()),
            other => self.at(other).refuse(format!("FOR SYSTEM_TIME AS OF {other}")).map_err(|error| {
                error.with_hint("write PROCTIME() or a time of the left row: it is the row of the epoch in which that comes; ASOF JOIN goes by other times")
            }),
        }
    }

    fn table_factor(self, factor: &TableFactor) -> Valid {
        let here = self.at(factor);
        if let Some((call, alias)) = check_call(factor)? {
            here.table_factor(&call.input)?;
            here.all(call.partition.iter().chain([&call.time]).chain(&call.lengths).chain(&call.offset))?;
            return here.alias(alias.as_ref());
        }
        if let Some(call) = Call::of(factor) {
            let with_offset = matches!(factor, TableFactor::UNNEST { with_offset: true, .. });
            here.absent(&[(with_offset, "UNNEST .. WITH OFFSET")])?;
            here.all(call.arguments.iter().copied())?;
            return here.alias(call.alias);
        }
        match factor {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                let here = self.at(name);
                if args.is_some() {
                    return here.table_function(name);
                }
                here.absent(&[
                    (!with_hints.is_empty() || !index_hints.is_empty(), "hints"),
                    (version.is_some(), "FOR SYSTEM_TIME AS OF other than for the right side of a JOIN"),
                    (*with_ordinality, "WITH ORDINALITY"),
                    (!partitions.is_empty(), "PARTITION (..)"),
                    (json_path.is_some(), "a JSON path"),
                    (sample.is_some(), "TABLESAMPLE"),
                ])?;
                crate::parser::relation_name(name)?;
                here.alias(alias.as_ref())
            }
            TableFactor::Derived { lateral, subquery, alias, sample } => {
                here.absent(&[(sample.is_some(), "TABLESAMPLE")])?;
                // Without an alias its columns could take the names of those to its left.
                here.absent(&[(*lateral && alias.is_none(), "LATERAL (..) without an alias")])?;
                here.alias(alias.as_ref())?;
                self.query(subquery)
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                here.alias(alias.as_ref())?;
                self.table_with_joins(table_with_joins)
            }
            TableFactor::Function { lateral: true, .. } => here.refuse("LATERAL"),
            TableFactor::Function { name, .. } => self.at(name).table_function(name),
            TableFactor::TableFunction { expr: Expr::Function(function), .. } => {
                self.at(&function.name).table_function(&function.name)
            }
            TableFactor::TableFunction { .. } => here.refuse("TABLE(..)"),
            TableFactor::UNNEST { .. } => here.refuse("UNNEST"),
            TableFactor::Pivot { table, aggregate_functions, value_column, value_source, default_on_null, alias } => {
                here.absent(&[(default_on_null.is_some(), "PIVOT .. DEFAULT ON NULL")])?;
                here.alias(alias.as_ref())?;
                here.table_factor(table)?;
                here.all(aggregate_functions.iter().map(|aggregate| &aggregate.expr).chain(value_column))?;
                let PivotValueSource::List(values) = value_source else {
                    let hint = "the columns of a view are known when it is created: list the values";
                    return here.refuse("PIVOT over values that are not listed").map_err(|error| error.with_hint(hint));
                };
                values.iter().try_for_each(|value| here.parts(&value.expr))
            }
            TableFactor::Unpivot { table, value, columns, alias, .. } => {
                here.alias(alias.as_ref())?;
                here.table_factor(table)?;
                here.parts(value)?;
                columns.iter().try_for_each(|column| here.parts(&column.expr))
            }
            TableFactor::MatchRecognize { .. } => here.refuse("MATCH_RECOGNIZE"),
            TableFactor::JsonTable { .. } | TableFactor::OpenJsonTable { .. } => here.refuse("JSON_TABLE"),
            TableFactor::XmlTable { .. } => here.refuse("XMLTABLE"),
            TableFactor::SemanticView { .. } => here.refuse("SEMANTIC_VIEW"),
        }
    }

    /// An expression, or a list of some in parentheses.
    fn parts(self, expr: &Expr) -> Valid {
        match expr {
            Expr::Tuple(parts) => self.all(parts),
            other => self.expr(other),
        }
    }

    fn table_function(self, name: &ObjectName) -> Valid {
        self.refuse(format!("the table function {}", name.to_string().to_uppercase()))
    }

    fn alias(self, alias: Option<&TableAlias>) -> Valid {
        let Some(alias) = alias else { return Ok(()) };
        let typed = alias.columns.iter().any(|column| column.data_type.is_some());
        self.absent(&[(alias.at.is_some(), "AT after an alias"), (typed, "types in an alias")])
    }

    fn expr(self, expr: &Expr) -> Valid {
        let here = self.at(expr);
        match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::TypedString(_) => Ok(()),
            Expr::Value(value) => match &value.value {
                Value::Placeholder(name) => here.refuse(format!("the parameter {name}")),
                _ => Ok(()),
            },
            Expr::IsFalse(e)
            | Expr::IsNotFalse(e)
            | Expr::IsTrue(e)
            | Expr::IsNotTrue(e)
            | Expr::IsNull(e)
            | Expr::IsNotNull(e)
            | Expr::IsUnknown(e)
            | Expr::IsNotUnknown(e)
            | Expr::Nested(e) => here.expr(e),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => here.row_comparison(left, right),
            Expr::InList { expr, list, .. } => list.iter().try_for_each(|item| here.row_comparison(expr, item)),
            Expr::Between { expr, low, high, .. } => here.all([expr.as_ref(), low, high]),
            Expr::BinaryOp { left, op, right } if compares(op) => here.row_comparison(left, right),
            Expr::BinaryOp { left, right, .. } => here.all([left.as_ref(), right]),
            Expr::Like { .. } | Expr::ILike { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. } | Expr::AtTimeZone { .. } => {
                here.respelled(expr)
            }
            Expr::UnaryOp { op: UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::Not, expr } => here.expr(expr),
            Expr::Cast { kind, expr, data_type, array, format } => {
                here.absent(&[
                    (*array, "CAST AS .. ARRAY"),
                    (format.is_some(), "CAST .. FORMAT"),
                    (matches!(kind, CastKind::SafeCast), "SAFE_CAST"),
                    (types::is_padded(data_type), "a cast to CHAR"),
                ])?;
                here.expr(expr)
            }
            Expr::Extract { .. }
            | Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. }
            | Expr::Overlay { .. } => here.call_syntax(expr),
            Expr::Function(function) => here.function(function),
            Expr::Case { operand, conditions, else_result, .. } => {
                let branches = conditions.iter().flat_map(|branch| [&branch.condition, &branch.result]);
                here.all(operand.as_deref().into_iter().chain(branches).chain(else_result.as_deref()))
            }
            Expr::Subquery(query) | Expr::Exists { subquery: query, .. } => here.query(query),
            Expr::InSubquery { expr, subquery, .. } => {
                here.expr(expr)?;
                here.query(subquery)
            }
            Expr::AnyOp { left, compare_op, right, .. } | Expr::AllOp { left, compare_op, right } => {
                let name = if matches!(expr, Expr::AnyOp { .. }) { "ANY" } else { "ALL" };
                let Expr::Subquery(query) = right.as_ref() else { return here.respelled(expr) };
                use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
                if !matches!(compare_op, Eq | NotEq | Lt | LtEq | Gt | GtEq) {
                    return here.refuse(format!("the operator {compare_op} with {name}"));
                }
                here.expr(left)?;
                here.query(query)
            }
            Expr::Array(array) => here.all(&array.elem),
            Expr::Interval(interval) => here.expr(&interval.value),
            Expr::CompoundFieldAccess { root, access_chain } => {
                here.expr(root)?;
                access_chain.iter().try_for_each(|access| match access {
                    AccessExpr::Dot(_) => Ok(()),
                    AccessExpr::Subscript(Subscript::Index { index }) => here.expr(index),
                    AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }) => {
                        here.all([lower_bound, upper_bound, stride].into_iter().flatten())
                    }
                })
            }
            Expr::Struct { values, .. } => here.all(values),
            Expr::Named { expr, .. } => here.expr(expr),
            other => here.refuse(refused_name(other)),
        }
    }

    /// Calls that have a syntax of their own.
    fn call_syntax(self, expr: &Expr) -> Valid {
        let here = self;
        match expr {
            Expr::Extract { expr, .. } => here.expr(expr),
            Expr::Ceil { expr, field } | Expr::Floor { expr, field } => {
                here.absent(&[(matches!(field, CeilFloorKind::Scale(_)), "CEIL / FLOOR with a scale")])?;
                here.expr(expr)
            }
            Expr::Position { expr, r#in } => here.all([expr.as_ref(), r#in]),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                here.expr(expr)?;
                here.all(substring_from.as_deref().into_iter().chain(substring_for.as_deref()))
            }
            Expr::Trim { expr, trim_what, trim_characters, .. } => {
                here.expr(expr)?;
                here.all(trim_what.as_deref().into_iter().chain(trim_characters.iter().flatten()))
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                here.all([expr.as_ref(), overlay_what, overlay_from].into_iter().chain(overlay_for.as_deref()))
            }
            other => here.refuse(refused_name(other)),
        }
    }

    fn all<'e>(self, exprs: impl IntoIterator<Item = &'e Expr>) -> Valid {
        exprs.into_iter().try_for_each(|expr| self.expr(expr))
    }
}

fn is_window(function: &Function) -> bool {
    matches!(function.name.0.as_slice(), [ObjectNamePart::Identifier(ident)] if WindowKind::of(&fold(ident)).is_some())
}

/// What an expression that is not supported is called.
pub(super) fn refused_name(expr: &Expr) -> String {
    match expr {
        Expr::InUnnest { .. } => "IN UNNEST".to_string(),
        Expr::IsNormalized { .. } => "IS NORMALIZED".to_string(),
        Expr::Collate { .. } => "COLLATE".to_string(),
        Expr::Convert { .. } => "CONVERT".to_string(),
        Expr::JsonAccess { .. } => "access by a JSON path".to_string(),
        Expr::Tuple(_) => "a row value".to_string(),
        Expr::Lambda(_) => "a lambda".to_string(),
        Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => "a grouping set".to_string(),
        other => format!("the expression {other}"),
    }
}
