//! Relations that are more than tables and queries: windows in time, pivots, joins by the names of columns, recursion.
//!
//! The windows are over tables without watermarks, so the law is plain: contents are the query. All recursions end: their sets are finite, or a step
//! counts up to a bound.

use super::super::tree::{CommonTable, Expr, From, Group, GroupForm, Piece, Query, Recursion, Select, Type};
use super::relation::columns_of;
use super::{Draw, Scope, Table};
use rand::Rng;

impl Draw<'_> {
    /// A window, a pivot or its reverse, or a join by names.
    pub(super) fn special(&mut self, depth: usize) -> (From, Vec<Expr>) {
        match self.rng.random_range(0..14) {
            0..6 => self.windows(),
            6..8 => self.pivot(depth),
            8..10 => self.unpivot(depth),
            _ => self.merging().unwrap_or_else(|| self.windows()),
        }
    }

    /// Two tables joined by columns that they share, with `USING` or `NATURAL`: those once, and each side's. None if the two share none.
    fn merging(&mut self) -> Option<(From, Vec<Expr>)> {
        let (left, right) = (self.table(), self.table());
        let both = left.columns.len().min(right.columns.len());
        let shared: Vec<usize> = (0..both).filter(|&column| left.columns[column] == right.columns[column]).collect();
        let natural = shared.len() == both && self.chance(50);
        let keys: Vec<usize> = if natural {
            shared
        } else {
            let first = *shared.first()?;
            let more = shared[1..].iter().copied().filter(|_| self.chance(30)).take(1);
            std::iter::once(first).chain(more.collect::<Vec<_>>()).collect()
        };
        let kind = *self.pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        self.uses(if natural { "NATURAL" } else { "USING" });
        let mut items: Vec<(String, Type)> = keys.iter().map(|&key| (format!("c{key}"), left.columns[key])).collect();
        for (side, table) in [("l", &left), ("r", &right)] {
            items.extend(table.columns.iter().enumerate().map(|(column, &ty)| (format!("{side}.c{column}"), ty)));
        }
        let list: Vec<String> = items.iter().enumerate().map(|(place, (item, _))| format!("{item} AS m{place}")).collect();
        let names: Vec<String> = keys.iter().map(|key| format!("c{key}")).collect();
        let (word, using) = if natural { ("NATURAL ", String::new()) } else { ("", format!(" USING ({})", names.join(", "))) };
        let (l, r) = (&left.name, &right.name);
        let text = format!("(SELECT {} FROM {l} AS l {word}{kind} {r} AS r{using})", list.join(", "));
        let types: Vec<Type> = items.into_iter().map(|(_, ty)| ty).collect();
        Some(self.rows(Expr::text(Type::Big, text), &types))
    }

    /// A table with the windows that its rows are in: by a timestamp if there is one, else by a number.
    fn windows(&mut self) -> (From, Vec<Expr>) {
        let tables: Vec<Table> = self.tables.iter().filter(|table| table.columns.contains(&Type::Timestamp)).cloned().collect();
        let table = if tables.is_empty() { self.pick(self.tables).clone() } else { self.pick(&tables).clone() };
        let by_time = table.columns.iter().position(|&ty| ty == Type::Timestamp);
        let column = by_time.unwrap_or(1);
        let unit = |count: u32| match by_time {
            Some(_) => format!("INTERVAL '{count}' SECOND"),
            None => count.to_string(),
        };
        let of = |call: &str, rest: &str| format!("(SELECT * FROM TABLE({call}, DESCRIPTOR(c{column}), {rest})))");
        let name = &table.name;
        let (text, feature) = match self.rng.random_range(0..8) {
            0..2 => (of(&format!("TUMBLE(TABLE {name}"), &unit(5)), "TUMBLE"),
            2 => (of(&format!("TUMBLE(TABLE {name}"), &format!("{}, {}", unit(7), unit(2))), "TUMBLE"),
            3 => (of(&format!("HOP(TABLE {name}"), &format!("{}, {}", unit(2), unit(5))), "HOP"),
            4 => (of(&format!("CUMULATE(TABLE {name}"), &format!("{}, {}", unit(3), unit(9))), "CUMULATE"),
            5 => (of(&format!("SESSION(TABLE {name}"), &unit(1)), "SESSION"),
            _ => (of(&format!("SESSION(TABLE {name} PARTITION BY c0"), &unit(4)), "SESSION"),
        };
        self.uses(feature);
        let mut columns = table.columns.clone();
        columns.extend([columns[column]; 2]);
        let alias = self.name();
        let mut leaves = columns_of(&alias, &columns);
        // The bounds are there twice, so that they are chosen.
        let bounds: Vec<Expr> = leaves[table.columns.len()..].to_vec();
        leaves.extend(bounds);
        (From::Rows { call: Expr::text(Type::Big, text), alias, columns: columns.len() }, leaves)
    }

    /// `PIVOT` of a query of three columns: one that groups, one of values, one whose values become columns.
    fn pivot(&mut self, depth: usize) -> (From, Vec<Expr>) {
        self.uses("PIVOT");
        let kept = self.ty();
        let query = self.query(depth.saturating_sub(1), &[kept, Type::Big, Type::Int], &[]);
        let (call, yields) = *self.pick(&[("count(c1)", Type::Big), ("max(c1)", Type::Big), ("avg(c1)", Type::Double)]);
        let text = format!(" AS p (c0, c1, c2) PIVOT ({call} AS a FOR c2 IN (0 AS zero, 1 AS one, NULL AS none)))");
        let call = Expr {
            ty: Type::Big,
            pieces: vec![
                Piece::Text("(SELECT c0, zero, one, none FROM ".into()),
                Piece::Query(Box::new(query)),
                Piece::Text(text),
            ],
        };
        self.rows(call, &[kept, yields, yields, yields])
    }

    /// `UNPIVOT` of two columns of a query of three.
    fn unpivot(&mut self, depth: usize) -> (From, Vec<Expr>) {
        self.uses("UNPIVOT");
        let kept = self.ty();
        let value = self.ty();
        let query = self.query(depth.saturating_sub(1), &[kept, value, value], &[]);
        let nulls = *self.pick(&["", "INCLUDE NULLS "]);
        let text = format!(" AS p (c0, c1, c2) UNPIVOT {nulls}(v FOR n IN (c1, c2)))");
        let call = Expr {
            ty: Type::Big,
            pieces: vec![Piece::Text("(SELECT c0, n, v FROM ".into()), Piece::Query(Box::new(query)), Piece::Text(text)],
        };
        self.rows(call, &[kept, Type::Text, value])
    }

    fn rows(&mut self, call: Expr, columns: &[Type]) -> (From, Vec<Expr>) {
        let alias = self.name();
        let leaves = columns_of(&alias, columns);
        (From::Rows { call, alias, columns: columns.len() }, leaves)
    }

    /// A common table that reads itself, of one or two columns of `BIGINT`.
    pub(super) fn recursion(&mut self, depth: usize) -> CommonTable {
        let name = self.name();
        match self.rng.random_range(0..6) {
            0 | 1 => self.closure(name),
            2 => self.reach(name, depth),
            3 | 4 => self.counted(name),
            _ => self.cheapest(name),
        }
    }

    /// All pairs that are linked by a chain of rows.
    fn closure(&mut self, name: String) -> CommonTable {
        self.uses("WITH RECURSIVE (pairs)");
        let columns = [Type::Big, Type::Big];
        let (from, leaves) = self.edges();
        let start = self.row(from, &leaves, vec![]);
        let (path, passed) = self.relation(Table { name: name.clone(), columns: columns.to_vec() });
        let squared = self.chance(30);
        let (edge, added) =
            if squared { self.relation(Table { name: name.clone(), columns: columns.to_vec() }) } else { self.edges() };
        let (from_here, to_there) = if squared { (added[0].clone(), added[1].clone()) } else { self.two(&added) };
        let on = Expr::of(Type::Bool, "(? = ?)", vec![passed[1].clone(), from_here]);
        let filter = self.step_filter(&passed, &added);
        let mut step = Select::of(vec![passed[0].clone(), to_there], Some(From::join("JOIN", path, edge, Some(on))));
        step.filter = filter;
        let query = Query::operation("UNION", start, Query::select(step));
        CommonTable { name, query, recursion: Recursion::Step }
    }

    /// All that is linked with the rows of any query.
    fn reach(&mut self, name: String, depth: usize) -> CommonTable {
        self.uses("WITH RECURSIVE (reach)");
        let start = self.query(depth.saturating_sub(1), &[Type::Big], &[]);
        let (seen, passed) = self.relation(Table { name: name.clone(), columns: vec![Type::Big] });
        let (edge, added) = self.edges();
        let (from_here, to_there) = self.two(&added);
        let template = *self.pick(&["(? = ?)", "(? = ?)", "(? IS NOT DISTINCT FROM ?)", "(? < ?)"]);
        let on = Expr::of(Type::Bool, template, vec![passed[0].clone(), from_here]);
        let mut step = Select::of(vec![to_there], Some(From::join("JOIN", seen, edge, Some(on))));
        step.filter = self.step_filter(&passed, &added);
        // What may begin with WITH or end with LIMIT stands in parentheses.
        let start = Query::over(start.derived("start"), "start", &[Type::Big]);
        let query = Query::operation("UNION", start, Query::select(step));
        CommonTable { name, query, recursion: Recursion::Step }
    }

    /// Ways of up to three steps, as a set or as often as they are.
    fn counted(&mut self, name: String) -> CommonTable {
        let operator = *self.pick(&["UNION", "UNION ALL"]);
        self.uses(if operator == "UNION" { "WITH RECURSIVE (steps)" } else { "WITH RECURSIVE (ways)" });
        let (from, leaves) = self.edges();
        let start = self.row(from, &leaves, vec![Expr::text(Type::Big, "CAST(0 AS BIGINT)")]);
        let query = Query::operation(operator, start, self.counting_step(&name));
        CommonTable { name, query, recursion: Recursion::Step }
    }

    /// The least number of steps, with an aggregate inside.
    fn cheapest(&mut self, name: String) -> CommonTable {
        self.uses("WITH MUTUALLY RECURSIVE");
        let (from, leaves) = self.edges();
        let start = self.row(from, &leaves, vec![Expr::text(Type::Big, "CAST(0 AS BIGINT)")]);
        let found = Query::operation("UNION ALL", start, self.counting_step(&name));
        let key = Expr::text(Type::Big, "found.c0");
        let least = Expr::text(Type::Big, "min(found.c1)");
        let mut select = Select::of(vec![key.clone(), least], Some(found.derived("found")));
        select.group = Some(Group { form: GroupForm::Plain, keys: vec![key] });
        select.by_row = false;
        CommonTable { name, query: Query::select(select), recursion: Recursion::Mutual }
    }

    /// One more step: its node, and the number of steps.
    fn counting_step(&mut self, name: &str) -> Query {
        let (path, passed) = self.relation(Table { name: name.to_owned(), columns: vec![Type::Big, Type::Big] });
        let (edge, added) = self.edges();
        let (from_here, to_there) = self.two(&added);
        let on = Expr::of(Type::Bool, "(? = ?)", vec![passed[0].clone(), from_here]);
        let next = Expr::of(Type::Big, "(? + 1)", vec![passed[1].clone()]);
        let mut step = Select::of(vec![to_there, next], Some(From::join("JOIN", path, edge, Some(on))));
        let bound = Expr::of(Type::Bool, "(? < 3)", vec![passed[1].clone()]);
        step.filter = Some(match self.step_filter(&passed, &added) {
            Some(more) => Expr::of(Type::Bool, "(? AND ?)", vec![bound, more]),
            None => bound,
        });
        Query::select(step)
    }

    /// The rows of a recursion's start: one number of a row, and `more`, or two numbers.
    fn row(&mut self, from: From, leaves: &[Expr], more: Vec<Expr>) -> Query {
        let (one, other) = self.two(leaves);
        let mut items = vec![one];
        items.extend(if more.is_empty() { vec![other] } else { more });
        let mut start = Select::of(items, Some(from));
        if self.chance(30) {
            start.filter = Some(self.expr(&Scope::of_columns(leaves.to_vec()), Type::Bool, 1));
        }
        Query::select(start)
    }

    fn step_filter(&mut self, passed: &[Expr], added: &[Expr]) -> Option<Expr> {
        let scope = Scope::of_columns(passed.iter().chain(added).cloned().collect());
        self.chance(35).then(|| self.expr(&scope, Type::Bool, 1))
    }

    /// A table as edges.
    fn edges(&mut self) -> (From, Vec<Expr>) {
        let table = self.pick(self.tables).clone();
        self.relation(table)
    }

    /// Two columns of a table as BIGINT: their values are finitely many, so that what is made of them ends.
    fn two(&mut self, leaves: &[Expr]) -> (Expr, Expr) {
        let numbers: Vec<Expr> = leaves
            .iter()
            .filter_map(|leaf| match leaf.ty {
                Type::Big => Some(leaf.clone()),
                Type::Int => Some(Expr::of(Type::Big, "CAST(? AS BIGINT)", vec![leaf.clone()])),
                _ => None,
            })
            .collect();
        // Each table begins with an INT and a BIGINT.
        (self.pick(&numbers).clone(), self.pick(&numbers).clone())
    }
}
