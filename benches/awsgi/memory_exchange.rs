//! `memory/exchange`: bytes of memory that an exchange takes while it is suspended, beyond its
//! head.
//!
//! A synthetic host, in a process of its own, opens many exchanges through the C ABI with an
//! application of steps that holds nothing and sleeps. Measured is what malloc has handed out, its
//! own headers included (mallinfo2), and as an aside what became resident.
//!
//! The head is what the host gave: the bytes of method, target, protocol, scheme, address, name
//! and header fields. All of them are copied into the environ. What the environ needs beyond them
//! (the path twice, lengths, NULs) counts against us.

use std::ffi::c_void;
use std::process::Command;
use std::ptr::{null, null_mut};

use awsgi::ffi::{self, awsgi_slice};

use crate::machine::Process;
use crate::measure::{Bar, Better, Kind, Measure, Outcome, Sample, Side};

pub const MEASURE: Measure = Measure {
    name: "memory/exchange",
    unit: "bytes",
    better: Better::Lower,
    peers: &[],
    bars: &[Bar::AtMost(512.0)],
    kind: Kind::Sampled,
    rounds: 15,
    sample,
};

const EXCHANGES: usize = 100_000;

fn sample(_: Side) -> Outcome<Sample> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--exchanges", &EXCHANGES.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [allocated, resident, head] = numbers[..] else {
        return Err(format!("the host failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    };
    Ok(Sample {
        value: allocated - head,
        aside: vec![
            ("allocated in all", allocated, "bytes"),
            ("resident in all", resident, "bytes"),
            ("the head", head, "bytes"),
        ],
    })
}

/// The host: prints what is allocated and resident for each exchange, and the length of a head.
pub fn host(arguments: &[String]) -> Outcome<()> {
    let count: usize = arguments.first().ok_or("how many exchanges?")?.parse()?;
    let process = Process(std::process::id());
    let host = Host::new()?;
    // What is made once is there before it begins.
    host.open()?;
    host.turn()?;
    let (allocated, resident) = (allocated(), process.resident()?);
    for at in 0..count {
        host.open()?;
        if at % 1000 == 999 {
            host.turn()?;
        }
    }
    while SUSPENDED.load(std::sync::atomic::Ordering::Relaxed) <= count {
        host.turn()?;
    }
    let each = |bytes: f64| bytes / count as f64;
    println!(
        "{} {} {}",
        each(self::allocated() as f64 - allocated as f64),
        each(process.resident()? as f64 - resident as f64),
        HEAD.iter().map(|part| part.len()).sum::<usize>()
    );
    Ok(())
}

/// What malloc has handed out, with its headers, on its heap and in mappings of their own.
fn allocated() -> usize {
    // SAFETY: it only reads.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

/// A request as curl sends it, in the order in which `open` uses it.
const HEAD: [&str; 12] = [
    "GET",
    "/sleep?ms=1000",
    "HTTP/1.1",
    "http",
    "127.0.0.1",
    "127.0.0.1",
    "Host",
    "localhost:8080",
    "User-Agent",
    "curl/8.14.1",
    "Accept",
    "*/*",
];

struct Host {
    reactor: *mut ffi::awsgi_reactor,
    gateway: *mut ffi::awsgi_gateway,
}

impl Host {
    fn new() -> Outcome<Host> {
        let application = ffi::awsgi_application {
            size: size_of::<ffi::awsgi_application>(),
            abi: ffi::abi(),
            style: ffi::AWSGI_STEPS,
            name: c"sleeper".as_ptr(),
            load: None,
            worker: None,
            run: Some(run),
            close: None,
            worker_end: None,
            unload: None,
            app: null_mut(),
        };
        let mut host = Host { reactor: null_mut(), gateway: null_mut() };
        // SAFETY: as the header says: structures with their sizes, and places to write to.
        unsafe {
            ok(ffi::awsgi_reactor_new(null(), &mut host.reactor))?;
            let gateway = &mut host.gateway;
            ok(ffi::awsgi_gateway_new(host.reactor, &application, null(), gateway))?;
        }
        Ok(host)
    }

    fn open(&self) -> Outcome<()> {
        let header = |at: usize| ffi::awsgi_header { name: text(at), value: text(at + 1) };
        let headers = [header(6), header(8), header(10)];
        let request = ffi::awsgi_request {
            size: size_of::<ffi::awsgi_request>(),
            method: text(0),
            target: text(1),
            protocol: text(2),
            scheme: text(3),
            remote_addr: text(4),
            server_name: text(5),
            remote_port: 50_000,
            server_port: 8080,
            body: 0,
            headers: headers.as_ptr(),
            header_count: headers.len(),
            content_length: 0,
            user_data: 1,
        };
        let mut exchange = 0;
        // SAFETY: as above.
        ok(unsafe { ffi::awsgi_gateway_open(self.gateway, &request, &mut exchange) })
    }

    fn turn(&self) -> Outcome<()> {
        // SAFETY: zero is a value of all its fields.
        let mut turn: ffi::awsgi_turn = unsafe { std::mem::zeroed() };
        turn.size = size_of::<ffi::awsgi_turn>();
        // SAFETY: as above.
        ok(unsafe { ffi::awsgi_reactor_turn(self.reactor, &mut turn) })
    }
}

fn text(at: usize) -> awsgi_slice {
    awsgi_slice { data: HEAD[at].as_ptr(), len: HEAD[at].len() }
}

fn ok(status: ffi::awsgi_status) -> Outcome<()> {
    if status == ffi::AWSGI_OK { Ok(()) } else { Err(format!("a call answered {status}").into()) }
}

static SUSPENDED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// The application: sleeps for an hour.
unsafe extern "C" fn run(
    _: *mut c_void,
    exchange: ffi::awsgi_exchange,
    _: *mut *mut c_void,
    _: *const ffi::awsgi_completion,
    _: usize,
) -> i32 {
    let mut now = 0;
    // SAFETY: a place to write to.
    unsafe { ffi::awsgi_exchange_now(exchange, &mut now) };
    let spec = ffi::awsgi_wait_spec {
        size: size_of::<ffi::awsgi_wait_spec>(),
        set: null(),
        count: 0,
        at_least: 0,
        flags: 0,
        deadline: now + 3_600_000_000_000,
        user_data: 0,
    };
    // SAFETY: a structure with its size; the wait's token is not wanted.
    let status = unsafe { ffi::awsgi_exchange_wait(exchange, &spec, null_mut()) };
    SUSPENDED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    if status == ffi::AWSGI_OK { ffi::AWSGI_SUSPEND } else { status }
}
