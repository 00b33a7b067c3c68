//! Exchanges between a host that is this test and applications of every behaviour.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use awsgi::gateway::{
    Application, Exchange, Gateway, GatewayOptions, Request, Run, Step, Style, Taken, Worker,
};
use awsgi::{
    Completion, Deadline, Error, Outcome, Reactor, ReactorOptions, Readiness, Status, Token, Turn,
    WaitSpec, Watch, notify, wait_forget, waitable_close, waitable_take,
};
use bytes::Bytes;

const SECOND: u64 = 1_000_000_000;

type Body = dyn Fn(&mut u32, Exchange, &[Completion]) -> Step + Send + Sync;

/// An application that is a closure: the first argument is 0 at its first step, and its own.
#[derive(Clone)]
struct Scripted {
    style: Style,
    body: Arc<Body>,
    closed: Arc<AtomicU32>,
    workers: Arc<AtomicU32>,
}

impl Application for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }
    fn style(&self) -> Style {
        self.style
    }
    fn worker(&self, _: &Reactor) -> awsgi::Result<Box<dyn Worker>> {
        self.workers.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(ScriptedWorker(self.clone())))
    }
}

struct ScriptedWorker(Scripted);

impl Worker for ScriptedWorker {
    fn open(&self) -> Box<dyn Run> {
        Box::new(ScriptedRun(self.0.clone(), 0))
    }
}

impl Drop for ScriptedWorker {
    fn drop(&mut self) {
        self.0.workers.fetch_sub(1, Ordering::SeqCst);
    }
}

struct ScriptedRun(Scripted, u32);

impl Run for ScriptedRun {
    fn run(&mut self, exchange: Exchange, done: &[Completion]) -> Step {
        (self.0.body)(&mut self.1, exchange, done)
    }
    fn close(self: Box<Self>, _: Exchange) {
        self.0.closed.fetch_add(1, Ordering::SeqCst);
    }
}

/// A host with one application.
struct Host {
    reactor: Reactor,
    gateway: Gateway,
    closed: Arc<AtomicU32>,
    workers: Arc<AtomicU32>,
    logged: Arc<std::sync::Mutex<Vec<String>>>,
}

/// What came of an exchange.
#[derive(Debug, Default)]
struct Response {
    status: u16,
    length: Option<u64>,
    body: Vec<u8>,
    bits: u32,
    complete: bool,
    aborted: bool,
}

impl Host {
    fn new(
        style: Style,
        options: GatewayOptions,
        body: impl Fn(&mut u32, Exchange, &[Completion]) -> Step + Send + Sync + 'static,
    ) -> Host {
        let logged = Arc::new(std::sync::Mutex::new(Vec::new()));
        let lines = logged.clone();
        let reactor = Reactor::new(&ReactorOptions {
            log: Some(Arc::new(move |_, line: &str| lines.lock().unwrap().push(line.to_owned()))),
            ..Default::default()
        })
        .unwrap();
        let application = Scripted {
            style,
            body: Arc::new(body),
            closed: Arc::default(),
            workers: Arc::default(),
        };
        let (closed, workers) = (application.closed.clone(), application.workers.clone());
        let gateway = Gateway::new(&reactor, Arc::new(application), &options).unwrap();
        Host { reactor, gateway, closed, workers, logged }
    }

    fn steps(
        body: impl Fn(&mut u32, Exchange, &[Completion]) -> Step + Send + Sync + 'static,
    ) -> Host {
        Host::new(Style::Steps, GatewayOptions::default(), body)
    }

    fn blocking(
        body: impl Fn(&mut u32, Exchange, &[Completion]) -> Step + Send + Sync + 'static,
    ) -> Host {
        Host::new(Style::Blocking, GatewayOptions::default(), body)
    }

    fn open(&self, method: &[u8], body: bool) -> Exchange {
        self.gateway
            .open(&Request {
                method,
                target: b"/path?query",
                protocol: b"HTTP/1.1",
                scheme: b"http",
                remote_addr: b"127.0.0.1",
                remote_port: 1,
                server_name: b"localhost",
                server_port: 80,
                headers: &[(b"Host", b"localhost")],
                content_length: None,
                body,
                user_data: 99,
            })
            .unwrap()
    }

    /// One turn, which may wait for a generous while.
    fn turn(&self) -> Vec<Completion> {
        let deadline = Deadline::at(self.reactor.now().unwrap() + 20 * SECOND);
        let mut done = Vec::new();
        let turn = Turn { deadline, ..Default::default() };
        let report = self.reactor.turn(&turn, |completion| done.push(completion)).unwrap();
        assert_eq!(report.completions, done.len());
        done
    }

    /// One turn that does not wait.
    fn glance(&self) -> Vec<Completion> {
        let mut done = Vec::new();
        self.reactor.turn(&Turn::default(), |completion| done.push(completion)).unwrap();
        done
    }

    /// Serves an exchange until its last completion, taking at most `piece` bytes a turn.
    fn serve(&self, exchange: Exchange) -> Response {
        let mut response = Response::default();
        let mut last = false;
        let mut takable = false;
        while !last || takable {
            for done in if takable { self.glance() } else { self.turn() } {
                assert_eq!((done.wait, done.user_data), (exchange.token(), 99));
                assert_eq!(done.outcome, Outcome::Ready);
                assert!(!last, "nothing comes after the last");
                let once = Readiness::HEAD | Readiness::END | Readiness::ABORT;
                assert_eq!(response.bits & done.ready.bits() & once.bits(), 0, "told twice");
                response.bits |= done.ready.bits();
                last = !done.more;
                assert_eq!(last, done.ready.intersects(Readiness::END | Readiness::ABORT));
                if done.ready.contains(Readiness::HEAD) {
                    let head = exchange.head().unwrap();
                    (response.status, response.length) = (head.status, head.length);
                    takable = true;
                }
                takable |= done.ready.intersects(Readiness::BODY | Readiness::END);
            }
            if takable && response.status != 0 {
                match exchange.take().unwrap() {
                    Taken::Data(bytes) => {
                        response.body.extend_from_slice(&bytes);
                        exchange.sent(bytes.len()).unwrap();
                    }
                    Taken::Nothing => takable = false,
                    Taken::End => {
                        takable = false;
                        response.complete = true;
                    }
                }
            } else {
                takable = false;
            }
        }
        response.aborted = response.bits & Readiness::ABORT.bits() != 0;
        exchange.end().unwrap();
        assert_eq!(exchange.end().unwrap_err().status(), Status::Stale);
        response
    }

    /// The end: everything was closed exactly once, nothing is left.
    fn end(self, exchanges: u32) {
        while self.gateway.exchanges().unwrap() > 0 {
            self.turn();
        }
        assert_eq!(self.closed.load(Ordering::SeqCst), exchanges, "close runs once an exchange");
        self.gateway.free().unwrap();
        assert_eq!(self.workers.load(Ordering::SeqCst), 0);
        self.reactor.close().unwrap();
        self.glance();
        self.reactor.free().unwrap();
    }
}

fn respond(exchange: Exchange, text: &str) -> Step {
    exchange.start(200, &[(b"content-type", b"text/plain")]).unwrap();
    assert_eq!(exchange.write(text.as_bytes()).unwrap(), text.len());
    Step::Done
}

fn in_ns(exchange: Exchange, ns: u64) -> Deadline {
    Deadline::at(exchange.reactor().unwrap().now().unwrap() + ns)
}

fn me(exchange: Exchange, interest: Readiness) -> [Watch; 1] {
    [Watch { waitable: exchange.waitable().unwrap(), interest }]
}

#[test]
fn a_step_that_answers_at_once() {
    let host = Host::steps(|_, exchange, done| {
        assert!(done.is_empty());
        let path = exchange.environ(b"PATH_INFO", |path| path.unwrap().to_vec()).unwrap();
        respond(exchange, std::str::from_utf8(&path).unwrap())
    });
    let response = host.serve(host.open(b"GET", false));
    assert_eq!((response.status, response.length), (200, Some(5)));
    assert_eq!((&response.body[..], response.complete), (&b"/path"[..], true));
    host.end(1);
}

#[test]
fn an_application_may_wait_before_it_starts_its_response() {
    let host = Host::steps(|step, exchange, done| {
        *step += 1;
        if *step < 4 {
            let spec = WaitSpec::sleep(in_ns(exchange, 1000)).user_data((*step).into());
            exchange.wait(&spec).unwrap();
            return Step::Suspend;
        }
        assert_eq!((done[0].user_data, done[0].outcome), (3, Outcome::TimedOut));
        respond(exchange, "waited")
    });
    let response = host.serve(host.open(b"GET", false));
    assert_eq!((response.status, &response.body[..]), (200, &b"waited"[..]));
    host.end(1);
}

#[test]
fn what_a_step_starts_never_completes_in_the_same_turn() {
    let steps = Arc::new(AtomicU32::new(0));
    let count = steps.clone();
    let host = Host::steps(move |_, exchange, _| {
        count.fetch_add(1, Ordering::SeqCst);
        exchange.wait(&WaitSpec::sleep(Deadline::NOW)).unwrap();
        Step::Suspend
    });
    let exchange = host.open(b"GET", false);
    for turn in 1..10 {
        host.glance();
        assert_eq!(steps.load(Ordering::SeqCst), turn);
    }
    exchange.end().unwrap();
    host.end(1);
}

#[test]
fn several_waits_of_one_exchange_resume_it_and_the_rest_end_with_it() {
    let host = Host::steps(|step, exchange, done| {
        *step += 1;
        let reactor = exchange.reactor().unwrap();
        if *step == 1 {
            let event = reactor.event().unwrap();
            let spec = [Watch { waitable: event, interest: Readiness::READABLE }];
            exchange.wait(&WaitSpec::any(&spec).user_data(1)).unwrap();
            exchange.wait(&WaitSpec::sleep(in_ns(exchange, 3600 * SECOND)).user_data(2)).unwrap();
            exchange.wait(&WaitSpec::sleep(in_ns(exchange, 1000)).user_data(3)).unwrap();
            notify(event, Readiness::READABLE).unwrap();
            return Step::Suspend;
        }
        assert!(done.iter().all(|done| done.user_data != 2));
        if done.iter().any(|done| done.user_data == 3) {
            return respond(exchange, "both");
        }
        Step::Suspend
    });
    assert_eq!(host.serve(host.open(b"GET", false)).body, b"both");
    assert_eq!(
        host.reactor.turn(&Turn::default(), |_| ()).unwrap().next_deadline,
        Deadline::FOREVER
    );
    host.end(1);
}

#[test]
fn a_body_is_read_in_pieces_as_it_arrives() {
    let host = Host::new(
        Style::Steps,
        GatewayOptions { input_buffer: 8, ..Default::default() },
        |sum, exchange, _| {
            let mut buffer = [0; 3];
            loop {
                match exchange.read(&mut buffer) {
                    Ok(0) => return respond(exchange, &sum.to_string()),
                    Ok(n) => *sum += buffer[..n].iter().map(|b| u32::from(*b)).sum::<u32>(),
                    Err(error) if error.status() == Status::Again => {
                        exchange.wait(&WaitSpec::any(&me(exchange, Readiness::READABLE))).unwrap();
                        return Step::Suspend;
                    }
                    Err(error) => return Step::Failed(error),
                }
            }
        },
    );
    let exchange = host.open(b"POST", true);
    host.glance();
    let mut left = Bytes::from(vec![1; 1000]);
    let mut rooms = 0;
    while !left.is_empty() {
        let before = left.len();
        let taken = exchange.feed(&mut left, true).unwrap();
        assert_eq!(before - taken, left.len());
        assert!(taken <= 8);
        if left.is_empty() {
            break;
        }
        while !host.turn().iter().any(|done| done.ready.contains(Readiness::ROOM)) {}
        rooms += 1;
    }
    assert!(rooms > 50);
    assert_eq!(host.serve(exchange).body, b"1000");
    host.end(1);
}

#[test]
fn a_host_that_asks_learns_when_input_is_wanted() {
    let host = Host::steps(|step, exchange, _| {
        *step += 1;
        match *step {
            1 => exchange.wait(&WaitSpec::sleep(in_ns(exchange, 1_000_000))).map(drop).unwrap(),
            2 => {
                let spec = me(exchange, Readiness::READABLE);
                exchange.wait(&WaitSpec::any(&spec)).map(drop).unwrap();
            }
            _ => {
                let mut buffer = [0; 8];
                assert_eq!(exchange.read(&mut buffer).unwrap(), 2);
                return respond(exchange, "read");
            }
        }
        Step::Suspend
    });
    let exchange = host.open(b"POST", true);
    assert_eq!(exchange.feed(&mut Bytes::new(), false).unwrap(), 0);
    assert_eq!(host.glance(), []);
    let told = loop {
        if let Some(done) = host.turn().first() {
            break *done;
        }
    };
    assert_eq!(told.ready, Readiness::ROOM);
    exchange.feed(&mut Bytes::from("ab"), true).unwrap();
    assert_eq!(host.serve(exchange).body, b"read");
    host.end(1);
}

#[test]
fn output_stops_at_the_high_water_mark_and_goes_on_when_it_was_sent() {
    let most = Arc::new(AtomicU32::new(0));
    let seen = most.clone();
    let host = Host::new(
        Style::Steps,
        GatewayOptions { output_buffer: 1000, ..Default::default() },
        move |written, exchange, _| {
            if *written == 0 {
                exchange.start(200, &[(b"Content-Length", b"100000")]).unwrap();
            }
            while *written < 100_000 {
                let n = exchange.write(&vec![b'x'; 100_000 - *written as usize]).unwrap() as u32;
                seen.fetch_max(n, Ordering::SeqCst);
                *written += n;
                if n == 0 {
                    exchange.wait(&WaitSpec::any(&me(exchange, Readiness::WRITABLE))).unwrap();
                    return Step::Suspend;
                }
            }
            Step::Done
        },
    );
    let response = host.serve(host.open(b"GET", false));
    assert_eq!((response.length, response.body.len()), (Some(100_000), 100_000));
    assert_eq!(most.load(Ordering::SeqCst), 1000);
    host.end(1);
}

#[test]
fn an_application_that_waits_for_its_client_is_resumed_and_may_finish() {
    let host = Host::steps(|step, exchange, done| {
        *step += 1;
        if *step == 1 {
            exchange.start(200, &[]).unwrap();
            let spec = me(exchange, Readiness::HANGUP);
            let deadline = in_ns(exchange, 3600 * SECOND);
            exchange.wait(&WaitSpec::any(&spec).until(deadline)).unwrap();
            return Step::Suspend;
        }
        assert!(done[0].ready.contains(Readiness::HANGUP));
        assert_eq!(exchange.write(b"x").unwrap_err().status(), Status::Closed);
        assert_eq!(exchange.read(&mut [0]).unwrap_err().status(), Status::Closed);
        Step::Done
    });
    let exchange = host.open(b"GET", false);
    host.glance();
    exchange.gone().unwrap();
    exchange.gone().unwrap();
    let last = loop {
        if let Some(done) = host.turn().into_iter().find(|done| !done.more) {
            break done;
        }
    };
    assert!(last.ready.contains(Readiness::ABORT));
    exchange.end().unwrap();
    host.end(1);
}

#[test]
fn any_other_suspended_exchange_ends_when_its_client_leaves() {
    let host = Host::steps(|step, exchange, _| {
        *step += 1;
        assert_eq!(*step, 1, "no further step");
        exchange.wait(&WaitSpec::sleep(in_ns(exchange, 3600 * SECOND))).unwrap();
        Step::Suspend
    });
    let exchange = host.open(b"GET", false);
    host.glance();
    exchange.gone().unwrap();
    host.glance();
    assert_eq!(host.closed.load(Ordering::SeqCst), 1, "closed within one turn");
    exchange.end().unwrap();
    let never_run = host.open(b"GET", false);
    never_run.gone().unwrap();
    never_run.end().unwrap();
    host.end(2);
}

#[test]
fn an_exchange_that_fails_before_its_head_is_a_500_and_others_go_on() {
    for failure in 0..6 {
        let host = Host::steps(move |_, exchange, _| match failure {
            0 => Step::Failed(Error::new(Status::State, "on purpose")),
            1 => Step::Suspend,
            2 => Step::Done,
            3 => panic!("on purpose"),
            4 => {
                exchange.start(200, &[(b"Content-Length", b"5")]).unwrap();
                exchange.write(b"four").unwrap();
                Step::Done
            }
            _ => {
                exchange.start(200, &[]).unwrap();
                Step::Failed(Error::new(Status::State, "after the head, in the same step"))
            }
        });
        let (first, second) = (host.open(b"GET", false), host.open(b"GET", false));
        host.glance();
        for exchange in [first, second] {
            assert_eq!(exchange.head().unwrap().status, 500, "failure {failure}");
            let Taken::Data(text) = exchange.take().unwrap() else { panic!("a sentence") };
            assert!(text.starts_with(b"500 "));
            exchange.end().unwrap();
        }
        assert_eq!(host.logged.lock().unwrap().len(), 2, "{:?}", host.logged);
        host.end(2);
    }
}

#[test]
fn an_exchange_that_fails_after_its_head_is_broken_off() {
    let host = Host::steps(|step, exchange, _| {
        *step += 1;
        if *step == 1 {
            exchange.start(200, &[]).unwrap();
            exchange.write(b"half").unwrap();
            exchange.wait(&WaitSpec::sleep(in_ns(exchange, 1000))).unwrap();
            return Step::Suspend;
        }
        Step::Failed(Error::new(Status::State, "on purpose"))
    });
    let response = host.serve(host.open(b"GET", false));
    assert_eq!((response.status, response.aborted), (200, true));
    host.end(1);
}

#[test]
fn a_step_may_not_turn_or_free_its_reactor() {
    let host = Host::steps(|_, exchange, _| {
        let reactor = exchange.reactor().unwrap();
        let refused = [
            reactor.turn(&Turn::default(), |_| ()).map(drop),
            reactor.free(),
            reactor.clone().release().map(drop),
        ];
        for result in refused {
            assert_eq!(result.unwrap_err().status(), Status::Reentrant);
        }
        let spec = WaitSpec::sleep(Deadline::NOW);
        assert_eq!(exchange.wait_in_place(&spec).unwrap_err().status(), Status::State);
        respond(exchange, "refused")
    });
    assert_eq!(host.serve(host.open(b"GET", false)).body, b"refused");
    host.end(1);
}

#[test]
fn an_application_that_only_yields_is_slowed_down_and_said_so() {
    let host = Host::steps(|step, exchange, _| {
        *step += 1;
        if *step == 150 { respond(exchange, "yielded") } else { Step::Yield }
    });
    let before = host.reactor.now().unwrap();
    let response = host.serve(host.open(b"GET", false));
    assert_eq!(response.body, b"yielded");
    assert!(host.reactor.now().unwrap() - before >= 49_000_000, "49 pauses of a millisecond");
    let logged = host.logged.lock().unwrap().clone();
    assert_eq!(logged.len(), 1);
    assert!(logged[0].contains("yielded 100 times"));
    host.end(1);
}

#[test]
fn what_an_exchange_made_ends_with_it() {
    let made = Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = made.clone();
    let host = Host::steps(move |_, exchange, _| {
        let reactor = exchange.reactor().unwrap();
        let mut made = kept.lock().unwrap();
        made.push(reactor.event().unwrap());
        made.push(exchange.waitable().unwrap());
        assert_eq!(exchange.waitable().unwrap(), made[1]);
        assert_eq!(waitable_close(made[1]).unwrap_err().status(), Status::State);
        made.push(exchange.wait(&WaitSpec::sleep(in_ns(exchange, SECOND * 3600))).unwrap());
        respond(exchange, "")
    });
    host.serve(host.open(b"GET", false));
    for token in made.lock().unwrap().iter() {
        assert_eq!(waitable_close(*token).unwrap_err().status(), Status::Stale);
    }
    host.end(1);
}

#[test]
fn a_gateway_is_full_drains_and_ends() {
    let drained = Arc::new(AtomicU32::new(0));
    let seen = drained.clone();
    let host = Host::new(
        Style::Steps,
        GatewayOptions { max_exchanges: 2, ..Default::default() },
        move |step, exchange, done| {
            *step += 1;
            if *step == 1 {
                let spec = me(exchange, Readiness::PRIORITY);
                exchange.wait(&WaitSpec::any(&spec)).unwrap();
                return Step::Suspend;
            }
            assert!(done[0].ready.contains(Readiness::PRIORITY));
            if seen.fetch_add(1, Ordering::SeqCst) == 0 {
                return respond(exchange, "drained");
            }
            exchange.wait(&WaitSpec::sleep(in_ns(exchange, 3600 * SECOND))).unwrap();
            Step::Suspend
        },
    );
    let (first, second) = (host.open(b"GET", false), host.open(b"GET", false));
    let request = |host: &Host| {
        host.gateway.open(&Request {
            method: b"GET",
            target: b"/",
            protocol: b"HTTP/1.1",
            scheme: b"http",
            remote_addr: b"",
            remote_port: 0,
            server_name: b"",
            server_port: 0,
            headers: &[],
            content_length: None,
            body: false,
            user_data: 0,
        })
    };
    assert_eq!(request(&host).unwrap_err().status(), Status::Limit);
    host.glance();
    assert_eq!(host.gateway.free().unwrap_err().status(), Status::Busy);
    host.gateway.close(20_000_000).unwrap();
    assert_eq!(request(&host).unwrap_err().status(), Status::Closed);
    let mut last = 0;
    while last < 2 {
        last += host.turn().iter().filter(|done| !done.more).count();
    }
    let statuses = [first.head().unwrap().status, second.head().unwrap().status];
    assert!(statuses == [200, 503] || statuses == [503, 200], "{statuses:?}");
    first.end().unwrap();
    second.end().unwrap();
    host.end(2);
}

#[test]
fn a_head_request_has_the_length_and_no_body() {
    let host = Host::steps(|_, exchange, _| respond(exchange, "four"));
    let response = host.serve(host.open(b"HEAD", false));
    assert_eq!((response.length, response.body.len()), (Some(4), 0));
    host.end(1);
}

#[test]
fn the_host_may_end_an_application_early() {
    for status in [408, 413] {
        let host = Host::steps(|_, exchange, _| {
            exchange.wait(&WaitSpec::any(&me(exchange, Readiness::READABLE))).unwrap();
            Step::Suspend
        });
        let exchange = host.open(b"POST", true);
        host.glance();
        exchange.fail(status).unwrap();
        let response = host.serve(exchange);
        assert_eq!((response.status, response.complete, response.aborted), (status, true, false));
        host.end(1);
    }
}

// ---- blocking ---------------------------------------------------------------------------------

#[test]
fn a_blocking_application_reads_waits_and_writes_in_place() {
    let host = Host::new(
        Style::Blocking,
        GatewayOptions { input_buffer: 16, output_buffer: 100, ..Default::default() },
        |_, exchange, _| {
            let mut body = Vec::new();
            let mut buffer = [0; 7];
            loop {
                match exchange.read(&mut buffer).unwrap() {
                    0 => break,
                    n => body.extend_from_slice(&buffer[..n]),
                }
            }
            let reactor = exchange.reactor().unwrap();
            let event = reactor.event().unwrap();
            let spec = [Watch { waitable: event, interest: Readiness::READABLE }];
            let deadline = in_ns(exchange, 1_000_000);
            let done = exchange.wait_in_place(&WaitSpec::any(&spec).until(deadline)).unwrap();
            assert_eq!(done.outcome, Outcome::TimedOut);
            assert!(reactor.now().unwrap() >= deadline.nanoseconds());
            notify(event, Readiness::READABLE).unwrap();
            let done = exchange.wait_in_place(&WaitSpec::any(&spec)).unwrap();
            assert_eq!(done.outcome, Outcome::Ready);
            waitable_close(event).unwrap();
            let spec = WaitSpec::sleep(Deadline::NOW);
            assert_eq!(exchange.wait(&spec).unwrap_err().status(), Status::State);
            assert_eq!(reactor.wait_start(&spec).unwrap_err().status(), Status::Thread);
            exchange.start(200, &[]).unwrap();
            for _ in 0..100 {
                assert_eq!(exchange.write(&body).unwrap(), body.len());
            }
            Step::Done
        },
    );
    let exchange = host.open(b"POST", true);
    let mut left = Bytes::from(vec![b'a'; 100]);
    loop {
        exchange.feed(&mut left, true).unwrap();
        if left.is_empty() {
            break;
        }
        while !host.turn().iter().any(|done| done.ready.contains(Readiness::ROOM)) {}
    }
    let response = host.serve(exchange);
    assert_eq!((response.status, response.body.len()), (200, 10_000));
    host.end(1);
}

#[test]
fn a_wait_in_place_that_asks_once_sees_what_is_ready() {
    use std::os::fd::AsRawFd;

    let host = Host::blocking(|_, exchange, _| {
        let (reader, mut writer) = std::os::unix::net::UnixStream::pair().unwrap();
        let reactor = exchange.reactor().unwrap();
        let waitable = reactor.descriptor(reader.as_raw_fd(), false).unwrap();
        let set = [Watch { waitable, interest: Readiness::READABLE }];
        let ask = || {
            let spec = WaitSpec::any(&set).until(Deadline::NOW);
            exchange.wait_in_place(&spec).unwrap().outcome
        };
        assert_eq!(ask(), Outcome::TimedOut);
        std::io::Write::write_all(&mut writer, b"x").unwrap();
        for _ in 0..100 {
            assert_eq!(ask(), Outcome::Ready);
        }
        respond(exchange, "ok")
    });
    let exchange = host.open(b"GET", false);
    assert_eq!(host.serve(exchange).status, 200);
    host.end(1);
}

#[test]
fn a_full_pool_queues_and_every_exchange_is_answered() {
    let options = GatewayOptions { pool_threads: 2, ..Default::default() };
    let host = Host::new(Style::Blocking, options, |_, exchange, _| {
        let spec = WaitSpec::sleep(in_ns(exchange, 1_000_000));
        exchange.wait_in_place(&spec).unwrap();
        respond(exchange, "ok")
    });
    let exchanges: Vec<Exchange> = (0..20).map(|_| host.open(b"GET", false)).collect();
    let mut last = 0;
    while last < exchanges.len() {
        last += host.turn().iter().filter(|done| !done.more).count();
    }
    for exchange in exchanges {
        assert_eq!(exchange.head().unwrap().status, 200);
        exchange.end().unwrap();
    }
    host.end(20);
}

#[test]
fn a_blocking_application_is_told_in_any_call_that_its_client_left() {
    for call in 0..3 {
        let host = Host::blocking(move |_, exchange, _| {
            exchange.start(200, &[]).unwrap();
            let result = match call {
                0 => exchange
                    .wait_in_place(&WaitSpec::sleep(in_ns(exchange, 3600 * SECOND)))
                    .map(drop),
                1 => exchange.read(&mut [0]).map(drop),
                _ => loop {
                    if let Err(error) = exchange.write(&[0; 1000]) {
                        break Err(error);
                    }
                },
            };
            let error = result.unwrap_err();
            assert_eq!(error.status(), Status::Closed);
            Step::Failed(error)
        });
        let exchange = host.open(b"POST", true);
        host.glance();
        for _ in 0..3 {
            std::thread::yield_now();
            host.glance();
        }
        exchange.gone().unwrap();
        while host.turn().iter().all(|done| done.more) {}
        exchange.end().unwrap();
        host.end(1);
    }
}

#[test]
fn a_blocking_application_that_fails_is_a_500() {
    for failure in 0..4 {
        let host = Host::blocking(move |_, _, _| match failure {
            0 => Step::Failed(Error::new(Status::State, "on purpose")),
            1 => panic!("on purpose"),
            2 => Step::Suspend,
            _ => Step::Done,
        });
        let response = host.serve(host.open(b"GET", false));
        assert_eq!((response.status, response.complete), (500, true), "failure {failure}");
        host.end(1);
    }
}

/// Reads its body and answers how much it was, on a pool thread that it gives back where it would wait.
fn read_in_passing(sum: &mut u32, exchange: Exchange, done: &[Completion]) -> Step {
    assert!(done.is_empty());
    loop {
        let look = me(exchange, Readiness::READABLE);
        let look = WaitSpec::any(&look).until(in_ns(exchange, 0));
        match exchange.wait_in_place(&look).map(|look| look.outcome) {
            Ok(Outcome::Ready) => {}
            Ok(_) => return Step::Suspend,
            Err(error) => return Step::Failed(error),
        }
        match exchange.read(&mut [0; 3]) {
            Ok(0) => return respond(exchange, &sum.to_string()),
            Ok(n) => *sum += n as u32,
            Err(error) => return Step::Failed(error),
        }
    }
}

#[test]
fn a_blocking_application_may_give_its_thread_back_until_there_is_input() {
    let options = GatewayOptions { pool_threads: 1, input_buffer: 8, ..Default::default() };
    let host = Host::new(Style::Blocking, options, read_in_passing);
    let slow: Vec<Exchange> = (0..4).map(|_| host.open(b"POST", true)).collect();
    // There is one thread, and none of them has it.
    for _ in 0..2 {
        assert_eq!(host.serve(host.open(b"GET", false)).body, b"0");
    }
    slow[2].gone().unwrap();
    for exchange in &slow[..2] {
        assert_eq!(exchange.feed(&mut Bytes::from_static(b"abcd"), false).unwrap(), 4);
        host.glance();
        assert_eq!(exchange.feed(&mut Bytes::from_static(b"efg"), true).unwrap(), 3);
        let ended = |done: &Completion| done.wait == exchange.token() && !done.more;
        while !host.turn().iter().any(ended) {}
        assert_eq!(exchange.take().unwrap(), Taken::Data(Bytes::from_static(b"7")));
    }
    assert_eq!(host.logged.lock().unwrap()[..], [""; 0]);
    for exchange in slow {
        exchange.end().unwrap();
    }
    host.end(6);
}

#[test]
fn what_has_given_its_thread_back_ends_with_its_gateway_and_its_reactor() {
    for drains in [true, false] {
        let host = Host::blocking(read_in_passing);
        let exchange = host.open(b"POST", true);
        assert_eq!(host.serve(host.open(b"GET", false)).body, b"0");
        if drains {
            host.gateway.close(0).unwrap();
        } else {
            host.reactor.close().unwrap();
        }
        while host.turn().iter().all(|done| done.more) {}
        exchange.end().unwrap();
        host.gateway.free().unwrap();
        assert_eq!(host.closed.load(Ordering::SeqCst), 2, "close runs once an exchange");
    }
}

#[test]
fn input_that_comes_as_a_blocking_application_gives_its_thread_back_is_read_in_the_next_run() {
    let host = Host::blocking(|sum: &mut u32, exchange, _| match exchange.read(&mut [0; 1]) {
        Ok(0) => respond(exchange, &sum.to_string()),
        Ok(n) => {
            *sum += n as u32;
            Step::Suspend
        }
        Err(error) => Step::Failed(error),
    });
    let exchange = host.open(b"POST", true);
    assert_eq!(exchange.feed(&mut Bytes::from_static(&[b'a'; 300]), true).unwrap(), 300);
    assert_eq!(host.serve(exchange).body, b"300");
    host.end(1);
}

#[test]
fn a_blocking_application_that_leaves_its_input_where_it_is_fails() {
    let host = Host::blocking(|_, _, _| Step::Suspend);
    let exchange = host.open(b"POST", true);
    exchange.feed(&mut Bytes::from_static(b"a"), false).unwrap();
    let response = host.serve(exchange);
    assert_eq!((response.status, response.complete), (500, true));
    assert!(host.logged.lock().unwrap()[0].contains("though there is input: read it first"));
    host.end(1);
}

#[test]
fn closing_the_reactor_ends_every_exchange() {
    for style in [Style::Steps, Style::Blocking] {
        let host = Host::new(style, GatewayOptions::default(), move |_, exchange, _| {
            let spec = WaitSpec::sleep(in_ns(exchange, 3600 * SECOND));
            match style {
                Style::Steps => {
                    exchange.wait(&spec).unwrap();
                    Step::Suspend
                }
                Style::Blocking => Step::Failed(exchange.wait_in_place(&spec).unwrap_err()),
            }
        });
        let exchange = host.open(b"GET", false);
        host.glance();
        host.reactor.close().unwrap();
        while host.turn().iter().all(|done| done.more) {}
        assert_eq!(host.reactor.free().unwrap_err().status(), Status::Busy);
        exchange.end().unwrap();
        host.gateway.free().unwrap();
        assert_eq!(host.closed.load(Ordering::SeqCst), 1);
        host.reactor.free().unwrap();
        assert_eq!(exchange.end().unwrap_err().status(), Status::Stale);
    }
}

#[test]
fn an_exchange_belongs_to_its_thread() {
    let host = Host::steps(|_, exchange, _| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(exchange.write(b"x").unwrap_err().status(), Status::Thread);
                assert_eq!(exchange.waitable().unwrap_err().status(), Status::Thread);
                let wild = Exchange::from_token(Token::from_bits(u64::MAX));
                assert_eq!(wild.write(b"x").unwrap_err().status(), Status::Stale);
            });
        });
        respond(exchange, "")
    });
    host.serve(host.open(b"GET", false));
    host.end(1);
}

#[test]
fn after_its_end_nothing_is_told_of_an_exchange() {
    let told = Arc::new(AtomicU32::new(0));
    let over = Arc::new(AtomicU32::new(0));
    let (tells, ends) = (told.clone(), over.clone());
    let host = Host::blocking(move |_, exchange, _| {
        exchange.start(200, &[]).unwrap();
        // The head is told with the next call through the owner.
        exchange.reactor().unwrap().event().unwrap();
        tells.store(1, Ordering::SeqCst);
        while ends.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        Step::Done
    });
    let exchange = host.open(b"GET", false);
    // The host has no room for what it is told, and ends the exchange meanwhile.
    while told.load(Ordering::SeqCst) == 0 {
        host.reactor.turn(&Turn { capacity: 0, ..Default::default() }, |_| ()).unwrap();
    }
    exchange.end().unwrap();
    let after = host.glance();
    over.store(1, Ordering::SeqCst);
    assert_eq!(after, []);
    host.end(1);
}

#[test]
fn after_the_last_completion_nothing_is_told_whoever_reads_on() {
    let host = Host::steps(|_, exchange, _| respond(exchange, ""));
    let exchange = host.open(b"POST", true);
    // The host asks when input is wanted, which it never is while the application lives.
    assert_eq!(exchange.feed(&mut Bytes::new(), false).unwrap(), 0);
    while host.turn().iter().all(|done| done.more) {}
    assert!(exchange.read(&mut [0; 8]).is_err());
    assert_eq!(host.glance(), []);
    exchange.end().unwrap();
    host.end(1);
}

#[test]
fn the_body_of_a_failure_is_told_once() {
    let host = Host::steps(|step, exchange, _| {
        *step += 1;
        if *step == 1 {
            let spec = me(exchange, Readiness::READABLE);
            exchange.wait(&WaitSpec::any(&spec)).unwrap();
            return Step::Suspend;
        }
        Step::Failed(Error::new(Status::State, "refused"))
    });
    let exchange = host.open(b"POST", true);
    host.glance();
    assert_eq!(exchange.take().unwrap(), Taken::Nothing);
    exchange.feed(&mut Bytes::from("ab"), true).unwrap();
    let done = host.turn();
    assert_eq!(done[0].ready, Readiness::HEAD | Readiness::BODY | Readiness::END);
    assert!(exchange.read(&mut [0; 8]).is_ok());
    assert_eq!(host.glance(), []);
    exchange.end().unwrap();
    host.end(1);
}

#[test]
fn an_exchange_that_is_done_is_no_waitable_any_more() {
    let host = Host::steps(|_, exchange, _| respond(exchange, ""));
    let exchange = host.open(b"GET", false);
    while host.turn().iter().all(|done| done.more) {}
    assert_eq!(exchange.waitable().unwrap_err().status(), Status::Closed);
    exchange.end().unwrap();
    let again = host.open(b"GET", false);
    host.serve(again);
    host.end(2);
}

#[test]
fn close_runs_also_where_no_thread_is_to_be_had() {
    let reactor = Reactor::new(&ReactorOptions {
        spawn: Some(Arc::new(|_, _: &str| Err(Error::new(Status::Limit, "no thread")))),
        ..Default::default()
    })
    .unwrap();
    let application = Scripted {
        style: Style::Blocking,
        body: Arc::new(|_, _, _| unreachable!("there is no thread")),
        closed: Arc::default(),
        workers: Arc::default(),
    };
    let (closed, workers) = (application.closed.clone(), application.workers.clone());
    let gateway =
        Gateway::new(&reactor, Arc::new(application), &GatewayOptions::default()).unwrap();
    let host = Host { reactor, gateway, closed, workers, logged: Arc::default() };
    let response = host.serve(host.open(b"GET", false));
    assert_eq!((response.status, response.complete), (503, true));
    host.end(1);
}

#[test]
fn a_response_that_was_cut_short_never_looks_complete() {
    let go = Arc::new(std::sync::Barrier::new(2));
    let wait = go.clone();
    let host = Host::blocking(move |_, exchange, _| {
        exchange.start(200, &[]).unwrap();
        exchange.write(b"first").unwrap();
        wait.wait();
        wait.wait();
        Step::Failed(exchange.write(b"second").unwrap_err())
    });
    let exchange = host.open(b"GET", false);
    host.glance();
    go.wait();
    exchange.head().unwrap();
    exchange.fail(503).unwrap();
    assert_eq!(exchange.take().unwrap(), Taken::Nothing);
    go.wait();
    let mut last = Readiness::NONE;
    while !last.intersects(Readiness::END | Readiness::ABORT) {
        for done in host.turn() {
            last = done.ready;
        }
    }
    assert!(last.contains(Readiness::ABORT));
    assert_eq!(exchange.take().unwrap(), Taken::Nothing);
    exchange.end().unwrap();
    host.end(1);
}

#[test]
fn an_exchange_whose_last_wait_is_forgotten_by_another_is_a_500() {
    let held = Arc::new(std::sync::Mutex::new(None));
    let hold = held.clone();
    let host = Host::steps(move |_, exchange, _| {
        let spec = WaitSpec::sleep(in_ns(exchange, 3600 * SECOND));
        *hold.lock().unwrap() = Some(exchange.wait(&spec).unwrap());
        Step::Suspend
    });
    let exchange = host.open(b"GET", false);
    host.glance();
    wait_forget(held.lock().unwrap().unwrap()).unwrap();
    let response = host.serve(exchange);
    assert_eq!((response.status, response.complete), (500, true));
    assert!(host.logged.lock().unwrap()[0].contains("nothing to wait for"));
    host.end(1);
}

/// What a pool thread says while the owner acts for another one is heard once.
#[test]
fn an_exchange_may_end_while_the_owner_acts_for_another() {
    use std::sync::mpsc::channel;
    let pause = || std::thread::sleep(std::time::Duration::from_millis(50));
    let (ready, is_ready) = channel::<()>();
    let (go, may_go) = channel::<()>();
    let (gone, is_gone) = channel::<()>();
    let inside = std::sync::Mutex::new((ready, may_go, gone));
    let hook = std::sync::Mutex::new((go, is_gone));
    // The log hook is called while the owner acts for the one that failed.
    let reactor = Reactor::new(&ReactorOptions {
        log: Some(Arc::new(move |_, _: &str| {
            let hook = hook.lock().unwrap();
            hook.0.send(()).unwrap();
            hook.1.recv().unwrap();
            // Its last word to the owner follows at once.
            pause();
        })),
        ..Default::default()
    })
    .unwrap();
    let event = reactor.event().unwrap();
    let order = Arc::new(AtomicU32::new(0));
    let wait_for = |order: &AtomicU32, value: u32| {
        while order.load(Ordering::SeqCst) != value {
            std::thread::yield_now();
        }
    };
    let turns = order.clone();
    let nth = AtomicU32::new(0);
    let body = move |_: &mut u32, exchange: Exchange, _: &[Completion]| {
        match nth.fetch_add(1, Ordering::SeqCst) {
            // Fails, which is logged.
            0 => {
                wait_for(&turns, 1);
                turns.store(2, Ordering::SeqCst);
                Step::Failed(Error::new(Status::State, "on purpose"))
            }
            // Has the owner look at everybody once more.
            1 => {
                wait_for(&turns, 3);
                turns.store(4, Ordering::SeqCst);
                waitable_take(event).unwrap();
                exchange.start(200, &[]).unwrap();
                Step::Done
            }
            // Says something, and ends while the first is looked at.
            _ => {
                wait_for(&turns, 5);
                let inside = inside.lock().unwrap();
                exchange.start(200, &[]).unwrap();
                exchange.read(&mut [0]).unwrap();
                inside.0.send(()).unwrap();
                inside.1.recv().unwrap();
                inside.2.send(()).unwrap();
                Step::Done
            }
        }
    };
    let application = Scripted {
        style: Style::Blocking,
        body: Arc::new(body),
        closed: Arc::default(),
        workers: Arc::default(),
    };
    let (closed, workers) = (application.closed.clone(), application.workers.clone());
    let gateway =
        Gateway::new(&reactor, Arc::new(application), &GatewayOptions::default()).unwrap();
    let host = Host { reactor, gateway, closed, workers, logged: Arc::default() };
    let exchanges: Vec<Exchange> = (0..3).map(|_| host.open(b"GET", false)).collect();
    host.glance();
    // They speak one after another, to an owner that does not listen yet.
    for (say, said) in [(1, 2), (3, 4)] {
        order.store(say, Ordering::SeqCst);
        wait_for(&order, said);
        pause();
    }
    order.store(5, Ordering::SeqCst);
    is_ready.recv().unwrap();
    // Whichever is the third: the two others are told of.
    let mut left = exchanges;
    let third = left.iter().position(|exchange| exchange.head().is_ok()).unwrap();
    left.remove(third).end().unwrap();
    let mut last = 0;
    while last < 2 {
        last += host.turn().iter().filter(|done| !done.more).count();
    }
    for exchange in left {
        exchange.end().unwrap();
    }
    waitable_close(event).unwrap();
    host.end(3);
}

#[test]
fn a_prefix_ends_where_a_segment_does() {
    let host = Host::new(
        Style::Steps,
        GatewayOptions { script_name: "/app".into(), ..Default::default() },
        |_, exchange, _| {
            let path = exchange.environ(b"PATH_INFO", |path| path.unwrap().to_vec()).unwrap();
            respond(exchange, std::str::from_utf8(&path).unwrap())
        },
    );
    let open = |target: &[u8]| {
        host.gateway.open(&Request {
            method: b"GET",
            target,
            protocol: b"HTTP/1.1",
            scheme: b"http",
            remote_addr: b"",
            remote_port: 0,
            server_name: b"",
            server_port: 0,
            headers: &[],
            content_length: None,
            body: false,
            user_data: 99,
        })
    };
    assert_eq!(open(b"/application").unwrap_err().status(), Status::Invalid);
    assert_eq!(open(b"x?://h/app").unwrap_err().status(), Status::Invalid);
    assert_eq!(host.serve(open(b"/app").unwrap()).body, b"");
    assert_eq!(host.serve(open(b"/app/x").unwrap()).body, b"/x");
    host.end(2);
}

#[test]
fn a_worker_ends_with_nothing_of_ours_borrowed() {
    struct Ender(Reactor, Arc<AtomicU32>);
    // SAFETY: it is used on the one thread of this test.
    unsafe impl Send for Ender {}
    // SAFETY: as above.
    unsafe impl Sync for Ender {}
    impl Worker for Ender {
        fn open(&self) -> Box<dyn Run> {
            unreachable!()
        }
    }
    impl Drop for Ender {
        fn drop(&mut self) {
            if self.0.now().is_ok() {
                self.1.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
    struct App(Arc<AtomicU32>, Arc<AtomicU32>);
    impl Application for App {
        fn name(&self) -> &str {
            "ender"
        }
        fn style(&self) -> Style {
            Style::Steps
        }
        fn worker(&self, reactor: &Reactor) -> awsgi::Result<Box<dyn Worker>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(Ender(reactor.clone(), self.1.clone())))
        }
    }
    let reactor = Reactor::new(&ReactorOptions::default()).unwrap();
    let (made, ended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let wrong = GatewayOptions { script_name: "app/".into(), ..Default::default() };
    let app = Arc::new(App(made.clone(), ended.clone()));
    assert!(Gateway::new(&reactor, app, &wrong).is_err());
    assert_eq!(made.load(Ordering::SeqCst), ended.load(Ordering::SeqCst));
    reactor.close().unwrap();
    reactor.turn(&Turn::default(), |_| ()).unwrap();
    reactor.free().unwrap();
}

#[test]
fn the_body_has_one_end() {
    let host = Host::steps(|_, exchange, _| {
        exchange.wait(&WaitSpec::sleep(in_ns(exchange, 3600 * SECOND))).unwrap();
        Step::Suspend
    });
    let exchange = host.open(b"POST", true);
    assert_eq!(exchange.feed(&mut &b"all"[..], true).unwrap(), 3);
    assert_eq!(exchange.feed(&mut &b"more"[..], false).unwrap_err().status(), Status::State);
    exchange.end().unwrap();
    let exchange = host.open(b"GET", false);
    assert_eq!(exchange.feed(&mut &b"body"[..], true).unwrap_err().status(), Status::State);
    exchange.end().unwrap();
    host.end(2);
}

#[test]
fn only_an_exchange_knows_its_reactor() {
    let host = Host::steps(|_, exchange, _| {
        let event = exchange.reactor().unwrap().event().unwrap();
        let wrong = Exchange::from_token(event);
        assert_eq!(wrong.reactor().err().map(|error| error.status()), Some(Status::Invalid));
        respond(exchange, "")
    });
    assert_eq!(host.serve(host.open(b"GET", false)).status, 200);
    host.end(1);
}

#[test]
fn the_head_is_told_once_also_to_a_host_that_takes_it_late() {
    let host = Host::blocking(|_, exchange, _| {
        exchange.start(200, &[]).unwrap();
        let _ = exchange.reactor().unwrap().event();
        Step::Done
    });
    let exchange = host.open(b"GET", false);
    let mut heads = 0;
    loop {
        let done = host.turn();
        heads += done.iter().filter(|done| done.ready.contains(Readiness::HEAD)).count();
        if done.iter().any(|done| !done.more) {
            break;
        }
    }
    assert_eq!(heads, 1);
    exchange.end().unwrap();
    host.end(1);
}

#[test]
fn completions_of_waits_do_not_starve_those_of_exchanges() {
    let host = Host::steps(|_, exchange, _| respond(exchange, ""));
    let exchange = host.open(b"GET", false);
    let mut told = false;
    for _ in 0..10 {
        host.reactor.wait_start(&WaitSpec::sleep(Deadline::NOW)).unwrap();
        host.reactor.wait_start(&WaitSpec::sleep(Deadline::NOW)).unwrap();
        let turn = Turn { capacity: 1, ..Default::default() };
        host.reactor.turn(&turn, |done| told |= done.wait == exchange.token()).unwrap();
    }
    assert!(told);
    exchange.end().unwrap();
    host.end(1);
}

#[test]
fn a_blocking_application_waits_for_its_own_client() {
    let host = Host::blocking(|_, exchange, _| {
        let spec = me(exchange, Readiness::READABLE);
        let until = in_ns(exchange, 5 * SECOND);
        let done = exchange.wait_in_place(&WaitSpec::any(&spec).until(until)).unwrap();
        respond(exchange, if done.outcome == Outcome::Ready { "ready" } else { "not told" })
    });
    // Its slot in the reactor is not its place among the exchanges.
    let event = host.reactor.event().unwrap();
    let other = host.open(b"POST", true);
    let exchange = host.open(b"POST", true);
    exchange.feed(&mut &b"x"[..], true).unwrap();
    let response = host.serve(exchange);
    assert_eq!((response.status, &response.body[..]), (200, &b"ready"[..]));
    other.end().unwrap();
    waitable_close(event).unwrap();
    host.end(2);
}
