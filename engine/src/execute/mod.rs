//! What statements do. Each function carries out one kind of statement in the caller's thread: it plans against the catalog of the moment, reads a
//! consistent snapshot, evaluates there, and leaves only the commit to the coordinator.

mod advance;
mod change;
mod copy;
mod definition;
mod presentation;
mod query;
mod show;

pub(crate) use advance::{advance_clock, advance_watermark};
pub(crate) use change::{delete, insert, truncate, update};
pub(crate) use copy::copy;
pub(crate) use definition::{
    create_function, create_table, create_view, drop_functions, drop_relations, register_aggregate_function,
    register_scalar_function,
};
pub(crate) use query::{query, read_relation, subscribe};
pub(crate) use show::{describe, errors, explain, show};
