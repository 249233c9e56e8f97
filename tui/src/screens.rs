//! The screens: one file each.

pub mod dashboard;
pub mod job_detail;
pub mod jobs;
pub mod login;
pub mod logs;
pub mod schedules;
