//! Clients that speak out of turn, and keepers that lie.

use std::io::{Read, Write};

use super::super::fault::Fault;
use super::super::message;
use super::super::protocol::{Answer, Reply, Request, VERSION};
use super::super::{CLIENTS_MAX, KeeperError};
use super::*;
use crate::vault::{RemoteError, VaultError};

fn ask(mut stream: &UnixStream, request: &Request, payload: &[u8]) -> Option<Reply> {
    message::write(&mut stream, request, payload).unwrap();
    let answer = message::receive::<Answer>(stream, None, |_| 1 << 20).unwrap();
    answer.map(|(answer, _)| answer.reply)
}

fn hello(vault: VaultId) -> Request {
    Request::Hello {
        version: VERSION,
        vault: vault.0,
        wait_ms: u64::MAX,
    }
}

fn is_over(mut stream: &UnixStream) -> bool {
    stream.read(&mut [0]).is_ok_and(|read| read == 0)
}

#[test]
fn nothing_is_answered_before_a_hello_but_status() {
    let keeper = Running::start(&fresh(), Times::default());
    let stream = keeper.stream();
    assert!(matches!(
        ask(&stream, &Request::Status, &[]),
        Some(Reply::Status(_))
    ));
    let reply = ask(&stream, &Request::Read { after: 0 }, &[]);
    assert!(matches!(reply, Some(Reply::Fault(Fault::Misunderstood))));
    assert!(is_over(&stream));
}

#[test]
fn another_version_and_another_vault_are_told_apart() {
    let keeper = Running::start(&fresh(), Times::default());
    let other = Request::Hello {
        version: VERSION + 1,
        vault: keeper.vault.0,
        wait_ms: 0,
    };
    let reply = ask(&keeper.stream(), &other, &[]);
    assert!(matches!(reply, Some(Reply::Fault(Fault::OtherVersion))));
    let outcome = Client::on(keeper.stream(), VaultId([1; 16]), wait());
    assert!(outcome.is_err());
}

#[test]
fn garbage_ends_one_connection_and_no_other() {
    let keeper = Running::start(&fresh(), Times::default());
    let mut client = keeper.client();
    for garbage in [
        b"GET / HTTP/1.1\r\n\r\n".as_slice(),
        &[0; 64],
        &[0xff; 64],
        b"\0\0\0\x02\0\0\0\0{}",
        b"\0\0\0\x06\xff\xff\xff\xff\"Lock\"",
    ] {
        let mut stream = keeper.stream();
        stream.write_all(garbage).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).ok();
    }
    assert_eq!(client.append(&[numbered(1)]).unwrap().seq, 1);
}

#[test]
fn what_is_no_record_never_reaches_the_log() {
    let keeper = Running::start(&fresh(), Times::default());
    for line in [
        b"no json".as_slice(),
        b"{}",
        b"",
        b"{\"type\":\"purged\"\n}",
    ] {
        let stream = keeper.stream();
        assert!(matches!(
            ask(&stream, &hello(keeper.vault), &[]),
            Some(Reply::Condition(_))
        ));
        let lines = [Zeroizing::new(line.to_vec())];
        let payload = super::super::protocol::put_lines(&lines);
        let reply = ask(&stream, &Request::Append, &payload);
        assert!(matches!(reply, Some(Reply::Fault(Fault::Misunderstood))));
        assert!(is_over(&stream));
    }
    assert_eq!(keeper.client().refresh().unwrap().seq, 0);
}

#[test]
fn one_client_too_many_is_told_so() {
    let keeper = Running::start(&fresh(), Times::default());
    let mut clients: Vec<Client> = (0..CLIENTS_MAX).map(|_| keeper.client()).collect();
    let one_more = || Client::on(keeper.stream(), keeper.vault, wait());
    assert!(matches!(one_more(), Err(KeeperError::Busy { .. })));
    assert_eq!(clients[0].append(&[numbered(1)]).unwrap().seq, 1);
    clients.pop();
    let seated = loop {
        match one_more() {
            Err(KeeperError::Busy { .. }) => std::thread::yield_now(),
            other => break other,
        }
    };
    assert!(seated.unwrap().is_some());
}

/// A client whose keeper answers the hello, then does `act` with the next request.
fn with_liar(act: impl FnOnce(&UnixStream) + Send + 'static) -> Client {
    let (ours, theirs) = UnixStream::pair().unwrap();
    std::thread::spawn(move || {
        let stream = theirs;
        message::receive::<Request>(&stream, None, Request::payload_max).unwrap();
        say(
            &stream,
            Reply::Condition(super::super::Condition::default().into()),
            &[],
        );
        message::receive::<Request>(&stream, None, Request::payload_max).unwrap();
        act(&stream);
    });
    let client = Client::on(ours, VaultId([0; 16]), wait());
    client.unwrap().unwrap()
}

fn say(mut stream: &UnixStream, reply: Reply, payload: &[u8]) {
    let answer = Answer {
        epoch: [0; 16],
        reply,
    };
    message::write(&mut stream, &answer, payload).unwrap();
}

fn remote<T>(outcome: Result<T, VaultError>) -> RemoteError {
    match outcome {
        Err(VaultError::Remote(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("an answer"),
    }
}

#[test]
fn a_keeper_that_goes_under_way_leaves_an_append_open_and_a_read_locked() {
    let mut client = with_liar(|_| {});
    assert_eq!(
        remote(client.append(&[numbered(1)])),
        RemoteError::Unanswered
    );
    assert_eq!(remote(client.append(&[numbered(1)])), RemoteError::Locked);
    let mut client = with_liar(|_| {});
    assert_eq!(remote(client.read(0)), RemoteError::Locked);
    assert_eq!(remote(client.refresh()), RemoteError::Locked);
}

#[test]
fn an_answer_to_something_else_is_not_taken() {
    let mut client = with_liar(|stream| say(stream, Reply::Done, &[]));
    assert_eq!(remote(client.read(0)), RemoteError::Misunderstood);
    let mut client = with_liar(|mut stream| stream.write_all(&[0; 64]).unwrap());
    assert_eq!(remote(client.read(0)), RemoteError::Misunderstood);
    let mut client = with_liar(|stream| say(stream, Reply::Entries, &[1, 2, 3]));
    assert_eq!(remote(client.read(0)), RemoteError::Misunderstood);
    let mut client = with_liar(|stream| say(stream, Reply::Bytes { found: true }, b"no json"));
    assert!(matches!(
        client.provider_keys(),
        Err(VaultError::FoldState(_))
    ));
}
