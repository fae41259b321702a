//! The three forms of one circuit. Where they must change with the operators, read the new text before you accept it.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};

use super::{json, mermaid, text};
use crate::{BinaryOp, Circuit, CircuitBuilder, Expr, JoinKey, JoinKind, Properties, SortKey};

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
