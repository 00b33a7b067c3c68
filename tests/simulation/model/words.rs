//! The words of the model: plain integers and enums of its own.

pub const READABLE: u32 = 1;
pub const WRITABLE: u32 = 2;
pub const PRIORITY: u32 = 4;
pub const READ_CLOSED: u32 = 8;
pub const HANGUP: u32 = 16;
pub const ERROR: u32 = 32;
pub const FOREVER: u64 = u64::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    Descriptor,
    Exchange(u32),
    Flag,
    Counter,
    Timer {
        first: u64,
        period: u64,
    },
    Level,
    Once,
    /// A descriptor that the host watches; closed with this waitable if `own`.
    Watched {
        handle: u64,
        own: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Ready,
    TimedOut,
    Cancelled,
    Closed,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Host,
    Exchange(u32),
    Task(u32),
}

#[derive(Clone, Debug)]
pub struct Waitable {
    pub id: u32,
    pub behind: Behind,
    pub maker: Option<u32>,
    pub notified: u32,
    pub times: u64,
    pub taken: u64,
    /// When a timer that runs fires next.
    pub instant: Option<u64>,
}

/// What the host watches, for one waitable or for all of one descriptor.
#[derive(Clone, Debug)]
pub struct Foreign {
    pub behind: Behind,
    /// The host knows it by the first.
    pub waitables: Vec<u32>,
    /// With which of them the descriptor is closed.
    pub owner: Option<u32>,
    /// What the host was told to watch.
    pub told: u32,
    /// Whether it was told to watch until a report, and has reported.
    pub reported: bool,
    /// What it is to forget.
    pub dropped: u32,
    /// What came unseen the last time.
    pub unseen: u32,
    /// Whether a one-shot watch is to be told again.
    pub forced: bool,
    /// What it is to be told, and since when.
    pub planned: Option<(u32, u64)>,
}

#[derive(Clone, Copy, Debug)]
pub struct Member {
    pub waitable: u32,
    pub asks: u32,
    pub ready: u32,
}

#[derive(Clone, Debug)]
pub struct Wait {
    pub id: u32,
    pub owner: Owner,
    pub set: Vec<Member>,
    pub need: usize,
    pub multishot: bool,
    pub off_loop: bool,
    pub deadline: u64,
    pub ended: Option<End>,
    pub error: i32,
    /// Its place in the queue of completions; decisions of the same moment share one.
    pub queued: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub wait: u32,
    pub outcome: End,
    pub more: bool,
    pub error: i32,
    /// The ready members: position, waitable, bits.
    pub members: Vec<(u32, u32, u32)>,
}

/// The host is to stop watching what was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    pub waitable: u32,
    pub handle: Option<u64>,
    pub place: u64,
    /// Whether its descriptor is closed once it has stopped.
    pub close: bool,
}
