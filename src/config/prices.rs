//! What models cost: a dated table that comes with the program, and the person's own beside the
//! settings file, which counts first.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use toml_edit::{Document, TableLike};

use super::error::ConfigError;

const BUILT_IN: &str = include_str!("../../data/prices.toml");
const FILE_BYTES_MAX: u64 = 1 << 20;
/// What a cache costs where the table does not say: read at the price of input, written at a
/// quarter more, as Anthropic charges. Rather too much than too little.
const CACHE_WRITE_FACTOR: f64 = 1.25;

/// Tokens of one answer, or of many.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
}

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Price {
    input: f64,
    output: f64,
    cache_read: f64,
    cache_write: f64,
    /// Prices of input and output behind so many tokens of a prompt.
    long: Option<(u64, f64, f64)>,
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Prices {
    models: BTreeMap<String, Price>,
    as_of: String,
}

impl Prices {
    /// The table that comes with the program, and over it the one in `file`, if it is there.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let mut prices = Prices::default();
        prices.take(BUILT_IN).expect("a test reads the table");
        match read(file) {
            Ok(None) => {}
            Ok(Some(text)) => prices.take(&text).map_err(|()| ConfigError::Prices {
                path: file.to_owned(),
            })?,
            Err(source) => {
                return Err(ConfigError::Read {
                    path: file.to_owned(),
                    source,
                });
            }
        }
        Ok(prices)
    }

    /// The day of the table.
    pub fn as_of(&self) -> &str {
        &self.as_of
    }

    /// The models whose prices are known.
    pub fn models(&self) -> Vec<String> {
        self.models.keys().cloned().collect()
    }

    /// What one answer of a model (`provider/model`) cost, in US dollars, if that is known.
    pub fn cost(&self, model: &str, tokens: Tokens) -> Option<f64> {
        let price = self.models.get(model)?;
        let prompt = tokens.input + tokens.cache_read + tokens.cache_write;
        let (input, output) = match price.long {
            Some((from, input, output)) if prompt > from => (input, output),
            _ => (price.input, price.output),
        };
        let parts = [
            (tokens.input, input),
            (tokens.output, output),
            (tokens.cache_read, price.cache_read),
            (tokens.cache_write, price.cache_write),
        ];
        let sum: f64 = parts.iter().map(|(n, price)| *n as f64 * price).sum();
        Some(sum / 1e6)
    }

    fn take(&mut self, text: &str) -> Result<(), ()> {
        let document = Document::parse(text).map_err(drop)?;
        let root = document.as_table();
        if let Some(day) = root.get("as_of").and_then(|item| item.as_str()) {
            self.as_of = day.chars().filter(|c| !c.is_control()).take(32).collect();
        }
        let Some(models) = root.get("models") else {
            return Ok(());
        };
        for (name, item) in models.as_table_like().ok_or(())?.iter() {
            let price = price(item.as_table_like().ok_or(())?).ok_or(())?;
            self.models.insert(name.to_owned(), price);
        }
        Ok(())
    }
}

fn read(file: &Path) -> io::Result<Option<String>> {
    let mut text = String::new();
    match fs::File::open(file) {
        Ok(file) => file.take(FILE_BYTES_MAX).read_to_string(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(text))
}

fn price(table: &dyn TableLike) -> Option<Price> {
    let known = [
        "input",
        "output",
        "cache_read",
        "cache_write",
        "long_from",
        "long_input",
        "long_output",
    ];
    if table.iter().any(|(key, _)| !known.contains(&key)) {
        return None;
    }
    let number = |key: &str| -> Option<Option<f64>> {
        let Some(item) = table.get(key) else {
            return Some(None);
        };
        let whole = item.as_integer().map(|n| n as f64);
        let number = item.as_float().or(whole)?;
        (number.is_finite() && number >= 0.0).then_some(Some(number))
    };
    let input = number("input")??;
    let output = number("output")??;
    let long = match number("long_from")? {
        None => None,
        Some(from) => Some((
            from as u64,
            number("long_input")?.unwrap_or(input),
            number("long_output")?.unwrap_or(output),
        )),
    };
    Some(Price {
        input,
        output,
        cache_read: number("cache_read")?.unwrap_or(input),
        cache_write: number("cache_write")?.unwrap_or(input * CACHE_WRITE_FACTOR),
        long,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> Result<Prices, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("prices.toml");
        #[expect(clippy::disallowed_methods, reason = "an input of the test")]
        fs::write(&file, text).unwrap();
        Prices::load(&file)
    }

    fn tokens(input: u64, output: u64) -> Tokens {
        Tokens {
            input,
            output,
            ..Tokens::default()
        }
    }

    #[test]
    fn the_built_in_table_is_read_and_dated() {
        let prices = Prices::load(Path::new("/nowhere/prices.toml")).unwrap();
        assert!(prices.as_of().starts_with("20"));
        let cost = |model, tokens| prices.cost(model, tokens);
        let million = tokens(1_000_000, 1_000_000);
        assert_eq!(cost("anthropic/claude-opus-5-5", million), Some(24.0));
        assert_eq!(
            cost("anthropic/claude-haiku-5-5", tokens(100_000, 0)),
            Some(0.01)
        );
        assert_eq!(
            cost("anthropic/claude-haiku-5-5", tokens(200_000, 0)),
            Some(0.1)
        );
        assert_eq!(cost("ollama/qwen3", million), None);
    }

    #[test]
    fn the_persons_own_table_counts_first() {
        let own = "[models.\"anthropic/claude-opus-5-5\"]\ninput = 1\noutput = 2.5\n\
                   [models.\"lan/qwen\"]\ninput = 0\noutput = 0\n";
        let prices = with(own).unwrap();
        let million = tokens(1_000_000, 1_000_000);
        assert_eq!(prices.cost("anthropic/claude-opus-5-5", million), Some(3.5));
        assert_eq!(prices.cost("lan/qwen", million), Some(0.0));
        assert!(
            prices
                .cost("anthropic/claude-sonnet-5-5", million)
                .is_some()
        );
    }

    #[test]
    fn a_table_that_is_none_is_refused() {
        for text in [
            "models = 3",
            "[models.x]\ninput = 1",
            "[models.x]\ninput = -1\noutput = 1",
            "[models.x]\ninput = \"a\"\noutput = 1",
            "[models.x]\ninput = 1\noutput = 1\ninputs = 1",
            "[",
        ] {
            assert!(
                matches!(with(text), Err(ConfigError::Prices { .. })),
                "{text}"
            );
        }
    }
}
