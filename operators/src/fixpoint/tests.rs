//! The law on recursions: random graphs that grow and shrink, on one worker and on three, several epochs in flight, against the interpreter in
//! every epoch. The domains are small, so cycles come and are broken, and every format of rows has its turn. What these tests cannot see is
//! how much work is done.

#![allow(clippy::unwrap_used)]

mod circuits;
mod stage;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::testing::Row;
use circuits::{CIRCUITS, Subject};
use stage::play;

/// Edges as numbers, with the number of copies that come or go.
type Edges = Vec<(i64, i64, i64)>;

fn epochs() -> impl Strategy<Value = Vec<Edges>> {
    let change = prop_oneof![4 => Just(1i64), 1 => Just(2), 3 => Just(-1)];
    vec(vec((0i64..6, 0i64..6, change), 0..8), 1..7)
}

/// The changes of the table of edges that make sense: nothing goes that is not there. In the end everything goes.
fn changes(subject: &Subject, epochs: &[Edges]) -> Vec<Vec<Row>> {
    let mut live: std::collections::BTreeMap<(i64, i64), i64> = Default::default();
    let mut played: Vec<Vec<Row>> = Vec::new();
    for epoch in epochs {
        let mut rows = Vec::new();
        for &(from, to, copies) in epoch {
            let edge = subject.edge(from, to);
            let known = live.entry(edge).or_insert(0);
            let copies = copies.max(-*known);
            *known += copies;
            if copies != 0 {
                rows.push((subject.row(edge), copies));
            }
        }
        played.push(rows);
    }
    played.push(live.into_iter().filter(|(_, copies)| *copies > 0).map(|(edge, copies)| (subject.row(edge), -copies)).collect());
    played
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn a_recursion_is_its_fixpoint_in_every_epoch(
        epochs in epochs(), number in 0..CIRCUITS.len(), workers in prop_oneof![Just(1usize), Just(3)], in_flight in 1usize..4
    ) {
        let subject = CIRCUITS[number]();
        play(&subject, changes(&subject, &epochs), workers, in_flight);
    }
}

/// A ring is cut: what went round in it is gone, at once.
#[test]
fn a_broken_cycle_holds_nothing_up() {
    for make in CIRCUITS {
        let subject = make();
        let ring: Edges = vec![(0, 1, 1), (1, 2, 1), (2, 3, 1), (3, 1, 1)];
        let epochs = vec![ring, vec![(0, 1, -1)], vec![(0, 2, 1)], vec![(2, 3, -1), (3, 1, -1)], vec![]];
        play(&subject, changes(&subject, &epochs), 1, 1);
    }
}
