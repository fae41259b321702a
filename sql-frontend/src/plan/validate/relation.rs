//! What stands in FROM: relations, joins and table functions.

use sqlparser::ast::*;

use super::super::as_of::match_condition;
use super::super::clock::CLOCK_FUNCTIONS;
use super::super::list_rows::Call;
use super::super::lookup::{system_time, without_version};
use super::super::window::check_call;
use super::{Valid, Validator};
use crate::parser::fold;

impl Validator {
    pub(super) fn table_with_joins(self, from: &TableWithJoins) -> Valid {
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

    fn table_function(self, name: &ObjectName) -> Valid {
        self.refuse(format!("the table function {}", name.to_string().to_uppercase()))
    }

    pub(super) fn alias(self, alias: Option<&TableAlias>) -> Valid {
        let Some(alias) = alias else { return Ok(()) };
        let typed = alias.columns.iter().any(|column| column.data_type.is_some());
        self.absent(&[(alias.at.is_some(), "AT after an alias"), (typed, "types in an alias")])
    }
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
