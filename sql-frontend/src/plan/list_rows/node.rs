//! [`UnnestNode`]: rows made of lists in a logical plan.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion_common::{DFSchema, DFSchemaRef, Result, TableReference};
use datafusion_expr::{Expr, ExprSchemable, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use deltic_circuit::functions::json_mark;

/// The functions whose lists have elements that are JSON.
const LISTS_OF_JSON: &[&str] = &["jsonb_array_elements", "jsonb_object_values", "jsonb_path_query"];

/// The rows of `input` once per element of the lists, with columns for these elements appended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UnnestNode {
    pub(crate) input: LogicalPlan,
    /// Lists, or structs, over the input.
    pub(crate) lists: Vec<Expr>,
    /// Whether a row without elements stays.
    pub(crate) outer: bool,
    pub(crate) ordinality: bool,
    table: TableReference,
    names: Vec<String>,
    schema: DFSchemaRef,
}

/// A column that is made of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    /// An element as it is.
    Whole { list: usize, data_type: DataType },
    /// A field of an element that is a struct, or of a struct that is not in a list.
    Field { list: usize, name: String, data_type: DataType },
}

impl Element {
    fn data_type(&self) -> &DataType {
        match self {
            Element::Whole { data_type, .. } | Element::Field { data_type, .. } => data_type,
        }
    }
}

/// The columns that are made of lists, or structs, of these types.
pub(crate) fn elements(types: &[DataType]) -> Vec<Element> {
    let of_one = |(list, data_type): (usize, &DataType)| match element_type(data_type).unwrap_or(data_type) {
        DataType::Struct(fields) => {
            let field =
                |field: &Arc<Field>| Element::Field { list, name: field.name().clone(), data_type: field.data_type().clone() };
            fields.iter().map(field).collect::<Vec<_>>()
        }
        other => vec![Element::Whole { list, data_type: other.clone() }],
    };
    types.iter().enumerate().flat_map(of_one).collect()
}

/// The type of the elements, if it is a list.
pub(crate) fn element_type(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => Some(item.data_type()),
        _ => None,
    }
}

impl UnnestNode {
    /// `names` are those of the elements' columns, and of the place, if that is wanted.
    pub(in crate::plan) fn try_new(
        input: LogicalPlan,
        lists: Vec<Expr>,
        outer: bool,
        ordinality: bool,
        table: TableReference,
        names: Vec<String>,
    ) -> Result<Self> {
        let types = lists.iter().map(|list| list.get_type(input.schema())).collect::<Result<Vec<_>>>()?;
        let mut made: Vec<DataType> = elements(&types).iter().map(|element| element.data_type().clone()).collect();
        made.extend(ordinality.then_some(DataType::Int64));
        if made.len() != names.len() {
            return datafusion_common::internal_err!("{} columns of lists with {} names", made.len(), names.len());
        }
        let mut fields: Vec<_> = input.schema().iter().map(|(table, field)| (table.cloned(), field.clone())).collect();
        let is_json = |column: usize| match elements(&types).get(column) {
            Some(Element::Whole { list, .. }) => {
                matches!(&lists[*list], Expr::ScalarFunction(function) if LISTS_OF_JSON.contains(&function.name()))
            }
            _ => false,
        };
        let made = names.iter().zip(made).enumerate().map(|(column, (name, data_type))| {
            let field = Field::new(name, data_type, true);
            Arc::new(if is_json(column) { field.with_metadata(json_mark()) } else { field })
        });
        fields.extend(made.map(|field| (Some(table.clone()), field)));
        let schema = DFSchema::new_with_metadata(fields, input.schema().metadata().clone())?;
        Ok(UnnestNode { input, lists, outer, ordinality, table, names, schema: Arc::new(schema) })
    }

    pub(in crate::plan) fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// The node that `plan` is, if it is one.
    pub(crate) fn of(plan: &LogicalPlan) -> Option<&UnnestNode> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<UnnestNode>(),
            _ => None,
        }
    }

    fn width(&self) -> usize {
        self.input.schema().fields().len()
    }
}

impl PartialOrd for UnnestNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let key = |node: &Self| (node.names.clone(), node.lists.clone(), node.input.clone());
        key(self).partial_cmp(&key(other))
    }
}

impl UserDefinedLogicalNodeCore for UnnestNode {
    fn name(&self) -> &str {
        "UnnestLists"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.lists.clone()
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        // DataFusion asks by name only.
        self.names.iter().cloned().collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let lists: Vec<String> = self.lists.iter().map(ToString::to_string).collect();
        let outer = if self.outer { " outer" } else { "" };
        let ordinality = if self.ordinality { " with ordinality" } else { "" };
        write!(f, "UnnestLists{outer}: {}{ordinality}", lists.join(", "))
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (Some(input), true) = (inputs.pop(), inputs.is_empty()) else {
            return datafusion_common::internal_err!("an expansion of lists has one input");
        };
        UnnestNode::try_new(input, exprs, self.outer, self.ordinality, self.table.clone(), self.names.clone())
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.iter().copied().filter(|&column| column < self.width()).collect()])
    }
}
