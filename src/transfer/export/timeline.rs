//! A drawing of how much was said when: days, or weeks, or months, or years.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Span, ToSpan};

/// Bars at the most: days, or weeks, or months, or years, whichever is the finest that fits.
const BARS_MAX: usize = 120;

/// How much was said from one day to the day before another.
#[derive(Debug, PartialEq, Eq)]
struct Bar {
    label: String,
    from: Date,
    until: Date,
    count: u32,
}

/// Bars of how much was said when.
pub(super) fn timeline(per_day: &BTreeMap<Date, u32>) -> String {
    let bars = bars(per_day);
    let highest = bars.iter().map(|bar| bar.count).max().unwrap_or(0);
    if highest == 0 {
        return "<p>Nothing was said yet.</p>\n".to_owned();
    }
    let step = 960.0 / bars.len() as f64;
    let width = (step * 0.8).min(40.0);
    let mut out = String::from(
        "<svg viewBox=\"0 0 960 150\" role=\"img\" aria-label=\"Messages over time\">\n\
         <line x1=\"0\" y1=\"120.5\" x2=\"960\" y2=\"120.5\"/>\n",
    );
    for (n, bar) in bars.iter().enumerate().filter(|(_, bar)| bar.count > 0) {
        let height = (100.0 * f64::from(bar.count) / f64::from(highest)).max(1.0);
        out.push_str(&format!(
            "<rect class=\"pick\" x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\" rx=\"2\" data-from=\"{}\" data-until=\"{}\">\
             <title>{}: {}</title></rect>\n",
            n as f64 * step,
            120.0 - height,
            bar.from,
            bar.until,
            bar.label,
            bar.count,
        ));
    }
    let (first, last) = (&bars[0].label, &bars[bars.len() - 1].label);
    out.push_str(&format!("<text x=\"0\" y=\"143\">{first}</text>\n"));
    if bars.len() > 1 {
        out.push_str(&format!(
            "<text x=\"960\" y=\"143\" text-anchor=\"end\">{last}</text>\n"
        ));
    }
    out.push_str("</svg>\n");
    out
}

/// What one bar stands for.
struct Scale {
    label: &'static str,
    /// The first day of the bar that a day belongs to.
    start: fn(Date) -> Date,
    /// Numbers bars without gaps.
    number: fn(Date) -> i64,
    length: fn() -> Span,
}

fn day_number(date: Date) -> i64 {
    date.duration_since(Date::ZERO).as_hours().div_euclid(24)
}

fn monday(date: Date) -> Date {
    let behind = i64::from(date.weekday().to_monday_zero_offset());
    date.saturating_sub(behind.days())
}

const SCALES: [Scale; 4] = [
    Scale {
        label: "%Y-%m-%d",
        start: |date| date,
        number: day_number,
        length: || 1.day(),
    },
    Scale {
        label: "week of %Y-%m-%d",
        start: monday,
        number: |date| day_number(monday(date)).div_euclid(7),
        length: || 1.week(),
    },
    Scale {
        label: "%Y-%m",
        start: Date::first_of_month,
        number: |date| i64::from(date.year()) * 12 + i64::from(date.month()),
        length: || 1.month(),
    },
    Scale {
        label: "%Y",
        start: Date::first_of_year,
        number: |date| i64::from(date.year()),
        length: || 1.year(),
    },
];

fn bars(per_day: &BTreeMap<Date, u32>) -> Vec<Bar> {
    let (Some((first, _)), Some((last, _))) = (per_day.first_key_value(), per_day.last_key_value())
    else {
        return Vec::new();
    };
    let fits = |scale: &&Scale| (scale.number)(*last) - (scale.number)(*first) < BARS_MAX as i64;
    let scale = SCALES.iter().find(fits).unwrap_or(&SCALES[3]);
    let bar = |from: Date, count: u32| Bar {
        label: from.strftime(scale.label).to_string(),
        from,
        until: from.saturating_add((scale.length)()),
        count,
    };
    let mut bars: Vec<Bar> = Vec::new();
    for (date, count) in per_day {
        let from = (scale.start)(*date);
        // Empty bars in between, as many as can be shown: a message may claim any year.
        for _ in 0..BARS_MAX {
            match bars.last() {
                Some(before) if before.until < from => bars.push(bar(before.until, 0)),
                _ => break,
            }
        }
        match bars.last_mut() {
            Some(last) if last.from == from => last.count = last.count.saturating_add(*count),
            _ => bars.push(bar(from, *count)),
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_days_then_weeks_then_months_then_years_without_gaps() {
        let on = |texts: &[&str]| -> BTreeMap<Date, u32> {
            texts
                .iter()
                .map(|text| (text.parse().unwrap(), 2))
                .collect()
        };
        assert!(bars(&on(&[])).is_empty());
        let one = bars(&on(&["2026-01-01"]));
        assert_eq!(
            (one.len(), one[0].label.as_str(), one[0].count),
            (1, "2026-01-01", 2)
        );
        assert_eq!(bars(&on(&["2026-01-01", "2026-01-10"])).len(), 10);
        let weeks = bars(&on(&["2026-01-01", "2026-01-04", "2027-01-01"]));
        assert_eq!(
            (weeks.len(), weeks[0].label.as_str()),
            (53, "week of 2025-12-29")
        );
        assert_eq!((weeks[0].count, weeks[1].count, weeks[52].count), (4, 0, 2));
        assert!(weeks.windows(2).all(|pair| pair[0].until == pair[1].from));
        let months = bars(&on(&["2020-01-31", "2026-01-01", "2026-01-02"]));
        assert_eq!((months.len(), months[72].count), (73, 4));
        assert_eq!(months[72].until, "2026-02-01".parse().unwrap());
        assert_eq!(bars(&on(&["1990-01-31", "2026-01-01"])).len(), 37);
        assert!(bars(&on(&["-009999-01-31", "9999-01-01"])).len() < 200);
    }
}
