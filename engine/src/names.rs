//! What the names of a database mean at one moment: the catalog, and the sources that writers need.

use std::collections::HashMap;
use std::sync::Arc;

use deltic_sql::Catalog;

use crate::source::Source;

/// The catalog with the sources of its tables and streams. Replaced as a whole by each change, so a reader sees one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) catalog: Catalog,
    pub(crate) sources: HashMap<String, Arc<Source>>,
}
