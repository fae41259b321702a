//! Smaller trees, for cutting a failing query down.

use super::{Body, Distinct, Expr, From, GroupForm, Piece, Query, Select};

impl Expr {
    /// Smaller expressions of the same type.
    fn smaller(&self) -> Vec<Expr> {
        let mut found = self.smaller_parts();
        let mut whole = self.clone();
        found.splice(0..0, whole.parts_mut().filter(|part| part.ty == self.ty).map(|part| part.clone()));
        if self.pieces.len() > 1 {
            found.insert(0, Expr::text(self.ty, format!("CAST(NULL AS {})", self.ty.sql())));
        }
        found
    }

    /// The same expression with one part smaller.
    fn smaller_parts(&self) -> Vec<Expr> {
        let mut found = Vec::new();
        for (at, piece) in self.pieces.iter().enumerate() {
            let mut put = |new: Piece| {
                let mut smaller = self.clone();
                smaller.pieces[at] = new;
                found.push(smaller);
            };
            match piece {
                Piece::Text(_) => {}
                Piece::Expr(expr) => expr.smaller().into_iter().for_each(|expr| put(Piece::Expr(expr))),
                Piece::Query(query) => query.smaller().into_iter().for_each(|query| put(Piece::Query(Box::new(query)))),
            }
        }
        found
    }
}

impl Query {
    /// Smaller queries of the same number of columns, the smallest first.
    pub(in super::super) fn smaller(&self) -> Vec<Query> {
        let mut found = Vec::new();
        match &self.body {
            Body::Operation { left, right, .. } => found.extend([left.as_ref().clone(), right.as_ref().clone()]),
            Body::Select(select) => {
                if let Some(From::Derived { query, lateral: false, .. }) = &select.from
                    && query.columns == self.columns
                {
                    found.push(query.as_ref().clone());
                }
            }
            Body::Values(_) => {}
        }
        let mut with = |change: &dyn Fn(&mut Query)| {
            let mut smaller = self.clone();
            change(&mut smaller);
            found.push(smaller);
        };
        if self.limit.is_some() {
            with(&|query| query.limit = None);
        }
        if !self.order.is_empty() {
            with(&|query| query.order.clear());
        }
        for index in 0..self.with.len() {
            for smaller in self.with[index].query.smaller() {
                with(&|query| query.with[index].query = smaller.clone());
            }
        }
        match &self.body {
            Body::Select(select) => {
                for smaller in select.smaller() {
                    with(&|query| query.body = Body::Select(Box::new(smaller.clone())));
                }
            }
            Body::Operation { operator, left, right } => {
                for left in left.smaller() {
                    with(&|query| {
                        query.body = Body::Operation { operator, left: Box::new(left.clone()), right: right.clone() };
                    });
                }
                for right in right.smaller() {
                    with(&|query| {
                        query.body = Body::Operation { operator, left: left.clone(), right: Box::new(right.clone()) };
                    });
                }
            }
            Body::Values(rows) => {
                for index in (0..rows.len()).filter(|_| rows.len() > 1) {
                    with(&|query| {
                        if let Body::Values(rows) = &mut query.body {
                            rows.remove(index);
                        }
                    });
                }
            }
        }
        found
    }
}

impl Select {
    fn smaller(&self) -> Vec<Select> {
        let mut found = Vec::new();
        let mut with = |change: &dyn Fn(&mut Select)| {
            let mut smaller = self.clone();
            change(&mut smaller);
            found.push(smaller);
        };
        if !matches!(self.distinct, Distinct::No) {
            with(&|select| select.distinct = Distinct::No);
        }
        let clauses: [fn(&mut Select) -> &mut Option<Expr>; 3] =
            [|select| &mut select.filter, |select| &mut select.having, |select| &mut select.qualify];
        for clause in clauses {
            let mut copy = self.clone();
            let Some(present) = clause(&mut copy).take() else { continue };
            with(&|select| *clause(select) = None);
            for smaller in present.smaller() {
                with(&|select| *clause(select) = Some(smaller.clone()));
            }
        }
        if let Some(group) = &self.group {
            if group.form != GroupForm::Plain {
                with(&|select| {
                    if let Some(group) = &mut select.group {
                        group.form = GroupForm::Plain;
                    }
                });
            }
            for index in 0..group.keys.len() {
                with(&|select| {
                    if let Some(group) = &mut select.group {
                        group.keys.remove(index);
                    }
                });
            }
        }
        for from in self.from.iter().flat_map(From::smaller) {
            with(&|select| select.from = Some(from.clone()));
        }
        for (index, item) in self.items.iter().enumerate() {
            for smaller in item.smaller() {
                with(&|select| select.items[index] = smaller.clone());
            }
        }
        found
    }
}

impl From {
    fn smaller(&self) -> Vec<From> {
        match self {
            From::Relation { .. } => vec![],
            From::Derived { query, alias, lateral } => {
                let derived = |query| From::Derived { query: Box::new(query), alias: alias.clone(), lateral: *lateral };
                query.smaller().into_iter().map(derived).collect()
            }
            From::Rows { call, alias, columns } => {
                let rows = |call| From::Rows { call, alias: alias.clone(), columns: *columns };
                call.smaller_parts().into_iter().map(rows).collect()
            }
            From::Join { kind, left, right, matching, on } => {
                let join = |left: &From, right: &From, matching: &Option<Expr>, on: &Option<Expr>| From::Join {
                    kind,
                    left: Box::new(left.clone()),
                    right: Box::new(right.clone()),
                    matching: matching.clone(),
                    on: on.clone(),
                };
                let mut found = vec![left.as_ref().clone(), right.as_ref().clone()];
                found.extend(left.smaller().iter().map(|left| join(left, right, matching, on)));
                found.extend(right.smaller().iter().map(|right| join(left, right, matching, on)));
                let matchings = matching.iter().flat_map(Expr::smaller).map(Some);
                found.extend(matchings.map(|matching| join(left, right, &matching, on)));
                let conditions = on.iter().flat_map(Expr::smaller).map(Some);
                found.extend(conditions.map(|on| join(left, right, matching, &on)));
                found
            }
        }
    }
}
