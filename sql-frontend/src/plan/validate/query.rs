//! Queries: their clauses, the SELECT list and GROUP BY.

use sqlparser::ast::*;

use super::super::grouping::{has_sets, nested_sets};
use super::super::limit;
use super::super::recursion::MUTUALLY_RECURSIVE;
use super::super::window::WindowKind;
use super::{Valid, Validator};
use crate::SqlError;
use crate::error::Code;
use crate::parser::fold;

impl Validator {
    pub(super) fn query(self, query: &Query) -> Valid {
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

    pub(super) fn order_by_list(self, expressions: &[OrderByExpr]) -> Valid {
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
        self.absent(&[(options.opt_alias.is_some(), "an alias for *")])?;
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
}

fn is_window(function: &Function) -> bool {
    matches!(function.name.0.as_slice(), [ObjectNamePart::Identifier(ident)] if WindowKind::of(&fold(ident)).is_some())
}
