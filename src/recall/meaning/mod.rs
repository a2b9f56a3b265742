//! Likeness of meaning, beside the words: vectors of sentences, and what makes them.
//!
//! Optional. Whoever asks hands in an [`Embedder`]; without one, nothing here is used, and nothing
//! is scored differently. Every passage has one row of signed bytes; a row of zeros says nothing.

#[cfg(feature = "local-embeddings")]
pub mod local;
#[cfg(test)]
pub mod testing;
mod vector;

use std::ops::Range;

pub use vector::{DIMENSIONS_MAX, Vector, cosine};

use super::analyse::terms_of;
use super::contents::passages_of;

/// Longer names of models are refused.
pub const MODEL_BYTES_MAX: usize = 512;
/// Texts beyond this tell no more about what they mean; no model reads as many.
pub const TEXT_BYTES_MAX: usize = 8192;

/// Why there is no vector.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// Not one vector for each text, or vectors of no length, or of no direction.
    #[error("the model of meaning gave no vectors that can be used")]
    Vectors,
    /// The feature `local-embeddings` is left out.
    #[error("this build runs no models of meaning itself")]
    NoFiles,
    #[error("the model of meaning does not answer")]
    Model(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Makes vectors of texts, alike where their meanings are: a model in files, or a server.
pub trait Embedder {
    /// Which model this is; vectors of one say nothing to another.
    fn model(&self) -> &str;

    /// The host that texts are sent to; none if they do not leave this process.
    fn host(&self) -> Option<&str>;

    /// So many texts are best given at once.
    fn batch(&self) -> usize;

    /// A vector for each text, in order.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError>;
}

/// A question's own vector, and the model that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    pub model: String,
    pub vector: Vector,
}

impl Meaning {
    /// What a question means; none if it says nothing.
    pub fn of(text: &str, embedder: &dyn Embedder) -> Result<Option<Meaning>, EmbedError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let vectors = vectors(&[cut(text)], embedder)?;
        let vector = vectors.into_iter().next().flatten();
        Ok(vector.map(|vector| Meaning {
            model: embedder.model().to_owned(),
            vector,
        }))
    }
}

/// A vector for each text; none where the model gives one without a direction.
pub fn vectors(texts: &[&str], embedder: &dyn Embedder) -> Result<Vec<Option<Vector>>, EmbedError> {
    let made = embedder.embed(texts)?;
    let dimensions = made.first().map_or(1, Vec::len);
    let alike = made.iter().all(|vector| vector.len() == dimensions);
    let fits = (1..=DIMENSIONS_MAX).contains(&dimensions);
    if made.len() != texts.len() || !alike || !fits {
        return Err(EmbedError::Vectors);
    }
    Ok(made.iter().map(|vector| Vector::of(vector)).collect())
}

/// The parts of a message's text that are its passages, in order.
pub fn parts_of(text: &str) -> Vec<Range<usize>> {
    let terms = terms_of(text);
    let starts: Vec<usize> = passages_of(terms.len())
        .map(|range| match range.start {
            0 => 0,
            first => terms[first].0.start,
        })
        .collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts
        .iter()
        .copied()
        .zip(ends)
        .map(|(a, b)| a..b)
        .collect()
}

/// As much of a text as a model may read.
pub fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_text_are_its_passages_and_leave_nothing_out() {
        for words in [0usize, 1, 59, 60, 61, 119, 120, 121, 600] {
            let text: Vec<String> = (0..words).map(|n| format!("word{n}, and ")).collect();
            let text = text.concat();
            let parts = parts_of(&text);
            assert_eq!(parts.len(), words.div_ceil(60).max(1), "{words}");
            assert_eq!(parts[0].start, 0);
            assert_eq!(parts.last().unwrap().end, text.len());
            assert!(parts.windows(2).all(|two| two[0].end == two[1].start));
            let terms = |part: &Range<usize>| terms_of(&text[part.clone()]).len();
            assert!(parts.iter().all(|part| terms(part) <= 60));
        }
    }

    struct Wrong(Vec<Vec<f32>>);

    impl Embedder for Wrong {
        fn model(&self) -> &str {
            "wrong"
        }
        fn host(&self) -> Option<&str> {
            None
        }
        fn batch(&self) -> usize {
            2
        }
        fn embed(&self, _: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
            Ok(self.0.clone())
        }
    }

    #[test]
    fn what_is_no_vector_for_each_text_is_refused() {
        let made = |vectors: &[Vec<f32>]| super::vectors(&["a", "b"], &Wrong(vectors.to_vec()));
        assert!(made(&[vec![1.0], vec![2.0]]).is_ok());
        assert!(made(&[vec![1.0]]).is_err());
        assert!(made(&[vec![1.0], vec![2.0, 3.0]]).is_err());
        assert!(made(&[vec![], vec![]]).is_err());
        let long = vec![1.0; DIMENSIONS_MAX + 1];
        assert!(made(&[long.clone(), long]).is_err());
        let none = made(&[vec![0.0], vec![f32::NAN]]).unwrap();
        assert_eq!(none, [None, None]);
        assert_eq!(Meaning::of("  \n", &Wrong(vec![vec![1.0]])).unwrap(), None);
    }
}
