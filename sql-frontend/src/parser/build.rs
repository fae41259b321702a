//! Pieces of syntax trees that no text was parsed for.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{GroupByExpr, Ident, ObjectName, Query, Select, SelectFlavor, SetExpr, TableAlias, TableFactor};

/// `SELECT`, to be filled in.
pub(crate) fn empty_select() -> Query {
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(bare_select()))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: vec![],
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: vec![],
    }
}

/// The same without what stands around it.
pub(crate) fn bare_select() -> Select {
    Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: vec![],
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![],
        exclude: None,
        into: None,
        from: vec![],
        lateral_views: vec![],
        prewhere: None,
        selection: None,
        connect_by: vec![],
        group_by: GroupByExpr::Expressions(vec![], vec![]),
        cluster_by: vec![],
        distribute_by: vec![],
        sort_by: vec![],
        having: None,
        named_window: vec![],
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    }
}

/// `table AS alias`, without positions.
pub(crate) fn table_factor(table: Ident, alias: Option<Ident>) -> TableFactor {
    TableFactor::Table {
        name: ObjectName::from(vec![table]),
        alias: alias.map(|name| TableAlias { explicit: true, name, columns: vec![], at: None }),
        args: None,
        with_hints: vec![],
        version: None,
        with_ordinality: false,
        partitions: vec![],
        json_path: None,
        sample: None,
        index_hints: vec![],
    }
}
