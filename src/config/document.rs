//! Reads `config.toml` strictly and changes single values in it, comments and order kept.

use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use toml_edit::{Array, Document, DocumentMut, Item, Table, TableLike, Value};

use super::error::ConfigError;
use super::keys;
use super::settings::{Config, Given};

/// Far more than every setting needs; a larger file is something else.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads the settings; a file that does not exist leaves them all at their defaults.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    parse(path, &text_of(path)?)
}

/// Sets one value in the file, which is made if it does not exist: written beside it, synced and
/// renamed, owner only. Lists are given with commas.
pub fn set(path: &Path, key: &str, value: &str) -> Result<(), ConfigError> {
    let mut scratch = Config::default();
    let wrong = |expected| ConfigError::WrongValue {
        key: key.to_owned(),
        line: None,
        expected,
    };
    let mut field = scratch.place(key).ok_or_else(|| keys::unknown(key, None))?;
    let given = field.given(value);
    field.put(&given).map_err(wrong)?;
    change(path, |root| put(root, key, item(&given)))
}

/// Removes one value from the file, so that its default counts again.
pub fn unset(path: &Path, key: &str) -> Result<(), ConfigError> {
    if Config::default().place(key).is_none() {
        return Err(keys::unknown(key, None));
    }
    change(path, |root| {
        let mut parts: Vec<&str> = key.split('.').collect();
        let last = parts.pop().unwrap_or(key);
        let mut table: Option<&mut dyn TableLike> = Some(root);
        for part in parts {
            table = table
                .and_then(|table| table.get_mut(part))
                .and_then(Item::as_table_like_mut);
        }
        if let Some(table) = table {
            table.remove(last);
        }
    })
}

fn change(path: &Path, edit: impl FnOnce(&mut Table)) -> Result<(), ConfigError> {
    let text = text_of(path)?;
    parse(path, &text)?;
    let mut document: DocumentMut = text.parse().map_err(|e| syntax(path, &text, &e))?;
    edit(document.as_table_mut());
    let text = document.to_string();
    parse(path, &text)?;
    // A file kept elsewhere and linked here stays there.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    replace(&target, text.as_bytes()).map_err(|source| ConfigError::Write {
        path: path.to_owned(),
        source,
    })
}

fn put(root: &mut Table, key: &str, mut item: Item) {
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().unwrap_or(key);
    let mut table: &mut dyn TableLike = root;
    for part in parts {
        let entry = table.entry(part).or_insert_with(|| {
            let mut fresh = Table::new();
            // `[providers]` alone would be an empty heading.
            fresh.set_implicit(true);
            Item::Table(fresh)
        });
        table = entry
            .as_table_like_mut()
            .expect("the file was read with every table in its place");
    }
    // What stands around the old value (comments above and behind it) stays.
    if let (Some(Item::Value(old)), Item::Value(new)) = (table.get(last), &mut item) {
        *new.decor_mut() = old.decor().clone();
    }
    match table.get_mut(last) {
        Some(old) => *old = item,
        None => drop(table.insert(last, item)),
    }
}

fn item(given: &Given<'_>) -> Item {
    let value: Value = match given {
        Given::Word(word) => (*word).into(),
        Given::Integer(n) => (*n).into(),
        Given::Decimal(n) => (*n).into(),
        Given::Flag(flag) => (*flag).into(),
        Given::Words(words) => words.iter().copied().collect::<Array>().into(),
        Given::Other => unreachable!("a field takes none of these"),
    };
    Item::Value(value)
}

fn text_of(path: &Path) -> Result<String, ConfigError> {
    let read = |source| ConfigError::Read {
        path: path.to_owned(),
        source,
    };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(read(error)),
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(read)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(ConfigError::TooLarge {
            path: path.to_owned(),
            limit_bytes: FILE_BYTES_MAX,
        });
    }
    Ok(text)
}

fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let document = Document::parse(text).map_err(|error| syntax(path, text, &error))?;
    let mut config = Config::default();
    walk(&mut config, text, "", document.as_table())?;
    Ok(config)
}

fn walk(
    config: &mut Config,
    text: &str,
    above: &str,
    table: &dyn TableLike,
) -> Result<(), ConfigError> {
    for (name, item) in table.iter() {
        let key = match above {
            "" => name.to_owned(),
            above => format!("{above}.{name}"),
        };
        let span = table.key(name).and_then(toml_edit::Key::span);
        let line = span.or(item.span()).map(|span| place(text, &span).0);
        let Some(mut field) = config.place(&key) else {
            match item.as_table_like() {
                Some(inner) if is_table(&key) => walk(config, text, &key, inner)?,
                _ => return Err(keys::unknown(&key, line)),
            }
            continue;
        };
        field
            .put(&given(item))
            .map_err(|expected| ConfigError::WrongValue {
                key,
                line,
                expected,
            })?;
    }
    Ok(())
}

fn is_table(key: &str) -> bool {
    let mut parts = key.split('.');
    let first = parts.next().unwrap_or(key);
    match parts.count() {
        0 => ["meaning", "memory", "timeouts", "providers"].contains(&first),
        1 => first == "providers",
        _ => false,
    }
}

fn given(item: &Item) -> Given<'_> {
    let words = |array: &'_ Array| array.iter().all(Value::is_str);
    match item.as_value() {
        Some(Value::String(word)) => Given::Word(word.value()),
        Some(Value::Integer(n)) => Given::Integer(*n.value()),
        Some(Value::Boolean(flag)) => Given::Flag(*flag.value()),
        Some(Value::Float(n)) => Given::Decimal(*n.value()),
        Some(Value::Array(array)) if words(array) => {
            Given::Words(array.iter().filter_map(Value::as_str).collect())
        }
        _ => Given::Other,
    }
}

/// The parser's own message quotes the line, and with it perhaps a key: only the place is kept.
fn syntax(path: &Path, text: &str, error: &toml_edit::TomlError) -> ConfigError {
    let (line, column) = place(text, &error.span().unwrap_or(0..0));
    ConfigError::Syntax {
        path: path.to_owned(),
        line,
        column,
    }
}

fn place(text: &str, span: &Range<usize>) -> (usize, usize) {
    let before = &text.as_bytes()[..span.start.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
    (line, column)
}

fn replace(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = target.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    let temp = temp_beside(target);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temp)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&temp, target));
    if written.is_err() {
        // The first error is the one that counts.
        let _ = fs::remove_file(&temp);
    }
    written?;
    fs::File::open(dir)?.sync_all()
}

fn temp_beside(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    // Every `RandomState` differs; a leftover of a killed process is not in the way.
    let unique = RandomState::new().build_hasher().finish();
    target.with_file_name(format!(".{name}.{unique:016x}.tmp"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::settings::ProviderKind;
    use super::*;

    fn read(text: &str) -> Result<Config, ConfigError> {
        parse(Path::new("config.toml"), text)
    }

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        replace(&path, text.as_bytes()).unwrap();
        (dir, path)
    }

    #[test]
    fn no_file_is_all_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let config = load(&dir.path().join("none").join("config.toml")).unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(config.window_messages, 20);
        assert_eq!((config.memory.facts, config.memory.preferences), (50, 30));
        assert_eq!(
            (config.memory.outcomes, config.memory.outcomes_shown),
            (20, 5)
        );
    }

    #[test]
    fn every_shape_of_value_is_read() {
        let config = read(
            r#"
            model = "lan/qwen3"
            temperature = 1
            purge_after = "4w"
            consent = ["api.anthropic.com"]
            memory.facts = 7
            [timeouts]
            idle_seconds = 9
            [providers.lan]
            kind = "openai"
            base_url = "http://10.0.0.2:8000/v1"
            key_env = "LAN_KEY"
            [providers.ollama]
            context_tokens = 65536
            "#,
        )
        .unwrap();
        assert_eq!(config.model.as_deref(), Some("lan/qwen3"));
        assert_eq!(config.temperature, Some(1.0));
        assert_eq!(config.purge_after_days, Some(28));
        assert_eq!(config.memory.facts, 7);
        assert_eq!(config.timeouts.idle_seconds, 9);
        assert_eq!(config.timeouts.connect_seconds, 5);
        assert_eq!(config.providers["lan"].kind, Some(ProviderKind::OpenAi));
        assert_eq!(config.key_variables().collect::<Vec<_>>(), ["LAN_KEY"]);
        assert_eq!(
            config.value("providers.ollama.context_tokens").unwrap(),
            Some("65536".into())
        );
        assert_eq!(config.value("providers.none.model").unwrap(), None);
        assert!(config.value("providers.none.modle").is_err());
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_line_and_never_quoted() {
        for (text, says) in [
            (
                "\nmodle = \"sk-1\"",
                "line 2: `modle` is not a setting (the nearest is `model`)",
            ),
            (
                "max_tokens = \"sk-1\"",
                "line 1: `max_tokens` is not a whole number from 1 to",
            ),
            (
                "max_tokens = 0",
                "line 1: `max_tokens` is not a whole number from 1 to",
            ),
            (
                "model = \"a\\u001bsk-1\"",
                "line 1: `model` is not a line of text",
            ),
            ("purge_after = \"sk-1\"", "`purge_after` is not a time like"),
            (
                "[memory]\nfact = 1",
                "line 2: `memory.fact` is not a setting (the nearest is `memory.facts`)",
            ),
            (
                "[providers.openai]\napi_key = \"sk-1\"",
                "line 2: `providers.openai.api_key` looks like a secret",
            ),
            (
                "[providers.openai]\nkey_env = \"sk-1\"",
                "line 2: `providers.openai.key_env` is not the name of",
            ),
            (
                "[providers.x]\nkey_env = \"AGENT_PASSPHRASE\"",
                "`providers.x.key_env` is not the name of",
            ),
            (
                "[providers.x.y.z]\nq = 1",
                "`providers.x.y` is not a setting",
            ),
            (
                "[providers.offline]\nmodel = \"m\"",
                "`providers.offline.model` is not a setting",
            ),
            ("model = sk-1", "config.toml is not TOML: line 1, column 9"),
            ("memory = 3", "line 1: `memory` is not a setting"),
            ("consent = [1]", "line 1: `consent` is not a list"),
            (
                "temperature = nan",
                "line 1: `temperature` is not a number from 0 to 2",
            ),
        ] {
            let error = read(text).expect_err(text);
            let shown = error.to_string();
            assert!(shown.contains(says), "{text}: {shown}");
            assert!(!format!("{shown} {error:?}").contains("sk-1"), "{shown}");
        }
    }

    #[test]
    fn setting_a_value_keeps_comments_order_and_everything_else() {
        let (_dir, path) =
            written("# mine\nmodel = \"offline\" # for now\n\n[memory]\n# few\nfacts = 3\n");
        set(&path, "model", "anthropic/claude-haiku-5-5").unwrap();
        set(&path, "memory.preferences", "4").unwrap();
        set(&path, "providers.lan.base_url", "http://localhost:8080").unwrap();
        set(&path, "consent", "a.example, b.example").unwrap();
        insta::assert_snapshot!(fs::read_to_string(&path).unwrap(), @r#"
        # mine
        model = "anthropic/claude-haiku-5-5" # for now
        consent = ["a.example", "b.example"]

        [memory]
        # few
        facts = 3
        preferences = 4

        [providers.lan]
        base_url = "http://localhost:8080"
        "#);
        unset(&path, "memory.facts").unwrap();
        unset(&path, "providers.none.model").unwrap();
        let config = load(&path).unwrap();
        assert_eq!(config.memory.facts, 50);
        assert_eq!(config.memory.preferences, 4);
        assert_eq!(config.consent, ["a.example", "b.example"]);
    }

    #[test]
    fn a_value_that_does_not_fit_leaves_the_file_as_it_was() {
        let text = "model = \"offline\"\n";
        let (dir, path) = written(text);
        for (key, value) in [
            ("max_tokens", "many"),
            ("max_tokens", "-1"),
            ("modle", "x"),
            ("providers.openai.api_key", "sk-1"),
            ("model", "a\nb"),
        ] {
            assert!(set(&path, key, value).is_err(), "{key}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_file_is_not_replaced() {
        let (_dir, path) = written("model = \n");
        assert!(matches!(
            set(&path, "model", "offline"),
            Err(ConfigError::Syntax { line: 1, .. })
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), "model = \n");
    }

    #[test]
    fn the_file_is_the_owners_alone_and_a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("dotfiles").join("agent.toml");
        set(&real, "max_tokens", "100").unwrap();
        let mode = fs::metadata(&real).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let link = dir.path().join("config.toml");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        set(&link, "max_tokens", "200").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(load(&real).unwrap().max_tokens, 200);
    }

    #[test]
    fn a_file_of_another_size_is_not_read() {
        let (_dir, path) = written(&"#".repeat(FILE_BYTES_MAX as usize + 1));
        assert!(matches!(load(&path), Err(ConfigError::TooLarge { .. })));
    }
}
