//! Which provider is chosen, with which key, and where words would go.

use std::ffi::OsString;

use agent::config::{ApiKey, Config, Environment, ProviderConfig, ProviderKind};
use agent::provider::{Chosen, ProviderError, Why, is_local_host, select};

use super::server::Server;
use super::{KEY, ask, nothing};

fn no_keys(_: &str) -> Option<ApiKey> {
    None
}

fn choose(
    model: Option<&str>,
    config: &Config,
    lookup: fn(&str) -> Option<OsString>,
) -> Result<Chosen, ProviderError> {
    let environment = Environment::with(lookup, None).unwrap();
    select(model, config, &environment, &no_keys)
}

fn summary(chosen: Chosen) -> (String, String, Option<String>, Why) {
    let provider = chosen.provider;
    let host = provider.host().map(str::to_owned);
    (provider.name().to_owned(), chosen.model, host, chosen.why)
}

fn expect(
    chosen: Result<Chosen, ProviderError>,
    name: &str,
    model: &str,
    host: Option<&str>,
    why: Why,
) {
    let chosen = summary(
        chosen
            .map_err(|e| e.to_string())
            .unwrap_or_else(|e| panic!("{e}")),
    );
    assert_eq!(
        chosen,
        (
            name.to_owned(),
            model.to_owned(),
            host.map(str::to_owned),
            why
        )
    );
}

fn refused(chosen: Result<Chosen, ProviderError>) -> ProviderError {
    chosen.err().expect("refused")
}

#[test]
fn with_nothing_configured_it_is_offline_and_nothing_leaves() {
    let chosen = choose(None, &Config::default(), nothing);
    expect(chosen, "offline", "offline", None, Why::NothingConfigured);
}

#[test]
fn the_first_variable_that_is_there_is_used() {
    let anthropic = Some("api.anthropic.com");
    let config = Config::default();
    let all = |name: &str| match name {
        "OLLAMA_HOST" => Some("0.0.0.0".into()),
        "OPENAI_BASE_URL" => Some("http://localhost:8080".into()),
        name if name.ends_with("_KEY") || name.ends_with("_TOKEN") => Some(KEY.into()),
        _ => None,
    };
    let chosen = choose(None, &config, all);
    let why = Why::Variable("ANTHROPIC_API_KEY");
    expect(chosen, "anthropic", "claude-haiku-5-5", anthropic, why);
    let token = |name: &str| (name == "ANTHROPIC_AUTH_TOKEN").then(|| KEY.into());
    let chosen = choose(None, &config, token);
    let why = Why::Variable("ANTHROPIC_AUTH_TOKEN");
    expect(chosen, "anthropic", "claude-haiku-5-5", anthropic, why);
    let openai = |name: &str| (name == "OPENAI_API_KEY").then(|| KEY.into());
    let chosen = choose(None, &config, openai);
    let why = Why::Variable("OPENAI_API_KEY");
    expect(chosen, "openai", "gpt-5-mini", Some("api.openai.com"), why);
    let url = |name: &str| (name == "OPENAI_BASE_URL").then(|| "http://localhost:8080".into());
    let chosen = choose(None, &config, url);
    let why = Why::Variable("OPENAI_BASE_URL");
    expect(chosen, "openai", "default", Some("localhost:8080"), why);
    let ollama = |name: &str| (name == "OLLAMA_HOST").then(|| "0.0.0.0".into());
    let chosen = choose(None, &config, ollama);
    let why = Why::Variable("OLLAMA_HOST");
    expect(chosen, "ollama", "default", Some("127.0.0.1:11434"), why);
}

#[test]
fn a_sealed_key_is_found_too() {
    let environment = Environment::with(nothing, None).unwrap();
    let sealed = |name: &str| (name == "openai").then(|| ApiKey::new(KEY.to_owned()).unwrap());
    let chosen = select(None, &Config::default(), &environment, &sealed);
    let why = Why::SealedKey("openai");
    expect(chosen, "openai", "gpt-5-mini", Some("api.openai.com"), why);
}

#[test]
fn a_name_counts_before_the_configuration_and_that_before_the_environment() {
    let mut config = Config {
        model: Some("ollama/qwen3:8b".into()),
        ..Config::default()
    };
    let keyed = |name: &str| (name == "ANTHROPIC_API_KEY").then(|| KEY.into());
    let here = Some("127.0.0.1:11434");
    expect(
        choose(None, &config, keyed),
        "ollama",
        "qwen3:8b",
        here,
        Why::Configured,
    );
    let chosen = choose(Some("claude-opus-5-5"), &config, keyed);
    let host = Some("api.anthropic.com");
    expect(chosen, "anthropic", "claude-opus-5-5", host, Why::Named);
    let provider = ProviderConfig {
        base_url: Some("https://lan.example:8443/v1".into()),
        model: Some("qwen/qwen3".into()),
        ..ProviderConfig::default()
    };
    config.providers.insert("lan".into(), provider);
    let lan = Some("lan.example:8443");
    expect(
        choose(Some("lan"), &config, nothing),
        "lan",
        "qwen/qwen3",
        lan,
        Why::Named,
    );
    let chosen = choose(Some("lan/meta/llama"), &config, nothing);
    expect(chosen, "lan", "meta/llama", lan, Why::Named);
    expect(
        choose(Some("offline"), &config, nothing),
        "offline",
        "offline",
        None,
        Why::Named,
    );
}

#[test]
fn what_cannot_be_chosen_says_why() {
    let mut config = Config::default();
    let error = refused(choose(Some("anthropic"), &config, nothing));
    assert!(
        matches!(error, ProviderError::NoKey { variable: Some(v), .. } if v == "ANTHROPIC_API_KEY")
    );
    let error = refused(choose(Some("openai/gpt-6"), &config, nothing));
    assert!(matches!(error, ProviderError::NoKey { .. }));
    for name in ["nobody/x", "qwen3", "", "/", "no\u{1b}body/x"] {
        let error = refused(choose(Some(name), &config, nothing));
        assert!(
            matches!(error, ProviderError::UnknownProvider { .. }),
            "{name}"
        );
        assert!(!error.to_string().contains('\u{1b}'));
    }
    config
        .providers
        .insert("bare".into(), ProviderConfig::default());
    let error = refused(choose(Some("bare/x"), &config, nothing));
    assert!(matches!(error, ProviderError::NoBaseUrl { .. }));
    let far = ProviderConfig {
        base_url: Some("http://far.example".into()),
        ..ProviderConfig::default()
    };
    config.providers.insert("far".into(), far);
    let error = refused(choose(Some("far/x"), &config, nothing));
    assert!(matches!(error, ProviderError::PlainHttp { .. }));
}

#[tokio::test]
async fn a_key_goes_only_to_the_provider_it_is_for() {
    let lookup = |name: &str| match name {
        "ANTHROPIC_API_KEY" | "ANTHROPIC_AUTH_TOKEN" | "OPENAI_API_KEY" => Some(KEY.into()),
        "MINE" => Some("sk-mine".into()),
        _ => None,
    };
    for kind in [
        ProviderKind::Anthropic,
        ProviderKind::OpenAi,
        ProviderKind::Ollama,
    ] {
        for key_env in [None, Some("MINE".to_owned())] {
            let server = Server::new(vec![]);
            let mut config = super::config(kind, &server.url());
            config.providers.get_mut("mine").unwrap().key_env = key_env.clone();
            ask(&choose(Some("mine/m"), &config, lookup)
                .map_err(|e| e.to_string())
                .unwrap())
            .await;
            let asked = &server.asked()[0];
            let sent = asked.header("x-api-key").or(asked.header("authorization"));
            let sent = sent.map(|value| value.trim_start_matches("Bearer "));
            assert_eq!(sent, key_env.map(|_| "sk-mine"), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn a_key_and_a_token_are_never_sent_together() {
    for (set, header, beta) in [
        (
            (|n| (n == "ANTHROPIC_API_KEY" || n == "ANTHROPIC_AUTH_TOKEN").then(|| KEY.into()))
                as fn(&str) -> Option<OsString>,
            "x-api-key",
            None,
        ),
        (
            |n| (n == "ANTHROPIC_AUTH_TOKEN").then(|| KEY.into()),
            "authorization",
            None,
        ),
        (
            |n| (n == "ANTHROPIC_AUTH_TOKEN").then(|| "sk-ant-oat01-x".into()),
            "authorization",
            Some("oauth-2025-04-20"),
        ),
    ] {
        let server = Server::new(vec![]);
        let mut config = Config::default();
        let provider = ProviderConfig {
            base_url: Some(server.url()),
            ..ProviderConfig::default()
        };
        config.providers.insert("anthropic".into(), provider);
        ask(&choose(Some("anthropic/m"), &config, set)
            .map_err(|e| e.to_string())
            .unwrap())
        .await;
        let asked = &server.asked()[0];
        for name in ["x-api-key", "authorization"] {
            assert_eq!(asked.header(name).is_some(), name == header);
        }
        assert_eq!(asked.header("anthropic-beta"), beta);
    }
}

#[test]
fn hosts_of_the_usual_places_are_told_from_this_machine() {
    assert!(is_local_host("127.0.0.1:11434") && is_local_host("localhost:8080"));
    assert!(!is_local_host("api.anthropic.com"));
}
