//! For tests: a recorded body, read as it would be from the network.

use super::Event;
use super::exchange::{Fault, Reader};
use super::frames::{Frames, Framing};

/// Events of a body that arrives in pieces that end at `cuts`, up to its end.
pub(super) fn read(
    framing: Framing,
    mut reader: impl Reader,
    body: &[u8],
    cuts: &[usize],
) -> Result<Vec<Event>, Fault> {
    let mut cuts: Vec<usize> = cuts.iter().map(|c| c % (body.len() + 1)).collect();
    cuts.sort_unstable();
    let mut frames = Frames::new(framing);
    let mut out = Vec::new();
    let mut from = 0;
    for to in cuts.into_iter().chain([body.len()]) {
        frames.push(&body[from..to], &mut |frame| reader.frame(frame, &mut out))?;
        from = to;
    }
    reader.end(&mut out);
    Ok(out)
}

/// The texts of a reply as one, so that how it was split does not matter.
pub(super) fn text(events: &[Event]) -> String {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}
