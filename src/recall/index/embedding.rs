//! Makes the vectors that an index still lacks, from the oldest passage on, a batch at a time.

use super::{Index, Unread};
use crate::model::Text;
use crate::recall::RecallError;
use crate::recall::meaning::{EmbedError, Embedder, Vector, cut, parts_of, vectors};
use crate::recall::source::Source;

/// What would be lost if the process ended: some seconds of work.
const KEEP_ROWS: usize = 1024;

/// How far the vectors of a model are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub rows: u32,
    pub passages: u32,
}

/// What making vectors needs from outside the index.
pub struct Making<'a, E> {
    pub embedder: &'a dyn Embedder,
    /// The log's link at [`Index::seq`].
    pub link: [u8; 32],
    /// The text of a record; none if it is not to be shown to the model.
    pub text: &'a mut dyn FnMut(&Unread) -> Result<Option<Text>, E>,
    /// Hears how far it is, and says whether to go on.
    pub go_on: &'a mut dyn FnMut(Progress) -> bool,
}

/// The message whose passages are being shown, taken apart.
#[derive(Default)]
struct Current {
    seq: u64,
    parts: Vec<Text>,
}

impl Index {
    /// Makes vectors until there are all, or it is told to stop. What was made is kept even where
    /// the model then fails.
    pub fn embed<E>(&mut self, making: Making<'_, E>) -> Result<Progress, E>
    where
        E: From<RecallError> + From<EmbedError>,
    {
        let model = making.embedder.model().to_owned();
        let mut current = Current::default();
        let mut made: Vec<Option<Vector>> = Vec::new();
        let mut begun_anew = false;
        loop {
            let kept = self.rows_of(&model);
            let at = Progress {
                rows: kept + made.len() as u32,
                passages: self.passages(),
            };
            let unread = self.unread(at.rows, making.embedder.batch().max(1) as u32)?;
            let ends = unread.is_empty() || !(making.go_on)(at);
            let batch = match ends {
                true => Ok(Vec::new()),
                false => batch(&unread, &mut current, making.embedder, making.text),
            };
            let failed = match batch {
                Ok(mut rows) => {
                    made.append(&mut rows);
                    None
                }
                Err(error) => Some(error),
            };
            if made.len() >= KEEP_ROWS || ends || failed.is_some() {
                if !self.keep_vectors(&model, &made, making.link)? {
                    // Another process writes; what was made here is made again another time.
                    return Ok(self.progress(&model));
                }
                let known = self.vectors().is_some_and(|vectors| vectors.model == model);
                if known {
                    made.clear();
                } else if kept > 0 {
                    if begun_anew {
                        return Err(EmbedError::Vectors.into());
                    }
                    begun_anew = true;
                    made.clear();
                    continue;
                }
            }
            match failed {
                Some(error) => return Err(error),
                None if ends => return Ok(self.progress(&model)),
                None => {}
            }
        }
    }

    /// How far the vectors of a model are.
    pub fn progress(&self, model: &str) -> Progress {
        Progress {
            rows: self.rows_of(model),
            passages: self.passages(),
        }
    }
}

/// A row for each of the passages.
fn batch<E>(
    unread: &[Unread],
    current: &mut Current,
    embedder: &dyn Embedder,
    text: &mut dyn FnMut(&Unread) -> Result<Option<Text>, E>,
) -> Result<Vec<Option<Vector>>, E>
where
    E: From<RecallError> + From<EmbedError>,
{
    let mut texts: Vec<(usize, Text)> = Vec::new();
    for (n, passage) in unread.iter().enumerate() {
        if current.seq != passage.seq {
            let whole = text(passage)?.unwrap_or_default();
            *current = Current {
                seq: passage.seq,
                parts: parts_of(&whole)
                    .into_iter()
                    .map(|part| Text::from(cut(whole[part].trim())))
                    .collect(),
            };
        }
        if let Some(part) = current
            .parts
            .get(passage.part)
            .filter(|part| !part.is_empty())
        {
            texts.push((n, part.clone()));
        }
    }
    let mut rows = vec![None; unread.len()];
    if !texts.is_empty() {
        let shown: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
        for ((n, _), vector) in texts.iter().zip(vectors(&shown, embedder)?) {
            rows[*n] = vector;
        }
    }
    Ok(rows)
}
