//! Logs, jobs, mails, schedules and the state of the daemon.

use std::time::Duration;

use reqwest::{Method, StatusCode};

use super::{Answer, Client, ExecuteAnswer, segment};
use crate::{
    ids::JobId,
    jobs::{Delay, Execute, Job, JobDetail, JobPage, JobQuery, JobStats, NewJob, PauseTypes},
    logs::{Histogram, HistogramQuery, LogEntry, LogPage, LogQuery, LogStreamQuery, NewLog, OneOrMany},
    notifications::{NewNotification, NewPreview, NotificationQueued, NotificationTypes, Preview},
    schedules::{EditSchedule, Schedule, ScheduleRun, ScheduleRuns, Schedules},
    sse::EventStream,
    status::{Health, Status},
};

impl Client {
    /// POST /logs with one entry.
    pub async fn write_log(&self, entry: &NewLog) -> Answer<LogEntry> {
        self.post("/logs", entry).await
    }

    /// POST /logs with several entries, at most 1,000.
    pub async fn write_logs(&self, entries: &[NewLog]) -> Answer<Vec<LogEntry>> {
        match self.post("/logs", &entries).await? {
            OneOrMany::Many(entries) => Ok(entries),
            OneOrMany::One(entry) => Ok(vec![entry]),
        }
    }

    /// GET /logs.
    pub async fn logs(&self, query: &LogQuery) -> Answer<LogPage> {
        self.get("/logs", query).await
    }

    /// GET /logs/stream.
    pub async fn log_stream(&self, query: &LogStreamQuery) -> Answer<EventStream<LogEntry>> {
        self.stream("/logs/stream", query).await
    }

    /// GET /logs/histogram.
    pub async fn histogram(&self, query: &HistogramQuery) -> Answer<Histogram> {
        self.get("/logs/histogram", query).await
    }

    /// POST /jobs.
    pub async fn create_job(&self, body: &NewJob) -> Answer<Job> {
        self.post("/jobs", body).await
    }

    /// GET /jobs.
    pub async fn jobs(&self, query: &JobQuery) -> Answer<JobPage> {
        self.get("/jobs", query).await
    }

    /// GET /jobs/{id}; `reveal` shows private fields and is audited.
    pub async fn job(&self, id: JobId, reveal: bool) -> Answer<JobDetail> {
        let query: &[(&str, &str)] = if reveal { &[("reveal", "true")] } else { &[] };
        self.get(&format!("/jobs/{id}"), &query).await
    }

    /// GET /jobs/stats.
    pub async fn job_stats(&self) -> Answer<JobStats> {
        self.get("/jobs/stats", &()).await
    }

    /// GET /jobs/stream: jobs as they change; `after` resumes behind an event's id.
    pub async fn job_stream(&self, after: Option<&str>) -> Answer<EventStream<Job>> {
        let query: Vec<(&str, &str)> = after.map(|id| ("after", id)).into_iter().collect();
        self.stream("/jobs/stream", &query).await
    }

    /// PUT /jobs/{id}: delay a queued job.
    pub async fn delay_job(&self, id: JobId, body: &Delay) -> Answer<Job> {
        self.call(Method::PUT, &format!("/jobs/{id}"), body).await
    }

    /// PUT /jobs/{id}/execute: run now and wait up to `wait` (the daemon's default is 30 s, most 300 s).
    pub async fn execute_job(&self, id: JobId, wait: Option<Duration>) -> Answer<ExecuteAnswer> {
        let wait = wait.unwrap_or(Duration::from_secs(30));
        let request = self
            .request(Method::PUT, &format!("/jobs/{id}/execute"))
            .header("prefer", format!("wait={}", wait.as_secs()))
            .timeout(wait + Duration::from_secs(15))
            .json(&Execute { job_id: Some(id) });
        let response = Self::send(request).await?;
        let ended = response.status() == StatusCode::OK;
        let executed = Self::read(response).await?;
        Ok(if ended { ExecuteAnswer::Ended(executed) } else { ExecuteAnswer::Running(executed) })
    }

    /// POST /jobs/{id}/retry.
    pub async fn retry_job(&self, id: JobId) -> Answer<Job> {
        self.act(&format!("/jobs/{id}/retry")).await
    }

    /// POST /jobs/{id}/cancel.
    pub async fn cancel_job(&self, id: JobId) -> Answer<Job> {
        self.act(&format!("/jobs/{id}/cancel")).await
    }

    /// DELETE /jobs/{id}: only ended jobs.
    pub async fn delete_job(&self, id: JobId) -> Answer<()> {
        self.order(Method::DELETE, &format!("/jobs/{id}")).await
    }

    /// POST /jobs/pause.
    pub async fn pause_jobs(&self, body: &PauseTypes) -> Answer<JobStats> {
        self.post("/jobs/pause", body).await
    }

    /// POST /jobs/resume.
    pub async fn resume_jobs(&self, body: &PauseTypes) -> Answer<JobStats> {
        self.post("/jobs/resume", body).await
    }

    /// POST /notifications.
    pub async fn notify(&self, body: &NewNotification) -> Answer<NotificationQueued> {
        self.post("/notifications", body).await
    }

    /// GET /notifications/types.
    pub async fn notification_types(&self) -> Answer<NotificationTypes> {
        self.get("/notifications/types", &()).await
    }

    /// POST /notifications/preview.
    pub async fn preview(&self, body: &NewPreview) -> Answer<Preview> {
        self.post("/notifications/preview", body).await
    }

    /// GET /schedules.
    pub async fn schedules(&self) -> Answer<Schedules> {
        self.get("/schedules", &()).await
    }

    /// GET /schedules/{name}.
    pub async fn schedule(&self, name: &str) -> Answer<Schedule> {
        self.get(&format!("/schedules/{}", segment(name)), &()).await
    }

    /// GET /schedules/{name}/runs, the latest `page_size`.
    pub async fn schedule_runs(&self, name: &str, page_size: u32) -> Answer<ScheduleRuns> {
        self.get(&format!("/schedules/{}/runs", segment(name)), &[("pageSize", page_size)]).await
    }

    /// PUT /schedules/{name}.
    pub async fn edit_schedule(&self, name: &str, body: &EditSchedule) -> Answer<Schedule> {
        self.call(Method::PUT, &format!("/schedules/{}", segment(name)), body).await
    }

    /// POST /schedules/{name}/trigger.
    pub async fn trigger_schedule(&self, name: &str) -> Answer<ScheduleRun> {
        self.act(&format!("/schedules/{}/trigger", segment(name))).await
    }

    /// POST /schedules/{name}/pause.
    pub async fn pause_schedule(&self, name: &str) -> Answer<Schedule> {
        self.act(&format!("/schedules/{}/pause", segment(name))).await
    }

    /// POST /schedules/{name}/resume.
    pub async fn resume_schedule(&self, name: &str) -> Answer<Schedule> {
        self.act(&format!("/schedules/{}/resume", segment(name))).await
    }

    /// GET /status.
    pub async fn status(&self) -> Answer<Status> {
        self.get("/status", &()).await
    }

    /// GET /health/ready; a daemon that is not ready is an error that says why.
    pub async fn ready(&self) -> Answer<Health> {
        self.get("/health/ready", &()).await
    }
}
