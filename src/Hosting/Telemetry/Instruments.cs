using Microsoft.AspNetCore.Http;
using Prometheus;

namespace Millrace.Hosting.Telemetry;

/// <summary>The metrics of this process: its own, those of the process itself and the runtime's, and no other library's.</summary>
/// <remarks>Names and units: Prometheus, "Metric and label naming". What a label may hold must be bounded: models that workers announced, codes of a closed list.</remarks>
public sealed class Instruments
{
    private readonly CollectorRegistry _registry = Metrics.NewCustomRegistry(); // the default one takes in every meter of every library
    private readonly IMetricFactory _factory;
    private readonly List<Described> _all = [];

    public Instruments()
    {
        _factory = Metrics.WithCustomRegistry(_registry);
        DotNetStats.Register(_registry);
    }

    /// <summary>As docs/metrics.md lists them.</summary>
    public IReadOnlyList<Described> All => _all;

    public Counter Counter(string name, string help, params string[] labels) => Add(name, "counter", help, labels, () => _factory.CreateCounter(name, help, labels));

    public Gauge Gauge(string name, string help, params string[] labels) => Add(name, "gauge", help, labels, () => _factory.CreateGauge(name, help, labels));

    public Histogram Histogram(string name, string help, double[] buckets, params string[] labels) => Add(
        name, "histogram", help, labels, () => _factory.CreateHistogram(name, help, new HistogramConfiguration { Buckets = buckets, LabelNames = labels }));

    /// <summary>Before each scrape: for gauges that show what is so now.</summary>
    public void OnScrape(Action read) => _registry.AddBeforeCollectCallback(read);

    public async Task WriteAsync(HttpResponse response, CancellationToken cancellation)
    {
        response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        await _registry.CollectAndExportAsTextAsync(response.Body, cancellation);
    }

    private T Add<T>(string name, string type, string help, string[] labels, Func<T> create)
    {
        lock (_all)
            _all.Add(new Described(name, type, help, labels));
        return create();
    }

    /// <summary>Metrics that nobody else asks for: made when the process has started, since they look at its parts.</summary>
    internal sealed record Part(Type Type);

    public sealed record Described(string Name, string Type, string Help, IReadOnlyList<string> Labels);
}

/// <summary>Upper ends of histograms, in seconds. They have an edge at each of our objectives, or a quantile there would be interpolated.</summary>
public static class Buckets
{
    /// <summary>Of requests: 0.3 s is the objective of their P95.</summary>
    public static double[] Requests => [.001, .0025, .005, .01, .025, .05, .1, .2, .3, .5, 1, 2.5, 5, 10, 30, 60];

    /// <summary>Of model runs, and of passes of loops.</summary>
    public static double[] Runs => [.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .3, 1, 3, 10, 60];

    /// <summary>Of waits in a queue, which may take hours.</summary>
    public static double[] Waits => [.001, .005, .01, .05, .1, .3, 1, 3, 10, 30, 60, 300, 1800, 7200];

    /// <summary>Of counts.</summary>
    public static double[] Counts => [1, 2, 4, 8, 16, 32, 64, 128];
}
