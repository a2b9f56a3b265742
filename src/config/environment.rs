//! The environment, read through one function.
//!
//! Plain settings are a snapshot, taken once. Secrets are not kept: they are read when asked for.

use std::ffi::OsString;
use std::path::PathBuf;

use etcetera::BaseStrategy;
use zeroize::Zeroizing;

use super::error::ConfigError;
use super::secret::ApiKey;

/// What must be removed from the environment of every child process. To these come the variables
/// that the configuration names: [`super::Config::key_variables`].
pub const CHILD_MUST_NOT_SEE: &[&str] = &[
    "AGENT_PASSPHRASE",
    "AGENT_NEW_PASSPHRASE",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "OPENAI_API_KEY",
];

/// The base directories that the platform has for data, configuration and state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directories {
    pub data: PathBuf,
    pub config: PathBuf,
    pub state: PathBuf,
}

impl Directories {
    /// XDG on Linux, `~/Library` on macOS; `None` where there is no home.
    fn of_this_machine() -> Option<Self> {
        let base = etcetera::base_strategy::choose_native_strategy().ok()?;
        Some(Directories {
            data: base.data_dir(),
            config: base.config_dir(),
            // macOS has no place for state; a subdirectory of its own keeps the witness apart
            // from the vaults, which lie in `agent`.
            state: base
                .state_dir()
                .unwrap_or_else(|| base.data_dir().join("agent-state")),
        })
    }
}

/// The environment as it was when the program started.
pub struct Environment {
    /// `AGENT_STATE_DIR`
    pub state_dir: Option<PathBuf>,
    /// `AGENT_PROFILE`
    pub profile: Option<String>,
    /// `AGENT_CONFIG`, a file in place of the usual one.
    pub config_file: Option<PathBuf>,
    /// `AGENT_TRACE`
    pub trace: Option<String>,
    /// `NO_COLOR`, set to anything but nothing (no-color.org).
    pub no_color: bool,
    /// `TERM`
    pub term: Option<String>,
    /// `AGENT_PLAIN`, set to anything but nothing: text only, for screen readers.
    pub plain: bool,
    /// `VISUAL`, else `EDITOR`; a command line.
    pub editor: Option<OsString>,
    /// `PAGER`; a command line.
    pub pager: Option<OsString>,
    /// `ANTHROPIC_BASE_URL`
    pub anthropic_base_url: Option<String>,
    /// `OPENAI_BASE_URL`
    pub openai_base_url: Option<String>,
    /// `OLLAMA_HOST`, in any of the forms that Ollama takes.
    pub ollama_host: Option<String>,
    /// `XDG_RUNTIME_DIR`, a directory of this login alone.
    pub runtime_dir: Option<PathBuf>,
    /// `None` where there is no home.
    pub directories: Option<Directories>,
    lookup: fn(&str) -> Option<OsString>,
}

impl Environment {
    /// Takes the snapshot. An empty variable counts as one that is not set.
    pub fn read() -> Result<Self, ConfigError> {
        Self::with(variable, Directories::of_this_machine())
    }

    /// An environment of other values than the process has.
    pub fn with(
        lookup: fn(&str) -> Option<OsString>,
        directories: Option<Directories>,
    ) -> Result<Self, ConfigError> {
        let raw = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let text = |name: &str| raw(name).map(|value| unicode(name, value)).transpose();
        Ok(Environment {
            state_dir: raw("AGENT_STATE_DIR").map(PathBuf::from),
            profile: text("AGENT_PROFILE")?,
            config_file: raw("AGENT_CONFIG").map(PathBuf::from),
            trace: text("AGENT_TRACE")?,
            no_color: raw("NO_COLOR").is_some(),
            term: text("TERM")?,
            plain: raw("AGENT_PLAIN").is_some(),
            editor: raw("VISUAL").or_else(|| raw("EDITOR")),
            pager: raw("PAGER"),
            anthropic_base_url: text("ANTHROPIC_BASE_URL")?,
            openai_base_url: text("OPENAI_BASE_URL")?,
            ollama_host: text("OLLAMA_HOST")?,
            runtime_dir: raw("XDG_RUNTIME_DIR").map(PathBuf::from),
            directories,
            lookup,
        })
    }

    /// `AGENT_PASSPHRASE`, also where it is empty: what counts as a passphrase is not decided here.
    pub fn passphrase(&self) -> Result<Option<Zeroizing<String>>, ConfigError> {
        self.secret("AGENT_PASSPHRASE")
    }

    /// `AGENT_NEW_PASSPHRASE`, for `rekey` and `passwd`.
    pub fn new_passphrase(&self) -> Result<Option<Zeroizing<String>>, ConfigError> {
        self.secret("AGENT_NEW_PASSPHRASE")
    }

    /// The API key in a variable, if it is set and not empty.
    pub fn api_key(&self, variable: &str) -> Result<Option<ApiKey>, ConfigError> {
        self.secret(variable)?
            .filter(|value| !value.is_empty())
            .map(ApiKey::new)
            .transpose()
    }

    fn secret(&self, name: &str) -> Result<Option<Zeroizing<String>>, ConfigError> {
        (self.lookup)(name)
            .map(|value| unicode(name, value).map(Zeroizing::new))
            .transpose()
    }
}

fn unicode(name: &str, value: OsString) -> Result<String, ConfigError> {
    value.into_string().map_err(|value| {
        drop(Zeroizing::new(value.into_encoded_bytes()));
        ConfigError::NotUnicode {
            variable: name.to_owned(),
        }
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the environment is read"
)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn some(name: &str) -> Option<OsString> {
        match name {
            "EDITOR" => Some("ed".into()),
            "VISUAL" => Some("vi -e".into()),
            "NO_COLOR" | "AGENT_PROFILE" | "OPENAI_API_KEY" | "AGENT_PASSPHRASE" => Some("".into()),
            "ANTHROPIC_API_KEY" => Some("sk-1\n".into()),
            "BROKEN" => Some(OsString::from_vec(vec![b's', 0xff])),
            _ => None,
        }
    }

    #[test]
    fn an_empty_variable_is_not_set_except_for_a_passphrase() {
        let environment = Environment::with(some, None).unwrap();
        assert!(!environment.no_color);
        assert_eq!(environment.profile, None);
        assert!(environment.api_key("OPENAI_API_KEY").unwrap().is_none());
        assert_eq!(environment.passphrase().unwrap().unwrap().as_str(), "");
        assert!(environment.new_passphrase().unwrap().is_none());
    }

    #[test]
    fn visual_comes_before_editor_and_keys_are_trimmed() {
        let environment = Environment::with(some, None).unwrap();
        assert_eq!(environment.editor.as_deref(), Some("vi -e".as_ref()));
        let key = environment.api_key("ANTHROPIC_API_KEY").unwrap().unwrap();
        assert_eq!(key.expose(), "sk-1");
    }

    #[test]
    fn a_variable_that_is_not_utf8_is_named() {
        let environment = Environment::with(some, None).unwrap();
        let error = environment.api_key("BROKEN").err().expect("refused");
        assert!(error.to_string().contains("BROKEN"));
    }

    #[test]
    fn the_environment_of_this_process_is_read() {
        let environment = Environment::read().unwrap();
        assert_eq!(
            variable("PATH").is_some(),
            (environment.lookup)("PATH").is_some()
        );
        assert!(variable("PATH").is_some());
    }
}
