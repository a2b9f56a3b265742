//! The names of the settings, with a line about each, for help, documentation and error messages.

use super::error::ConfigError;

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// `NAME` stands for the name of a provider.
    pub name: &'static str,
    pub about: &'static str,
}

const fn key(name: &'static str, about: &'static str) -> KeyInfo {
    KeyInfo { name, about }
}

/// Every setting there is.
pub const KEYS: &[KeyInfo] = &[
    key("model", "the model to talk to, as provider/model"),
    key("max_tokens", "the longest reply, in tokens"),
    key(
        "temperature",
        "sampling temperature; newer models refuse it, so unset by default",
    ),
    key(
        "window_messages",
        "how many of the last messages go to the model",
    ),
    key(
        "window_tokens",
        "how many tokens of the conversation go to the model",
    ),
    key("memory.facts", "how many facts go into a prompt"),
    key(
        "memory.preferences",
        "how many preferences go into a prompt",
    ),
    key("memory.outcomes", "how many past outcomes are considered"),
    key(
        "memory.outcomes_shown",
        "how many of those go into a prompt",
    ),
    key(
        "memory.tokens",
        "how many tokens of memory go into a prompt",
    ),
    key(
        "memory.model",
        "the model that looks through what was said and tidies; unset means the one talked to",
    ),
    key(
        "memory.extract",
        "when what was said is looked through at the end: never, chat or always (ask too)",
    ),
    key(
        "memory.extract_seconds",
        "how long leaving waits for that at the most",
    ),
    key(
        "memory.by_project",
        "whether what is learnt in a git work tree comes up there alone: true or false",
    ),
    key(
        "idle_lock_minutes",
        "idle minutes until chat locks itself; 0 means never",
    ),
    key(
        "lock_wait_seconds",
        "how long to wait for another process that holds the vault",
    ),
    key(
        "purge_after",
        "when deleted things are really removed, like 30d; unset means by hand",
    ),
    key(
        "timeouts.connect_seconds",
        "how long connecting to a provider may take",
    ),
    key(
        "timeouts.first_byte_seconds",
        "how long a provider may take to begin its answer",
    ),
    key(
        "timeouts.idle_seconds",
        "how long a provider may fall silent in the middle of an answer",
    ),
    key("timeouts.total_seconds", "how long a whole answer may take"),
    key(
        "markdown",
        "whether replies are drawn as Markdown on a terminal: true or false",
    ),
    key(
        "monthly_limit",
        "US dollars a month above which every request is asked about; unset means no limit",
    ),
    key(
        "large_request_tokens",
        "a request of more tokens is asked about first; 0 means never",
    ),
    key("consent", "hosts that words may go to without a question"),
    key(
        "meaning.model",
        "finds by meaning too: provider/model, or the directory of a model's files",
    ),
    key(
        "tls_ca_file",
        "a PEM file of certificates to trust besides the ones built in",
    ),
    key(
        "providers.NAME.kind",
        "what the provider speaks: anthropic, openai or ollama",
    ),
    key("providers.NAME.base_url", "where the provider is"),
    key(
        "providers.NAME.key_env",
        "the environment variable that holds its key",
    ),
    key(
        "providers.NAME.model",
        "the model meant where only the provider is named",
    ),
    key(
        "providers.NAME.context_tokens",
        "the largest context to ask an Ollama server for",
    ),
];

pub(super) const PROVIDER_MEMBERS: &[&str] =
    &["kind", "base_url", "key_env", "model", "context_tokens"];

/// The error for a name that is no setting: a secret in the wrong place, or a slip of the pen.
pub(super) fn unknown(name: &str, line: Option<usize>) -> ConfigError {
    let key: String = name.chars().filter(|c| !c.is_control()).take(128).collect();
    if looks_secret(&key) {
        return ConfigError::SecretInFile { key, line };
    }
    let nearest = nearest(&key);
    ConfigError::UnknownKey { key, line, nearest }
}

fn looks_secret(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let last: String = last
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    ["key", "token", "secret", "password", "passphrase", "bearer"]
        .iter()
        .any(|word| last.ends_with(word))
}

fn nearest(name: &str) -> Option<String> {
    let provider = name
        .strip_prefix("providers.")
        .and_then(|rest| rest.split('.').next());
    let candidates = KEYS.iter().map(|key| match provider {
        Some(provider) => key.name.replace("NAME", provider),
        None => key.name.to_owned(),
    });
    // A slip is a letter or two, or the table left out.
    let slips_max = (name.chars().count() / 3).max(2);
    candidates
        .map(|candidate| {
            let whole = distance(name, &candidate);
            let last = candidate.rsplit('.').next().unwrap_or(&candidate);
            (whole.min(distance(name, last) + 1), candidate)
        })
        .min()
        .filter(|(slips, _)| *slips <= slips_max)
        .map(|(_, candidate)| candidate)
}

/// How many letters make one word of another (Levenshtein); for words of at most 128 characters.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::super::settings::Config;
    use super::*;

    #[test]
    fn every_listed_key_has_a_place_and_every_place_is_listed() {
        let mut config = Config::default();
        for key in KEYS {
            let name = key.name.replace("NAME", "mine");
            assert!(config.place(&name).is_some(), "{name}");
        }
        let members = KEYS
            .iter()
            .filter_map(|key| key.name.strip_prefix("providers.NAME."));
        assert!(members.eq(PROVIDER_MEMBERS.iter().copied()));
    }

    #[test]
    fn a_slip_finds_its_key() {
        for (slip, key) in [
            ("modle", "model"),
            ("max_token", "max_tokens"),
            ("windows_messages", "window_messages"),
            ("facts", "memory.facts"),
            ("connect_seconds", "timeouts.connect_seconds"),
            ("providers.ollama.base_ulr", "providers.ollama.base_url"),
        ] {
            assert_eq!(nearest(slip).as_deref(), Some(key), "{slip}");
        }
        assert_eq!(nearest("entirely_something_else"), None);
    }

    #[test]
    fn a_key_in_clear_is_told_from_a_slip() {
        for name in [
            "api_key",
            "providers.openai.apiKey",
            "auth_token",
            "providers.x.key",
        ] {
            let error = unknown(name, Some(3));
            assert!(matches!(error, ConfigError::SecretInFile { .. }), "{name}");
            assert!(error.to_string().contains("agent keys set"));
        }
        assert!(matches!(
            unknown("keys_file", None),
            ConfigError::UnknownKey { .. }
        ));
    }
}
