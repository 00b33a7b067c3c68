//! An application that is linked into the host, its gateways, and both halves of their exchanges.

use std::ffi::c_void;

use awsgi::ffi::*;

use super::check::{self, Sized, name, perhaps_null, poisoned};
use super::reactors::{self, Standing, standing, stands};
use super::waits::{self, EXCHANGE};
use super::world::{
    Life, Source, Wait, WaitState, World, byte, now, one_of, pick, rarely, reactor_pointer, thread,
    token, world,
};

pub struct Gateway {
    pointer: usize,
    pub reactor: usize,
    pub freed: bool,
    closing: bool,
    worker_ended: bool,
}

pub struct Exchange {
    pub token: u64,
    pub gateway: usize,
    /// The host let go of it.
    ended: bool,
    /// The host did what ends its application.
    ending: bool,
    /// The last completion of the host's half came.
    last: bool,
    /// The application's `close` ran.
    pub closed: bool,
    /// Taken by the host, and not yet sent.
    taken: usize,
}

const MANY_GATEWAYS: usize = 3;
const MANY: usize = 40;
/// Calls in one step at most.
const CALLS_IN_STEP: usize = 6;

/// What the header says that calls of either half may be refused with.
const REFUSALS: &[awsgi_status] = &[
    AWSGI_E_AGAIN,
    AWSGI_E_CLOSED,
    AWSGI_E_INVALID,
    AWSGI_E_LIMIT,
    AWSGI_E_NULL,
    AWSGI_E_STALE,
    AWSGI_E_STATE,
    AWSGI_E_THREAD,
    AWSGI_E_UNSUPPORTED,
];

unsafe extern "C" fn entry(_api: *const awsgi_api, application: *mut awsgi_application) -> i32 {
    // SAFETY: the place lives through the call.
    unsafe {
        (*application).style = AWSGI_STEPS;
        (*application).name = c"fuzz".as_ptr();
        (*application).worker = Some(worker);
        (*application).run = Some(run);
        (*application).close = Some(close);
        (*application).worker_end = Some(worker_end);
    }
    0
}

unsafe extern "C" fn worker(
    _app: *mut c_void,
    _reactor: *mut awsgi_reactor,
    worker: *mut *mut c_void,
) -> i32 {
    if rarely(32) {
        return AWSGI_E_STATE;
    }
    // The gateway that is being made comes next.
    let number = world(|world| world.gateways.len());
    // SAFETY: the place lives through the call.
    unsafe { worker.write(number as *mut c_void) };
    0
}

unsafe extern "C" fn worker_end(worker: *mut c_void) {
    world(|world| {
        if let Some(gateway) = world.gateways.get_mut(worker as usize) {
            assert!(!gateway.worker_ended, "a worker ended twice");
            gateway.worker_ended = true;
        }
    });
}

/// Whether an application may have ended without knowing it: its `close` runs when the reactor comes
/// to it.
pub fn may_be_over(world: &World, exchange: usize) -> bool {
    let exchange = &world.exchanges[exchange];
    let gateway = &world.gateways[exchange.gateway];
    exchange.ending || gateway.closing || world.reactors[gateway.reactor].closing
}

fn find(token: u64) -> Option<usize> {
    world(|world| world.exchanges.iter().position(|exchange| exchange.token == token))
}

unsafe extern "C" fn run(
    worker: *mut c_void,
    token: awsgi_exchange,
    state: *mut *mut c_void,
    done: *const awsgi_completion,
    count: usize,
) -> i32 {
    let at = find(token).expect("a step of no exchange");
    // SAFETY: the header says that they live until the step returns.
    let (done, state) = unsafe {
        (if count == 0 { &[] } else { std::slice::from_raw_parts(done, count) }, &mut *state)
    };
    let reactor = world(|world| {
        let exchange = &world.exchanges[at];
        assert!(!exchange.closed, "a step after close");
        assert_eq!(exchange.gateway, worker as usize, "a step with another worker");
        let reactor = world.gateways[exchange.gateway].reactor;
        assert_eq!(world.turning.last(), Some(&reactor), "a step outside of its turn");
        assert!(world.owned(reactor), "a step on thread {}", thread());
        world.reactors[reactor].takes_clock();
        world.reactors[reactor].stepped = true;
        reactor
    });
    assert_eq!(state.is_null(), *state as usize != at + 1, "another's state");
    *state = (at + 1) as *mut c_void;
    let pointer = world(|world| world.reactors[reactor].pointer) as *mut awsgi_reactor;
    let came = now(pointer);
    for completion in done {
        waits::completed(reactor, Some(at), completion, came);
    }
    for completion in done {
        waits::check_members(completion);
    }
    check::trace(|| format!("a step of exchange {at}"));
    world(|world| {
        let lost = |wait: &Wait| wait.resumes && wait.state == WaitState::UnderWay;
        let lost = world.waits.iter().position(|wait| wait.exchange == Some(at) && lost(wait));
        assert_eq!(lost, None, "a wait whose token is void did not complete in the next step");
    });
    world(|world| world.steps.push((reactor, at)));
    for _ in 0..pick(CALLS_IN_STEP) {
        if byte() & 3 == 0 {
            if world(|world| world.steps.len()) < 3 {
                super::call();
            }
        } else {
            applications_half(Some(at));
        }
    }
    world(|world| world.steps.pop());
    let answer = match byte() % 8 {
        0 | 1 => AWSGI_DONE,
        2..=5 => AWSGI_SUSPEND,
        6 => AWSGI_YIELD,
        _ => one_of(&[-1, AWSGI_E_CLOSED, i32::MIN, 3, i32::MAX]),
    };
    check::trace(|| format!("the step answers {answer}"));
    answer
}

unsafe extern "C" fn close(worker: *mut c_void, token: awsgi_exchange, state: *mut c_void) {
    let at = find(token).expect("a close of no exchange");
    check::trace(|| format!("the close of exchange {at}"));
    world(|world| {
        let exchange = &mut world.exchanges[at];
        assert!(!exchange.closed, "closed twice");
        assert_eq!(exchange.gateway, worker as usize, "closed with another worker");
        assert!(state.is_null() || state as usize == at + 1, "closed with another's state");
        exchange.closed = true;
        for wait in &mut world.waits {
            if wait.exchange == Some(at) && wait.state == WaitState::UnderWay {
                wait.state = WaitState::Forgotten;
            }
        }
        for waitable in &mut world.waitables {
            if waitable.maker == Some(at) && waitable.life == Life::Lives {
                waitable.life = Life::Perhaps;
            }
        }
    });
}

/// Makes, drains and frees gateways.
pub fn gateway() {
    match byte() % 4 {
        0 | 1 => make_gateway(),
        2 => {
            let pointer = gateway_pointer();
            close_gateway(pointer, one_of(&[0, 1_000, u64::MAX, 1_000_000_000]));
        }
        _ => {
            free_gateway(gateway_pointer());
        }
    }
}

fn gateway_pointer() -> *mut awsgi_gateway {
    let choice = byte();
    let pointer = world(|world| match choice {
        0xff => 0,
        0xfe => 64,
        _ => match world.gateways.len() {
            0 => 0,
            count => world.gateways[count - 1 - usize::from(choice) % count].pointer,
        },
    });
    pointer as *mut awsgi_gateway
}

fn living_gateway(pointer: *mut awsgi_gateway) -> Option<usize> {
    world(|world| {
        world.gateways.iter().position(|one| !one.freed && one.pointer == pointer as usize)
    })
}

fn make_gateway() {
    let living = world(|world| world.gateways.iter().filter(|one| !one.freed).count());
    if living >= MANY_GATEWAYS {
        return;
    }
    let pointer = reactor_pointer();
    let ours = standing(pointer);
    // SAFETY: all zeros is a value.
    let mut application = unsafe { std::mem::zeroed::<awsgi_application>() };
    // SAFETY: the place lives, and NULL is the empty config.
    let linked =
        unsafe { awsgi_application_link(Some(entry), std::ptr::null(), &raw mut application) };
    assert_eq!(linked, AWSGI_OK);
    let mut given = Sized::new(application);
    if given.1 && given.0.value.size == size_of::<awsgi_application>() && rarely(16) {
        match pick(3) {
            0 => given.0.value.run = None,
            1 => given.0.value.abi = 99,
            _ => given.0.value.style = one_of(&[AWSGI_STRAIGHT, 4, u32::MAX]),
        }
        given.1 = false;
    }
    let names = [c"", c"/app", c"app", c"/app/", c"/"];
    let (mut options, _) = Sized::new(awsgi_gateway_options {
        size: 0,
        max_exchanges: one_of(&[0, 1, 3]),
        max_waits_per_exchange: one_of(&[0, 1, 2]),
        input_buffer: one_of(&[0, 1, 16]),
        output_buffer: one_of(&[0, 1, 16]),
        pool_threads: 0,
        multithread: u32::from(byte() & 1),
        script_name: one_of(&names).as_ptr(),
    });
    let options = if byte() & 1 == 0 { std::ptr::null_mut() } else { options.pointer() };
    let mut made = poisoned::<usize>() as *mut awsgi_gateway;
    let place = perhaps_null(&raw mut made);
    let application = perhaps_null(given.0.pointer());
    // SAFETY: the structures are as large as they say, the places live, or they are NULL.
    let status = unsafe { awsgi_gateway_new(pointer, application, options, place) };
    let ok = check::status(status, REFUSALS);
    stands(status, ours);
    if !place.is_null() {
        check::zeroed(ok, made as usize, 0);
    }
    if let (true, Standing::Ours(reactor)) = (ok, ours) {
        assert!(given.1);
        world(|world| {
            world.gateways.push(Gateway {
                pointer: made as usize,
                reactor,
                freed: false,
                closing: false,
                worker_ended: false,
            });
        });
    }
}

fn close_gateway(pointer: *mut awsgi_gateway, within: u64) {
    let known = living_gateway(pointer);
    // SAFETY: any pointer may be given.
    let status = unsafe { awsgi_gateway_close(pointer, within) };
    let ok = check::status(status, &[AWSGI_E_STALE, AWSGI_E_THREAD, AWSGI_E_NULL]);
    match known {
        None => assert!(!ok),
        Some(at) => world(|world| {
            let mine = world.owned(world.gateways[at].reactor);
            assert_eq!(ok, mine, "{} for a gateway", name(status));
            world.gateways[at].closing |= ok;
        }),
    }
}

fn free_gateway(pointer: *mut awsgi_gateway) -> bool {
    let known = living_gateway(pointer);
    // SAFETY: any pointer may be given.
    let status = unsafe { awsgi_gateway_free(pointer) };
    let ok =
        check::status(status, &[AWSGI_E_BUSY, AWSGI_E_REENTRANT, AWSGI_E_STALE, AWSGI_E_THREAD]);
    match known {
        None => assert_eq!(ok, pointer.is_null()),
        Some(at) if ok => world(|world| {
            assert!(world.owned(world.gateways[at].reactor));
            world.gateways[at].freed = true;
            assert!(world.gateways[at].worker_ended, "freed without worker_end");
            for exchange in &world.exchanges {
                assert!(exchange.gateway != at || exchange.closed, "freed without a close");
                assert!(exchange.gateway != at || exchange.ended, "freed under an exchange");
            }
        }),
        _ => {}
    }
    ok
}

fn slice(bytes: &'static [u8]) -> awsgi_slice {
    awsgi_slice { data: bytes.as_ptr(), len: bytes.len() }
}

fn some_header() -> awsgi_header {
    let names: [&'static [u8]; 8] = [
        b"Host",
        b"Content-Type",
        b"content-length",
        b"X-A",
        b"",
        b"Bad Name",
        b"Transfer-Encoding",
        b"Cookie",
    ];
    let values: [&'static [u8]; 7] =
        [b"a", b"", b"5", b"a\r\nb", b"\xff", b"18446744073709551616", b"0"];
    awsgi_header { name: slice(one_of(&names)), value: slice(one_of(&values)) }
}

pub fn open() {
    if world(|world| world.exchanges.len()) >= MANY {
        return;
    }
    let pointer = gateway_pointer();
    let known = living_gateway(pointer);
    let headers: Vec<awsgi_header> =
        (0..one_of(&[0, 0, 1, 3, 20])).map(|_| some_header()).collect();
    let methods: [&'static [u8]; 6] = [b"GET", b"GET", b"POST", b"HEAD", b"", b"G T"];
    let targets: [&'static [u8]; 10] = [
        b"/",
        b"/app/x?q=1",
        b"*",
        b"http://h/a%2Fb",
        b"",
        b"/%zz",
        b"/app",
        b"/\xff",
        b"/a\r\nb",
        b"?",
    ];
    let other: [&'static [u8]; 4] = [b"", b"https", b"HTTP/1.0", b"\r\n"];
    let number = world(|world| world.exchanges.len());
    let (mut request, taken) = Sized::new(awsgi_request {
        size: 0,
        method: slice(one_of(&methods)),
        target: slice(one_of(&targets)),
        protocol: slice(one_of(&other)),
        scheme: slice(one_of(&other)),
        remote_addr: slice(one_of(&other)),
        server_name: slice(one_of(&other)),
        remote_port: u16::from(byte()),
        server_port: u16::from(byte()),
        body: u32::from(byte() & 1),
        headers: headers.as_ptr(),
        header_count: headers.len(),
        content_length: one_of(&[0, -1, 3, 100, i64::MAX, -2, i64::MIN]),
        user_data: EXCHANGE | number as u64,
    });
    let mut opened = poisoned::<u64>();
    let place = perhaps_null(&raw mut opened);
    let request = perhaps_null(request.pointer());
    // SAFETY: the structure is as large as it says, what it points to lives, or it is NULL.
    let status = unsafe { awsgi_gateway_open(pointer, request, place) };
    let ok = check::status(
        status,
        &[
            AWSGI_E_INVALID,
            AWSGI_E_LIMIT,
            AWSGI_E_CLOSED,
            AWSGI_E_STALE,
            AWSGI_E_THREAD,
            AWSGI_E_NULL,
            AWSGI_E_UNSUPPORTED,
        ],
    );
    if !place.is_null() {
        check::zeroed(ok, opened, 0);
    }
    if !ok {
        return;
    }
    let gateway = known.expect("a gateway that is none opened an exchange");
    assert!(taken);
    assert_eq!(find(opened), None, "a token was given twice");
    world(|world| {
        let reactor = world.gateways[gateway].reactor;
        assert!(world.owned(reactor));
        assert!(!world.gateways[gateway].closing && !world.reactors[reactor].closing);
        world.tokens.push(opened);
        world.exchanges.push(Exchange {
            token: opened,
            gateway,
            ended: false,
            ending: false,
            last: false,
            closed: false,
            taken: 0,
        });
    });
}

/// A completion of the host's half.
pub fn progressed(reactor: usize, completion: &awsgi_completion) {
    let at = (completion.user_data & !EXCHANGE) as usize;
    world(|world| {
        assert!(at < world.exchanges.len(), "a completion of no exchange: {completion:?}");
        let on = world.gateways[world.exchanges[at].gateway].reactor;
        let exchange = &mut world.exchanges[at];
        assert_eq!((exchange.token, on), (completion.wait, reactor));
        assert!(!exchange.ended, "a completion after the host let go: {completion:?}");
        assert!(!exchange.last, "a completion after the last: {completion:?}");
        let known = AWSGI_HEAD | AWSGI_BODY | AWSGI_ROOM | AWSGI_END | AWSGI_ABORT;
        assert!(completion.ready & !known == 0 && completion.ready != 0);
        let last = completion.ready & (AWSGI_END | AWSGI_ABORT) != 0;
        assert_eq!(completion.flags == 0, last, "{completion:?}");
        exchange.last = last;
    });
}

fn exchange_token() -> u64 {
    let choice = byte();
    if choice >= 0xf0 {
        return token();
    }
    world(|world| match world.exchanges.len() {
        0 => 0,
        count => world.exchanges[count - 1 - usize::from(choice) % count].token,
    })
}

static DATA: [u8; 256] = [b'x'; 256];

/// One call of the host's on an exchange.
pub fn hosts_half() {
    let token = exchange_token();
    let known = find(token);
    let verb = pick(8);
    check::trace(|| format!("the host's call {verb} on {token:#x}, {known:?}"));
    let status = match verb {
        0 | 1 => {
            let length = one_of(&[0, 1, 3, 100, 256]);
            let data = if length == 0 { std::ptr::null() } else { DATA.as_ptr() };
            let mut taken = poisoned::<usize>();
            let place = perhaps_null(&raw mut taken);
            let end = i32::from(byte() & 1);
            // SAFETY: the data is as long, and the place lives or is NULL.
            let status = unsafe { awsgi_exchange_feed(token, data.cast(), length, end, place) };
            if !place.is_null() {
                check::zeroed(status == AWSGI_OK, taken, 0);
                assert!(taken <= length);
            }
            status
        }
        // SAFETY: takes no pointers.
        2 => unsafe { awsgi_exchange_gone(token) },
        3 => {
            let status = one_of(&[400, 599, 503, 399, 600, i32::MIN, i32::MAX]);
            // SAFETY: takes no pointers.
            unsafe { awsgi_exchange_fail(token, status) }
        }
        4 => head(token),
        5 => take(token, known),
        6 => {
            let taken = known.map_or(0, |at| world(|world| world.exchanges[at].taken));
            let length = one_of(&[taken, 0, 1, taken.wrapping_add(1), usize::MAX]);
            // SAFETY: takes no pointers.
            let status = unsafe { awsgi_exchange_sent(token, length) };
            if let (AWSGI_OK, Some(at)) = (status, known) {
                assert!(length <= taken, "more was sent than taken");
                world(|world| world.exchanges[at].taken -= length);
            }
            status
        }
        _ => end(token),
    };
    check::status(status, REFUSALS);
    let Some(at) = known else {
        if status == AWSGI_OK {
            world(|world| world.guessed = true);
        }
        return;
    };
    world(|world| {
        // To leave, to fail it, to let go.
        world.exchanges[at].ending |= status == AWSGI_OK && matches!(verb, 2 | 3 | 7);
        let exchange = &world.exchanges[at];
        let mine = world.owned(world.gateways[exchange.gateway].reactor);
        if exchange.ended && verb != 7 {
            // What is wrong with the arguments may be said first.
            assert_ne!(status, AWSGI_OK, "an exchange was used after its end");
        }
        assert!(mine || status != AWSGI_OK, "another thread's exchange answers");
        assert!(!mine || status != AWSGI_E_THREAD, "the owner is refused");
    });
}

fn end(token: u64) -> awsgi_status {
    let known = find(token);
    // SAFETY: takes no pointers.
    let status = unsafe { awsgi_exchange_end(token) };
    if let (AWSGI_OK, Some(at)) = (status, known) {
        world(|world| {
            assert!(!world.exchanges[at].ended, "ended twice");
            world.exchanges[at].ended = true;
        });
    }
    status
}

fn head(token: u64) -> awsgi_status {
    let (mut head, _) = Sized::new(poisoned::<awsgi_head>());
    let place = perhaps_null(head.pointer());
    // SAFETY: the structure is as large as it says, or NULL.
    let status = unsafe { awsgi_exchange_head(token, place) };
    let found = head.value;
    if status == AWSGI_OK {
        assert!((200..600).contains(&found.status) && found.bodiless < 2 && found.length >= -1);
        for at in 0..found.header_count {
            // SAFETY: the header says that they live until the end of the exchange.
            let field = unsafe { found.headers.add(at).read() };
            read(field.name);
            read(field.value);
        }
    } else if head.has_room() && !place.is_null() {
        assert_eq!((found.status, found.header_count, found.length), (0, 0, 0));
    }
    status
}

/// Reads what was borrowed, for those who watch memory.
fn read(slice: awsgi_slice) -> usize {
    if slice.len > 0 {
        // SAFETY: the header says that it lives now.
        let bytes = unsafe { std::slice::from_raw_parts(slice.data, slice.len) };
        std::hint::black_box(bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte)));
    }
    slice.len
}

fn take(token: u64, known: Option<usize>) -> awsgi_status {
    let capacity = one_of(&[4, 1, 64, 0]);
    let mut slices = vec![awsgi_slice { data: std::ptr::null(), len: 0 }; capacity];
    let (mut count, mut end) = (poisoned::<usize>(), poisoned::<i32>());
    let array = perhaps_null(slices.as_mut_ptr());
    let (counts, ends) = (perhaps_null(&raw mut count), perhaps_null(&raw mut end));
    // SAFETY: the array has the capacity, and the places live; or they are NULL.
    let status = unsafe { awsgi_exchange_take(token, array, capacity, counts, ends) };
    let ok = status == AWSGI_OK;
    if !counts.is_null() {
        check::zeroed(ok, count, 0);
    }
    if !ends.is_null() {
        check::zeroed(ok, end, 0);
    }
    if ok {
        assert!(count <= capacity && (0..2).contains(&end));
        let bytes: usize = slices[..count].iter().map(|slice| read(*slice)).sum();
        if let Some(at) = known {
            world(|world| world.exchanges[at].taken += bytes);
        }
    }
    status
}

/// One call of the application's: in a step of the exchange, or where it does not belong.
pub fn applications_half(step: Option<usize>) {
    let mine = step.filter(|_| byte() < 0xf0);
    let token = match mine {
        Some(at) => world(|world| world.exchanges[at].token),
        None => exchange_token(),
    };
    let verb = byte() % 12;
    let ok = match verb {
        0..=2 => {
            let Some(at) = find(token) else { return };
            return waits::begin(Some(at), token);
        }
        3 => {
            // SAFETY: all zeros is a value.
            let mut spec = unsafe { std::mem::zeroed::<awsgi_wait_spec>() };
            spec.size = size_of::<awsgi_wait_spec>();
            let mut completion = poisoned::<awsgi_completion>();
            // SAFETY: the places live.
            let status =
                unsafe { awsgi_exchange_await(token, &raw const spec, &raw mut completion) };
            let ok = check::status(status, REFUSALS);
            assert!(!ok, "a step waited in place");
            assert_eq!(completion, awsgi_completion::default());
            false
        }
        4 => environ(token),
        5 | 6 => self_and_reactor(token),
        7 => {
            let capacity = one_of(&[16, 0, 1, 256]);
            let mut buffer = vec![0_u8; capacity];
            let mut count = poisoned::<usize>();
            let place = perhaps_null(&raw mut count);
            // SAFETY: the buffer has the capacity, and the place lives or is NULL.
            let status =
                unsafe { awsgi_exchange_read(token, buffer.as_mut_ptr().cast(), capacity, place) };
            let ok = check::status(status, REFUSALS);
            if !place.is_null() {
                check::zeroed(ok, count, 0);
                assert!(count <= capacity);
            }
            ok
        }
        8 | 9 => {
            let headers: Vec<awsgi_header> =
                (0..one_of(&[0, 1, 2, 18])).map(|_| some_header()).collect();
            let code = one_of(&[200, 204, 304, 500, 599, 199, 600, i32::MIN]);
            // SAFETY: the array is as long.
            let status =
                unsafe { awsgi_exchange_start(token, code, headers.as_ptr(), headers.len()) };
            check::status(status, REFUSALS)
        }
        _ => {
            let length = one_of(&[0, 1, 20, 256]);
            let mut taken = poisoned::<usize>();
            let place = perhaps_null(&raw mut taken);
            // SAFETY: the data is as long, and the place lives or is NULL.
            let status =
                unsafe { awsgi_exchange_write(token, DATA.as_ptr().cast(), length, place) };
            let ok = check::status(status, REFUSALS);
            if !place.is_null() {
                check::zeroed(ok, taken, 0);
                assert!(taken <= length);
            }
            ok
        }
    };
    if ok {
        let at = find(token).expect("an exchange that is none answers");
        world(|world| {
            let exchange = &world.exchanges[at];
            // The environ, the waitable and the body are there until the host lets go.
            let may = (4..=7).contains(&verb);
            assert!(may || !exchange.closed, "an application answers after its close");
            assert!(world.owned(world.gateways[exchange.gateway].reactor), "on another thread");
        });
    }
}

fn environ(token: u64) -> bool {
    let mut value = awsgi_slice { data: std::ptr::null(), len: usize::MAX };
    if byte() & 1 == 0 {
        let keys: [&'static [u8]; 4] = [b"PATH_INFO", b"", b"wsgi.version", b"\xff"];
        // SAFETY: the key lives, and the place too.
        let status = unsafe { awsgi_exchange_environ(token, slice(one_of(&keys)), &raw mut value) };
        let ok = check::status(status, REFUSALS);
        read(value);
        return ok;
    }
    let mut cursor = one_of(&[0, 0, 5, usize::MAX]);
    let mut key = awsgi_slice { data: std::ptr::null(), len: usize::MAX };
    for _ in 0..pick(60) {
        // SAFETY: the places live.
        let status = unsafe {
            awsgi_exchange_environ_each(token, &raw mut cursor, &raw mut key, &raw mut value)
        };
        let ok = check::status(status, REFUSALS);
        assert!(ok || (key.len == 0 && value.len == 0));
        if !ok {
            return status == AWSGI_E_AGAIN;
        }
        read(key);
        read(value);
    }
    false
}

fn self_and_reactor(token: u64) -> bool {
    if byte() & 1 == 0 {
        let (mut reactor, mut ns) = (std::ptr::null_mut(), poisoned::<u64>());
        // SAFETY: the places live.
        let (first, second) = unsafe {
            (
                awsgi_exchange_reactor(token, &raw mut reactor),
                awsgi_exchange_now(token, &raw mut ns),
            )
        };
        assert_eq!(first, second);
        let ok = check::status(first, REFUSALS);
        check::zeroed(ok, reactor as usize, 0);
        check::zeroed(ok, ns, 0);
        return ok;
    }
    let mut waitable = poisoned::<u64>();
    let place = perhaps_null(&raw mut waitable);
    // SAFETY: the place lives, or is NULL.
    let status = unsafe { awsgi_exchange_self(token, place) };
    let ok = check::status(status, REFUSALS);
    if !place.is_null() {
        check::zeroed(ok, waitable, 0);
    }
    if let (true, Some(at)) = (ok, find(token)) {
        world(|world| {
            if world.waitable(waitable).is_none() {
                let reactor = world.gateways[world.exchanges[at].gateway].reactor;
                world.add_waitable(waitable, reactor, Source::Exchange);
                world.waitable(waitable).unwrap().maker = Some(at);
            }
        });
    }
    ok
}

/// Ends all gateways as a host does that is well behaved.
pub fn end_all() {
    let tokens: Vec<u64> = world(|world| {
        world.exchanges.iter().filter(|one| !one.ended).map(|one| one.token).collect()
    });
    for token in tokens {
        assert_eq!(end(token), AWSGI_OK, "an exchange cannot be ended");
    }
    let living: Vec<(usize, usize)> = world(|world| {
        let living = world.gateways.iter().filter(|one| !one.freed);
        living.map(|one| (one.pointer, world.reactors[one.reactor].pointer)).collect()
    });
    for (gateway, reactor) in living {
        close_gateway(gateway as *mut awsgi_gateway, 0);
        for turns in 0.. {
            reactors::turn_at(reactor as *mut awsgi_reactor);
            if free_gateway(gateway as *mut awsgi_gateway) {
                break;
            }
            assert!(turns < 10_000, "a gateway does not end");
        }
    }
    world(|world| {
        for exchange in &world.exchanges {
            assert!(exchange.closed, "an exchange was not closed");
        }
    });
}
