//! Launches, bookings and the mails they cause, for stories.

use astrops_api::{
    Client,
    ids::LaunchId,
    jobs::JobQuery,
    launches::{Launch, NewLaunch},
    money::Money,
    vocabulary::JobStatus,
};
use chrono::TimeDelta;
use futures::StreamExt as _;

use super::{DEADLINE, TestDaemon, login};

impl TestDaemon {
    /// A launch in thirty days, on sale now.
    pub fn new_launch(&self, capacity: u32) -> NewLaunch {
        let start = self.now() + TimeDelta::days(30);
        NewLaunch {
            title: "Aurora 7".to_owned(),
            description: Some("Three orbits".to_owned()),
            venue: Some("Kourou".to_owned()),
            category: Some("orbital".to_owned()),
            start_date_time: start,
            end_date_time: start + TimeDelta::hours(3),
            capacity,
            price: Money::of_minor(12_050).unwrap(),
            sales_start_at: None,
            host_id: None,
        }
    }

    /// The launch as it is now.
    pub async fn launch(&self, id: LaunchId) -> Launch {
        self.anyone.launch(id).await.unwrap()
    }

    /// A new session of a user who is there; the clock may have left the old one behind.
    pub async fn again(&self, email: &str) -> Client {
        self.anyone.with_token(self.anyone.login(&login(email)).await.unwrap().token)
    }

    /// Waits until no job is left that is due.
    pub async fn settled(&self) {
        let operator = self.again("ana@example.com").await;
        let wait = async {
            let mut stream = operator.job_stream(None).await.unwrap();
            loop {
                let mut left = Vec::new();
                for status in [JobStatus::Queued, JobStatus::Processing] {
                    let query =
                        JobQuery { status: Some(status), page_size: Some(200), ..JobQuery::default() };
                    left.extend(operator.jobs(&query).await.unwrap().jobs);
                }
                left.retain(|job| job.next_run_at.is_none_or(|at| at <= self.now()));
                if left.is_empty() {
                    return;
                }
                // An event, or a look now and then: a claim is not an event.
                let _ = tokio::time::timeout(std::time::Duration::from_millis(100), stream.next()).await;
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("jobs did not end");
    }

    /// Waits until `holds`.
    pub async fn until(&self, holds: impl AsyncFn() -> bool) {
        let operator = self.again("ana@example.com").await;
        let wait = async {
            let mut stream = operator.job_stream(None).await.unwrap();
            while !holds().await {
                // Whatever it is, it comes with a job; or it came before the stream was open.
                let _ = tokio::time::timeout(std::time::Duration::from_millis(100), stream.next()).await;
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("it did not come so far");
    }

    /// The subjects of the mails that `address` got, sorted.
    pub fn subjects_to(&self, address: &str) -> Vec<String> {
        let mut subjects: Vec<String> = self
            .mails_to(address)
            .iter()
            .map(|mail| {
                mail.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default().to_owned()
            })
            .collect();
        subjects.sort();
        subjects
    }

    /// The mails that `address` got, as they are.
    pub fn mails_to(&self, address: &str) -> Vec<String> {
        let Ok(folder) = std::fs::read_dir(self.mail_dir()) else { return Vec::new() };
        let mails = folder.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        mails.filter(|mail| mail.contains(&format!("To: {address}"))).collect()
    }
}
