//! Waits: asked, refused, ended, armed again.

use awsgi::{WaitSpec, Watch};

use super::*;

/// What becomes of a question that a descriptor refuses.
struct Refused(i32);

impl World {
    fn deadline(&self, deadline: u32) -> u64 {
        match deadline {
            0 => FOREVER,
            1 => 0,
            2 => FOREVER - 2,
            _ if self.host.gives_clock => {
                ((self.model.now / 32 + u64::from(deadline) - 3) * 32) | 1
            }
            _ => self.reactor.now().expect("its owner asks") + u64::from(deadline - 3) * 20_000,
        }
    }

    pub(super) fn arm(
        &mut self,
        owner: u32,
        set: &[u32],
        at_least: u32,
        flags: u32,
        deadline: u32,
    ) {
        let future = owner % 3 == 1;
        let mut members: Vec<Member> = Vec::new();
        let mut watches: Vec<Watch> = Vec::new();
        let mut numbers: Vec<Option<usize>> = Vec::new();
        for member in set {
            let Some(at) = at(&self.waitables, member / 64) else { continue };
            let Known { id, token, number, .. } = self.waitables[at];
            if members.iter().any(|m| m.waitable == id) {
                continue;
            }
            let asks = (member % 64).max(1);
            members.push(Member { waitable: id, asks, ready: 0 });
            watches.push(Watch { waitable: token, interest: bits(asks) });
            numbers.push(number);
        }
        let stale =
            flags & 4 != 0 && self.dead.iter().any(|t| t.kind() == Some(awsgi::Kind::Waitable));
        let mut until = self.deadline(deadline);
        if members.is_empty() && until == FOREVER {
            until = self.model.now | 1;
        }
        let multishot = flags & 1 != 0 && members.len() == 1 && !future && !stale;
        let at_least = at_least.min(members.len().max(1) as u32);
        if stale {
            let dead = self.dead.iter().rfind(|t| t.kind() == Some(awsgi::Kind::Waitable));
            watches.extend(dead.map(|t| Watch { waitable: *t, interest: Readiness::READABLE }));
        }
        let spec = WaitSpec {
            set: &watches,
            at_least,
            multishot,
            off_loop: flags & 2 != 0,
            deadline: Deadline::at(until),
            user_data: u64::from(self.model.ids()) + 1,
        };
        let expected: &[Status] =
            match (self.model.closed, self.waits.len() as u32 >= self.host.waits, stale) {
                (true, ..) => &[Status::Closed],
                (_, true, true) => &[Status::Limit, Status::Stale],
                (_, true, _) => &[Status::Limit],
                (_, _, true) => &[Status::Stale],
                _ => &[],
            };
        let mut found = vec![0; members.len()];
        let mut refused = None;
        if expected.is_empty() {
            for (at, number) in numbers.iter().enumerate() {
                let Some(of) = *number else { continue };
                match self.armed(of) {
                    Ok(ready) => found[at] = ready,
                    Err(why) => {
                        refused = Some(why);
                        break;
                    }
                }
            }
        }
        let mut task = None;
        let answer = if future {
            let woken = Arc::new(Woken::default());
            let mut future = Box::pin(self.reactor.wait(&spec));
            let waker = Arc::clone(&woken).into();
            let mut context = std::task::Context::from_waker(&waker);
            match future.as_mut().poll(&mut context) {
                std::task::Poll::Ready(answer) => {
                    Err(answer.expect_err("a future that ends first"))
                }
                std::task::Poll::Pending => {
                    task = Some((future, woken));
                    Ok(None)
                }
            }
        } else {
            self.reactor.wait_start(&spec).map(Some)
        };
        let token = match answer {
            Ok(token) => token,
            Err(error) => {
                hit(Count::Refused);
                if let Some(Refused(errno)) = refused {
                    assert_eq!((error.status(), error.errno()), (Status::Os, errno), "{spec:?}");
                    return self.outside();
                }
                if is_being_closed(&error) {
                    return self.outside();
                }
                assert!(expected.contains(&error.status()), "{spec:?} was refused: {error}");
                return;
            }
        };
        assert!(expected.is_empty() && refused.is_none(), "{spec:?} was not refused");
        let wait = Wait {
            id: 0,
            owner: if future { Owner::Task(0) } else { Owner::Host },
            set: members,
            need: at_least.max(1) as usize,
            multishot,
            off_loop: flags & 2 != 0,
            deadline: until,
            ended: None,
            error: 0,
            queued: None,
        };
        let id = self.model.arm(wait, &found);
        assert_eq!(u64::from(id), spec.user_data);
        self.waits.push((id, token));
        if let Some((future, woken)) = task {
            self.tasks.push(Task { id, future, woken });
            hit(Count::Futures);
        }
        if multishot {
            self.due.insert(id, !0);
            hit(Count::Multishots);
        }
        self.outside();
    }

    /// The selector is asked to watch a number. Answers what it is ready for without.
    fn armed(&mut self, of: usize) -> Result<u32, Refused> {
        let number = &mut self.numbers[of];
        if self.host.watches {
            return if number.open { Ok(0) } else { Err(Refused(libc::EBADF)) };
        }
        let lost = number.watched && (number.replaced || !number.open);
        if lost {
            (number.watched, number.replaced) = (false, false);
        }
        let open = number.open;
        let always = number.kind == files::Kind::Null;
        if open && !always {
            number.watched = true;
        }
        if lost {
            let (end, errno) = if open { (End::Closed, 0) } else { (End::Failed, libc::EBADF) };
            self.end_number(of, end, errno);
            hit(if open { Count::LostByReplacement } else { Count::LostByClosing });
            self.outside();
        }
        match (open, always) {
            (false, _) => Err(Refused(libc::EBADF)),
            (true, true) => Ok(READABLE | WRITABLE),
            (true, false) => Ok(0),
        }
    }

    pub(super) fn cancel(&mut self, number: u32) {
        let Some(at) = at(&self.waits, number) else { return };
        let (id, Some(token)) = self.waits[at] else { return };
        wait_cancel(token).expect("cancel before delivery");
        self.model.cancel(id);
        self.outside();
    }

    pub(super) fn forget(&mut self, number: u32) {
        let Some(at) = at(&self.waits, number) else { return };
        let (id, token) = self.waits.remove(at);
        match token {
            Some(token) => {
                wait_forget(token).expect("forget before delivery");
                self.told.retain(|completion| completion.wait != token);
                self.bury(token);
            }
            None => self.tasks.retain(|task| task.id != id),
        }
        self.model.forget(id);
        self.over(id);
        self.outside();
        hit(Count::Forgotten);
    }

    /// Nothing more comes of a wait.
    pub(super) fn over(&mut self, id: u32) {
        self.due.remove(&id);
        self.may.retain(|(wait, _), _| *wait != id);
    }

    pub(super) fn rearm(&mut self, number: u32) {
        let Some(at) = at(&self.waits, number) else { return };
        let (id, Some(token)) = self.waits[at] else { return };
        let answer = wait_rearm(token);
        if !self.model.wait(id).multishot {
            assert_eq!(status(&answer), Some(Status::State), "rearm of a one-shot wait");
            return;
        }
        hit(Count::Rearmed);
        let asked = self.model.rearm(id);
        let of = asked.and_then(|(id, _)| self.waitables.iter().find(|w| w.id == id)?.number);
        let Some(of) = of.filter(|_| !self.host.watches) else {
            answer.expect("a multishot wait is armed again");
            return self.outside();
        };
        match self.armed(of) {
            Ok(found) => {
                answer.expect("a multishot wait is armed again");
                self.due.insert(id, !0);
                if found != 0 {
                    let waitable = asked.expect("it was asked").0;
                    self.model.ready(waitable, found);
                }
                self.outside();
            }
            Err(Refused(errno)) => {
                let error = answer.expect_err("a number that is not open");
                assert_eq!((error.status(), error.errno()), (Status::Os, errno));
            }
        }
    }
}
