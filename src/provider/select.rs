//! Which provider answers: the one that was named, else the first that the machine knows of.

use crate::config::{ApiKey, Config, ConfigError, Environment, ProviderConfig, ProviderKind};

use super::Provider;
use super::anthropic::Anthropic;
use super::embeddings::{Embeddings, Speaks};
use super::endpoint::{Endpoint, ollama_url};
use super::error::{ProviderError, clean_name};
use super::http::{Credential, Http};
use super::offline::Offline;
use super::ollama::Ollama;
use super::openai::{OPENAI_HOST, OpenAi};

/// The model meant by `anthropic` alone.
pub const ANTHROPIC_MODEL: &str = "claude-haiku-5-5";
/// The model meant by `openai` alone, on OpenAI's own servers.
pub const OPENAI_MODEL: &str = "gpt-5-mini";
/// Stands for the first model that a server lists.
pub const DEFAULT_MODEL: &str = "default";

const ANTHROPIC_URL: &str = "https://api.anthropic.com";
const OPENAI_URL: &str = "https://api.openai.com/v1";

/// A provider, ready, and the model to ask of it.
pub struct Chosen {
    pub provider: Box<dyn Provider>,
    /// Without the provider's name.
    pub model: String,
    pub why: Why,
}

impl Chosen {
    /// The model as people name it: `provider/model`, or `offline`, which has none.
    pub fn name(&self) -> String {
        match self.is_offline() {
            true => Offline::NAME.to_owned(),
            false => format!("{}/{}", self.provider.name(), self.model),
        }
    }

    /// Whether no model answers.
    pub fn is_offline(&self) -> bool {
        self.provider.name() == Offline::NAME
    }
}

/// What the choice rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The caller named it.
    Named,
    /// `model` of the configuration.
    Configured,
    /// The first of the variables that was set.
    Variable(&'static str),
    /// A key sealed in the vault, under this name.
    SealedKey(&'static str),
    /// Nothing is configured: `offline`.
    NothingConfigured,
}

/// Chooses by `model` (`provider/model`), else by the configuration, else by the first of the
/// usual variables and sealed keys, else `offline`. Opens no connection. `keys` gives the key that
/// is sealed under a provider's name; one in the environment counts first, so that it can be
/// changed for one command.
pub fn select(
    model: Option<&str>,
    config: &Config,
    environment: &Environment,
    keys: &dyn Fn(&str) -> Option<ApiKey>,
) -> Result<Chosen, ProviderError> {
    let choice = Choice {
        config,
        environment,
        keys,
    };
    if let Some(named) = model {
        return choice.named(named, Why::Named);
    }
    if let Some(named) = &config.model {
        return choice.named(named, Why::Configured);
    }
    match choice.discovered()? {
        Some((name, why)) => choice.named(name, why),
        None => choice.named("offline", Why::NothingConfigured),
    }
}

/// The model `provider/model` that makes vectors of texts; it is always named in full.
pub fn embeddings(
    model: &str,
    config: &Config,
    environment: &Environment,
    keys: &dyn Fn(&str) -> Option<ApiKey>,
) -> Result<Embeddings, ProviderError> {
    let choice = Choice {
        config,
        environment,
        keys,
    };
    let named = model.trim().split_once('/');
    let (name, model) = named.ok_or(ProviderError::NoEmbeddings)?;
    if !choice.knows(name) {
        return Err(ProviderError::UnknownProvider {
            name: clean_name(name),
        });
    }
    let settings = config.providers.get(name).cloned().unwrap_or_default();
    let kind = settings.kind.or_else(|| ProviderKind::of_name(name));
    let (http, speaks) = match kind.unwrap_or(ProviderKind::OpenAi) {
        _ if name == Offline::NAME || model.is_empty() => return Err(ProviderError::NoEmbeddings),
        ProviderKind::Anthropic => return Err(ProviderError::NoEmbeddings),
        ProviderKind::OpenAi => (choice.openai_http(name, &settings)?, Speaks::OpenAi),
        ProviderKind::Ollama => (choice.ollama_http(name, &settings)?, Speaks::Ollama),
    };
    Ok(Embeddings::new(http, speaks, name, model))
}

struct Choice<'a> {
    config: &'a Config,
    environment: &'a Environment,
    keys: &'a dyn Fn(&str) -> Option<ApiKey>,
}

impl Choice<'_> {
    fn discovered(&self) -> Result<Option<(&'static str, Why)>, ConfigError> {
        let is_set = |variable| -> Result<bool, ConfigError> {
            Ok(self.environment.api_key(variable)?.is_some())
        };
        for variable in ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"] {
            if is_set(variable)? {
                return Ok(Some(("anthropic", Why::Variable(variable))));
            }
        }
        if (self.keys)("anthropic").is_some() {
            return Ok(Some(("anthropic", Why::SealedKey("anthropic"))));
        }
        if is_set("OPENAI_API_KEY")? {
            return Ok(Some(("openai", Why::Variable("OPENAI_API_KEY"))));
        }
        if self.environment.openai_base_url.is_some() {
            return Ok(Some(("openai", Why::Variable("OPENAI_BASE_URL"))));
        }
        if (self.keys)("openai").is_some() {
            return Ok(Some(("openai", Why::SealedKey("openai"))));
        }
        let ollama = self.environment.ollama_host.is_some();
        Ok(ollama.then_some(("ollama", Why::Variable("OLLAMA_HOST"))))
    }

    /// `provider/model`, a provider alone, or a bare model whose name says whose it is.
    fn named(&self, text: &str, why: Why) -> Result<Chosen, ProviderError> {
        let text = text.trim();
        let (name, model) = match text.split_once('/') {
            Some((name, model)) if self.knows(name) => (name, Some(model)),
            None if self.knows(text) => (text, None),
            _ => match maker(text) {
                Some(name) => (name, Some(text)),
                None => {
                    return Err(ProviderError::UnknownProvider {
                        name: clean_name(text.split('/').next().unwrap_or(text)),
                    });
                }
            },
        };
        let model = model.map(str::trim).filter(|model| !model.is_empty());
        if name == "offline" {
            return Ok(Chosen {
                provider: Box::new(Offline),
                model: model.unwrap_or("offline").to_owned(),
                why,
            });
        }
        let settings = self.config.providers.get(name).cloned().unwrap_or_default();
        let model = model.or(settings.model.as_deref()).map(str::to_owned);
        let kind = settings.kind.or_else(|| ProviderKind::of_name(name));
        let (provider, fallback) = match kind.unwrap_or(ProviderKind::OpenAi) {
            ProviderKind::Anthropic => self.anthropic(name, &settings)?,
            ProviderKind::OpenAi => self.openai(name, &settings)?,
            ProviderKind::Ollama => self.ollama(name, &settings)?,
        };
        Ok(Chosen {
            provider,
            model: model.unwrap_or_else(|| fallback.to_owned()),
            why,
        })
    }

    fn knows(&self, name: &str) -> bool {
        name == "offline"
            || ProviderKind::of_name(name).is_some()
            || self.config.providers.contains_key(name)
    }

    fn anthropic(
        &self,
        name: &str,
        settings: &ProviderConfig,
    ) -> Result<(Box<dyn Provider>, &'static str), ProviderError> {
        let own = name == "anthropic";
        let environment = self.environment.anthropic_base_url.as_deref();
        let endpoint = self.endpoint(
            name,
            settings,
            environment.filter(|_| own),
            own.then_some(ANTHROPIC_URL),
        )?;
        // Both at once are refused: the key of an account for programs comes first.
        let key = self.key(name, settings, own.then_some("ANTHROPIC_API_KEY"), false)?;
        let token = match &key {
            None if own => self.environment.api_key("ANTHROPIC_AUTH_TOKEN")?,
            _ => None,
        };
        let key = key.or_else(|| (self.keys)(name).filter(|_| token.is_none()));
        let is_oauth = |key: &ApiKey| key.expose().starts_with("sk-ant-oat");
        let (credential, oauth) = match (key, token) {
            (Some(key), _) if is_oauth(&key) => (Credential::Bearer(key), true),
            (Some(key), _) => (Credential::Header(key), false),
            (None, Some(token)) => {
                let oauth = is_oauth(&token);
                (Credential::Bearer(token), oauth)
            }
            (None, None) if endpoint.host() == "api.anthropic.com" => {
                return Err(no_key(name, settings, "ANTHROPIC_API_KEY"));
            }
            (None, None) => (Credential::None, false),
        };
        let fallback = if own { ANTHROPIC_MODEL } else { DEFAULT_MODEL };
        let http = Http::new(endpoint, credential, self.config);
        Ok((Box::new(Anthropic::new(name, http, oauth)), fallback))
    }

    fn openai(
        &self,
        name: &str,
        settings: &ProviderConfig,
    ) -> Result<(Box<dyn Provider>, &'static str), ProviderError> {
        let http = self.openai_http(name, settings)?;
        let fallback = match http.host() == OPENAI_HOST {
            true => OPENAI_MODEL,
            false => DEFAULT_MODEL,
        };
        Ok((Box::new(OpenAi::new(name, http)), fallback))
    }

    fn openai_http(&self, name: &str, settings: &ProviderConfig) -> Result<Http, ProviderError> {
        let own = name == "openai";
        let environment = self.environment.openai_base_url.as_deref();
        let endpoint = self.endpoint(
            name,
            settings,
            environment.filter(|_| own),
            own.then_some(OPENAI_URL),
        )?;
        let credential = match self.key(name, settings, own.then_some("OPENAI_API_KEY"), true)? {
            Some(key) => Credential::Bearer(key),
            None if endpoint.host() == OPENAI_HOST => {
                return Err(no_key(name, settings, "OPENAI_API_KEY"));
            }
            None => Credential::None,
        };
        Ok(Http::new(endpoint, credential, self.config))
    }

    fn ollama(
        &self,
        name: &str,
        settings: &ProviderConfig,
    ) -> Result<(Box<dyn Provider>, &'static str), ProviderError> {
        let http = self.ollama_http(name, settings)?;
        let ollama = Ollama::new(name, http, settings.context_tokens);
        Ok((Box::new(ollama), DEFAULT_MODEL))
    }

    fn ollama_http(&self, name: &str, settings: &ProviderConfig) -> Result<Http, ProviderError> {
        let own = name == "ollama";
        let environment = self.environment.ollama_host.as_deref().filter(|_| own);
        let environment = environment.map(ollama_url);
        let here = ollama_url("");
        let endpoint = self.endpoint(
            name,
            settings,
            environment.as_deref(),
            own.then_some(here.as_str()),
        )?;
        let credential = match self.key(name, settings, None, true)? {
            Some(key) => Credential::Bearer(key),
            None => Credential::None,
        };
        Ok(Http::new(endpoint, credential, self.config))
    }

    /// The variable that people already have counts before the file, and that before the default.
    fn endpoint(
        &self,
        name: &str,
        settings: &ProviderConfig,
        environment: Option<&str>,
        default: Option<&str>,
    ) -> Result<Endpoint, ProviderError> {
        let url = environment.or(settings.base_url.as_deref()).or(default);
        let url = url.ok_or_else(|| ProviderError::NoBaseUrl {
            provider: name.to_owned(),
        })?;
        Endpoint::parse(name, url)
    }

    /// The key for one provider: from the variable that the file names, from the usual one, or
    /// (`sealed`) from the vault. A key never serves a provider of another name.
    fn key(
        &self,
        name: &str,
        settings: &ProviderConfig,
        usual: Option<&str>,
        sealed: bool,
    ) -> Result<Option<ApiKey>, ProviderError> {
        for variable in settings.key_env.as_deref().into_iter().chain(usual) {
            if let Some(key) = self.environment.api_key(variable)? {
                return Ok(Some(key));
            }
        }
        Ok(if sealed { (self.keys)(name) } else { None })
    }
}

fn no_key(name: &str, settings: &ProviderConfig, usual: &str) -> ProviderError {
    let variable = settings.key_env.as_deref().unwrap_or(usual);
    ProviderError::NoKey {
        provider: name.to_owned(),
        variable: Some(variable.to_owned()),
    }
}

/// Whose a model is whose name is given without a provider.
fn maker(model: &str) -> Option<&'static str> {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| model.starts_with(prefix));
    if model.contains('/') {
        None
    } else if begins(&["claude-"]) {
        Some("anthropic")
    } else if begins(&["gpt-", "chatgpt-", "o1", "o3", "o4"]) {
        Some("openai")
    } else {
        None
    }
}
