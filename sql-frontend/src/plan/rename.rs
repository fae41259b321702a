//! `* RENAME (a AS b)` and `* ILIKE 'pattern'`.
//!
//! Only the binder knows the columns of `*`, and conditions of the same SELECT read them by their old names. So such a SELECT becomes a derived table, in
//! which each renamed column is a REPLACE by itself that carries the new name, and whose columns are renamed or left out here when the binder comes to
//! it. They keep the relations that they are of.

use std::convert::Infallible;
use std::ops::ControlFlow;

use arrow::array::StringArray;
use arrow::compute::kernels::comparison::ilike;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{Result, ScalarValue, TableReference};
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

/// The alias of such a derived table; its columns are the pattern of ILIKE, if there is one.
const RENAMING: &str = "__renaming";
/// What the names of items beside a `*` with ILIKE begin with.
const BESIDE: &str = "__beside_";

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

    /// DISTINCT ON chooses rows by the order of its query, which goes with it into the derived table.
    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<SqlError> {
        let SetExpr::Select(select) = query.body.as_mut() else { return ControlFlow::Continue(()) };
        if !matches!(select.distinct, Some(Distinct::On(_))) {
            return ControlFlow::Continue(());
        }
        let names = renames_of(select);
        let is_derived = match derive(select) {
            Ok(is_derived) => is_derived,
            Err(error) => return ControlFlow::Break(error),
        };
        if let (true, Some(order)) = (is_derived, &mut query.order_by)
            && let [TableWithJoins { relation: TableFactor::Derived { subquery, .. }, .. }] = select.from.as_mut_slice()
        {
            subquery.order_by = Some(order.clone());
            let ControlFlow::Continue(()) = visit_expressions_mut(order, |expr| {
                let column = match expr {
                    Expr::Identifier(ident) => Some(ident),
                    Expr::CompoundIdentifier(parts) => parts.last_mut(),
                    _ => None,
                };
                if let Some(column) = column
                    && let Some((_, name)) = names.iter().find(|(known, _)| *known == fold(column))
                {
                    *column = Ident::with_quote('"', name);
                }
                ControlFlow::<Infallible>::Continue(())
            });
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<SqlError> {
        match derive(select) {
            Ok(_) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// The options of a `*`.
fn wildcard_options(item: &SelectItem) -> Option<&WildcardAdditionalOptions> {
    match item {
        SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => Some(options),
        _ => None,
    }
}

/// The columns that a SELECT renames, and their new names.
fn renames_of(select: &Select) -> Vec<(String, String)> {
    let renames = select.projection.iter().filter_map(|item| wildcard_options(item)?.opt_rename.as_ref());
    let pairs = renames.flat_map(|renames| match renames {
        RenameSelectItem::Single(item) => std::slice::from_ref(item),
        RenameSelectItem::Multiple(items) => items.as_slice(),
    });
    pairs.map(|item| (fold(&item.ident), fold(&item.alias))).collect()
}

/// Makes a derived table of a SELECT if it renames, and says whether it does.
fn derive(select: &mut Select) -> std::result::Result<bool, SqlError> {
    let items = select.projection.len();
    let wildcards = select.projection.iter().filter_map(wildcard_options).count();
    let mut pattern = None;
    let mut renames = false;
    for (place, item) in select.projection.iter_mut().enumerate() {
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
        if let Some(ilike) = options.opt_ilike.take() {
            if wildcards > 1 {
                return Err(SqlError::unsupported(position, "* ILIKE beside another *"));
            }
            pattern = Some(Pattern { text: ilike.pattern, before: place, after: items - place - 1 });
        }
        match options.opt_rename.take() {
            Some(RenameSelectItem::Single(item)) => rename(options, &relation, vec![item]),
            Some(RenameSelectItem::Multiple(items)) => rename(options, &relation, items),
            None => {}
        }
        renames = true;
    }
    if pattern.is_some() {
        select.projection.iter_mut().enumerate().for_each(|(place, item)| keep_name(place, item));
    }
    if renames {
        let inner = std::mem::replace(select, outer_select());
        select.from = vec![TableWithJoins { relation: derived(inner, pattern), joins: vec![] }];
    }
    Ok(renames)
}

/// ILIKE of the `*` that has so many items before and after it.
struct Pattern {
    text: String,
    before: usize,
    after: usize,
}

impl Pattern {
    /// As the columns of the alias of the derived table.
    fn columns(self) -> Vec<TableAliasColumnDef> {
        let column = |text: String| TableAliasColumnDef { name: Ident::with_quote('"', text), data_type: None };
        vec![column(self.text), column(self.before.to_string()), column(self.after.to_string())]
    }

    fn of(columns: &[TableAliasColumnDef]) -> Option<Pattern> {
        let [text, before, after] = columns else { return None };
        let count = |column: &TableAliasColumnDef| column.name.value.parse::<usize>().ok();
        Some(Pattern { text: text.name.value.clone(), before: count(before)?, after: count(after)? })
    }
}

/// Gives a column beside a `*` a name of its own, and lets it carry the one that it has: the `*` may have it, too.
fn keep_name(place: usize, item: &mut SelectItem) {
    let (SelectItem::UnnamedExpr(expr @ Expr::Identifier(_)) | SelectItem::UnnamedExpr(expr @ Expr::CompoundIdentifier(_))) =
        item
    else {
        return;
    };
    let name = match &*expr {
        Expr::Identifier(ident) => fold(ident),
        Expr::CompoundIdentifier(parts) => parts.last().map(fold).unwrap_or_default(),
        _ => return,
    };
    let expr = std::mem::replace(expr, Expr::value(Value::Null));
    let expr = call(RENAMED_NAME, [expr, Expr::value(Value::SingleQuotedString(name))]);
    *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', format!("{BESIDE}{place}")) };
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

fn derived(select: Select, pattern: Option<Pattern>) -> TableFactor {
    let mut query = empty_select();
    *query.body = SetExpr::Select(Box::new(select));
    let alias = TableAlias {
        explicit: true,
        name: Ident::with_quote('"', RENAMING),
        columns: pattern.map_or_else(Vec::new, Pattern::columns),
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
        let pattern = Pattern::of(&alias.columns);
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(renamed(plan, pattern.as_ref())?, None))))
    }
}

/// The columns of `plan` whose names match the pattern, under their new names.
fn renamed(plan: LogicalPlan, pattern: Option<&Pattern>) -> Result<LogicalPlan> {
    let outputs = outputs(&plan).unwrap_or_default();
    let width = plan.schema().fields().len();
    let of_wildcard = |place: usize, pattern: &Pattern| (pattern.before..width.saturating_sub(pattern.after)).contains(&place);
    let mut columns = Vec::with_capacity(width);
    for (place, column) in plan.schema().columns().into_iter().enumerate() {
        if let Some(pattern) = pattern.filter(|pattern| of_wildcard(place, pattern))
            && !is_like(shown_name(&column.name), &pattern.text)?
        {
            continue;
        }
        // The name of an item beside a `*` may be that of one of its columns.
        let relation = column.relation.clone().or_else(|| pattern.map(|_| TableReference::bare(format!("{BESIDE}{place}"))));
        let column = PlanExpr::Column(column);
        columns.push(match outputs.get(place).and_then(new_name) {
            Some(name) => column.alias_qualified(relation, name),
            None => column,
        });
    }
    if columns.is_empty() {
        let message = format!("no column is ILIKE '{}'", pattern.map_or("", |pattern| &pattern.text));
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
        LogicalPlan::Distinct(PlanDistinct::On(distinct)) => Some(distinct.select_expr.clone()),
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
