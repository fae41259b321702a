//! Lists as rows: UNNEST in FROM ([`UnnestNode`]) and in the SELECT list (DataFusion's own node).
//!
//! A list that nobody reads but the expansion is not carried along: repeated beside each of its elements, its size would count squared. What is read says the
//! projection above, so the two are lowered together.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion_common::{NullHandling, ScalarValue};
use datafusion_expr::{LogicalPlan, Projection, Unnest};
use deltic_circuit::{Expr, NodeId};

use super::expr::{column_type, lower_expression, typed_null};
use super::piped::{Piped, inner_name};
use super::{Lower, Lowering};
use crate::SqlError;
use crate::error::Code;
use crate::plan::UnnestNode;

impl Lowering {
    /// The rows below `projection` if they are those of an [`UnnestNode`], without the columns that it does not read.
    pub(super) fn unnested_for(&mut self, projection: &Projection) -> Lower<Option<Piped>> {
        let mut filters = Vec::new();
        let mut below = projection.input.as_ref();
        let node = loop {
            below = match below {
                LogicalPlan::SubqueryAlias(alias) => &alias.input,
                LogicalPlan::Filter(filter) => {
                    filters.push(filter);
                    &filter.input
                }
                plan => match UnnestNode::of(plan) {
                    Some(node) => break node,
                    None => return Ok(None),
                },
            }
        };
        let mut read = BTreeSet::new();
        for expr in &projection.expr {
            lower_expression(expr, projection.input.schema())?.columns(&mut read);
        }
        for filter in &filters {
            lower_expression(&filter.predicate, filter.input.schema())?.columns(&mut read);
        }
        let mut rows = self.unnest_reading(node, &|column| read.contains(&column))?;
        for filter in filters.into_iter().rev() {
            rows = self.filter_over(rows, &filter.predicate, filter.input.schema())?;
        }
        Ok(Some(rows))
    }

    pub(super) fn unnest_node(&mut self, plan: &LogicalPlan) -> Lower<Piped> {
        match UnnestNode::of(plan) {
            Some(node) => self.unnest_reading(node, &|_| true),
            None => Err(SqlError::nowhere(Code::Internal, "a plan that is no expansion of lists")),
        }
    }

    /// The rows of `node`; columns of its input that are not `read` are NULL.
    fn unnest_reading(&mut self, node: &UnnestNode, read: &dyn Fn(usize) -> bool) -> Lower<Piped> {
        let input = self.piped(&node.input)?;
        let lists = node.lists.iter().map(|list| lower_expression(list, node.input.schema())).collect::<Lower<Vec<_>>>()?;
        let are_lists = lists.iter().map(|list| matches!(list.data_type(), DataType::List(_))).collect::<Vec<_>>();
        if are_lists.contains(&true) && are_lists.contains(&false) {
            return Err(unsupported("UNNEST of a list beside a struct"));
        }
        if are_lists.contains(&false) && node.ordinality {
            return Err(unsupported("UNNEST of a struct WITH ORDINALITY"));
        }
        let (expanded, places, width) = self.with_keys(input, lists)?;
        let columns = self.columns_of(expanded);
        let keep: Vec<usize> = (0..width).filter(|&column| read(column)).collect();
        let (rows, elements, ordinality) = if are_lists.contains(&true) {
            let named = places.iter().map(|&place| ("unnest".to_string(), place)).collect();
            let ordinality = node.ordinality.then(|| "ordinality".to_string());
            let rows = self.built(|builder| builder.unnest(expanded, keep.clone(), named, node.outer, ordinality))?;
            let rows = self.materialise(rows)?;
            let mut made = self.columns_of(rows);
            let ordinality = if node.ordinality { made.pop() } else { None };
            (rows, made.split_off(keep.len()), ordinality)
        } else {
            (expanded, places.iter().map(|&place| columns[place].clone()).collect(), None)
        };
        let kept = self.columns_of(rows);
        let mut outputs = Vec::new();
        for (column, (name, expr)) in columns.into_iter().take(width).enumerate() {
            let value = match keep.iter().position(|&kept| kept == column) {
                Some(place) if are_lists.contains(&true) => kept[place].1.clone(),
                Some(_) => expr,
                None => typed_null(&expr.data_type())?,
            };
            outputs.push((name, value));
        }
        for (name, element) in elements {
            outputs.extend(parts(name, element)?);
        }
        outputs.extend(ordinality);
        Ok(Piped::columns(rows, outputs))
    }

    /// UNNEST in the SELECT list.
    pub(super) fn unnest(&mut self, unnest: &Unnest) -> Lower<Piped> {
        if unnest.list_type_columns.iter().any(|(_, list)| list.depth != 1) {
            let error = unsupported("UNNEST of what UNNEST made");
            return Err(error.with_hint("UNNEST the outer list in a query below, or in FROM"));
        }
        let input = self.piped(&unnest.input)?;
        let input = self.materialise(input)?;
        let columns = self.columns_of(input);
        let is_list = |column: usize| unnest.list_type_columns.iter().position(|(list, _)| *list == column);
        let is_struct = |column: usize| unnest.struct_type_columns.contains(&column);
        let mut keep: Vec<usize> =
            unnest.dependency_indices.iter().copied().filter(|&column| is_list(column).is_none()).collect();
        keep.sort_unstable();
        keep.dedup();
        let rows = self.expanded(input, unnest, &keep)?;
        let made = self.columns_of(rows);
        let mut outputs = Vec::with_capacity(unnest.dependency_indices.len());
        // The fields of a struct follow one another.
        let mut fields: Vec<(String, Expr)> = Vec::new();
        for (place, &column) in unnest.dependency_indices.iter().enumerate() {
            let name = inner_name(unnest.schema.field(place).name());
            let kept = |column: usize| keep.iter().position(|&kept| kept == column).map(|place| made[place].1.clone());
            let value = match (is_list(column), is_struct(column)) {
                (Some(list), _) if !unnest.list_type_columns.is_empty() => made[keep.len() + list].1.clone(),
                (_, true) => {
                    if fields.is_empty() {
                        fields = parts(name.clone(), kept(column).unwrap_or_else(|| columns[column].1.clone()))?;
                        fields.reverse();
                    }
                    match fields.pop() {
                        Some((_, field)) => field,
                        None => return Err(SqlError::nowhere(Code::Internal, "a struct with fewer fields than columns")),
                    }
                }
                _ => kept(column).unwrap_or_else(|| columns[column].1.clone()),
            };
            outputs.push((name, value));
        }
        Ok(Piped::columns(rows, outputs))
    }

    /// The columns `keep` of the input, then the elements of each list; without lists, just these columns.
    fn expanded(&mut self, input: NodeId, unnest: &Unnest, keep: &[usize]) -> Lower<NodeId> {
        if unnest.list_type_columns.is_empty() {
            let columns = self.columns_of(input);
            let kept = keep.iter().map(|&column| columns[column].clone()).collect();
            return self.materialise(Piped::columns(input, kept));
        }
        let outer = match unnest.options.null_handling {
            NullHandling::Drop => false,
            NullHandling::PreserveAndExpandEmpty => true,
            NullHandling::Preserve => return Err(unsupported("UNNEST that keeps NULLs and drops empty lists")),
        };
        let lists = unnest.list_type_columns.iter().map(|(column, _)| ("unnest".to_string(), *column)).collect();
        let rows = self.built(|builder| builder.unnest(input, keep.to_vec(), lists, outer, None))?;
        self.materialise(rows)
    }
}

/// The columns that an element makes: the fields of a struct, or itself.
fn parts(name: String, element: Expr) -> Lower<Vec<(String, Expr)>> {
    let DataType::Struct(fields) = element.data_type() else { return Ok(vec![(name, element)]) };
    let part = |field: &Arc<Field>| {
        let data_type = column_type(field.data_type())?;
        let place = Expr::Literal(ScalarValue::Utf8(Some(field.name().clone())));
        let returned = Arc::new(Field::new(field.name(), data_type, true));
        let get = datafusion_functions::core::get_field();
        Ok((field.name().clone(), Expr::function(get, vec![element.clone(), place], returned)))
    };
    fields.iter().map(part).collect()
}

fn unsupported(what: &str) -> SqlError {
    SqlError::nowhere(Code::Unsupported, format!("{what} is not supported"))
}
