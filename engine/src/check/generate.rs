//! Random histories: insertions, deletions, updates, duplicates, noise that cancels; watermarks and the clock in between.

use std::collections::HashSet;

use datafusion_common::ScalarValue;
use rand::Rng;
use rand::rngs::StdRng;

use super::Setup;
use super::history::{Change, History, InputRelation, Row, Step, created_at};
use super::model::{Effect, Model};
use super::times::Tempo;
use super::values::{Profile, pick, random_value};

/// A history under construction.
struct Generator<'a> {
    relations: &'a [InputRelation],
    profile: Profile,
    tempo: Tempo,
    model: Model,
    /// Whether rows mostly go: groups become empty, and what stood behind others comes to the front.
    ebbs: bool,
}

/// How long histories are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Length {
    /// At least so many commits.
    pub(super) commits: usize,
    /// Row changes, of which one is drawn.
    pub(super) changes: &'static [usize],
}

impl Length {
    /// From a few changes to as many as state structures need to split.
    pub(super) const ANY: Length = Length { commits: 1, changes: &[3, 10, 30, 80] };
}

/// A random history for the views of `setup`.
pub(super) fn generate(rng: &mut StdRng, setup: &Setup, max_workers: usize, length: Length) -> History {
    let relations = &setup.relations;
    let profile = Profile::random(rng);
    let definitions = relations.iter().filter_map(|relation| relation.event_time.as_ref());
    let tempo = Tempo::random(rng, definitions, setup.views.iter().map(|view| &*view.circuit));
    let total = *pick(rng, length.changes);
    let mean_commit = (*pick(rng, &[1usize, 3, 10, 40])).min(total.div_ceil(2 * length.commits));
    // What happens in each step: so many changes, or (with 0) the clock moves.
    let mut sizes = Vec::new();
    let mut left = if relations.is_empty() { 0 } else { total };
    while left > 0 {
        if rng.random_range(0..1000) < tempo.clock {
            sizes.push(0);
            continue;
        }
        let size = rng.random_range(1..=mean_commit * 2).min(left);
        left -= size;
        sizes.push(size);
    }
    let created_before = creations(rng, setup, sizes.len());
    let created_before = together(created_before, &setup.equal);
    let ebb = *pick(rng, &[sizes.len(), sizes.len(), sizes.len() / 2]);
    let mut generator = Generator { relations, profile, tempo, model: Model::new(relations), ebbs: false };
    let mut steps = Vec::with_capacity(sizes.len());
    for (index, size) in sizes.into_iter().enumerate() {
        for view in created_at(&created_before, setup, index) {
            generator.model.add_view(relations, &setup.views[view].groups);
        }
        generator.ebbs = index >= ebb;
        steps.push(generator.step(rng, size));
    }
    History { steps, created_before, workers: rng.random_range(1..=max_workers.max(1)) }
}

/// The step before which each view is created, of `steps`: no earlier than the views that it reads, and else as if there were no others. Most views of a
/// long file must see most of the history.
fn creations(rng: &mut StdRng, setup: &Setup, steps: usize) -> Vec<usize> {
    let mut created: Vec<usize> = Vec::with_capacity(setup.views.len());
    for view in &setup.views {
        let sources = view.circuit.sources();
        let read = setup.views.iter().zip(&created).filter(|(other, _)| sources.contains(&other.name.as_str()));
        let least = read.map(|(_, &created)| created).max().unwrap_or_default();
        created.push(match rng.random_range(0..4u8) {
            0 | 1 => least,
            2 => rng.random_range(least..=steps),
            _ => least.max(steps / 2),
        });
    }
    created
}

/// Views that must be equal are created at the same time: a stream shows each what comes after it.
fn together(mut created: Vec<usize>, equal: &[(usize, usize)]) -> Vec<usize> {
    for &(first, second) in equal {
        created[second] = created[first];
    }
    created
}

impl Generator<'_> {
    fn step(&mut self, rng: &mut StdRng, size: usize) -> Step {
        let mut step = Step::default();
        if size == 0 {
            step.clock = self.tempo.span(rng).max(1);
        } else {
            self.add_changes(rng, size, &mut step);
            self.add_watermarks(rng, &mut step);
        }
        self.model.end(self.relations, &step);
        step
    }

    fn add_changes(&mut self, rng: &mut StdRng, size: usize, step: &mut Step) {
        // Late rows count as well: there may be nothing else.
        while step.changes.len() < size {
            let relation = rng.random_range(0..self.relations.len());
            let present = self.model.sources[relation].rows.len();
            let kind = if self.ebbs && rng.random_bool(0.5) { 6 } else { rng.random_range(0..10u8) };
            if self.relations[relation].stream || present == 0 || kind < 5 {
                let row = self.random_row(rng, relation);
                self.push(step, Change { relation, insert: true, row });
                continue;
            }
            let old = self.model.sources[relation].rows[rng.random_range(0..present)].clone();
            let copy = Change { relation, insert: true, row: old.clone() };
            let removal = Change { relation, insert: false, row: old.clone() };
            match kind {
                5 => self.push(step, copy),
                6 | 7 => self.push(step, removal),
                8 => {
                    // An update: one column changes.
                    let mut row = old;
                    let column = rng.random_range(0..row.len());
                    row[column] = self.random_row(rng, relation)[column].clone();
                    self.push(step, removal);
                    self.push(step, Change { relation, insert: true, row });
                }
                _ => {
                    // Noise that cancels within the commit.
                    self.push(step, removal);
                    self.push(step, copy);
                }
            }
        }
    }

    fn push(&mut self, step: &mut Step, change: Change) {
        if self.model.apply(self.relations, &change) != Effect::Impossible {
            step.changes.push(change);
        }
    }

    fn add_watermarks(&mut self, rng: &mut StdRng, step: &mut Step) {
        let mut moved = HashSet::new();
        while rng.random_range(0..1000) < self.tempo.watermarks {
            let relation = rng.random_range(0..self.relations.len());
            if self.relations[relation].event_time.is_some() && moved.insert(relation) {
                let watermark = self.model.sources[relation].watermark;
                let to = self.tempo.near(rng, watermark.unwrap_or_else(|| self.model.now()));
                step.watermarks.push((relation, to.max(watermark.unwrap_or(i64::MIN))));
            }
        }
    }

    fn random_row(&self, rng: &mut StdRng, index: usize) -> Row {
        let relation = &self.relations[index];
        let mut row: Row = relation
            .schema
            .fields()
            .iter()
            .map(|field| random_value(rng, field.data_type(), field.is_nullable(), &self.profile))
            .map(canonical)
            .collect();
        if let Some(definition) = &relation.event_time
            && !(row[definition.column].is_null() && rng.random_bool(0.5))
        {
            let watermark = self.model.sources[index].watermark;
            let around = if rng.random_bool(0.7) { watermark.unwrap_or_default() } else { self.model.now() };
            let bound = watermark.unwrap_or_default().saturating_sub(definition.allowed_lateness);
            let field = relation.schema.field(definition.column);
            let value = self.tempo.value(rng, field.data_type(), around, bound);
            if field.is_nullable() || !value.is_null() {
                row[definition.column] = value;
            }
        }
        row
    }
}

/// The canonical form of a value: what a table would hold.
fn canonical(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Float64(Some(value)) if value.is_nan() => ScalarValue::Float64(Some(f64::NAN)),
        ScalarValue::Float64(Some(value)) => ScalarValue::Float64(Some(value + 0.0)),
        ScalarValue::Float32(Some(value)) if value.is_nan() => ScalarValue::Float32(Some(f32::NAN)),
        ScalarValue::Float32(Some(value)) => ScalarValue::Float32(Some(value + 0.0)),
        other => other,
    }
}
