//! The order of inner joins.
//!
//! Each join of a chain arranges the rows of the chain before it, so the order decides how many rows a view remembers and how many a change touches.
//! The chain is the one with the fewest rows in between, by a guess: keys say most. A relation that is joined by its whole key adds no rows; a chain that
//! is joined by its key has no more rows than what it is joined to; a filter leaves a fifth. A relation that refers to others by their keys is taken to be
//! larger than they are (facts and dimensions), since nothing is known of sizes when a view is made, and tables grow after that. A cross
//! product is the last resort, and among equals the order is that of the text.
//!
//! Equalities of columns hold together: of `a.x = b.x` and `b.x = c.x` follows `a.x = c.x`, and any of them may join two relations. A relation is joined by
//! as many as say something new, so none is a key that others imply.
//!
//! From each relation a chain is made by always joining what leaves the fewest rows; the best of these chains is taken. Chains of two are left
//! alone, and so is what is not an inner join: it is one relation of the chain around it.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchemaRef, Dependency, ExprSchema, NullEquality, Result};
use datafusion_expr::expr::BinaryExpr;
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{Expr, Join, JoinConstraint, JoinType, LogicalPlan, LogicalPlanBuilder, Operator};

/// Orders every chain of inner joins in the plan.
pub(super) fn order_joins(plan: LogicalPlan) -> Result<LogicalPlan> {
    let ordered = plan.transform_down(|plan| {
        let Some(chain) = Chain::of(&plan).filter(|chain| chain.relations.len() > 2) else { return Ok(Transformed::no(plan)) };
        let order = chain.order();
        let schema = plan.schema().clone();
        let relations = chain.relations.iter().cloned().map(order_joins).collect::<Result<Vec<_>>>()?;
        let joined = Chain { relations, ..chain }.join(&order, &schema)?;
        Ok(Transformed::new(joined, true, TreeNodeRecursion::Jump))
    })?;
    Ok(ordered.data)
}

/// Whether the plan has a chain of at least three relations.
pub(super) fn has_chain(plan: &LogicalPlan) -> Result<bool> {
    plan.exists(|plan| Ok(Chain::of(plan).is_some_and(|chain| chain.relations.len() > 2)))
}

/// Relations that are joined with one another, and all conditions on them.
struct Chain {
    relations: Vec<LogicalPlan>,
    conditions: Vec<Expr>,
}

impl Chain {
    fn of(plan: &LogicalPlan) -> Option<Self> {
        is_plain(plan).then(|| {
            let mut chain = Chain { relations: Vec::new(), conditions: Vec::new() };
            chain.add(plan);
            chain
        })
    }

    fn add(&mut self, plan: &LogicalPlan) {
        let LogicalPlan::Join(join) = plan else {
            self.relations.push(plan.clone());
            return;
        };
        if !is_plain(plan) {
            self.relations.push(plan.clone());
            return;
        }
        self.add(&join.left);
        self.add(&join.right);
        self.conditions.extend(join.on.iter().map(|(left, right)| left.clone().eq(right.clone())));
        self.conditions.extend(join.filter.iter().cloned().flat_map(split_conjunction_owned));
    }

    /// The positions of the relations in their new order.
    fn order(&self) -> Vec<usize> {
        let guess = Guess::of(self);
        let chains = (0..self.relations.len()).map(|first| guess.chain_from(first));
        // The first of those with the least cost.
        chains.reduce(|best, chain| if chain.0 < best.0 { chain } else { best }).map(|(_, order)| order).unwrap_or_default()
    }

    /// Joins the relations from the left in this order, each with the conditions that it makes possible. The result has the columns of `schema`, in that order.
    fn join(mut self, order: &[usize], schema: &DFSchemaRef) -> Result<LogicalPlan> {
        let mut plan = self.relations[order[0]].clone();
        let mut links = Links::taken_from(&mut self);
        for (place, &next) in order.iter().enumerate().skip(1) {
            let right = self.relations[next].clone();
            let (mut on, mut filter) = (links.connect(&order[..place], next), Vec::new());
            let joined = plan.schema().join(right.schema())?;
            for condition in std::mem::take(&mut self.conditions) {
                if !condition.column_refs().into_iter().all(|column| joined.has_column(column)) {
                    self.conditions.push(condition);
                } else if let Some(pair) = sides(&condition, &plan, &right) {
                    on.push(pair);
                } else {
                    filter.push(condition);
                }
            }
            let join = Join::try_new(
                Arc::new(plan),
                Arc::new(right),
                on,
                conjunction(filter),
                JoinType::Inner,
                JoinConstraint::On,
                NullEquality::NullEqualsNothing,
                false,
            )?;
            plan = LogicalPlan::Join(join);
        }
        LogicalPlanBuilder::from(plan).project(schema.columns().into_iter().map(Expr::Column))?.build()
    }
}

/// A relation that refers to others is larger than they are, by this.
const LARGER: f64 = 8.0;
/// What a filter leaves.
const FILTERED: f64 = 0.2;
/// Where no key says more, the rows of one side are taken to meet those of the other, and this makes it worse than any other way.
const MATCHES: f64 = 2.0;

/// What is guessed of the relations of a chain.
struct Guess {
    equalities: Vec<Equality>,
    /// Columns of relations that are all equal, by what the equalities say together.
    equal: Vec<Vec<(usize, Column)>>,
    /// Per relation the columns of each of its keys.
    keys: Vec<Vec<Vec<Column>>>,
    /// Rows before filters, and the share that filters leave.
    rows: Vec<(f64, f64)>,
}

/// The relations that are joined so far.
struct Joined {
    order: Vec<usize>,
    /// Keys of the rows, as columns of relations.
    keys: Vec<Vec<(usize, Column)>>,
    rows: f64,
    share: f64,
}

impl Guess {
    fn of(chain: &Chain) -> Self {
        let schemas: Vec<&DFSchemaRef> = chain.relations.iter().map(LogicalPlan::schema).collect();
        let said: Vec<Equality> = chain.conditions.iter().filter_map(|condition| Equality::of(condition, &schemas)).collect();
        let equal = equal_columns(&said);
        let equalities = equal.iter().flat_map(|columns| pairs(columns)).collect();
        let keys = schemas.iter().map(|schema| keys_of(schema)).collect();
        let mut guess = Guess { equal, equalities, keys, rows: Vec::new() };
        let levels = (0..chain.relations.len()).map(|relation| guess.level(relation, &mut HashSet::new()));
        let shares = chain.relations.iter().map(|relation| if is_filtered(relation) { FILTERED } else { 1.0 });
        guess.rows = levels.zip(shares).map(|(level, share)| (LARGER.powi(level), share)).collect();
        guess
    }

    /// How many relations are below this one, each referred to by key.
    fn level(&self, relation: usize, above: &mut HashSet<usize>) -> i32 {
        above.insert(relation);
        let below = (0..self.keys.len())
            .filter(|other| !above.contains(other) && self.refers(relation, *other) && !self.refers(*other, relation))
            .collect::<Vec<_>>();
        let level = below.into_iter().map(|other| 1 + self.level(other, above)).max().unwrap_or_default();
        above.remove(&relation);
        level
    }

    /// Whether columns of a relation are equal to those of a key of another, be it by way of a third.
    fn refers(&self, relation: usize, other: usize) -> bool {
        let is_equal = |column: &Column| {
            let own = |(owner, equal): &(usize, Column)| *owner == other && equal == column;
            self.equal.iter().any(|columns| columns.iter().any(own) && columns.iter().any(|(owner, _)| *owner == relation))
        };
        self.keys[other].iter().any(|key| key.iter().all(is_equal))
    }

    /// Whether the equalities with these relations cover a key of `relation`. A key may have NULLs in it: those equal nothing.
    fn is_joined_by_key(&self, relation: usize, others: &[usize]) -> bool {
        let columns: Vec<&Column> = self.equalities.iter().filter_map(|equality| equality.column_of(relation, others)).collect();
        self.keys[relation].iter().any(|key| key.iter().all(|column| columns.contains(&column)))
    }

    /// The chain that begins with a relation: the rows in between, and the order.
    fn chain_from(&self, first: usize) -> (f64, Vec<usize>) {
        let keys = self.keys[first].iter().map(|key| key.iter().map(|column| (first, column.clone())).collect()).collect();
        let (rows, share) = self.rows[first];
        let mut joined = Joined { order: vec![first], keys, rows, share };
        let mut cost = 0.0;
        while joined.order.len() < self.rows.len() {
            let left = (0..self.rows.len()).filter(|relation| !joined.order.contains(relation));
            let next = left.map(|relation| (self.rows_with(&joined, relation) * self.rows[relation].1, relation));
            let Some((_, next)) = next.reduce(|best, next| if next.0 < best.0 { next } else { best }) else { break };
            self.join(&mut joined, next);
            if joined.order.len() < self.rows.len() {
                cost += joined.rows * joined.share;
            }
        }
        (cost, joined.order)
    }

    /// The rows, before filters, once this relation is joined.
    fn rows_with(&self, joined: &Joined, relation: usize) -> f64 {
        let rows = self.rows[relation].0;
        if self.is_joined_by_key(relation, &joined.order) {
            joined.rows
        } else if self.joins_by_own_key(joined, relation) {
            rows
        } else if self.equalities.iter().any(|equality| equality.column_of(relation, &joined.order).is_some()) {
            // The columns may have few values: what multiplies rows comes late.
            MATCHES * joined.rows * rows
        } else {
            // Each row beside each: never if there is another way.
            joined.rows * rows * LARGER.powi(8)
        }
    }

    /// Whether the equalities with `relation` cover a key of what is joined so far.
    fn joins_by_own_key(&self, joined: &Joined, relation: usize) -> bool {
        let columns: Vec<(usize, &Column)> =
            self.equalities.iter().filter_map(|equality| equality.column_beside(relation, &joined.order)).collect();
        joined.keys.iter().any(|key| key.iter().all(|(relation, column)| columns.contains(&(*relation, column))))
    }

    fn join(&self, joined: &mut Joined, relation: usize) {
        let rows = self.rows_with(joined, relation);
        if !self.is_joined_by_key(relation, &joined.order) {
            let own = self.keys[relation].iter().map(|key| key.iter().map(|column| (relation, column.clone())).collect());
            joined.keys = if self.joins_by_own_key(joined, relation) { own.collect() } else { Vec::new() };
        }
        joined.order.push(relation);
        joined.rows = rows;
        joined.share *= self.rows[relation].1;
    }
}

/// The classes of columns that equalities make, one by way of the other.
fn equal_columns(equalities: &[Equality]) -> Vec<Vec<(usize, Column)>> {
    let mut classes: Vec<Vec<(usize, Column)>> = Vec::new();
    for Equality { sides } in equalities {
        let (touched, apart): (Vec<_>, Vec<_>) =
            classes.into_iter().partition(|class| sides.iter().any(|column| class.contains(column)));
        classes = apart;
        let mut class: Vec<(usize, Column)> = touched.into_iter().flatten().collect();
        for side in sides {
            if !class.contains(side) {
                class.push(side.clone());
            }
        }
        classes.push(class);
    }
    classes
}

/// All equalities between columns that are equal and of different relations.
fn pairs(columns: &[(usize, Column)]) -> impl Iterator<Item = Equality> + '_ {
    let after = |place: usize| columns[place + 1..].iter();
    let pairs = columns.iter().enumerate().flat_map(move |(place, one)| after(place).map(move |other| (one, other)));
    pairs.filter(|(one, other)| one.0 != other.0).map(|(one, other)| Equality { sides: [one.clone(), other.clone()] })
}

/// The equalities of a chain, those that others imply included, and which of them its joins have already.
struct Links {
    /// First what is said, then what follows from it.
    equalities: Vec<Equality>,
    /// Columns that the joins so far make equal.
    linked: Vec<Vec<(usize, Column)>>,
}

impl Links {
    /// Takes the equalities out of the conditions of `chain`.
    fn taken_from(chain: &mut Chain) -> Self {
        let schemas: Vec<&DFSchemaRef> = chain.relations.iter().map(LogicalPlan::schema).collect();
        let (mut equalities, mut conditions) = (Vec::new(), Vec::new());
        for condition in std::mem::take(&mut chain.conditions) {
            match Equality::of(&condition, &schemas) {
                Some(equality) => equalities.push(equality),
                None => conditions.push(condition),
            }
        }
        let implied: Vec<Equality> = equal_columns(&equalities).iter().flat_map(|columns| pairs(columns)).collect();
        equalities.extend(implied);
        chain.conditions = conditions;
        Links { equalities, linked: Vec::new() }
    }

    /// The equalities by which `next` is joined to the relations `joined`, theirs first.
    fn connect(&mut self, joined: &[usize], next: usize) -> Vec<(Expr, Expr)> {
        let mut on = Vec::new();
        for equality in &self.equalities {
            let (one, other) = (equality.column_beside(next, joined), equality.column_of(next, joined));
            let (Some((relation, left)), Some(right)) = (one, other) else { continue };
            let sides = [(relation, left.clone()), (next, right.clone())];
            if self.linked.iter().any(|columns| sides.iter().all(|side| columns.contains(side))) {
                continue;
            }
            on.push((Expr::Column(left.clone()), Expr::Column(right.clone())));
            let (touched, apart): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.linked).into_iter().partition(|columns| sides.iter().any(|side| columns.contains(side)));
            self.linked = apart;
            self.linked.push(touched.into_iter().flatten().chain(sides).collect());
        }
        on
    }
}

/// The columns of each key that the planner knows.
fn keys_of(schema: &DFSchemaRef) -> Vec<Vec<Column>> {
    let keys = schema
        .functional_dependencies()
        .iter()
        .filter(|dependence| dependence.mode == Dependency::Single && dependence.target_indices.len() == schema.fields().len());
    keys.map(|key| key.source_indices.iter().map(|&column| Column::from(schema.qualified_field(column))).collect()).collect()
}

/// An inner join without a peculiarity.
fn is_plain(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(join) if join.join_type == JoinType::Inner
        && join.null_equality == NullEquality::NullEqualsNothing && !join.null_aware)
}

/// Whether a condition makes fewer rows of a relation.
fn is_filtered(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Filter(_) => true,
        LogicalPlan::TableScan(scan) => !scan.filters.is_empty(),
        LogicalPlan::Projection(projection) => is_filtered(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_filtered(&alias.input),
        _ => false,
    }
}

/// Columns of two relations that a condition says are equal.
struct Equality {
    sides: [(usize, Column); 2],
}

impl Equality {
    fn of(condition: &Expr, schemas: &[&DFSchemaRef]) -> Option<Self> {
        let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else { return None };
        let side = |expr: &Expr| {
            let Expr::Column(column) = expr else { return None };
            let relation = schemas.iter().position(|schema| schema.has_column(column))?;
            Some((relation, column.clone()))
        };
        let sides = [side(left)?, side(right)?];
        let data_type = |(relation, column): &(usize, Column)| {
            schemas[*relation].field_from_column(column).ok().map(|field| field.data_type().clone())
        };
        let is_alike = data_type(&sides[0]) == data_type(&sides[1]);
        (sides[0].0 != sides[1].0 && is_alike).then_some(Equality { sides })
    }

    /// The column of `relation`, if the other one is of a relation in `joined`.
    fn column_of(&self, relation: usize, joined: &[usize]) -> Option<&Column> {
        let [left, right] = &self.sides;
        match relation {
            _ if left.0 == relation && joined.contains(&right.0) => Some(&left.1),
            _ if right.0 == relation && joined.contains(&left.0) => Some(&right.1),
            _ => None,
        }
    }

    /// The column of a relation in `joined`, if the other one is of `relation`.
    fn column_beside(&self, relation: usize, joined: &[usize]) -> Option<(usize, &Column)> {
        let [left, right] = &self.sides;
        match relation {
            _ if left.0 == relation && joined.contains(&right.0) => Some((right.0, &right.1)),
            _ if right.0 == relation && joined.contains(&left.0) => Some((left.0, &left.1)),
            _ => None,
        }
    }
}

/// The sides of an equality between the rows of two plans, left first.
fn sides(condition: &Expr, left: &LogicalPlan, right: &LogicalPlan) -> Option<(Expr, Expr)> {
    let Expr::BinaryExpr(BinaryExpr { left: one, op: Operator::Eq, right: other }) = condition else { return None };
    let is_of = |expr: &Expr, plan: &LogicalPlan| {
        let columns = expr.column_refs();
        !columns.is_empty() && columns.into_iter().all(|column| plan.schema().has_column(column))
    };
    if is_of(one, left) && is_of(other, right) {
        Some((*one.clone(), *other.clone()))
    } else if is_of(one, right) && is_of(other, left) {
        Some((*other.clone(), *one.clone()))
    } else {
        None
    }
}
