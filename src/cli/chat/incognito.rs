//! A chat of which nothing is kept: for a while, and behind a lock.

use std::sync::{Arc, Mutex};

use super::super::failure::Failure;
use super::super::meaning;
use super::super::output::complain;
use super::super::talk;
use super::Chatting;
use super::commands::Outcome;
use crate::chat::{Opening, Settings};
use crate::keeper::Opened;
use crate::model::Surface;
use crate::vault::{Log, ScratchLog, SharedLog};

impl Chatting {
    pub(super) fn toggle_incognito(&mut self, how: &str) -> Result<Outcome, Failure> {
        let how = how.strip_prefix("with ").unwrap_or(how).trim();
        if !["", "memory"].contains(&how) {
            complain("/incognito reads nothing of the vault; /incognito memory reads it.");
        } else if let Some(session) = self.aside.take() {
            self.session = Some(session);
            (self.incognito, self.reads_memory) = (false, false);
            complain("Back in the vault; what was said in between is gone.");
        } else if self.incognito {
            complain("This chat has been incognito from its start.");
        } else {
            self.step_aside(how == "memory")?;
            complain(match self.reads_memory {
                true => {
                    "Incognito: what is remembered is read, and nothing from here on is kept \
                     anywhere; /incognito goes back."
                }
                false => "Incognito: nothing from here on is kept anywhere; /incognito goes back.",
            });
        }
        Ok(Outcome::Go)
    }

    /// Puts the session on the vault aside, and goes on in one that is kept nowhere.
    fn step_aside(&mut self, reads_memory: bool) -> Result<(), Failure> {
        let session = self.open_session()?;
        let settings = Settings {
            use_memory: reads_memory,
            learns: false,
            ..session.settings.clone()
        };
        let scratch = match reads_memory {
            true => {
                let meanwhile: Box<dyn Log> = Box::new(ScratchLog::default());
                let log = std::mem::replace(&mut session.log, meanwhile);
                let shared: SharedLog = Arc::new(Mutex::new(log));
                session.log = Box::new(shared.clone());
                let log = ScratchLog::over(Box::new(shared))?;
                talk::session(&self.shell, Box::new(log), settings, Opening::New)?
            }
            false => talk::incognito(settings)?,
        };
        self.aside = self.session.replace(scratch);
        (self.incognito, self.reads_memory) = (true, reads_memory);
        Ok(())
    }

    /// Goes on where it was when it was locked: what was incognito is gone, and goes on so.
    pub(super) fn go_on_with(&mut self, vault: Opened) -> Result<(), Failure> {
        let talk = &self.args.talk;
        let settings = talk::settings(&self.shell, talk, Surface::Chat)?;
        let mut session = match talk.with_memory {
            true => talk::incognito_on(&self.shell, vault, settings, talk)?,
            false => {
                let opening = Opening::This(self.conversation);
                let mut session = talk::session(&self.shell, Box::new(vault), settings, opening)?;
                meaning::attach(&self.shell, &mut session, &self.keys);
                session
            }
        };
        talk::take_role(&mut session, talk)?;
        self.session = Some(session);
        if self.incognito {
            complain("What was said incognito is gone; the chat goes on incognito.");
        }
        if self.incognito && !self.args.talk.incognito {
            self.step_aside(self.reads_memory)?;
        }
        Ok(())
    }
}
