//! The statements that Deltic knows, as the parser hands them to the engine.
//!
//! Queries stay syntax trees of sqlparser (behind [`Query`], so that users of this crate need not know them): they get their meaning
//! when they are planned against a [`Catalog`](crate::Catalog).

use sqlparser::ast;

use crate::Position;

/// A statement with its place in the text it was parsed from.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// What it says.
    pub statement: Statement,
    /// Where it stands.
    pub span: Span,
    /// Its text, without the semicolon.
    pub sql: String,
}

/// The place of a statement in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// 1-based line of its first token.
    pub line: usize,
    /// 1-based column of its first token.
    pub column: usize,
    /// Byte offset of its first token.
    pub start: usize,
    /// Byte offset after its last token.
    pub end: usize,
}

/// A relation's name: folded as PostgreSQL does (lower case unless quoted).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The folded name.
    pub value: String,
    /// Where it was written.
    pub position: Position,
}

/// A statement.
#[derive(Clone, Debug)]
pub enum Statement {
    /// `CREATE TABLE`, `CREATE STREAM`.
    CreateTable(CreateTable),
    /// `CREATE [MATERIALIZED] VIEW`.
    CreateView(CreateView),
    /// `CREATE FUNCTION`.
    CreateFunction(CreateFunction),
    /// `DROP ..`.
    Drop(Drop),
    /// `DROP FUNCTION`.
    DropFunction(DropFunction),
    /// `INSERT INTO ..`.
    Insert(Insert),
    /// `UPDATE ..`.
    Update(Update),
    /// `DELETE FROM ..`.
    Delete(Delete),
    /// `TRUNCATE [TABLE] t`.
    Truncate {
        /// The table.
        table: Name,
    },
    /// `COPY .. FROM | TO 'file'`.
    Copy(Copy),
    /// `BEGIN`.
    Begin,
    /// `COMMIT`.
    Commit,
    /// `ROLLBACK`.
    Rollback,
    /// `SELECT`, `WITH`, `VALUES`.
    Query(Query),
    /// `SUBSCRIBE [TO] v, ..`.
    Subscribe {
        /// The views, in the order written.
        relations: Vec<Name>,
    },
    /// `ADVANCE WATERMARK s TO ..`.
    AdvanceWatermark(AdvanceWatermark),
    /// `ADVANCE CLOCK ..`.
    AdvanceClock(AdvanceClock),
    /// `EXPLAIN ..`.
    Explain(Explain),
    /// `SHOW ..`.
    Show(Show),
    /// `DESCRIBE r`.
    Describe {
        /// The relation.
        relation: Name,
    },
}

/// A query that is not planned yet.
#[derive(Clone, Debug)]
pub struct Query {
    pub(crate) ast: Box<ast::Query>,
    pub(crate) position: Position,
}

impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.ast.fmt(f)
    }
}

/// `CREATE TABLE` or `CREATE STREAM`.
#[derive(Clone, Debug)]
pub struct CreateTable {
    /// The name of the new relation.
    pub name: Name,
    /// `CREATE STREAM`: append-only, rows are not kept.
    pub stream: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The columns.
    pub(crate) columns: Vec<ColumnDefinition>,
    /// The names of the primary key's columns.
    pub(crate) primary_key: Option<Vec<Name>>,
    /// `WATERMARK FOR ..`.
    pub(crate) watermark: Option<WatermarkClause>,
    /// `WITH (..)`.
    pub(crate) options: Vec<OptionClause>,
    /// The text of the statement.
    pub sql: String,
}

/// One column of a CREATE TABLE.
#[derive(Clone, Debug)]
pub(crate) struct ColumnDefinition {
    pub(crate) name: Name,
    pub(crate) data_type: ast::DataType,
    pub(crate) type_position: Position,
    pub(crate) not_null: bool,
    pub(crate) default: Option<ast::Expr>,
}

/// `WATERMARK FOR column [AS strategy] [PER PARTITION (columns)]`.
#[derive(Clone, Debug)]
pub(crate) struct WatermarkClause {
    pub(crate) column: Name,
    pub(crate) strategy: Option<ast::Expr>,
    pub(crate) strategy_position: Position,
    pub(crate) partition: Option<Vec<Name>>,
    pub(crate) partition_position: Position,
}

/// `name = value` in the parentheses of WITH.
#[derive(Clone, Debug)]
pub(crate) struct OptionClause {
    /// Folded.
    pub(crate) name: String,
    pub(crate) position: Position,
    pub(crate) value: Option<String>,
    pub(crate) value_position: Position,
}

/// `CREATE VIEW` or `CREATE MATERIALIZED VIEW`.
#[derive(Clone, Debug)]
pub struct CreateView {
    /// The name of the new view.
    pub name: Name,
    /// Whether its contents are maintained.
    pub materialized: bool,
    /// `OR REPLACE`.
    pub or_replace: bool,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// `v (a, b)`: names for the columns, in order; empty if there are none.
    pub columns: Vec<Name>,
    /// What it computes.
    pub query: Query,
    /// `EMIT ..`, if it was written.
    pub emit: Option<EmitClause>,
    /// The text of the statement.
    pub sql: String,
}

/// `CREATE FUNCTION f(a BIGINT) RETURNS BIGINT AS 'a * 2'`: a name for an expression.
#[derive(Clone, Debug)]
pub struct CreateFunction {
    /// The name of the function.
    pub name: Name,
    /// `OR REPLACE`.
    pub or_replace: bool,
    /// The parameters, in order.
    pub(crate) parameters: Vec<Parameter>,
    /// The type of the result.
    pub(crate) returns: ast::DataType,
    /// `STRICT`: NULL as soon as an argument is NULL.
    pub(crate) strict: bool,
    /// The expression, with positions in the statement.
    pub(crate) body: ast::Expr,
    /// Where the expression begins.
    pub(crate) body_position: Position,
    /// The text of the statement.
    pub sql: String,
}

/// A parameter of a function.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: Name,
    pub(crate) data_type: ast::DataType,
    pub(crate) default: Option<ast::Expr>,
}

/// A function as DROP names it.
#[derive(Clone, Debug)]
pub struct FunctionName {
    /// Its name.
    pub name: Name,
    /// The types of its parameters, if they are said.
    pub(crate) types: Option<Vec<ast::DataType>>,
}

/// `DROP FUNCTION f, g(BIGINT)`.
#[derive(Clone, Debug)]
pub struct DropFunction {
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The functions.
    pub functions: Vec<FunctionName>,
    /// `CASCADE`: drop what uses them, too.
    pub cascade: bool,
}

/// `EMIT ..` after the query of a materialized view: when its rows show.
#[derive(Clone, Debug)]
pub struct EmitClause {
    pub(crate) emit: Emit,
    /// Where it was written.
    pub position: Position,
}

/// The kinds of EMIT.
#[derive(Clone, Debug)]
pub(crate) enum Emit {
    /// `EMIT CHANGES`, `EMIT ON UPDATE`: at once, which is also what no clause means.
    Changes,
    /// `EMIT ON WINDOW CLOSE`, `EMIT AFTER WATERMARK`.
    OnWindowClose,
    /// `EMIT FINAL`.
    Final,
    /// `EMIT EVERY interval [ON CLOCK | ON WATERMARK]`.
    Every { interval: Box<ast::Expr>, on_watermark: bool },
}

/// `ADVANCE WATERMARK source TO time`.
#[derive(Clone, Debug)]
pub struct AdvanceWatermark {
    /// The table or stream.
    pub source: Name,
    pub(crate) to: ast::Expr,
    pub(crate) position: Position,
}

/// `ADVANCE CLOCK TO time` or `ADVANCE CLOCK BY interval`.
#[derive(Clone, Debug)]
pub struct AdvanceClock {
    /// BY, not TO.
    pub(crate) by: bool,
    pub(crate) value: ast::Expr,
    pub(crate) position: Position,
}

/// `DROP TABLE | STREAM | [MATERIALIZED] VIEW`.
#[derive(Clone, Debug)]
pub struct Drop {
    /// What the relations must be.
    pub kind: crate::RelationKind,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The relations.
    pub names: Vec<Name>,
    /// `CASCADE`: drop what depends on them, too.
    pub cascade: bool,
}

/// `INSERT INTO t [(columns)] VALUES | SELECT ..`.
#[derive(Clone, Debug)]
pub struct Insert {
    /// The table or stream.
    pub table: Name,
    /// The columns that are given; empty means all, in order.
    pub columns: Vec<Name>,
    /// The rows; `None` is `DEFAULT VALUES`.
    pub source: Option<Query>,
}

/// `UPDATE t [AS alias] SET .. [WHERE ..]`.
#[derive(Clone, Debug)]
pub struct Update {
    /// The table.
    pub table: Name,
    pub(crate) alias: Option<Name>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) filter: Option<ast::Expr>,
}

/// `column = value` of an UPDATE; `None` is `DEFAULT`.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) column: Name,
    pub(crate) value: Option<ast::Expr>,
}

/// `DELETE FROM t [AS alias] [WHERE ..]`.
#[derive(Clone, Debug)]
pub struct Delete {
    /// The table.
    pub table: Name,
    pub(crate) alias: Option<Name>,
    pub(crate) filter: Option<ast::Expr>,
}

/// `COPY t FROM 'file' (..)` or `COPY t | (query) TO 'file' (..)`.
#[derive(Clone, Debug)]
pub struct Copy {
    /// What is filled or written.
    pub source: CopySource,
    /// The columns of the relation that the file has; empty means all.
    pub columns: Vec<Name>,
    /// FROM or TO.
    pub direction: CopyDirection,
    /// The file, as written.
    pub path: String,
    /// Where the file's name was written.
    pub position: Position,
    /// Its format.
    pub format: CopyFormat,
    /// How many rows make a commit (FROM); `None` is all of them.
    pub rows_per_commit: Option<usize>,
    /// Whether a CSV file has a line with names. Default true.
    pub header: bool,
    /// What separates the fields of a CSV file. Default `,`.
    pub delimiter: u8,
}

/// What a COPY copies.
#[derive(Clone, Debug)]
pub enum CopySource {
    /// A relation.
    Relation(Name),
    /// The rows of a query (TO only).
    Query(Query),
}

/// The direction of a COPY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyDirection {
    /// Into the relation.
    From,
    /// Out of it.
    To,
}

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyFormat {
    /// Comma separated values.
    Csv,
    /// One JSON object per line.
    Json,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC file.
    Arrow,
}

/// `EXPLAIN [CIRCUIT | PLAN | STATE | COST] [(..)] query | view`.
#[derive(Clone, Debug)]
pub struct Explain {
    /// What is shown.
    pub what: ExplainWhat,
    /// How.
    pub format: ExplainFormat,
    /// Of what.
    pub target: ExplainTarget,
}

/// What EXPLAIN shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainWhat {
    /// The circuit (default).
    Circuit,
    /// The optimised logical plan.
    Plan,
    /// What each node of the circuit keeps, and for how long.
    State,
    /// The work of each node per changed row, and the bytes that it keeps per row.
    Cost,
}

/// How EXPLAIN writes a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainFormat {
    /// An indented tree.
    Text,
    /// JSON.
    Json,
    /// A Mermaid flow chart.
    Mermaid,
}

/// What EXPLAIN explains.
#[derive(Clone, Debug)]
pub enum ExplainTarget {
    /// A query.
    Query(Query),
    /// A view.
    View(Name),
}

/// `SHOW ..`.
#[derive(Clone, Debug)]
pub enum Show {
    /// `SHOW TABLES`.
    Tables,
    /// `SHOW STREAMS`.
    Streams,
    /// `SHOW [MATERIALIZED] VIEWS`.
    Views,
    /// `SHOW FUNCTIONS`.
    Functions,
    /// `SHOW STATS [FOR v]`.
    Stats(Option<Name>),
    /// `SHOW ERRORS FOR v`.
    Errors(Name),
}
