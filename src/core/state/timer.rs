//! Timers: waitables that are ready when their time has come.
//!
//! How often one has expired follows from the time alone, so a timer for which nobody waits costs
//! nothing, a late look loses no expiration, and a period never drifts. Only the next expiration of
//! a timer that somebody waits for lies among the deadlines.

use super::*;

pub(super) struct Timer {
    first: u64,
    /// 0: it expires once.
    period: u64,
    /// How many expirations were taken.
    taken: u64,
}

impl Timer {
    pub(super) fn new(first: u64, period: u64) -> Timer {
        Timer { first, period, taken: 0 }
    }

    fn expirations(&self, now: u64) -> u64 {
        match now.checked_sub(self.first) {
            None => 0,
            Some(since) => since.checked_div(self.period).map_or(1, |more| more.saturating_add(1)),
        }
    }

    /// How many expirations nobody took.
    pub(super) fn count(&self, now: u64) -> u64 {
        self.expirations(now) - self.taken
    }

    pub(super) fn take(&mut self, now: u64) -> u64 {
        let count = self.count(now);
        self.taken += count;
        count
    }

    /// The first expiration after `now`.
    fn next(&self, now: u64) -> Option<u64> {
        let expired = self.expirations(now);
        if expired == 0 {
            return Some(self.first);
        }
        if self.period == 0 {
            return None;
        }
        let next = self.first.checked_add(expired.checked_mul(self.period)?)?;
        (next != u64::MAX).then_some(next)
    }
}

impl Core {
    /// Keeps the next expiration among the deadlines while somebody asks for it.
    pub(super) fn watch_timer(&mut self, slot: u32) {
        let waitable = self.waitable(slot);
        let Source::Timer(clock) = waitable.source else { return };
        let asked = waitable.is_asked_for_reading();
        if asked == self.timers.is_started(slot) {
            return;
        }
        if !asked {
            self.timers.forget(slot);
        } else if let Some(next) = self.clocks[clock as usize].next(self.now) {
            self.timers.start(slot, next);
        }
    }

    /// The expiration for which somebody waited has come.
    pub(super) fn expire_timer(&mut self, slot: u32) {
        self.ready(slot, Readiness::READABLE);
        self.watch_timer(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_neither_drifts_nor_loses_an_expiration() {
        let mut timer = Timer::new(100, 10);
        assert_eq!((timer.count(99), timer.next(99)), (0, Some(100)));
        assert_eq!((timer.count(100), timer.next(100)), (1, Some(110)));
        assert_eq!(timer.take(137), 4);
        assert_eq!((timer.count(139), timer.next(139)), (0, Some(140)));
        assert_eq!(timer.count(140), 1);
    }

    #[test]
    fn one_shot_and_distant_timers_end() {
        let mut once = Timer::new(100, 0);
        assert_eq!((once.count(1 << 60), once.next(100)), (1, None));
        assert_eq!((once.take(100), once.count(u64::MAX)), (1, 0));
        let far = Timer::new(10, u64::MAX - 5);
        assert_eq!(far.next(10), None);
        assert_eq!(Timer::new(0, 1).count(u64::MAX), u64::MAX);
    }
}
