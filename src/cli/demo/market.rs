//! Suppliers who sell launches and customers who book, pay and change their minds.
//!
//! Nobody here knows more than the API tells them. What is refused because the operator of the demo changed something
//! (a cancelled launch, a disabled customer) is forgotten, so that they go on with what is left.

use astrops_api::{
    Client, ClientError, Secret,
    bookings::{CancelBooking, NewBooking, Pay},
    ids::{BookingId, LaunchId},
    launches::{CancelLaunch, EditLaunch},
    vocabulary::Role,
};
use astrops_daemon::Clock;
use chrono::TimeDelta;
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};

use super::{
    catalogue::{CARDS, LATER, OFFERS, Offer, REGRETS, SCRUBS, SUPPLIERS},
    people::Person,
    sample,
    staff::Account,
};

/// Customers from the beginning; the others join one by one.
const REGULARS: usize = 6;
/// No launch is cancelled while there are not more than these.
const FEWEST_LAUNCHES: usize = 6;

/// A launch that is to come, as far as is known.
struct Listed {
    id: LaunchId,
    host: usize,
    offer: &'static Offer,
}

/// A booking that holds seats, as far as is known.
struct Held {
    id: BookingId,
    launch: LaunchId,
    customer: usize,
    settled: bool,
}

/// Everybody who sells and buys.
pub struct Market {
    /// Signed in by nobody.
    public: Client,
    clock: Clock,
    suppliers: Vec<Person>,
    customers: Vec<Person>,
    launches: Vec<Listed>,
    bookings: Vec<Held>,
    /// Customers who have tried to join, and offers that were announced.
    joined: usize,
    announced: usize,
}

/// What became of an act.
pub type Done = Result<(), ClientError>;

/// What fails is missing in the demo, and nothing else depends on it.
pub fn noted(done: Done) {
    if let Err(error) = done {
        tracing::debug!(%error, "an act of the demo was not done");
    }
}

/// Whether the daemon says that things are not as they were: nothing is wrong with the one who asked.
fn stale(error: &ClientError) -> bool {
    error.problem().is_some_and(|problem| matches!(problem.status, 404 | 409))
}

impl Market {
    /// Nobody yet, at the daemon of `public`.
    pub fn new(public: Client, clock: Clock) -> Self {
        let (suppliers, customers, launches, bookings) = Default::default();
        Self { public, clock, suppliers, customers, launches, bookings, joined: 0, announced: 0 }
    }

    /// The account of a customer with an early number, to sign in with once more.
    pub fn regular(&self, dice: &mut StdRng) -> Option<&Account> {
        self.customers.get(dice.random_range(0..REGULARS)).map(|customer| &customer.account)
    }

    /// Everybody arrives, and the first launches are on sale and booked.
    pub async fn open(&mut self, dice: &mut StdRng) -> Done {
        for (name, local) in SUPPLIERS {
            let email = format!("{local}@suppliers.example");
            self.suppliers.push(Person::register(&self.public, Role::Supplier, name, email, dice).await?);
        }
        while self.joined < REGULARS {
            self.join(dice).await?;
        }
        for _ in 0..REGULARS {
            noted(self.follow(dice).await);
        }
        for offer in OFFERS {
            let launch = self.offer(offer).await?;
            if offer.sale > 0 {
                noted(self.interest(launch, dice).await);
            }
            noted(self.fill(launch, offer.taken, dice).await);
        }
        for _ in 0..self.bookings.len() * 2 / 3 {
            noted(self.pay(dice).await);
        }
        Ok(())
    }

    /// One act of one of them.
    pub async fn act(&mut self, dice: &mut StdRng) -> Done {
        if self.suppliers.len() < SUPPLIERS.len() {
            return Ok(());
        }
        match dice.random_range(0..100) {
            0..40 => self.book(dice).await,
            40..68 => self.pay(dice).await,
            68..77 => self.cancel(dice).await,
            77..87 if self.joined < sample::CUSTOMERS.len() => self.join(dice).await,
            77..92 => self.follow(dice).await,
            92..95 => self.postpone(dice).await,
            95..98 => self.announce().await,
            _ => self.scrub(dice).await,
        }
    }

    async fn join(&mut self, dice: &mut StdRng) -> Done {
        let (name, email) = sample::customer(self.joined);
        self.joined += 1;
        self.customers.push(Person::register(&self.public, Role::Customer, name, email, dice).await?);
        Ok(())
    }

    async fn follow(&mut self, dice: &mut StdRng) -> Done {
        let Some(supplier) = self.suppliers.choose(dice).map(|supplier| supplier.id) else { return Ok(()) };
        let Some(customer) = pick(&mut self.customers, dice) else { return Ok(()) };
        customer.heard(customer.client.follow(supplier).await).await
    }

    async fn offer(&mut self, offer: &'static Offer) -> Result<LaunchId, ClientError> {
        let new = offer.launch(self.clock.now());
        let supplier = &mut self.suppliers[offer.supplier];
        let id = supplier.heard(supplier.client.create_launch(&new).await).await?.id;
        self.launches.push(Listed { id, host: offer.supplier, offer });
        Ok(id)
    }

    /// Half of the customers want to be told when the sale starts.
    async fn interest(&mut self, launch: LaunchId, dice: &mut StdRng) -> Done {
        for customer in &mut self.customers {
            if dice.random_bool(0.5) {
                customer.heard(customer.client.express_interest(launch).await).await?;
            }
        }
        Ok(())
    }

    /// Customers in turn take `seats` seats together.
    async fn fill(&mut self, launch: LaunchId, seats: u32, dice: &mut StdRng) -> Done {
        let mut left = seats;
        for customer in 0..self.customers.len() {
            let last = customer + 1 == self.customers.len();
            let some = if last { left } else { dice.random_range(1..=3).min(left) };
            if some > 0 {
                self.reserve(launch, customer, some).await?;
            }
            left -= some;
        }
        Ok(())
    }

    async fn reserve(&mut self, launch: LaunchId, customer: usize, seats: u32) -> Done {
        let body =
            NewBooking { launch_id: Some(launch), event_id: None, ticket_quantity: seats, user_id: None };
        let who = &mut self.customers[customer];
        let booking = who.heard(who.client.book(&body).await).await?;
        self.bookings.push(Held { id: booking.id, launch, customer, settled: false });
        Ok(())
    }

    /// A customer books a launch of which they have no seats; if there is none, they give some back.
    async fn book(&mut self, dice: &mut StdRng) -> Done {
        if self.customers.is_empty() {
            return Ok(());
        }
        let customer = dice.random_range(0..self.customers.len());
        let held = |launch: &Listed| {
            self.bookings.iter().any(|held| held.customer == customer && held.launch == launch.id)
        };
        let free: Vec<LaunchId> =
            self.launches.iter().filter(|launch| !held(launch)).map(|launch| launch.id).collect();
        let Some(&launch) = free.choose(dice) else { return self.cancel(dice).await };
        match self.reserve(launch, customer, dice.random_range(1..=4)).await {
            Err(ClientError::Refused(problem)) => match problem.slug() {
                // Too late for so many; that is how it is.
                "sold-out" | "already-booked" => Ok(()),
                "sales-not-started" => {
                    let customer = &mut self.customers[customer];
                    customer.heard(customer.client.express_interest(launch).await).await
                }
                "launch-ended" | "launch-cancelled" | "not-found" => {
                    self.forget(launch);
                    Ok(())
                }
                _ => Err(ClientError::Refused(problem)),
            },
            answer => answer,
        }
    }

    async fn pay(&mut self, dice: &mut StdRng) -> Done {
        let unpaid: Vec<usize> = (0..self.bookings.len()).filter(|&at| !self.bookings[at].settled).collect();
        let Some(&at) = unpaid.choose(dice) else { return Ok(()) };
        let held = &mut self.bookings[at];
        let card = CARDS.choose(dice).copied().map(Secret::from);
        let body = Pay { card, payment_method_id: None };
        let customer = &mut self.customers[held.customer];
        let paid = customer.heard(customer.client.pay(held.id, &body).await).await;
        match paid {
            Ok(_) => held.settled = true,
            // Declined: they try another card another time.
            Err(ClientError::Refused(problem)) if problem.status == 402 => {}
            Err(error) if stale(&error) => held.settled = true,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn cancel(&mut self, dice: &mut StdRng) -> Done {
        if self.bookings.is_empty() {
            return Ok(());
        }
        let held = self.bookings.swap_remove(dice.random_range(0..self.bookings.len()));
        // Most say why.
        let reason = REGRETS.choose(dice).filter(|_| dice.random_bool(0.8)).map(|&why| why.to_owned());
        let body = CancelBooking { reason };
        let customer = &mut self.customers[held.customer];
        match customer.heard(customer.client.cancel_booking(held.id, &body).await).await {
            Err(error) if !stale(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// A supplier puts a launch off by some hours; everybody booked is told.
    async fn postpone(&mut self, dice: &mut StdRng) -> Done {
        let Some(&Listed { id, host, .. }) = self.launches.choose(dice) else { return Ok(()) };
        let hours = TimeDelta::hours(dice.random_range(1..5));
        let supplier = &mut self.suppliers[host];
        let launch = match supplier.heard(supplier.client.launch(id).await).await {
            Ok(launch) => launch,
            Err(error) => return self.or_forget(id, Err(error)),
        };
        let body = EditLaunch {
            start_date_time: Some(launch.start_date_time + hours),
            end_date_time: Some(launch.end_date_time + hours),
            ..EditLaunch::default()
        };
        let moved = supplier.heard(supplier.client.edit_launch(id, &body).await).await;
        self.or_forget(id, moved.map(drop))
    }

    /// A supplier announces another launch, unless all are on sale.
    async fn announce(&mut self) -> Done {
        let all: Vec<&'static Offer> = LATER.iter().chain(OFFERS).collect();
        let next = all[self.announced % all.len()];
        self.announced += 1;
        if self.launches.iter().any(|launch| launch.offer.title == next.title) {
            return Ok(());
        }
        self.offer(next).await.map(drop)
    }

    /// A supplier cancels a launch, and with it every booking.
    async fn scrub(&mut self, dice: &mut StdRng) -> Done {
        if self.launches.len() <= FEWEST_LAUNCHES {
            return self.announce().await;
        }
        let Some(&Listed { id, host, .. }) = self.launches.choose(dice) else { return Ok(()) };
        let body = CancelLaunch { reason: SCRUBS.choose(dice).map(|&why| why.to_owned()) };
        let supplier = &mut self.suppliers[host];
        let cancelled = supplier.heard(supplier.client.cancel_launch(id, &body).await).await;
        self.forget(id);
        self.or_forget(id, cancelled.map(drop))
    }

    /// A launch that is to come, as far as is known.
    pub fn some_launch(&self, dice: &mut StdRng) -> Option<LaunchId> {
        self.launches.choose(dice).map(|listed| listed.id)
    }

    /// The supplier of a launch describes it anew.
    pub async fn reword(&mut self, launch: LaunchId, description: &str) -> Done {
        let Some(host) = self.launches.iter().find(|listed| listed.id == launch).map(|listed| listed.host)
        else {
            return Ok(());
        };
        let body = EditLaunch { description: Some(Some(description.to_owned())), ..EditLaunch::default() };
        let supplier = &mut self.suppliers[host];
        let edited = supplier.heard(supplier.client.edit_launch(launch, &body).await).await;
        self.or_forget(launch, edited.map(drop))
    }

    fn forget(&mut self, launch: LaunchId) {
        self.launches.retain(|listed| listed.id != launch);
        self.bookings.retain(|held| held.launch != launch);
    }

    /// Well, when `done` failed only because the launch is not as it was.
    fn or_forget(&mut self, launch: LaunchId, done: Done) -> Done {
        match done {
            Err(error) if stale(&error) => {
                self.forget(launch);
                Ok(())
            }
            done => done,
        }
    }
}

fn pick<'a>(people: &'a mut [Person], dice: &mut StdRng) -> Option<&'a mut Person> {
    if people.is_empty() {
        return None;
    }
    let at = dice.random_range(0..people.len());
    people.get_mut(at)
}
