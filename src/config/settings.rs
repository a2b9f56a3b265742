//! The settings, their defaults, and the one table from a key's name to its place.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::error::ConfigError;
use super::keys;

/// Everything that `config.toml` may set.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `provider/model`; unset, the environment decides.
    pub model: Option<String>,
    pub max_tokens: u32,
    /// Sent only if set: newer models refuse it.
    pub temperature: Option<f64>,
    pub window_messages: u32,
    pub window_tokens: u32,
    pub memory: MemoryBudgets,
    /// 0: never.
    pub idle_lock_minutes: u32,
    pub lock_wait_seconds: u32,
    /// Unset: deleted things wait for `agent purge`.
    pub purge_after_days: Option<u32>,
    pub timeouts: Timeouts,
    /// Replies are drawn as Markdown on a terminal.
    pub markdown: bool,
    /// US dollars a month above which the person is asked.
    pub monthly_limit: Option<f64>,
    /// 0: never.
    pub large_request_tokens: u32,
    /// Hosts that words may go to without a question.
    pub consent: Vec<String>,
    /// Finds by meaning as well: `provider/model`, or a directory with the files of a model.
    pub meaning_model: Option<String>,
    /// PEM certificates trusted besides the ones built in.
    pub tls_ca_file: Option<PathBuf>,
    pub providers: BTreeMap<String, ProviderConfig>,
}

/// How much of the memory goes into a prompt, and how it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryBudgets {
    pub facts: u32,
    pub preferences: u32,
    pub outcomes: u32,
    pub outcomes_shown: u32,
    pub tokens: u32,
    /// Extracts and consolidates; unset, the model that is talked to.
    pub model: Option<String>,
    /// After what kind of session what was said is looked through.
    pub extract: When,
    /// The longest that leaving waits for it.
    pub extract_seconds: u32,
    /// What is learnt in a work tree of git comes up there alone.
    pub by_project: bool,
}

/// After which sessions something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Never,
    /// After a chat.
    Chat,
    /// After `ask` as well.
    Always,
}

/// How long to wait for a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub connect_seconds: u32,
    pub first_byte_seconds: u32,
    pub idle_seconds: u32,
    pub total_seconds: u32,
}

/// Which wire format a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    Anthropic,
    OpenAi,
    Ollama,
}

/// `[providers.NAME]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderConfig {
    /// Unset: what the name says, else `openai`.
    pub kind: Option<ProviderKind>,
    pub base_url: Option<String>,
    /// The environment variable that holds the key.
    pub key_env: Option<String>,
    /// The model that the provider's name alone stands for.
    pub model: Option<String>,
    /// The largest context to ask Ollama for.
    pub context_tokens: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            model: None,
            max_tokens: 4096,
            temperature: None,
            window_messages: 20,
            window_tokens: 24_000,
            memory: MemoryBudgets {
                facts: 50,
                preferences: 30,
                outcomes: 20,
                outcomes_shown: 5,
                tokens: 4000,
                model: None,
                extract: When::Chat,
                extract_seconds: 20,
                by_project: false,
            },
            idle_lock_minutes: 15,
            lock_wait_seconds: 10,
            purge_after_days: None,
            timeouts: Timeouts::default(),
            markdown: true,
            monthly_limit: None,
            large_request_tokens: 60_000,
            consent: Vec::new(),
            meaning_model: None,
            tls_ca_file: None,
            providers: BTreeMap::new(),
        }
    }
}

impl Default for Timeouts {
    /// Connecting as the vendors' own clients do; the rest leaves a local model time to load and
    /// to read a long prompt.
    fn default() -> Self {
        Timeouts {
            connect_seconds: 5,
            first_byte_seconds: 300,
            idle_seconds: 120,
            total_seconds: 1800,
        }
    }
}

impl ProviderKind {
    /// The kind that a name stands for when the configuration says nothing.
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "anthropic" => Some(ProviderKind::Anthropic),
            "openai" => Some(ProviderKind::OpenAi),
            "ollama" => Some(ProviderKind::Ollama),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            ProviderKind::Anthropic => "anthropic",
            ProviderKind::OpenAi => "openai",
            ProviderKind::Ollama => "ollama",
        }
    }
}

impl When {
    fn of_name(name: &str) -> Option<Self> {
        [When::Never, When::Chat, When::Always]
            .into_iter()
            .find(|when| when.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            When::Never => "never",
            When::Chat => "chat",
            When::Always => "always",
        }
    }
}

impl Config {
    /// The value of a key as text; `None` if it is unset.
    pub fn value(&self, key: &str) -> Result<Option<String>, ConfigError> {
        let field = self.clone().place(key).map(|field| field.show());
        field.ok_or_else(|| keys::unknown(key, None))
    }

    /// The environment variables that hold keys because the file says so; child processes must not
    /// see them.
    pub fn key_variables(&self) -> impl Iterator<Item = &str> {
        self.providers.values().filter_map(|p| p.key_env.as_deref())
    }

    /// Where a key's value lies. The one table of names; `None` is an unknown key.
    pub(super) fn place(&mut self, key: &str) -> Option<Field<'_>> {
        if let Some(rest) = key.strip_prefix("providers.") {
            let (name, member) = rest.split_once('.')?;
            if !is_provider_name(name) || !keys::PROVIDER_MEMBERS.contains(&member) {
                return None;
            }
            let provider = self.providers.entry(name.to_owned()).or_default();
            return provider.place(member);
        }
        let tokens = 1..=10_000_000;
        Some(match key {
            "model" => Field::Text(&mut self.model),
            "max_tokens" => Field::Number(&mut self.max_tokens, 1..=1_000_000),
            "temperature" => Field::Decimal(&mut self.temperature, 0.0..=2.0),
            "window_messages" => Field::Number(&mut self.window_messages, 1..=10_000),
            "window_tokens" => Field::Number(&mut self.window_tokens, tokens),
            "memory.facts" => Field::Number(&mut self.memory.facts, 0..=10_000),
            "memory.preferences" => Field::Number(&mut self.memory.preferences, 0..=10_000),
            "memory.outcomes" => Field::Number(&mut self.memory.outcomes, 0..=10_000),
            "memory.outcomes_shown" => Field::Number(&mut self.memory.outcomes_shown, 0..=10_000),
            "memory.tokens" => Field::Number(&mut self.memory.tokens, 0..=10_000_000),
            "memory.model" => Field::Text(&mut self.memory.model),
            "memory.extract" => Field::When(&mut self.memory.extract),
            "memory.extract_seconds" => Field::Number(&mut self.memory.extract_seconds, 1..=600),
            "memory.by_project" => Field::Flag(&mut self.memory.by_project),
            "idle_lock_minutes" => Field::Number(&mut self.idle_lock_minutes, 0..=10_080),
            "lock_wait_seconds" => Field::Number(&mut self.lock_wait_seconds, 0..=86_400),
            "purge_after" => Field::Days(&mut self.purge_after_days),
            "timeouts.connect_seconds" => {
                Field::Number(&mut self.timeouts.connect_seconds, 1..=86_400)
            }
            "timeouts.first_byte_seconds" => {
                Field::Number(&mut self.timeouts.first_byte_seconds, 1..=86_400)
            }
            "timeouts.idle_seconds" => Field::Number(&mut self.timeouts.idle_seconds, 1..=86_400),
            "timeouts.total_seconds" => Field::Number(&mut self.timeouts.total_seconds, 1..=86_400),
            "markdown" => Field::Flag(&mut self.markdown),
            "monthly_limit" => Field::Decimal(&mut self.monthly_limit, 0.0..=1e6),
            "large_request_tokens" => Field::Number(&mut self.large_request_tokens, 0..=10_000_000),
            "consent" => Field::List(&mut self.consent),
            "meaning.model" => Field::Text(&mut self.meaning_model),
            "tls_ca_file" => Field::Path(&mut self.tls_ca_file),
            _ => return None,
        })
    }
}

impl ProviderConfig {
    fn place(&mut self, member: &str) -> Option<Field<'_>> {
        Some(match member {
            "kind" => Field::Kind(&mut self.kind),
            "base_url" => Field::Text(&mut self.base_url),
            "key_env" => Field::Variable(&mut self.key_env),
            "model" => Field::Text(&mut self.model),
            "context_tokens" => Field::MaybeNumber(&mut self.context_tokens, 512..=10_000_000),
            _ => return None,
        })
    }
}

/// Provider names stand before the `/` of a model and in `[providers.NAME]`.
fn is_provider_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name != "offline"
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

/// A value as it comes, from the file or from a command line.
pub(super) enum Given<'a> {
    Word(&'a str),
    Integer(i64),
    Decimal(f64),
    Words(Vec<&'a str>),
    Flag(bool),
    /// Of a shape that no key has.
    Other,
}

/// The place of one value, and what may go there.
pub(super) enum Field<'a> {
    Text(&'a mut Option<String>),
    Variable(&'a mut Option<String>),
    Path(&'a mut Option<PathBuf>),
    Kind(&'a mut Option<ProviderKind>),
    When(&'a mut When),
    Number(&'a mut u32, RangeInclusive<u32>),
    MaybeNumber(&'a mut Option<u32>, RangeInclusive<u32>),
    Decimal(&'a mut Option<f64>, RangeInclusive<f64>),
    Days(&'a mut Option<u32>),
    Flag(&'a mut bool),
    List(&'a mut Vec<String>),
}

impl Field<'_> {
    /// Reads a command-line argument as this field wants it.
    pub(super) fn given<'t>(&self, text: &'t str) -> Given<'t> {
        match self {
            Field::Number(..) | Field::MaybeNumber(..) => {
                text.parse().map_or(Given::Other, Given::Integer)
            }
            Field::Decimal(..) => text.parse().map_or(Given::Other, Given::Decimal),
            Field::Flag(_) => text.parse().map_or(Given::Other, Given::Flag),
            Field::List(_) => {
                let words = text.split(',').map(str::trim);
                Given::Words(words.filter(|word| !word.is_empty()).collect())
            }
            _ => Given::Word(text),
        }
    }

    /// Puts a value in its place; says what would have been right if it does not fit.
    pub(super) fn put(&mut self, given: &Given<'_>) -> Result<(), String> {
        let fits = match (&mut *self, given) {
            (Field::Text(place), Given::Word(word)) if is_line(word) => {
                **place = Some((*word).to_owned());
                true
            }
            (Field::Path(place), Given::Word(word)) if is_line(word) => {
                **place = Some(PathBuf::from(word));
                true
            }
            (Field::Variable(place), Given::Word(word)) if is_variable(word) => {
                **place = Some((*word).to_owned());
                true
            }
            (Field::Kind(place), Given::Word(word)) => {
                **place = ProviderKind::of_name(word);
                place.is_some()
            }
            (Field::When(place), Given::Word(word)) => {
                let when = When::of_name(word);
                **place = when.unwrap_or(**place);
                when.is_some()
            }
            (Field::Number(place, range), Given::Integer(n)) => {
                within(*n, range).map(|n| **place = n).is_some()
            }
            (Field::MaybeNumber(place, range), Given::Integer(n)) => {
                **place = within(*n, range);
                place.is_some()
            }
            (Field::Decimal(place, range), Given::Decimal(n)) if range.contains(n) => {
                **place = Some(*n);
                true
            }
            (Field::Decimal(place, range), Given::Integer(n)) if range.contains(&(*n as f64)) => {
                **place = Some(*n as f64);
                true
            }
            (Field::Days(place), Given::Word(word)) => {
                **place = days(word);
                place.is_some()
            }
            (Field::Flag(place), Given::Flag(flag)) => {
                **place = *flag;
                true
            }
            (Field::List(place), Given::Words(words)) if words.iter().all(|w| is_line(w)) => {
                **place = words.iter().map(|word| (*word).to_owned()).collect();
                true
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(self.expected()) }
    }

    fn expected(&self) -> String {
        match self {
            Field::Text(_) | Field::Path(_) => "a line of text".into(),
            Field::Variable(_) => {
                "the name of an environment variable (the AGENT_ ones hold no keys)".into()
            }
            Field::Kind(_) => "`anthropic`, `openai` or `ollama`".into(),
            Field::When(_) => "`never`, `chat` or `always`".into(),
            Field::Number(_, range) | Field::MaybeNumber(_, range) => {
                format!("a whole number from {} to {}", range.start(), range.end())
            }
            Field::Decimal(_, range) => {
                format!("a number from {} to {}", range.start(), range.end())
            }
            Field::Days(_) => "a time like `30d` or `4w`".into(),
            Field::Flag(_) => "`true` or `false`".into(),
            Field::List(_) => "a list of lines of text".into(),
        }
    }

    fn show(&self) -> Option<String> {
        match self {
            Field::Text(place) | Field::Variable(place) => (*place).clone(),
            Field::Path(place) => place.as_ref().map(|path| path.display().to_string()),
            Field::Kind(place) => place.map(|kind| kind.name().to_owned()),
            Field::When(place) => Some(place.name().to_owned()),
            Field::Number(place, _) => Some(place.to_string()),
            Field::MaybeNumber(place, _) => place.map(|n| n.to_string()),
            Field::Decimal(place, _) => place.map(|n| n.to_string()),
            Field::Days(place) => place.map(|days| format!("{days}d")),
            Field::Flag(place) => Some(place.to_string()),
            Field::List(place) if place.is_empty() => None,
            Field::List(place) => Some(place.join(", ")),
        }
    }
}

fn within(n: i64, range: &RangeInclusive<u32>) -> Option<u32> {
    u32::try_from(n).ok().filter(|n| range.contains(n))
}

fn is_line(text: &str) -> bool {
    !text.is_empty() && text.len() <= 4096 && !text.chars().any(char::is_control)
}

/// A variable of ours is refused: `key_env = "AGENT_PASSPHRASE"` would send the passphrase away.
fn is_variable(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.starts_with("AGENT_")
}

fn days(text: &str) -> Option<u32> {
    let (number, factor) = match text.strip_suffix('d') {
        Some(number) => (number, 1),
        None => (text.strip_suffix('w')?, 7),
    };
    let days = number.parse::<u32>().ok()?.checked_mul(factor)?;
    (1..=36_500).contains(&days).then_some(days)
}
