//! The screens: one file each.

pub mod bookings;
pub mod dashboard;
pub mod drift;
pub mod entities;
pub mod job_detail;
pub mod jobs;
pub mod launches;
pub mod login;
pub mod logs;
pub mod schedules;
pub mod users;
