//! Cuts a body into events: server-sent events, or JSON values one after another.
//!
//! Bytes may arrive split anywhere, also inside a character or a line end. A server that was asked
//! for server-sent events and answers with plain JSON is recognised by the first byte.

use zeroize::Zeroizing;

use super::error::Malformation;

/// One line or event: a reply of many megabytes comes in thousands of them.
pub(super) const EVENT_BYTES_MAX: usize = 16 << 20;

/// One event of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// The data of one event of a stream.
    Event(&'a [u8]),
    /// A JSON value that stands by itself.
    Json(&'a [u8]),
}

/// What to do with each frame; an error ends the cutting.
pub(super) type Sink<'s, E> = &'s mut dyn FnMut(Frame<'_>) -> Result<(), E>;

/// How the body of a reply is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    ServerSentEvents,
    JsonValues,
}

/// A body being cut into frames.
pub(super) struct Frames {
    cutter: Cutter,
    seen: bool,
}

enum Cutter {
    /// Nothing but white space so far.
    Undecided(Framing),
    Events(Events),
    Values(Values),
}

impl Frames {
    pub(super) fn new(framing: Framing) -> Self {
        Frames {
            cutter: Cutter::Undecided(framing),
            seen: false,
        }
    }

    /// Whether there was any frame yet.
    pub(super) fn any(&self) -> bool {
        self.seen
    }

    /// Takes the next bytes and hands on every frame that is complete.
    pub(super) fn push<E: From<Malformation>>(
        &mut self,
        mut bytes: &[u8],
        sink: Sink<'_, E>,
    ) -> Result<(), E> {
        if let Cutter::Undecided(framing) = self.cutter {
            bytes = bytes.trim_ascii_start();
            let Some(first) = bytes.first() else {
                return Ok(());
            };
            self.cutter = match (first, framing) {
                (b'<', _) => return Err(Malformation::Html.into()),
                (b'{' | b'[', _) | (_, Framing::JsonValues) => Cutter::Values(Values::default()),
                (_, Framing::ServerSentEvents) => Cutter::Events(Events::default()),
            };
        }
        let seen = &mut self.seen;
        let mut sink = |frame: Frame<'_>| {
            *seen = true;
            sink(frame)
        };
        match &mut self.cutter {
            Cutter::Events(events) => events.push(bytes, &mut sink),
            Cutter::Values(values) => values.push(bytes, &mut sink),
            Cutter::Undecided(_) => Ok(()),
        }
    }

    /// Hands on what the end of the body completes: an event whose last line end is missing.
    pub(super) fn finish<E: From<Malformation>>(&mut self, sink: Sink<'_, E>) -> Result<(), E> {
        match &mut self.cutter {
            Cutter::Events(events) => events.push(b"\n\n", sink),
            _ => Ok(()),
        }
    }
}

/// Server-sent events (WHATWG HTML, section 9.2). Only `data` matters here: what kind of event it
/// is stands in the data of every vendor.
#[derive(Default)]
struct Events {
    line: Zeroizing<Vec<u8>>,
    data: Zeroizing<Vec<u8>>,
    has_data: bool,
    after_return: bool,
    after_first_line: bool,
}

impl Events {
    fn push<E: From<Malformation>>(
        &mut self,
        mut bytes: &[u8],
        sink: Sink<'_, E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_return) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let part = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + self.data.len() + part.len() > EVENT_BYTES_MAX {
                return Err(Malformation::HugeEvent.into());
            }
            self.line.extend_from_slice(part);
            let Some(end) = end else { break };
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            self.end_line(sink)?;
        }
        Ok(())
    }

    fn end_line<E>(&mut self, sink: Sink<'_, E>) -> Result<(), E> {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !std::mem::replace(&mut self.after_first_line, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            if std::mem::take(&mut self.has_data) && !data.is_empty() {
                return sink(Frame::Event(&data));
            }
        } else if let Some(value) = line.strip_prefix(b"data:") {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push(b'\n');
            }
            self.data
                .extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
        } else if line.starts_with(b"{") {
            // Some servers report a failure in mid-stream as a bare line.
            return sink(Frame::Json(line));
        }
        Ok(())
    }
}

/// JSON objects and arrays one after another, with white space between, or within.
#[derive(Default)]
struct Values {
    value: Zeroizing<Vec<u8>>,
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Values {
    fn push<E: From<Malformation>>(&mut self, bytes: &[u8], sink: Sink<'_, E>) -> Result<(), E> {
        let mut begin = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if self.depth == 0 {
                match byte {
                    b'{' | b'[' => begin = at,
                    byte if byte.is_ascii_whitespace() => continue,
                    b'<' => return Err(Malformation::Html.into()),
                    _ => return Err(Malformation::NotAStream.into()),
                }
            }
            if self.closes(*byte) {
                self.keep(&bytes[begin..=at])?;
                let value = std::mem::take(&mut self.value);
                sink(Frame::Json(&value))?;
                begin = at + 1;
            }
        }
        if self.depth > 0 {
            self.keep(&bytes[begin..])?;
        }
        Ok(())
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), Malformation> {
        if self.value.len() + part.len() > EVENT_BYTES_MAX {
            return Err(Malformation::HugeEvent);
        }
        self.value.extend_from_slice(part);
        Ok(())
    }

    /// Whether this byte ends a value. Depth wraps at no size that a value may have.
    fn closes(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if std::mem::take(&mut self.escaped) => {}
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frames of a body that arrives in pieces that end at `cuts`.
    fn cut(
        framing: Framing,
        body: &[u8],
        cuts: &[usize],
    ) -> Result<Vec<(bool, Vec<u8>)>, Malformation> {
        let mut frames = Frames::new(framing);
        let mut out = Vec::new();
        let mut sink = |frame: Frame<'_>| {
            out.push(match frame {
                Frame::Event(data) => (true, data.to_vec()),
                Frame::Json(data) => (false, data.to_vec()),
            });
            Ok::<(), Malformation>(())
        };
        let mut cuts: Vec<usize> = cuts.iter().map(|c| c % (body.len() + 1)).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for to in cuts.into_iter().chain([body.len()]) {
            frames.push(&body[from..to], &mut sink)?;
            from = to;
        }
        frames.finish(&mut sink)?;
        Ok(out)
    }

    fn texts(frames: &[(bool, Vec<u8>)]) -> Vec<&str> {
        frames
            .iter()
            .map(|(_, data)| std::str::from_utf8(data).unwrap())
            .collect()
    }

    const EVENTS: &str = concat!(
        "\u{feff}: hello\r\nevent: a\r\ndata: {\"x\":\r\n",
        "data:  \"gr\u{fc}\u{df}e \u{1f980}\"}\r\n\r\n",
        "id: 7\nretry: 5\n\ndata\n\ndata:\n\nevent: ping\ndata: {}\n\n",
        "data:one\rdata: two\r\rnonsense\n{\"error\":\"x\"}\ndata: [DONE]",
    );

    #[test]
    fn events_are_cut_as_the_standard_says() {
        let frames = cut(Framing::ServerSentEvents, EVENTS.as_bytes(), &[]).unwrap();
        assert_eq!(
            texts(&frames),
            [
                "{\"x\":\n \"grüße 🦀\"}",
                "{}",
                "one\ntwo",
                "{\"error\":\"x\"}",
                "[DONE]"
            ]
        );
    }

    #[test]
    fn plain_json_is_recognised_where_events_were_asked_for() {
        let body = " \n{\n \"a\": \"}\\\"\",\n\"b\":[{}]}\n";
        let frames = cut(Framing::ServerSentEvents, body.as_bytes(), &[]).unwrap();
        assert_eq!(frames.len(), 1);
        assert!(!frames[0].0);
    }

    #[test]
    fn html_and_garbage_are_told_apart() {
        for framing in [Framing::ServerSentEvents, Framing::JsonValues] {
            let html = cut(framing, b"\n<!doctype html>", &[]);
            assert_eq!(html.unwrap_err(), Malformation::Html);
        }
        let garbage = cut(Framing::JsonValues, b"HTTP nonsense", &[]);
        assert_eq!(garbage.unwrap_err(), Malformation::NotAStream);
        let garbage = cut(Framing::JsonValues, b"{}\n}", &[]);
        assert_eq!(garbage.unwrap_err(), Malformation::NotAStream);
        let ignored = cut(Framing::ServerSentEvents, b"\x00\xff\xfe\n\n", &[]);
        assert_eq!(ignored.unwrap(), []);
    }

    #[test]
    fn an_event_without_end_is_refused_at_the_limit() {
        let piece = vec![b'a'; 1 << 20];
        for (framing, begin) in [
            (Framing::ServerSentEvents, "data: "),
            (Framing::JsonValues, "{\""),
        ] {
            let mut frames = Frames::new(framing);
            let mut sink = |_: Frame<'_>| Ok::<(), Malformation>(());
            frames.push(begin.as_bytes(), &mut sink).unwrap();
            let refused = (0..17).find_map(|_| frames.push(&piece, &mut sink).err());
            assert_eq!(refused, Some(Malformation::HugeEvent));
        }
    }

    #[test]
    fn many_small_data_lines_count_together() {
        let mut frames = Frames::new(Framing::ServerSentEvents);
        let mut sink = |_: Frame<'_>| Ok::<(), Malformation>(());
        let lines =
            "data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n".repeat(1 << 14);
        let refused = (0..20).find_map(|_| frames.push(lines.as_bytes(), &mut sink).err());
        assert_eq!(refused, Some(Malformation::HugeEvent));
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_split_makes_no_difference(cuts: Vec<usize>) {
            let whole = cut(Framing::ServerSentEvents, EVENTS.as_bytes(), &[]).unwrap();
            let split = cut(Framing::ServerSentEvents, EVENTS.as_bytes(), &cuts).unwrap();
            prop_assert_eq!(whole, split);
        }

        #[test]
        fn values_survive_any_split(texts: Vec<String>, cuts: Vec<usize>) {
            let mut body = Vec::new();
            let mut expected = Vec::new();
            for text in &texts {
                let value = serde_json::to_vec(&serde_json::json!({"t": [text]})).unwrap();
                body.extend_from_slice(&value);
                body.push(b'\n');
                expected.push((false, value));
            }
            prop_assert_eq!(cut(Framing::JsonValues, &body, &cuts).unwrap(), expected);
        }

        #[test]
        fn no_bytes_make_it_panic(body: Vec<u8>, cuts: Vec<usize>) {
            for framing in [Framing::ServerSentEvents, Framing::JsonValues] {
                let whole = cut(framing, &body, &[]);
                let split = cut(framing, &body, &cuts);
                prop_assert_eq!(whole, split);
            }
        }
    }
}
