//! The three forms of one circuit. Where they must change with the operators, read the new text before you accept it.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};

use super::{costs, json, mermaid, text};
use crate::{
    AggregateCall, AggregateFunction, BinaryOp, Circuit, CircuitBuilder, Expr, JoinKey, JoinKind, NodeId, Properties, SortKey,
};

/// `SELECT a.id, b.v FROM t a JOIN t b ON a.id = b.v WHERE a.v > 3 ORDER BY b.v DESC LIMIT 2`.
fn circuit() -> Circuit {
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("v", DataType::Int64, true)]));
    let mut builder = CircuitBuilder::new();
    let t = builder.source("t", schema, Properties { unique_keys: vec![vec![0]], append_only: true, ..Properties::default() });
    let filtered = builder.filter(t, vec![Expr::binary(BinaryOp::Greater, builder.column(t, 1), Expr::literal(3i64))]).unwrap();
    let keys = vec![JoinKey { left: 0, right: 1, null_safe: false }];
    let joined = builder.join(filtered, t, JoinKind::Inner, keys, None).unwrap();
    let columns = [("id", 0), ("w", 3)].map(|(name, index)| (name.to_owned(), builder.column(joined, index)));
    let projected = builder.map_filter(joined, vec![], columns.to_vec()).unwrap();
    let order = vec![SortKey { column: 1, descending: true, nulls_first: true }];
    let top = builder.top_k(projected, vec![], order, 0, Some(2), None).unwrap();
    builder.finish(top, None).unwrap()
}

#[test]
fn as_text() {
    let expected = "\
[6] TopK order by #1 DESC limit 2 -> (id BIGINT NOT NULL, w BIGINT)
  [5] MapFilter select #0, #3 -> (id BIGINT NOT NULL, w BIGINT) append-only
    [4] Join inner on left #0 = right #1 -> (id BIGINT NOT NULL, v BIGINT, id BIGINT NOT NULL, v BIGINT) key (id) append-only
      [2] Index by (#0) -> (id BIGINT NOT NULL, v BIGINT) key (id) append-only
        [1] MapFilter where (#1 > 3) -> (id BIGINT NOT NULL, v BIGINT) key (id) append-only
          [0] Source t -> (id BIGINT NOT NULL, v BIGINT) key (id) append-only
      [3] Index by (#1) -> (id BIGINT NOT NULL, v BIGINT) key (id) append-only
        [0] Source t -> (id BIGINT NOT NULL, v BIGINT) key (id) append-only
";
    assert_eq!(text(&circuit()), expected);
}

#[test]
fn as_json() {
    let value: serde_json::Value = serde_json::from_str(&json(&circuit())).unwrap();
    assert_eq!(value["output"], 6);
    let join = &value["nodes"][4];
    assert_eq!(join["operator"], "Join");
    assert_eq!(join["inputs"], serde_json::json!([2, 3]));
    assert_eq!(join["columns"][1], serde_json::json!({ "name": "v", "type": "BIGINT", "nullable": true }));
    assert_eq!(join["append_only"], true);
}

#[test]
fn as_mermaid() {
    let chart = mermaid(&circuit());
    assert!(chart.starts_with("flowchart TD\n  n0[\"Source t<br/>"), "{chart}");
    assert!(chart.contains("  n3 --> n4\n"), "{chart}");
    assert!(chart.contains("MapFilter where (#35;1 #gt; 3)"), "{chart}");
    assert!(chart.ends_with("  n6 --> output([\"output\"])\n"), "{chart}");
}

#[test]
fn as_costs() {
    let shared = [(NodeId(3), vec!["w".to_owned()])].into();
    let expected = "\
[6] TopK order by #1 DESC limit 2
    work: O(k), compared with the last of the k = 2 rows that are kept, and with the others only if it comes before that one
    state: about 48 bytes per row that can be shown, at most 2
  [5] MapFilter select #0, #3
      work: O(1), 2 expressions evaluated, a batch at a time
      state: none
    [4] Join inner on left #0 = right #1
        work: O(m), a left row: the m right rows of its key; a right row: at most one match
        state: none
      [2] Index by (#0)
          work: O(1), appended; merged into sorted runs later, in small steps
          state: about 25 bytes per row
        [1] MapFilter where (#1 > 3)
            work: O(1), 1 expression evaluated, a batch at a time
            state: none
          [0] Source t
              work: O(1), handed on as it is; what a table holds is kept once, with the table
              state: none
      [3] Index by (#1)
          work: O(1), appended; merged into sorted runs later, in small steps
          state: about 25 bytes per row (shared with w)
        [0] Source t (as above)
";
    assert_eq!(costs(&circuit(), &shared), expected);
}

/// Extremes need an order where rows can go, and none where they cannot; text is counted apart.
#[test]
fn costs_of_groups() {
    let schema = Arc::new(Schema::new(vec![Field::new("g", DataType::Utf8, true), Field::new("v", DataType::Int64, true)]));
    let text_of = |append_only: bool| {
        let mut builder = CircuitBuilder::new();
        let t = builder.source("t", schema.clone(), Properties { append_only, ..Properties::default() });
        let max = AggregateCall::new(AggregateFunction::Max, [1], DataType::Int64);
        let grouped = builder.aggregate(t, vec![0], vec![("max".to_owned(), max)]).unwrap();
        costs(&builder.finish(grouped, None).unwrap(), &HashMap::new())
    };
    let groups = "about 100 bytes and the text of 1 column per group";
    let retracting = text_of(false);
    assert!(
        retracting.contains("work: O(log n), one probe of its group and of its values that are kept one by one"),
        "{retracting}"
    );
    assert!(
        retracting.contains(&format!("state: {groups}; about 32 bytes per different value of #1 in a group\n")),
        "{retracting}"
    );
    let appended = text_of(true);
    assert!(appended.contains("work: O(1), one probe of its group\n"), "{appended}");
    assert!(appended.contains(&format!("state: {groups}\n")), "{appended}");
}
