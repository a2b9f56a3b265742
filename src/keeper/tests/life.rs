//! When a keeper locks itself, and that nothing it promised is lost by it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::client::ask_once;
use super::super::protocol::{Reply, Request, Status};
use super::*;
use crate::seal::VaultKey;
use crate::store::{Expected, Name, Purpose};
use crate::vault::{RemoteError, VaultError};

fn status(keeper: &Running) -> Status {
    match ask_once(&keeper.stream(), &Request::Status) {
        Ok(Some(Reply::Status(status))) => status,
        other => panic!("{other:?}"),
    }
}

fn is_locked<T>(outcome: Result<T, VaultError>) -> bool {
    matches!(outcome, Err(VaultError::Remote(RemoteError::Locked)))
}

#[test]
fn status_and_watching_do_not_prolong_and_use_does() {
    let keeper = Running::start(&fresh(), Times::default());
    let mut client = keeper.client();
    let first = status(&keeper);
    assert_eq!((first.pid, first.clients), (std::process::id(), 2));
    let until_less_than = |client: &mut Client, ms: u64| loop {
        client.refresh().unwrap();
        client.read(0).unwrap();
        let left = status(&keeper).idle_left_ms;
        if left < ms {
            return left;
        }
    };
    let less = until_less_than(&mut client, first.idle_left_ms.saturating_sub(20));
    client.append(&[numbered(1)]).unwrap();
    let after = status(&keeper);
    assert!(after.idle_left_ms > less);
    assert!(after.limit_left_ms < first.limit_left_ms);
}

#[test]
fn without_use_it_locks_itself() {
    let times = Times {
        idle: Duration::from_millis(60),
        ..Times::default()
    };
    let keeper = Running::start(&fresh(), times);
    let mut client = keeper.client();
    assert_eq!(keeper.end(), Reason::Idle);
    assert!(is_locked(client.read(0)) && is_locked(client.append(&[numbered(1)])));
}

#[test]
fn after_its_time_it_locks_itself_in_spite_of_use() {
    let times = Times {
        limit: Duration::from_millis(100),
        ..Times::default()
    };
    let keeper = Running::start(&fresh(), times);
    let mut client = keeper.client();
    let mut promised = 0;
    while let Ok(end) = client.append(&[numbered(promised)]) {
        promised = end.seq as usize;
    }
    assert!(promised > 0);
    assert_eq!(keeper.end(), Reason::Limit);
}

#[test]
fn it_locks_itself_when_asked() {
    let keeper = Running::start(&fresh(), Times::default());
    let mut client = keeper.client();
    let reply = ask_once(&keeper.stream(), &Request::Lock);
    assert!(matches!(reply, Ok(Some(Reply::Done))));
    assert_eq!(keeper.end(), Reason::Asked);
    assert!(is_locked(client.refresh()));
}

/// Puts a header under another key in the place of the vault's, as a rekey ends.
fn rekey(store: &VolatileStore) {
    let vault = open(store);
    let mut header = vault.header().clone();
    header.generation += 1;
    let foreign = VaultKey::draw(header.vault).unwrap();
    let sealed = header.seal(&foreign).unwrap();
    let lock = store.exclusive(Purpose::Rekey, wait()).unwrap();
    store
        .replace(&lock, &Name::Header, Expected::Anything, &sealed)
        .unwrap();
}

#[test]
fn new_keys_lock_it_whoever_asks() {
    let store = fresh();
    let keeper = Running::start(&store, Times::default());
    let mut client = keeper.client();
    rekey(&store);
    let outcome = client.append(&[numbered(1)]);
    assert!(matches!(
        outcome,
        Err(VaultError::Rekeyed | VaultError::Remote(RemoteError::Locked))
    ));
    assert_eq!(keeper.end(), Reason::Rekeyed);
}

#[test]
fn new_keys_lock_it_though_nobody_asks() {
    let store = fresh();
    let keeper = Running::start(&store, Times::default());
    // It has looked at the header once.
    assert_eq!(status(&keeper).clients, 1);
    rekey(&store);
    assert_eq!(keeper.end(), Reason::Rekeyed);
}

#[test]
fn a_lock_amid_appends_loses_nothing_that_was_promised() {
    let store = fresh();
    let keeper = Running::start(&store, Times::default());
    let started = AtomicUsize::new(0);
    let promised: Vec<usize> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let mut client = keeper.client();
                let started = &started;
                scope.spawn(move || {
                    let mut done = Vec::new();
                    for n in 0..10_000 {
                        let number = writer * 10_000 + n;
                        match client.append(&[numbered(number)]) {
                            Ok(_) => done.push(number),
                            Err(error) => {
                                assert!(matches!(error, VaultError::Remote(_)), "{error}");
                                break;
                            }
                        }
                        started.fetch_add(1, Ordering::Relaxed);
                    }
                    done
                })
            })
            .collect();
        while started.load(Ordering::Relaxed) < 200 {
            std::thread::yield_now();
        }
        keeper.shared.stop(Reason::Signal);
        let done = writers.into_iter().map(|writer| writer.join().unwrap());
        done.flatten().collect()
    });
    assert_eq!(keeper.end(), Reason::Signal);
    let mut vault = open(&store);
    let there = numbers(&mut vault);
    let mut sorted = there.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), there.len(), "none twice");
    assert!(promised.len() >= 200);
    assert!(promised.iter().all(|n| sorted.binary_search(n).is_ok()));
    assert!(vault.verify(&mut |_, _| {}).unwrap().is_whole());
}
