//! Where the vault, the configuration file and the witness lie.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::environment::Environment;
use super::error::ConfigError;

/// The name of a vault among several: one path component, never hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile(String);

impl Profile {
    const BYTES_MAX: usize = 64;
}

impl Default for Profile {
    fn default() -> Self {
        Profile("default".into())
    }
}

impl FromStr for Profile {
    type Err = ConfigError;

    fn from_str(name: &str) -> Result<Self, ConfigError> {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let sound = (1..=Self::BYTES_MAX).contains(&name.len())
            && name.chars().all(plain)
            && !name.starts_with(['.', '-']);
        if sound {
            Ok(Profile(name.to_owned()))
        } else {
            Err(ConfigError::BadProfile {
                name: name.chars().take(Self::BYTES_MAX).collect(),
            })
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The places of one run, all absolute; none need exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    pub profile: Profile,
    pub state_dir: PathBuf,
    /// Where the vaults of all profiles lie.
    pub profiles_dir: PathBuf,
    pub config_file: PathBuf,
    pub witness_dir: PathBuf,
}

impl Paths {
    /// What the command line says counts before the environment, and that before the defaults; a
    /// state directory counts before a profile.
    pub fn new(
        environment: &Environment,
        state_dir: Option<&Path>,
        profile: Option<&str>,
    ) -> Result<Self, ConfigError> {
        let base = environment.directories.as_ref();
        let base = base.ok_or(ConfigError::NoHome)?;
        let profile = match profile.or(environment.profile.as_deref()) {
            Some(name) => name.parse()?,
            None => Profile::default(),
        };
        let state_dir = match state_dir.or(environment.state_dir.as_deref()) {
            Some(dir) => absolute(dir)?,
            None => base.data.join("agent").join(&profile.0),
        };
        let config_file = match &environment.config_file {
            Some(file) => absolute(file)?,
            None => base.config.join("agent").join("config.toml"),
        };
        Ok(Paths {
            profile,
            state_dir,
            profiles_dir: base.data.join("agent"),
            config_file,
            witness_dir: base.state.join("agent").join("witness"),
        })
    }
}

fn absolute(path: &Path) -> Result<PathBuf, ConfigError> {
    std::path::absolute(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::environment::Directories;
    use super::*;

    fn directories() -> Option<Directories> {
        Some(Directories {
            data: "/h/data".into(),
            config: "/h/config".into(),
            state: "/h/state".into(),
        })
    }

    fn nothing(_: &str) -> Option<OsString> {
        None
    }

    fn all(name: &str) -> Option<OsString> {
        match name {
            "AGENT_STATE_DIR" => Some("/elsewhere".into()),
            "AGENT_PROFILE" => Some("work".into()),
            "AGENT_CONFIG" => Some("/etc/agent.toml".into()),
            _ => None,
        }
    }

    #[test]
    fn defaults_lie_in_the_base_directories() {
        let environment = Environment::with(nothing, directories()).unwrap();
        let paths = Paths::new(&environment, None, None).unwrap();
        assert_eq!(paths.state_dir, Path::new("/h/data/agent/default"));
        assert_eq!(paths.config_file, Path::new("/h/config/agent/config.toml"));
        assert_eq!(paths.witness_dir, Path::new("/h/state/agent/witness"));
        let paths = Paths::new(&environment, None, Some("work")).unwrap();
        assert_eq!(paths.state_dir, Path::new("/h/data/agent/work"));
    }

    #[test]
    fn the_command_line_counts_before_the_environment() {
        let environment = Environment::with(all, directories()).unwrap();
        let paths = Paths::new(&environment, None, None).unwrap();
        assert_eq!(paths.state_dir, Path::new("/elsewhere"));
        assert_eq!(paths.config_file, Path::new("/etc/agent.toml"));
        assert_eq!(paths.profile.to_string(), "work");
        let paths = Paths::new(&environment, Some(Path::new("here")), Some("home")).unwrap();
        assert!(paths.state_dir.is_absolute() && paths.state_dir.ends_with("here"));
        assert_eq!(paths.profile.to_string(), "home");
    }

    #[test]
    fn without_a_home_nothing_is_guessed() {
        let environment = Environment::with(all, None).unwrap();
        let error = Paths::new(&environment, None, None).unwrap_err();
        assert!(matches!(error, ConfigError::NoHome));
    }

    #[test]
    fn a_profile_is_one_visible_path_component() {
        for name in ["default", "a", "work-2", "v1.2", "père", &"x".repeat(64)] {
            assert!(name.parse::<Profile>().is_ok(), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            ".hidden",
            "a/b",
            "a\\b",
            "-x",
            "a b",
            "a\0",
            "a\n",
            &"x".repeat(65),
        ] {
            assert!(name.parse::<Profile>().is_err(), "{name:?}");
        }
    }
}
