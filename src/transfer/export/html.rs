//! `html`: one page that needs nothing but itself. Conversations fold open, one field searches
//! everything, and a drawing shows when how much was said.
//!
//! The content security policy allows the page's own script and style by their hashes and nothing
//! else: no word of a conversation can load or run anything.

use std::collections::BTreeMap;
use std::io::Write;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use crate::model::{Message, Role, Timestamp};

use super::super::error::TransferError;
use super::hidden::Hidden;
use super::items;
use super::markdown::{day, day_and_time};
use super::pages::Pages;
use super::survey::{Conversation, Survey};
use super::{ExportOptions, Exported};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

pub(super) struct Html<'a> {
    out: &'a mut dyn Write,
    per_day: BTreeMap<Date, u32>,
}

impl<'a> Html<'a> {
    pub(super) fn begin(
        out: &'a mut dyn Write,
        survey: &Survey,
        hidden: &Hidden,
        exported: &Exported,
        options: &ExportOptions,
    ) -> Result<Self, TransferError> {
        let mut html = Html {
            out,
            per_day: BTreeMap::new(),
        };
        let (style, script) = (source_hash(STYLE), source_hash(SCRIPT));
        html.text(&format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src '{style}'; script-src '{script}'; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>What agent remembers</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <header>\n<h1>What agent remembers</h1>\n\
             <p>Exported {} UTC: {} conversations, {} messages, {} memories.</p>\n",
            day_and_time(options.now),
            exported.conversations,
            exported.messages,
            exported.memories,
        ))?;
        for (first, last) in &exported.missing {
            html.text(&format!(
                "<p class=\"damage\">Records {first} to {last} are damaged and not in here.</p>\n"
            ))?;
        }
        html.text(
            "<p><input id=\"search\" type=\"search\" placeholder=\"Search everything\" \
             aria-label=\"Search everything\" autocomplete=\"off\"> \
             <output id=\"found\"></output></p>\n</header>\n",
        )?;
        html.memory(survey, hidden, options)?;
        html.text("<section id=\"conversations\">\n<h2>Conversations</h2>\n")?;
        Ok(html)
    }

    fn memory(
        &mut self,
        survey: &Survey,
        hidden: &Hidden,
        options: &ExportOptions,
    ) -> Result<(), TransferError> {
        self.text("<section id=\"memory\">\n<h2>Memory</h2>\n")?;
        for (kind, _, heading) in items::LISTS {
            let listed = items::of_kind(&survey.memory, kind, hidden, options.all);
            if listed.is_empty() {
                continue;
            }
            self.text(&format!("<h3>{heading}</h3>\n<ul>\n"))?;
            for stored in listed {
                let item = &stored.item;
                let mut marks = vec![day(item.created)];
                marks.extend(items::status_word(item.status).map(str::to_owned));
                if item.pinned {
                    marks.push("pinned".to_owned());
                }
                let (text, marks) = (escape(&item.text), marks.join(", "));
                self.text(&format!("<li>{text} <small>{marks}</small></li>\n"))?;
            }
            self.text("</ul>\n")?;
        }
        self.text("</section>\n")
    }

    pub(super) fn finish(mut self) -> Result<(), TransferError> {
        self.text("</section>\n<section id=\"timeline\">\n<h2>Activity</h2>\n")?;
        let drawing = timeline(&self.per_day);
        self.text(&drawing)?;
        self.text(&format!(
            "</section>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
        ))
    }

    fn text(&mut self, text: &str) -> Result<(), TransferError> {
        self.out
            .write_all(text.as_bytes())
            .map_err(TransferError::Write)
    }
}

impl Pages for Html<'_> {
    fn begin(&mut self, conversation: &Conversation) -> Result<(), TransferError> {
        let mut marks: Vec<String> = conversation.last.map(day).into_iter().collect();
        let plural = if conversation.messages == 1 { "" } else { "s" };
        marks.push(format!("{} message{plural}", conversation.messages));
        for (is_so, word) in [
            (conversation.archived, "archived"),
            (conversation.deleted, "deleted"),
            (conversation.fork.is_some(), "goes on from another"),
        ] {
            if is_so {
                marks.push(word.to_owned());
            }
        }
        let (heading, marks) = (escape(conversation.heading()), marks.join(", "));
        self.text(&format!(
            "<details><summary>{heading} <small>{marks}</small></summary>\n"
        ))
    }

    fn message(&mut self, message: &Message) -> Result<(), TransferError> {
        *self.per_day.entry(date(message.at)).or_default() += 1;
        let class = match message.role {
            Role::User => "u",
            Role::Assistant => "a",
            Role::System | Role::Unknown => "s",
        };
        let cut = if message.is_incomplete() { " c" } else { "" };
        let at = day_and_time(message.at);
        let text = escape(&message.plain());
        self.text(&format!(
            "<p class=\"{class}{cut}\" title=\"{at}\">{text}</p>\n"
        ))
    }

    fn end(&mut self) -> Result<(), TransferError> {
        self.text("</details>\n")
    }
}

fn date(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// Text for an element's content or a quoted attribute.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\r' => {}
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// As a content security policy names a source by its hash.
fn source_hash(source: &str) -> String {
    format!("sha256-{}", base64(&Sha256::digest(source.as_bytes())))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for part in bytes.chunks(3) {
        let bits = part
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - part.len()));
        for n in 0..4 {
            if n <= part.len() {
                out.push(char::from(DIGITS[(bits >> (18 - 6 * n) & 63) as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// Bars at the most: days, or weeks, or months, or years, whichever is the finest that fits.
const BARS_MAX: usize = 120;

/// Bars of how much was said when.
fn timeline(per_day: &BTreeMap<Date, u32>) -> String {
    let bars = bars(per_day);
    let highest = bars.iter().map(|(_, n)| *n).max().unwrap_or(0);
    if highest == 0 {
        return "<p>Nothing was said yet.</p>\n".to_owned();
    }
    let step = 960.0 / bars.len() as f64;
    let width = (step * 0.8).min(40.0);
    let mut out = String::from(
        "<svg viewBox=\"0 0 960 140\" role=\"img\" aria-label=\"Messages over time\">\n",
    );
    for (n, (label, count)) in bars.iter().enumerate() {
        let height = 100.0 * f64::from(*count) / f64::from(highest);
        let height = if *count > 0 { height.max(1.0) } else { 0.0 };
        out.push_str(&format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">\
             <title>{label}: {count}</title></rect>\n",
            n as f64 * step,
            110.0 - height,
        ));
    }
    let (first, last) = (&bars[0].0, &bars[bars.len() - 1].0);
    out.push_str(&format!("<text x=\"0\" y=\"130\">{first}</text>\n"));
    if bars.len() > 1 {
        out.push_str(&format!(
            "<text x=\"960\" y=\"130\" text-anchor=\"end\">{last}</text>\n"
        ));
    }
    out.push_str("</svg>\n");
    out
}

fn bars(per_day: &BTreeMap<Date, u32>) -> Vec<(String, u32)> {
    let (Some((first, _)), Some((last, _))) = (per_day.first_key_value(), per_day.last_key_value())
    else {
        return Vec::new();
    };
    // Days since year 0, or months, or years: whatever numbers buckets without gaps.
    type Number = fn(Date) -> i64;
    let days: Number = |date| i64::from(date.duration_since(Date::ZERO).as_hours() as i32 / 24);
    let weeks: Number = |date| date.duration_since(Date::ZERO).as_hours() / 168;
    let months: Number = |date| i64::from(date.year()) * 12 + i64::from(date.month());
    let years: Number = |date| i64::from(date.year());
    let scales: [(Number, &str); 4] = [
        (days, "%Y-%m-%d"),
        (weeks, "week of %Y-%m-%d"),
        (months, "%Y-%m"),
        (years, "%Y"),
    ];
    let fits = |number: &Number| number(*last) - number(*first) < BARS_MAX as i64;
    let (number, label) = scales
        .into_iter()
        .find(|(number, _)| fits(number))
        .unwrap_or((years, "%Y"));
    let mut bars: Vec<(String, u32)> = Vec::new();
    let mut at: Option<i64> = None;
    for (date, count) in per_day {
        let bucket = number(*date);
        // Empty buckets in between, as many as can be shown: a message may claim any year.
        let gap = at.map_or(0, |at| (bucket - at - 1).clamp(0, BARS_MAX as i64));
        for _ in 0..gap {
            bars.push(("-".to_owned(), 0));
        }
        if at != Some(bucket) {
            bars.push((date.strftime(label).to_string(), 0));
        }
        at = Some(bucket);
        if let Some((_, sum)) = bars.last_mut() {
            *sum = sum.saturating_add(*count);
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (text, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), coded);
        }
    }

    #[test]
    fn nothing_of_a_text_is_markup() {
        assert_eq!(
            escape("<script>\"'&\u{0}\r\n"),
            "&lt;script&gt;&quot;&#39;&amp;\u{fffd}\n"
        );
        assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
    }

    #[test]
    fn bars_are_days_then_weeks_then_months_then_years_without_gaps() {
        let on = |texts: &[&str]| -> BTreeMap<Date, u32> {
            texts
                .iter()
                .map(|text| (text.parse().unwrap(), 2))
                .collect()
        };
        assert!(bars(&on(&[])).is_empty());
        assert_eq!(bars(&on(&["2026-01-01"])), [("2026-01-01".to_owned(), 2)]);
        assert_eq!(bars(&on(&["2026-01-01", "2026-01-10"])).len(), 10);
        assert_eq!(bars(&on(&["2026-01-01", "2027-01-01"])).len(), 53);
        let months = bars(&on(&["2020-01-31", "2026-01-01", "2026-01-02"]));
        assert_eq!((months.len(), months[72].1), (73, 4));
        assert_eq!(bars(&on(&["1990-01-31", "2026-01-01"])).len(), 37);
        assert!(bars(&on(&["-009999-01-31", "9999-01-01"])).len() < 200);
    }
}
