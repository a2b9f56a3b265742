//! `agent stats --html`: one page that needs nothing but itself, and holds numbers, days and names
//! of models: no word of a conversation.

use std::fmt::Write;

use super::reply::dollars;
use super::stats::{Course, MEASURES, Measure, models, months, whole};
use crate::chat::{Ledger, Sum};
use crate::model::Timestamp;

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
padding:0 1rem}svg{width:100%;height:9rem}rect{fill:#3b82f6}table{border-collapse:collapse;width:100%}\
td,th{padding:.2rem .6rem;text-align:right}td:first-child,th:first-child{text-align:left}\
tr+tr{border-top:1px solid #8884}small{opacity:.7}";

pub(super) fn page(ledger: &Ledger, course: &Course, as_of: &str, now: Timestamp) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>agent: what was said and spent</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>What was said and spent</h1>\n<p>{}.<br><small>Made {}; prices of {}.</small></p>\n",
        escaped(&whole(&ledger.total, ledger.conversations.len())),
        now.strftime("%Y-%m-%d"),
        escaped(as_of),
    );
    for measure in MEASURES {
        chart(&mut page, course, &measure);
    }
    let months: Vec<(String, Sum)> = months(ledger)
        .into_iter()
        .map(|(month, sum)| (month.strftime("%Y-%m").to_string(), sum))
        .collect();
    table(&mut page, "Month", &months);
    let models: Vec<(String, Sum)> = models(ledger)
        .into_iter()
        .map(|(name, sum)| (name.to_owned(), sum))
        .collect();
    table(&mut page, "Model", &models);
    page.push_str("</body>\n</html>\n");
    page
}

fn chart(page: &mut String, course: &Course, measure: &Measure) {
    let Measure { name, value, shown } = measure;
    let most = course
        .parts
        .iter()
        .map(|(_, sum)| value(sum))
        .fold(0.0, f64::max);
    if most <= 0.0 {
        return;
    }
    let columns = course.parts.len();
    writeln!(
        page,
        "<h2>{name} a {}</h2>\n<svg viewBox=\"0 0 {columns} 100\" preserveAspectRatio=\"none\" \
         role=\"img\" aria-label=\"{name}, {} at the most\">",
        course.unit,
        shown(most)
    )
    .expect("a string takes all");
    for (n, (day, sum)) in course.parts.iter().enumerate() {
        let value = value(sum);
        if value > 0.0 {
            let height = (value / most * 100.0).max(1.0);
            writeln!(
                page,
                "<rect x=\"{n}.1\" y=\"{:.1}\" width=\"0.8\" height=\"{height:.1}\"><title>{day}: \
                 {}</title></rect>",
                100.0 - height,
                shown(value)
            )
            .expect("a string takes all");
        }
    }
    page.push_str("</svg>\n");
}

fn table(page: &mut String, heading: &str, rows: &[(String, Sum)]) {
    if rows.is_empty() {
        return;
    }
    page.push_str("<table>\n<tr>");
    for name in [heading, "Messages", "Tokens in", "Tokens out", "Cost"] {
        write!(page, "<th>{name}</th>").expect("a string takes all");
    }
    page.push_str("</tr>\n");
    for (name, sum) in rows {
        writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(name),
            sum.messages,
            sum.input,
            sum.output,
            dollars(sum.cost)
        )
        .expect("a string takes all");
    }
    page.push_str("</table>\n");
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control()) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
