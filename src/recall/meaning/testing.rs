//! A model of meaning for tests: words of one kind point one way.

use std::cell::{Cell, RefCell};

use super::{EmbedError, Embedder};

const KINDS: [&[&str]; 4] = [
    &["cat", "kitten", "feline", "purring"],
    &["car", "automobile", "driving", "garage"],
    &["bread", "baking", "oven", "dough"],
    &["rain", "storm", "umbrella", "wet"],
];
const DIMENSIONS: usize = 24;

/// Counts and keeps what it is shown; fails once it was shown so many texts.
pub struct Fake {
    pub name: String,
    pub host: Option<String>,
    pub dimensions: usize,
    pub shown: RefCell<Vec<String>>,
    pub fails_after: Cell<usize>,
}

impl Default for Fake {
    fn default() -> Self {
        Fake {
            name: "fake".into(),
            host: None,
            dimensions: DIMENSIONS,
            shown: RefCell::default(),
            fails_after: Cell::new(usize::MAX),
        }
    }
}

impl Fake {
    fn vector(&self, text: &str) -> Vec<f32> {
        let mut vector = vec![0.0; self.dimensions];
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            let word = word.to_lowercase();
            let kind = KINDS.iter().position(|kind| kind.contains(&word.as_str()));
            let hash = word
                .bytes()
                .fold(7usize, |hash, b| hash * 31 % 1009 + usize::from(b));
            let other = KINDS.len() + hash % (self.dimensions - KINDS.len());
            match kind {
                Some(kind) => vector[kind] += 4.0,
                None if !word.is_empty() => vector[other] += 1.0,
                None => {}
            }
        }
        vector
    }
}

impl Embedder for Fake {
    fn model(&self) -> &str {
        &self.name
    }

    fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    fn batch(&self) -> usize {
        7
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut shown = self.shown.borrow_mut();
        if shown.len() + texts.len() > self.fails_after.get() {
            return Err(EmbedError::Model("out of order".into()));
        }
        shown.extend(texts.iter().map(|text| (*text).to_owned()));
        Ok(texts.iter().map(|text| self.vector(text)).collect())
    }
}

impl Embedder for std::rc::Rc<Fake> {
    fn model(&self) -> &str {
        self.as_ref().model()
    }

    fn host(&self) -> Option<&str> {
        self.as_ref().host()
    }

    fn batch(&self) -> usize {
        self.as_ref().batch()
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.as_ref().embed(texts)
    }
}
