//! What is compiled once per thread and text: patterns, regular expressions, paths.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::thread::LocalKey;

/// So many are kept; then all are forgotten, as texts that come from a column never end.
const MOST: usize = 256;

/// What was compiled, by its text.
pub(crate) type Kept<T> = RefCell<HashMap<String, Result<Rc<T>, String>>>;

/// The compiled form of `text`; a failure is kept as well.
pub(crate) fn kept<T>(
    shelf: &'static LocalKey<Kept<T>>,
    text: &str,
    compile: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Rc<T>, String> {
    shelf.with_borrow_mut(|shelf| {
        if let Some(known) = shelf.get(text) {
            return known.clone();
        }
        if shelf.len() >= MOST {
            shelf.clear();
        }
        let compiled = compile(text).map(Rc::new);
        shelf.insert(text.to_owned(), compiled.clone());
        compiled
    })
}

/// [`kept`] for the rows of one batch, which mostly have one text: that is compared and not looked up.
pub(super) struct Last<T: 'static> {
    shelf: &'static LocalKey<Kept<T>>,
    compile: fn(&str) -> Result<T, String>,
    last: Option<(String, Rc<T>)>,
    /// How often another text came.
    turns: usize,
}

impl<T> Last<T> {
    pub(super) fn new(shelf: &'static LocalKey<Kept<T>>, compile: fn(&str) -> Result<T, String>) -> Self {
        Last { shelf, compile, last: None, turns: 0 }
    }

    /// The compiled form of `text`.
    pub(super) fn get(&mut self, text: &str) -> Result<&T, String> {
        self.numbered(text).map(|(compiled, _)| compiled)
    }

    /// The compiled form of `text`, and a number that stays the same as long as the text does.
    pub(super) fn numbered(&mut self, text: &str) -> Result<(&T, usize), String> {
        if self.last.as_ref().is_none_or(|(known, _)| known != text) {
            self.last = Some((text.to_owned(), kept(self.shelf, text, self.compile)?));
            self.turns += 1;
        }
        match &self.last {
            Some((_, compiled)) => Ok((compiled, self.turns)),
            None => Err("nothing was compiled".to_owned()),
        }
    }
}
