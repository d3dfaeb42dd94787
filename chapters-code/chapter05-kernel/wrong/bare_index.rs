//! A wrong turn: notes on a slab, and lists that hold their bare places.
//!
//! The kid waits for news and loses interest. Its note goes, and its place is given to the next who waits for anything.
//! The list of those who wait for news has still the number of that place.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use crate::programs::voice::say;
use crate::traps::{Label, Waiting};
use crate::{Kernel, Result, task};

/// All notes. A note says whom to wake; what else is in one does not matter here.
type Desk = Rc<RefCell<Slab<Waker>>>;

/// A channel of news. Its list holds places on the desk.
#[derive(Clone, Debug)]
pub struct BareChannel {
    desk: Desk,
    news: Rc<RefCell<VecDeque<&'static str>>>,
    line: Rc<RefCell<VecDeque<usize>>>,
}

impl BareChannel {
    /// An empty channel whose notes are on this desk.
    pub fn new(desk: &Desk) -> BareChannel {
        BareChannel {
            desk: desk.clone(),
            news: Rc::default(),
            line: Rc::default(),
        }
    }

    /// Sends news, and wakes the one who has waited longest.
    pub fn send(&self, news: &'static str) {
        self.news.borrow_mut().push_back(news);
        while let Some(place) = self.line.borrow_mut().pop_front() {
            let waker = self.desk.borrow().get(place).cloned();
            if let Some(waker) = waker {
                return waker.wake();
            }
        }
    }

    /// Waits for news.
    pub fn receive(&self) -> BareReceive {
        BareReceive {
            channel: self.clone(),
            place: None,
            waiting: Waiting::new(),
        }
    }
}

/// Waits for news.
#[derive(Debug)]
pub struct BareReceive {
    channel: BareChannel,
    place: Option<usize>,
    /// So that reports show that it waits.
    waiting: Waiting,
}

/// For news.
const NEWS_WAIT: Label = Label::new("NEWS_WAIT");

impl Future for BareReceive {
    type Output = Result<&'static str>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<&'static str>> {
        let this = self.get_mut();
        let news = this.channel.news.borrow_mut().pop_front();
        if let Some(news) = news {
            this.waiting.complete();
            return Poll::Ready(Ok(news));
        }
        if this.place.is_none() {
            let place = this.channel.desk.borrow_mut().insert(cx.waker().clone());
            this.channel.line.borrow_mut().push_back(place);
            this.place = Some(place);
        }
        match this.waiting.wait(cx, NEWS_WAIT) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Drop for BareReceive {
    fn drop(&mut self) {
        // Whoever finds the place in a line will see that nobody is there. Will they?
        if let Some(place) = self.place {
            self.channel.desk.borrow_mut().remove(place);
        }
    }
}

/// Looks for news once, and then does not care any more.
async fn glance(channel: &BareChannel) {
    let mut receive = pin!(channel.receive());
    poll_fn(|cx| {
        let _ = receive.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await;
}

async fn wait_for(name: &'static str, channel: BareChannel) -> Result<()> {
    let news = channel.receive().await?;
    say(name, news);
    Ok(())
}

async fn kid(pizza: BareChannel, film: BareChannel) -> Result<()> {
    glance(&pizza).await;
    say("kid", "No pizza? Then I wait for the film.");
    wait_for("kid", film).await
}

async fn parent() -> Result<()> {
    let desk = Desk::default();
    let (pizza, film) = (BareChannel::new(&desk), BareChannel::new(&desk));
    let kid = task(kid(pizza.clone(), film)).name("kid").spawn();
    let friend = wait_for("friend", pizza.clone());
    let friend = task(friend).name("friend").spawn();
    crate::yield_now().await?;
    say("parent", "The pizza is here!");
    pizza.send("Pizza!");
    friend.join().await?;
    kid.join().await
}

/// Kid, friend and parent.
pub fn start(kernel: &Kernel) {
    kernel.spawn(parent());
}
