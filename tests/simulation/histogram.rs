//! Every state and transition that the operations are to reach, counted.

use std::fmt;

use crate::model::words::{Behind, End};

macro_rules! seen {
    ($($name:ident)*) => {
        /// What happened in the model.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Seen { $($name),* }

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

seen! {
    // How a one-shot wait ends.
    ArmedReady ReadyAtArm ArmedTimedOut ArmedCancelled ArmedClosed ArmedFailed ArmedForgotten
    QueuedForgotten MergedIntoEnded SeveralPartly SeveralReady SeveralEndedPartly
    // The first decision stands.
    ReadyThenCancelled ReadyThenClosed ReadyThenFailed TimedOutThenCancelled CancelledThenClosed
    CancelledTwice
    // Multishot waits.
    MultishotReady MultishotMerged MultishotMore MultishotCancelled MultishotTimedOut
    MultishotClosed MultishotFailed MultishotForgotten QueuedMultishotCancelled
    QueuedMultishotTimedOut QueuedMultishotClosed QueuedMultishotFailed QueuedMultishotForgotten
    Rearmed RearmedEnded RearmedOneShot
    // Deadlines and timers.
    Slept EndedTogether ExpiryLimited TimerFiredOnce TimerFiredAgain TimerReadyAtArm
    TimerTaken TimerStalled
    // Events.
    FlagTaken FlagTakenUnset CounterTaken NotedElsewhere NotedElsewhereAgain NoticeOfClosed
    ElsewhereRefused
    // Descriptors and exchanges.
    EdgeReported LevelReported SpuriousReport ReportUnseen SelectorRearmed
    // Watch changes.
    LevelStarted LevelWidened LevelNarrowed LevelStopped OffLoopLeft
    WatchedStarted WatchedWidened WatchedNarrowed WatchedStopped
    OnceStarted OnceForced OnceStopped OnceReported StoppedByClose SharerClosed OwnerClosed ChangeUpdated ChangeNeedless
    ChangeHeldBack
    // Completions.
    HostDelivered ExchangeDelivered TaskDelivered FullArrayHeldBack DeliveredWhileFull CompletedAtOnce
    MembersTold MembersOfClosed MembersTooLate
    // Tokens of every age.
    StaleCancel StaleForget StaleRearm StaleClose StaleNotify StaleElsewhere StaleTake StaleMember
    StaleKind SlotReused
    // Refusals.
    RefusedInvalid RefusedLimitOfWaits RefusedLimitOfWaitables RefusedClosed PlanDropped
    // The end.
    WaitableClosed WaitsClosed WaitsFailed ExchangeOpened ExchangeEnded ClosedAll ClosedAllInUse
    Restarted RestartedInUse
}

#[derive(Clone)]
pub struct Histogram([u64; NAMES.len()]);

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram([0; NAMES.len()])
    }
}

impl Histogram {
    pub fn hit(&mut self, what: Seen) {
        self.0[what as usize] += 1;
    }

    pub fn add(&mut self, other: &Histogram) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// The rarest of all, with how often it was seen.
    pub fn rarest(&self) -> (&'static str, u64) {
        let rarest = (0..NAMES.len()).min_by_key(|&at| self.0[at]).expect("something is counted");
        (NAMES[rarest], self.0[rarest])
    }

    pub fn ended(&mut self, multishot: bool, pending: bool, partly: bool, end: End) {
        if partly && end != End::Ready {
            self.hit(Seen::SeveralEndedPartly);
        }
        self.hit(match (multishot, pending, end) {
            (false, _, End::Ready) => return,
            (false, _, End::TimedOut) => Seen::ArmedTimedOut,
            (false, _, End::Cancelled) => Seen::ArmedCancelled,
            (false, _, End::Closed) => Seen::ArmedClosed,
            (false, _, End::Failed) => Seen::ArmedFailed,
            (true, false, End::TimedOut) => Seen::MultishotTimedOut,
            (true, false, End::Cancelled) => Seen::MultishotCancelled,
            (true, false, End::Closed) => Seen::MultishotClosed,
            (true, false, End::Failed) => Seen::MultishotFailed,
            (true, true, End::TimedOut) => Seen::QueuedMultishotTimedOut,
            (true, true, End::Cancelled) => Seen::QueuedMultishotCancelled,
            (true, true, End::Closed) => Seen::QueuedMultishotClosed,
            (true, true, End::Failed) => Seen::QueuedMultishotFailed,
            (true, _, End::Ready) => return,
        });
    }

    pub fn decided_again(&mut self, first: End, then: End) {
        self.hit(match (first, then) {
            (End::Ready, End::Cancelled) => Seen::ReadyThenCancelled,
            (End::Ready, End::Closed) => Seen::ReadyThenClosed,
            (End::Ready, End::Failed) => Seen::ReadyThenFailed,
            (End::TimedOut, End::Cancelled) => Seen::TimedOutThenCancelled,
            (End::Cancelled, End::Cancelled) => Seen::CancelledTwice,
            (End::Cancelled, End::Closed) => Seen::CancelledThenClosed,
            _ => return,
        });
    }

    pub fn forgotten(&mut self, multishot: bool, queued: bool) {
        self.hit(match (multishot, queued) {
            (false, false) => Seen::ArmedForgotten,
            (false, true) => Seen::QueuedForgotten,
            (true, false) => Seen::MultishotForgotten,
            (true, true) => Seen::QueuedMultishotForgotten,
        });
    }

    pub fn fired(&mut self, behind: Behind) {
        self.hit(match behind {
            Behind::Timer { period: 0, .. } => Seen::TimerFiredOnce,
            _ => Seen::TimerFiredAgain,
        });
    }

    /// The host is to watch for `then` what it watched for `before`.
    pub fn changed(&mut self, behind: Behind, before: u32, then: u32) {
        let narrower = before & then == then;
        self.hit(match (behind, before, then) {
            (Behind::Once, 0, _) => Seen::OnceStarted,
            (Behind::Once, _, 0) => Seen::OnceStopped,
            (Behind::Once, ..) => Seen::OnceForced,
            (Behind::Watched { .. }, 0, _) => Seen::WatchedStarted,
            (Behind::Watched { .. }, _, 0) => Seen::WatchedStopped,
            (Behind::Watched { .. }, ..) if narrower => Seen::WatchedNarrowed,
            (Behind::Watched { .. }, ..) => Seen::WatchedWidened,
            (_, 0, _) => Seen::LevelStarted,
            (_, _, 0) => Seen::LevelStopped,
            _ if narrower => Seen::LevelNarrowed,
            _ => Seen::LevelWidened,
        });
    }
}

impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted: Vec<usize> = (0..NAMES.len()).collect();
        sorted.sort_by_key(|&at| self.0[at]);
        for row in sorted.chunks(3) {
            for &at in row {
                write!(f, "{:>12} {:<26}", self.0[at], NAMES[at])?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
