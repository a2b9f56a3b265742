//! Words leave for another host only with the person's word.

use super::failure::Failure;
use super::output::complain;
use super::secret_input::{ask_key, has_terminal};
use super::shell::{Shell, now};
use crate::chat::Session;
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

/// Makes sure that words may go to the provider's host, asking once where that is not known yet.
/// The answer is kept in the vault.
pub(super) fn obtain(
    shell: &Shell,
    session: &mut Session,
    provider: &dyn Provider,
    circumstances: &Circumstances<'_>,
) -> Result<(), Failure> {
    let Some(host) = provider.host().filter(|host| !is_local_host(host)) else {
        return Ok(());
    };
    let refused = || Failure::NoConsent {
        host: host.to_owned(),
    };
    let configured = shell.config.consent.iter().any(|allowed| allowed == host);
    if configured || session.buffer.fold.consent(host) == Some(true) {
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
    complain(&format!(
        "To answer, {host} gets what you write, this conversation's last messages, and notes from \
         your memory and history that bear on it. Everything on this machine stays sealed."
    ));
    let granted = ask_key(&format!("Send to {host} from now on? [y/N] "), "yn", 'n')? == 'y';
    let consent = Consent {
        at: now(),
        host: host.to_owned(),
        granted,
    };
    session.append(&[Record::Consent(consent)])?;
    if granted { Ok(()) } else { Err(refused()) }
}
