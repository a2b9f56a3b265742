//! The same words in SQLite's full-text search, in clear; and in SQLCipher's, where that is there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::history::texts;

const TABLE: &str = "create virtual table found using fts5(words, content='', \
    tokenize='porter unicode61')";
const ASK: &str = "select rowid from found where found match ?1 order by rank limit 10";
const FILL: &str = "insert into found (rowid, words) select id, words from given.said";

/// An index that holds no texts, which is the fastest that FTS5 can be built.
pub struct Fts5 {
    connection: Connection,
    given: PathBuf,
    path: PathBuf,
    pub building: Duration,
}

impl Fts5 {
    /// Builds it from a table of texts, in one transaction.
    pub fn build(dir: &Path, count: u64) -> Fts5 {
        let given = dir.join("given.db");
        let mut source = Connection::open(&given).unwrap();
        let transaction = source.transaction().unwrap();
        transaction
            .execute("create table said (id integer primary key, words text)", [])
            .unwrap();
        let mut insert = transaction
            .prepare("insert into said values (?1, ?2)")
            .unwrap();
        for (n, text) in texts(count).enumerate() {
            insert
                .execute(params![n as i64 + 1, text.as_str()])
                .unwrap();
        }
        drop(insert);
        transaction.commit().unwrap();
        let path = dir.join("fts5.db");
        let connection = Connection::open(&path).unwrap();
        let attach = format!("attach '{}' as given", given.display());
        connection.execute(&attach, []).unwrap();
        let start = Instant::now();
        connection.execute(TABLE, []).unwrap();
        connection.execute(FILL, []).unwrap();
        let building = start.elapsed();
        Fts5 {
            connection,
            given,
            path,
            building,
        }
    }

    pub fn ask(&self, words: &str) -> Duration {
        let any = any_of(words);
        let mut asking = self.connection.prepare(ASK).unwrap();
        let start = Instant::now();
        let found = asking.query_map([any], |row| row.get::<_, i64>(0)).unwrap();
        assert!(found.count() > 0);
        start.elapsed()
    }

    pub fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).unwrap().len()
    }

    /// The same in SQLCipher, by the program of that name; none where it is not installed or was
    /// built without FTS5.
    pub fn ciphered(&self, dir: &Path, questions: &[&str]) -> Option<Ciphered> {
        let key =
            "pragma key = \"x'2dd29ca851e7b56e4697b0e1f08507293d761a05ce4d1b628663f411a8086d99'\";";
        let shell = |script: &str| {
            let mut child = Command::new("sqlcipher")
                .arg(dir.join("ciphered.db"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .ok()?;
            child.stdin.take()?.write_all(script.as_bytes()).ok()?;
            let said = child.wait_with_output().ok()?;
            let fine = said.stderr.is_empty() && said.status.success();
            fine.then(|| String::from_utf8_lossy(&said.stdout).into_owned())
        };
        let given = self.given.display();
        let built = shell(&format!(
            "{key}\nattach '{given}' as given key '';\n{TABLE};\n.timer on\n{FILL};\n"
        ))?;
        let mut script = format!("{key}\n.timer on\n");
        for words in questions {
            let asked = ASK.replace("?1", &format!("'{}'", any_of(words)));
            (0..5).for_each(|_| script.push_str(&format!("{asked};\n")));
        }
        let said = times_ms(&shell(&script)?);
        Some(Ciphered {
            building_ms: *times_ms(&built).first()?,
            best_ms: said
                .chunks_exact(5)
                .map(|times| times.iter().copied().fold(f64::MAX, f64::min))
                .collect(),
        })
    }
}

/// What SQLCipher took, by its own clock.
pub struct Ciphered {
    pub building_ms: f64,
    /// The quickest of five, by question.
    pub best_ms: Vec<f64>,
}

fn times_ms(said: &str) -> Vec<f64> {
    let seconds = said
        .lines()
        .filter_map(|line| line.strip_prefix("Run Time: real "))
        .filter_map(|rest| rest.split(' ').next()?.parse::<f64>().ok());
    seconds.map(|seconds| 1e3 * seconds).collect()
}

fn any_of(words: &str) -> String {
    words.split(' ').collect::<Vec<_>>().join(" OR ")
}
