//! How much was said, remembered and spent, and when: read from the log, kept nowhere.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::model::{Id, MemoryOp, Message, Record, Role, Timestamp, Usage};
use crate::vault::{Log, VaultError};

/// What was spent for several answers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    pub messages: u64,
    /// Tokens of the prompts, those from caches included.
    pub input: u64,
    pub output: u64,
    /// US dollars, as far as prices are known.
    pub cost: f64,
    /// Answers whose price is not known.
    pub unpriced: u64,
    /// Items that were remembered.
    pub memories: u64,
}

/// Sums by day, model and conversation.
#[derive(Debug, Default)]
pub struct Ledger {
    pub days: BTreeMap<Date, Sum>,
    pub models: BTreeMap<String, Sum>,
    pub conversations: BTreeMap<Id, Sum>,
    pub total: Sum,
    zone: Option<TimeZone>,
}

/// What an answer of a model (`provider/model`) cost, if that is known.
pub type Cost<'a> = dyn Fn(&str, Usage) -> Option<f64> + 'a;

impl Ledger {
    /// Reads all of the log. Days are those of `zone`.
    pub fn read(log: &mut dyn Log, zone: TimeZone, cost: &Cost<'_>) -> Result<Self, VaultError> {
        let mut ledger = Ledger {
            zone: Some(zone),
            ..Ledger::default()
        };
        let mut after = 0;
        loop {
            let batch = log.read(after)?;
            let Some(last) = batch.last() else {
                return Ok(ledger);
            };
            after = last.seq;
            for entry in &batch {
                match entry.record() {
                    Ok(Record::Message(message)) => ledger.message(&message, cost),
                    Ok(Record::Memory(event)) => {
                        if matches!(
                            event.op,
                            MemoryOp::Add { .. }
                                | MemoryOp::Supersede { .. }
                                | MemoryOp::Merge { .. }
                        ) {
                            ledger.day(event.at).memories += 1;
                            ledger.total.memories += 1;
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// The sum of the month that a moment lies in.
    pub fn month_of(&self, at: Timestamp) -> Sum {
        let first = self.date(at).first_of_month();
        let last = first.last_of_month();
        let mut sum = Sum::default();
        for (_, day) in self.days.range(first..=last) {
            sum.add(day);
        }
        sum
    }

    fn date(&self, at: Timestamp) -> Date {
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        at.to_zoned(zone).date()
    }

    fn day(&mut self, at: Timestamp) -> &mut Sum {
        let date = self.date(at);
        self.days.entry(date).or_default()
    }

    fn message(&mut self, message: &Message, cost: &Cost<'_>) {
        let mut sum = Sum {
            messages: 1,
            ..Sum::default()
        };
        let model = message.model.as_deref();
        if let (Some(usage), Some(model)) = (message.usage, model) {
            sum.input = usage.input + usage.cache_read + usage.cache_write;
            sum.output = usage.output;
            match cost(model, usage) {
                Some(cost) => sum.cost = cost,
                None => sum.unpriced = 1,
            }
        }
        self.day(message.at).add(&sum);
        self.total.add(&sum);
        let conversation = self.conversations.entry(message.conversation);
        conversation.or_default().add(&sum);
        if let (Role::Assistant, Some(model)) = (message.role, model) {
            self.models.entry(model.to_owned()).or_default().add(&sum);
        }
    }
}

impl Sum {
    pub fn add(&mut self, other: &Sum) {
        self.messages += other.messages;
        self.input += other.input;
        self.output += other.output;
        self.cost += other.cost;
        self.unpriced += other.unpriced;
        self.memories += other.memories;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Item, Kind, MemoryEvent, Source, SourceClass};
    use crate::vault::ScratchLog;

    fn answer(conversation: Id, at: &str, model: &str, output: u64) -> Record {
        let at = at.parse().unwrap();
        let mut message = Message::text(conversation, Role::Assistant, at, "yes".into());
        message.model = Some(model.to_owned());
        message.usage = Some(Usage {
            input: 10,
            output,
            cache_read: 5,
            cache_write: 0,
        });
        Record::Message(message)
    }

    #[test]
    fn sums_are_by_day_month_model_and_conversation() {
        let mut log = ScratchLog::default();
        let (one, two) = (Id::fresh(), Id::fresh());
        let at: Timestamp = "2026-10-31T23:30:00Z".parse().unwrap();
        let source = Source::of(SourceClass::UserCommand);
        let item = Item::new(Kind::Fact, "a fact".into(), source, at);
        let records = [
            Record::Message(Message::text(one, Role::User, at, "well?".into())),
            answer(one, "2026-10-31T23:30:00Z", "a/priced", 7),
            answer(one, "2026-11-01T00:30:00Z", "a/priced", 8),
            answer(two, "2026-11-02T00:30:00Z", "b/unknown", 9),
            Record::Memory(MemoryEvent {
                at,
                op: MemoryOp::Add { item },
            }),
        ];
        log.append(&records).unwrap();
        let price =
            |model: &str, usage: Usage| (model == "a/priced").then_some(usage.output as f64);
        let ledger = Ledger::read(&mut log, TimeZone::UTC, &price).unwrap();
        assert_eq!(ledger.total.messages, 4);
        assert_eq!((ledger.total.input, ledger.total.output), (45, 24));
        assert_eq!((ledger.total.cost, ledger.total.unpriced), (15.0, 1));
        assert_eq!(ledger.total.memories, 1);
        assert_eq!(ledger.conversations[&one].messages, 3);
        assert_eq!(ledger.models["a/priced"].messages, 2);
        assert_eq!(ledger.days.len(), 3);
        assert_eq!(ledger.month_of(at).cost, 7.0);
        let november = "2026-11-30T12:00:00Z".parse().unwrap();
        assert_eq!(ledger.month_of(november).cost, 8.0);
        // Further east, the first of these was said in November.
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let ledger = Ledger::read(&mut log, zone, &price).unwrap();
        assert_eq!(ledger.month_of(november).cost, 15.0);
    }
}
