//! What a task of the runtime may wait for.

use super::*;

#[test]
fn an_event_that_another_thread_notifies_wakes_its_task() {
    run(async |reactor| {
        let event = reactor.event().unwrap();
        for _ in 0..100 {
            let other = std::thread::spawn(move || notify(event, Readiness::READABLE));
            let done = ready(&reactor, event).await.unwrap();
            assert_eq!((done.outcome, done.ready), (Outcome::Ready, Readiness::READABLE));
            assert_eq!(waitable_take(event).unwrap(), 1);
            other.join().unwrap().unwrap();
        }
    });
}

#[test]
fn an_event_that_a_task_notifies_wakes_another() {
    run(async |reactor| {
        let event = reactor.event().unwrap();
        let waiting = spawn_local({
            let reactor = reactor.clone();
            async move { ready(&reactor, event).await.unwrap().outcome }
        });
        yield_now().await;
        assert_eq!(reactor.stats().unwrap().waits, 1);
        notify(event, Readiness::READABLE).unwrap();
        assert_eq!(waiting.await.unwrap(), Outcome::Ready);
    });
}

#[test]
fn a_descriptor_is_waited_for_beside_the_sockets_of_tokio() {
    run(async |reactor| {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let theirs = tokio::net::UnixStream::from_std(theirs).unwrap();
        let socket = reactor.descriptor(ours.as_raw_fd(), false).unwrap();
        let echo = spawn_local(async move {
            let (mut reader, mut writer) = theirs.into_split();
            tokio::io::copy(&mut reader, &mut writer).await
        });
        for byte in 0..100 {
            ours.write_all(&[byte]).unwrap();
            let done = ready(&reactor, socket).await.unwrap();
            assert_eq!((done.outcome, done.ready), (Outcome::Ready, Readiness::READABLE));
            let mut answer = [0];
            ours.read_exact(&mut answer).unwrap();
            assert_eq!(answer, [byte]);
        }
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let ended = ready(&reactor, socket).await.unwrap();
        assert!(ended.ready.contains(Readiness::READ_CLOSED), "{ended:?}");
        assert_eq!(echo.await.unwrap().unwrap(), 100);
        waitable_close(socket).unwrap();
    });
}

#[test]
fn sets_complete_when_any_all_or_so_many_are_ready() {
    run(async |reactor| {
        let events: Vec<Token> = (0..3).map(|_| reactor.event().unwrap()).collect();
        let set: Vec<Watch> = events.iter().map(|event| watch(*event)).collect();
        notify(events[1], Readiness::READABLE).unwrap();

        let mut any = reactor.wait(&WaitSpec::any(&set));
        let done = (&mut any).await.unwrap();
        assert_eq!((done.outcome, done.members, done.index), (Outcome::Ready, 1, 1));
        assert_eq!(any.members()[0].waitable, events[1]);

        let two = reactor.wait(&WaitSpec::any(&set).at_least(2));
        let all = reactor.wait(&WaitSpec::all(&set));
        tokio::pin!(two, all);
        tokio::select! {
            biased;
            _ = &mut all => panic!("two were not ready"),
            _ = &mut two => panic!("one was not ready"),
            done = ready(&reactor, events[1]) => assert_eq!(done.unwrap().outcome, Outcome::Ready),
        }
        notify(events[0], Readiness::READABLE).unwrap();
        assert_eq!((&mut two).await.unwrap().members, 2);
        notify(events[2], Readiness::READABLE).unwrap();
        assert_eq!((&mut all).await.unwrap().members, 3);
        assert_eq!(all.members().len(), 3);
    });
}

#[test]
fn a_wait_that_loses_a_select_is_forgotten() {
    run(async |reactor| {
        let (lost, won) = (reactor.event().unwrap(), reactor.event().unwrap());
        for _ in 0..10 {
            notify(won, Readiness::READABLE).unwrap();
            tokio::select! {
                biased;
                _ = ready(&reactor, lost) => panic!("nobody notified it"),
                done = ready(&reactor, won) => assert_eq!(done.unwrap().outcome, Outcome::Ready),
            }
            waitable_take(won).unwrap();
        }
        let short = Duration::from_millis(2);
        assert!(tokio::time::timeout(short, ready(&reactor, lost)).await.is_err());
        assert_eq!(reactor.stats().unwrap().waits, 0);
    });
}

#[test]
fn a_thousand_tasks_wait_each_for_its_own() {
    run(async |reactor| {
        let events: Vec<Token> = (0..1000).map(|_| reactor.event().unwrap()).collect();
        let tasks: Vec<_> = events
            .iter()
            .map(|event| {
                let (reactor, event) = (reactor.clone(), *event);
                spawn_local(async move { ready(&reactor, event).await.unwrap().wait })
            })
            .collect();
        yield_now().await;
        let other = std::thread::spawn(move || {
            events.iter().rev().try_for_each(|event| notify(*event, Readiness::READABLE))
        });
        for task in tasks {
            in_time(task).await.unwrap();
        }
        other.join().unwrap().unwrap();
    });
}

#[test]
fn waits_are_closed_with_the_reactor() {
    run(async |reactor| {
        let event = reactor.event().unwrap();
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let reactor = reactor.clone();
                spawn_local(async move { ready(&reactor, event).await.unwrap().outcome })
            })
            .collect();
        yield_now().await;
        reactor.close().unwrap();
        for task in tasks {
            assert_eq!(in_time(task).await.unwrap(), Outcome::Closed);
        }
        let refused = ready(&reactor, event).await.unwrap_err();
        assert_eq!(refused.status(), Status::Closed);
    });
}
