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
use super::markdown::{day, day_and_time, project};
use super::pages::Pages;
use super::survey::{Conversation, Survey};
use super::timeline::timeline;
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
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
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
            "<p class=\"find\"><input id=\"search\" type=\"search\" \
             placeholder=\"Search everything\" aria-label=\"Search everything\" \
             autocomplete=\"off\"> <output id=\"found\"></output> \
             <button id=\"all\" type=\"button\" hidden>Show all</button></p>\n</header>\n",
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
                marks.extend(item.project.as_ref().map(project));
                let (text, marks) = (escape(&item.text), escape(&marks.join(", ")));
                self.text(&format!(
                    "<li><bdi>{text}</bdi> <small>{marks}</small></li>\n"
                ))?;
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
        marks.extend(conversation.project.as_ref().map(project));
        let (heading, marks) = (escape(conversation.heading()), escape(&marks.join(", ")));
        self.text(&format!(
            "<details><summary><bdi>{heading}</bdi> <small>{marks}</small></summary>\n"
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
}
