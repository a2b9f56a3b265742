//! How long a keeper stays unlocked.
//!
//! Readings are passed in, so that hours pass in a test without a wait.

use std::time::Duration;

/// Without use for so long, the keeper locks itself,
pub const IDLE: Duration = Duration::from_secs(15 * 60);
/// and after so long, used or not.
pub const LIMIT: Duration = Duration::from_secs(8 * 3600);
/// The two clocks differ by this much only if the machine slept in between.
const SLEPT: Duration = Duration::from_secs(2);

/// What a person set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    pub idle: Duration,
    pub limit: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            idle: IDLE,
            limit: LIMIT,
        }
    }
}

/// Both clocks at one moment: `elapsed` goes on while the machine sleeps, `awake` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub elapsed: Duration,
    pub awake: Duration,
}

impl Reading {
    #[cfg(target_os = "linux")]
    pub(super) fn now() -> Self {
        use rustix::time::{ClockId, clock_gettime};
        let read = |clock| {
            let at = clock_gettime(clock);
            let seconds = u64::try_from(at.tv_sec).unwrap_or(0);
            let nanos = u32::try_from(at.tv_nsec).unwrap_or(0);
            Duration::new(seconds, nanos)
        };
        // The one that can only run ahead is read last.
        let awake = read(ClockId::Monotonic);
        Reading {
            elapsed: read(ClockId::Boottime),
            awake,
        }
    }

    /// One clock: a sleep is not noticed here, and the limits count from waking hours.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn now() -> Self {
        let at = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let since = Duration::new(
            u64::try_from(at.tv_sec).unwrap_or(0),
            u32::try_from(at.tv_nsec).unwrap_or(0),
        );
        Reading {
            elapsed: since,
            awake: since,
        }
    }

    fn asleep(self) -> Duration {
        self.elapsed.saturating_sub(self.awake)
    }
}

/// Why a keeper ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reason {
    Asked,
    Idle,
    Limit,
    Slept,
    Rekeyed,
    Signal,
    /// The vault's directory is gone, or the program is at fault.
    Broken,
}

pub(super) struct Lifetime {
    times: Times,
    started: Reading,
    used: Reading,
}

impl Lifetime {
    pub(super) fn new(times: Times, now: Reading) -> Self {
        Lifetime {
            times,
            started: now,
            used: now,
        }
    }

    pub(super) fn touch(&mut self, now: Reading) {
        self.used = now;
    }

    /// Why it is over at `now`, if it is.
    pub(super) fn over(&self, now: Reading) -> Option<Reason> {
        if now.asleep().saturating_sub(self.started.asleep()) > SLEPT {
            return Some(Reason::Slept);
        }
        if self.limit_left(now).is_zero() {
            return Some(Reason::Limit);
        }
        self.idle_left(now).is_zero().then_some(Reason::Idle)
    }

    pub(super) fn idle_left(&self, now: Reading) -> Duration {
        let idle = now.elapsed.saturating_sub(self.used.elapsed);
        self.times.idle.saturating_sub(idle)
    }

    pub(super) fn limit_left(&self, now: Reading) -> Duration {
        let age = now.elapsed.saturating_sub(self.started.elapsed);
        self.times.limit.saturating_sub(age)
    }

    /// Until when nothing can be over but by a sleep of the machine.
    pub(super) fn left(&self, now: Reading) -> Duration {
        self.idle_left(now).min(self.limit_left(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;
    const HOUR: u64 = 3600;

    fn at(elapsed: u64, asleep: u64) -> Reading {
        Reading {
            elapsed: Duration::from_secs(1000 + elapsed),
            awake: Duration::from_secs(1000 + elapsed - asleep),
        }
    }

    fn fresh() -> Lifetime {
        Lifetime::new(Times::default(), at(0, 0))
    }

    #[test]
    fn fifteen_minutes_without_use_are_the_end() {
        let mut life = fresh();
        assert_eq!(life.over(at(15 * MINUTE - 1, 0)), None);
        assert_eq!(life.over(at(15 * MINUTE, 0)), Some(Reason::Idle));
        life.touch(at(10 * MINUTE, 0));
        assert_eq!(life.over(at(25 * MINUTE - 1, 0)), None);
        assert_eq!(life.over(at(25 * MINUTE, 0)), Some(Reason::Idle));
    }

    #[test]
    fn use_does_not_go_beyond_eight_hours() {
        let mut life = fresh();
        life.touch(at(8 * HOUR - 1, 0));
        assert_eq!(life.over(at(8 * HOUR - 1, 0)), None);
        life.touch(at(8 * HOUR, 0));
        assert_eq!(life.over(at(8 * HOUR, 0)), Some(Reason::Limit));
    }

    #[test]
    fn a_sleep_of_the_machine_is_the_end_however_short_the_idling() {
        let mut life = fresh();
        life.touch(at(60, 0));
        assert_eq!(life.over(at(61, 2)), None);
        assert_eq!(life.over(at(64, 3)), Some(Reason::Slept));
        life.touch(at(64, 3));
        assert_eq!(life.over(at(64, 3)), Some(Reason::Slept));
    }

    #[test]
    fn a_machine_that_slept_before_the_unlocking_does_not_count() {
        let life = Lifetime::new(Times::default(), at(HOUR, 1800));
        assert_eq!(life.over(at(HOUR + 60, 1800)), None);
    }

    #[test]
    fn the_clocks_of_this_machine_run() {
        let one = Reading::now();
        let two = Reading::now();
        assert!(two.elapsed >= one.elapsed && one.elapsed >= one.awake);
        assert!(Lifetime::new(Times::default(), one).over(two).is_none());
    }
}
