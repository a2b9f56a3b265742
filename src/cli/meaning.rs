//! Search by meaning: which model the settings name, and what may be shown to it. `agent index`.

use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::args::IndexArgs;
use super::consent::{self, Circumstances, Purpose};
use super::failure::Failure;
use super::output::{Meter, print_json, print_line};
use super::settings::sealed_keys;
use super::shell::{Shell, sealed_key};
use super::talk;
use crate::chat::{Buffer, ChatError, Load, Opening, Recall, Session};
use crate::keeper::Opened;
use crate::model::Surface;
use crate::provider::{Embeddings, Why, embeddings, is_local_host};
use crate::recall::Merging;
use crate::recall::index::Progress;
use crate::recall::meaning::{EmbedError, Embedder};
use crate::vault::{ProviderKeys, View};

/// Texts that are sent at once.
const BATCH: usize = 32;
/// A question waits so long for its vector; what is asked by its words alone waits for nothing.
const QUESTION_SECONDS_MAX: u64 = 10;
/// What leaving a chat waits for at the most.
const LEAVING_SECONDS_MAX: u64 = 2;

const HOW: &str = "agent config set meaning.model names one: provider/model of a server that makes \
    vectors of texts, or the directory of a model's files; then agent index";

/// The model that the settings name.
enum Named {
    Files(std::path::PathBuf),
    Server(Box<Embeddings>),
}

fn named(shell: &Shell, keys: &ProviderKeys) -> Result<Option<Named>, Failure> {
    let Some(model) = shell.config.meaning_model.as_deref() else {
        return Ok(None);
    };
    if Path::new(model).is_absolute() {
        return Ok(Some(Named::Files(model.into())));
    }
    let sealed = |name: &str| sealed_key(keys, name);
    let server = embeddings(model, &shell.config, &shell.environment, &sealed)?;
    Ok(Some(Named::Server(Box::new(server))))
}

impl Named {
    fn host(&self) -> Option<&str> {
        match self {
            Named::Files(_) => None,
            Named::Server(server) => Some(server.host()),
        }
    }

    /// How it is made ready, which takes its time: only once it is needed.
    fn load(self) -> Load {
        Box::new(move || match self {
            Named::Files(directory) => load_files(&directory),
            Named::Server(server) => Ok(Box::new(ByServer::new(*server)?)),
        })
    }
}

#[cfg(feature = "local-embeddings")]
fn load_files(directory: &Path) -> Result<Box<dyn Embedder>, EmbedError> {
    let loaded = crate::recall::meaning::local::LocalModel::load(directory);
    Ok(Box::new(
        loaded.map_err(|error| EmbedError::Model(error.into()))?,
    ))
}

#[cfg(not(feature = "local-embeddings"))]
fn load_files(_: &Path) -> Result<Box<dyn Embedder>, EmbedError> {
    Err(EmbedError::NoFiles)
}

/// A model on a server, asked from a thread of its own, since whoever asks may be within a runtime.
struct ByServer {
    server: Embeddings,
    name: String,
    runtime: Option<Runtime>,
}

impl ByServer {
    fn new(server: Embeddings) -> Result<Self, EmbedError> {
        let built = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Ok(ByServer {
            name: server.name(),
            server,
            runtime: Some(built.map_err(|error| EmbedError::Model(error.into()))?),
        })
    }
}

impl Drop for ByServer {
    fn drop(&mut self) {
        // Dropped as it is, a runtime must not be within another.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Embedder for ByServer {
    fn model(&self) -> &str {
        &self.name
    }

    fn host(&self) -> Option<&str> {
        Some(self.server.host())
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let runtime = self.runtime.as_ref().expect("taken only on drop");
        let asked = self.server.embed(texts);
        let made = thread::scope(|scope| {
            let asking = scope.spawn(|| match texts.len() {
                1 => {
                    let seconds = Duration::from_secs(QUESTION_SECONDS_MAX);
                    runtime.block_on(async { timeout(seconds, asked).await })
                }
                _ => Ok(runtime.block_on(asked)),
            });
            asking.join()
        });
        match made {
            Ok(Ok(Ok(vectors))) => Ok(vectors),
            Ok(Ok(Err(error))) => Err(EmbedError::Model(error.into())),
            Ok(Err(elapsed)) => Err(EmbedError::Model(elapsed.into())),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Has a sitting find by meaning too, if a model is named and may be shown words.
pub(super) fn attach(shell: &Shell, session: &mut Session, keys: &ProviderKeys) {
    if let Some(load) = load(shell, &session.buffer.fold, keys) {
        session.understand_with(load);
    }
}

/// The same for a search, which opens no sitting.
pub(super) fn attach_to(
    shell: &Shell,
    recall: &mut Recall,
    vault: &mut Opened,
) -> Result<(), Failure> {
    if shell.config.meaning_model.is_none() {
        return Ok(());
    }
    let keys = vault.provider_keys()?;
    let buffer = View::load(vault, Buffer::default())?;
    if let Some(load) = load(shell, &buffer.fold, &keys) {
        recall.understand_with(load);
    }
    Ok(())
}

/// The model, if one is named. Why there is none all the same is told, and nothing else fails by it.
fn load(shell: &Shell, buffer: &Buffer, keys: &ProviderKeys) -> Option<Load> {
    allowed(shell, buffer, keys).unwrap_or_else(|error| {
        shell.note(&format!("warning: nothing is found by meaning: {error}"));
        None
    })
}

fn allowed(shell: &Shell, buffer: &Buffer, keys: &ProviderKeys) -> Result<Option<Load>, Failure> {
    let Some(named) = named(shell, keys)? else {
        return Ok(None);
    };
    if !consent::is_given_for(shell, buffer, named.host()) {
        let host = named.host().unwrap_or_default().to_owned();
        return Err(Failure::NoConsent { host });
    }
    Ok(Some(named.load()))
}

/// Tells once why questions are asked by their words alone.
pub(super) fn say_fault(shell: &Shell, fault: Option<EmbedError>) {
    if let Some(fault) = fault {
        let failure = Failure::from(ChatError::from(fault));
        shell.note(&format!(
            "warning: found by words alone: {}",
            failure.in_one_line()
        ));
    }
}

/// A model on this machine, for measuring.
pub(super) fn local(shell: &Shell) -> Result<Option<Box<dyn Embedder>>, Failure> {
    let named = named(shell, &ProviderKeys::default())?;
    let here = named.filter(|named| named.host().is_none_or(is_local_host));
    let load = here.map(Named::load);
    Ok(load
        .map(|load| load())
        .transpose()
        .map_err(ChatError::from)?)
}

#[derive(Serialize)]
struct Report {
    passages: u32,
    by_meaning: Option<u32>,
}

/// `agent index`: brings the index to the end of the log, and the vectors of the model that is
/// named to the end of the index.
pub(super) fn index(shell: &Shell, args: &IndexArgs) -> Result<ExitCode, Failure> {
    let mut vault = shell.open_to_write()?;
    let keys = vault.provider_keys()?;
    let settings = talk::settings(shell, &super::args::Talk::default(), Surface::Chat);
    let mut session = talk::session(shell, Box::new(vault), settings, Opening::New)?;
    session.settle_index(Merging::All)?;
    let named = named(shell, &keys)?;
    let mut made = None;
    if let Some(named) = named {
        let circumstances = Circumstances {
            why: &Why::Configured,
            yes: args.yes,
            one_shot: false,
        };
        consent::obtain_for(
            shell,
            &mut session,
            (named.host(), Purpose::Meaning),
            &circumstances,
        )?;
        session.understand_with(named.load());
        let mut meter = Meter::new("finding meanings", shell.shows_progress());
        let progress = session.embed(&mut |at: Progress| {
            meter.show(u64::from(at.rows), u64::from(at.passages));
            true
        });
        meter.end();
        made = progress?;
    }
    let passages = session.passages();
    if shell.global.json {
        let by_meaning = made.map(|made| made.rows);
        print_json(&Report {
            passages,
            by_meaning,
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    match made {
        Some(made) => print_line(&format!(
            "{passages} passages are found by their words, {} by their meaning too",
            made.rows
        ))?,
        None => {
            print_line(&format!("{passages} passages are found by their words"))?;
            shell.note(&format!("To find by meaning too: {HOW}."));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes vectors of what was said, as far as that is quickly done; a failure is told and costs
/// nothing.
pub(super) fn at_the_end(shell: &Shell, session: &mut Session) {
    let since = Instant::now();
    let most = Duration::from_secs(LEAVING_SECONDS_MAX);
    if let Err(error) = session.embed(&mut |_| since.elapsed() < most) {
        shell.note(&format!("warning: {error}"));
    }
}

/// What `agent doctor` says of it: how it is switched on, or what is wrong.
pub(super) fn advice(shell: &Shell) -> Result<Option<(String, String)>, Failure> {
    let keys = sealed_keys(shell)?;
    let wrong = |what: String| {
        let advice = format!("{HOW}; agent config unset meaning.model switches it off");
        Some((what, advice))
    };
    Ok(match named(shell, &keys) {
        Ok(None) => None,
        Ok(Some(Named::Files(directory))) if !directory.is_dir() => wrong(format!(
            "{}, the model of meaning, is no directory",
            directory.display()
        )),
        Ok(Some(Named::Files(_))) if !cfg!(feature = "local-embeddings") => {
            wrong(EmbedError::NoFiles.to_string())
        }
        Ok(Some(_)) => None,
        Err(Failure::Chat(ChatError::Provider(error))) => wrong(error.to_string()),
        Err(other) => return Err(other),
    })
}

/// How search by meaning is switched on, where it is off.
pub(super) fn invitation(shell: &Shell) -> Option<String> {
    let off = shell.config.meaning_model.is_none();
    off.then(|| format!("Search goes by words. To find by meaning too: {HOW}."))
}
