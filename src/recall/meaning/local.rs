//! A model of sentences in local files, run by candle; nothing is ever downloaded.
//!
//! A directory as sentence-transformers lays it out: `config.json`, `tokenizer.json` and
//! `model.safetensors` of a model of BERT's kind, and how long a text may be and how its tokens
//! become one vector, if that is said.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use candle_core::{D, DType, Device, IndexOp, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokenizers::{Tokenizer, TruncationParams};

use super::{EmbedError, Embedder};

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";
const LENGTH: &str = "sentence_bert_config.json";
const POOLING: &str = "1_Pooling/config.json";

const CONFIG_BYTES_MAX: u64 = 1 << 20;
const TOKENIZER_BYTES_MAX: u64 = 64 << 20;
const WEIGHTS_BYTES_MAX: u64 = 4 << 30;
/// The weights of one model differ from those of another throughout; its ends tell which it is.
const TOLD_BYTES: usize = 1 << 20;
const TOKENS_MAX: usize = 512;

/// Why a directory gives no model.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error("{file} of the model of meaning cannot be read")]
    Unreadable {
        file: &'static str,
        source: io::Error,
    },
    #[error("{file} of the model of meaning is larger than any that is known")]
    TooLarge { file: &'static str },
    #[error("{file} of the model of meaning does not hold together")]
    Broken {
        file: &'static str,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the model of meaning is not of BERT's kind")]
    OtherKind,
}

#[derive(Deserialize)]
struct Length {
    max_seq_length: usize,
}

#[derive(Default, Deserialize)]
struct Pooling {
    #[serde(default)]
    pooling_mode_cls_token: bool,
}

/// A model, loaded.
pub struct LocalModel {
    name: String,
    model: BertModel,
    tokenizer: Tokenizer,
    /// The first token stands for all; else their mean does.
    by_first: bool,
}

impl LocalModel {
    /// Loads the model of a directory.
    pub fn load(directory: &Path) -> Result<LocalModel, LocalError> {
        let config_bytes = read(directory, CONFIG, CONFIG_BYTES_MAX)?;
        let config: Config = parse(CONFIG, &config_bytes)?;
        let is_bert = config
            .model_type
            .as_deref()
            .is_none_or(|kind| kind == "bert");
        let heads = config.num_attention_heads;
        if !is_bert || heads == 0 || !config.hidden_size.is_multiple_of(heads) {
            return Err(LocalError::OtherKind);
        }
        let length: Option<Length> = optional(directory, LENGTH)?;
        let pooling: Pooling = optional(directory, POOLING)?.unwrap_or_default();
        let tokens_max = length.map_or(TOKENS_MAX, |length| length.max_seq_length);
        let tokens_max = tokens_max.clamp(8, config.max_position_embeddings.max(8));
        let tokenizer_bytes = read(directory, TOKENIZER, TOKENIZER_BYTES_MAX)?;
        let tokenizer = tokenizer(&tokenizer_bytes, tokens_max);
        let tokenizer = tokenizer.map_err(|source| LocalError::Broken {
            file: TOKENIZER,
            source,
        })?;
        let weights = read(directory, WEIGHTS, WEIGHTS_BYTES_MAX)?;
        let name = name_of(&[&config_bytes, &tokenizer_bytes], &weights);
        let model = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)
            .and_then(|weights| BertModel::load(weights, &config));
        Ok(LocalModel {
            name,
            model: model.map_err(|error| broken(WEIGHTS, error))?,
            tokenizer,
            by_first: pooling.pooling_mode_cls_token,
        })
    }

    fn vector(&self, text: &str) -> Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>> {
        let tokens = self.tokenizer.encode(text, true)?;
        let ids = Tensor::new(tokens.get_ids(), &Device::Cpu)?.unsqueeze(0)?;
        let kinds = ids.zeros_like()?;
        let told = self.model.forward(&ids, &kinds, None)?.squeeze(0)?;
        let pooled = match self.by_first {
            true => told.i(0)?,
            false => told.mean(0)?,
        };
        let length = pooled.sqr()?.sum(D::Minus1)?.sqrt()?;
        Ok(pooled.broadcast_div(&length)?.to_vec1::<f32>()?)
    }
}

impl Embedder for LocalModel {
    fn model(&self) -> &str {
        &self.name
    }

    fn host(&self) -> Option<&str> {
        None
    }

    fn batch(&self) -> usize {
        16
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let vector = |text: &&str| self.vector(text).map_err(EmbedError::Model);
        texts.iter().map(vector).collect()
    }
}

fn tokenizer(
    bytes: &[u8],
    tokens_max: usize,
) -> Result<Tokenizer, Box<dyn std::error::Error + Send + Sync>> {
    let mut tokenizer = Tokenizer::from_bytes(bytes)?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(Some(TruncationParams {
        max_length: tokens_max,
        ..TruncationParams::default()
    }))?;
    Ok(tokenizer)
}

/// A name that another model does not have.
fn name_of(whole: &[&[u8]], weights: &[u8]) -> String {
    let mut hash = Sha256::new();
    let end = &weights[weights.len().saturating_sub(TOLD_BYTES)..];
    let start = &weights[..weights.len().min(TOLD_BYTES)];
    let size = (weights.len() as u64).to_be_bytes();
    for part in whole.iter().copied().chain([start, end, &size]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let hex: String = digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("files/{hex}")
}

fn broken(
    file: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> LocalError {
    let source = source.into();
    LocalError::Broken { file, source }
}

fn parse<T: for<'de> Deserialize<'de>>(file: &'static str, bytes: &[u8]) -> Result<T, LocalError> {
    serde_json::from_slice(bytes).map_err(|error| broken(file, error))
}

fn optional<T: for<'de> Deserialize<'de>>(
    directory: &Path,
    file: &'static str,
) -> Result<Option<T>, LocalError> {
    match read(directory, file, CONFIG_BYTES_MAX) {
        Ok(bytes) => parse(file, &bytes).map(Some),
        Err(LocalError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

fn read(directory: &Path, file: &'static str, bytes_max: u64) -> Result<Vec<u8>, LocalError> {
    let unreadable = |source| LocalError::Unreadable { file, source };
    let opened = File::open(directory.join(file)).map_err(unreadable)?;
    let size = opened.metadata().map_err(unreadable)?.len();
    if size > bytes_max {
        return Err(LocalError::TooLarge { file });
    }
    let mut bytes = Vec::with_capacity(size as usize);
    opened
        .take(bytes_max)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
