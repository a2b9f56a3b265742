//! `agent stats`: what was said, remembered and spent, over time.

use std::io::Write;
use std::process::ExitCode;

use jiff::civil::Date;
use jiff::{ToSpan, Unit};
use serde::Serialize;

use super::args::StatsArgs;
use super::budget;
use super::chart::{bar, columns};
use super::failure::Failure;
use super::output::{
    one_line, print, print_json, print_line, stdout_is_terminal, terminal_columns,
};
use super::plain_file::PlainFile;
use super::reply::{count, dollars};
use super::shell::{Shell, now};
use super::stats_page;
use crate::chat::{Conversations, Ledger, Sum};
use crate::model::Id;
use crate::vault::View;

/// Columns of a chart at the most, and rows of a list.
const COLUMNS_MAX: usize = 60;
const LISTED: usize = 8;

/// A sum as `--json` shows it.
#[derive(Serialize)]
pub(super) struct SumRow {
    pub messages: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// US dollars.
    pub cost: f64,
    /// Answers whose price is not known; their cost is left out.
    pub unpriced: u64,
    pub memories: u64,
}

impl From<&Sum> for SumRow {
    fn from(sum: &Sum) -> Self {
        SumRow {
            messages: sum.messages,
            input_tokens: sum.input,
            output_tokens: sum.output,
            cost: sum.cost,
            unpriced: sum.unpriced,
            memories: sum.memories,
        }
    }
}

/// A sum with what it is of.
#[derive(Serialize)]
struct Named {
    name: String,
    #[serde(flatten)]
    sum: SumRow,
}

#[derive(Serialize)]
struct Talk {
    id: Id,
    title: String,
    #[serde(flatten)]
    sum: SumRow,
}

#[derive(Serialize)]
struct Stats {
    total: SumRow,
    days: Vec<Named>,
    months: Vec<Named>,
    models: Vec<Named>,
    conversations: Vec<Talk>,
    prices_as_of: String,
}

/// What is drawn over time, and how a value of it is told.
pub(super) struct Measure {
    pub name: &'static str,
    pub value: fn(&Sum) -> f64,
    pub shown: fn(f64) -> String,
}

pub(super) const MEASURES: [Measure; 4] = [
    Measure {
        name: "Messages",
        value: |sum| sum.messages as f64,
        shown: whole_number,
    },
    Measure {
        name: "Memories",
        value: |sum| sum.memories as f64,
        shown: whole_number,
    },
    Measure {
        name: "Tokens",
        value: |sum| (sum.input + sum.output) as f64,
        shown: whole_number,
    },
    Measure {
        name: "Cost",
        value: |sum| sum.cost,
        shown: dollars,
    },
];

/// Days, weeks or months, with their sums; none is left out between the first and the last.
pub(super) struct Course {
    pub unit: &'static str,
    pub parts: Vec<(Date, Sum)>,
}

pub(super) fn run(shell: &Shell, args: &StatsArgs) -> Result<ExitCode, Failure> {
    let mut vault = shell.open()?;
    let all = View::load(&mut vault, Conversations::default())?;
    let ledger = budget::ledger(shell, &mut vault)?;
    let as_of = shell.prices()?.as_of().to_owned();
    if args.html {
        let page = stats_page::page(&ledger, &course(&ledger), &as_of, now());
        return write_page(shell, args, &page);
    }
    if shell.global.json {
        print_json(&stats(&ledger, &all.fold, as_of))?;
    } else {
        tell(shell, &ledger, &all.fold, &as_of)?;
    }
    shell.verdict(&mut vault)
}

fn write_page(shell: &Shell, args: &StatsArgs, page: &str) -> Result<ExitCode, Failure> {
    let Some(path) = &args.output else {
        if stdout_is_terminal() {
            return Err(Failure::ExportToTerminal);
        }
        print(page)?;
        return Ok(ExitCode::SUCCESS);
    };
    let failed = |source| Failure::ExportFile {
        path: path.clone(),
        source,
    };
    let mut file = PlainFile::create(path).map_err(failed)?;
    file.write_all(page.as_bytes()).map_err(failed)?;
    file.finish().map_err(failed)?;
    shell.note(&format!("written to {}", path.display()));
    Ok(ExitCode::SUCCESS)
}

/// Sums by month, the oldest first.
pub(super) fn months(ledger: &Ledger) -> Vec<(Date, Sum)> {
    let mut months: Vec<(Date, Sum)> = Vec::new();
    for (day, sum) in &ledger.days {
        let month = day.first_of_month();
        match months.last_mut() {
            Some((last, total)) if *last == month => total.add(sum),
            _ => months.push((month, *sum)),
        }
    }
    months
}

/// The models, those that cost or said most first.
pub(super) fn models(ledger: &Ledger) -> Vec<(&str, Sum)> {
    let mut models: Vec<(&str, Sum)> = ledger
        .models
        .iter()
        .map(|(name, sum)| (name.as_str(), *sum))
        .collect();
    models.sort_by(|(_, a), (_, b)| {
        let by_cost = b.cost.total_cmp(&a.cost);
        by_cost.then(b.output.cmp(&a.output))
    });
    models
}

/// The whole time in parts that fit a chart.
pub(super) fn course(ledger: &Ledger) -> Course {
    let (Some((first, _)), Some((last, _))) =
        (ledger.days.first_key_value(), ledger.days.last_key_value())
    else {
        return Course {
            unit: "day",
            parts: Vec::new(),
        };
    };
    let span = first
        .until((Unit::Day, *last))
        .map_or(0, |span| span.get_days());
    let days = usize::try_from(span).unwrap_or(0) + 1;
    let (unit, begin): (_, fn(Date) -> Date) = if days <= COLUMNS_MAX {
        ("day", |day| day)
    } else if days <= COLUMNS_MAX * 7 {
        ("week", monday)
    } else {
        ("month", Date::first_of_month)
    };
    let mut parts: Vec<(Date, Sum)> = Vec::new();
    let mut at = begin(*first);
    while at <= *last {
        parts.push((at, Sum::default()));
        let step = match unit {
            "day" => 1.day(),
            "week" => 7.days(),
            _ => 1.month(),
        };
        let Ok(next) = at.checked_add(step) else {
            break;
        };
        at = next;
    }
    for (day, sum) in &ledger.days {
        let begin = begin(*day);
        if let Ok(at) = parts.binary_search_by_key(&begin, |(date, _)| *date) {
            parts[at].1.add(sum);
        }
    }
    Course { unit, parts }
}

fn monday(day: Date) -> Date {
    let back = day.weekday().since(jiff::civil::Weekday::Monday);
    day.checked_sub(i64::from(back).days()).unwrap_or(day)
}

fn stats(ledger: &Ledger, all: &Conversations, as_of: String) -> Stats {
    let named = |name: String, sum: &Sum| Named {
        name,
        sum: sum.into(),
    };
    let days = ledger.days.iter();
    let months = months(ledger);
    let models = models(ledger);
    Stats {
        total: (&ledger.total).into(),
        days: days.map(|(day, sum)| named(day.to_string(), sum)).collect(),
        months: months
            .iter()
            .map(|(month, sum)| named(month.strftime("%Y-%m").to_string(), sum))
            .collect(),
        models: models
            .iter()
            .map(|(name, sum)| named((*name).to_owned(), sum))
            .collect(),
        conversations: all
            .newest_first()
            .into_iter()
            .filter_map(|(id, found)| {
                Some(Talk {
                    id,
                    title: found.title().to_owned(),
                    sum: ledger.conversations.get(&id)?.into(),
                })
            })
            .collect(),
        prices_as_of: as_of,
    }
}

/// All of it in words, one line.
pub(super) fn whole(total: &Sum, conversations: usize) -> String {
    let mut text = format!(
        "{} messages in {conversations} conversations, {} memories, {} tokens in, {} out, {}",
        count(total.messages),
        count(total.memories),
        count(total.input),
        count(total.output),
        dollars(total.cost)
    );
    if total.unpriced > 0 {
        text.push_str(&format!(
            " and {} answers without a known price",
            count(total.unpriced)
        ));
    }
    text
}

fn tell(shell: &Shell, ledger: &Ledger, all: &Conversations, as_of: &str) -> Result<(), Failure> {
    let newest = all.newest_first();
    print_line(&whole(&ledger.total, newest.len()))?;
    if ledger.days.is_empty() {
        return Ok(());
    }
    let room = terminal_columns().clamp(20, 100);
    let draws = !shell.is_plain();
    let course = course(ledger);
    for Measure { name, value, shown } in MEASURES {
        let skip = course.parts.len().saturating_sub(room);
        let parts = &course.parts[skip..];
        let values: Vec<f64> = parts.iter().map(|(_, sum)| value(sum)).collect();
        let most = values.iter().copied().fold(0.0, f64::max);
        if most <= 0.0 {
            continue;
        }
        let (first, last) = (parts[0].0, parts[parts.len() - 1].0);
        print_line("")?;
        print_line(&format!(
            "{name} a {}, {first} to {last}, {} at the most",
            course.unit,
            shown(most)
        ))?;
        if draws {
            print_line(&columns(&values))?;
        }
    }
    let cost_or_tokens = |sum: &Sum| match ledger.total.cost > 0.0 {
        true => sum.cost,
        false => (sum.input + sum.output) as f64,
    };
    let months = months(ledger);
    let rows = months.iter().map(|(month, sum)| {
        let name = month.strftime("%Y-%m").to_string();
        (name, cost_or_tokens(sum), in_words(sum))
    });
    let skip = months.len().saturating_sub(12);
    list("Months", rows.skip(skip).collect(), room, draws)?;
    let models = models(ledger);
    let rows = models.iter().take(LISTED).map(|(name, sum)| {
        let name = one_line(name);
        (name, cost_or_tokens(sum), in_words(sum))
    });
    list("Models", rows.collect(), room, draws)?;
    let mut talks: Vec<(String, f64, String)> = newest
        .iter()
        .filter_map(|(id, found)| {
            let sum = ledger.conversations.get(id)?;
            let title: String = one_line(found.title()).chars().take(32).collect();
            Some((title, cost_or_tokens(sum), in_words(sum)))
        })
        .filter(|(_, value, _)| *value > 0.0)
        .collect();
    talks.sort_by(|(_, a, _), (_, b, _)| b.total_cmp(a));
    talks.truncate(LISTED);
    list("Conversations", talks, room, draws)?;
    print_line("")?;
    print_line(&format!(
        "(prices of {as_of}; a prices.toml beside config.toml adds to them)"
    ))
}

fn whole_number(value: f64) -> String {
    count(value as u64)
}

fn in_words(sum: &Sum) -> String {
    format!(
        "{} messages, {} tokens, {}",
        count(sum.messages),
        count(sum.input + sum.output),
        dollars(sum.cost)
    )
}

fn list(
    heading: &str,
    rows: Vec<(String, f64, String)>,
    room: usize,
    draws: bool,
) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let wide = |text: &str| super::markdown::text_width(text);
    let most = rows.iter().map(|(_, value, _)| *value).fold(0.0, f64::max);
    let name_columns = rows.iter().map(|(name, ..)| wide(name)).max().unwrap_or(0);
    let words_columns = rows
        .iter()
        .map(|(.., words)| wide(words))
        .max()
        .unwrap_or(0);
    let bar_room = room
        .saturating_sub(name_columns + words_columns + 4)
        .min(30);
    print_line("")?;
    print_line(heading)?;
    for (name, value, words) in rows {
        let pad = " ".repeat(name_columns - wide(&name));
        let bar = match draws && bar_room >= 4 {
            true => {
                let bar = bar(value, most, bar_room);
                let rest = " ".repeat(bar_room - wide(&bar));
                format!("{bar}{rest}  ")
            }
            false => String::new(),
        };
        print_line(&format!("{name}{pad}  {bar}{words}"))?;
    }
    Ok(())
}
