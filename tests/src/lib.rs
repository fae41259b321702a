//! Laws, oracles and SQL files: what must hold across the crates of Deltic.

pub mod feed;
pub mod oracle;
pub mod scene;
pub mod slt;
pub mod tpcds;
