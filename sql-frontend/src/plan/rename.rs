//! `* RENAME (a AS b)` and `* ILIKE 'pattern'`.
//!
//! Only the binder knows the columns of `*`, and conditions of the same SELECT read them by their old names. So such a SELECT becomes a derived table, in
//! which each renamed column is a REPLACE by itself that carries the new name, and whose columns are renamed or left out here when the binder comes to
//! it. They keep the relations that they are of.

use std::ops::ControlFlow;

use arrow::array::StringArray;
use arrow::compute::kernels::comparison::ilike;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion_expr::{Distinct as PlanDistinct, Expr as PlanExpr, LogicalPlan, LogicalPlanBuilder};
use sqlparser::ast::*;

use super::naming::call;
use super::using::shown_name;
use super::wildcard::RENAMED_NAME;
use super::window::external;
use crate::SqlError;
use crate::error::{Code, Position};
use crate::parser::{bare_select, empty_select, fold};

/// The alias of such a derived table; its first column is the pattern of ILIKE.
const RENAMING: &str = "__renaming";

/// Makes derived tables of the SELECTs in `query` that rename.
///
/// # Errors
/// If one has what its derived table cannot have.
pub(super) fn derive_tables(query: &mut Query) -> std::result::Result<(), SqlError> {
    match VisitMut::visit(query, &mut Deriving) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Deriving;

impl VisitorMut for Deriving {
    type Break = SqlError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<SqlError> {
        let items = select.projection.len();
        let mut pattern = None;
        let mut renames = false;
        for item in &mut select.projection {
            let (relation, options) = match item {
                SelectItem::Wildcard(options) => (vec![], options),
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                    (name.0.iter().filter_map(ObjectNamePart::as_ident).cloned().collect(), options)
                }
                SelectItem::QualifiedWildcard(_, options) => (vec![], options),
                _ => continue,
            };
            if options.opt_rename.is_none() && options.opt_ilike.is_none() {
                continue;
            }
            let position = Position::from(options.wildcard_token.0.span.start);
            if matches!(select.distinct, Some(Distinct::On(_))) {
                return ControlFlow::Break(SqlError::unsupported(position, "* RENAME or ILIKE with DISTINCT ON"));
            }
            if let Some(ilike) = options.opt_ilike.take() {
                if items > 1 {
                    return ControlFlow::Break(SqlError::unsupported(position, "* ILIKE beside other items"));
                }
                pattern = Some(ilike.pattern);
            }
            match options.opt_rename.take() {
                Some(RenameSelectItem::Single(item)) => rename(options, &relation, vec![item]),
                Some(RenameSelectItem::Multiple(items)) => rename(options, &relation, items),
                None => {}
            }
            renames = true;
        }
        if renames {
            let inner = std::mem::replace(select, outer_select());
            select.from = vec![TableWithJoins { relation: derived(inner, pattern), joins: vec![] }];
        }
        ControlFlow::Continue(())
    }
}

/// Turns the renames of columns of `relation` into replacements that carry the new names.
fn rename(options: &mut WildcardAdditionalOptions, relation: &[Ident], items: Vec<IdentWithAlias>) {
    let replace = options.opt_replace.get_or_insert_with(|| ReplaceSelectItem { items: vec![] });
    for IdentWithAlias { ident, alias } in items {
        let known = replace.items.iter().position(|item| fold(&item.column_name) == fold(&ident));
        let place = known.unwrap_or_else(|| {
            let expr = match relation {
                [] => Expr::Identifier(ident.clone()),
                relation => Expr::CompoundIdentifier(relation.iter().chain([&ident]).cloned().collect()),
            };
            replace.items.push(Box::new(ReplaceSelectElement { expr, column_name: ident, as_keyword: true }));
            replace.items.len() - 1
        });
        let item = &mut replace.items[place];
        let expr = std::mem::replace(&mut item.expr, Expr::value(Value::Null));
        item.expr = call(RENAMED_NAME, [expr, Expr::value(Value::SingleQuotedString(fold(&alias)))]);
    }
}

fn outer_select() -> Select {
    Select { projection: vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())], ..bare_select() }
}

fn derived(select: Select, pattern: Option<String>) -> TableFactor {
    let mut query = empty_select();
    *query.body = SetExpr::Select(Box::new(select));
    let column = |pattern: String| TableAliasColumnDef { name: Ident::with_quote('"', pattern), data_type: None };
    let alias = TableAlias {
        explicit: true,
        name: Ident::with_quote('"', RENAMING),
        columns: pattern.into_iter().map(column).collect(),
        at: None,
    };
    TableFactor::Derived { lateral: false, subquery: Box::new(query), alias: Some(alias), sample: None }
}

/// Plans such derived tables.
#[derive(Debug)]
pub(crate) struct Renames;

impl RelationPlanner for Renames {
    fn plan_relation(&self, relation: TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        let TableFactor::Derived { lateral, subquery, alias: Some(alias), sample } = relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        if alias.name.value != RENAMING {
            let alias = Some(alias);
            return Ok(RelationPlanning::Original(Box::new(TableFactor::Derived { lateral, subquery, alias, sample })));
        }
        let plan = context.plan(TableFactor::Derived { lateral, subquery, alias: None, sample })?;
        let pattern = alias.columns.first().map(|column| column.name.value.as_str());
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(renamed(plan, pattern)?, None))))
    }
}

/// The columns of `plan` whose names match the pattern, under their new names.
fn renamed(plan: LogicalPlan, pattern: Option<&str>) -> Result<LogicalPlan> {
    let outputs = outputs(&plan).unwrap_or_default();
    let mut columns = Vec::with_capacity(plan.schema().fields().len());
    for (place, column) in plan.schema().columns().into_iter().enumerate() {
        if let Some(pattern) = pattern
            && !is_like(shown_name(&column.name), pattern)?
        {
            continue;
        }
        let relation = column.relation.clone();
        let column = PlanExpr::Column(column);
        columns.push(match outputs.get(place).and_then(new_name) {
            Some(name) => column.alias_qualified(relation, name),
            None => column,
        });
    }
    if columns.is_empty() {
        let message = format!("no column is ILIKE '{}'", pattern.unwrap_or_default());
        return Err(external(SqlError::new(Code::Query, Position::default(), message)));
    }
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// The SELECT list of `plan`.
fn outputs(plan: &LogicalPlan) -> Option<Vec<PlanExpr>> {
    match plan {
        LogicalPlan::Projection(projection) => Some(projection.expr.clone()),
        LogicalPlan::SubqueryAlias(alias) => outputs(&alias.input),
        LogicalPlan::Distinct(PlanDistinct::All(input)) => outputs(input),
        _ => None,
    }
}

/// The name that an item carries.
fn new_name(item: &PlanExpr) -> Option<String> {
    let mut found = None;
    let walked = item.apply(|expr| {
        if let PlanExpr::ScalarFunction(function) = expr
            && function.func.name() == RENAMED_NAME
            && let Some(PlanExpr::Literal(ScalarValue::Utf8(name), _)) = function.args.get(1)
        {
            found = name.clone();
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    walked.ok().and(found)
}

fn is_like(name: &str, pattern: &str) -> Result<bool> {
    let matches = ilike(&StringArray::new_scalar(name), &StringArray::new_scalar(pattern))?;
    Ok(matches.value(0))
}
