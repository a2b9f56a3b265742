//! Vectors of texts, from the servers that make them: OpenAI's `/v1/embeddings`, which many others
//! speak too, and Ollama's `/api/embed`.

use bytes::Bytes;
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::{Malformation, ProviderError};
use super::http::Http;
use super::{ollama, openai, turns};

/// Some dozens of the longest vectors that are known.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Whose format it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    OpenAi,
    Ollama,
}

/// A model on a server that makes vectors of texts.
pub struct Embeddings {
    http: Http,
    speaks: Speaks,
    provider: String,
    model: String,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_format: Option<&'a str>,
    /// Ollama cuts what is too long for the model, rather than refusing it.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncate: Option<bool>,
}

#[derive(Deserialize)]
struct OpenAiAnswer {
    data: Vec<OpenAiVector>,
}

#[derive(Deserialize)]
struct OpenAiVector {
    index: usize,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct OllamaAnswer {
    embeddings: Vec<Vec<f32>>,
}

impl Embeddings {
    pub(super) fn new(http: Http, speaks: Speaks, provider: &str, model: &str) -> Self {
        Embeddings {
            http,
            speaks,
            provider: provider.to_owned(),
            model: model.to_owned(),
        }
    }

    /// Where texts are sent, with the port unless it is the scheme's own.
    pub fn host(&self) -> &str {
        self.http.host()
    }

    /// As it is named in the settings: `provider/model`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }

    /// A vector for each text, in order. Needs a runtime with I/O and time.
    pub async fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ProviderError> {
        let own = self.speaks == Speaks::OpenAi;
        let body: Zeroizing<Vec<u8>> = turns::json(&Body {
            model: &self.model,
            input: texts,
            encoding_format: own.then_some("float"),
            truncate: (!own).then_some(true),
        });
        let body = Bytes::from_owner(body);
        let response = self.http.post(self.url(), HeaderMap::new(), body).await?;
        if !response.status().is_success() {
            return Err(self.http.refusal(response, &self.model).await.error);
        }
        let answer = self.http.read(response, ANSWER_BYTES_MAX).await?;
        let vectors = match self.speaks {
            Speaks::OpenAi => in_order(&answer, texts.len()),
            Speaks::Ollama => serde_json::from_slice(&answer)
                .ok()
                .map(|answer: OllamaAnswer| answer.embeddings),
        };
        let whole = vectors.filter(|vectors| vectors.len() == texts.len());
        whole.ok_or_else(|| self.http.malformed(Malformation::NotItsJson))
    }

    fn url(&self) -> Url {
        match self.speaks {
            Speaks::OpenAi => openai::at(&self.http.endpoint, "/embeddings"),
            Speaks::Ollama => ollama::at(&self.http.endpoint, "/embed"),
        }
    }
}

/// Vectors of an answer by their numbers, each of which is there once.
fn in_order(answer: &[u8], count: usize) -> Option<Vec<Vec<f32>>> {
    let mut answer: OpenAiAnswer = serde_json::from_slice(answer).ok()?;
    answer.data.sort_by_key(|vector| vector.index);
    let whole =
        answer.data.len() == count && (0..).zip(&answer.data).all(|(n, vector)| n == vector.index);
    whole.then(|| {
        answer
            .data
            .into_iter()
            .map(|vector| vector.embedding)
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_come_in_the_order_of_their_numbers_or_not_at_all() {
        let answer = |text: &str| in_order(text.as_bytes(), 2);
        let two = r#"{"object":"list","data":[{"index":1,"embedding":[2]},
            {"object":"embedding","index":0,"embedding":[1.5e0]}],"model":"m"}"#;
        assert_eq!(answer(two).unwrap(), [vec![1.5], vec![2.0]]);
        for wrong in [
            "",
            "{}",
            r#"{"data":[{"index":0,"embedding":[1]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#,
            r#"{"data":[{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}]}"#,
            r#"{"data":[{"index":0,"embedding":"AAAA"},{"index":1,"embedding":"AAAA"}]}"#,
        ] {
            assert_eq!(answer(wrong), None, "{wrong}");
        }
    }
}
