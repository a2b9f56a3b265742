//! A model small enough to be made here: two tokens' width, one layer.

use std::fs;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::*;

const VOCABULARY: [&str; 8] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "kitten", "cat", "##s", "car",
];
const WIDTH: usize = 4;

fn config() -> Value {
    json!({
        "model_type": "bert", "vocab_size": VOCABULARY.len(), "hidden_size": WIDTH,
        "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "max_position_embeddings": 12,
        "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12,
        "pad_token_id": 0, "attention_probs_dropout_prob": 0.1
    })
}

fn tokens() -> Value {
    let words = VOCABULARY.iter().enumerate();
    let vocabulary: Map<String, Value> = words
        .map(|(n, word)| ((*word).to_owned(), n.into()))
        .collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": true,
            "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary}
    })
}

/// Weights in safetensors' layout: the length of a head, the head, the numbers.
fn weights() -> Vec<u8> {
    let mut shapes = vec![
        (
            "embeddings.word_embeddings.weight".to_owned(),
            vec![VOCABULARY.len(), WIDTH],
        ),
        (
            "embeddings.position_embeddings.weight".to_owned(),
            vec![12, WIDTH],
        ),
        (
            "embeddings.token_type_embeddings.weight".to_owned(),
            vec![2, WIDTH],
        ),
    ];
    let mut linear = |name: &str, out: usize, inward: usize| {
        let name = format!("encoder.layer.0.{name}");
        shapes.push((format!("{name}.weight"), vec![out, inward]));
        shapes.push((format!("{name}.bias"), vec![out]));
    };
    for part in ["self.query", "self.key", "self.value", "output.dense"] {
        linear(&format!("attention.{part}"), WIDTH, WIDTH);
    }
    linear("intermediate.dense", 8, WIDTH);
    linear("output.dense", WIDTH, 8);
    for norm in [
        "embeddings",
        "encoder.layer.0.attention.output",
        "encoder.layer.0.output",
    ] {
        shapes.push((format!("{norm}.LayerNorm.weight"), vec![WIDTH]));
        shapes.push((format!("{norm}.LayerNorm.bias"), vec![WIDTH]));
    }
    let (mut head, mut data) = (Map::new(), Vec::new());
    let mut state = 7u32;
    for (name, shape) in shapes {
        let start = data.len();
        for _ in 0..shape.iter().product::<usize>() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = f32::from((state >> 16) as u16) / 65_536.0 - 0.5;
            data.extend_from_slice(&number.to_le_bytes());
        }
        let offsets = [start, data.len()];
        head.insert(
            name,
            json!({"dtype": "F32", "shape": shape, "data_offsets": offsets}),
        );
    }
    let head = serde_json::to_vec(&head).unwrap();
    [&(head.len() as u64).to_le_bytes(), head.as_slice(), &data].concat()
}

#[expect(
    clippy::disallowed_methods,
    reason = "files of a test, in a directory of its own"
)]
fn put(dir: &TempDir, file: &str, bytes: &[u8]) {
    let path = dir.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn model() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    put(&dir, CONFIG, config().to_string().as_bytes());
    put(&dir, TOKENIZER, tokens().to_string().as_bytes());
    put(&dir, WEIGHTS, &weights());
    dir
}

fn load(dir: &TempDir) -> Result<LocalModel, LocalError> {
    LocalModel::load(dir.path())
}

#[test]
fn a_model_in_files_gives_each_text_a_direction_of_its_own() {
    let dir = model();
    let model = load(&dir).unwrap();
    let made = model
        .embed(&["Kitten", "kitten", "cars", "", "cat cat car"])
        .unwrap();
    assert_eq!(made[0], made[1], "lower case is the tokenizer's doing");
    assert_ne!(made[1], made[2]);
    for vector in &made {
        let length: f32 = vector.iter().map(|n| n * n).sum();
        assert!(vector.len() == WIDTH && (length - 1.0).abs() < 1e-5);
    }
    assert_eq!(load(&dir).unwrap().model(), model.model());
    // Longer than there are positions: cut, not refused.
    model.embed(&["cat ".repeat(500).as_str()]).unwrap();
}

#[test]
fn how_tokens_become_one_vector_is_read_where_it_is_said() {
    let dir = model();
    let mean = load(&dir).unwrap().embed(&["cat car"]).unwrap();
    put(&dir, POOLING, br#"{"pooling_mode_cls_token": true}"#);
    let first = load(&dir).unwrap().embed(&["cat car"]).unwrap();
    assert_ne!(mean, first);
}

#[test]
fn other_files_make_another_model() {
    let dir = model();
    let name = load(&dir).unwrap().model().to_owned();
    let mut other = weights();
    *other.last_mut().unwrap() ^= 1;
    put(&dir, WEIGHTS, &other);
    assert_ne!(load(&dir).unwrap().model(), name);
}

#[test]
fn files_that_do_not_hold_together_are_refused() {
    let broken = |file: &str, bytes: &[u8]| {
        let dir = model();
        put(&dir, file, bytes);
        load(&dir).err()
    };
    let whole = weights();
    for bytes in [&whole[..whole.len() - 1], &whole[..40], &whole[..5], b""] {
        let error = broken(WEIGHTS, bytes);
        assert!(matches!(
            error,
            Some(LocalError::Broken { file: WEIGHTS, .. })
        ));
    }
    for file in [CONFIG, TOKENIZER, LENGTH, POOLING] {
        assert!(
            matches!(broken(file, b"{"), Some(LocalError::Broken { .. })),
            "{file}"
        );
    }
    let mut wider = config();
    wider["hidden_size"] = json!(6);
    let error = broken(CONFIG, wider.to_string().as_bytes());
    assert!(matches!(error, Some(LocalError::Broken { .. })));
    for (key, value) in [
        ("model_type", json!("roberta")),
        ("num_attention_heads", json!(0)),
    ] {
        let mut other = config();
        other[key] = value;
        let error = broken(CONFIG, other.to_string().as_bytes());
        assert!(matches!(error, Some(LocalError::OtherKind)));
    }
    let dir = model();
    fs::remove_file(dir.path().join(WEIGHTS)).unwrap();
    assert!(matches!(
        load(&dir),
        Err(LocalError::Unreadable { file: WEIGHTS, .. })
    ));
}
