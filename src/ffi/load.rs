//! Loads applications and calls their entry points; the gateway sees a safe trait.

use std::ffi::{CStr, CString, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::application::{
    ABI_VERSION, API, AWSGI_BLOCKING, AWSGI_STEPS, AWSGI_STRAIGHT, awsgi_api, awsgi_application,
};
use super::completion::awsgi_completion;
use super::exchange::{AWSGI_DONE, AWSGI_SUSPEND, AWSGI_YIELD};
use super::guard::{last_since, moment, sized, unsupported};
use super::reactor::pointer;
use super::status::awsgi_status_name;
use super::token::awsgi_exchange;
use crate::core::Completion;
use crate::error::{Error, Result, Status};
use crate::gateway::{Application, Exchange, Run, Step, Style, Worker};
use crate::reactor::Reactor;

const ENTRY: &str = "awsgi_application_main";

type Entry = unsafe extern "C" fn(*const awsgi_api, *mut awsgi_application) -> i32;

/// An application that this process has loaded, and with what.
struct Loaded {
    /// The canonical path, or the address of a linked entry point.
    origin: Origin,
    config: CString,
    application: awsgi_application,
    /// What the application's name points to, if it gave none itself.
    _name: Option<CString>,
}

#[derive(PartialEq, Eq)]
enum Origin {
    File(PathBuf),
    Linked(usize),
}

// SAFETY: the pointers of an application are used by the thread that its header names for each;
// here they are only kept.
unsafe impl Send for Loaded {}

static LOADED: Mutex<Vec<Loaded>> = Mutex::new(Vec::new());

fn loaded() -> MutexGuard<'static, Vec<Loaded>> {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of the ABI that applications have to be built for.
pub fn abi() -> u32 {
    ABI_VERSION
}

/// Loads an application from a file and makes it a handler of requests.
///
/// # Errors
///
/// One sentence that says what to do: no such file, not a shared library, no entry point, built
/// for another ABI, or refused by the application itself.
pub fn load(path: &Path, config: Option<&str>) -> Result<Arc<dyn Application>> {
    handler(&open(path, config.unwrap_or_default())?)
}

pub(super) fn open(path: &Path, config: &str) -> Result<awsgi_application> {
    let shown = path.display();
    let file = path.canonicalize().map_err(|error| {
        Error::os(
            &format!("{shown} cannot be opened: give the path of an application, as ./app.so"),
            &error,
        )
    })?;
    start(Origin::File(file.clone()), config, &shown.to_string(), || {
        // SAFETY: loading runs the library's initialisers; that it may run in this process is
        // what naming it as an application means.
        let library = unsafe { libloading::Library::new(&file) }.map_err(|error| {
            Error::new(
                Status::Os,
                format!(
                    "{shown} is not a shared library that this process can load ({error}): build \
                     it with -shared -fPIC for this machine"
                ),
            )
        })?;
        // Never unloaded: threads and exit handlers may still run its code.
        let library = std::mem::ManuallyDrop::new(library);
        // SAFETY: the type is what awsgi_application.h declares for the symbol.
        let entry = unsafe { library.get::<Entry>(ENTRY.as_bytes()) }.map_err(|_| {
            Error::new(
                Status::Invalid,
                format!(
                    "{shown} exports no {ENTRY}, so it is no application: include \
                     awsgi_application.h and define it"
                ),
            )
        })?;
        Ok(*entry)
    })
}

pub(super) fn link(entry: Entry, config: &str) -> Result<awsgi_application> {
    start(Origin::Linked(entry as usize), config, "the linked application", || Ok(entry))
}

/// Ends a loaded application. Answers whether it was one.
pub(super) fn unload(application: &awsgi_application) -> bool {
    let mut all = loaded();
    let same = |other: &Loaded| {
        other.application.run.map(|run| run as usize) == application.run.map(|run| run as usize)
            && other.application.app == application.app
    };
    let Some(at) = all.iter().position(same) else { return false };
    let ended = all.swap_remove(at);
    drop(all);
    if let Some(unload) = ended.application.unload {
        // SAFETY: the application's own function with its own data, called once.
        unsafe { unload(ended.application.app) };
    }
    true
}

fn start(
    origin: Origin,
    config: &str,
    shown: &str,
    entry: impl FnOnce() -> Result<Entry>,
) -> Result<awsgi_application> {
    let config = CString::new(config)
        .map_err(|_| Error::new(Status::Invalid, "the config holds a NUL: remove it"))?;
    // Held throughout, so that two threads cannot call `load` twice.
    let mut all = loaded();
    if let Some(before) = all.iter().find(|other| other.origin == origin) {
        if before.config != config {
            return Err(Error::new(
                Status::State,
                format!("{shown} is loaded already, with other arguments: give it the same"),
            ));
        }
        return Ok(before.application);
    }
    let entry = entry()?;
    let mut described: awsgi_application = awsgi_application {
        size: size_of::<awsgi_application>(),
        abi: ABI_VERSION,
        style: 0,
        name: std::ptr::null(),
        load: None,
        worker: None,
        run: None,
        close: None,
        worker_end: None,
        unload: None,
        app: std::ptr::null_mut(),
    };
    let then = moment();
    // SAFETY: the entry point has the type that the header declares; both places live through the
    // call, and the table for ever.
    let status = unsafe { entry(&raw const API, &raw mut described) };
    if status == Status::Unsupported as i32 || (status >= 0 && described.abi != ABI_VERSION) {
        return Err(Error::new(
            Status::Unsupported,
            format!(
                "{shown} was built for another libawsgi than this one, which has ABI {ABI_VERSION} \
                 and version {}: build it again with this version's headers",
                env!("CARGO_PKG_VERSION")
            ),
        ));
    }
    if status < 0 {
        return Err(Error::new(
            Status::State,
            format!("{shown} refused to start: its {ENTRY} answered {}", answer(status, then)),
        ));
    }
    let mut name = None;
    if let (true, Origin::File(path)) = (described.name.is_null(), &origin) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let stem = name.insert(CString::new(stem).unwrap_or_default());
        described.name = stem.as_ptr();
    }
    check(&described, shown)?;
    if let Some(load) = described.load {
        let then = moment();
        // SAFETY: the application's own function with its own data; the string lives through it.
        let status = unsafe { load(described.app, config.as_ptr()) };
        if status < 0 {
            return Err(Error::new(
                Status::State,
                format!("{shown} refused to start: its load answered {}", answer(status, then)),
            ));
        }
    }
    all.push(Loaded { origin, config, application: described, _name: name });
    Ok(described)
}

/// A status that an application returned, in words, with what failed on this thread since then.
fn answer(status: i32, then: u64) -> String {
    // SAFETY: a static string.
    let name = unsafe { CStr::from_ptr(awsgi_status_name(status)) }.to_string_lossy();
    match last_since(then) {
        Some(error) if error.status() as i32 == status => {
            format!("{status} ({name}: {})", error.message())
        }
        _ => format!("{status} ({name})"),
    }
}

fn check(described: &awsgi_application, shown: &str) -> Result<Style> {
    if described.run.is_none() {
        return Err(Error::new(
            Status::Invalid,
            format!("{shown} has no run function: set application->run in its {ENTRY}"),
        ));
    }
    match described.style {
        0 | AWSGI_STEPS => Ok(Style::Steps),
        AWSGI_BLOCKING => Ok(Style::Blocking),
        AWSGI_STRAIGHT => Err(unsupported("AWSGI_STRAIGHT")),
        style => Err(Error::new(
            Status::Invalid,
            format!("{shown} has the style {style}: set AWSGI_STEPS or AWSGI_BLOCKING"),
        )),
    }
}

/// An application of C's as the gateway sees it.
///
/// # Errors
///
/// Those of `check`.
pub(super) fn handler(application: &awsgi_application) -> Result<Arc<dyn Application>> {
    // SAFETY: a reference is a valid pointer.
    let application = unsafe {
        sized(std::ptr::from_ref(application), size_of::<awsgi_application>(), "application")?
    };
    if application.abi != ABI_VERSION {
        return Err(Error::new(
            Status::Unsupported,
            format!("the application has ABI {}, this library {ABI_VERSION}", application.abi),
        ));
    }
    let style = check(&application, "the application")?;
    let name = if application.name.is_null() {
        "application".to_owned()
    } else {
        // SAFETY: the header asks for a string that ends in NUL and lives until `unload`.
        unsafe { CStr::from_ptr(application.name) }.to_string_lossy().into_owned()
    };
    Ok(Arc::new(Foreign { application, style, name }))
}

struct Foreign {
    application: awsgi_application,
    style: Style,
    name: String,
}

// SAFETY: the header says on which thread each function is called, and that the application's
// data is shared between workers.
unsafe impl Send for Foreign {}
// SAFETY: as above.
unsafe impl Sync for Foreign {}

impl Application for Foreign {
    fn name(&self) -> &str {
        &self.name
    }

    fn style(&self) -> Style {
        self.style
    }

    fn worker(&self, reactor: &Reactor) -> Result<Box<dyn Worker>> {
        let mut data = std::ptr::null_mut();
        if let Some(worker) = self.application.worker {
            let then = moment();
            // SAFETY: the application's own function with its own data, on the worker's thread.
            let status = unsafe { worker(self.application.app, pointer(reactor), &mut data) };
            if status < 0 {
                return Err(Error::new(
                    Status::State,
                    format!(
                        "application {} refused to serve on a worker: it answered {}",
                        self.name,
                        answer(status, then)
                    ),
                ));
            }
        }
        Ok(Box::new(ForeignWorker(Arc::new(WorkerData { application: self.application, data }))))
    }
}

/// What runs of one worker share. Ended with the last of them.
struct WorkerData {
    application: awsgi_application,
    data: *mut c_void,
}

// SAFETY: the header says that a worker's data is shared with that worker's pool threads.
unsafe impl Send for WorkerData {}
// SAFETY: as above.
unsafe impl Sync for WorkerData {}

struct ForeignWorker(Arc<WorkerData>);

impl Worker for ForeignWorker {
    fn open(&self) -> Box<dyn Run> {
        Box::new(ForeignRun { worker: Arc::clone(&self.0), state: std::ptr::null_mut() })
    }
}

impl Drop for ForeignWorker {
    fn drop(&mut self) {
        if let Some(worker_end) = self.0.application.worker_end {
            // SAFETY: the application's own function, once, after the last exchange: the gateway
            // drops its worker when no exchange is left.
            unsafe { worker_end(self.0.data) };
        }
    }
}

struct ForeignRun {
    worker: Arc<WorkerData>,
    state: *mut c_void,
}

// SAFETY: one exchange is never run by two threads at once; moving it to a pool thread is what
// the blocking style says.
unsafe impl Send for ForeignRun {}

impl ForeignRun {
    fn call(&mut self, exchange: awsgi_exchange, done: &[awsgi_completion]) -> i32 {
        let Some(run) = self.worker.application.run else { return AWSGI_DONE };
        let data = if done.is_empty() { std::ptr::null() } else { done.as_ptr() };
        // SAFETY: the application's own function with its own data; `done` lives through it.
        unsafe { run(self.worker.data, exchange, &mut self.state, data, done.len()) }
    }
}

impl Run for ForeignRun {
    fn run(&mut self, exchange: Exchange, done: &[Completion]) -> Step {
        let token = exchange.token().to_bits();
        let then = moment();
        let result = match done {
            [] => self.call(token, &[]),
            [one] => self.call(token, &[awsgi_completion::of(one)]),
            many => {
                let many: Vec<awsgi_completion> = many.iter().map(awsgi_completion::of).collect();
                self.call(token, &many)
            }
        };
        match result {
            AWSGI_DONE => Step::Done,
            AWSGI_SUSPEND => Step::Suspend,
            AWSGI_YIELD => Step::Yield,
            failed if failed < 0 => Step::Failed(Error::new(
                Status::State,
                format!("its run failed with {}", answer(failed, then)),
            )),
            other => Step::Failed(Error::new(
                Status::State,
                format!(
                    "its run returned {other}: return AWSGI_DONE, AWSGI_SUSPEND, AWSGI_YIELD, or a \
                     negative number if it failed"
                ),
            )),
        }
    }

    fn close(self: Box<Self>, exchange: Exchange) {
        if let Some(close) = self.worker.application.close {
            // SAFETY: the application's own function with its own data, once: `self` is consumed.
            unsafe { close(self.worker.data, exchange.token().to_bits(), self.state) };
        }
    }
}
