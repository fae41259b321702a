//! Functions of users: those in SQL, which are inlined, and those in Rust, which are called.
//!
//! Functions in SQL may share a name if they differ in the types of their parameters; a catalog knows them by both.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_expr::{AggregateUDF, ScalarUDF, Volatility};
use sqlparser::ast::{self, Expr};

use super::Catalog;
use super::function_body::{define, types};
use super::overloads::signature;
use crate::error::{Code, Position};
use crate::plan::{BoundBody, declared_type, is_known};
use crate::statement::{CreateFunction, DropFunction, FunctionName, Name};
use crate::suggest::did_you_mean;
use crate::{Relation, SqlError};

/// A function in SQL.
#[derive(Clone, Debug)]
pub struct SqlFunction {
    /// Its folded name.
    pub name: String,
    /// Its name and the types of its parameters, by which the catalog knows it.
    pub(crate) signature: String,
    pub(crate) types: Vec<DataType>,
    pub(crate) parameters: Vec<SqlParameter>,
    pub(crate) returns: ast::DataType,
    pub(crate) strict: bool,
    /// The expression; functions that it calls are inlined already, and it has no positions.
    pub(crate) body: Expr,
    /// The same as it is put into plans; none if the function makes rows.
    pub(crate) bound: Option<Arc<BoundBody>>,
    /// Whether the body calls functions that are told apart by the types of arguments: then only the bound one says which.
    pub(crate) by_type: bool,
    /// The statement that created it.
    pub sql: String,
    /// The functions that it calls, each once: those in SQL by their signatures, others by their names.
    pub depends_on: Vec<String>,
}

/// A parameter of a function in SQL.
#[derive(Clone, Debug)]
pub(crate) struct SqlParameter {
    pub(crate) name: String,
    pub(crate) data_type: ast::DataType,
    pub(crate) default: Option<Expr>,
}

impl SqlFunction {
    /// How it is called, such as `f(a BIGINT, b VARCHAR DEFAULT 'x')`.
    pub fn usage(&self) -> String {
        let parameters = self.parameters.iter().map(|SqlParameter { name, data_type, default }| match default {
            Some(default) => format!("{name} {data_type} DEFAULT {default}"),
            None => format!("{name} {data_type}"),
        });
        format!("{}({})", self.name, parameters.collect::<Vec<_>>().join(", "))
    }

    /// Whether it can be called with so many arguments.
    pub(crate) fn takes(&self, arguments: usize) -> bool {
        let required = self.parameters.iter().filter(|parameter| parameter.default.is_none()).count();
        (required..=self.parameters.len()).contains(&arguments)
    }

    /// The type of its result, as it was written.
    pub fn returns(&self) -> String {
        self.returns.to_string()
    }
}

impl Catalog {
    /// The functions in SQL with this folded name.
    pub(crate) fn overloads(&self, name: &str) -> impl Iterator<Item = &Arc<SqlFunction>> {
        let start = signature(name, &[]);
        let prefix = start.trim_end_matches(')').to_owned();
        let named = self.sql_functions.range(prefix.clone()..).take_while(move |(key, _)| key.starts_with(&prefix));
        named.map(|(_, function)| function).filter(move |function| start.len() == function.name.len() + "()".len())
    }

    /// The catalog as the plain view that uses `functions` saw it: later functions of their names do not change what it means.
    pub(crate) fn with_overloads_of(&self, functions: &[String]) -> Cow<'_, Catalog> {
        let used: Vec<&Arc<SqlFunction>> = functions.iter().filter_map(|key| self.sql_functions.get(key)).collect();
        let is_later = |key: &String, function: &Arc<SqlFunction>| {
            !functions.contains(key) && used.iter().any(|used| used.name == function.name)
        };
        if !self.sql_functions.iter().any(|(key, function)| is_later(key, function)) {
            return Cow::Borrowed(self);
        }
        let mut seen = self.clone();
        seen.sql_functions.retain(|key, function| !is_later(key, function));
        Cow::Owned(seen)
    }

    /// All functions in SQL, by name.
    pub fn sql_functions(&self) -> impl Iterator<Item = &SqlFunction> {
        self.sql_functions.values().map(Arc::as_ref)
    }

    /// The function in Rust with this name.
    pub fn scalar_function(&self, name: &str) -> Option<&Arc<ScalarUDF>> {
        self.scalar_functions.get(name)
    }

    /// All functions in Rust, by name.
    pub fn scalar_functions(&self) -> impl Iterator<Item = &Arc<ScalarUDF>> {
        self.scalar_functions.values()
    }

    /// The aggregate in Rust with this name.
    pub fn aggregate_function(&self, name: &str) -> Option<&Arc<AggregateUDF>> {
        self.aggregate_functions.get(name)
    }

    /// All aggregates in Rust, by name.
    pub fn aggregate_functions(&self) -> impl Iterator<Item = &Arc<AggregateUDF>> {
        self.aggregate_functions.values()
    }

    /// The names of all functions of users.
    pub(crate) fn function_names(&self) -> impl Iterator<Item = &str> {
        let rust = self.scalar_functions.keys().chain(self.aggregate_functions.keys());
        self.sql_functions.values().map(|function| &function.name).chain(rust).map(String::as_str)
    }

    /// Adds a function in Rust, which SQL can call from then on.
    ///
    /// # Errors
    /// DT1011 if it is not immutable, DT1006 if its name is taken, DT1001 if SQL could not write it.
    pub fn register_scalar_function(&mut self, function: ScalarUDF) -> Result<(), SqlError> {
        let name = self.check_registered(function.name(), function.signature().volatility)?;
        self.scalar_functions.insert(name, Arc::new(function));
        Ok(())
    }

    /// Adds an aggregate in Rust, which SQL can call from then on.
    ///
    /// # Errors
    /// DT1011 if it is not immutable, DT1006 if its name is taken, DT1001 if SQL could not write it.
    pub fn register_aggregate_function(&mut self, function: AggregateUDF) -> Result<(), SqlError> {
        let name = self.check_registered(function.name(), function.signature().volatility)?;
        self.aggregate_functions.insert(name, Arc::new(function));
        Ok(())
    }

    /// The name of a function in Rust, if it can be one.
    fn check_registered(&self, name: &str, volatility: Volatility) -> Result<String, SqlError> {
        let nowhere = Position::default();
        if name.is_empty() || name != name.to_lowercase() {
            let message = format!("the function name '{name}' must be in lower case: SQL folds what is not quoted");
            return Err(SqlError::new(Code::Syntax, nowhere, message));
        }
        if volatility != Volatility::Immutable {
            let message = format!("{name}() is not a function of its arguments, so its rows could not be retracted");
            let error = SqlError::new(Code::Volatile, nowhere, message);
            return Err(error.with_hint("give it the signature of an immutable function if it is one"));
        }
        self.check_free(&Name { value: name.to_string(), position: nowhere })?;
        match self.overloads(name).next() {
            None => Ok(name.to_string()),
            Some(_) => Err(taken("a function", name, nowhere)),
        }
    }

    /// Refuses names that functions in SQL cannot share.
    fn check_free(&self, name: &Name) -> Result<(), SqlError> {
        if is_known(&name.value) {
            return Err(taken("a built-in function", &name.value, name.position));
        }
        if self.scalar_functions.contains_key(&name.value) || self.aggregate_functions.contains_key(&name.value) {
            return Err(taken("a function in Rust", &name.value, name.position));
        }
        Ok(())
    }

    /// Checks and adds a function in SQL. Returns whether it replaced one.
    ///
    /// # Errors
    /// If there is one of its name and types, its body is wrong for its types, or (with OR REPLACE) something uses the former one.
    pub fn create_function(&mut self, create: &CreateFunction) -> Result<bool, SqlError> {
        self.check_free(&create.name)?;
        let key = signature(&create.name.value, &crate::stack::deep(|| types(create))??);
        let former = self.sql_functions.get(&key);
        if let Some(former) = former {
            if !create.or_replace {
                let error = taken("a function", &create.name.value, create.name.position);
                return Err(error.with_hint(format!("it is {}; another one needs other types", former.usage())));
            }
            if let Some(user) = self.function_users(&key).first() {
                let message = format!("{} cannot be replaced: {} uses it", self.label(&key), self.label(user));
                return Err(SqlError::new(Code::RelationInUse, create.name.position, message));
            }
        }
        let replaced = former.is_some();
        let mut others = self.clone();
        others.sql_functions.remove(&key);
        let function = crate::stack::deep(|| define(&others, create))??;
        self.sql_functions.insert(key, Arc::new(function));
        Ok(replaced)
    }

    /// Removes functions and, with CASCADE, what uses them. Returns the signatures of the functions that were removed, and the relations, each before
    /// what it reads. All or nothing.
    ///
    /// # Errors
    /// If one does not exist, a name is that of several, or one is in use without CASCADE.
    pub fn drop_functions(&mut self, drop: &DropFunction) -> Result<(Vec<String>, Vec<Arc<Relation>>), SqlError> {
        let mut doomed: Vec<String> = Vec::new();
        for function in &drop.functions {
            match self.named(function) {
                Ok(key) => doomed.push(key),
                Err(error) if drop.if_exists && error.is(Code::UnknownFunction) => {}
                Err(error) => return Err(error),
            }
        }
        // Functions of functions are found first; then the views that use one of them.
        let (mut index, mut relations) = (0, Vec::new());
        while index < doomed.len() {
            let key = doomed[index].clone();
            for user in self.function_users(&key) {
                let named = doomed.contains(&user);
                if !drop.cascade && !named {
                    let position = drop.functions.first().map_or(Position::default(), |function| function.name.position);
                    let message = format!("{} is used by {}", self.label(&key), self.label(&user));
                    let error = SqlError::new(Code::RelationInUse, position, message);
                    return Err(error.with_hint("DROP .. CASCADE drops what uses it, too"));
                }
                match self.sql_functions.contains_key(&user) {
                    true if !named => doomed.push(user),
                    true => {}
                    false => relations.push(user),
                }
            }
            index += 1;
        }
        let mut removed: Vec<Arc<Relation>> = Vec::new();
        for name in relations {
            for name in self.dependents(&name).into_iter().chain([name.clone()]) {
                removed.extend(self.relations.remove(&name));
            }
        }
        doomed.iter().for_each(|key| {
            self.sql_functions.remove(key);
        });
        Ok((doomed, removed))
    }

    /// The signature of the function that DROP names.
    fn named(&self, function: &FunctionName) -> Result<String, SqlError> {
        let FunctionName { name, types } = function;
        let candidates: Vec<&Arc<SqlFunction>> = self.overloads(&name.value).collect();
        let unknown = |what: &str| SqlError::new(Code::UnknownFunction, name.position, format!("unknown function {what}"));
        let (key, found) = match (types, candidates.as_slice()) {
            (_, []) => {
                let known = self.sql_functions.values().map(|function| function.name.as_str());
                return Err(SqlError { hint: did_you_mean(&name.value, known), ..unknown(&name.value) });
            }
            (None, [only]) => return Ok(only.signature.clone()),
            (None, _) => {
                let message = format!("there are {} functions {}", candidates.len(), name.value);
                let error = SqlError::new(Code::Ambiguous, name.position, message);
                return Err(error.with_hint(format!("say which one by its types: {}", usages(&candidates))));
            }
            (Some(types), _) => {
                let plan = |of: &ast::DataType| declared_type(of, &format!("a parameter of {}", name.value), name.position);
                let planned = crate::stack::deep(|| types.iter().map(plan).collect::<Result<Vec<_>, _>>())??;
                let key = signature(&name.value, &planned);
                let found = self.sql_functions.contains_key(&key);
                (key, found)
            }
        };
        if found { Ok(key) } else { Err(unknown(&key).with_hint(format!("known are {}", usages(&candidates)))) }
    }

    /// What a function or a relation is called in messages: a function by its name, with its types if there are several of that name.
    fn label(&self, key: &str) -> String {
        match self.sql_functions.get(key) {
            Some(function) if self.overloads(&function.name).count() == 1 => function.name.clone(),
            _ => key.to_owned(),
        }
    }

    /// The functions (by their signatures) and relations that use the function with the signature `key` themselves.
    fn function_users(&self, key: &str) -> Vec<String> {
        let uses = |on: &[String]| on.iter().any(|on| on == key);
        let functions = self.sql_functions.iter().filter(|(_, function)| uses(&function.depends_on)).map(|(key, _)| key.clone());
        let relations =
            self.relations.values().filter(|relation| uses(&relation.functions)).map(|relation| relation.name.clone());
        functions.chain(relations).collect()
    }
}

/// How functions are called.
pub(crate) fn usages(functions: &[&Arc<SqlFunction>]) -> String {
    functions.iter().map(|function| function.usage()).collect::<Vec<_>>().join(", ")
}

fn taken(what: &str, name: &str, position: Position) -> SqlError {
    SqlError::new(Code::RelationExists, position, format!("{what} called {name} exists already"))
}
