//! Events as record batches, one per relation.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringBuilder, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use nexmark::EventGenerator;
use nexmark::config::NexmarkConfig;
use nexmark::event::Event;

/// The time of event 0, in milliseconds: 2026-01-01 00:00:00 UTC. Fixed, so that a run can be repeated.
const BASE_TIME_MS: u64 = 1_767_225_600_000;

/// What a range of events holds, by relation.
#[derive(Clone, Debug)]
pub struct Batch {
    /// New people.
    pub person: RecordBatch,
    /// New auctions.
    pub auction: RecordBatch,
    /// Bids.
    pub bid: RecordBatch,
}

impl Batch {
    /// The relations with their rows, in the order in which foreign keys need them.
    pub fn relations(&self) -> [(&'static str, &RecordBatch); 3] {
        [("person", &self.person), ("auction", &self.auction), ("bid", &self.bid)]
    }
}

/// All events there are, by number; event `n` is always the same.
#[derive(Clone, Debug)]
pub struct Events {
    config: NexmarkConfig,
}

impl Events {
    /// Events at `rate` per second of event time.
    ///
    /// # Panics
    /// If `rate` is zero.
    pub fn at_rate(rate: usize) -> Self {
        assert!(rate > 0, "a rate of zero events per second has no events");
        let config = NexmarkConfig { base_time: BASE_TIME_MS, first_rate: rate, next_rate: rate, ..Default::default() };
        Events { config }
    }

    /// The events with these numbers.
    ///
    /// # Errors
    /// Arrow's, if the text of one relation passes 2 GiB: ask for fewer at a time.
    pub fn batch(&self, numbers: Range<u64>) -> Result<Batch, ArrowError> {
        let count = numbers.end.saturating_sub(numbers.start) as usize;
        let generator = EventGenerator::new(self.config.clone()).with_offset(numbers.start);
        let mut people = People::default();
        let mut auctions = Auctions::default();
        let mut bids = Bids::default();
        for event in generator.take(count) {
            match event {
                Event::Person(person) => people.push(&person),
                Event::Auction(auction) => auctions.push(&auction),
                Event::Bid(bid) => bids.push(&bid),
            }
        }
        Ok(Batch { person: people.finish()?, auction: auctions.finish()?, bid: bids.finish()? })
    }
}

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(fields.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect::<Vec<_>>()))
}

const TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// The columns of `person`.
pub fn schema_person() -> SchemaRef {
    let text = DataType::Utf8;
    schema(&[
        ("id", DataType::Int64),
        ("name", text.clone()),
        ("email_address", text.clone()),
        ("credit_card", text.clone()),
        ("city", text.clone()),
        ("state", text.clone()),
        ("date_time", TIME),
        ("extra", text),
    ])
}

/// The columns of `auction`.
pub fn schema_auction() -> SchemaRef {
    let text = DataType::Utf8;
    schema(&[
        ("id", DataType::Int64),
        ("item_name", text.clone()),
        ("description", text.clone()),
        ("initial_bid", DataType::Int64),
        ("reserve", DataType::Int64),
        ("date_time", TIME),
        ("expires", TIME),
        ("seller", DataType::Int64),
        ("category", DataType::Int64),
        ("extra", text),
    ])
}

/// The columns of `bid`.
pub fn schema_bid() -> SchemaRef {
    let text = DataType::Utf8;
    schema(&[
        ("auction", DataType::Int64),
        ("bidder", DataType::Int64),
        ("price", DataType::Int64),
        ("channel", text.clone()),
        ("url", text.clone()),
        ("date_time", TIME),
        ("extra", text),
    ])
}

fn integers(values: Vec<i64>) -> ArrayRef {
    Arc::new(Int64Array::from(values))
}

fn times(values: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(values))
}

fn text(mut values: StringBuilder) -> ArrayRef {
    Arc::new(values.finish())
}

/// The generator counts milliseconds, Deltic microseconds.
fn micros(millis: u64) -> i64 {
    millis as i64 * 1_000
}

#[derive(Default)]
struct People {
    id: Vec<i64>,
    name: StringBuilder,
    email_address: StringBuilder,
    credit_card: StringBuilder,
    city: StringBuilder,
    state: StringBuilder,
    date_time: Vec<i64>,
    extra: StringBuilder,
}

impl People {
    fn push(&mut self, person: &nexmark::event::Person) {
        self.id.push(person.id as i64);
        self.name.append_value(&person.name);
        self.email_address.append_value(&person.email_address);
        self.credit_card.append_value(&person.credit_card);
        self.city.append_value(&person.city);
        self.state.append_value(&person.state);
        self.date_time.push(micros(person.date_time));
        self.extra.append_value(&person.extra);
    }

    fn finish(self) -> Result<RecordBatch, ArrowError> {
        let columns = vec![
            integers(self.id),
            text(self.name),
            text(self.email_address),
            text(self.credit_card),
            text(self.city),
            text(self.state),
            times(self.date_time),
            text(self.extra),
        ];
        RecordBatch::try_new(schema_person(), columns)
    }
}

#[derive(Default)]
struct Auctions {
    id: Vec<i64>,
    item_name: StringBuilder,
    description: StringBuilder,
    initial_bid: Vec<i64>,
    reserve: Vec<i64>,
    date_time: Vec<i64>,
    expires: Vec<i64>,
    seller: Vec<i64>,
    category: Vec<i64>,
    extra: StringBuilder,
}

impl Auctions {
    fn push(&mut self, auction: &nexmark::event::Auction) {
        self.id.push(auction.id as i64);
        self.item_name.append_value(&auction.item_name);
        self.description.append_value(&auction.description);
        self.initial_bid.push(auction.initial_bid as i64);
        self.reserve.push(auction.reserve as i64);
        self.date_time.push(micros(auction.date_time));
        self.expires.push(micros(auction.expires));
        self.seller.push(auction.seller as i64);
        self.category.push(auction.category as i64);
        self.extra.append_value(&auction.extra);
    }

    fn finish(self) -> Result<RecordBatch, ArrowError> {
        let columns = vec![
            integers(self.id),
            text(self.item_name),
            text(self.description),
            integers(self.initial_bid),
            integers(self.reserve),
            times(self.date_time),
            times(self.expires),
            integers(self.seller),
            integers(self.category),
            text(self.extra),
        ];
        RecordBatch::try_new(schema_auction(), columns)
    }
}

#[derive(Default)]
struct Bids {
    auction: Vec<i64>,
    bidder: Vec<i64>,
    price: Vec<i64>,
    channel: StringBuilder,
    url: StringBuilder,
    date_time: Vec<i64>,
    extra: StringBuilder,
}

impl Bids {
    fn push(&mut self, bid: &nexmark::event::Bid) {
        self.auction.push(bid.auction as i64);
        self.bidder.push(bid.bidder as i64);
        self.price.push(bid.price as i64);
        self.channel.append_value(&bid.channel);
        self.url.append_value(&bid.url);
        self.date_time.push(micros(bid.date_time));
        self.extra.append_value(&bid.extra);
    }

    fn finish(self) -> Result<RecordBatch, ArrowError> {
        let columns = vec![
            integers(self.auction),
            integers(self.bidder),
            integers(self.price),
            text(self.channel),
            text(self.url),
            times(self.date_time),
            text(self.extra),
        ];
        RecordBatch::try_new(schema_bid(), columns)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn events_are_a_function_of_their_numbers() {
        let events = Events::at_rate(10_000);
        let whole = events.batch(0..1_000).unwrap();
        let halves = [events.batch(0..500).unwrap(), events.batch(500..1_000).unwrap()];
        for (index, (name, rows)) in whole.relations().into_iter().enumerate() {
            let parts = halves.iter().map(|half| half.relations()[index].1);
            assert_eq!(&arrow::compute::concat_batches(&rows.schema(), parts).unwrap(), rows, "{name}");
        }
    }

    #[test]
    fn proportions_are_those_of_the_benchmark() {
        let batch = Events::at_rate(10_000).batch(0..5_000).unwrap();
        assert_eq!(batch.relations().map(|(_, rows)| rows.num_rows()), [100, 300, 4_600]);
    }

    #[test]
    fn event_time_advances_by_the_rate() {
        let batch = Events::at_rate(10_000).batch(0..20_000).unwrap();
        let times = arrow::array::AsArray::as_primitive::<arrow::datatypes::TimestampMicrosecondType>(batch.bid.column(5));
        let span = times.value(times.len() - 1) - times.value(0);
        assert!((1_900_000..2_100_000).contains(&span), "20,000 events at 10,000/s span {span} us");
    }
}
