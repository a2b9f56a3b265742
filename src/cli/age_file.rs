//! Exports as age files (<https://age-encryption.org/v1>), where the build has the crate for it.

#[cfg(feature = "age")]
pub(super) use with_age::{lock, open, seal};
#[cfg(not(feature = "age"))]
pub(super) use without_age::{lock, open, seal};

#[cfg(feature = "age")]
mod with_age {
    use std::fs::File;
    use std::io::Write;
    use std::path::Path;

    use crate::cli::args::ExportArgs;
    use crate::cli::attach;
    use crate::cli::failure::Failure;
    use crate::cli::secret_input::ask_hidden;
    use crate::transfer::{AgeSink, Exported, Key, Lock, Source, open_age};

    /// For whom the file is to be, if it is to be an age file.
    pub(in crate::cli) fn lock(args: &ExportArgs) -> Result<Option<Lock<'_>>, Failure> {
        if let Some(recipient) = &args.age {
            return Ok(Some(Lock::Recipient(recipient)));
        }
        if !args.age_passphrase {
            return Ok(None);
        }
        let first = ask_hidden("Passphrase of the age file: ")?;
        let second = ask_hidden("Once more: ")?;
        if *first != *second || first.is_empty() {
            return Err(Failure::AgePassphrase);
        }
        Ok(Some(Lock::Passphrase(first)))
    }

    /// Writes through age into `sink`, and gives the sink back.
    pub(in crate::cli) fn seal<W: Write>(
        sink: W,
        lock: Lock<'_>,
        write: &mut dyn FnMut(&mut dyn Write) -> Result<Exported, Failure>,
    ) -> Result<(Exported, W), Failure> {
        let mut sealed = AgeSink::new(sink, lock)?;
        let done = write(&mut sealed)?;
        Ok((done, sealed.finish()?))
    }

    /// Opens an age file with an identity, or with a passphrase that is asked for.
    pub(in crate::cli) fn open(
        file: File,
        identity: Option<&Path>,
    ) -> Result<Box<dyn Source>, Failure> {
        let Some(path) = identity else {
            let passphrase = ask_hidden("Passphrase of the age file: ")?;
            return Ok(Box::new(open_age(file, Key::Passphrase(passphrase))?));
        };
        let text = attach::text(path)?;
        let line = text
            .lines()
            .find(|line| line.starts_with("AGE-SECRET-KEY-"));
        Ok(Box::new(open_age(
            file,
            Key::Identity(line.unwrap_or_default()),
        )?))
    }
}

#[cfg(not(feature = "age"))]
mod without_age {
    use std::convert::Infallible;
    use std::fs::File;
    use std::io::Write;
    use std::path::Path;

    use crate::cli::args::ExportArgs;
    use crate::cli::failure::Failure;
    use crate::transfer::{Exported, Source};

    pub(in crate::cli) fn lock(args: &ExportArgs) -> Result<Option<Infallible>, Failure> {
        if args.age.is_some() || args.age_passphrase {
            return Err(Failure::WithoutAge);
        }
        Ok(None)
    }

    pub(in crate::cli) fn seal<W: Write>(
        _sink: W,
        lock: Infallible,
        _write: &mut dyn FnMut(&mut dyn Write) -> Result<Exported, Failure>,
    ) -> Result<(Exported, W), Failure> {
        match lock {}
    }

    pub(in crate::cli) fn open(
        _file: File,
        _identity: Option<&Path>,
    ) -> Result<Box<dyn Source>, Failure> {
        Err(Failure::WithoutAge)
    }
}
