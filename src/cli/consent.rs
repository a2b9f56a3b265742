//! Words leave for another host only with the person's word.

use super::failure::Failure;
use super::output::{complain, stdin_is_terminal};
use super::secret_input::{has_terminal, is_sure};
use super::shell::{Shell, now};
use crate::chat::{Buffer, Session};
use crate::memory::detect_secrets;
use crate::model::{Consent, Record};
use crate::provider::{Provider, Why, is_local_host};

/// How a command came to its model, and whether it may ask.
pub(super) struct Circumstances<'a> {
    pub why: &'a Why,
    /// `--yes`
    pub yes: bool,
    /// `ask`: a question on a terminal, or a script.
    pub one_shot: bool,
}

/// What words are wanted for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Answers,
    Meaning,
}

impl Purpose {
    fn told(self, host: &str) -> String {
        match self {
            Purpose::Answers => format!(
                "To answer, {host} gets what you write, this conversation's last messages, and \
                 notes from your memory and history that bear on it. Everything on this machine \
                 stays sealed."
            ),
            Purpose::Meaning => format!(
                "To find by meaning, {host} gets every message of every conversation, once, and \
                 what you search for; not what is private to this machine, nor what looks like a \
                 secret, nor items of memory."
            ),
        }
    }
}

/// Makes sure that words may go to the provider's host, asking once where that is not known yet.
/// The answer is kept in the vault.
pub(super) fn obtain(
    shell: &Shell,
    session: &mut Session,
    provider: &dyn Provider,
    circumstances: &Circumstances<'_>,
) -> Result<(), Failure> {
    let whom = (provider.host(), Purpose::Answers);
    obtain_for(shell, session, whom, circumstances)
}

/// The same for any host that words are sent to.
pub(super) fn obtain_for(
    shell: &Shell,
    session: &mut Session,
    (host, purpose): (Option<&str>, Purpose),
    circumstances: &Circumstances<'_>,
) -> Result<(), Failure> {
    let Some(host) = host.filter(|host| !is_local_host(host)) else {
        return Ok(());
    };
    let refused = || Failure::NoConsent {
        host: host.to_owned(),
    };
    if is_given_for(shell, &session.buffer.fold, Some(host)) {
        return Ok(());
    }
    if circumstances.yes {
        complain(&format!("note: this goes to {host}"));
        return Ok(());
    }
    if circumstances.one_shot && !has_terminal() {
        // A script: its author named the model, or nobody did.
        if matches!(circumstances.why, Why::Named | Why::Configured) {
            complain(&format!("note: this goes to {host}"));
            return Ok(());
        }
        return Err(refused());
    }
    if !has_terminal() {
        return Err(refused());
    }
    complain(&purpose.told(host));
    let granted = is_sure(&format!("Send to {host} from now on?"))?;
    let consent = Consent {
        at: now(),
        host: host.to_owned(),
        granted,
    };
    session.append(&[Record::Consent(consent)])?;
    if granted { Ok(()) } else { Err(refused()) }
}

/// Whether words may go to the provider's host without a question.
pub(super) fn is_given(shell: &Shell, session: &Session, provider: &dyn Provider) -> bool {
    is_given_for(shell, &session.buffer.fold, provider.host())
}

/// Whether words may go to a host without a question.
pub(super) fn is_given_for(shell: &Shell, buffer: &Buffer, host: Option<&str>) -> bool {
    let Some(host) = host.filter(|host| !is_local_host(host)) else {
        return true;
    };
    let configured = shell.config.consent.iter().any(|allowed| allowed == host);
    configured || buffer.consent(host) == Some(true)
}

/// Warns before a line with a secret in it leaves for another host; who sits at a terminal may
/// still keep it back.
pub(super) fn look_for_secrets(provider: &dyn Provider, typed: &str) -> Result<(), Failure> {
    let Some(host) = provider.host().filter(|host| !is_local_host(host)) else {
        return Ok(());
    };
    let kinds = detect_secrets(typed);
    if kinds.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    let names = names.join(" and ");
    complain(&format!(
        "warning: this looks like {names}, on its way to {host}"
    ));
    let asks = has_terminal() && stdin_is_terminal();
    match !asks || is_sure("Send it even so?")? {
        true => Ok(()),
        false => Err(Failure::KeptBack),
    }
}
