//! Checks every byte of a vault, and what can be known without a passphrase.

use std::collections::BTreeSet;

use super::assess::checkpoint_head;
use super::error::{Damage, DamageKind, Rollback, VaultError};
use super::{Vault, part_of};
use crate::model::FoldName;
use crate::seal::{EpochId, Header, Segment, SlotKind, VaultId};
use crate::store::{Dir, Name, Part, Store};

/// One thing that `verify` has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Damage(Damage),
    Rollback(Rollback),
    /// A checkpoint or another file that can be made again does not open.
    Rebuildable(String),
    /// The copy of the header is not the header.
    HeaderCopy,
    /// Bytes behind the last record that belong to none: a write that was cut short.
    TornEnd,
    /// A file that the format does not name.
    Stranger(String),
    /// An epoch that is not the live one.
    OtherEpoch(EpochId),
}

impl Finding {
    /// Whether something is wrong, rather than merely to be tidied up.
    pub fn is_error(&self) -> bool {
        matches!(
            self,
            Finding::Damage(_) | Finding::Rollback(_) | Finding::HeaderCopy
        )
    }
}

/// What `verify` saw.
#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    pub records: u64,
    pub segments: u64,
    pub bytes: u64,
    pub findings: Vec<Finding>,
}

impl VerifyReport {
    pub fn is_whole(&self) -> bool {
        !self.findings.iter().any(Finding::is_error)
    }
}

impl Vault {
    /// Opens every frame, link, segment, checkpoint and index file. `progress` is told how many
    /// bytes of how many are done.
    pub fn verify(
        &mut self,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<VerifyReport, VaultError> {
        let store = self.store.clone();
        let agree = store.shared(self.wait)?;
        self.reread()?;
        let files = store.list(self.log.dir())?;
        drop(agree);
        let total = files.iter().map(|found| found.bytes).sum();
        let mut report = VerifyReport {
            bytes: total,
            ..VerifyReport::default()
        };
        let mut done = 0;
        for found in &files {
            let Name::In(_, part) = found.name else {
                continue;
            };
            self.verify_file(found.name, part, &mut report)?;
            done += found.bytes;
            progress(done, total);
        }
        self.verify_chain(&mut report)?;
        self.verify_around(&mut report)?;
        Ok(report)
    }

    fn verify_file(
        &mut self,
        name: Name,
        part: Part,
        report: &mut VerifyReport,
    ) -> Result<(), VaultError> {
        match part {
            // Read whole with the log; its findings are the log's.
            Part::Tail(_) | Part::HeaderCopy => {}
            Part::Segment(number) => {
                report.segments += 1;
                let Some(file) = self.store.read(&name)? else {
                    return Ok(());
                };
                let segment = Segment::open(&self.data, number, &file);
                match segment {
                    Ok(segment) if segment.verify(self.log.chain()).is_ok() => {
                        report.records += u64::from(segment.head.count);
                    }
                    _ => {
                        report.records +=
                            self.log.segment_entries(&self.data, number)?.len() as u64;
                    }
                }
            }
            Part::ConversationBuffer
            | Part::LongTermMemory
            | Part::Conversations
            | Part::IndexManifest
            | Part::IndexFile(_) => {
                let id = part.blob_id().expect("everything but a header is a blob");
                let file = self.store.read(&name)?;
                if file.is_some_and(|file| self.data.open(id, &file).is_err()) {
                    report.findings.push(Finding::Rebuildable(name.to_string()));
                }
            }
            Part::ProviderKeys => {
                if self.provider_keys().is_err() {
                    self.log.damaged(part, None, DamageKind::DoesNotOpen);
                }
            }
        }
        Ok(())
    }

    /// Holds each segment against the one before it, and checkpoints against the log.
    fn verify_chain(&mut self, report: &mut VerifyReport) -> Result<(), VaultError> {
        let mut before = Some(self.log.chain().start());
        let highest = self.log.highest();
        let numbers: Vec<u64> = self.log.numbers().collect();
        for number in numbers {
            if number == highest.0 && highest.1 {
                break;
            }
            let head = self.log.head(&self.data, number)?;
            match (head, before) {
                (Some(head), Some(before)) if head.before != before => {
                    let range = Some((before.seq + 1, head.before.seq.max(before.seq + 1)));
                    self.log
                        .damaged(Part::Segment(number), range, DamageKind::DoesNotFollow);
                }
                _ => {}
            }
            before = head.map(|head| head.after);
        }
        report.records += self.log.tail().map_or(0, |open| open.entries.len() as u64);
        for name in FoldName::ALL {
            let Some(head) = checkpoint_head(self.store.as_ref(), &self.data, name)? else {
                continue;
            };
            let there = self.log.position(&self.data, head.at.seq)?;
            if there.is_some_and(|there| there != head.at) {
                let file = Name::In(self.log.dir(), part_of(name)).to_string();
                report.findings.push(Finding::Rebuildable(file));
            }
        }
        Ok(())
    }

    fn verify_around(&mut self, report: &mut VerifyReport) -> Result<(), VaultError> {
        if self.log.is_torn() {
            report.findings.push(Finding::TornEnd);
        }
        report
            .findings
            .extend(self.log.damage().iter().cloned().map(Finding::Damage));
        report
            .findings
            .extend(self.rollback.clone().map(Finding::Rollback));
        let live = Dir::Live(self.header.epoch);
        let copy = self
            .store
            .read(&Name::In(live, Part::HeaderCopy))?
            .unwrap_or_default();
        if copy != self.header.stored() {
            let behind = Header::parse(&copy).is_ok_and(|copy| {
                copy.verify(&self.key).is_ok() && copy.generation < self.header.generation
            });
            if !behind {
                report.findings.push(Finding::HeaderCopy);
            }
        }
        for dir in self.store.epochs()?.into_iter().filter(|dir| *dir != live) {
            report.findings.push(Finding::OtherEpoch(dir.epoch()));
        }
        let strangers = self.store.strangers()?;
        report
            .findings
            .extend(strangers.into_iter().map(Finding::Stranger));
        Ok(())
    }
}

/// What names, sizes and clear bytes tell, without a key.
pub struct Structure {
    pub vault: VaultId,
    pub epoch: EpochId,
    pub generation: u64,
    pub created: u64,
    /// Id, kind and label of each slot.
    pub slots: Vec<(String, SlotKind, String)>,
    pub segments: u64,
    pub log_bytes: u64,
    pub total_bytes: u64,
    /// What is out of place.
    pub findings: Vec<Finding>,
}

/// Looks at a vault without opening it.
pub fn structure(store: &dyn Store) -> Result<Structure, VaultError> {
    let (header, _) = match super::open::read_header(store)? {
        Some(found) => found,
        None if super::open::has_records(store)? => return Err(VaultError::HeaderMissing),
        None => return Err(VaultError::NoVault),
    };
    let live = Dir::Live(header.epoch);
    let files = store.list(live)?;
    let mut findings = Vec::new();
    let (mut sealed, mut tails) = (BTreeSet::new(), BTreeSet::new());
    let (mut segments, mut log_bytes, mut total_bytes) = (0, 0, 0);
    for found in &files {
        total_bytes += found.bytes;
        match found.name {
            Name::In(_, Part::Segment(number)) => {
                segments += 1;
                log_bytes += found.bytes;
                sealed.insert(number);
            }
            Name::In(_, Part::Tail(number)) => {
                log_bytes += found.bytes;
                tails.insert(number);
            }
            _ => {}
        }
    }
    // Of every number but the highest there is a segment, if there is a tail or not.
    let highest = sealed.last().max(tails.last()).copied().unwrap_or(0);
    let has_tail = tails.contains(&highest);
    for number in (1..=highest)
        .filter(|number| !sealed.contains(number) && (*number < highest || !has_tail))
        .take(1000)
    {
        findings.push(Finding::Damage(Damage {
            file: Name::In(live, Part::Segment(number)).to_string(),
            first_seq: None,
            last_seq: None,
            what: DamageKind::Missing,
        }));
    }
    if store.read(&Name::In(live, Part::HeaderCopy))?.as_deref() != Some(header.stored()) {
        findings.push(Finding::HeaderCopy);
    }
    for dir in store.epochs()?.into_iter().filter(|dir| *dir != live) {
        findings.push(Finding::OtherEpoch(dir.epoch()));
    }
    findings.extend(store.strangers()?.into_iter().map(Finding::Stranger));
    let slots = header
        .slots
        .iter()
        .map(|slot| (slot.id().to_string(), slot.kind(), slot.label()));
    Ok(Structure {
        vault: header.vault,
        epoch: header.epoch,
        generation: header.generation,
        created: header.created,
        slots: slots.collect(),
        segments,
        log_bytes,
        total_bytes,
        findings,
    })
}
