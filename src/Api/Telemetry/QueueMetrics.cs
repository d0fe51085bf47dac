using Millrace.Api.Backlog;
using Millrace.Api.Inference;
using Millrace.Api.Limits;
using Millrace.Api.Models;
using Millrace.Hosting.Telemetry;
using Prometheus;

namespace Millrace.Api.Telemetry;

/// <summary>Queues, workers and models of the whole installation, as this replica last read them, and what it has in hand itself.</summary>
internal sealed class QueueMetrics
{
    private readonly BacklogMeter _backlog;
    private readonly ModelCatalog _catalog;
    private readonly SyncLane _lane;
    private readonly Gauge _jobs;
    private readonly Gauge _age;
    private readonly Gauge _wait;
    private readonly Gauge _workers;
    private readonly Gauge _sync;
    private readonly Gauge _versions;

    public QueueMetrics(Instruments instruments, BacklogMeter backlog, ModelCatalog catalog, SyncLane lane, InFlight inFlight)
    {
        (_backlog, _catalog, _lane) = (backlog, catalog, lane);
        _jobs = instruments.Gauge("millrace_queue_jobs", "Jobs that are queued or running, of all tenants; each replica shows the same, so take the max.", "model", "state");
        _age = instruments.Gauge("millrace_queue_oldest_age_seconds", "How long the oldest queued job that may run has waited; 0 when none waits. Each replica shows the same.", "model");
        _wait = instruments.Gauge("millrace_queue_estimated_wait_seconds", "How long a job at the queue's end would wait, by the pace of the last seconds; 0 when nothing can be said.", "model");
        _workers = instruments.Gauge("millrace_workers", "Live workers that have the model ready; each replica shows the same.", "model");
        _sync = instruments.Gauge("millrace_sync_requests", "Synchronous requests in work or waiting in this replica.", "model");
        _versions = instruments.Gauge("millrace_model_versions", "Versions that are ready; faulty: what lies in a worker's repository can't be loaded (POST /v2/repository/index tells why), and an older file of it may serve on; held_back: out of the traffic as too slow or failing too often. Each replica shows the same.", "model", "state");
        var requests = instruments.Gauge("millrace_requests_in_flight", "Requests in work in this replica.");
        var waiting = instruments.Gauge("millrace_requests_waiting", "Requests in this replica that wait for a job's end.");
        var bodies = instruments.Gauge("millrace_bodies_bytes", "Bytes of all bodies in memory.");
        instruments.OnScrape(() =>
        {
            requests.Set(inFlight.Requests);
            waiting.Set(inFlight.Waits);
            bodies.Set(inFlight.BodyBytes);
            Read();
        });
    }

    private void Read()
    {
        var sync = _lane.State.ToDictionary(m => m.Model, m => m.Requests);
        foreach (var model in _catalog.All)
        {
            var queued = _backlog.Queued(model.Name);
            _jobs.WithLabels(model.Name, "queued").Set(queued);
            _jobs.WithLabels(model.Name, "running").Set(_backlog.Running(model.Name));
            _age.WithLabels(model.Name).Set(_backlog.OldestAge(model.Name).TotalSeconds);
            _wait.WithLabels(model.Name).Set(queued / _backlog.PerSecond(model.Name) ?? 0);
            _workers.WithLabels(model.Name).Set(model.Workers);
            _sync.WithLabels(model.Name).Set(sync.GetValueOrDefault(model.Name));
            _versions.WithLabels(model.Name, "ready").Set(model.Versions.Count(v => v.IsReady));
            _versions.WithLabels(model.Name, "faulty").Set(model.Versions.Count(v => v.Fault is not null));
            _versions.WithLabels(model.Name, "held_back").Set(model.Versions.Count(v => v.HeldBack is not null));
        }
        foreach (var gone in _versions.GetAllLabelValues().Where(l => _catalog.Find(l[0]) is null))
            _versions.RemoveLabelled(gone); // a fault would be told of for ever
    }
}
