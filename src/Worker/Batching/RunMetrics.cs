using Millrace.Hosting.Telemetry;
using Prometheus;

namespace Millrace.Worker.Batching;

/// <summary>What the models do.</summary>
internal sealed class RunMetrics(Instruments instruments)
{
    private readonly Histogram _requests = instruments.Histogram("millrace_batch_requests", "Requests and jobs that shared a run.", Buckets.Counts, "model");
    private readonly Histogram _seconds = instruments.Histogram("millrace_model_run_duration_seconds", "Runs of the model in ONNX Runtime that gave a result.", Buckets.Runs, "model", "model_version");
    private readonly Counter _failures = instruments.Counter("millrace_model_run_failures_total", "Runs that failed; a batch that runs again one by one counts each time.", "model", "model_version");

    public void Ran(string model, string version, int requests, TimeSpan took)
    {
        _requests.WithLabels(model).Observe(requests);
        _seconds.WithLabels(model, version).Observe(took.TotalSeconds);
    }

    public void Failed(string model, string version) => _failures.WithLabels(model, version).Inc();
}
