//! Reconciliation: sweeps, drift, conflicts and the change log.

use super::{Answer, Client};
use crate::{
    drift::{DriftPage, DriftQuery},
    ids::EntityId,
    reconciliation::{
        ChangePage, ChangeQuery, Conflict, ConflictPage, ConflictQuery, Diff, EventQueued, Mappings,
        NewEvent, NewReconciliation, ReconEvent, ReconJob, ReconJobPage, ReconJobQuery,
    },
    resolution::{
        ChainReport, ConflictDetail, Resolution, Resolve, ResolveMany, ResolvedMany, Revert, Snooze,
    },
    sweeps::{NewSweep, Sweep, SweepPage, SweepQuery},
    vocabulary::EntityType,
};
use uuid::Uuid;

impl Client {
    /// POST /reconciliation.
    pub async fn reconcile(&self, body: &NewReconciliation) -> Answer<ReconJob> {
        self.post("/reconciliation", body).await
    }

    /// POST /reconciliation/events.
    pub async fn nominate(&self, body: &NewEvent) -> Answer<EventQueued> {
        self.post("/reconciliation/events", body).await
    }

    /// GET /reconciliation/events/{id}.
    pub async fn recon_event(&self, id: uuid::Uuid) -> Answer<ReconEvent> {
        self.get(&format!("/reconciliation/events/{id}"), &()).await
    }

    /// GET /reconciliation/jobs.
    pub async fn recon_jobs(&self, query: &ReconJobQuery) -> Answer<ReconJobPage> {
        self.get("/reconciliation/jobs", query).await
    }

    /// GET /reconciliation/diff/{entityType}/{entityId}.
    pub async fn recon_diff(&self, kind: EntityType, id: EntityId) -> Answer<Diff> {
        self.get(&format!("/reconciliation/diff/{kind}/{id}"), &()).await
    }

    /// GET /reconciliation/mapping.
    pub async fn recon_mapping(&self) -> Answer<Mappings> {
        self.get("/reconciliation/mapping", &()).await
    }

    /// GET /reconciliation/conflicts.
    pub async fn recon_conflicts(&self, query: &ConflictQuery) -> Answer<ConflictPage> {
        self.get("/reconciliation/conflicts", query).await
    }

    /// GET /reconciliation/changes.
    pub async fn recon_changes(&self, query: &ChangeQuery) -> Answer<ChangePage> {
        self.get("/reconciliation/changes", query).await
    }

    /// POST /reconciliation/changes/{id}/revert.
    pub async fn revert_change(&self, id: Uuid, body: &Revert) -> Answer<Resolution> {
        self.post(&format!("/reconciliation/changes/{id}/revert"), body).await
    }

    /// GET /reconciliation/changes/verify.
    pub async fn verify_changes(&self) -> Answer<ChainReport> {
        self.get("/reconciliation/changes/verify", &()).await
    }

    /// GET /reconciliation/conflicts/{id}.
    pub async fn recon_conflict(&self, id: Uuid) -> Answer<ConflictDetail> {
        self.get(&format!("/reconciliation/conflicts/{id}"), &()).await
    }

    /// POST /reconciliation/conflicts/{id}/resolve.
    pub async fn resolve_conflict(&self, id: Uuid, body: &Resolve) -> Answer<Resolution> {
        self.post(&format!("/reconciliation/conflicts/{id}/resolve"), body).await
    }

    /// POST /reconciliation/conflicts/{id}/snooze.
    pub async fn snooze_conflict(&self, id: Uuid, body: &Snooze) -> Answer<Conflict> {
        self.post(&format!("/reconciliation/conflicts/{id}/snooze"), body).await
    }

    /// POST /reconciliation/conflicts/bulk.
    pub async fn resolve_conflicts(&self, body: &ResolveMany) -> Answer<ResolvedMany> {
        self.post("/reconciliation/conflicts/bulk", body).await
    }

    /// GET /reconciliation/drift.
    pub async fn drift(&self, query: &DriftQuery) -> Answer<DriftPage> {
        self.get("/reconciliation/drift", query).await
    }

    /// POST /reconciliation/sweeps.
    pub async fn sweep(&self, body: &NewSweep) -> Answer<Sweep> {
        self.post("/reconciliation/sweeps", body).await
    }

    /// GET /reconciliation/sweeps.
    pub async fn sweeps(&self, query: &SweepQuery) -> Answer<SweepPage> {
        self.get("/reconciliation/sweeps", query).await
    }

    /// GET /reconciliation/sweeps/{id}.
    pub async fn find_sweep(&self, id: Uuid) -> Answer<Sweep> {
        self.get(&format!("/reconciliation/sweeps/{id}"), &()).await
    }

    /// POST /reconciliation/sweeps/{id}/pause: it stops behind the page or row that it is at.
    pub async fn pause_sweep(&self, id: Uuid) -> Answer<Sweep> {
        self.act(&format!("/reconciliation/sweeps/{id}/pause")).await
    }

    /// POST /reconciliation/sweeps/{id}/resume.
    pub async fn resume_sweep(&self, id: Uuid) -> Answer<Sweep> {
        self.act(&format!("/reconciliation/sweeps/{id}/resume")).await
    }

    /// POST /reconciliation/sweeps/{id}/cancel.
    pub async fn cancel_sweep(&self, id: Uuid) -> Answer<Sweep> {
        self.act(&format!("/reconciliation/sweeps/{id}/cancel")).await
    }

    /// POST /reconciliation/sweeps/{id}/approve: it may change as much as it found.
    pub async fn approve_sweep(&self, id: Uuid) -> Answer<Sweep> {
        self.act(&format!("/reconciliation/sweeps/{id}/approve")).await
    }
}
